package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// fields are the members of one JSON object, read by their exact names: encoding/json would match them in any case. What is
// wrong with them gathers in problems, so that a person learns of everything at once.
type fields struct {
	members  map[string]json.RawMessage
	prefix   string // the place of the object in the body, such as "detail."
	problems []string
}

// readObject reads a JSON object. The second result says why that failed; empty: it did not.
func readObject(body []byte) (*fields, string) {
	f := &fields{}
	if err := json.Unmarshal(body, &f.members); err != nil {
		return nil, fmt.Sprintf("the body is not valid JSON: %v", err)
	}
	return f, ""
}

// kindOf names the kind of a valid JSON value.
func kindOf(value json.RawMessage) string {
	switch strings.TrimLeft(string(value), " \t\r\n")[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// has reports whether the field is there; null counts as absent.
func (f *fields) has(name string) bool {
	value, ok := f.members[name]
	return ok && kindOf(value) != "null"
}

// str is a string field, empty when absent. A value of another type is a problem.
func (f *fields) str(name string) string {
	if !f.has(name) {
		return ""
	}
	var s string
	if json.Unmarshal(f.members[name], &s) != nil {
		f.problem("the field %q is %s, not a string", f.prefix+name, kindOf(f.members[name]))
	}
	return s
}

// need is a string field that must be there and not be empty.
func (f *fields) need(name string) string {
	before := len(f.problems)
	s := f.str(name)
	if s == "" && len(f.problems) == before {
		f.problem("the field %q is missing or empty", f.prefix+name)
	}
	return s
}

// time is a field with an RFC 3339 time. A string in another form reads as zero: the time is only the first choice for the
// zero of a deadline, and no reason to leave an instance undrained.
func (f *fields) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339, f.str(name))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// object is a field that must be an object.
func (f *fields) object(name string) *fields {
	inner := &fields{prefix: f.prefix + name + "."}
	if !f.has(name) {
		f.problem("the field %q is missing", f.prefix+name)
		return inner
	}
	if json.Unmarshal(f.members[name], &inner.members) != nil {
		f.problem("the field %q is %s, not an object", f.prefix+name, kindOf(f.members[name]))
	}
	return inner
}

func (f *fields) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// or returns the event, or Unknown if there were problems.
func (f *fields) or(e Event) Event {
	if len(f.problems) > 0 {
		return Event{Kind: Unknown, Why: strings.Join(f.problems, "; ")}
	}
	return e
}
