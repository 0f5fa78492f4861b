package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

func taskNo(i int) fleet.ARN {
	return fleet.ARN(fmt.Sprintf("arn:aws:ecs:eu-west-1:111122223333:task/prod/%032x", i))
}

func spotNotice(i int) Heard {
	return Heard{Message: event.Message{ID: fmt.Sprintf("t-%d", i), Sent: t0, Receives: 1}, Event: event.Event{
		Kind: event.TaskStops, Task: taskNo(i), Cluster: "prod", Service: "web", Time: t0,
	}}
}

// spotCloud answers looks at tasks on Fargate Spot that all stop, each behind one of some target groups; what was deregistered drains.
type spotCloud struct {
	groups int
	out    map[plan.Subject]bool
	calls  map[string]int
	fail   *plan.Failure // of each deregistration
	stop   []fleet.ARN   // that a list of those that stop has
	change func(*fleet.Task)

	most, perSecond float64 // deregistrations that Elastic Load Balancing takes at once, and each second; 0: any number
	have            float64 // of them are left
	at              time.Time
	step            time.Duration // between passes; 0: 10 ms
	stopped         func()

	balanced []fleet.TargetGroup // of the Region
	read     int                 // how many of them were read as a whole

	tasks            int           // that leave, where the next is measured
	own, ownUntilOut time.Duration // real time that the kernel took, in all and until all targets were out
}

// throttles reports whether there is no call left.
func (c *spotCloud) throttles(now time.Time) bool {
	if c.most == 0 {
		return false
	}
	if c.at.IsZero() {
		c.at, c.have = now, c.most
	}
	c.have, c.at = min(c.most, c.have+now.Sub(c.at).Seconds()*c.perSecond), now
	if c.have < 1 {
		return true
	}
	c.have--
	return false
}

func (c *spotCloud) answer(o plan.Request, now time.Time) plan.Done {
	d := plan.Done{Request: o}
	d.Result.Calls, d.Outcome.Calls = 1, 1
	if a := o.Action; a != nil {
		c.calls[a.Kind.String()]++
		if d.Outcome.Err = c.fail; c.throttles(now) {
			d.Outcome.Err = &plan.Failure{Class: plan.Throttled, Message: "Rate exceeded"}
			return d
		}
		if a.Stop != nil {
			c.stopped()
			return d
		}
		for _, t := range a.Targets.Targets {
			c.out[plan.Subject{Kind: plan.Targets, In: string(a.Targets.Group), ID: t.ID, Port: t.Port}] = true
		}
		return d
	}
	c.calls[o.Look.Kind.String()]++
	v := &d.Result.View
	if o.Look.Kind == plan.TargetGroups {
		v.TargetGroups = c.balanced
	}
	for _, arn := range c.stop {
		if o.Look.Kind == plan.Stopping {
			v.Listed = append(v.Listed, plan.Listed{Task: arn})
		}
	}
	for _, s := range o.Look.Subjects {
		switch s.Kind {
		case plan.Tasks:
			var n int
			_, _ = fmt.Sscanf(fleet.ARN(s.ID).Name(), "%x", &n)
			v.Tasks = append(v.Tasks, fleet.Task{
				ARN: fleet.ARN(s.ID), Cluster: "prod", Group: fmt.Sprintf("service:web-%d", n%c.groups), LastStatus: "RUNNING",
				DesiredStatus: "STOPPED", Addresses: []fleet.Address{{Container: "app", IP: fmt.Sprintf("10.0.%d.%d", n/256, n%256)}},
			})
			if c.change != nil {
				c.change(&v.Tasks[len(v.Tasks)-1])
			}
		case plan.VPCs:
			v.VPCs = append(v.VPCs, plan.SubnetIn{Subnet: s.ID, VPC: "vpc-1"})
		case plan.Registered:
			c.read++
		case plan.Services:
			v.Services = append(v.Services, fleet.Service{Name: s.ID, Cluster: "prod", LoadBalancers: []fleet.LoadBalancer{
				{TargetGroup: fleet.ARN("arn:tg/" + s.ID), Container: "app", ContainerPort: 8080}}})
		case plan.Targets:
			h := fleet.Health{TargetGroup: fleet.ARN(s.In), Target: fleet.TargetID{ID: s.ID, Port: s.Port}, State: "healthy"}
			if c.out[s] {
				h.State = "draining"
			}
			v.Health = append(v.Health, h)
		}
	}
	return d
}

