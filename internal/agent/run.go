package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/steps"
)

// Config is what an agent works with.
type Config struct {
	Plan    steps.Plan
	Boot    string // the id of this boot
	Spot    bool   // it is a Spot Instance
	IMDS    *IMDS
	Cloud   *cloud.Cloud
	ECS     *Introspection // nil: the host is no container instance
	Store   Store
	Runner  Runner
	Reports *Reports
	Every   time.Duration // between two looks at IMDS; 0: 5 s
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// How IMDS is asked.
const (
	hearEvery = 5 * time.Second // as AWS suggests
	allEvery  = 5 * time.Minute // what is of no haste
	blindFor  = time.Minute     // without an answer the agent is blind
)

// Agent is an agent at work.
type Agent struct {
	Config
	core  *Core
	in    chan func() // what has happened, for the one thread that decides
	work  sync.WaitGroup
	ends  map[string]context.CancelFunc // of the steps that run
	told  string                        // the rebalance and the scheduled events that were told
	heard time.Time                     // when IMDS last answered
	blind bool
}

// New returns an agent that goes on where the last one was.
func New(c Config) *Agent {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every == 0 {
		c.Every = hearEvery
	}
	a := &Agent{Config: c, in: make(chan func()), ends: map[string]context.CancelFunc{}, heard: c.Now()}
	core, err := NewCore(c.Plan, c.Boot, c.Store)
	if err != nil {
		c.Log.Error("the agent begins anew", "error", err)
	}
	a.core = core
	if st := core.State(); st.Cause != "" && st.Boot == c.Boot {
		c.Log.Info("the agent goes on", "cause", st.Cause, "heard", st.Heard, "answered", !st.Answered.IsZero())
	}
	return a
}

// Run works until ctx ends. Then it ends the steps that run, and answers nothing. The next run of the agent goes on.
func (a *Agent) Run(ctx context.Context) {
	defer a.work.Wait()
	a.work.Go(func() { a.listen(ctx) })
	a.work.Go(func() { a.Reports.Run(ctx) })
	for timer := time.NewTimer(0); ; {
		select {
		case <-ctx.Done():
			return
		case f := <-a.in:
			f()
		case <-timer.C:
		}
		now := a.Now()
		reqs, wake, lines := a.core.Next(now)
		for _, l := range lines {
			a.Log.Info(l)
		}
		if err := a.core.Unstored; err != nil {
			a.Log.Error("a step that has ended may be run again if the agent is killed now", "error", err)
		}
		a.Reports.Put(a.core.State())
		for _, r := range reqs {
			a.do(ctx, r)
		}
		if wait := time.Hour; wake.IsZero() {
			timer.Reset(wait)
		} else {
			timer.Reset(max(wake.Sub(now), 0))
		}
	}
}

// then hands what has happened to the thread that decides.
func (a *Agent) then(ctx context.Context, f func()) {
	select {
	case a.in <- f:
	case <-ctx.Done():
	}
}

// Wake makes the agent look at its group: somebody says that the host leaves.
func (a *Agent) Wake(ctx context.Context) { a.then(ctx, func() { a.core.Wake(a.Now()) }) }

// ShutDown says that the host shuts down, and ends the agent's host by then.
func (a *Agent) ShutDown(ctx context.Context, by time.Time) { a.then(ctx, func() { a.core.Down(by) }) }

// State is what the agent remembers.
func (a *Agent) State(ctx context.Context) (st steps.State) {
	done := make(chan struct{})
	a.then(ctx, func() { st = a.core.State(); close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
	return st
}

func (a *Agent) do(ctx context.Context, r Request) {
	switch {
	case r.Kill != "":
		if end := a.ends[r.Kill]; end != nil {
			end()
		}
	case r.Start != nil:
		step, end := context.WithCancel(ctx)
		a.ends[r.Start.Step] = end
		env := Env(a.Plan, r.State, *r.Start)
		a.work.Go(func() {
			e := a.Runner.Run(step, *r.Start, env)
			end()
			a.then(ctx, func() { a.core.Ended(e) })
		})
	case r.Call != nil:
		a.work.Go(func() {
			if r.Call.Kind == plan.Answer { // the host may end a second later
				a.Reports.Flush(ctx)
			}
			out := a.Cloud.Do(ctx, *r.Call)
			if out.Err != nil {
				a.Log.Warn("Auto Scaling did not take a call", "call", r.Call.Kind.String(), "error", out.Err)
			}
			a.then(ctx, func() { a.core.Did(*r.Call, out.Err, a.Now()) })
		})
	case r.Look != nil:
		a.work.Go(func() { a.look(ctx, *r.Look) })
	}
}

// look looks once, and tells the core what it found.
func (a *Agent) look(ctx context.Context, l Asked) {
	started := a.Now()
	saw, err := a.see(ctx, l, started)
	if err != nil {
		a.Log.Warn("a look failed", "look", looksAt[l.Kind], "error", err)
	}
	a.then(ctx, func() {
		if saw != nil {
			saw()
		}
		a.core.Looked(l.Kind, err, a.Now())
	})
}

var looksAt = [steps.Looks]string{"the host in its group", "the hooks of the group", "the tasks on the host"}

func (a *Agent) see(ctx context.Context, l Asked, started time.Time) (saw func(), err error) {
	//exhaustive:enforce
	switch l.Kind {
	case steps.LookHooks:
		res := a.Cloud.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.Hooks, In: l.Group}))
		if res.Err != nil {
			return nil, res.Err
		}
		return func() { a.core.SawHooks(res.View.Hooks, started) }, nil
	case steps.LookTasks:
		gone, err := a.tasksGone(ctx)
		if err != nil {
			return nil, err
		}
		return func() { a.core.SawTasks(gone, started) }, nil
	case steps.LookGroup, steps.Looks:
	}
	res := a.Cloud.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.GroupInstances, ID: string(a.Plan.Instance)}))
	if err := failed(res); err != nil {
		return nil, err
	}
	for _, i := range res.View.GroupInstances {
		if i.ID == a.Plan.Instance {
			return func() { a.core.SawGroup(fleet.Seen, i, started) }, nil
		}
	}
	return func() { a.core.SawGroup(fleet.Absent, fleet.GroupInstance{}, started) }, nil
}

