package iam_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ebbhq/ebb/internal/iam"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

var write = flag.Bool("write", false, "write calls.go anew from what is recorded")

// seen is what a run was checked for under its policy, and beyond that.
type seen struct {
	run
	checks map[wire.Check]int
}

// modes are all modes, in the order of calls.go.
var modes = []iam.Mode{iam.ReadOnly, iam.Serve, iam.Lambda, iam.Agent}

// beyond is the statement that allows, and so records, what the policy does not.
const beyond = "Beyond"

// needed is the file with the names of the runs that show all that the policies are made of. The tests of story see that no other story
// or seed makes a call that these do not.
const needed = "testdata/runs.txt"

// record does what Ebb does, once for all tests: what it looks at, and of the stories and seeds those that are needed, or all with -write.
var record = sync.OnceValue(func() func(*testing.T) []seen {
	var all []seen
	return func(t *testing.T) []seen {
		t.Helper()
		if all != nil {
			return all
		}
		wide, err := wire.ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":{"Sid":"` + beyond + `","Effect":"Allow","Action":"*","Resource":"*"}}`))
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(needed)
		if err != nil && !*write {
			t.Fatal(err)
		}
		names := strings.Split(strings.TrimSpace(string(file)), "\n")
		runs := serving(t)
		if !*write {
			runs = slices.DeleteFunc(runs, func(r run) bool { return !slices.Contains(names, r.name) })
			if len(runs) != len(names) {
				t.Errorf("%d of the %d runs of %s are there: run make iam", len(runs), len(names), needed)
			}
		}
		for _, r := range append(runs, looking(t)...) {
			all = append(all, seen{r, r.do(t, parsed(t, iam.Policy(r.mode, r.scope)), wide)})
		}
		return all
	}
})

