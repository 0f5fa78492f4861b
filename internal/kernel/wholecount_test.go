package kernel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

var counting = []string{"set-desired-count", "set-desired-capacity", "services", "record count:", "record override:", "line count:", "with {", "forwards",
	"asks whether", "alarms of", "alarms:", "backlogs", "metrics", "scalable-targets"}

var toPeople = []notice.Route{{Name: "ops"}}

// TestWhatFollowsForDesiredCounts: see testdata/counts.txt.
func TestWhatFollowsForDesiredCounts(t *testing.T) {
	then := func(a *account, second float64, f func()) { a.at[time.Duration(second*float64(time.Second))] = f }
	unclear := &plan.Failure{Class: plan.Unclear, Message: "timed out"}
	denied := &plan.Failure{Class: plan.Denied, Message: "no right"}
	spot := func(a *account, missing int) {
		s, od := atFull("spot", 10), atFull("od", 1)
		s.Running -= missing
		s.NoCapacity = t0.Add(time.Second)
		a.services = []fleet.Service{s, od}
	}
	twoSpots := standingIn(0)
	twoSpots.Groups[0].StandIns = append(twoSpots.Groups[0].StandIns, StandIn{Spot: "s4", OnDemand: "o4", After: time.Minute})
	twoSpots.Groups = append(twoSpots.Groups,
		Managed{Cluster: "seen", Policy: drain.Policy{Observe: true}, StandIns: []StandIn{{Spot: "s2", OnDemand: "o2", After: time.Minute}}},
		Managed{Cluster: "stage", StandIns: []StandIn{{Spot: "s3", OnDemand: "o3", After: time.Minute}}})
	recorded(t, "counts.txt", []scene{
		{name: "a host leaves, and its tasks are replaced", cfg: replacing(), lasts: 3 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 20, func() { a.service("a").Running = 6 })
		}},
		{name: "two hosts leave, one after the other", cfg: replacing(), lasts: 3 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			a.host("i-2", "web", "prod", "a3")
			a.hear(k, 30*time.Second, "web", "i-2")
			then(a, 60, func() { a.service("a").Running = 7 })
		}},
		{name: "it is deployed meanwhile", cfg: replacing(), lasts: 4 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 10, func() { a.service("a").Deploying = true })
			then(a, 90, func() { a.service("a").Deploying, a.service("a").Running = false, 6 })
		}},
		{name: "somebody else sets it meanwhile", cfg: replacing(), lasts: 2 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 20, func() { a.service("a").Desired = 9 })
		}},
		{name: "somebody else sets it to what it was", cfg: replacing(), lasts: 2 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 20, func() { a.service("a").Desired = 4 })
		}},
		{name: "it is not clear whether it was set", cfg: replacing(), lasts: 2 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			a.fails["set-desired-count"] = unclear
			then(a, 5, func() { delete(a.fails, "set-desired-count"); a.service("a").Desired = 6 })
			then(a, 40, func() { a.service("a").Running = 6 })
		}},
		{name: "it is refused for long", cfg: replacing(), lasts: 8 * time.Minute, only: []string{"line count:"},
			setup: func(a *account, k *Kernel) { leaves(a, k); a.fails["set-desired-count"] = denied }},
		{name: "the service goes away", cfg: replacing(), lasts: 3 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 20, func() { a.services = a.services[1:] })
		}},
		{name: "the tasks go, and nothing replaces them", cfg: replacing(), lasts: 5 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			leaves(a, k)
			then(a, 30, func() { a.stop("a1", "a2", "b1") })
		}},
		{name: "in passes", cfg: func() Config { c := replacing(); c.OnePass = true; return c }(), lasts: time.Minute, only: counting,
			setup: func(a *account, k *Kernel) { leaves(a, k); then(a, 20, func() { a.service("a").Running = 6 }) }},
		{name: "of one more than may be under way", cfg: func() Config { c := replacing(); c.InFlight = 1; return c }(), lasts: 30 * time.Second, only: counting,
			setup: func(a *account, k *Kernel) { leaves(a, k); a.takes["groups"] = 4 * time.Second }},
		{name: "Spot lacks capacity", cfg: standingIn(0), lasts: 13 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			spot(a, 4)
			then(a, 200, func() { a.service("spot").Running = 8 })
			then(a, 600, func() { a.service("spot").Running = 10 })
		}},
		{name: "Spot lacks capacity, and somebody else sets the other one", cfg: standingIn(0), lasts: 5 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { spot(a, 4); then(a, 200, func() { a.service("od").Desired = 7 }) }},
		{name: "Spot lacks capacity for a moment", cfg: standingIn(0), lasts: 5 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { spot(a, 4); then(a, 100, func() { a.service("spot").Running = 10 }) }},
		{name: "Spot lacks capacity in clusters, of which one is only observed", cfg: twoSpots, lasts: 4 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) {
				spot(a, 4)
				for _, name := range []string{"2", "3", "4"} {
					s := fleet.Service{Name: "s" + name, Cluster: map[string]string{"2": "seen", "3": "stage", "4": "prod"}[name], Desired: 3, NoCapacity: t0, MaxPercent: 100}
					o := s
					o.Name, o.Desired = "o"+name, 0
					a.services = append(a.services, s, o)
				}
			}},
	})
}

