//go:build long

package story

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/steps"
)

// agentOn is ebb-agent on a host of a story, in virtual time: its core, with the calls that its shell makes.
type agentOn struct {
	*run
	id     string
	core   *agent.Core
	cloud  *cloud.Cloud
	polls  time.Time
	ends   time.Time // of the step that runs
	step   steps.Start
	began  time.Time // of the first step
	wake   time.Time
	target string
	takes  time.Duration // of its step
}

type kept struct{ st steps.State }

func (k *kept) Load() (steps.State, error) { return k.st, nil }
func (k *kept) Save(st steps.State) error  { k.st = st; return nil }

func (r *run) agentOn(id string, takes time.Duration, dice *rand.Rand) *agentOn {
	a := &agentOn{run: r, id: id, takes: takes, cloud: cloud.New(cloud.Clients{AutoScaling: client.AutoScaling(r.api)})}
	p := steps.Plan{
		Instance: fleet.InstanceID(id), Hook: drain.AgentHook, Deadline: 30 * time.Minute,
		Steps: []steps.Step{{Name: "work", Timeout: 20 * time.Minute, OnFailure: steps.Continue}},
	}
	a.core, _ = agent.NewCore(p, "boot", &kept{})
	a.polls = r.start.Add(time.Duration(dice.Int64N(int64(5 * time.Second))))
	return a
}

// tick lets all agents decide each half second, if something has come in or is due.
func (r *run) tick(all []*agentOn) {
	state := map[string]fleet.LifecycleState{}
	for _, in := range r.w.DescribeAutoScalingInstances(nil) {
		state[in.ID] = fleet.LifecycleState(in.State)
	}
	for _, a := range all {
		if s, is := state[a.id]; is && !s.Over() {
			a.act(s, r.w.Now())
		}
	}
	r.later(r.w.Now().Add(500*time.Millisecond), func() { r.tick(all) })
}

// act asks IMDS each five seconds, and does what is due.
func (a *agentOn) act(s fleet.LifecycleState, now time.Time) {
	turn := !a.wake.IsZero() && !a.wake.After(now)
	if !now.Before(a.polls) {
		target := "InService"
		if s.Leaving() || s.Waiting() {
			target = "Terminated"
		}
		turn = turn || target != a.target || a.target == ""
		a.core.SawTarget(target, now)
		a.core.SawSpot(time.Time{}, now)
		a.target, a.polls = target, now.Add(5*time.Second)
	}
	if !a.ends.IsZero() && !now.Before(a.ends) {
		a.core.Ended(steps.End{Step: a.step.Step, Attempt: a.step.Attempt, At: now, Outcome: steps.OK})
		a.ends, turn = time.Time{}, true
	}
	for turn {
		reqs, wake, _ := a.core.Next(now)
		for _, req := range reqs {
			a.do(req, now)
		}
		a.wake, turn = wake, len(reqs) > 0
	}
}

func (a *agentOn) do(req agent.Request, now time.Time) {
	ctx := wire.WithCaller(context.Background(), "agent")
	switch {
	case req.Start != nil:
		a.step, a.ends, a.began = *req.Start, now.Add(a.takes), now
	case req.Call != nil:
		out := a.cloud.Do(ctx, *req.Call)
		a.core.Did(*req.Call, out.Err, now)
	case req.Look != nil && req.Look.Kind == steps.LookHooks:
		res := a.cloud.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.Hooks, In: req.Look.Group}))
		if res.Err == nil {
			a.core.SawHooks(res.View.Hooks, now)
		}
		a.core.Looked(req.Look.Kind, errOf(res.Err), now)
	case req.Look != nil:
		res := a.cloud.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.GroupInstances, ID: a.id}))
		for _, i := range res.View.GroupInstances {
			a.core.SawGroup(fleet.Seen, i, now)
		}
		a.core.Looked(req.Look.Kind, errOf(res.Err), now)
	}
}

func errOf(f *plan.Failure) error {
	if f == nil {
		return nil
	}
	return f
}

// atOnce is what came of many hosts of a group that leave at once.
type atOnce struct {
	hosts, served     int
	p50, p99          time.Duration // from the opening of the agent's hook to its first step
	gap, agentGap     time.Duration // the longest time without a heartbeat of a hook that was open, of Ebb's and of the agents'
	expired           int           // hooks that timed out
	calls, throttled  int           // of Auto Scaling, all callers
	violations        []Violation
	heartbeat, lasted time.Duration
}

