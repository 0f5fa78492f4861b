package wire

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// arnParts is how many parts an ARN has; the last may have colons of its own.
const arnParts = 6

// matches reports whether a statement speaks of an action, in small letters, on a resource. Every condition must hold; a key that the call does
// not have makes its condition false.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_multi-value-conditions.html
func (s statement) matches(action string, r core.Resource) bool {
	return slices.ContainsFunc(s.actions, func(p string) bool { return glob(p, action) }) &&
		slices.ContainsFunc(s.resources, func(p string) bool { return p == "*" || arnLike(p, r.ARN) }) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(r.Keys) })
}

func (c condition) holds(keys map[string]string) bool {
	have, ok := keys[c.key]
	return ok && slices.ContainsFunc(c.values, func(want string) bool {
		switch c.operator {
		case "StringEquals":
			return want == have
		case "StringLike":
			return glob(want, have)
		}
		return arnLike(want, have) // ArnEquals and ArnLike are the same
	})
}

// arnLike matches an ARN part by part, so that no * reaches over a colon but in the last part, which has colons of its own.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func arnLike(pattern, arn string) bool {
	for range arnParts - 1 {
		var want, have string
		var more, also bool
		want, pattern, more = strings.Cut(pattern, ":")
		have, arn, also = strings.Cut(arn, ":")
		if more != also || !glob(want, have) {
			return false
		}
		if !more {
			return true
		}
	}
	return glob(pattern, arn)
}

// glob matches * with anything and ? with one character; all others stand for themselves.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0 // the last * and how much of the text it has taken
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Allows reports whether a policy alone would let an earlier check pass. The check's resource stands for itself, its stars too, and it has no tags.
func (p *Policy) Allows(c Check) bool {
	r := core.Resource{Kind: c.Kind, ARN: c.Resource, Keys: map[string]string{}}
	if c.Cluster != "" {
		r.Keys[clusterKey] = c.Cluster
	}
	_, effect := decide([]*Policy{p}, c.Action, r)
	return effect == allow
}
