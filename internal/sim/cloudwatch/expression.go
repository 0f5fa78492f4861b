package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Metric math, as far as alarms for scaling use it: numbers, ids, + - * / ^, comparisons, AND and OR, IF, FILL with a number, ABS, CEIL,
// FLOOR and PERIOD, and MIN, MAX, SUM and AVG of a list such as [m1, m2]. All of it is of one period: functions that look at the whole of a
// time series are refused.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

// node is a part of an expression. Its value at one period comes from the values of the ids; false if there is none.
type node func(of func(id string) (float64, bool)) (float64, bool)

// expression is one that was read.
type expression struct {
	eval node
	ids  []string // that it names
}

type parser struct {
	tokens  []string
	ids     []string
	periods func(id string) float64 // seconds
}

// parse reads an expression.
func parse(text string, periods func(id string) float64) (expression, error) {
	p := &parser{tokens: tokens(text), periods: periods}
	n, err := p.binary(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("there is %q where it should end", p.tokens[0])
	}
	if err != nil {
		return expression{}, fmt.Errorf("error in expression %q: %w", text, err)
	}
	return expression{eval: n, ids: p.ids}, nil
}

func tokens(text string) []string {
	var all []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '.' })
		switch {
		case n == 0:
			n = 1
			for _, long := range []string{"<=", ">=", "==", "!=", "&&", "||"} {
				if strings.HasPrefix(text, long) {
					n = 2
				}
			}
		case n < 0:
			n = len(text)
		}
		all, text = append(all, text[:n]), text[n:]
	}
	return all
}

// levels are the binary operators, those that bind least first.
var levels = [][]string{{"OR", "||"}, {"AND", "&&"}, {"<", ">", "<=", ">=", "==", "!="}, {"+", "-"}, {"*", "/"}, {"^"}}

func (p *parser) take(any ...string) (string, bool) {
	if len(p.tokens) == 0 || !slices.Contains(any, p.tokens[0]) {
		return "", false
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, true
}

func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op, ok := p.take(levels[level]...)
		if !ok {
			return left, nil
		}
		var right node
		if right, err = p.binary(level + 1); err == nil {
			left = apply(op, left, right)
		}
	}
	return nil, err
}

func apply(op string, left, right node) node {
	return func(of func(string) (float64, bool)) (float64, bool) {
		a, known := left(of)
		b, both := right(of)
		if !known || !both {
			return 0, false
		}
		return operate(op, a, b)
	}
}

func operate(op string, a, b float64) (float64, bool) {
	switch op {
	case "+":
		return a + b, true
	case "-":
		return a - b, true
	case "*":
		return a * b, true
	case "/":
		return a / b, b != 0 // CloudWatch has no data where it would divide by zero
	case "^":
		return math.Pow(a, b), true
	}
	return truth(map[string]bool{
		"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b, "==": a == b, "!=": a != b,
		"AND": a != 0 && b != 0, "&&": a != 0 && b != 0, "OR": a != 0 || b != 0, "||": a != 0 || b != 0,
	}[op]), true
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (p *parser) unary() (node, error) {
	if _, ok := p.take("-"); ok {
		n, err := p.unary()
		return func(of func(string) (float64, bool)) (float64, bool) {
			v, ok := n(of)
			return -v, ok
		}, err
	}
	if _, ok := p.take("("); ok {
		n, err := p.binary(0)
		if _, ok := p.take(")"); err == nil && !ok {
			err = fmt.Errorf("a ) is missing")
		}
		return n, err
	}
	if len(p.tokens) == 0 {
		return nil, fmt.Errorf("it ends too early")
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	if v, err := strconv.ParseFloat(t, 64); err == nil {
		return func(func(string) (float64, bool)) (float64, bool) { return v, true }, nil
	}
	if _, ok := p.take("("); ok {
		return p.function(t)
	}
	if !unicode.IsLower(rune(t[0])) { // as ids must begin
		return nil, fmt.Errorf("%q is no id", t)
	}
	p.ids = append(p.ids, t)
	return func(of func(string) (float64, bool)) (float64, bool) { return of(t) }, nil
}

// function reads the arguments of a function, and the ) behind them.
func (p *parser) function(name string) (node, error) {
	_, list := p.take("[")
	first := len(p.ids)
	var args []node
	for {
		n, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, n)
		if _, more := p.take(","); !more {
			break
		}
	}
	if _, ok := p.take("]"); list != ok {
		return nil, fmt.Errorf("the list of %s has no end or no beginning", name)
	}
	if _, ok := p.take(")"); !ok {
		return nil, fmt.Errorf("a ) is missing behind the arguments of %s", name)
	}
	switch {
	case list && slices.Contains([]string{"MIN", "MAX", "SUM", "AVG"}, name):
		return over(name, args), nil
	case name == "IF" && len(args) == 3:
		return choice(args), nil
	case name == "FILL" && len(args) == 2:
		return func(of func(string) (float64, bool)) (float64, bool) {
			if v, ok := args[0](of); ok {
				return v, true
			}
			return args[1](of)
		}, nil
	case name == "PERIOD" && len(args) == 1 && len(p.ids) == first+1:
		seconds := p.periods(p.ids[first])
		return func(func(string) (float64, bool)) (float64, bool) { return seconds, true }, nil
	}
	round := map[string]func(float64) float64{"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor}[name]
	if round == nil || list || len(args) != 1 {
		return nil, fmt.Errorf("the simulated cloud has no function %s of %d arguments", name, len(args))
	}
	return func(of func(string) (float64, bool)) (float64, bool) {
		v, ok := args[0](of)
		return round(v), ok
	}, nil
}

func choice(args []node) node {
	return func(of func(string) (float64, bool)) (float64, bool) {
		is, ok := args[0](of)
		switch {
		case !ok:
			return 0, false
		case is != 0:
			return args[1](of)
		}
		return args[2](of)
	}
}

// over is a function of a list: of what of it has data.
func over(name string, args []node) node {
	return func(of func(string) (float64, bool)) (float64, bool) {
		var all Set
		for _, a := range args {
			if v, ok := a(of); ok {
				all.add(Set{1, v, v, v})
			}
		}
		switch name {
		case "MIN":
			return all.Min, all.Count > 0
		case "MAX":
			return all.Max, all.Count > 0
		case "AVG":
			return all.Sum / max(all.Count, 1), all.Count > 0
		}
		return all.Sum, all.Count > 0
	}
}
