package steps

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// decider is one decision on its way.
type decider struct {
	Plan
	seen *Seen
	now  time.Time
	out  Decision
}

// Decide says what to do next.
func Decide(p Plan, st State, seen Seen, now time.Time) Decision {
	st.Runs = slices.Clone(st.Runs)
	c := &decider{Plan: p, seen: &seen, now: now, out: Decision{State: st}}
	if st.Boot != seen.Boot {
		c.out.State = State{Boot: seen.Boot}
	}
	c.hear()
	if c.st().Cause == "" {
		c.idle()
		return c.out
	}
	c.took()
	c.opened()
	if c.stays() {
		return c.out
	}
	c.steps()
	c.beat()
	c.answer()
	return c.out
}

func (c *decider) st() *State { return &c.out.State }

func (c *decider) line(format string, args ...any) {
	c.out.Lines = append(c.out.Lines, fmt.Sprintf(format, args...))
}

func (c *decider) wake(at time.Time) {
	if c.out.Wake.IsZero() || at.Before(c.out.Wake) {
		c.out.Wake = at
	}
}

// want asks for a look once the last one is older than pace, and up to half of that later: many hosts leave at the same moment.
func (c *decider) want(l Look, last time.Time, pace time.Duration) {
	c.out.Want[l] = last.Add(pace + c.jitter(last, pace/2))
}

// jitter differs from host to host, and from one time to the next.
func (c *decider) jitter(at time.Time, most time.Duration) time.Duration {
	h := fnv.New64a()
	fmt.Fprint(h, c.Instance, at.UnixNano())
	return time.Duration(h.Sum64() % uint64(max(most, 1)))
}

// cause is why the host leaves or comes, as the group says; empty: it does not.
func (c *decider) cause() Cause {
	if c.seen.Group.Is != fleet.Seen {
		return ""
	}
	switch s := c.seen.Group.Value.State; s {
	case fleet.Terminating, fleet.TerminatingWait, fleet.WarmedTerminating, fleet.WarmedTerminatingWait:
		return Terminate
	case fleet.ReplacingRootVolume, fleet.ReplacingRootVolumeWait:
		return RootVolume
	case fleet.WarmedPendingWait, fleet.PendingWait:
		if c.st().Served {
			return Terminate // it returns to its warm pool
		}
		if c.LaunchHook != "" {
			return Launch
		}
	case fleet.InService:
		c.st().Served = true
	}
	return ""
}

// hear begins a departure, or learns that the one under way ends at a fixed time.
func (c *decider) hear() {
	st, cause := c.st(), c.cause()
	ends := c.seen.Down
	if !ends.IsZero() {
		cause = cmp.Or(cause, Shutdown)
	}
	if spot := c.seen.Spot; spot.Is == fleet.Seen && (ends.IsZero() || spot.Value.Before(ends)) {
		ends = spot.Value
		if cause == "" || cause == Terminate || cause == Shutdown {
			cause = Spot
		}
	}
	if cause == "" {
		return
	}
	begun := slices.ContainsFunc(st.Runs, func(r Run) bool { return !r.Began.IsZero() })
	switch {
	case st.Cause == "" || st.Cause == Launch && cause != Launch:
		*st = State{Boot: st.Boot, Served: st.Served, Cause: cause, Heard: c.now, Ends: ends}
		c.line("the host leaves: %s%s", cause, by(ends))
		if cause == Launch {
			c.out.Lines = []string{"the host has been launched"}
		}
	case !ends.IsZero() && (st.Ends.IsZero() || ends.Before(st.Ends)):
		st.Ends = ends
		if cause == Spot && !begun {
			st.Cause = Spot
		}
		c.line("the host ends sooner: %s%s", cause, by(ends))
	}
}

func by(ends time.Time) string {
	if ends.IsZero() {
		return ""
	}
	return ", at " + ends.UTC().Format("15:04:05 UTC")
}