// failed is why a look at one thing has found nothing out.
func failed(res plan.LookResult) error {
	if res.Err != nil {
		return res.Err
	}
	for _, f := range res.Failed {
		return fmt.Errorf("%s: %s", f.ID, f.Reason)
	}
	return nil
}

// tasksGone reports whether ECS places no more tasks on the host, and none that is waited for is left.
func (a *Agent) tasksGone(ctx context.Context) (bool, error) {
	on, err := a.ECS.Read(ctx)
	if err != nil || len(on.Tasks) > 0 {
		return false, err
	}
	res := a.Cloud.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.ContainerInstances, In: on.Cluster, ID: string(on.ARN)}))
	if err := failed(res); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(res.View.ContainerInstances, func(c fleet.ContainerInstance) bool {
		return c.ARN == on.ARN && c.Status != fleet.Draining && c.Status != fleet.Inactive
	}), nil
}

// listen asks IMDS again and again. While it refuses, it is asked less often.
func (a *Agent) listen(ctx context.Context) {
	var all time.Time
	for fails := 0; ; {
		now := a.Now()
		everything := now.Sub(all) >= allEvery
		h, err := a.IMDS.Hear(ctx, a.Spot, everything)
		wait := a.Every
		if err != nil {
			fails++
			wait = min(a.Every<<min(fails-1, 2), 4*a.Every)
		} else {
			fails = 0
			if everything {
				all = now
			}
		}
		a.then(ctx, func() { a.hear(h, err, now, everything) })
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// hear takes in what IMDS has said.
func (a *Agent) hear(h Heard, err error, at time.Time, everything bool) {
	if err != nil {
		if !a.blind && at.Sub(a.heard) >= blindFor {
			a.blind = true
			a.core.Blind()
			a.Log.Error("the agent is blind: the instance metadata service has not answered for "+blindFor.String()+
				", so the agent asks Auto Scaling once a minute; "+hopLimit(string(a.Plan.Instance)), "error", err)
		}
		return
	}
	if a.blind {
		a.Log.Info("the instance metadata service answers again")
	}
	a.heard, a.blind = at, false
	a.core.SawTarget(h.Target, at)
	a.core.SawSpot(h.Ends, at)
	if h.Rebalance != "" && a.told != h.Rebalance {
		a.told = h.Rebalance
		a.Log.Warn("EC2 says that this Spot Instance is at an elevated risk of interruption", "notice", h.Rebalance)
	}
	if everything && h.Scheduled != "" {
		a.Log.Warn("EC2 has scheduled events for this instance", "events", h.Scheduled)
	}
}

// hopLimit is what helps where IMDS answers the host and not a container on it.
func hopLimit(instance string) string {
	return "if the agent runs in a container, let the answers reach it: " +
		"aws ec2 modify-instance-metadata-options --instance-id " + instance + " --http-put-response-hop-limit 2"
}
