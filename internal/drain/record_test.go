package drain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// Bodies of records as e0e7ec5 wrote them, without what the kernel adds.
var bodies = []string{
	`{"key":"web/i-0a/0b5f1c9e","group":"web","hook":"ebb-drain","instance":"i-0a","heard":"2026-11-21T09:00:00Z","zero":"2026-11-21T09:00:00Z"}`,
	`{"key":"web/i-0a/0b5f1c9e","group":"web","hook":"ebb-drain","instance":"i-0a","token":"0b5f1c9e-7a43","by_id":true,"cluster":"prod",` +
		`"container_instance":"arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c1","adopted":true,"warm_pool":true,` +
		`"heard":"2026-11-21T09:00:00.123456789Z","not_before":"2026-11-21T08:59:00Z","zero":"2026-11-21T09:00:00Z","doubt":true,` +
		`"queued":"2026-11-21T09:00:01Z","turn":"2026-11-21T09:00:02Z","asked":"2026-11-21T09:00:03Z","absent_since":"2026-11-21T09:00:04Z",` +
		`"unreached_from":"2026-11-21T09:00:05Z","waiting_since":"2026-11-21T09:00:06Z","staying_since":"2026-11-21T09:00:07Z",` +
		`"draining_since":"2026-11-21T09:00:08Z","agreed":"2026-11-21T09:00:09Z","empty_since":"2026-11-21T09:00:10Z",` +
		`"left":["web:1/t0 RUNNING"],"intent":{"at":"2026-11-21T09:00:11Z","outcome":"forced","reason":"the deadline of 30m0s is over",` +
		`"cut_off":["web:1/t0 RUNNING"]},"ended":"2026-11-21T09:00:12Z","final":{"at":"2026-11-21T09:00:12Z","outcome":"forced",` +
		`"reason":"the deadline of 30m0s is over","cut_off":["web:1/t0 RUNNING"]}}`,
}

func TestRecordsKeepTheirMembers(t *testing.T) {
	for _, body := range bodies {
		var d Drain
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var was, is map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal([]byte(body), &was), json.Unmarshal(again, &is)); err != nil {
			t.Fatal(err)
		}
		delete(was, "instance") // is of the record, which names the target by its kind
		if !reflect.DeepEqual(was, is) {
			t.Errorf("read and written again: %s\nwant %s", again, body)
		}
	}
}

// eachField calls f for each field of a drain, with what sets it to another value.
func eachField(v reflect.Value, path string, f func(path string, set func())) {
	for i := range v.NumField() {
		field, name := v.Field(i), path+"."+v.Type().Field(i).Name
		switch field.Interface().(type) {
		case time.Time:
			f(name, func() { field.Set(reflect.ValueOf(t0.Add(time.Duration(len(name)) * time.Second))) })
			continue
		case *Answer:
			f(name, func() {
				field.Set(reflect.ValueOf(&Answer{At: t0, Outcome: Forced, Reason: name, CutOff: []string{name}}))
			})
			continue
		}
		switch field.Kind() {
		case reflect.Struct:
			eachField(field, name, f)
		case reflect.String:
			f(name, func() { field.SetString(name) })
		case reflect.Bool:
			f(name, func() { field.SetBool(true) })
		case reflect.Int:
			f(name, func() { field.SetInt(7) })
		case reflect.Slice:
			f(name, func() {
				one := reflect.MakeSlice(field.Type(), 1, 1)
				if s := one.Index(0); s.Kind() == reflect.String {
					s.SetString(name)
				} else {
					eachField(s, name, func(_ string, set func()) { set() })
				}
				field.Set(one)
			})
		default:
			panic(fmt.Sprintf("%s is a %s", name, field.Kind()))
		}
	}
}

// A field that Same or the record does not know would be lost at a restart, and nothing else would fail.
func TestNoFieldIsForgotten(t *testing.T) {
	var full Drain
	eachField(reflect.ValueOf(&full).Elem(), "", func(path string, set func()) {
		set()
		var one, zero Drain
		eachField(reflect.ValueOf(&one).Elem(), "", func(p string, set func()) {
			if p == path {
				set()
			}
		})
		if one.Same(&zero) || zero.Same(&one) || !one.Same(&one) {
			t.Errorf("Same does not see %s", path)
		}
	})
	body, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	got := Drain{Target: full.Target} // which is not in it
	if err := json.Unmarshal(body, &got); err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("the record keeps %+v, %v\nof %+v", got, err, full)
	}
}