// writeNeeded writes which runs are needed: for each use and each row of calls.go the smallest.
func writeNeeded(t *testing.T, all []seen) {
	t.Helper()
	names := map[string]bool{}
	for _, s := range smallest(all, func(s seen, c wire.Check) use { return use{s.mode, c.Statement, c.Action} }) {
		names[s.name] = s.mode == iam.Serve || s.mode == iam.Lambda
	}
	for _, s := range smallest(all, func(s seen, c wire.Check) use { return use{s.mode, on(c, s.scope), c.Action} }) {
		names[s.name] = s.mode == iam.Serve || s.mode == iam.Lambda
	}
	maps.DeleteFunc(names, func(_ string, serves bool) bool { return !serves })
	if err := os.WriteFile(needed, []byte(strings.Join(slices.Sorted(maps.Keys(names)), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNoCallIsDenied holds that the policies are enough.
func TestNoCallIsDenied(t *testing.T) {
	for _, s := range record()(t) {
		for c := range s.checks {
			if c.Statement == beyond {
				t.Errorf("%s, %s: %s on %s in %q is not allowed", s.mode, s.name, c.Action, c.Resource, c.Cluster)
			}
		}
	}
}

// use is one action of one statement of the policy of a mode, or of one kind of resource.
type use struct {
	mode        iam.Mode
	sid, action string
}

// smallest finds for each use the run with the fewest checks that needed it.
func smallest(all []seen, of func(seen, wire.Check) use) map[use]seen {
	best := map[use]seen{}
	for _, s := range all {
		for c := range s.checks {
			u := of(s, c)
			if old, ok := best[u]; !ok || len(s.checks) < len(old.checks) {
				best[u] = s
			}
		}
	}
	return best
}

// recordable reports whether a run can show an action. The simulated cloud has no DynamoDB, logs and Route 53, and which of Lambda's own pollers asks for
// the queue's attributes, and when, AWS does not say.
func recordable(m iam.Mode, action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return !slices.Contains([]string{"dynamodb", "logs", "route53"}, service) && (m != iam.Lambda || action != "sqs:GetQueueAttributes")
}

// TestEveryActionIsNeeded holds that the policies are not too much: each action of each statement was used, and without it some call is denied.
func TestEveryActionIsNeeded(t *testing.T) {
	shown, tried := smallest(record()(t), func(s seen, c wire.Check) use { return use{s.mode, c.Statement, c.Action} }), 0
	for _, m := range modes {
		for _, s := range iam.Policy(m, whole()).Statement {
			for _, action := range s.Action {
				r, ok := shown[use{m, s.Sid, action}]
				if !ok {
					continue // in the policy of a narrower scope alone: see below
				}
				tried++
				without := iam.Policy(m, r.scope)
				for i := range without.Statement {
					if without.Statement[i].Sid == s.Sid {
						without.Statement[i].Action = slices.DeleteFunc(without.Statement[i].Action, func(a string) bool { return a == action })
					}
				}
				without.Statement = slices.DeleteFunc(without.Statement, func(s iam.Statement) bool { return len(s.Action) == 0 })
				denied := false
				for c := range r.do(t, parsed(t, without)) {
					denied = denied || c.Action == action && !c.Allowed
				}
				if !denied {
					t.Errorf("%s: without %s of %s nothing is denied in %s", m, action, s.Sid, r.name)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d actions were taken away", tried)
	}
	for _, scope := range []iam.Scope{whole(), named()} {
		for _, m := range modes {
			for _, s := range iam.Policy(m, scope).Statement {
				for _, action := range s.Action {
					if _, ok := shown[use{m, s.Sid, action}]; !ok && recordable(m, action) {
						t.Errorf("%s: %s of %s was never needed", m, action, s.Sid)
					}
				}
			}
		}
	}
}

// elsewhere lets a scope have another queue, and follow no others.
func elsewhere(s *iam.Scope, queue string) { s.Queue, s.Backlogs = queue, nil }

func named() iam.Scope {
	s := whole()
	s.Clusters, s.Groups = []string{"prod"}, []string{"web-0"}
	return s
}

// TestNothingElseIsAllowed holds that what was done would be refused elsewhere.
func TestNothingElseIsAllowed(t *testing.T) {
	acting := []iam.Mode{iam.Serve, iam.Lambda, iam.Agent}
	for _, c := range []struct {
		name   string
		modes  []iam.Mode
		kinds  string // that must be refused
		change func(*iam.Scope)
	}{
		{"another account", modes, "all", func(s *iam.Scope) {
			s.Account = "444455556666"
			elsewhere(s, "arn:aws:sqs:eu-west-1:444455556666:ebb")
		}},
		{"another Region", modes, "all", func(s *iam.Scope) {
			s.Region = "eu-west-2"
			elsewhere(s, "arn:aws:sqs:eu-west-2:111122223333:ebb")
		}},
		{"another group", acting, "autoScalingGroup", func(s *iam.Scope) { s.Groups = []string{"elsewhere"} }},
		{"another cluster", modes, "cluster * container-instance task service", func(s *iam.Scope) {
			s.Clusters, s.Counts = []string{"elsewhere"}, []string{"elsewhere/*"}
		}},
		{"another queue", acting, "queue", func(s *iam.Scope) { elsewhere(s, "arn:aws:sqs:eu-west-1:111122223333:other") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused := map[string]int{}
			for _, s := range record()(t) {
				if !slices.Contains(c.modes, s.mode) {
					continue
				}
				scope := s.scope
				c.change(&scope)
				p := parsed(t, iam.Policy(s.mode, scope))
				for check := range s.checks {
					nowhere := check.Resource == "*" && check.Cluster == "" || c.kinds != "all" && strings.HasPrefix(check.Action, "servicediscovery:")
					if nowhere || c.kinds != "all" && !slices.Contains(strings.Fields(c.kinds), check.Kind) || c.name == "another cluster" &&
						s.mode != iam.ReadOnly && findsHosts(check.Action) {
						continue
					}
					if refused[check.Kind]++; p.Allows(check) {
						t.Errorf("%s, %s: %s on %s in %q is allowed", s.mode, s.name, check.Action, check.Resource, check.Cluster)
					}
				}
			}
			for kind := range strings.FieldsSeq(c.kinds) {
				if kind != "all" && refused[kind] == 0 || len(refused) == 0 {
					t.Errorf("no call on %s was tried: %v", kind, refused)
				}
			}
		})
	}
}

// findsHosts reports whether an action looks for hosts in every cluster.
func findsHosts(action string) bool {
	return action == "ecs:ListContainerInstances" || action == "ecs:DescribeContainerInstances"
}

// TestWithoutGroups: an Ebb that looks after tasks on Fargate Spot only has all that it needs, and may answer no hook.
func TestWithoutGroups(t *testing.T) {
	b, err := os.ReadFile("../sim/story/testdata/stories/three-of-ten-fargate-spot-tasks-leave-their-target-groups-first.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range []bool{false, true} {
		s, err := story.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		s.Ebb.Function = function
		r := telling("tasks on Fargate Spot", s)
		policy := iam.Policy(r.mode, r.scope)
		if text := fmt.Sprint(policy); strings.Contains(text, "autoScalingGroup") || strings.Contains(text, "CompleteLifecycleAction") {
			t.Errorf("%s: the policy reaches groups: %s", r.mode, text)
		}
		used := map[string]bool{}
		for c := range r.do(t, parsed(t, policy)) {
			if used[c.Action] = true; !c.Allowed {
				t.Errorf("%s: %s on %s in %q is not allowed", r.mode, c.Action, c.Resource, c.Cluster)
			}
		}
		for _, action := range []string{
			"ecs:DescribeTasks", "ecs:DescribeServices", "ecs:ListTasks", "elasticloadbalancing:DescribeTargetHealth",
			"elasticloadbalancing:DeregisterTargets",
		} {
			if !used[action] {
				t.Errorf("%s: %s was not tried", r.mode, action)
			}
		}
	}
}

// TestATagIsAsked tells a story with a policy for groups with a tag, with and without that tag.
func TestATagIsAsked(t *testing.T) {
	b, err := os.ReadFile("../sim/story/testdata/stories/a-drain-ends-when-every-task-has-stopped.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := story.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"yes": true, "no": false} {
		s.World.Groups[0].Tags = map[string]string{"ebb": value}
		r := telling("tagged "+value, s)
		r.scope.Tag = iam.Tag{Key: "ebb", Value: "yes"}
		denied := map[string]bool{}
		for c := range r.do(t, parsed(t, iam.Policy(iam.Serve, r.scope))) {
			denied[c.Action] = denied[c.Action] || !c.Allowed
		}
		for action, no := range denied {
			hook := action == "autoscaling:CompleteLifecycleAction" || action == "autoscaling:RecordLifecycleActionHeartbeat"
			if no == (want || !hook) {
				t.Errorf("tag %s: %s denied: %t", value, action, no)
			}
		}
		if _, ok := denied["autoscaling:CompleteLifecycleAction"]; !ok {
			t.Errorf("tag %s: no hook was answered", value)
		}
	}
}

// TestCalls holds calls.go to what is recorded. make iam writes it.
func TestCalls(t *testing.T) {
	ons := map[iam.Mode]map[string]map[string]bool{} // by action
	for _, m := range modes {
		ons[m] = map[string]map[string]bool{}
	}
	for _, s := range record()(t) {
		for c := range s.checks {
			of := ons[s.mode]
			if of[c.Action] == nil {
				of[c.Action] = map[string]bool{}
			}
			of[c.Action][on(c, s.scope)] = true
		}
	}
	names := map[iam.Mode]string{iam.ReadOnly: "ReadOnly", iam.Serve: "Serve", iam.Lambda: "Lambda", iam.Agent: "Agent"}
	rows := map[string][]string{} // the modes of a row
	for _, m := range modes {
		for action, kinds := range ons[m] {
			row := fmt.Sprintf("{%q, %q, %t", action, widest(kinds), acts(action))
			rows[row] = append(rows[row], names[m])
		}
	}
	var b bytes.Buffer
	b.WriteString("// Code generated by make iam from the calls of simulated runs; DO NOT EDIT.\n\npackage iam\n\n" +
		"// calls are the actions that Ebb was seen to need, by the record of the simulated cloud.\nfunc calls() []call {\n\treturn []call{\n")
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "\t\t%s, []Mode{%s}},\n", row, strings.Join(rows[row], ", "))
	}
	b.WriteString("\t}\n}\n")
	if *write {
		writeNeeded(t, record()(t))
		if err := os.WriteFile("calls.go", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("calls.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("calls.go is not what was recorded; if Ebb is to make other calls, run make iam and read what changes. Recorded:\n%s", b.Bytes())
	}
}

// on is what a call was checked against, as kinds.go names it: "any" where it reached out of the scope.
func on(c wire.Check, s iam.Scope) string {
	switch service, _, _ := strings.Cut(c.Action, ":"); {
	case c.Kind == "*" && c.Cluster != "":
		return "* in cluster"
	case service == "servicediscovery":
		return c.Kind + " of Cloud Map"
	case service == "vpc-lattice":
		return c.Kind + " of VPC Lattice"
	}
	cluster := c.Cluster
	if c.Kind == "cluster" {
		cluster = c.Resource
	}
	if cluster != "" && len(s.Clusters) > 0 && !slices.Contains(s.Clusters, cluster[strings.LastIndexByte(cluster, '/')+1:]) {
		return "any " + c.Kind
	}
	return c.Kind
}

// widest is the kind that covers the others: a list of a cluster's tasks one of a host's, and any cluster the one.
func widest(kinds map[string]bool) string {
	all := slices.Sorted(maps.Keys(kinds))
	for _, k := range all {
		if k == "* in cluster" || strings.HasPrefix(k, "any ") {
			return k
		}
	}
	return strings.Join(all, " and ")
}

// acts reports whether an action is more than a look.
func acts(action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	return !strings.HasPrefix(verb, "Describe") && !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Get")
}

// TestWhoTellsWhatKeepsADrainMayLook holds that the policy of a controller that people are told by allows what ebb why looks at.
func TestWhoTellsWhatKeepsADrainMayLook(t *testing.T) {
	looks := 0
	for _, s := range record()(t) {
		if s.mode != iam.ReadOnly {
			continue
		}
		for _, m := range []iam.Mode{iam.Serve, iam.Lambda} {
			scope := s.scope
			scope.Notices.Why = true
			p := parsed(t, iam.Policy(m, scope))
			for c := range s.checks {
				if looks++; !p.Allows(c) {
					t.Errorf("%s, %s: %s on %s in %q is not allowed", m, s.name, c.Action, c.Resource, c.Cluster)
				}
			}
		}
	}
	if looks < 100 {
		t.Errorf("only %d looks were tried", looks)
	}
}
