package drain

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

const (
	// absentFor is how far apart the two complete looks are that establish "no cluster knows it".
	absentFor = time.Minute
	// stayingFor is how long the group must say "not leaving" before a message is treated as false; reads lag behind.
	stayingFor = 2 * time.Minute
	// ShortestHook is the shortest heartbeat timeout that AWS allows; assumed until the hook has been looked at.
	// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
	ShortestHook = 30 * time.Second
	// longestHook is the longest that AWS keeps a hook open.
	longestHook = 48 * time.Hour
)

// ended: the hook no longer holds the instance, whether or not Ebb released it.
func ended(c *decider) bool {
	d, i := c.d(), c.instance
	if !d.held() {
		return false
	}
	answered, told := !c.seen.Tried(plan.Answer).OK.IsZero(), lastGone(c)
	if i.Is == fleet.Unknown && !answered {
		return false
	}
	over := answered || missing(c) || i.Is == fleet.Seen && i.Value.State.Over()
	// "No active Lifecycle Action found" between two looks that saw the instance wait: ours is done and another hook holds.
	if !d.WaitingSince.IsZero() && told.After(d.WaitingSince) && i.At.After(told) {
		over = true
	}
	switch {
	case over && d.Intent != nil:
		c.close(d.Intent.Outcome, d.Intent.Reason, d.Intent.CutOff)
	case over && d.Agent:
		c.close(ByAgent, "the agent of the host has answered its hook, or it timed out; the group says "+stateText(i), nil)
	case over && d.Observed:
		c.close(Incomplete, "the hook ended before Ebb would have answered it"+unasked(c)+"; the group says "+stateText(i), c.cutOff())
	case over:
		c.close(Elsewhere, "the hook ended without Ebb's answer; the group says "+stateText(i), c.cutOff())
	case !d.StayingSince.IsZero() && i.At.Sub(d.StayingSince) >= stayingFor+c.p.Skew && (d.warned() || d.Word != fleet.Word{}):
		d.Hold = Hold{Group: d.Group} // a false message, but EC2 ends the instance all the same, or an operator wants it to leave
		return false
	case !d.StayingSince.IsZero() && i.At.Sub(d.StayingSince) >= stayingFor+c.p.Skew:
		c.close(NotLeaving, "the group says "+stateText(i)+": nothing is to be drained", nil)
	default:
		return false
	}
	return true
}

// missing reports whether the group does not have the instance any more. One look is not enough: a list may lack what is there. EC2 may
// confirm it, or a second look some time after the first, or that an answer was on its way.
func missing(c *decider) bool {
	from := c.d().MissingSince
	switch {
	case from.IsZero():
		return false
	case c.d().Intent != nil && c.d().Intent.At.Before(from) || c.ec2.Is == fleet.Seen && c.ec2.Value.Gone() || c.ec2.Is == fleet.Absent:
		return true
	}
	return c.instance.At.Sub(from) >= absentFor+c.p.Skew
}

func stateText(i fleet.Fact[fleet.GroupInstance]) string {
	if i.Is == fleet.Absent {
		return "that the instance is not in it"
	}
	return "that the instance is " + string(i.Value.State)
}

// lastGone is when AWS last said "no active lifecycle action" of a call that named the instance, if no later call of that kind succeeded.
func lastGone(c *decider) time.Time {
	var t time.Time
	for _, k := range []plan.ActionKind{plan.Beat, plan.Answer} {
		if try := c.seen.Tried(k); gone(try) && try.Started.After(t) {
			t = try.Started
		}
	}
	return t
}

func gone(t Try) bool { return t.Class == plan.Gone && t.Token == "" && !t.Flying }

// ShortestFor is the shortest hook timeout that passes one tick apart can keep alive. If the pass that is due to send a heartbeat is
// killed, the next one can send it only two ticks after the last heartbeat, once the lease of the killed pass has expired.
func ShortestFor(tick time.Duration) time.Duration { return 3 * tick }

