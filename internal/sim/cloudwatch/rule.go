package cloudwatch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// rule is the rule of a composite alarm.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
type rule struct {
	holds    func(state func(alarm string) string) bool
	children []string // names or ARNs
}

type ruleParser struct {
	tokens   []string
	children []string
}

// parseRule reads a rule. Its alarms must be there, and must not be the alarm itself.
func (w *CloudWatch) parseRule(text, name string) (rule, error) {
	if len(text) > 10240 {
		return rule{}, refuse("AlarmRule must not be longer than 10240 characters.")
	}
	p := &ruleParser{tokens: ruleTokens(text)}
	holds, err := p.or()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("there is %q where it should end", p.tokens[0])
	}
	if err != nil {
		return rule{}, refuse("AlarmRule is not valid: %v", err)
	}
	for _, child := range p.children {
		if c := w.FindAlarm(child); c == nil || w.dependsOn(c, name) {
			return rule{}, refuse("AlarmRule is not valid: alarm %s does not exist, or depends on %s.", child, name)
		}
	}
	return rule{holds, p.children}, nil
}

// dependsOn reports whether an alarm is the one of a name, or follows it.
func (w *CloudWatch) dependsOn(a *Alarm, name string) bool {
	return a.Name == name || slices.ContainsFunc(a.rule.children, func(id string) bool {
		child := w.FindAlarm(id)
		return child != nil && w.dependsOn(child, name)
	})
}

// ruleTokens are words, quoted names, parentheses and commas.
func ruleTokens(text string) []string {
	var all []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := 1
		switch c := text[0]; {
		case c == '"' || c == '\'':
			if end := strings.IndexByte(text[1:], c); end >= 0 {
				n = end + 2
			}
		case !strings.ContainsRune("(),", rune(c)):
			n = strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("(),", r) })
			if n < 0 {
				n = len(text)
			}
		}
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

func (p *ruleParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *ruleParser) take(t string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == t {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

type holds = func(state func(string) string) bool

func (p *ruleParser) or() (holds, error) {
	left, err := p.and()
	for err == nil && p.take("OR") {
		a, b := left, holds(nil)
		b, err = p.and()
		left = func(state func(string) string) bool { return a(state) || b(state) }
	}
	return left, err
}

func (p *ruleParser) and() (holds, error) {
	left, err := p.not()
	for err == nil && p.take("AND") {
		a, b := left, holds(nil)
		b, err = p.not()
		left = func(state func(string) string) bool { return a(state) && b(state) }
	}
	return left, err
}

func (p *ruleParser) not() (holds, error) {
	if p.take("NOT") {
		h, err := p.not()
		return func(state func(string) string) bool { return !h(state) }, err
	}
	switch t := p.next(); t {
	case "(":
		h, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a ) is missing")
		}
		return h, err
	case "TRUE", "FALSE":
		return func(func(string) string) bool { return t == "TRUE" }, nil
	case OK, InAlarm, Insufficient:
		names, err := p.names()
		if err == nil && len(names) != 1 {
			err = fmt.Errorf("%s takes one alarm", t)
		}
		return atLeast(1, t, names), err
	case "AT_LEAST":
		return p.atLeast()
	default:
		return nil, fmt.Errorf("%q is neither OK, ALARM, INSUFFICIENT_DATA, AT_LEAST, NOT, TRUE, FALSE nor (", t)
	}
}

// names are the alarms in parentheses.
func (p *ruleParser) names() ([]string, error) {
	if !p.take("(") {
		return nil, fmt.Errorf("a ( is missing")
	}
	var names []string
	for {
		name := strings.Trim(p.next(), `"'`)
		if name == "" || strings.ContainsAny(name, "(),") {
			return nil, fmt.Errorf("the name of an alarm is missing")
		}
		names = append(names, name)
		if !p.take(",") {
			break
		}
	}
	p.children = append(p.children, names...)
	if !p.take(")") {
		return nil, fmt.Errorf("a ) is missing")
	}
	return names, nil
}

// atLeast reads AT_LEAST(2, ALARM, (a, b, c)), or with a percentage.
func (p *ruleParser) atLeast() (holds, error) {
	if !p.take("(") {
		return nil, fmt.Errorf("a ( is missing")
	}
	number, percent := strings.CutSuffix(p.next(), "%")
	n, err := strconv.Atoi(number)
	comma := p.take(",")
	state := p.next()
	if err != nil || n < 1 || !comma || !slices.Contains([]string{OK, InAlarm, Insufficient}, state) || !p.take(",") {
		return nil, fmt.Errorf("AT_LEAST takes a number, a state and alarms in parentheses")
	}
	names, err := p.names()
	if err == nil && !p.take(")") {
		err = fmt.Errorf("a ) is missing")
	}
	if percent {
		n = (n*len(names) + 99) / 100
	}
	return atLeast(n, state, names), err
}

func atLeast(n int, state string, names []string) holds {
	return func(of func(string) string) bool {
		count := 0
		for _, name := range names {
			if of(name) == state {
				count++
			}
		}
		return count >= n
	}
}

// follow brings a composite alarm into the state that its rule says, after a child has changed; no child: it was made or changed.
func (w *CloudWatch) follow(c *Alarm, by trigger) {
	if w.FindAlarm(c.Name) != c || c.Composite == nil || by.arn != "" && !slices.ContainsFunc(c.rule.children, func(id string) bool {
		child := w.FindAlarm(id)
		return child != nil && child.ARN == by.arn
	}) {
		return
	}
	state := OK
	if c.rule.holds(func(id string) string {
		if a := w.FindAlarm(id); a != nil {
			return a.Now.State
		}
		return ""
	}) {
		state = InAlarm
	}
	next := Condition{State: state, Reason: c.ARN + " was created and its alarm rule evaluates to " + state, Data: triggered(nil)}
	if by.arn != "" {
		next.Reason = by.arn + " transitioned to " + by.State + " at " + w.Now().Format("Monday 02 January, 2006 15:04:05 UTC")
		by.At = w.Now()
		next.triggers = []trigger{by}
		next.Data = triggered(next.triggers)
	}
	w.change(c, next)
}
