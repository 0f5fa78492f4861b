package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// spelling is how a service writes the members of its structures.
type spelling struct {
	small bool              // members begin with a small letter
	names map[string]string // Type.Field to the name of members that are not spelled as in the SDK
	items map[string]string // type of an item to its element in a list of the query protocol

	keepTimes bool // in a tree, for a protocol that has times of its own
}

// name is a member's name on the wire; empty if it is not part of the message.
func (s spelling) name(t reflect.Type, f reflect.StructField) string {
	if !f.IsExported() || f.Name == "ResultMetadata" {
		return ""
	}
	if s.small {
		return strings.ToLower(f.Name[:1]) + f.Name[1:]
	}
	if n, ok := s.names[t.Name()+"."+f.Name]; ok {
		return n
	}
	return f.Name
}

// field finds the field of a member.
func (s spelling) field(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if n := s.name(t, t.Field(i)); n == name && n != "" {
			return i, true
		}
	}
	return 0, false
}

// json encodes an answer as the JSON protocols do: times are seconds since 1970 with a fraction, what is nil is left out.
func (s spelling) json(out any) ([]byte, error) { return json.Marshal(s.tree(reflect.ValueOf(out))) }

func (s spelling) tree(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Interface: // a union
		if v.IsNil() {
			return nil
		}
		return s.union(v)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return s.tree(v.Elem())
	case reflect.Struct:
		if v.Type() == timeType && s.keepTimes {
			return v.Interface()
		}
		if v.Type() == timeType {
			return float64(v.Interface().(time.Time).UnixMilli()) / 1000
		}
		return s.members(v)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes() // base64 by json.Marshal
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = s.tree(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		m := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			m[k.String()] = s.tree(v.MapIndex(k))
		}
		return m
	case reflect.String:
		if v.Type() != reflect.TypeFor[string]() && v.Len() == 0 { // an enumeration without a value
			return nil
		}
	}
	return v.Interface()
}

// union is the one member of a union, whose type the SDK names UnionMemberName.
func (s spelling) union(v reflect.Value) any {
	if v.Elem().Kind() != reflect.Pointer {
		return s.tree(v.Elem())
	}
	one := v.Elem().Elem()
	name, ok := strings.CutPrefix(one.Type().Name(), v.Type().Name()+"Member")
	if !ok {
		return s.tree(one)
	}
	if s.small {
		name = strings.ToLower(name[:1]) + name[1:]
	}
	return map[string]any{name: s.tree(one.FieldByName("Value"))}
}

func (s spelling) members(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		name := s.name(v.Type(), v.Type().Field(i))
		if name == "" {
			continue
		}
		if x := s.tree(v.Field(i)); x != nil {
			m[name] = x
		}
	}
	return m
}

// xml writes the members of an answer as the query protocol does: a list is an element with a <member> for each item.
func (s spelling) xml(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.xml(b, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType {
			b.WriteString(v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z"))
			return
		}
		for i := range v.NumField() {
			if name := s.name(v.Type(), v.Type().Field(i)); name != "" {
				s.element(b, name, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		for i := range v.Len() {
			s.element(b, s.item(v.Type().Elem()), v.Index(i))
		}
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			b.WriteString("<entry>")
			s.element(b, "key", k)
			s.element(b, "value", v.MapIndex(k))
			b.WriteString("</entry>")
		}
	default:
		escape(b, fmt.Sprint(v.Interface()))
	}
}

// item is the element of a list item.
func (s spelling) item(t reflect.Type) string { return or(s.items[t.Name()], "member") }

// element writes one member, or nothing if it is nil or an enumeration without a value.
func (s spelling) element(b *bytes.Buffer, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return
		}
	case reflect.String:
		if v.Type() != reflect.TypeFor[string]() && v.Len() == 0 {
			return
		}
	}
	b.WriteString("<" + name + ">")
	s.xml(b, v)
	b.WriteString("</" + name + ">")
}

func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}

// escape writes text into XML. Writing to a buffer cannot fail.
func escape(b *bytes.Buffer, text string) { _ = xml.EscapeText(b, []byte(text)) }