// refuse ends a drain whose hook cannot be kept alive by passes one tick apart.
func refuse(c *decider) bool {
	h := c.hook
	if !c.d().held() || h.Is != fleet.Seen || h.Value.Heartbeat >= ShortestFor(c.p.Tick) {
		return false
	}
	c.close(Refused, fmt.Sprintf("hook %s of group %s times out after %s, and Ebb as a function looks once in %s: "+
		"set its heartbeat time-out to %s or more, or run ebb serve",
		c.d().Hook, c.d().Group, h.Value.Heartbeat, c.p.Tick, ShortestFor(c.p.Tick)), c.cutOff())
	return true
}

// invalidFor is how many times in a row AWS must refuse a call about the lifecycle action as invalid before that is believed: it takes
// more than a minute, and AWS has refused what was right for a moment.
const invalidFor = 12

// invalid ends a drain about which AWS takes no call: repeating it would change nothing, and the hook ends by its own timeout.
func invalid(c *decider) bool {
	try := c.seen.Tried(plan.Answer)
	if c.instance.Is == fleet.Unknown && try.Class != plan.Invalid {
		try = c.seen.Tried(plan.Beat)
	}
	if try.Class != plan.Invalid || try.Token != "" || try.Fails < invalidFor || try.Flying {
		return false
	}
	c.close(Refused, "Auto Scaling refuses every call about this lifecycle action as invalid: "+try.Message, c.cutOff())
	return true
}

// Deadline is when Ebb lets go of what is left. It lies before the hook's global timeout, whatever the policy says:
// afterwards AWS applies the hook's default result and Ebb's answer comes too late.
// Where only so many may leave at once it counts from when the drain got its slot: until then it has not begun to leave.
// What EC2 ends before that has no longer.
func Deadline(d Drain, hook fleet.Fact[fleet.Hook], p Policy) time.Time {
	if d.asked() {
		return d.Word.Deadline
	}
	at := Later(d.Zero, d.Slot).Add(p.Deadline)
	if !d.Queued.IsZero() && d.Slot.IsZero() {
		at = d.Zero.Add(longestHook)
	}
	if hook.Is == fleet.Seen && hook.Value.Global > 0 {
		if last := d.Zero.Add(hook.Value.Global - hook.Value.Global/20); last.Before(at) {
			at = last
		}
	}
	return fixedEnd(&d, at)
}

// deadline: nothing hangs. What is left when it passes is cut off, by name.
func deadline(c *decider) bool {
	at := Deadline(*c.d(), c.hook, c.p)
	if c.now.Before(at) {
		c.d().Cutting = time.Time{} // it was over until the drain got its slot
		c.wake(at)
		return false
	}
	if c.d().held() && c.instance.Is == fleet.Unknown {
		c.out.Waiting = "to look at the group" // after a restart too, nothing is answered unseen
		c.lookAtGroup(c.p.Look)
		return true
	}
	if c.d().held() && (!c.instance.Value.State.Waiting() || doubtful(c)) {
		return false // there is no hook to answer, or the deadline may be a false one
	}
	if notSeen(c) || heard(c) || overdue(c) {
		return true
	}
	if !outAtTheEnd(c) {
		return false // the steps go on meanwhile: they learn what is on it, or find that everything has stopped
	}
	reason := overText(c, at)
	if w := unseen(c); w != "" {
		reason += "; " + w
	}
	if n := notAsked(c); n > 0 {
		reason += fmt.Sprintf("; ECS had not asked %d of its tasks to stop, most likely because their replacements do not run", n)
	}
	c.end(c, Forced, reason+netText(c, c.liveTasks()), c.cutOff())
	return true
}

// outFor is how long the targets of what is cut off may take to leave their target groups. The hook lasts that long: heartbeats go on.
const outFor = 20 * time.Second

// outAtTheEnd takes what is cut off at the deadline out of its target groups first, so that no request goes to a task that is killed. It
// reports whether nothing is in the way of the answer any more; after a while nothing is.
func outAtTheEnd(c *decider) bool {
	d := c.d()
	if d.Cutting.IsZero() {
		d.Cutting = c.now
	}
	over := c.outBy()
	if d.Intent != nil && d.Intent.Outcome == Forced || !c.now.Before(over) {
		return true
	}
	c.wake(over)
	listed := c.container.Is == fleet.Absent || len(c.running.Starts) > 0
	if !listed && d.ContainerInstance != "" { // perhaps it cannot be set DRAINING, and the steps list nothing
		c.wantAt(d.registered(plan.ListRunning), c.now)
	}
	return c.targetsOut(c.liveTasks(), d.Cutting) && listed
}

