// Package model says whether a request is one that AWS's own model of its APIs allows: members that must be there, lengths, values, patterns.
//
// What it knows stands in requests.json, which test/awsmodel.py writes from botocore's models; NOTICE names their licence. It knows nothing of what
// an operation does, and never changes a request. Which member a field of a Go type is, its caller says.
package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

//go:embed requests.json
var requests []byte

// shape is what the model says of one type.
type shape struct {
	Members  [][2]string // of a structure, in AWS's order: name, and shape if that says anything
	Required []string    // members of a structure
	List     string      // shape of the items
	Key      string      // shapes of a map
	Value    string
	Min, Max *float64 // of a number; else of the length
	Enum     []string
	Pattern  string // as the model has it
	Regexp   string // the same as Go reads it; empty: it is the same
}

// service is a service of the model.
type service struct {
	Operations map[string]string // the shapes of their requests; empty: nothing is said
	Shapes     map[string]*shape
}

var read = sync.OnceValue(func() map[string]service {
	var all struct{ Services map[string]service }
	if err := json.Unmarshal(requests, &all); err != nil {
		panic(err) // a test reads the file
	}
	return all.Services
})

// Has reports whether the model knows an operation.
func Has(service, operation string) bool {
	_, ok := read()[service].Operations[operation]
	return ok
}

// Check says what is wrong with a request of one type; nothing: it may be made.
type Check func(request reflect.Value) (broken []string)

// Field says which field of a struct is a member of AWS's.
type Field func(t reflect.Type, member string) (int, bool)

// Of makes the check of an operation for its Go type. Members that the type does not have are not checked, nor which members of the request itself
// must be there: that is in the operation's row. Nil: nothing is said of it.
func Of(serviceName, operation string, t reflect.Type, field Field) Check {
	s := read()[serviceName]
	name := s.Operations[operation]
	if name == "" {
		return nil
	}
	m := maker{service: s, field: field, made: map[key]*rule{}}
	r := m.rule(name, t)
	return func(v reflect.Value) []string {
		var c checking
		c.check(r, v, "")
		return c.broken
	}
}

// rule is a shape for a Go type.
type rule struct {
	*shape
	pattern *regexp.Regexp
	members []member
	item    *rule // of a list
	key     *rule // of a map
	value   *rule
}

type member struct {
	name     string // as AWS writes it in refusals
	index    int
	required bool
	rule     *rule // nil: nothing more is said
}

type key struct {
	name string
	t    reflect.Type
}

type maker struct {
	service service
	field   Field
	made    map[key]*rule
}

var patterns sync.Map // *regexp.Regexp by text: all worlds have the same

// compiled is a pattern that a whole text must match.
func compiled(text string) *regexp.Regexp {
	if p, ok := patterns.Load(text); ok {
		return p.(*regexp.Regexp)
	}
	p := regexp.MustCompile(`(?s)^(?:` + text + `)$`)
	patterns.Store(text, p)
	return p
}

// rule makes the rule of a shape for a type; nil: there is none.
func (m maker) rule(name string, t reflect.Type) *rule {
	s := m.service.Shapes[name]
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s == nil || t.Kind() == reflect.Interface || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	if r := m.made[key{name, t}]; r != nil {
		return r
	}
	r := &rule{shape: s}
	m.made[key{name, t}] = r
	if s.Pattern != "" {
		r.pattern = compiled(or(s.Regexp, s.Pattern))
	}
	switch t.Kind() {
	case reflect.Struct:
		m.structure(r, t)
	case reflect.Slice:
		if s.List != "" {
			r.item = m.rule(s.List, t.Elem())
		}
	case reflect.Map:
		r.key, r.value = m.rule(s.Key, t.Key()), m.rule(s.Value, t.Elem())
	}
	return r
}

func (m maker) structure(r *rule, t reflect.Type) {
	for _, of := range r.Members {
		name := of[0]
		if i, ok := m.field(t, name); ok {
			r.members = append(r.members, member{
				name: strings.ToLower(name[:1]) + name[1:], index: i, required: slices.Contains(r.Required, name), rule: m.rule(of[1], t.Field(i).Type),
			})
		}
	}
}

// checking is a check under way.
type checking struct{ broken []string }

