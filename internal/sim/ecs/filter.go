package ecs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// subject is a container instance that a filter looks at.
type subject struct {
	ContainerInstance
	ci *containerInstance
}

// condition is a parsed filter.
type condition func(*subject) bool

// filterParser reads the cluster query language by recursive descent. Package placement has a parser of its own, on purpose: each judges
// the other.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
type filterParser struct {
	text   string
	tokens []string
}

func parseFilter(text string) (condition, error) {
	if strings.TrimSpace(text) == "" {
		return func(*subject) bool { return true }, nil
	}
	p := &filterParser{text: text}
	rest := strings.TrimSpace(text)
	for rest != "" {
		n := tokenLength(rest)
		if n == 0 {
			return nil, p.refuse("it cannot be read from " + strconv.Quote(rest))
		}
		p.tokens = append(p.tokens, rest[:n])
		rest = strings.TrimSpace(rest[n:])
	}
	c, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, p.refuse("there is too much from " + strconv.Quote(p.tokens[0]))
	}
	return c, nil
}

// tokenLength is the length of the token at the start of a text, or 0 if there is none: a quoted text, an operator, or a word.
func tokenLength(text string) int {
	if quote := text[0]; quote == '\'' || quote == '"' {
		if end := strings.IndexByte(text[1:], quote); end >= 0 {
			return end + 2
		}
		return 0
	}
	for _, op := range [...]string{"!exists", "!in", "==", "!=", ">=", "<=", "=~", "!~", "&&", "||", "[", "]", "(", ")", ",", "<", ">", "!"} {
		if strings.HasPrefix(text, op) {
			return len(op)
		}
	}
	n := strings.IndexAny(text, " \t\r\n'\"=!<>()[],&|~")
	if n < 0 {
		n = len(text)
	}
	return n
}

func (p *filterParser) refuse(why string) error {
	return core.Refuse("InvalidParameterException", "Invalid filter expression %q: %s.", p.text, why)
}

func (p *filterParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *filterParser) take(words ...string) bool {
	if len(p.tokens) > 0 && slices.Contains(words, p.tokens[0]) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *filterParser) or(depth int) (condition, error) {
	left, err := p.and(depth)
	for err == nil && p.take("or", "||") {
		var right condition
		if right, err = p.and(depth); err == nil {
			a := left
			left = func(s *subject) bool { return a(s) || right(s) }
		}
	}
	return left, err
}

func (p *filterParser) and(depth int) (condition, error) {
	left, err := p.one(depth)
	for err == nil && p.take("and", "&&") {
		var right condition
		if right, err = p.one(depth); err == nil {
			a := left
			left = func(s *subject) bool { return a(s) && right(s) }
		}
	}
	return left, err
}

func (p *filterParser) one(depth int) (condition, error) {
	if depth > 20 {
		return nil, p.refuse("it is nested too deep")
	}
	if p.take("not", "!") {
		c, err := p.one(depth + 1)
		return func(s *subject) bool { return !c(s) }, err
	}
	if p.take("(") {
		c, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = p.refuse("a closing parenthesis is missing")
		}
		return c, err
	}
	return p.comparison()
}

func (p *filterParser) comparison() (condition, error) {
	name := p.next()
	get := subjectNamed(name)
	if get == nil {
		return nil, p.refuse("there is no subject " + strconv.Quote(name) +
			": use ec2InstanceId, agentConnected, agentVersion, registeredAt, runningTasksCount, task:group or attribute:NAME")
	}
	switch op := symbol(p.next()); op {
	case "exists", "!exists":
		return func(s *subject) bool { _, ok := get(s); return ok == (op == "exists") }, nil
	case "in", "!in":
		list, err := p.list()
		return func(s *subject) bool {
			return slices.ContainsFunc(list, func(v string) bool { return has(get, s, v) }) == (op == "in")
		}, err
	case "==", "!=", "=~", "!~", ">", ">=", "<", "<=":
		value := p.next()
		if value == "" {
			return nil, p.refuse("a value is missing at the end")
		}
		return p.compare(get, op, unquote(value))
	default:
		return nil, p.refuse("there is no operator " + strconv.Quote(op))
	}
}

func (p *filterParser) compare(get getter, op, value string) (condition, error) {
	switch op {
	case "==", "!=":
		return func(s *subject) bool { return has(get, s, value) == (op == "==") }, nil
	case "=~", "!~":
		re, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return nil, p.refuse("the regular expression " + strconv.Quote(value) + " is not valid")
		}
		return func(s *subject) bool {
			values, _ := get(s)
			return slices.ContainsFunc(values, re.MatchString) == (op == "=~")
		}, nil
	}
	return func(s *subject) bool {
		values, _ := get(s)
		return len(values) > 0 && ordered(compareValues(values[0], value), op)
	}, nil
}

func (p *filterParser) list() ([]string, error) {
	if !p.take("[") {
		return nil, p.refuse("after in comes a list in square brackets")
	}
	var list []string
	for {
		value := p.next()
		if value == "" || value == "]" || value == "," {
			return nil, p.refuse("the list is not complete")
		}
		list = append(list, unquote(value))
		if p.take("]") {
			return list, nil
		}
		if !p.take(",") {
			return nil, p.refuse("the list is not closed")
		}
	}
}

// symbol is the short form of an operator that can be written as a word.
func symbol(op string) string {
	words := map[string]string{
		"equals": "==", "not_equals": "!=", "greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<=",
		"not_exists": "!exists", "not_in": "!in", "matches": "=~", "not_matches": "!~",
	}
	if short, ok := words[op]; ok {
		return short
	}
	return op
}

// getter returns the values of a subject, and whether it is there.
type getter func(*subject) ([]string, bool)

func subjectNamed(name string) getter {
	one := func(f func(*subject) string) getter {
		return func(s *subject) ([]string, bool) { return []string{f(s)}, true }
	}
	switch name {
	case "ec2InstanceId":
		return one(func(s *subject) string { return s.Instance })
	case "agentConnected":
		return one(func(s *subject) string { return strconv.FormatBool(s.Connected) })
	case "agentVersion":
		return one(func(s *subject) string { return s.AgentVersion })
	case "registeredAt":
		return one(func(s *subject) string { return core.ISO(s.RegisteredAt) })
	case "runningTasksCount":
		return one(func(s *subject) string { return strconv.Itoa(s.Running) })
	case "task:group":
		return func(s *subject) ([]string, bool) {
			var groups []string
			for _, t := range s.ci.tasks {
				groups = append(groups, t.Group)
			}
			return groups, len(groups) > 0
		}
	}
	attribute, ok := strings.CutPrefix(name, "attribute:")
	if !ok || attribute == "" {
		return nil
	}
	return func(s *subject) ([]string, bool) {
		v, ok := s.Attributes[attribute]
		if !ok {
			return nil, false
		}
		return []string{v}, true
	}
}

func has(get getter, s *subject, value string) bool {
	values, _ := get(s)
	return slices.Contains(values, value)
}

// compareValues compares numbers and versions part by part as numbers, and all else as text.
func compareValues(a, b string) int {
	x, okX := numbers(a)
	y, okY := numbers(b)
	if okX && okY {
		return slices.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// numbers reads 7 and 1.105.1.
func numbers(s string) ([]int, bool) {
	var all []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, false
		}
		all = append(all, n)
	}
	return all, true
}

func ordered(c int, op string) bool {
	switch op {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	}
	return c <= 0
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') {
		return s[1 : len(s)-1]
	}
	return s
}
