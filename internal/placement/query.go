package placement

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/inventory"
)

// The query language of ECS is written a second time in the simulated cloud (sim/filter.go), on purpose: each judges the other.

// answer is what can be said about a host and a requirement: no, unknown or yes. A requirement that Ebb cannot judge is unknown,
// so that it is neither promised nor refused.
type answer int8

const (
	no answer = iota - 1
	unknown
	yes
)

func known(b bool) answer {
	if b {
		return yes
	}
	return no
}

// query is an expression of the cluster query language, asked of one host.
type query func(*inventory.Host) answer

// parser reads the cluster query language by recursive descent. What it does not understand makes the whole expression unknown.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
type parser struct {
	tokens []string
	failed bool
}

// parse reads an expression; false if it cannot be read, and then the query answers unknown for every host.
func parse(text string) (query, bool) {
	p := &parser{tokens: scan(text)}
	q := p.either()
	if p.failed || len(p.tokens) > 0 {
		return func(*inventory.Host) answer { return unknown }, false
	}
	return q, true
}

// token is what an expression is made of: a quoted text, an operator, a bracket or comma, or a word.
var token = regexp.MustCompile(`^(?:'[^']*'|"[^"]*"|!exists\b|!in\b|[=!<>]=|[=!]~|&&|\|\||[][(),<>!]|[^\s'"=!<>()\[\],&|~]+)`)

// scan cuts an expression into tokens; none if something is not a token, such as a quotation that does not end.
func scan(text string) []string {
	var tokens []string
	for rest := strings.TrimSpace(text); rest != ""; {
		t := token.FindString(rest)
		if t == "" {
			return nil
		}
		tokens = append(tokens, t)
		rest = strings.TrimSpace(strings.TrimPrefix(rest, t))
	}
	return tokens
}

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		p.failed = true
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// take takes the next token if it is one of these.
func (p *parser) take(tokens ...string) bool {
	if len(p.tokens) == 0 || !slices.Contains(tokens, p.tokens[0]) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) either() query {
	left := p.both()
	for p.take("or", "||") {
		a, b := left, p.both()
		left = func(h *inventory.Host) answer { return max(a(h), b(h)) }
	}
	return left
}

func (p *parser) both() query {
	left := p.one()
	for p.take("and", "&&") {
		a, b := left, p.one()
		left = func(h *inventory.Host) answer { return min(a(h), b(h)) }
	}
	return left
}

func (p *parser) one() query {
	switch {
	case p.take("not", "!"):
		q := p.one()
		return func(h *inventory.Host) answer { return -q(h) }
	case p.take("("):
		q := p.either()
		if !p.take(")") {
			p.failed = true
		}
		return q
	}
	return p.comparison()
}

// comparison is a subject, an operator and its argument.
func (p *parser) comparison() query {
	subject := p.word()
	op, ok := operators[p.next()]
	if !ok {
		p.failed = true
	}
	var want []string
	switch op {
	case "exists", "!exists":
	case "in", "!in":
		want = p.list()
	default:
		want = []string{p.word()}
	}
	return func(h *inventory.Host) answer { return compare(h, subject, op, want) }
}

// operators are the operators by all their spellings.
var operators = map[string]string{
	"==": "==", "equals": "==", "!=": "!=", "not_equals": "!=", ">": ">", "greater_than": ">", ">=": ">=", "greater_than_equal": ">=",
	"<": "<", "less_than": "<", "<=": "<=", "less_than_equal": "<=", "exists": "exists", "!exists": "!exists", "not_exists": "!exists",
	"in": "in", "!in": "!in", "not_in": "!in", "=~": "=~", "matches": "=~", "!~": "!~", "not_matches": "!~",
}

// word is a text, quoted or not.
func (p *parser) word() string {
	t := p.next()
	if t == "" {
		return ""
	}
	if t[0] == '\'' || t[0] == '"' {
		return t[1 : len(t)-1]
	}
	if strings.ContainsAny(t, "=!<>()[],&|~") {
		p.failed = true
	}
	return t
}

// list is the argument of in: words between brackets, with commas.
func (p *parser) list() []string {
	if !p.take("[") {
		p.failed = true
		return nil
	}
	var words []string
	for !p.failed {
		words = append(words, p.word())
		if p.take("]") {
			return words
		}
		if !p.take(",") {
			p.failed = true
		}
	}
	return nil
}

// compare judges one comparison of a query on a host. How many tasks a host has and of which groups changes while tasks are
// placed, so that comparisons with these are unknown.
func compare(h *inventory.Host, subject, op string, want []string) answer {
	have, found, ok := value(h, subject)
	switch {
	case !ok:
		return unknown
	case op == "exists":
		return known(found)
	case op == "!exists":
		return known(!found)
	case !found && (op == "==" || op == "in" || op == "=~"):
		return no
	case !found: // whether what is not there differs from something is not documented
		return unknown
	}
	switch op {
	case "==", "in":
		return known(slices.Contains(want, have))
	case "!=", "!in":
		return known(!slices.Contains(want, have))
	case "=~":
		return matches(have, want[0])
	case "!~":
		return -matches(have, want[0])
	}
	return ordered(have, op, want[0])
}

// value is what a host has of a subject, and whether it has it; ok is false if it cannot be known or will not stay.
func value(h *inventory.Host, subject string) (have string, found, ok bool) {
	if name, is := strings.CutPrefix(subject, "attribute:"); is {
		have, found = h.Attributes[name]
		return have, found, len(h.Attributes) > 0
	}
	switch subject {
	case "ec2InstanceId":
		return string(h.Instance), true, true
	case "agentVersion":
		return h.AgentVersion, true, h.AgentVersion != ""
	case "agentConnected":
		return strconv.FormatBool(h.Connected), true, true
	}
	return "", false, false
}

// matches asks a regular expression. AWS's are Java's; where Go cannot read one, or the answer depends on whether the whole
// value must match, it is unknown.
func matches(have, pattern string) answer {
	e, err := regexp.Compile(pattern)
	if err != nil {
		return unknown
	}
	e.Longest()
	switch at := e.FindStringIndex(have); {
	case at == nil:
		return no
	case at[0] == 0 && at[1] == len(have):
		return yes
	}
	return unknown
}

// ordered compares numbers, and versions such as 1.68.2.
func ordered(have, op, want string) answer {
	c, ok := order(have, want)
	if !ok {
		return unknown
	}
	switch op {
	case ">":
		return known(c > 0)
	case ">=":
		return known(c >= 0)
	case "<":
		return known(c < 0)
	}
	return known(c <= 0)
}

func order(a, b string) (int, bool) {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y), true
	}
	v, okV := version(a)
	w, okW := version(b)
	return slices.Compare(v, w), okV && okW
}

func version(s string) ([]int, bool) {
	parts := strings.Split(strings.TrimPrefix(s, "v"), ".")
	numbers := make([]int, len(parts))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return nil, false
		}
		numbers[i] = n
	}
	return numbers, true
}

// requires judges one attribute that a task definition requires, name or name=value.
func requires(h *inventory.Host, want string) answer {
	if len(h.Attributes) == 0 {
		return unknown
	}
	name, value, valued := strings.Cut(want, "=")
	have, found := h.Attributes[name]
	return known(found && (!valued || have == value))
}