// outBy is when nothing is in the way of the answer any more. One run of Ebb has all the time to try: one that was killed in the middle may
// have tried nothing. Passes are such runs, and end before the time is over: the first one that
// begins two minutes after it answers.
func (c *decider) outBy() time.Time {
	cutting := c.d().Cutting
	by := Later(cutting, c.seen.Since()).Add(outFor)
	if last := cutting.Add(outFor + 2*c.p.Tick); c.p.Tick > 0 && last.Before(by) {
		return last
	}
	return by
}

// doubtful reports whether the zero of the deadline is still to be checked. It ends after a while: a look that fails must not make it hang.
func doubtful(c *decider) bool {
	d, began := c.d(), c.began()
	unchecked, since := began.Is == fleet.Unknown || began.At.Add(c.p.Skew).Before(d.WaitingSince), d.WaitingSince
	for _, k := range []plan.ActionKind{plan.Beat, plan.Answer} {
		if try := c.seen.Tried(k); refused(try) {
			since = Later(since, try.At) // the doubt came only then
		}
	}
	return d.Doubt && unchecked && c.now.Sub(since) < 2*time.Minute
}

// unseen says what could not be established, for the reason of a forced ending.
func unseen(c *decider) string {
	switch {
	case len(c.d().Others) > 0:
		return fmt.Sprintf("the instance is registered more than once, and the tasks of %d registrations were not looked at", len(c.d().Others))
	case c.elsewhere():
		return "the instance is in cluster " + c.container.Value.Cluster + " and not in " + c.d().Cluster + ", so its tasks were not looked at"
	case c.container.Is == fleet.Unknown:
		return "the container instance could not be looked at" + c.trouble(plan.FindContainerInstances, plan.ContainerInstances)
	case (len(c.running.Starts) == 0 || len(c.stopped.Starts) == 0) && c.container.Is == fleet.Seen:
		return "its tasks could not be listed" + c.trouble(plan.ListRunning, plan.ListStopped, plan.ListCluster, plan.Homes)
	}
	return ""
}

// trouble is why looks of some kinds fail, as the end of a sentence.
func (c *decider) trouble(kinds ...plan.LookKind) string {
	for _, k := range kinds {
		if why := c.seen.Trouble(k); why != "" {
			return ": " + why
		}
	}
	return ""
}

// lost: ECS has not reached the host for LostAfter. A short break is noise: agents disconnect
// several times an hour. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html
func lost(c *decider) bool {
	d := c.d()
	if d.UnreachedFrom.IsZero() || d.ContainerInstance == "" || c.now.Sub(d.UnreachedFrom) < c.lostAfter() {
		if !d.UnreachedFrom.IsZero() {
			c.wake(d.UnreachedFrom.Add(c.lostAfter()))
		}
		return false
	}
	if c.container.At.Sub(d.UnreachedFrom) < c.lostAfter() || !c.allListed() || c.undescribed() {
		return false // no look after the whole time has confirmed it, or its tasks are not known: the steps go on
	}
	c.lookAtContainer(c.p.Look) // it may be back
	since := d.UnreachedFrom.Add(c.lostAfter())
	if len(c.stopped.Starts) > 0 {
		since = Later(since, c.stopped.Starts[0]) // before that its tasks were not known: it may have waited for a slot
	}
	if !c.targetsOut(c.liveTasks(), since) {
		return true
	}
	if c.now.Sub(c.container.At) > 2*c.p.Look {
		c.out.Waiting = "to see once more whether ECS reaches the instance"
		return true
	}
	if len(d.Others) > 0 {
		c.next(names(c.liveTasks()))
		return true
	}
	c.end(c, Lost, fmt.Sprintf("ECS has not reached the instance for %s; of its tasks %s", c.p.LostAfter, outOf(c, c.liveTasks())), c.cutOff())
	return true
}

func (c *decider) lostAfter() time.Duration { return c.p.LostAfter + c.p.Skew }