// takeOut runs the kernel until no drain is open, each call taking 50 ms, and returns how long after the notice each deregistration was accepted.
func takeOut(t testing.TB, k *Kernel, c *spotCloud) (accepted []time.Duration) {
	t.Helper()
	type flight struct {
		at   time.Time
		done plan.Done
	}
	var under []flight
	left := map[string]bool{}
	for now := t0; now.Before(t0.Add(3 * time.Minute)); now = now.Add(max(c.step, 10*time.Millisecond)) {
		for len(under) > 0 && !under[0].at.After(now) {
			done := under[0].done
			under = under[1:]
			if a := done.Request.Action; a != nil && done.Outcome.Err == nil {
				for _, target := range a.Targets.Targets {
					if id := target.ID + string(a.Targets.Group); !left[id] {
						left[id] = true
						accepted = append(accepted, now.Sub(t0))
					}
				}
			}
			began := time.Now()
			k.Did(done, now)
			c.own += time.Since(began)
		}
		began := time.Now()
		o := k.Next(now)
		if c.own += time.Since(began); len(accepted) < c.tasks {
			c.ownUntilOut = c.own
		}
		for _, order := range o.Do {
			done := c.answer(order, now)
			done.Started = now
			under = append(under, flight{now.Add(50 * time.Millisecond), done})
		}
		if k.Open() == 0 {
			break
		}
	}
	slices.Sort(accepted)
	return accepted
}

func spotKernel(t testing.TB) *Kernel {
	return newKernel(t, Config{Groups: []Managed{{Cluster: "prod"}}})
}

// In virtual time with calls of 50 ms: at most 3 calls before the targets are out; a thousand tasks at once within two seconds; and few calls. Of a
// notice that is alone, Ebb itself takes less than 50 ms of real time until then.
func TestTasksOnFargateSpotAreOutInTime(t *testing.T) {
	for _, x := range []struct {
		tasks, groups int
		p99           time.Duration
		calls         float64 // for each task
	}{{1, 1, 500 * time.Millisecond, 6}, {20, 2, time.Second, 1}, {1000, 1, 2 * time.Second, 0.1}, {1000, 20, 2 * time.Second, 0.1}} {
		k, c := spotKernel(t), &spotCloud{tasks: x.tasks, groups: x.groups, out: map[plan.Subject]bool{}, calls: map[string]int{}}
		began := time.Now()
		for i := range x.tasks {
			h := spotNotice(i)
			h.Event.Service = fmt.Sprintf("web-%d", i%x.groups)
			k.Hear(h, t0)
		}
		c.own = time.Since(began)
		accepted := takeOut(t, k, c)
		n := 0
		for _, calls := range c.calls {
			n += calls
		}
		if len(accepted) != x.tasks || k.Counts["ended drained"] != x.tasks {
			t.Fatalf("%d tasks: %d were out, ended %v, calls %v", x.tasks, len(accepted), k.Counts, c.calls)
		}
		p99, each := accepted[len(accepted)*99/100], float64(n)/float64(x.tasks)
		t.Logf("%d tasks in %d target groups: accepted after p50 %s, p99 %s, of which Ebb itself took %s for all of them; %.2f calls each: %v",
			x.tasks, x.groups, accepted[len(accepted)/2], p99, c.ownUntilOut, each, c.calls)
		if x.tasks == 1 && c.ownUntilOut > 50*time.Millisecond {
			t.Errorf("Ebb itself took %s until the targets of one task were out", c.ownUntilOut)
		}
		if p99 > x.p99 || each > x.calls {
			t.Errorf("%d tasks in %d groups: p99 %s, %.2f calls each; want at most %s and %.2f", x.tasks, x.groups, p99, each, x.p99, x.calls)
		}
	}
}