// How often the group is asked while IMDS says that the host serves.
const (
	groupAtLaunch = 5 * time.Second
	groupWhenOff  = 10 * time.Second // IMDS says that the host is to leave its group
	imdsLate      = 15 * time.Second // how late IMDS may say it
	groupBlindly  = time.Minute      // IMDS says nothing
	groupIdly     = 10 * time.Minute // at most: IMDS has no documented value for the replacement of a root volume
)

// idle looks at the group where IMDS does not say all.
func (c *decider) idle() {
	g, target := &c.seen.Group, c.seen.Target
	if g.Is == fleet.Seen {
		c.st().Group = g.Value.Group
		c.want(LookHooks, c.seen.Hooks.At, 24*time.Hour)
	}
	switch {
	case g.At.Before(c.seen.Woken):
		c.out.Want[LookGroup] = c.seen.Woken
	case target.Is == fleet.Seen && target.Value != string(fleet.InService) && g.At.Before(c.seen.Turned):
		c.out.Want[LookGroup] = c.seen.Turned.Add(c.jitter(c.seen.Turned, groupWhenOff)) // many hosts hear it at the same moment
	case target.Is == fleet.Seen && target.Value != string(fleet.InService):
		c.want(LookGroup, g.At, min(max(g.At.Sub(c.seen.Turned), groupWhenOff), groupBlindly))
	case c.LaunchHook != "" && g.Is != fleet.Absent && !c.st().Served:
		c.want(LookGroup, g.At, groupAtLaunch)
	case target.Is == fleet.Unknown && g.Is != fleet.Absent:
		c.want(LookGroup, g.At, groupBlindly)
	default:
		_, h := c.hook()
		c.want(LookGroup, g.At, min(max(h.Heartbeat/3, groupBlindly), groupIdly))
	}
}

// waiting reports whether the group says that the hook may be open.
func (c *decider) waiting() bool {
	s := c.seen.Group.Value.State
	return c.seen.Group.Is == fleet.Seen && (s.Waiting() || c.st().Cause == Launch && s == fleet.PendingWait)
}

// opened learns when the hook opens, and looks for it until then.
func (c *decider) opened() {
	st, g := c.st(), &c.seen.Group
	if g.Is == fleet.Seen && g.Value.Group != "" {
		st.Group = g.Value.Group
	}
	if !st.Opened.IsZero() || !st.Answered.IsZero() {
		return
	}
	if c.waiting() && !g.At.Before(st.Heard.Add(-groupIdly)) {
		st.Opened, st.Closed = g.At, g.Before
		if t := &c.seen.Target; t.Is == fleet.Seen && t.Value != string(fleet.InService) {
			st.Closed = drain.Later(st.Closed, c.seen.Turned.Add(-imdsLate))
		}
		c.line("the hook is open")
		return
	}
	if g.Is == fleet.Absent && st.Ends.IsZero() {
		st.Answered = c.now // its group has let it go
		return
	}
	pace := min(max(c.now.Sub(st.Heard)/20, groupWhenOff), 2*groupWhenOff)
	if g.Is == fleet.Absent {
		pace = groupBlindly
	}
	c.want(LookGroup, g.At, pace)
}

// stays ends a departure whose host does not leave, or has been launched.
func (c *decider) stays() bool {
	st, g := c.st(), &c.seen.Group
	serves := g.Is == fleet.Seen && c.cause() == "" && !g.Value.State.Over() && c.seen.Spot.Is != fleet.Seen && c.seen.Down.IsZero()
	since := drain.Later(st.Answered, st.Ends)
	if since.IsZero() {
		since = st.Heard.Add(2 * time.Minute) // reads lag behind
	}
	if serves && g.At.After(since) {
		c.line("the host is in service: the group says %s", g.Value.State)
		*st = State{Boot: st.Boot, Served: st.Served}
		c.idle()
		return true
	}
	if !st.Answered.IsZero() && (st.Cause == RootVolume || st.Cause == Launch || !st.Ends.IsZero()) {
		c.want(LookGroup, g.At, time.Minute)
	}
	return false
}

