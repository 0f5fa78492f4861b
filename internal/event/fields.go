package event

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ebbhq/ebb/internal/fleet"
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

// word is a string field of which nothing is required: of AWS's events many carry null or a number in place of a word.
func (f *fields) word(name string) string {
	var s string
	_ = json.Unmarshal(f.members[name], &s)
	return s
}

// part is a field that may be an object. It has no members if it is none.
func (f *fields) part(name string) *fields {
	inner := &fields{prefix: f.prefix + name + "."}
	_ = json.Unmarshal(f.members[name], &inner.members)
	return inner
}

// each are the elements of a field that may be an array; none if it is none.
func (f *fields) each(name string) (elements []json.RawMessage) {
	_ = json.Unmarshal(f.members[name], &elements)
	return elements
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

// longestName is how many characters AWS allows in the name of a group or a hook.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
const longestName = 255

// name is the name of a group or a hook, which must be there.
func (f *fields) name(name string) string {
	s := f.need(name)
	if n := utf8.RuneCountInString(s); n > longestName {
		f.problem("the field %q has %d characters, and AWS allows %d", f.prefix+name, n, longestName)
	}
	return s
}

// instanceForm is the form of an instance id. One id in another form makes AWS refuse a whole call about many instances.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
var instanceForm = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

// instance is the id of an EC2 instance, which must be there.
func (f *fields) instance(name string) fleet.InstanceID {
	id := f.need(name)
	if id != "" && !instanceForm.MatchString(id) {
		f.problem("the field %q is %s, which is no instance id", f.prefix+name, quote(id))
	}
	return fleet.InstanceID(id)
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
