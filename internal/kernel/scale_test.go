package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

// calmServices are services in one cluster of which nothing asks for another count.
func calmServices(n int, policy func(i int) scale.Policy) Config {
	m := Managed{Cluster: "prod", OnlyScaled: true}
	for i := range n {
		m.Scaled = append(m.Scaled, Scaled{Service: fmt.Sprint("s", i), Policy: policy(i), Every: 10 * time.Second})
	}
	return Config{Groups: []Managed{m}}
}

// calm answers a look: each service has 4 tasks and wants 4, alarms are OK, queues are empty.
func calm(l plan.Look, now time.Time) (v plan.View) {
	for _, s := range l.Subjects {
		switch l.Kind {
		case plan.Services:
			v.Services = append(v.Services, fleet.Service{Name: s.ID, Cluster: s.In, Desired: 4, Running: 4})
		case plan.Alarms:
			v.Alarms = append(v.Alarms, fleet.Alarm{Name: s.ID, State: "OK", Since: t0})
		case plan.Backlogs:
			v.Backlogs = append(v.Backlogs, fleet.Backlog{Queue: s.ID})
		case plan.Metrics:
			v.Datapoints = append(v.Datapoints, fleet.Datapoint{Metric: s.ID, From: now.Add(-15 * time.Second), Value: 4})
		}
	}
	return v
}

// steady runs a kernel for a time, and counts calls by kind and the longest pass.
func steady(t *testing.T, k *Kernel, from, lasts time.Duration) (calls map[plan.LookKind]int, longest time.Duration) {
	t.Helper()
	calls = map[plan.LookKind]int{}
	for now := t0.Add(from); now.Before(t0.Add(from + lasts)); {
		began := time.Now()
		out := k.Next(now)
		longest = max(longest, time.Since(began))
		for _, r := range out.Do {
			if r.Look == nil {
				t.Fatalf("nothing asks for %+v", r.Action)
			}
			calls[r.Look.Kind] += r.Look.Calls()
			k.Did(plan.Done{Request: r, Started: now, Result: plan.LookResult{View: calm(*r.Look, now), Calls: r.Look.Calls()}}, now.Add(50*time.Millisecond))
		}
		if now = now.Add(250 * time.Millisecond); len(out.Do) == 0 && out.Wake.After(now) {
			now = out.Wake
		}
	}
	return calls, longest
}

// What 500 services cost in calls a minute: at most 80, and one for each queue each time it is read; see docs/reference/scaling.md.
func TestWhatManyScaledServicesCost(t *testing.T) {
	const n = 500
	alarms := func(i int) scale.Policy {
		p := scale.Defaults()
		p.Max = 9
		p.Alarms = []scale.Rule{{Alarm: fmt.Sprint("up", i), Change: scale.Change{By: 1}}, {Alarm: fmt.Sprint("down", i), Change: scale.Change{By: -1}}}
		return p
	}
	metric := func(i int) scale.Policy {
		p := scale.Defaults()
		m := fleet.Metric{Namespace: "Shop", Name: fmt.Sprint("m", i), Stat: "Sum", Period: 10 * time.Second}
		p.Max, p.Tracking = 9, &scale.Tracking{Metric: m, Target: 1}
		return p
	}
	queue := func(i int) scale.Policy {
		p := scale.Defaults()
		p.Min, p.Max, p.Queue = 4, 9, &scale.Queue{URL: fmt.Sprint("https://sqs/", i), FinishWithin: time.Minute}
		return p
	}
	for name, c := range map[string]struct {
		policy  func(int) scale.Policy
		minutes int
	}{"alarms": {alarms, 10}, "a metric": {metric, 2}, "a queue": {queue, 1}} {
		k := newKernel(t, calmServices(n, c.policy))
		steady(t, k, 0, time.Minute)
		calls, longest := steady(t, k, time.Minute, time.Duration(c.minutes)*time.Minute)
		queues := calls[plan.Backlogs]
		sum := -queues
		for _, n := range calls {
			sum += n
		}
		t.Logf("%s: %d calls a minute, and %d of queues; the longest pass took %s: %v", name, sum/c.minutes, queues/c.minutes, longest, calls)
		if sum/c.minutes > 80 || queues/c.minutes > n*6*11/10 {
			t.Errorf("%s: %d calls a minute, and %d of queues", name, sum/c.minutes, queues/c.minutes)
		}
	}
}

func TestAnAlarmIsLookedAtWhenAMessageTellsOfIt(t *testing.T) {
	p := scale.Defaults()
	p.Max, p.Alarms = 9, []scale.Rule{{Alarm: "up", Change: scale.Change{By: 1}}}
	k := newKernel(t, calmServices(1, func(int) scale.Policy { return p }))
	steady(t, k, 0, time.Minute)
	now := t0.Add(61 * time.Second)
	for _, name := range []string{"other", "up"} {
		k.Hear(Heard{Message: event.Message{ID: name}, Event: event.Event{Kind: event.AlarmState, Alarm: name}}, now)
		out := k.Next(now)
		looks := 0
		for _, r := range out.Do {
			if r.Look != nil && r.Look.Kind == plan.Alarms {
				looks++
				k.Did(plan.Done{Request: r, Started: now, Result: plan.LookResult{View: calm(*r.Look, now), Calls: 1}}, now)
			}
		}
		_, told := k.alarmed[name]
		if told != (name == "up") || told && looks != 1 || len(out.Settle) != 1 || !out.Settle[0].Delete {
			t.Errorf("a message of alarm %s: %d looks, told %v; %+v", name, looks, told, out.Settle)
		}
		now = now.Add(time.Second)
	}
}
