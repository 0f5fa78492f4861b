package steps

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// took takes in which steps have ended. One that was running when the agent ended is made anew.
func (c *decider) took() {
	for i := range c.st().Runs {
		r := &c.st().Runs[i]
		if !r.Ended.IsZero() || r.Done {
			continue
		}
		end := End{Outcome: Interrupted, At: c.now, Text: "the agent was stopped meanwhile"}
		if n := slices.IndexFunc(c.seen.Ended, func(e End) bool { return e.Step == r.Step && e.Attempt == r.Attempt }); n >= 0 {
			end = c.seen.Ended[n]
		} else if c.seen.Running == r.Step {
			continue
		}
		s := c.step(r.Step)
		r.Ended, r.Outcome, r.Text = end.At, end.Outcome, end.Text
		if end.Outcome == Interrupted {
			r.Broken++
		}
		r.Done = end.Outcome == OK || r.Broken >= interruptions || r.Attempt-r.Broken > s.Retries
		c.line("step %s, attempt %d: %s after %s", r.Step, r.Attempt, r.Outcome, r.Ended.Sub(r.Began).Round(time.Millisecond))
		if r.Done && r.Outcome != OK && s.OnFailure == Stop {
			c.decide(c.failed(), "step "+r.Step+" "+string(r.Outcome)+", and no further step is to follow")
		}
	}
}

// failed is how the hook is answered after a failure: at a launch, Auto Scaling is to replace the host.
func (c *decider) failed() string {
	if c.st().Cause == Launch {
		return "ABANDON"
	}
	return "CONTINUE"
}

// step is a step of the plan by its name. One that is not in it any more failed for good.
func (c *decider) step(name string) Step {
	for _, s := range c.Steps {
		if s.Name == name {
			return s
		}
	}
	return Step{Name: name, OnFailure: Continue}
}

func (c *decider) run(name string) *Run {
	for i := range c.st().Runs {
		if c.st().Runs[i].Step == name {
			return &c.st().Runs[i]
		}
	}
	return nil
}

func (c *decider) over() bool { return !c.end().IsZero() && !c.now.Before(c.end()) }

// open reports whether steps that are not early may begin: the hook is open or the end is fixed, and on a container instance the tasks are gone,
// or waiting for them any longer would leave no time for the steps.
func (c *decider) open() bool {
	st, end := c.st(), c.end()
	if end.IsZero() {
		return false
	}
	if !c.ECS || st.Cause == Launch || !st.Empty.IsZero() {
		return true
	}
	if d := c.seen.Drained; d.Is == fleet.Seen && d.Value && !d.At.Before(cmp.Or(st.Opened, st.Heard)) {
		st.Empty = d.At
		c.line("no task is on the host any more")
		return true
	}
	from := cmp.Or(st.Opened, st.Heard)
	need := time.Duration(0)
	for _, s := range c.left() {
		need += s.Timeout
	}
	if latest := end.Add(-min(need, end.Sub(from)/2)); c.now.Before(latest) {
		c.wake(latest)
		c.want(LookTasks, c.seen.Drained.At, retryAfter)
		return false
	}
	st.Empty = c.now
	c.line("tasks are left on the host, but the steps need the time that remains")
	return true
}

// left are the steps that have not ended for good, in the order in which they are to run.
func (c *decider) left() []Step {
	var left []Step
	for _, s := range c.Steps {
		if r := c.run(s.Name); s.Runs(c.st().Cause) && (r == nil || !r.Done) {
			left = append(left, s)
		}
	}
	if !c.st().Ends.IsZero() {
		slices.SortStableFunc(left, func(a, b Step) int { return cmp.Compare(a.Priority, b.Priority) })
	}
	return left
}

// steps begins the next step, ends one whose time is over, and decides the answer when there is none left.
func (c *decider) steps() {
	st := c.st()
	if name := c.seen.Running; name != "" {
		c.watch(name)
		return
	}
	if st.Result != "" {
		return
	}
	open, left := c.open(), c.left()
	if held := c.held(); held != "" && !c.over() {
		c.wake(c.end())
		return
	} else if held != "" {
		c.decide(c.failed(), "step "+held+" failed, and the host was kept until the deadline")
		return
	}
	if !open {
		left = slices.DeleteFunc(left, func(s Step) bool { return !s.Early })
	}
	if len(left) == 0 {
		if open {
			c.decide("CONTINUE", "every step has ended")
		}
		return
	}
	c.begin(left)
}

// begin begins the first step that is left. One that has failed waits a little, and those after it wait with it.
func (c *decider) begin(left []Step) {
	s, r, end := left[0], c.run(left[0].Name), c.end()
	switch {
	case c.over():
		for _, s := range left {
			c.skip(s, "no time was left for it")
		}
		c.decide(c.failed(), "the time of the steps is over")
		return
	case r == nil:
		c.st().Runs = append(c.st().Runs, Run{Step: s.Name})
		r = c.run(s.Name)
	case c.now.Before(r.Ended.Add(retryAfter)):
		c.wake(r.Ended.Add(retryAfter))
		return
	}
	*r = Run{Step: s.Name, Attempt: r.Attempt + 1, Broken: r.Broken, Began: c.now}
	until := c.now.Add(s.Timeout)
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	c.out.Start = &Start{Step: s.Name, Attempt: r.Attempt, Until: until}
	c.wake(until)
	c.line("step %s begins, attempt %d; it has until %s", s.Name, r.Attempt, until.UTC().Format("15:04:05 UTC"))
}

// watch ends the step that runs when its time is over. If it cannot be ended, it is left behind.
func (c *decider) watch(name string) {
	r := c.run(name)
	if r == nil {
		return
	}
	until := r.Began.Add(c.step(name).Timeout)
	if end := c.end(); !end.IsZero() && end.Before(until) {
		until = end
	}
	if c.now.Before(until) {
		c.wake(until)
		return
	}
	c.out.Kill = name
	if stuck := until.Add(killFor); c.now.Before(stuck) {
		c.wake(stuck)
	} else if c.over() {
		c.decide(c.failed(), "the time of the steps is over, and step "+name+" could not be ended")
	}
}

// held is the step after whose failure the host is to be kept; empty: there is none.
func (c *decider) held() string {
	for _, r := range c.st().Runs {
		if r.Done && r.Outcome != OK && r.Outcome != Skipped && c.step(r.Step).OnFailure == Hold {
			return r.Step
		}
	}
	return ""
}

func (c *decider) skip(s Step, why string) {
	r := c.run(s.Name)
	if r == nil {
		c.st().Runs = append(c.st().Runs, Run{Step: s.Name})
		r = c.run(s.Name)
	}
	r.Done, r.Ended, r.Outcome = true, c.now, Skipped
	r.Text = why
	c.line("step %s is skipped: %s", s.Name, why)
}

// decide is how the hook is answered. The first decision counts.
func (c *decider) decide(result, why string) {
	st := c.st()
	if st.Result != "" {
		return
	}
	st.Result, st.Why, st.Decided = result, why, c.now
	for _, s := range c.left() {
		if s.Name != c.seen.Running {
			c.skip(s, why)
		}
	}
	c.line("%s: %s", result, why)
}
