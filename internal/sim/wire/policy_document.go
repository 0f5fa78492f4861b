package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Policy is an IAM policy document that has been read.
type Policy struct{ statements []statement }

// statement is one statement: the names of actions and keys in small letters, as IAM compares them.
type statement struct {
	name               string // its Sid, or its number
	effect             string
	actions, resources []string
	conditions         []condition
}

// condition is one operator on one key. Any of the values will do.
type condition struct {
	operator, key string
	values        []string
}

// The effects of a statement.
const (
	allow = "Allow"
	deny  = "Deny"
)

const clusterKey = "ecs:cluster"

// ParsePolicy reads an IAM policy document: Version 2012-10-17, and statements of Sid, Effect, Action, Resource and Condition with
// StringEquals, StringLike, ArnEquals and ArnLike on ecs:cluster and tags of resources. Whatever else a document has is an error: a policy that is
// half understood would allow too much or too little.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func ParsePolicy(text []byte) (*Policy, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var members map[string]json.RawMessage
	if err := d.Decode(&members); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read the policy: there is more after its end")
	}
	if err := onlyKnown("the policy", members, "Version", "Statement"); err != nil {
		return nil, err
	}
	if string(members["Version"]) != `"2012-10-17"` {
		return nil, fmt.Errorf(`the policy has Version %s; write "2012-10-17"`, or(string(members["Version"]), "missing"))
	}
	raw, err := listOf[map[string]json.RawMessage](members["Statement"])
	if err != nil || len(raw) == 0 {
		return nil, errors.New("the policy has no Statement; write a list of statements")
	}
	p := &Policy{}
	for i, r := range raw {
		s, err := parseStatement(i+1, r)
		if err != nil {
			return nil, err
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// onlyKnown refuses members that the simulated cloud does not understand.
func onlyKnown(what string, members map[string]json.RawMessage, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has %q, which the simulated cloud does not understand; it knows %s", what, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// listOf reads one or a list of something, which IAM takes for the same.
func listOf[T any](raw json.RawMessage) ([]T, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var many []T
	if json.Unmarshal(raw, &many) == nil {
		return many, nil
	}
	var one T
	err := json.Unmarshal(raw, &one)
	return []T{one}, err
}

func parseStatement(number int, members map[string]json.RawMessage) (statement, error) {
	s := statement{name: fmt.Sprint(number)}
	what := "statement " + s.name + " of the policy"
	if err := onlyKnown(what, members, "Sid", "Effect", "Action", "Resource", "Condition"); err != nil {
		return s, err
	}
	for member, into := range map[string]*string{"Sid": &s.name, "Effect": &s.effect} { //ebb:any-order each has its own place
		if raw, ok := members[member]; ok && json.Unmarshal(raw, into) != nil {
			return s, fmt.Errorf("%s has a %s that is no text", what, member)
		}
	}
	if s.effect != allow && s.effect != deny {
		return s, fmt.Errorf("%s has Effect %q; write Allow or Deny", what, s.effect)
	}
	var err error
	if s.actions, err = listOf[string](members["Action"]); err != nil || len(s.actions) == 0 {
		return s, fmt.Errorf("%s has no Action; write one like ecs:ListTasks, or a list", what)
	}
	for i, a := range s.actions {
		if service, name, ok := strings.Cut(a, ":"); a != "*" && (!ok || service == "" || name == "") {
			return s, fmt.Errorf("%s has the Action %q; write it like ecs:ListTasks", what, a)
		}
		s.actions[i] = strings.ToLower(a)
	}
	if s.resources, err = listOf[string](members["Resource"]); err != nil || len(s.resources) == 0 {
		return s, fmt.Errorf(`%s has no Resource; write an ARN, "*", or a list`, what)
	}
	for _, r := range s.resources {
		if err := checkARN(what, r); err != nil {
			return s, err
		}
	}
	s.conditions, err = parseConditions(what, members["Condition"])
	return s, err
}

// checkARN refuses what IAM would complete, or fill in.
func checkARN(what, r string) error {
	if strings.Contains(r, "${") {
		return fmt.Errorf("%s has %q: the simulated cloud knows no policy variables", what, r)
	}
	if r != "*" && (!strings.HasPrefix(r, "arn:") || len(strings.SplitN(r, ":", arnParts)) < arnParts) {
		return fmt.Errorf("%s has %q, which is no ARN of six parts; write it like arn:aws:ecs:eu-west-1:111122223333:cluster/prod", what, r)
	}
	return nil
}

func parseConditions(what string, raw json.RawMessage) ([]condition, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var operators map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &operators); err != nil {
		return nil, fmt.Errorf("%s has a Condition that is no operator with keys and values: %w", what, err)
	}
	known := []string{"StringEquals", "StringLike", "ArnEquals", "ArnLike"}
	var all []condition
	for _, operator := range slices.Sorted(maps.Keys(operators)) {
		if !slices.Contains(known, operator) {
			return nil, fmt.Errorf("%s has the operator %q, which the simulated cloud does not understand; it knows %s", what, operator, strings.Join(known, ", "))
		}
		for _, name := range slices.Sorted(maps.Keys(operators[operator])) {
			c := condition{operator: operator, key: strings.ToLower(name)}
			if c.key != clusterKey && !strings.HasPrefix(c.key, "aws:resourcetag/") && !strings.HasPrefix(c.key, "autoscaling:resourcetag/") {
				return nil, fmt.Errorf("%s has the key %q, which the simulated cloud does not know; "+
					"it knows ecs:cluster, aws:ResourceTag/KEY and autoscaling:ResourceTag/KEY",
					what, name)
			}
			var err error
			if c.values, err = listOf[string](operators[operator][name]); err != nil || len(c.values) == 0 {
				return nil, fmt.Errorf("%s has no text for the key %q", what, name)
			}
			for _, v := range c.values {
				if strings.HasPrefix(operator, "Arn") || strings.Contains(v, "${") {
					if err := checkARN(what, v); err != nil {
						return nil, err
					}
				}
			}
			all = append(all, c)
		}
	}
	return all, nil
}