// TestWhatFollowsForServicesThatAreScaled: see testdata/scaled.txt.
func TestWhatFollowsForServicesThatAreScaled(t *testing.T) {
	then := func(a *account, second float64, f func()) { a.at[time.Duration(second*float64(time.Second))] = f }
	cfg := func(p scale.Policy, more ...func(*Config)) Config {
		c := calmServices(1, func(int) scale.Policy { return p })
		c.Routes = toPeople
		for _, f := range more {
			f(&c)
		}
		return c
	}
	byAlarm := scale.Defaults()
	byAlarm.Min, byAlarm.Max = 2, 9
	byAlarm.Alarms = []scale.Rule{{Alarm: "up", Change: scale.Change{By: 2}}, {Alarm: "down", Change: scale.Change{By: -1}}}
	byQueue := scale.Defaults()
	byQueue.Min, byQueue.Max, byQueue.Queue = 4, 9, &scale.Queue{URL: "https://sqs/q", FinishWithin: time.Minute}
	byMetric := scale.Defaults()
	m := fleet.Metric{Namespace: "Shop", Name: "m", Stat: "Sum", Period: 10 * time.Second}
	byMetric.Min, byMetric.Max, byMetric.Tracking = 2, 9, &scale.Tracking{Metric: m, Target: 1}
	observed := byAlarm
	observed.Observe = true
	least := scale.Defaults()
	least.Min, least.Max, least.Alarms = 6, 9, byAlarm.Alarms[:1]
	start := func(a *account) {
		a.services = []fleet.Service{{Name: "s0", Cluster: "prod", Desired: 4, Running: 4, MaxPercent: 200}}
		a.alarms = []fleet.Alarm{{Name: "up", State: "OK", Since: t0.Add(-time.Hour)}, {Name: "down", State: "OK", Since: t0.Add(-time.Hour)}}
		a.backlogs = []fleet.Backlog{{Queue: "https://sqs/q"}}
		a.points = []fleet.Datapoint{{Metric: plan.MetricID(m), From: t0.Add(-15 * time.Second), Value: 4},
			{Metric: plan.MetricID(byQueue.Queue.Deleted()), From: t0.Add(-time.Minute), Value: 120}}
	}
	alarming := func(a *account, n int, at time.Duration) {
		a.alarms[n].State, a.alarms[n].Since = fleet.Alarming, t0.Add(at)
	}
	group := func(c *Config) {
		c.Groups = append(c.Groups, Managed{Match: "web-asg", Cluster: "prod", RaiseCapacity: true, Policy: drain.Defaults()})
	}
	noPlace := Answer{Blocker: notice.Blocker{Code: "no-cpu", Text: "no place for 2 tasks"}, Group: "web-asg", Capacity: 7}
	recorded(t, "scaled.txt", []scene{
		{name: "nothing asks for another count", cfg: cfg(byAlarm), lasts: 3 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) { start(a) }},
		{name: "an alarm, a message of it, and its end", cfg: cfg(byAlarm), lasts: 6 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			start(a)
			then(a, 65, func() {
				alarming(a, 0, 65*time.Second)
				k.Hear(Heard{Message: event.Message{ID: "m"}, Event: event.Event{Kind: event.AlarmState, Alarm: "up"}}, t0.Add(65*time.Second))
			})
			then(a, 80, func() { a.service("s0").Running = 6; a.alarms[0].State = "OK" })
		}},
		{name: "an alarm, and tasks that do not start", cfg: cfg(byAlarm), lasts: 8 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			alarming(a, 0, -time.Second)
		}},
		{name: "fewer are asked for", cfg: cfg(byAlarm), lasts: 8 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			alarming(a, 1, -time.Second)
			then(a, 30, func() { a.service("s0").Running = 3 })
		}},
		{name: "somebody else sets it", cfg: cfg(byAlarm), lasts: 3 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			then(a, 50, func() { a.service("s0").Desired, a.service("s0").Running = 8, 8 })
		}},
		{name: "Application Auto Scaling has it too", cfg: cfg(byAlarm), lasts: time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			alarming(a, 0, -time.Second)
			a.scalers = []fleet.Scaler{{Service: "s0"}}
		}},
		{name: "it cannot be set at first", cfg: cfg(byAlarm), lasts: 3 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			alarming(a, 0, -time.Second)
			a.fails["set-desired-count"] = &plan.Failure{Class: plan.Denied, Message: "no right"}
			then(a, 70, func() { delete(a.fails, "set-desired-count"); a.alarms[0].State = "OK" })
		}},
		{name: "its cluster is only observed", cfg: cfg(byAlarm, func(c *Config) { c.Groups[0].Policy.Observe = true }), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); alarming(a, 0, -time.Second) }},
		{name: "a queue fills", cfg: cfg(byQueue), lasts: 4 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			then(a, 40, func() { a.backlogs[0].Visible = 600; a.points[1].From = t0.Add(-20 * time.Second) })
			then(a, 70, func() { a.service("s0").Running = a.service("s0").Desired })
		}},
		{name: "a metric grows", cfg: cfg(byMetric), lasts: 2 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			then(a, 30, func() { a.points[0].Value, a.points[0].From = 7, t0.Add(20*time.Second) })
			then(a, 50, func() { a.service("s0").Running = a.service("s0").Desired })
		}},
		{name: "its tasks find no place", cfg: cfg(least, group), lasts: 7 * time.Minute, only: counting, setup: func(a *account, _ *Kernel) {
			start(a)
			a.group("web-asg")
			a.answer = noPlace
			then(a, 100, func() { a.answer.Code = "no-memory" })
			then(a, 400, func() { a.service("s0").Running = 6 })
		}},
		{name: "its tasks find no place, and the group is not to be raised", cfg: cfg(least), lasts: 3 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); a.answer = noPlace }},
		{name: "its tasks find no place, and the group cannot be raised", cfg: cfg(least, group), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) {
				start(a)
				a.group("web-asg")
				a.answer = noPlace
				a.fails["set-desired-capacity"] = &plan.Failure{Class: plan.Denied, Message: "no right"}
			}},
		{name: "its tasks find no place, and no call may be under way", cfg: cfg(least, group, func(c *Config) { c.InFlight = 1 }), lasts: time.Minute,
			only: counting, setup: func(a *account, _ *Kernel) {
				start(a)
				a.group("web-asg")
				a.answer = noPlace
				a.takes["groups"] = 20 * time.Second
			}},
		{name: "its tasks find no place, then they run, and then they find none again", cfg: cfg(least, group), lasts: 15 * time.Minute,
			only: []string{"line count:", "asks whether"}, setup: func(a *account, _ *Kernel) {
				start(a)
				a.group("web-asg")
				a.answer = noPlace
				then(a, 100, func() { a.service("s0").Running = 6 })
				then(a, 400, func() { a.service("s0").Running = 4 })
			}},
		{name: "not all tasks of an observed cluster run", cfg: cfg(byAlarm, group, func(c *Config) { c.Groups[0].Policy.Observe = true }), lasts: 2 * time.Minute,
			only: counting, setup: func(a *account, _ *Kernel) { start(a); a.service("s0").Running = 2 }},
		{name: "not all tasks of an observed service run", cfg: cfg(observed, group), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); a.service("s0").Running = 2 }},
		{name: "not all tasks of a paused service run", cfg: cfg(byAlarm, group), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, k *Kernel) {
				start(a)
				a.service("s0").Running = 2
				o := Override{Cluster: "prod", Service: "s0", Hold: true, By: "ann@host", Since: t0, Until: t0.Add(time.Hour)}
				setOverrides(k, []journal.Record{o.record(0, true)})
			}},
		{name: "not all tasks of a daemon service run", cfg: cfg(byAlarm, group), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); a.service("s0").Running, a.service("s0").Daemon = 2, true }},
		{name: "the service is not there", cfg: cfg(byAlarm, group), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); a.services = nil }},
		{name: "its tasks find a place", cfg: cfg(least, group), lasts: time.Minute, only: counting,
			setup: func(a *account, _ *Kernel) { start(a); a.group("web-asg") }},
		{name: "its host leaves", cfg: cfg(byAlarm, func(c *Config) { c.Groups = append(c.Groups, replacing().Groups...) }), lasts: 2 * time.Minute, only: counting,
			setup: func(a *account, k *Kernel) {
				start(a)
				a.services[0].Name, a.services[0].MaxPercent = "a", 100
				k.cfg.Groups[0].Scaled[0].Service = "a"
				a.group("web")
				a.host("i-1", "web", "prod", "a1", "a2")
				a.hear(k, 20*time.Second, "web", "i-1")
				alarming(a, 1, -time.Second)
			}},
		{name: "an operator holds it", cfg: cfg(byAlarm), lasts: 4 * time.Minute, only: counting, setup: func(a *account, k *Kernel) {
			start(a)
			alarming(a, 0, -time.Second)
			o := Override{Cluster: "prod", Service: "s0", Hold: true, By: "ann@host", Since: t0, Until: t0.Add(2 * time.Minute), Message: "tests"}
			setOverrides(k, []journal.Record{o.record(0, true)})
		}},
		{name: "an operator wants more for a while", cfg: cfg(byAlarm, func(c *Config) { c.Skew = time.Second }), lasts: 3 * time.Minute, only: counting,
			setup: func(a *account, k *Kernel) {
				start(a)
				o := Override{Cluster: "prod", Service: "s0", By: "ann@host", Since: t0, Until: t0.Add(time.Minute)}
				o.Min, o.Max = new(6), new(12)
				setOverrides(k, []journal.Record{o.record(0, true)})
			}},
	})
}

