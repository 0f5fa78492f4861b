package drain

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// course is how the targets of one kind leave.
type course struct {
	rules []func(*decider) bool // apply at every step; the first that does ends the decision
	steps []func(*decider) bool // the first that is not done says what to do or to look at, and those after it wait
	after []func(*decider)      // go on at every step, until the drain has ended
	// end lets the target go, with how and why and what was cut off. It is called at each decision until the drain has ended.
	end func(c *decider, o Outcome, reason string, cut []string)
}

// Seen is what is known when a drain decides. A decision changes nothing of it.
type Seen interface {
	// Fact is the *fleet.Fact that is known of a subject, or nil. The type of its value is what plan says of the kind of look.
	Fact(plan.Subject) any
	// Tasks are all tasks ever listed on the target, by ARN. Unknown: it was only listed yet; Absent: AWS no longer knows it.
	Tasks() []*fleet.Fact[fleet.Task]
	// Lists are the complete lists of the target's tasks, for ListRunning or ListStopped.
	Lists(plan.LookKind) Lists
	// Tried is what came of the attempts at an action in this run of Ebb.
	Tried(plan.ActionKind) Try
	// Slot says how many of the target's group leave, and how many may, and whether none may begin.
	Slot() Slot
	// Taken are the targets of a target group that open drains have taken out early, or are about to.
	Taken(group fleet.ARN) []Taken
	// Since is when this run of Ebb first decided about the target.
	Since() time.Time
	// Trouble is why looks of a kind fail, for people; empty: they do not.
	Trouble(plan.LookKind) string
}

// Lists are the complete lists of a container instance's tasks with one desired status.
type Lists struct {
	Starts []time.Time // when each was started, each later than the one before
	Whole  time.Time   // when the newest had come in full; not before its start
	Paged  bool        // the newest was one of the whole cluster, page by page
}

// Try is what came of the attempts at one kind of action in this run of Ebb.
type Try struct {
	Flying  bool      // sent, no result yet
	Started time.Time // of the latest attempt
	At      time.Time // when its result came; not before Started
	Class   plan.Class
	Message string
	Fails   int       // failures in a row
	OK      time.Time // start of the latest attempt that succeeded; not after Started
	Token   string    // that the latest attempt was sent with
}

// Slot says how many of a group leave, and how many may, and whether an operator lets none begin.
type Slot struct {
	Limited  bool      // only so many may
	Leave    int       // do
	Limit    int       // may
	Paused   string    // none may begin: who has said so, and until when, for people; empty: nobody has
	Until    time.Time // the pause lasts
	Excluded bool      // the group has the tag fleet.ExcludeTag, or had it when an earlier kernel saw it: Ebb does not drain its instances
	Unread   bool      // the tags of the group have not been read yet by this kernel
}

// Line is one line for the journal.
type Line struct{ Kind, Text string }

// Want is a look that a drain needs at one subject, no earlier than Due. The kernel merges the wants of all drains.
type Want struct {
	plan.Subject
	Due    time.Time
	Needed bool // the drain waits for it; of Delays: otherwise it only saves calls
}

// Decision is what follows from what is known.
type Decision struct {
	Drain   Drain
	Lines   []Line
	Do      []plan.Action
	Want    []Want
	Wake    time.Time // decide again no later than this, looks apart; zero: when something is learnt
	Waiting string    // what it waits for, for people

	Uncounted bool // ECS counts tasks on it that no list shows
}

// decider carries one call of Decide.
type decider struct {
	seen Seen
	p    Policy
	now  time.Time
	course
	out Decision

	// What nearly every rule and step reads, read once.
	instance  fleet.Fact[fleet.GroupInstance] // as its group says
	hook      fleet.Fact[fleet.Hook]
	ec2       fleet.Fact[fleet.InstanceState] // as EC2 says
	container fleet.Fact[fleet.ContainerInstance]
	tasks     []*fleet.Fact[fleet.Task]
	running   Lists
	stopped   Lists
}

// Decide says what to do now about d, given what is known.
func Decide(d Drain, seen Seen, p Policy, now time.Time) Decision {
	c := &decider{seen: seen, p: p, now: now, course: courses[d.Target.Kind], out: Decision{Drain: d}}
	if !d.Open() {
		return c.out
	}
	if d.Agent {
		c.course = agentCourse
	}
	if d.InMinutes() {
		c.p = inMinutes(p)
	}
	c.read()
	c.out.Want = make([]Want, 0, 6+len(c.tasks))
	watchOrDo(c)
	remember(c)
	if !slices.ContainsFunc(c.rules, func(applies func(*decider) bool) bool { return applies(c) }) {
		for _, done := range c.steps {
			if !done(c) {
				break
			}
		}
	}
	for _, f := range c.after {
		if c.out.Drain.Open() {
			f(c)
		}
	}
	return c.out
}

