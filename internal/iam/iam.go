// Package iam writes the IAM policies that Ebb needs, from the calls that Ebb was seen to make.
//
// It never asks AWS anything, never allows an action that no recorded call needs, and never judges a policy: that is for the simulated
// cloud (package sim/wire), with which it shares no code.
package iam

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is what a policy is for.
type Mode string

// The modes.
const (
	Serve    Mode = "serve"     // ebb serve, in a container or on a machine
	Lambda   Mode = "lambda"    // ebb lambda: serve, fed by Lambda's own poller of the queue
	ReadOnly Mode = "read-only" // why, plan, doctor and status
	Agent    Mode = "agent"     // ebb-agent on the instances of the groups
)

// ParseMode reads a mode. The error names the modes there are.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case Serve, Lambda, ReadOnly, Agent:
		return m, nil
	}
	return "", fmt.Errorf("there is no mode %q; the modes are %s, %s, %s and %s", text, Serve, Lambda, ReadOnly, Agent)
}

// Scope is what a policy reaches. Each text goes into ARNs as it stands, so that a CloudFormation template can have placeholders for
// Fn::Sub in it: Region "${AWS::Region}", Queue "${Queue.Arn}". Names may be patterns with * and ?.
type Scope struct {
	Partition  string   // aws, aws-cn, aws-us-gov
	Region     string   // eu-west-1
	Account    string   // 111122223333
	Clusters   []string // names; none: every cluster of the account and Region
	Groups     []string // names of Auto Scaling groups; none: every group of the account and Region
	NoGroups   bool     // there is no group: no hook is answered, whatever Groups and Tag say
	Counts     []string // services whose desired counts are set, as CLUSTER/SERVICE; none: no service's are
	Rehearsals []string // names of clusters in which interruptions of tasks are rehearsed; none: in none
	Scales     bool     // services follow alarms, queues or metrics
	Backlogs   []string // ARNs of the queues that they follow
	Raises     bool     // the desired capacity of groups is raised for them
	Tag        Tag      // if it has a key, hooks are answered only for groups with this tag, besides what Groups says
	Queue      string   // ARN; empty: no queue
	Table      string   // ARN of the DynamoDB table of the journal; empty: the journal is elsewhere
	LogGroup   string   // name, of Lambda only; empty: no logs
	Notices    Notices  // of the modes that act
}

// Tag is a tag of an Auto Scaling group.
type Tag struct{ Key, Value string }

// Document is an IAM policy; its JSON is what IAM takes.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Document struct {
	Version   string
	Statement []Statement
}

// Statement allows actions on resources. Condition is operator, then key, then values.
type Statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// Policy is the policy of a mode within a scope: one statement for each kind of resource and use.
func Policy(m Mode, s Scope) Document {
	d := Document{Version: "2012-10-17", Statement: statements(m, s)}
	if s.Notices.Why {
		d.Statement = append(d.Statement, beyond(d.Statement, statements(ReadOnly, s))...)
	}
	return d
}

func statements(m Mode, s Scope) (all []Statement) {
	for _, k := range append(kinds(m, s), s.Notices.kinds()...) {
		there := slices.DeleteFunc(k.resources, func(arn string) bool { return arn == "" }) // not a queue or table that Ebb does not have
		st := Statement{Sid: k.sid, Effect: "Allow", Resource: there, Condition: k.condition}
		for _, c := range slices.Concat(calls(), unrecorded(), telling()) {
			unneeded := c.action == everyCluster && m == ReadOnly && len(s.Clusters) > 0 || !s.Scales && ofScaling(c.action) ||
				!s.Raises && c.action == setCapacity
			if c.on == k.on && c.acts == k.acts && slices.Contains(c.modes, m) && !unneeded && !slices.Contains(st.Action, c.action) {
				st.Action = append(st.Action, c.action)
			}
		}
		if len(st.Action) > 0 && len(st.Resource) > 0 {
			all = append(all, st)
		}
	}
	return all
}

// ofScaling reports whether an action is needed only where services follow their load.
func ofScaling(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return service == "cloudwatch" || service == "application-autoscaling"
}

// setCapacity is needed only where a group has capacity: raise.
const setCapacity = "autoscaling:SetDesiredCapacity"

// everyCluster is the action that looking does not need where the clusters are named. The controller always does: a host that is
// not in its cluster is let go only once it is in no other either.
const everyCluster = "ecs:ListClusters"

// arn spells ARNs of a service, one for each resource.
func (s Scope) arn(service, format string, names []string) []string {
	if len(names) == 0 {
		names = []string{"*"}
	}
	var all []string
	for _, n := range names {
		all = append(all, strings.Join([]string{"arn", s.Partition, service, s.Region, s.Account, fmt.Sprintf(format, n)}, ":"))
	}
	return all
}
