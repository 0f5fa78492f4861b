package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// found are the findings of one check in an account that was changed.
func found(base func() *Input, check string, change func(in *Input, c *inventory.Cluster, g *inventory.Group)) (found []Finding) {
	in := base()
	change(in, in.Inventory.Clusters[0], in.Inventory.Groups[0])
	for _, f := range Examine(in) {
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// The bounds of the checks: what is just right is not complained of, and what is just wrong is.
func TestBounds(t *testing.T) {
	type part = func(in *Input, c *inventory.Cluster, g *inventory.Group)
	hook := func(heartbeat, global, deadline time.Duration) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks[0].Heartbeat, g.Hooks[0].Global, in.Ebb.Groups[0].Deadline = heartbeat, global, deadline
		}
	}
	foreign := func(heartbeat time.Duration) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			in.Ebb = nil
			g.Hooks[0].Name, g.Hooks[0].Heartbeat = "lambda", heartbeat
		}
	}
	queue := func(change func(q *inventory.Queue)) part {
		return func(in *Input, _ *inventory.Cluster, _ *inventory.Group) { change(&in.Inventory.Queues[0]) }
	}
	protected := func(on bool, until time.Time) part {
		return func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Tasks[1].Protected, c.Tasks[1].ProtectedUntil = on, until
		}
	}
	spot := func(delay time.Duration) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Spot, in.Inventory.TargetGroups[0].Delay = true, delay
		}
	}
	waiting := func(since time.Duration) part {
		return func(in *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Instances[2].State, g.Activities = fleet.TerminatingWait, []fleet.Activity{{Instance: "i-0c", Start: now.Add(-since)}}
		}
	}
	alone := func(do part) part { // without a configuration of Ebb
		return func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			do(in, c, g)
			in.Ebb = nil
		}
	}
	const need = 2 * time.Minute // of the drain of web: 30 s until its target is out, 30 s to stop, and a minute
	for _, x := range []struct {
		check  string
		what   string // found in the one finding, with its severity in front; empty: there is none
		change part
	}{
		{"hook-runs-out", "", hook(15*time.Minute, 25*time.Hour, 25*time.Hour)},
		{"hook-runs-out", "warn: before Ebb's deadline of 25h", hook(15*time.Minute, 25*time.Hour-1, 25*time.Hour)},
		{"hook-runs-out", "", hook(15*time.Minute, need, need)},
		{"hook-runs-out", "error: hook ebb-drain ends", hook(15*time.Minute, need-1, need)},
		{"hook-runs-out", "", foreign(need)},
		{"hook-runs-out", "warn: heartbeat timeout of 1m59", foreign(need - time.Second)},
		{"hook-runs-out", "", func(_ *Input, _ *inventory.Cluster, g *inventory.Group) {
			g.Hooks = append(g.Hooks, terminatingHook("logs")) // what it is for is not known, and Ebb drains
			g.Hooks[1].Heartbeat = time.Second
		}},
		{"deadline-short", "", hook(15*time.Minute, 25*time.Hour, need)},
		{"deadline-short", "warn: Ebb's deadline is", hook(15*time.Minute, 25*time.Hour, need-1)},
		{"hook-short", "", func(in *Input, _ *inventory.Cluster, g *inventory.Group) { in.Ebb.Shortest = g.Hooks[0].Heartbeat }},
		{"hook-short", "warn: needs", func(in *Input, _ *inventory.Cluster, g *inventory.Group) { in.Ebb.Shortest = g.Hooks[0].Heartbeat + 1 }},
		{"queue-settings", "", queue(func(q *inventory.Queue) { q.Retention = time.Hour })},
		{"queue-settings", "warn: only", queue(func(q *inventory.Queue) { q.Retention = time.Hour - 1 })},
		{"queue-settings", "", queue(func(q *inventory.Queue) { q.MaxReceives = 3 })},
		{"queue-settings", "warn: after 2 receives", queue(func(q *inventory.Queue) { q.MaxReceives = 2 })},
		{"task-protected", "", protected(true, now.Add(-time.Hour))},
		{"task-protected", "warn: although its protection ended 1h", protected(true, now.Add(-time.Hour-1))},
		{"task-protected", "", protected(true, now.Add(24*time.Hour))},
		{"task-protected", "warn: for another 24h", protected(true, now.Add(24*time.Hour+1))},
		{"task-protected", "", protected(true, time.Time{})},
		{"task-protected", "", protected(false, now.Add(48*time.Hour))},
		{"spot-delay", "", spot(2*time.Minute - 1)},
		{"spot-delay", "warn: is 2m", spot(2 * time.Minute)},
		{"waiting", "info: ", waiting(35 * time.Minute)},
		{"waiting", "error: ", waiting(35*time.Minute + 1)},
		{"waiting", "info: ", alone(waiting(65 * time.Minute))},
		{"waiting", "error: ", alone(waiting(65*time.Minute + 1))},
		{"hook-runs-out", "", alone(hook(15*time.Minute, 30*time.Minute, 0))},
		{"hook-runs-out", "warn: before Ebb's deadline of 30m", alone(hook(15*time.Minute, 30*time.Minute-1, 0))},
		{"deadline-short", "warn: the drain of service web takes", func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			api := *c.Service("web") // takes as long
			api.Name, in.Ebb.Groups[0].Deadline = "api", need-1
			c.Services = append(c.Services, &api)
			addTask(c, c.Hosts[1].ARN, "web:1", "service:api")
		}},
		{"never-joined", "", func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Hosts, in.Inventory.Instances[2].Launched = c.Hosts[:2], now.Add(-settled+1)
		}},
		{"never-joined", "warn: ", func(in *Input, c *inventory.Cluster, _ *inventory.Group) {
			c.Hosts, in.Inventory.Instances[2].Launched = c.Hosts[:2], now.Add(-settled)
		}},
		{"queue-gone", "error: the rule sends to queue " + queueARN + "-gone", func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
			in.Inventory.Rules = []inventory.Rule{{Name: "first"}, rule(terminateActions, true, queueARN, queueARN+"-gone")}
			in.Inventory.Queues = append(in.Inventory.Queues, inventory.Queue{ARN: queueARN + "-gone", Absent: true})
		}},
	} {
		all := found(clean, x.check, x.change)
		if x.what == "" {
			if len(all) > 0 {
				t.Errorf("%s: found %+v", x.check, all)
			}
			continue
		}
		severity, words, _ := strings.Cut(x.what, ": ")
		if len(all) != 1 || all[0].Severity.String() != severity || !strings.Contains(all[0].Finding, words) {
			t.Errorf("%s: found %+v, want %s", x.check, all, x.what)
		}
	}
}