// answer is how the drain of a host ends: it notes how the hook is to be answered and sends the answer. CONTINUE always: ABANDON would
// cut other hooks short, and on a group that retains it would keep the instance for ever. Where no hook holds the host, that is all.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func (c *decider) answer(o Outcome, reason string, cut []string) {
	d := c.d()
	if !d.held() {
		part(c, o, reason, cut)
		return
	}
	if d.Intent == nil || d.Intent.Outcome != o {
		d.Intent = &Answer{At: c.now, Outcome: o, Reason: reason, CutOff: cut}
		if d.Observed {
			would(c, "answer %s with CONTINUE: %s", d.Hook, reason)
			answeredElsewhere(c)
			return
		}
		c.note("answer", "answer %s with CONTINUE: %s", d.Hook, reason)
	}
	c.out.Waiting = "for Auto Scaling to take the answer"
	try, i := c.seen.Tried(plan.Answer), c.instance
	if i.Is == fleet.Seen && !i.Value.State.Waiting() {
		c.out.Waiting = "for the hook, which is not open yet: the group says " + stateText(i)
		c.lookAtGroup(c.p.Look)
		return
	}
	// The answer may have had its effect: look first, but not for ever; it can be repeated safely.
	if (try.Class == plan.Unclear || gone(try)) && !i.At.After(try.Started) && c.now.Sub(try.At) < 6*c.p.Retry {
		c.lookAtGroup(0)
		c.wake(c.now.Add(c.p.Retry))
		return
	}
	if c.ready(plan.Answer) {
		call := d.hookCall()
		call.Result = "CONTINUE"
		c.do(plan.Action{Kind: plan.Answer, Why: d.Intent.Reason, Hook: call})
	}
}

func (c *decider) lookAtGroup(pace time.Duration) {
	c.want(c.d().subject(plan.GroupInstances, ""), c.instance.Is, c.instance.At, pace)
}

// BeatAfter is how long after the last success the next heartbeat of a hook is due: a third of its timeout, a little less for each key so
// that many are not due at once, and a tick earlier where Ebb runs only once in a tick.
func BeatAfter(key string, timeout, tick time.Duration) time.Duration {
	return max(timeout/12, timeout/3-jitter(key, 0, timeout/12)-tick)
}

// beat sends a heartbeat a third of the hook's own timeout after the last success, and after a failure at the retry interval, for as
// long as the hook may be open. What was asked is not done: only a success moves the next heartbeat. After the deadline there are
// none: should the answer not get through, the hook's own timeout lets the host go.
func beat(c *decider) {
	d, try, h := c.d(), c.seen.Tried(plan.Beat), c.hook
	if !d.held() || tooSoon(c) {
		return
	}
	c.want(plan.Subject{Kind: plan.Hooks, In: d.Group}, h.Is, h.At, 10*time.Minute)
	until := Deadline(*d, h, c.p)
	if d.Intent == nil && !d.Cutting.IsZero() {
		until = c.outBy().Add(c.p.Tick)
	}
	if !c.now.Before(until) {
		return
	}
	if i := c.instance; i.Is == fleet.Seen && !i.Value.State.Waiting() {
		return // the hook is not open: not yet, or not any more
	}
	if gone(try) && !c.instance.At.After(try.Started) {
		c.lookAtGroup(0)
		c.wake(c.now.Add(c.p.Retry))
		return
	}
	timeout := ShortestHook
	if h.Is == fleet.Seen {
		timeout = h.Value.Heartbeat
	}
	last := cmp.Or(try.OK, d.Zero)
	if d.Adopted && try.OK.IsZero() && c.began().Is == fleet.Unknown && c.trouble(plan.Activities) != "" {
		last = time.Time{} // nobody can say for how long it has waited: the first heartbeat is due
	}
	if c.p.Tick > 0 && h.Is == fleet.Unknown && c.trouble(plan.Groups, plan.Hooks) == "" {
		return // the look is under way
	}
	// Passes send it one tick early, but not again and again in one pass.
	due := last.Add(BeatAfter(d.Key, timeout, c.p.Tick))
	if due.After(c.now) {
		c.wake(due)
		return
	}
	if c.ready(plan.Beat) {
		call := d.hookCall()
		call.Expiring = c.p.Tick > 0 || c.now.Sub(last) > timeout/2 || try.Fails > 0 && try.Class != plan.Throttled
		why := "the hook times out " + timeout.String() + " after the last heartbeat"
		c.do(plan.Action{Kind: plan.Beat, Why: why, Hook: call})
	}
}