// A call that names the targets of several tasks fails for each of them, and is made again.
func TestADeregistrationOfManyThatFails(t *testing.T) {
	k, c := spotKernel(t), &spotCloud{groups: 1, out: map[plan.Subject]bool{}, calls: map[string]int{}}
	c.fail = &plan.Failure{Class: plan.Throttled, Message: "Rate exceeded"}
	for i := range 3 {
		k.Hear(spotNotice(i), t0)
	}
	for now := t0; now.Before(t0.Add(time.Second)); now = now.Add(100 * time.Millisecond) {
		for _, order := range k.Next(now).Do {
			d := c.answer(order, now)
			d.Started = now
			clear(c.out)
			k.Did(d, now)
		}
	}
	for _, e := range k.sorted {
		if e.tried[plan.Deregister].Fails == 0 || e.tried[plan.Deregister].Flying {
			t.Errorf("%s: %+v", e.d.Key, e.tried[plan.Deregister])
		}
	}
	c.fail = nil
	if got := takeOut(t, k, c); len(got) != 3 {
		t.Errorf("%d were out", len(got))
	}
}

func TestWhatBecomesOfANoticeOfATask(t *testing.T) {
	key := "task/prod/" + taskNo(1).Name() + "/t20261121T090000"
	ended := journal.Record{Key: key, Scope: "cluster/prod", Rev: 3,
		Body: []byte(`{"kind":"task","key":"` + key + `","task":"` + string(taskNo(1)) + `","cluster":"prod"}`)}
	for name, x := range map[string]struct {
		given   func(*Kernel)
		cfg     Config
		ended   []journal.Record
		notice  func(*Heard)
		ack     bool
		open    int
		why     string
		counted string
	}{
		"it begins":                   {ack: true, open: 1},
		"its group names the cluster": {cfg: Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, ack: true, open: 1},
		"another cluster": {notice: func(h *Heard) { h.Event.Cluster = "dev" },
			ack: true, why: "cluster dev is not managed here", counted: "foreign"},
		"another cluster, left": {cfg: Config{LeaveForeign: true}, notice: func(h *Heard) { h.Event.Cluster = "dev" },
			why: "cluster dev is not managed here"},
		"no cluster at all": {notice: func(h *Heard) { h.Event.Cluster = "" }, ack: true, why: "cluster  is not managed here"},
		"a second one": {given: func(k *Kernel) { k.Hear(spotNotice(1), t0) },
			ack: true, open: 1, why: "its targets are being taken out already", counted: "duplicate"},
		"it has ended": {ended: []journal.Record{ended}, ack: true, why: "drain " + key + " has ended", counted: "late"},
		"it leaves with its host": {given: func(k *Kernel) { k.ownerOf[taskNo(1)] = fleet.HostTarget("i-1") },
			ack: true, why: "it leaves with its host"},
		"a newer Ebb's": {given: func(k *Kernel) { k.newer["task/prod/"+taskNo(1).Name()] = &UnknownRecord{} },
			ack: true, why: "only a newer version of Ebb", counted: "left alone"},
		"the journal refuses it": {given: func(k *Kernel) { k.aside["task/prod/"+taskNo(1).Name()] = true },
			why: "the journal takes no record"},
		"it is old":       {notice: func(h *Heard) { h.Event.Time = t0.Add(-11 * time.Minute) }, ack: true, why: "older than 10m", counted: "late"},
		"from the future": {notice: func(h *Heard) { h.Event.Time = t0.Add(time.Hour) }, ack: true, open: 1},
		"another Ebb works for it": {cfg: Config{Held: map[string]journal.Lease{"cluster/x": {}}},
			ack: true, why: "noted for the Ebb that works for cluster/prod", counted: "noted"},
		"another Ebb works for it too": {cfg: Config{Held: map[string]journal.Lease{"cluster/prod": {}}}, ack: true, open: 1},
	} {
		if x.cfg.Groups == nil {
			x.cfg.Groups = []Managed{{Cluster: "prod"}}
		}
		x.cfg.Hook = "ebb-drain"
		k, err := New(x.cfg, nil, x.ended)
		if err != nil {
			t.Fatal(err)
		}
		silent(k)
		if x.given != nil {
			x.given(k)
			k.Next(t0)
		}
		h := spotNotice(1)
		if x.notice != nil {
			x.notice(&h)
		}
		v := verdict(t, k, h, t0)
		if v.Delete != x.ack || !strings.Contains(v.Why, x.why) || k.Open() != x.open || x.counted != "" && k.Counts[x.counted] != 1 {
			t.Errorf("%s: %+v, %d open, counted %v", name, v, k.Open(), k.Counts)
		}
		if x.open == 1 && (v.Drain != k.sorted[0].d.Key || k.sorted[0].d.Zero.After(t0)) {
			t.Errorf("%s: drain %q, %+v", name, v.Drain, k.sorted[0].d)
		}
	}
}

