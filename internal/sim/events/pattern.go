package events

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// pattern is an EventBridge event pattern: every field must match. Matched are literals, {"prefix": ...}, {"exists": ...} and
// {"anything-but": ...} with literals; a pattern with another operator is refused.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
type pattern []fieldPattern

// fieldPattern is one field: either deeper fields, or alternatives of which one must match.
type fieldPattern struct {
	name   string
	deeper pattern
	any    []matcher
}

// matcher is one alternative for a field; which of its parts is set says what kind it is.
type matcher struct {
	literal any // string, float64, bool, or nil for null
	prefix  *string
	exists  *bool
	not     []any
}

func invalidPattern(why string) error {
	return core.Refuse("InvalidEventPatternException", "Event pattern is not valid. Reason: %s", why)
}

func parsePattern(text string) (pattern, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return nil, invalidPattern(err.Error())
	}
	if len(object) == 0 {
		return nil, invalidPattern("it must be an object with at least one field")
	}
	return parseFields(object)
}

func parseFields(object map[string]any) (pattern, error) {
	var p pattern
	for _, name := range slices.Sorted(maps.Keys(object)) {
		f := fieldPattern{name: name}
		switch v := object[name].(type) {
		case map[string]any:
			deeper, err := parseFields(v)
			if err != nil {
				return nil, err
			}
			f.deeper = deeper
		case []any:
			for _, item := range v {
				m, err := parseMatcher(name, item)
				if err != nil {
					return nil, err
				}
				f.any = append(f.any, m)
			}
		default:
			return nil, invalidPattern("\"" + name + "\" must be an object or an array")
		}
		if len(f.deeper) == 0 && len(f.any) == 0 {
			return nil, invalidPattern("\"" + name + "\" is empty")
		}
		p = append(p, f)
	}
	return p, nil
}

func parseMatcher(name string, item any) (matcher, error) {
	object, ok := item.(map[string]any)
	if !ok {
		if _, list := item.([]any); list {
			return matcher{}, invalidPattern("\"" + name + "\" has an array in its array")
		}
		return matcher{literal: item}, nil
	}
	if len(object) == 1 {
		if s, ok := object["prefix"].(string); ok {
			return matcher{prefix: &s}, nil
		}
		if b, ok := object["exists"].(bool); ok {
			return matcher{exists: &b}, nil
		}
		switch v := object["anything-but"].(type) {
		case string, float64, bool:
			return matcher{not: []any{v}}, nil
		case []any:
			if !slices.ContainsFunc(v, notLiteral) {
				return matcher{not: v}, nil
			}
		}
	}
	return matcher{}, invalidPattern("\"" + name + "\" has an operator that the simulator does not know: use literals, prefix, exists or anything-but")
}

// allows reports whether the pattern lets a top-level text field have the value.
func (p pattern) allows(name, value string) bool {
	for _, f := range p {
		if f.name == name && !f.matches(value, true) {
			return false
		}
	}
	return true
}

// matches reports whether an event, or an object in one, has all the fields as the pattern wants them.
func (p pattern) matches(object map[string]any) bool {
	for _, f := range p {
		value, there := object[f.name]
		if !f.matches(value, there) {
			return false
		}
	}
	return true
}

// matches compares one field; of an array one element must match.
func (f fieldPattern) matches(value any, there bool) bool {
	if f.deeper != nil {
		object, _ := value.(map[string]any)
		return f.deeper.matches(object)
	}
	values := []any{value}
	if list, ok := value.([]any); ok {
		values = list
	}
	for _, m := range f.any {
		if m.exists != nil {
			if *m.exists == there {
				return true
			}
			continue
		}
		if there && slices.ContainsFunc(values, m.matches) {
			return true
		}
	}
	return false
}

func (m matcher) matches(value any) bool {
	switch {
	case m.prefix != nil:
		text, ok := value.(string)
		return ok && strings.HasPrefix(text, *m.prefix)
	case m.not != nil:
		return !notLiteral(value) && !slices.Contains(m.not, value)
	}
	return !notLiteral(value) && m.literal == value
}

func notLiteral(v any) bool {
	switch v.(type) {
	case string, float64, bool, nil:
		return false
	}
	return true
}
