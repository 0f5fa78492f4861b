// Package agent runs on a host, hears that the host is to leave, does the steps that are configured, and answers the lifecycle hook that is
// its own.
//
// It never terminates anything, touches no other host, and answers no hook of another name.
package agent

import (
	"context"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/steps"
)

// Store keeps what is remembered of a departure, on the disk of the host.
type Store interface {
	// Load returns the zero State where nothing was stored. What cannot be read is set aside, and the error says where.
	Load() (steps.State, error)
	// Save returns once the state is durable.
	Save(steps.State) error
}

// Request is one thing for the world to do; what comes of it goes to Core.Did, or to Core.Ended for a step.
type Request struct {
	Look  *Asked // something to look at
	Call  *plan.Action
	Start *steps.Start
	Kill  string
	State steps.State // of the departure, for Start
}

// Asked is one look.
type Asked struct {
	Kind  steps.Look
	Group string
}

// Core is the agent without clocks and goroutines: everything that happens comes in by its methods, one at a time.
type Core struct {
	Plan  steps.Plan
	store Store
	state steps.State
	seen  steps.Seen
	asks  [steps.Looks]ask
	// Unstored is why the state could not be stored; nil: it is stored. Steps go on without: a disk that is full must not cost the logs.
	Unstored error
}

// ask is what came of the looks of one kind.
type ask struct {
	flying bool
	at     time.Time // of the latest result
	fails  int       // failures in a row
}

// NewCore goes on where the last run of the agent was. The error is for people: what could not be read is begun anew.
func NewCore(p steps.Plan, boot string, store Store) (*Core, error) {
	st, err := store.Load()
	return &Core{Plan: p, store: store, state: st, seen: steps.Seen{Boot: boot}}, err
}

// State is what is remembered.
func (c *Core) State() steps.State { return c.state }

// SawTarget takes in what IMDS says of the target lifecycle state; an empty one is absent.
func (c *Core) SawTarget(v string, at time.Time) {
	is := fleet.Seen
	if v == "" {
		is = fleet.Absent
	}
	if c.seen.Target.Value != v || c.seen.Target.Is != is {
		c.seen.Turned = at
		c.asks[steps.LookGroup].fails = 0 // something has changed: it is worth another call
	}
	c.seen.Target.Put(is, at, v)
}

// Wake makes it look at the group, whatever IMDS says: somebody else says that the host leaves.
func (c *Core) Wake(now time.Time) {
	c.asks[steps.LookGroup].fails = 0
	c.seen.Woken = now
}

// SawSpot takes in when EC2 takes the Spot instance back; zero: it does not.
func (c *Core) SawSpot(ends, at time.Time) {
	is := fleet.Seen
	if ends.IsZero() {
		is = fleet.Absent
	}
	c.seen.Spot.Put(is, at, ends)
}

// Blind takes in that IMDS has not answered for a while: what it said is not known any more.
func (c *Core) Blind() { c.seen.Target = fleet.Fact[string]{} }

// Down takes in by when the host shuts down by itself; zero: it does not after all.
func (c *Core) Down(by time.Time) { c.seen.Down = by }

// SawGroup, SawHooks and SawTasks take in what looks found; started is when they began.
func (c *Core) SawGroup(is fleet.Knowledge, g fleet.GroupInstance, started time.Time) {
	c.seen.Group.Put(is, started, g)
}

// SawHooks takes in the hooks of the group.
func (c *Core) SawHooks(hooks []fleet.Hook, started time.Time) {
	c.seen.Hooks.Put(fleet.Seen, started, hooks)
}

// SawTasks takes in whether ECS says DRAINING and no task is on the host.
func (c *Core) SawTasks(gone bool, started time.Time) { c.seen.Drained.Put(fleet.Seen, started, gone) }

// Looked takes in that a look has ended, well or not.
func (c *Core) Looked(k steps.Look, err error, now time.Time) {
	a := &c.asks[k]
	a.flying, a.at = false, now
	if a.fails++; err == nil {
		a.fails = 0
	}
}

// Ended takes in that a step has ended.
func (c *Core) Ended(e steps.End) {
	if c.seen.Running == e.Step {
		c.seen.Running = ""
	}
	c.seen.Ended = append(c.seen.Ended, e)
}

// Did takes in what came of a heartbeat or an answer.
func (c *Core) Did(a plan.Action, f *plan.Failure, now time.Time) {
	try := c.try(a.Kind)
	try.Flying, try.At = false, now
	if f == nil {
		*try = drain.Try{Started: try.Started, At: now, OK: try.Started}
		return
	}
	try.Class, try.Message = f.Class, f.Message
	try.Fails++
}

func (c *Core) try(k plan.ActionKind) *drain.Try {
	if k == plan.Answer {
		return &c.seen.Answer
	}
	return &c.seen.Beat
}

// longestBackoff is the longest pause after looks that failed: Auto Scaling throttles an account, and not a host.
const longestBackoff = 30 * time.Second

// Next decides. It stores what is to be remembered, and returns what is to be done, when to call it again at the latest (zero: when something
// has come in), and lines for people.
func (c *Core) Next(now time.Time) (reqs []Request, wake time.Time, lines []string) {
	d := steps.Decide(c.Plan, c.state, c.seen, now)
	c.seen.Ended = nil
	if d.State.Cause != c.state.Cause || !d.State.Heard.Equal(c.state.Heard) {
		c.seen.Beat, c.seen.Answer = drain.Try{}, drain.Try{}
	}
	if !d.State.Same(c.state) || c.Unstored != nil {
		c.Unstored = c.store.Save(d.State)
	}
	c.state, wake = d.State, d.Wake
	for k, due := range d.Want {
		if a := &c.asks[k]; !due.IsZero() && !a.flying {
			if a.fails > 0 {
				due = drain.Later(due, a.at.Add(min(5*time.Second<<min(a.fails, 5), longestBackoff)))
			}
			if due.After(now) {
				wake = sooner(wake, due)
				continue
			}
			a.flying = true
			reqs = append(reqs, Request{Look: &Asked{Kind: steps.Look(k), Group: c.state.Group}})
		}
	}
	for kind, call := range map[plan.ActionKind]*plan.HookCall{plan.Beat: d.Beat, plan.Answer: d.Answer} { //ebb:any-order one at most is sent
		if call != nil {
			try := c.try(kind)
			try.Flying, try.Started = true, now
			reqs = append(reqs, Request{Call: &plan.Action{Kind: kind, Why: c.state.Why, Hook: call}})
		}
	}
	if d.Kill != "" {
		reqs = append(reqs, Request{Kill: d.Kill})
	}
	if d.Start != nil {
		c.seen.Running = d.Start.Step
		reqs = append(reqs, Request{Start: d.Start, State: c.state})
	}
	return reqs, wake, d.Lines
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Env is what a step is given to know.
func Env(p steps.Plan, st steps.State, s steps.Start) map[string]string {
	return map[string]string{
		"EBB_INSTANCE_ID": string(p.Instance), "EBB_GROUP": st.Group, "EBB_CAUSE": string(st.Cause),
		"EBB_DEADLINE": s.Until.UTC().Format(time.RFC3339), "EBB_STEP": s.Step, "EBB_ATTEMPT": strconv.Itoa(s.Attempt),
	}
}

// Runner does the steps of a plan. Run returns when the step has ended; a cancelled ctx ends it.
type Runner interface {
	Run(ctx context.Context, s steps.Start, env map[string]string) steps.End
}