// A restart goes on with the task where it was, and an Ebb without clusters sweeps nothing.
func TestARestartGoesOnWithATask(t *testing.T) {
	k := spotKernel(t)
	k.Hear(spotNotice(7), t0)
	records := k.Next(t0).Batch.Records
	if len(records) != 1 || records[0].Subject() != "task/prod/"+taskNo(7).Name() || !strings.Contains(string(records[0].Body), `"kind":"task"`) {
		t.Fatalf("records %+v", records)
	}
	again, err := New(Config{Groups: []Managed{{Cluster: "prod"}}}, records, nil)
	if err != nil {
		t.Fatal(err)
	}
	silent(again)
	if d := again.sorted[0].d; d.Target != fleet.TaskTarget("prod", taskNo(7)) || d.Cluster != "prod" || again.sorted[0].man.Policy.LookFast != time.Second {
		t.Errorf("%+v", d)
	}
	c := &spotCloud{groups: 1, out: map[plan.Subject]bool{}, calls: map[string]int{}}
	if got := takeOut(t, again, c); len(got) != 1 || c.calls[plan.Groups.String()] != 0 {
		t.Errorf("out after %v, calls %v", got, c.calls)
	}
	if scopes := Scopes([]Managed{{Cluster: "prod"}}, records); !slices.Equal(scopes, []string{"cluster/prod"}) {
		t.Errorf("scopes %v", scopes)
	}
}

// Where no event comes, a list each minute finds the task. What has stopped for another reason is described once.
func TestATaskOfWhichNoEventTells(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*fleet.Task)
		found  bool
		looks  int // at the task, within three minutes
	}{
		"interrupted": {func(t *fleet.Task) { t.StopCode = "SpotInterruption" }, true, 2},
		"interrupted, no code": {func(t *fleet.Task) {
			t.StoppedReason, t.CapacityProvider = "Your Spot Task was interrupted.", "FARGATE_SPOT"
		}, true, 2},
		"a deployment":               {func(t *fleet.Task) { t.StopCode = "ServiceSchedulerInitiated" }, false, 1},
		"it has stopped already":     {func(t *fleet.Task) { t.StopCode, t.LastStatus = "SpotInterruption", "STOPPED" }, false, 1},
		"not seen as one that stops": {func(t *fleet.Task) { t.StopCode, t.DesiredStatus = "SpotInterruption", "RUNNING" }, false, 3},
	} {
		k := spotKernel(t)
		c := &spotCloud{groups: 1, out: map[plan.Subject]bool{}, calls: map[string]int{}, stop: []fleet.ARN{taskNo(1)}, change: x.change}
		for now := t0; now.Before(t0.Add(3 * time.Minute)); now = now.Add(time.Second) {
			for _, order := range k.Next(now).Do {
				d := c.answer(order, now)
				d.Started = now
				k.Did(d, now)
			}
		}
		if n := k.Counts["adopted"]; n != 0 != x.found || n > 1 || c.calls[plan.Tasks.String()] != x.looks || c.calls[plan.Stopping.String()] != 3 {
			t.Errorf("%s: found %d times, calls %v", name, n, c.calls)
		}
		if x.found && k.Counts["ended drained"] != 1 {
			t.Errorf("%s: %v", name, k.Counts)
		}
	}
}