// TestAFollowedHook: when the hook of a host's agent is followed.
func TestAFollowedHook(t *testing.T) {
	target := fleet.HostTarget("i-0001")
	const key = "web/i-0001"
	own := fleet.Fact[fleet.Hook]{Is: fleet.Absent, At: t0}
	for _, c := range []struct {
		name string
		set  func(*Kernel, *fleet.Fact[fleet.Hook])
		want string // the key of its drain
	}{
		{"the group has no hook of Ebb", func(*Kernel, *fleet.Fact[fleet.Hook]) {}, key + "/a20261121T090000"},
		{"the group has one", func(_ *Kernel, own *fleet.Fact[fleet.Hook]) { own.Is = fleet.Seen }, ""},
		{"whether it has one is not known", func(_ *Kernel, own *fleet.Fact[fleet.Hook]) { own.Is = fleet.Unknown }, ""},
		{"it has one, and that has ended", func(k *Kernel, own *fleet.Fact[fleet.Hook]) {
			own.Is, k.recent[target] = fleet.Seen, &history{drains: []past{{key: "before"}}}
		}, key + "/a20261121T090000"},
		{"it has one, and that has ended long ago", func(k *Kernel, own *fleet.Fact[fleet.Hook]) {
			own.Is, k.recent[target] = fleet.Seen, &history{drains: []past{{key: "before"}}, over: true}
		}, ""},
		{"it was followed already", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) {
			k.recent[target] = &history{drains: []past{{key: "before", agent: true}}}
		}, ""},
		{"it was followed before that", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) {
			k.recent[target] = &history{drains: []past{{key: key + "/a20261121T090000", agent: true}}, over: true}
		}, key + "/a20261121T090000-2"},
		{"the group has no agents", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.cfg.Groups[0].Agent = false }, ""},
		{"the group is not managed", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.cfg.Groups[0].Match = "db" }, ""},
		{"another Ebb works for the group", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.cfg.Held = map[string]journal.Lease{} }, ""},
		{"a drain is open", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.open[target] = &entry{} }, ""},
		{"the group is excluded", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.excluded = map[string]bool{"web": true} }, ""},
		{"a newer Ebb has a drain of it", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.newer[key] = &UnknownRecord{} }, ""},
		{"the journal takes no drain of it", func(k *Kernel, _ *fleet.Fact[fleet.Hook]) { k.aside[key] = true }, ""},
	} {
		k := newKernel(t, Config{Skew: 2 * time.Second, Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), Agent: true}}})
		own := own
		c.set(k, &own)
		was := k.open[target]
		took, got := followsAgent(k, target, "web", own, t0), ""
		if e := k.open[target]; e != nil && e != was {
			if got = e.d.Key; e.man.Policy.Skew != 2*time.Second || !e.d.Agent || e.d.Hook != drain.AgentHook || e.d.Heard != t0 {
				t.Errorf("%s: %+v", c.name, e.d)
			}
		}
		if took != (c.want != "") || got != c.want {
			t.Errorf("%s: %t, %q; want %q", c.name, took, got, c.want)
		}
	}
}

