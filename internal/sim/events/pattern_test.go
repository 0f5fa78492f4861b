package events

import (
	"encoding/json"
	"testing"
)

func TestPatterns(t *testing.T) {
	event := `{"source":"aws.ec2","detail-type":"x","resources":["a","b"],"detail":{"state":"running","n":3,"deep":{"ok":true}}}`
	var fields map[string]any
	if err := json.Unmarshal([]byte(event), &fields); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]bool{ //ebb:any-order each stands alone
		`{"source":["aws.ec2"]}`:                                     true,
		`{"source":["aws.ecs"]}`:                                     false,
		`{"source":["aws.ecs","aws.ec2"],"detail-type":["x"]}`:       true,
		`{"resources":["b"]}`:                                        true,
		`{"resources":["c"]}`:                                        false,
		`{"detail":{"state":["stopped"]}}`:                           false,
		`{"detail":{"n":[3]}}`:                                       true,
		`{"detail":{"deep":{"ok":[true]}}}`:                          true,
		`{"source":[{"prefix":"aws."}]}`:                             true,
		`{"source":[{"prefix":"com."}]}`:                             false,
		`{"detail":{"nope":[{"exists":false}]}}`:                     true,
		`{"detail":{"state":[{"exists":false}]}}`:                    false,
		`{"detail":{"state":[{"exists":true}]}}`:                     true,
		`{"detail":{"state":[{"anything-but":"running"}]}}`:          false,
		`{"detail":{"state":[{"anything-but":["stopped"]}]}}`:        true,
		`{"detail":{"nope":{"deeper":["x"]}}}`:                       false,
		`{"detail":{"deep":["text"]}}`:                               false,
		`{"detail":{"state":["running"]},"source":["aws.ec2","no"]}`: true,
	} {
		p, err := parsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got := p.matches(fields); got != want {
			t.Errorf("%s matches: %v, want %v", pattern, got, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["a",{"prefix":"b"}],"detail":{"x":[{"exists":true}]}}`, `{"source":"a","detail":{"x":[1,{"y":2}]}}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := parsePattern(pattern)
		var fields map[string]any
		if err != nil || json.Unmarshal([]byte(event), &fields) != nil {
			return
		}
		if first, again := p.matches(fields), p.matches(fields); first != again {
			t.Error("the same pattern and event gave two answers")
		}
	})
}