// The rate of Elastic Load Balancing is assumed to be that of its reads, because what it is for DeregisterTargets was not found.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
const elbBurst, elbPerSecond = 40, 10

// manyTasks lets tasks leave at once that are behind so many target groups, and returns how long after the notice each deregistration was accepted.
func manyTasks(t testing.TB, tasks, groups int, step time.Duration) ([]time.Duration, *spotCloud) {
	k, c := spotKernel(t), &spotCloud{groups: groups, out: map[plan.Subject]bool{}, calls: map[string]int{}, most: elbBurst, perSecond: elbPerSecond, step: step}
	for i := range tasks {
		h := spotNotice(i)
		h.Event.Service = fmt.Sprintf("web-%d", i%groups)
		k.Hear(h, t0)
	}
	return takeOut(t, k, c), c
}

// With many target groups that rate decides: 200 take 16 s, and Ebb may take 1.2 times as long.
func TestTasksInManyTargetGroupsAreOutAsFastAsAWSLetsThem(t *testing.T) {
	const tasks, groups = 1000, 200
	accepted, c := manyTasks(t, tasks, groups, 0)
	if len(accepted) != tasks {
		t.Fatalf("%d of %d were out; %v", len(accepted), tasks, c.calls)
	}
	last, allowed := accepted[tasks-1], time.Duration((groups-elbBurst)/elbPerSecond)*time.Second
	t.Logf("accepted after p50 %s, p99 %s, last %s; %v", accepted[tasks/2], accepted[tasks*99/100], last, c.calls)
	if last > allowed*12/10 {
		t.Errorf("the last was out after %s, and the rate of ELB allows %s", last, allowed)
	}
}

// A rehearsal begins only where the configuration allows it, once for each message, and neither it nor an event that was not true hides the notice
// that ECS sends some day.
func TestRehearsals(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed bool
		tagged  bool
		want    drain.Outcome
		stops   int
	}{
		{"not allowed", false, true, "", 0},
		{"allowed, and the task does not say so", true, false, drain.NotLeaving, 0},
		{"allowed, and the task says so", true, true, drain.Drained, 1},
	} {
		k := newKernel(t, Config{Groups: []Managed{{Cluster: "prod", Rehearsals: c.allowed}}})
		leaves := false
		cloud := &spotCloud{groups: 1, out: map[plan.Subject]bool{}, calls: map[string]int{}, change: func(t *fleet.Task) {
			if !leaves {
				t.DesiredStatus = "RUNNING"
			}
			if c.tagged {
				t.RehearsedUntil = t0.Add(2 * time.Minute)
			}
		}}
		cloud.stopped = func() { leaves = true }
		now := t0
		hear := func(rehearsal bool, at time.Time) drain.Outcome {
			h := spotNotice(1)
			h.Event.Rehearsal, h.Event.Time = rehearsal, at
			k.Hear(h, now)
			var last drain.Outcome
			for range 200 {
				out := k.Next(now)
				for _, r := range out.Batch.Records {
					if d, err := Read(r); err == nil && d.Final != nil {
						last = d.Final.Outcome
					}
				}
				for _, o := range out.Do {
					done := cloud.answer(o, now)
					done.Started = now
					k.Did(done, now.Add(100*time.Millisecond))
				}
				now = now.Add(time.Second)
			}
			return last
		}
		if got := hear(true, t0); got != c.want || cloud.calls["stop-task"] != c.stops {
			t.Errorf("%s: ended %q, stopped %d times; want %q, %d", c.name, got, cloud.calls["stop-task"], c.want, c.stops)
		}
		if c.want == drain.Drained {
			if got := hear(true, t0); got != "" {
				t.Errorf("%s: the same message again: %q", c.name, got)
			}
			continue
		}
		leaves = true
		if got := hear(false, now); got != drain.Drained {
			t.Errorf("%s: what ECS says then ended %q", c.name, got)
		}
	}
}