// TestBesideTheHookOfAnAgent: what a message about Ebb's own hook changes.
func TestBesideTheHookOfAnAgent(t *testing.T) {
	late := func(k *Kernel, e *entry) {
		k.recent[e.d.Target] = &history{drains: []past{{key: "earlier", token: termination(1).Event.Token, ended: t0}}}
	}
	for name, c := range map[string]struct {
		set   func(*Kernel, *entry)
		takes bool // over
		why   string
		late  int
	}{
		"it is new":              {func(*Kernel, *entry) {}, true, "Ebb's own hook holds the instance too", 0},
		"it is late":             {late, false, "drain earlier has ended", 1},
		"the group is excluded":  {func(k *Kernel, _ *entry) { k.excluded = map[string]bool{"web": true} }, false, "Ebb's own hook holds the instance too", 0},
		"the drain is another's": {func(_ *Kernel, e *entry) { e.d.Agent = false }, false, "", 0},
	} {
		k, e := followed(t)
		c.set(k, e)
		why, taken := besideAgent(k, termination(1), e.man, minute(1))
		if why != c.why || taken != (c.why != "") || (e.d.Hook == "ebb-drain") != c.takes || k.Counts["late"] != c.late {
			t.Errorf("%s: %q, %t, hook %s, %v", name, why, taken, e.d.Hook, k.Counts)
		}
	}
}