func TestAMissingQueueIsMadeByItsName(t *testing.T) {
	all := found(clean, "queue-gone", func(in *Input, _ *inventory.Cluster, _ *inventory.Group) {
		in.Inventory.Queues[0].Absent = true
	})
	if len(all) != 2 {
		t.Fatalf("found %+v", all)
	}
	for _, f := range all {
		made := func(fix advice.Fix) bool {
			words := strings.Fields(fix.Line())
			i := slices.Index(words, "--queue-name")
			return slices.Contains(words, "create-queue") && i >= 0 && i+1 < len(words) && words[i+1] == "ebb"
		}
		if !slices.ContainsFunc(f.Fix, made) {
			t.Errorf("fix %+v", f.Fix)
		}
	}
}

// Queues count as listened to whoever sends to them, and each one counts.
func TestWhichQueuesAreListenedTo(t *testing.T) {
	in := clean()
	in.Ebb = nil
	for _, name := range []string{"hook", "rule", "other"} {
		in.Inventory.Queues = append(in.Inventory.Queues, inventory.Queue{URL: name, ARN: queueARN + name})
	}
	in.Inventory.Groups = append(in.Inventory.Groups, &inventory.Group{Hooks: []fleet.Hook{{}, {Target: queueARN + "hook"}}})
	in.Inventory.Rules = []inventory.Rule{{}, {Targets: []string{"arn", queueARN + "rule"}}}
	var urls []string
	for _, q := range in.listened() {
		urls = append(urls, q.URL)
	}
	if want := []string{queueURL, "hook", "rule"}; !slices.Equal(urls, want) {
		t.Errorf("got %v, want %v", urls, want)
	}
}

