package placement

import (
	"regexp"
	"slices"
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
