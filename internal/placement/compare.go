package placement

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/inventory"
)

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