// TestWhoseIsWhatIsScheduled: what is noted in the calendar, what is handed on, and what is left.
func TestWhoseIsWhatIsScheduled(t *testing.T) {
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("edge|s", i))
		}
		return all
	}
	const task, service = "arn:aws:ecs:eu-west-1:111122223333:task/edge/0123", "arn:aws:ecs:eu-west-1:111122223333:service/edge/web"
	held := map[string]journal.Lease{"cluster/prod": {}, "cluster/edge": {}}
	for _, c := range []struct {
		name    string
		cfg     func(*Config)
		change  event.Change
		noted   bool
		at      time.Duration // heard, after the sweep
		ack, ok bool
		texts   []string
		to      []string // scopes
		foreign int
		why     string
	}{
		{name: "an instance of a group", change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}, at: -1, ack: true, ok: true,
			texts: []string{"AWS has scheduled CODE at a time that it does not say: i-0001 of group web"}},
		{name: "an instance, and no sweep since", change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}},
		{name: "an instance, and no sweeps", cfg: func(c *Config) { c.Sweep = 0; c.Groups = c.Groups[1:3] },
			change: event.Change{Service: "EC2", Entities: []string{"i-0009"}}, ack: true, ok: true, foreign: 1, why: "it is about nothing that is managed here"},
		{name: "an instance, for an Ebb without groups", cfg: func(c *Config) { c.Held = map[string]journal.Lease{} },
			change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}, at: -1, ack: true, ok: true, to: []string{"cluster/prod"},
			why: "noted for the Ebbs that work for groups"},
		{name: "the same, handed on", cfg: func(c *Config) { c.Held = map[string]journal.Lease{} }, noted: true,
			change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}, at: -1, ack: true, ok: true, why: "noted for the Ebbs that work for groups"},
		{name: "an instance, for an Ebb that works for all", cfg: func(c *Config) { c.Held = held },
			change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}, at: -1, ack: true, ok: true,
			texts: []string{"AWS has scheduled CODE at a time that it does not say: i-0001 of group web"}},
		{name: "a task, a service, and both in one line", change: event.Change{Service: "ECS", Entities: []string{task, service, "edge|api", "other|x"}}, ack: true,
			ok: true, texts: []string{"AWS has scheduled CODE at a time that it does not say: " + task + ", " + service + ", edge|api of cluster edge"}},
		{name: "two clusters", change: event.Change{Service: "ECS", Entities: []string{"edge|api", "far|api"}}, ack: true, ok: true, texts: []string{
			"AWS has scheduled CODE at a time that it does not say: edge|api of cluster edge",
			"AWS has scheduled CODE at a time that it does not say: far|api of cluster far"}},
		{name: "a name with slashes", change: event.Change{Service: "ECS", Entities: []string{"edge|a/b/c"}}, ack: true, ok: true,
			texts: []string{"AWS has scheduled CODE at a time that it does not say: edge|a/b/c of cluster edge"}},
		{name: "another Ebb's", cfg: func(c *Config) { c.Held = map[string]journal.Lease{"cluster/prod": {}} },
			change: event.Change{Service: "ECS", Entities: []string{"edge|api", "edge|web", "far|x"}}, ack: true, ok: true, to: []string{"cluster/edge", "cluster/far"}},
		{name: "another Ebb's, handed on", cfg: func(c *Config) { c.Held = map[string]journal.Lease{"cluster/prod": {}} }, noted: true,
			change: event.Change{Service: "ECS", Entities: []string{"edge|api"}}, ack: true, ok: true, foreign: 1, why: "it is about nothing that is managed here"},
		{name: "instances of two groups", change: event.Change{Service: "EC2", Entities: []string{"i-0001", "i-0002"}}, at: -1, ack: true, ok: true, texts: []string{
			"AWS has scheduled CODE at a time that it does not say: i-0001 of group web",
			"AWS has scheduled CODE at a time that it does not say: i-0002 of group db"}},
		{name: "one's own and another Ebb's", cfg: func(c *Config) { c.Held = map[string]journal.Lease{"cluster/edge": {}} },
			change: event.Change{Service: "ECS", Entities: []string{"edge|api", "far|x"}}, ack: true, ok: true, to: []string{"cluster/far"},
			texts: []string{"AWS has scheduled CODE at a time that it does not say: edge|api of cluster edge"}},
		{name: "an instance, for an Ebb that works for one scope", cfg: func(c *Config) { c.Held = map[string]journal.Lease{"cluster/prod": {}} },
			change: event.Change{Service: "EC2", Entities: []string{"i-0001"}}, at: -1, ack: true, ok: true,
			texts: []string{"AWS has scheduled CODE at a time that it does not say: i-0001 of group web"}},
		{name: "nobody's", change: event.Change{Service: "ECS", Entities: []string{"other|x"}}, ack: true, ok: true, foreign: 1,
			why: "it is about nothing that is managed here"},
		{name: "nobody's, and others read the queue", cfg: func(c *Config) { c.LeaveForeign = true },
			change: event.Change{Service: "ECS", Entities: []string{"other|x"}}, ok: true, foreign: 1, why: "it is about nothing that is managed here"},
		{name: "nobody's, handed on, and others read the queue", cfg: func(c *Config) { c.LeaveForeign = true }, noted: true,
			change: event.Change{Service: "ECS", Entities: []string{"other|x"}}, ack: true, ok: true, foreign: 1, why: "it is about nothing that is managed here"},
	} {
		cfg := Config{Sweep: time.Minute, Routes: toPeople, Groups: []Managed{
			{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Cluster: "edge"}, {Cluster: "far"}, {Match: "db", Cluster: "prod"}}}
		if c.cfg != nil {
			c.cfg(&cfg)
		}
		k := newKernel(t, cfg)
		k.swept = t0
		k.groupOf[fleet.HostTarget("i-0001")], k.groupOf[fleet.HostTarget("i-0002")] = "web", "db"
		c.change.Code = "CODE"
		ack, why, ok := schedule(k, unplaced{Heard{Message: event.Message{ID: "m"}, Event: event.Event{Change: c.change}, Noted: c.noted}, t0.Add(c.at)}, t0)
		var texts, to []string
		people := 0
		for _, f := range k.forwarded {
			if s, is := ReadScheduled(f); is {
				texts = append(texts, s.Text())
			} else if f.ID == "m" {
				to = append(to, f.Scope)
			} else if people++; strings.Contains(f.Scope, "prod") != (c.change.Service == "EC2") {
				t.Errorf("%s: people are told by %s", c.name, f.Scope)
			}
		}
		if got, want := fmt.Sprint(ack, ok, texts, to, k.Counts["foreign"], why, people, len(k.lines)),
			fmt.Sprint(c.ack, c.ok, c.texts, c.to, c.foreign, c.why, len(c.texts), len(c.texts)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
	k := newKernel(t, Config{Groups: []Managed{{Cluster: "edge"}}})
	schedule(k, unplaced{Heard{Event: event.Event{Change: event.Change{Entities: many(mostScheduled + 2)}}}, t0}, t0)
	if s, _ := ReadScheduled(k.forwarded[0]); len(s.What) != mostScheduled || s.Omitted != 2 || len(k.forwarded[0].ID) != 16 ||
		k.forwarded[0].Sent != t0 {
		t.Errorf("of many: %d and %d more", len(s.What), s.Omitted)
	}
	day := 24 * time.Hour
	for _, c := range []struct {
		s     Scheduled
		noted time.Duration // ago
		past  bool
	}{
		{Scheduled{}, 180 * day, false}, {Scheduled{}, 180*day + 1, true},
		{Scheduled{Starts: t0.Add(-7 * day)}, 200 * day, false}, {Scheduled{Starts: t0.Add(-7*day - 1)}, day, true},
	} {
		if got := c.s.Past(t0.Add(-c.noted), t0); got != c.past {
			t.Errorf("%+v, noted %s ago: past %t", c.s, c.noted, got)
		}
	}
	if got := (Scheduled{Code: "C", Group: "web", What: []string{"a"}, Omitted: 1}).Text(); got !=
		"AWS has scheduled C at a time that it does not say: a and 1 more of group web" {
		t.Error(got)
	}
}