// check compares a value with its rule. A value that is not there breaks nothing but that it is required; so does a zero that is no pointer.
func (c *checking) check(r *rule, v reflect.Value, at string) {
	if r == nil {
		return
	}
	there := v.Kind() == reflect.Pointer
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		c.structure(r, v, at)
	case reflect.Slice:
		if !v.IsNil() {
			c.list(r, v, at)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() { //ebb:any-order what is broken is sorted
			c.check(r.key, k, at)
			c.check(r.value, v.MapIndex(k), at+"."+fmt.Sprint(k)+".member")
		}
	default:
		if there || !v.IsZero() {
			c.says(r.scalar(v), show(v), at)
		}
	}
}

func (c *checking) structure(r *rule, v reflect.Value, at string) {
	for _, m := range r.members {
		path := m.name
		if at != "" {
			path = at + "." + m.name
		}
		f := v.Field(m.index)
		if k := f.Kind(); m.required && at != "" && (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.Interface) && f.IsNil() {
			c.says([]string{"Member must not be null"}, "null ", path)
		}
		c.check(m.rule, f, path)
	}
}

// list checks the length and the items. Of items that are texts or numbers the whole list is shown, once.
func (c *checking) list(r *rule, v reflect.Value, at string) {
	c.says(r.length(v.Len()), "", at)
	for i := range v.Len() {
		item := v.Index(i)
		kind := item.Kind()
		if r.item != nil && kind != reflect.Struct && kind != reflect.Pointer && kind != reflect.Slice && kind != reflect.Map {
			if broken := r.item.scalar(item); len(broken) > 0 {
				var all []string
				for j := range v.Len() {
					all = append(all, fmt.Sprint(v.Index(j)))
				}
				c.says([]string{"Member must satisfy constraint: [" + strings.Join(r.item.all(), ", ") + "]"}, "'["+strings.Join(all, ", ")+"]' ", at)
				return
			}
			continue
		}
		c.check(r.item, item, at+"."+strconv.Itoa(i+1)+".member")
	}
}

// says notes what a value breaks. A list or map of others is not shown.
func (c *checking) says(constraints []string, value, at string) {
	for _, constraint := range constraints {
		c.broken = append(c.broken, "Value "+value+"at '"+at+"' failed to satisfy constraint: "+constraint)
	}
}

func show(v reflect.Value) string { return "'" + fmt.Sprint(v) + "' " }

// scalar is what a text or a number breaks.
func (r *rule) scalar(v reflect.Value) (broken []string) {
	switch v.Kind() {
	case reflect.String:
		text := v.String()
		broken = r.length(utf8.RuneCountInString(text))
		if r.pattern != nil && !r.pattern.MatchString(text) {
			broken = append(broken, r.mustMatch())
		}
		if len(r.Enum) > 0 && !slices.Contains(r.Enum, text) {
			broken = append(broken, r.mustBeOneOf())
		}
	case reflect.Int32, reflect.Int64, reflect.Int:
		broken = r.bounds(float64(v.Int()), "value")
	case reflect.Float64, reflect.Float32:
		broken = r.bounds(v.Float(), "value")
	}
	return broken
}

func (r *rule) length(n int) []string { return r.bounds(float64(n), "length") }

func (r *rule) bounds(n float64, of string) (broken []string) {
	if r.Max != nil && n > *r.Max {
		broken = append(broken, mustBe(of, "less", *r.Max))
	}
	if r.Min != nil && n < *r.Min {
		broken = append(broken, mustBe(of, "greater", *r.Min))
	}
	return broken
}

// all is everything that is asked of a text.
func (r *rule) all() (constraints []string) {
	if r.Max != nil {
		constraints = append(constraints, mustBe("length", "less", *r.Max))
	}
	if r.Min != nil {
		constraints = append(constraints, mustBe("length", "greater", *r.Min))
	}
	if r.pattern != nil {
		constraints = append(constraints, r.mustMatch())
	}
	if len(r.Enum) > 0 {
		constraints = append(constraints, r.mustBeOneOf())
	}
	return constraints
}

func (r *rule) mustMatch() string {
	return "Member must satisfy regular expression pattern: " + r.Pattern
}
func (r *rule) mustBeOneOf() string {
	return "Member must satisfy enum value set: [" + strings.Join(r.Enum, ", ") + "]"
}

func mustBe(of, than string, bound float64) string {
	return "Member must have " + of + " " + than + " than or equal to " + strconv.FormatFloat(bound, 'f', -1, 64)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
