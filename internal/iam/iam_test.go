package iam

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// one is a scope with one of each.
func one() Scope {
	return Scope{
		Partition: "aws", Region: "eu-west-1", Account: "111122223333", Clusters: []string{"prod"}, Groups: []string{"web-asg"},
		Queue: "arn:aws:sqs:eu-west-1:111122223333:ebb", Table: "arn:aws:dynamodb:eu-west-1:111122223333:table/ebb", LogGroup: "/aws/lambda/ebb",
	}
}

func statement(t *testing.T, d Document, sid string) Statement {
	t.Helper()
	for _, s := range d.Statement {
		if s.Sid == sid {
			return s
		}
	}
	t.Fatalf("no statement %s in %v", sid, d)
	return Statement{}
}

// TestActingHasAResource holds that nothing that acts is allowed on everything.
func TestActingHasAResource(t *testing.T) {
	acting := 0
	for _, m := range []Mode{Serve, Lambda, ReadOnly} {
		for _, s := range Policy(m, one()).Statement {
			reads := true
			for _, a := range s.Action {
				_, verb, _ := strings.Cut(a, ":")
				reads = reads && (strings.HasPrefix(verb, "Describe") || strings.HasPrefix(verb, "List") || strings.HasPrefix(verb, "Get") || verb == "Query")
			}
			if reads {
				continue
			}
			acting++
			if m == ReadOnly {
				t.Errorf("%s: %s acts: %v", m, s.Sid, s.Action)
			}
			for _, r := range s.Resource {
				if r == "*" || !strings.HasPrefix(r, "arn:aws:") {
					t.Errorf("%s: %s acts on %q", m, s.Sid, r)
				}
			}
		}
	}
	if acting != 8+9 {
		t.Errorf("%d statements act", acting)
	}
}

func TestScope(t *testing.T) {
	for _, c := range []struct {
		name, sid string
		mode      Mode
		change    func(*Scope)
		want      []string
	}{
		{"a cluster", "DrainHosts", Serve, nil, []string{"arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/*"}},
		{"two clusters", "DrainHosts", Serve, func(s *Scope) { s.Clusters = []string{"a", "b"} }, []string{
			"arn:aws:ecs:eu-west-1:111122223333:container-instance/a/*", "arn:aws:ecs:eu-west-1:111122223333:container-instance/b/*",
		}},
		{"any cluster", "LookAtClusters", Serve, func(s *Scope) { s.Clusters = nil }, []string{"arn:aws:ecs:eu-west-1:111122223333:cluster/*"}},
		{"a group", "AnswerHooks", Lambda, nil, []string{"arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:*:autoScalingGroupName/web-asg"}},
		{"any group", "AnswerHooks", Serve, func(s *Scope) { s.Groups = nil },
			[]string{"arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:*:autoScalingGroupName/*"}},
		{"China", "DeregisterTargets", Serve, func(s *Scope) { s.Partition, s.Region = "aws-cn", "cn-north-1" },
			[]string{"arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/*/*"}},
		{"a template", "Hear", Lambda, func(s *Scope) { s.Queue = "${Queue.Arn}" }, []string{"${Queue.Arn}"}},
		{"read-only looks at all queues", "LookAtQueues", ReadOnly, nil, []string{"arn:aws:sqs:eu-west-1:111122223333:*"}},
		{"logs", "WriteLogs", Lambda, nil, []string{"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/ebb:*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := one()
			if c.change != nil {
				c.change(&s)
			}
			if got := statement(t, Policy(c.mode, s), c.sid).Resource; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestWhatIsNotThere leaves out what the scope does not have.
func TestWhatIsNotThere(t *testing.T) {
	s := one()
	s.Table, s.LogGroup, s.Queue = "", "", ""
	for _, st := range Policy(Lambda, s).Statement {
		for _, a := range st.Action {
			if service, _, _ := strings.Cut(a, ":"); service == "dynamodb" || service == "logs" || service == "sqs" {
				t.Errorf("%s allows %s", st.Sid, a)
			}
		}
	}
}

// TestClustersAreListed holds who may list the clusters: who looks at them all, and the controller.
func TestClustersAreListed(t *testing.T) {
	for _, c := range []struct {
		mode     Mode
		clusters []string
		want     bool
	}{{ReadOnly, nil, true}, {ReadOnly, []string{"prod"}, false}, {Serve, nil, true}, {Serve, []string{"prod"}, true}} {
		s := one()
		s.Clusters = c.clusters
		if got := slices.Contains(statement(t, Policy(c.mode, s), "Look").Action, everyCluster); got != c.want {
			t.Errorf("%s of clusters %v: %t", c.mode, c.clusters, got)
		}
	}
}

func TestTag(t *testing.T) {
	s := one()
	s.Tag = Tag{"ebb", "yes"}
	b, err := json.Marshal(statement(t, Policy(Serve, s), "AnswerHooks"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Sid":"AnswerHooks","Effect":"Allow","Action":["autoscaling:CompleteLifecycleAction","autoscaling:RecordLifecycleActionHeartbeat",` +
		`"autoscaling:TerminateInstanceInAutoScalingGroup"],` +
		`"Resource":["arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:*:autoScalingGroupName/web-asg"],` +
		`"Condition":{"StringEquals":{"aws:ResourceTag/ebb":["yes"]}}}`
	if string(b) != want {
		t.Errorf("got %s", b)
	}
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]string{"agents": `no mode "agents"; the modes are serve, lambda, read-only and agent`, "": `no mode ""`,
		"Serve": `no mode "Serve"`} {
		if _, err := ParseMode(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if m, err := ParseMode("read-only"); m != ReadOnly || err != nil {
		t.Errorf("%q %v", m, err)
	}
}
