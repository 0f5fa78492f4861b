package iam

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestNotices: each thing that people are told by has its statement, and nothing else is allowed.
func TestNotices(t *testing.T) {
	const topic, bus = "arn:aws:sns:eu-west-1:111122223333:ops", "arn:aws:events:eu-west-1:111122223333:event-bus/ops"
	const parameter, secret = "arn:aws:ssm:eu-west-1:111122223333:parameter/ebb", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ebb-??????"
	const key = "arn:aws:kms:eu-west-1:111122223333:key/k"
	for _, c := range []struct {
		name string
		n    Notices
		want string // what is allowed beyond the policy without notices
	}{
		{"nobody", Notices{}, ""},
		{"a topic", Notices{Topics: []string{topic}}, "Publish [sns:Publish] [" + topic + "]"},
		{"an encrypted topic", Notices{Topics: []string{topic}, TopicKeys: []string{key}},
			"Publish [sns:Publish] [" + topic + "] EncryptNotices [kms:Decrypt kms:GenerateDataKey] [" + key + "]"},
		{"a bus", Notices{Buses: []string{bus}}, "PutEvents [events:PutEvents] [" + bus + "]"},
		{"a parameter", Notices{Parameters: []string{parameter}}, "ReadParameters [ssm:GetParameter] [" + parameter + "]"},
		{"secrets with a key", Notices{Parameters: []string{parameter}, Secrets: []string{secret}, SecretKeys: []string{key}},
			"ReadParameters [ssm:GetParameter] [" + parameter + "] ReadSecrets [secretsmanager:GetSecretValue] [" + secret +
				"] DecryptSecrets [kms:Decrypt] [" + key + "]"},
	} {
		for _, m := range []Mode{Serve, Lambda, ReadOnly} {
			s := one()
			plain := Policy(m, s).Statement
			s.Notices = c.n
			var more []string
			all := Policy(m, s).Statement
			for i, st := range all {
				if i >= len(plain) {
					more = append(more, fmt.Sprint(st.Sid, " ", st.Action, " ", st.Resource))
				} else if !reflect.DeepEqual(st, plain[i]) {
					t.Errorf("%s, %s: %s has changed", c.name, m, st.Sid)
				}
			}
			if want := map[bool]string{true: c.want}[m != ReadOnly]; strings.Join(more, " ") != want {
				t.Errorf("%s, %s: allows %s, want %s", c.name, m, strings.Join(more, " "), want)
			}
		}
	}
}

// TestWhySaysNothingTwice: what the controller may do already is not said again, and every Sid is its own.
func TestWhySaysNothingTwice(t *testing.T) {
	for _, m := range []Mode{Serve, Lambda, ReadOnly} {
		s := one()
		without := len(Policy(m, s).Statement)
		s.Notices.Why = true
		all := Policy(m, s).Statement
		sids := map[string]bool{}
		for i, st := range all {
			if sids[st.Sid] || strings.HasPrefix(st.Sid, "Why") != (i >= without) {
				t.Errorf("%s: the statement %s", m, st.Sid)
			}
			sids[st.Sid] = true
			for _, o := range all[:i] {
				for _, a := range st.Action {
					if slices.Contains(o.Action, a) && reflect.DeepEqual(o.Resource, st.Resource) && reflect.DeepEqual(o.Condition, st.Condition) {
						t.Errorf("%s: %s allows %s, and %s too", m, st.Sid, a, o.Sid)
					}
				}
			}
		}
		if m != ReadOnly == (len(all) == without) {
			t.Errorf("%s: %d statements, %d without", m, len(all), without)
		}
	}
}

// TestCovers: a statement covers another if every resource is in it, under the same condition.
func TestCovers(t *testing.T) {
	where := map[string]map[string][]string{"ArnLike": {"ecs:cluster": {"c"}}}
	for _, c := range []struct {
		have, other Statement
		want        bool
	}{
		{Statement{Resource: []string{"arn:a"}}, Statement{Resource: []string{"arn:a"}}, true},
		{Statement{Resource: []string{"arn:a"}}, Statement{Resource: []string{"arn:a", "arn:b"}}, false},
		{Statement{Resource: []string{"arn:a"}}, Statement{Resource: []string{"arn:ab"}}, false},
		{Statement{Resource: []string{"arn:a*", "arn:b"}}, Statement{Resource: []string{"arn:b", "arn:ab/*"}}, true},
		{Statement{Resource: []string{"arn:a/b"}}, Statement{Resource: []string{"arn:a/*"}}, false},
		{Statement{Resource: []string{"*"}, Condition: where}, Statement{Resource: []string{"*"}}, false},
		{Statement{Resource: []string{"*"}, Condition: where}, Statement{Resource: []string{"*"}, Condition: where}, true},
	} {
		if got := c.have.covers(c.other); got != c.want {
			t.Errorf("%v covers %v: %t", c.have, c.other, got)
		}
	}
}