func leaveAtOnce(t *testing.T, hosts int, rate float64, takes time.Duration) atOnce {
	t.Helper()
	const beat = 15 * time.Minute
	c := atOnce{hosts: hosts, heartbeat: beat}
	s := Scenario{Seed: 1, Until: 40 * time.Minute, World: sim.Spec{
		Seed: 1, Switches: core.Switches{AutoScalingBurst: int(10 * rate), AutoScalingRate: rate},
		Clusters:        []sim.ClusterSpec{{Name: "prod"}},
		Queues:          []sim.QueueSpec{{Name: "ebb", Visibility: time.Minute}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", CPU: 256, Memory: 256, Exit: 7 * time.Minute, Stop: 10 * time.Minute}},
		Groups: []sim.GroupSpec{{
			Name: "web", Desired: hosts, Max: hosts, Launch: core.HostSpec{Cluster: "prod"}, Hooks: []sim.HookSpec{
				{Name: "ebb-drain", Heartbeat: beat, DefaultResult: "CONTINUE", Target: "ebb"},
				{Name: drain.AgentHook, Heartbeat: beat, DefaultResult: "CONTINUE"},
			},
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: hosts, Max: 200}},
	}}
	s.Ebb.Groups = []Group{{Match: "web", Cluster: "prod", Deadline: 30 * time.Minute, Agent: true}}
	s.At = []Step{{At: time.Minute, Do: "scale", Group: "web", Count: 0}}
	r, err := newRun(s)
	if err != nil {
		t.Fatal(err)
	}
	dice, agents := rand.New(rand.NewPCG(1, 2)), map[string]*agentOn{}
	var all []*agentOn
	for _, in := range r.w.DescribeAutoScalingInstances(nil) {
		agents[in.ID] = r.agentOn(in.ID, takes, dice)
		all = append(all, agents[in.ID])
	}
	r.tick(all)
	end := r.start.Add(s.Until)
	for n := 1; r.w.Now().Before(end) && (n%500 != 0 || !r.quiet()); n++ { // to find out costs a look through the record
		r.advance(end)
	}
	res := r.finish()
	c.violations = res.Violations
	var delays []time.Duration
	opened, beaten := map[string]time.Time{}, map[string]time.Time{}
	for _, e := range res.Record {
		key := e.Hook + e.Instance
		switch {
		case e.Kind == core.EntryCall && len(e.Text) > 12 && e.Text[:12] == "autoscaling.":
			c.calls++
			if e.To == "Throttling" {
				c.throttled++
			}
		case e.Kind != core.EntryHook:
		case e.To == "opened":
			opened[key], beaten[key] = e.At, e.At
			if a := agents[e.Instance]; e.Hook == drain.AgentHook && !a.began.IsZero() {
				delays = append(delays, a.began.Sub(e.At))
			}
		default:
			gap := &c.gap
			if e.Hook == drain.AgentHook {
				gap = &c.agentGap
			}
			*gap, beaten[key] = max(*gap, e.At.Sub(beaten[key])), e.At
			if e.To == "expired" {
				c.expired++
			}
			if e.To == "CONTINUE" && e.Hook == drain.AgentHook {
				c.served++
				c.lasted = max(c.lasted, e.At.Sub(opened[key]))
			}
		}
	}
	slices.Sort(delays)
	if len(delays) == hosts {
		c.p50, c.p99 = delays[hosts/2], delays[hosts*99/100]
	}
	return c
}

// TestLong prints two tables of docs/agent.md: hosts whose step takes eight minutes, and the agent's rows beside the home-made ones.
func TestLong(t *testing.T) {
	for _, hosts := range []int{1, 20, 200} {
		c := leaveAtOnce(t, hosts, 10, 10*time.Second)
		fmt.Printf("| ebb-agent | %d | %d | %.1f | 0 | 0 |\n", hosts, c.served, c.lasted.Minutes())
	}
	for _, x := range []struct {
		hosts int
		rate  float64
	}{{200, 10}, {200, 5}, {1000, 10}, {1000, 5}} {
		began := time.Now()
		c := leaveAtOnce(t, x.hosts, x.rate, 8*time.Minute)
		fmt.Printf("| %d | %.0f/s | %d | %.1f s | %.1f s | %s | %s | %d | %d | %d |\n", c.hosts, x.rate, c.served, c.p50.Seconds(), c.p99.Seconds(),
			c.gap.Round(time.Second), c.agentGap.Round(time.Second), c.expired, c.calls, c.throttled)
		t.Logf("%s; %v", time.Since(began), c.violations[:min(3, len(c.violations))])
	}
}