// hook is the lifecycle hook of the agent, and what is known of it.
func (c *decider) hook() (name string, known fleet.Hook) {
	name = c.Hook
	if c.st().Cause == Launch {
		name = c.LaunchHook
	}
	for _, h := range c.seen.Hooks.Value {
		if h.Name == name {
			known = h
		}
	}
	return name, known
}

// end is when the time of the steps is over; zero: it is not known yet.
func (c *decider) end() time.Time {
	var end time.Time
	if st := c.st(); !st.Opened.IsZero() {
		end = st.Opened.Add(c.Deadline)
		if _, h := c.hook(); h.Global > 0 && st.Opened.Add(h.Global-time.Minute).Before(end) {
			end = st.Opened.Add(h.Global - time.Minute)
		}
	}
	if fixed := c.st().Ends; !fixed.IsZero() && (end.IsZero() || fixed.Add(-spare).Before(end)) {
		end = fixed.Add(-spare)
	}
	return end
}

// beat keeps the hook alive for as long as the steps have time.
func (c *decider) beat() {
	st, try := c.st(), c.seen.Beat
	if st.Opened.IsZero() || !st.Answered.IsZero() || c.over() {
		return
	}
	name, h := c.hook()
	c.want(LookHooks, c.seen.Hooks.At, 10*time.Minute)
	if try.Class == plan.Gone && !try.Flying && st.Result == "" { // somebody else has answered, or it has timed out
		if g := &c.seen.Group; g.At.After(try.Started) && !c.waiting() {
			st.Answered = c.now
			c.line("the hook has ended without an answer of the agent")
			return
		}
		c.want(LookGroup, c.seen.Group.At, retryAfter)
	}
	timeout := cmp.Or(h.Heartbeat, drain.ShortestHook)
	due := drain.Later(st.Closed, try.OK).Add(drain.BeatAfter(string(c.Instance), timeout, 0))
	if c.free(try, due) {
		c.out.Beat = &plan.HookCall{Group: st.Group, Hook: name, Instance: c.Instance}
	}
}

// free reports whether a call that is due may be sent now.
func (c *decider) free(try drain.Try, due time.Time) bool {
	if try.Flying {
		return false
	}
	if try.Fails > 0 {
		due = drain.Later(due, try.At.Add(retryAfter+c.jitter(try.At, retryAfter)))
	}
	if due.After(c.now) {
		c.wake(due)
		return false
	}
	return true
}

// answer completes the hook, again and again until Auto Scaling takes it.
func (c *decider) answer() {
	st, try := c.st(), c.seen.Answer
	if st.Result == "" || !st.Answered.IsZero() {
		return
	}
	if st.Opened.IsZero() { // where the end is fixed, a hook may open later
		if over := st.Ends.Add(time.Minute); c.now.Before(over) {
			c.wake(over)
		} else {
			st.Answered = c.now
		}
		return
	}
	switch {
	case !try.OK.IsZero() && !try.OK.Before(st.Decided):
		st.Answered = c.now
		c.line("Auto Scaling has taken the answer")
		return
	case try.Class == plan.Gone && !try.Flying && (c.now.Sub(st.Decided) > untilTaken || c.seen.Group.At.After(try.Started) && !c.waiting()):
		st.Answered = c.now
		c.line("Auto Scaling knows no open hook any more: %s", try.Message)
		return
	case try.Class == plan.Gone:
		c.want(LookGroup, c.seen.Group.At, retryAfter)
	}
	if c.free(try, st.Decided) {
		name, _ := c.hook()
		c.out.Answer = &plan.HookCall{Group: st.Group, Hook: name, Instance: c.Instance, Result: st.Result}
	}
}