// read reads what is known of the target.
func (c *decider) read() {
	d := c.d()
	c.instance = factOf[fleet.GroupInstance](c, d.subject(plan.GroupInstances, ""))
	c.hook = factOf[fleet.Hook](c, plan.Subject{Kind: plan.Hooks, In: d.Group})
	c.ec2 = factOf[fleet.InstanceState](c, d.subject(plan.Instances, ""))
	c.container = factOf[fleet.ContainerInstance](c, d.subject(plan.FindContainerInstances, ""))
	c.tasks, c.running, c.stopped = c.seen.Tasks(), c.seen.Lists(plan.ListRunning), c.seen.Lists(plan.ListStopped)
	if len(d.Others)+len(d.Emptied) == 0 {
		return
	}
	if slices.Contains(d.Emptied, c.container.Value.ARN) {
		c.container = fleet.Fact[fleet.ContainerInstance]{} // of the registration before this one
	}
	c.tasks = slices.DeleteFunc(slices.Clone(c.tasks), func(f *fleet.Fact[fleet.Task]) bool {
		return f.Is == fleet.Seen && f.Value.ContainerInstance != d.ContainerInstance
	})
}

// factOf is what is known of a subject; Unknown where nobody has looked.
func factOf[T any](c *decider, s plan.Subject) fleet.Fact[T] {
	if f, ok := c.seen.Fact(s).(*fleet.Fact[T]); ok {
		return *f
	}
	return fleet.Fact[T]{}
}

func (c *decider) d() *Drain { return &c.out.Drain }

func (c *decider) note(kind, format string, args ...any) {
	c.out.Lines = append(c.out.Lines, Line{kind, fmt.Sprintf(format, args...)})
}

func (c *decider) wake(at time.Time) {
	if c.out.Wake.IsZero() || at.Before(c.out.Wake) {
		c.out.Wake = at
	}
}

// want asks for a look once the fact is older than pace, at once if nothing is known.
func (c *decider) want(s plan.Subject, known fleet.Knowledge, at time.Time, pace time.Duration) {
	due := c.now
	if known != fleet.Unknown && at.Add(pace).After(c.now) {
		due = at.Add(pace)
	}
	c.wantAt(s, due)
}

// wantAt asks for a look at a time.
func (c *decider) wantAt(s plan.Subject, due time.Time) {
	c.out.Want = append(c.out.Want, Want{Subject: s, Due: due})
}

// ready reports whether an action of the kind may be sent now: none is under way, and a failed one has waited for the retry
// interval, with jitter by target and count so that a thousand drains do not retry at once.
func (c *decider) ready(k plan.ActionKind) bool {
	t := c.seen.Tried(k)
	if t.Flying {
		return false
	}
	if t.Fails == 0 {
		return true
	}
	at := t.At.Add(c.p.Retry + jitter(c.d().Key, t.Fails, c.p.Retry/2))
	if at.After(c.now) {
		c.wake(at)
		return false
	}
	return true
}

// do asks for an action on the target. Of one that is only observed nothing is asked.
func (c *decider) do(a plan.Action) {
	if c.p.Observe {
		return
	}
	a.Target = c.d().Target
	c.out.Do = append(c.out.Do, a)
}

// close ends the drain.
func (c *decider) close(o Outcome, reason string, cut []string) {
	d := c.d()
	d.Ended = c.now
	d.Final = &Answer{At: c.now, Outcome: o, Reason: reason, CutOff: cut}
	text := fmt.Sprintf("%s: %s", o, reason)
	if d.Observed && o != Incomplete {
		text = "observed, " + text
		if d.Intent != nil && d.Intent.Outcome == o {
			d.Final.At = d.Intent.At
			text += "; Ebb would have answered at " + d.Final.At.UTC().Format("15:04:05 UTC")
		}
	}
	if len(cut) > 0 {
		text += "; cut off: " + strings.Join(cut, ", ")
	}
	if d.Final.CutsOff() && !d.Observed {
		c.note("cut-off", "%s ends with work on it, as far as is known: %s", d.Target.ID, cmp.Or(strings.Join(cut, ", "), "nothing"))
	}
	c.note("ended", "%s", text)
}

// jitter is a share of max that depends on the key and the count alone.
func jitter(key string, n int, max time.Duration) time.Duration {
	if max <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	h.Write([]byte{byte(n), byte(n >> 8)})
	return time.Duration(h.Sum64() % uint64(max))
}