// Each target group is looked at once, whichever service and cluster use it.
func TestTargetGroupsOfAllServices(t *testing.T) {
	in := clean()
	s := in.Inventory
	for _, name := range []string{"api", "late"} {
		s.TargetGroups = append(s.TargetGroups, &inventory.TargetGroup{ARN: fleet.ARN(name), Name: name, DelayKnown: true})
	}
	lbs := []fleet.LoadBalancer{{TargetGroup: webTG}, {TargetGroup: "api"}, {TargetGroup: "unheard of"}}
	s.Clusters[0].Services = append(s.Clusters[0].Services, &inventory.Service{Service: fleet.Service{Name: "api", LoadBalancers: lbs}})
	s.Clusters = append(s.Clusters, &inventory.Cluster{Name: "test", Services: []*inventory.Service{
		{Service: fleet.Service{Name: "late", LoadBalancers: []fleet.LoadBalancer{{TargetGroup: "late"}}}},
	}})
	var names []string
	for _, g := range in.serving() {
		names = append(names, g.Name)
	}
	if want := []string{"web-tg", "api", "late"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestStandaloneTasksAreCounted(t *testing.T) {
	all := found(clean, "standalone-tasks", func(_ *Input, c *inventory.Cluster, _ *inventory.Group) {
		host := c.Hosts[0].ARN
		for _, started := range []time.Time{now.Add(-2 * time.Hour), now.Add(-3 * time.Hour), {}, now.Add(-time.Hour)} {
			addTask(c, host, "job:1", "family:job")
			c.Tasks[len(c.Tasks)-1].StartedAt = started
		}
		for _, change := range []func(k *inventory.Task){
			func(k *inventory.Task) { k.DesiredStatus = "STOPPED" }, func(k *inventory.Task) { k.StartedBy = "ecs-svc/123" },
			func(k *inventory.Task) { k.ContainerInstance = "" },
		} {
			addTask(c, host, "old:1", "family:old")
			change(c.Tasks[len(c.Tasks)-1])
		}
	})
	if want := "tasks on its hosts that belong to no service: 4 (job:1); the oldest runs for 3h"; len(all) != 1 || all[0].Finding != want {
		t.Errorf("found %+v, want %s", all, want)
	}
}

func TestSettingsOfTheAgentInUserData(t *testing.T) {
	const name = "ECS_ENABLE_SPOT_INSTANCE_DRAINING"
	for data, want := range map[string]string{
		"echo ECS_CLUSTER=prod >> /etc/ecs/ecs.config\necho " + name + "=true >> /etc/ecs/ecs.config": "true",
		"cat <<'EOT' > ecs.config\nECS_CLUSTER=prod\n" + name + "=false\nEOT":                         "false",
		"ECS_CLUSTER=prod\n  # " + name + "=true":                                                     "",
		"ECS_CLUSTER=prod\n" + name + "=":                                                             "",
		"ECS_CLUSTER=prod\n" + name + "=\"true\"":                                                     "true",
		"ECS_CLUSTER=prod\n" + name + "=false\n" + name + "=true":                                     "true",
		"ECS_CLUSTER=prod": "",
	} {
		if got, known := (&inventory.Group{UserData: data, UserDataKnown: true}).AgentSetting(name); got != want || !known {
			t.Errorf("%q: %q, known %t", data, got, known)
		}
	}
	for _, g := range []*inventory.Group{{UserData: "ECS_CLUSTER=prod"}, {UserData: name + "=true", UserDataKnown: true}} {
		if _, known := g.AgentSetting(name); known {
			t.Errorf("%+v counts as known", g)
		}
	}
}

func TestPatternsOfWhichAPartIsNotKnown(t *testing.T) {
	in := clean()
	g, h := in.Inventory.Groups[0], in.Inventory.Groups[0].Hooks[0]
	for pattern, want := range map[string]verdict{
		`{"aaa":["x"],"source":["aws.ec2"]}`:                   no,
		`{"aaa":["x"],"source":["aws.autoscaling"]}`:           maybe,
		`{"aaa":{"bbb":["x"]},"source":["aws.autoscaling"]}`:   maybe,
		`{"detail":{"NotificationMetadata":{"team":["web"]}}}`: maybe,
		`{"detail":["x"]}`: maybe,
		`{"account":["111122223333"],"source":["aws.ec2"],"region":["eu-west-1"]}`: no,
	} {
		if got := in.matches(rule(pattern, true), g, h); got != want {
			t.Errorf("%s: %d, want %d", pattern, got, want)
		}
	}
}
