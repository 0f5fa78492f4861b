// Package drain decides for one leaving container instance: what to remember, what to do, what to look at, and when to ask
// again.
//
// It is pure: it never acts, never looks, never reads a clock, and given the same words it answers the same.
//
// A drain is a list of steps (steps.go); the first that is not done acts. Where a drain stands is recomputed from what is
// seen and never stored, so a restart, a doubled message or a lost one changes when, never what. The rules that cut across
// the steps - the end of the hook, the dead host, the deadline, the heartbeat - are in rules.go.
package drain

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Outcome says how a drain ended.
type Outcome string

// The outcomes.
const (
	// Drained: every task had stopped before the hook was answered.
	Drained Outcome = "drained"
	// Forced: the deadline passed with tasks left; CutOff names them.
	Forced Outcome = "forced"
	// HostGone: EC2 said that the instance was not running, so nothing was left to wait for.
	HostGone Outcome = "host-gone"
	// NeverJoined: no cluster knew the instance, in two complete looks a minute apart.
	NeverJoined Outcome = "never-joined"
	// Lost: ECS could not reach the instance for Policy.LostAfter; its targets were deregistered first.
	Lost Outcome = "lost"
	// Elsewhere: the hook ended without Ebb's answer: somebody else answered, or it timed out.
	Elsewhere Outcome = "ended-elsewhere"
	// Refused: the hook's heartbeat time-out is too short for an Ebb that looks once a minute (ShortestFor).
	Refused Outcome = "refused"
	// NotLeaving: the group says that the instance is not being terminated.
	NotLeaving Outcome = "not-leaving"
)

// Policy is how an operator wants drains to go. All durations are positive.
type Policy struct {
	Deadline    time.Duration // from Drain.Zero until Ebb lets go of what is left
	LostAfter   time.Duration // unreachable for this long, as seen by Ebb: lost
	DaemonGrace time.Duration // how long daemon tasks are waited for after the last other task has stopped
	Look        time.Duration // pace of looks
	LookFast    time.Duration // pace once all tasks are stopping
	LookSlow    time.Duration // pace of what seldom changes: the host, the agent
	Retry       time.Duration // after a failed call
	Settle      time.Duration // how far AWS's reads may lag behind its writes: a list younger than this after DRAINING may miss a task
	Skew        time.Duration // how far apart the clocks may be by which what is remembered was timed; zero: it was one clock
	Tick        time.Duration // between two passes of an Ebb that lives for one pass; zero: it lives on
}

// Defaults are the paces of the design, and AWS-independent time-outs.
func Defaults() Policy {
	return Policy{
		Deadline: 30 * time.Minute, LostAfter: 5 * time.Minute, DaemonGrace: 2 * time.Minute,
		Look: 15 * time.Second, LookFast: 5 * time.Second, LookSlow: time.Minute, Retry: 5 * time.Second, Settle: 10 * time.Second,
	}
}

// Answer is how the hook is to be answered and why; it is noted before it is sent.
type Answer struct {
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome"`
	Reason  string    `json:"reason"`
	CutOff  []string  `json:"cut_off,omitempty"`
}

// Drain is what is remembered about one leaving container instance: only what cannot be seen again.
type Drain struct {
	Key               string           `json:"key"`
	Group             string           `json:"group"`
	Hook              string           `json:"hook"`
	Instance          fleet.InstanceID `json:"instance"`
	Token             string           `json:"token,omitempty"`
	ByID              bool             `json:"by_id,omitempty"`   // AWS did not take the token: name the instance instead
	Cluster           string           `json:"cluster,omitempty"` // configured, or where the container instance was found
	ContainerInstance fleet.ARN        `json:"container_instance,omitempty"`
	Adopted           bool             `json:"adopted,omitempty"` // found waiting by the sweep; no message was heard
	WarmPool          bool             `json:"warm_pool,omitempty"`
	Heard             time.Time        `json:"heard"`               // when Ebb learnt of it
	NotBefore         time.Time        `json:"not_before,omitzero"` // of an adopted drain: when its instance was last seen not to wait yet
	Zero              time.Time        `json:"zero"`                // the deadline counts from here: when the instance began to wait, as AWS says

	Doubt         bool      `json:"doubt,omitempty"`         // the zero is to be checked against the termination activity
	Queued        time.Time `json:"queued,omitzero"`         // since when it has waited for its turn to leave, in a group of which only so many may at once
	Slot          time.Time `json:"turn,omitzero"`           // when its turn came: the deadline counts from here then
	Asked         time.Time `json:"asked,omitzero"`          // since when it has been asked to become DRAINING
	AbsentSince   time.Time `json:"absent_since,omitzero"`   // first complete look in which no cluster knew the instance
	UnreachedFrom time.Time `json:"unreached_from,omitzero"` // first look of this run of Ebb in which ECS could not reach the instance, without a break since
	WaitingSince  time.Time `json:"waiting_since,omitzero"`  // first look in which the group said that the instance waits
	StayingSince  time.Time `json:"staying_since,omitzero"`  // first look in which the group said that the instance is not leaving
	DrainingSince time.Time `json:"draining_since,omitzero"` // first seen DRAINING, without a break since
	Agreed        time.Time `json:"agreed,omitzero"`         // first look after a list of the whole cluster at which ECS counted no more tasks than were listed
	EmptySince    time.Time `json:"empty_since,omitzero"`    // no task but daemon tasks has been live since
	Left          []string  `json:"left,omitempty"`          // live tasks as last noted, for people

	Intent *Answer   `json:"intent,omitempty"`
	Ended  time.Time `json:"ended,omitzero"`
	Final  *Answer   `json:"final,omitempty"`
}

// Same reports whether two drains remember the same. It is what reflect.DeepEqual says, in less time: it is asked at every decision.
func (d *Drain) Same(o *Drain) bool {
	return d.Key == o.Key && d.Group == o.Group && d.Hook == o.Hook && d.Instance == o.Instance &&
		d.Token == o.Token && d.ByID == o.ByID && d.Cluster == o.Cluster && d.ContainerInstance == o.ContainerInstance &&
		d.Adopted == o.Adopted && d.WarmPool == o.WarmPool && d.Heard.Equal(o.Heard) && d.NotBefore.Equal(o.NotBefore) &&
		d.Zero.Equal(o.Zero) && d.Doubt == o.Doubt && d.Queued.Equal(o.Queued) && d.Slot.Equal(o.Slot) && d.Asked.Equal(o.Asked) && d.AbsentSince.Equal(o.AbsentSince) &&
		d.UnreachedFrom.Equal(o.UnreachedFrom) && d.WaitingSince.Equal(o.WaitingSince) && d.StayingSince.Equal(o.StayingSince) && d.DrainingSince.Equal(o.DrainingSince) &&
		d.Agreed.Equal(o.Agreed) && d.EmptySince.Equal(o.EmptySince) && d.Ended.Equal(o.Ended) &&
		slices.Equal(d.Left, o.Left) && d.Intent.same(o.Intent) && d.Final.same(o.Final)
}

func (a *Answer) same(o *Answer) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.At.Equal(o.At) && a.Outcome == o.Outcome && a.Reason == o.Reason && slices.Equal(a.CutOff, o.CutOff)
}

// Open reports whether the drain still goes on.
func (d Drain) Open() bool { return d.Ended.IsZero() }

// token is what names the lifecycle action to AWS: the token, or nothing, and then the instance id does.
func (d Drain) token() string {
	if d.ByID {
		return ""
	}
	return d.Token
}

// hookCall names the lifecycle action to AWS.
func (d Drain) hookCall() *plan.HookCall {
	return &plan.HookCall{Group: d.Group, Hook: d.Hook, Instance: d.Instance, Token: d.token()}
}

// Try is what came of the attempts at one kind of action in this run of Ebb.
type Try struct {
	Flying  bool      // sent, no result yet
	Started time.Time // of the latest attempt
	At      time.Time // when its result came
	Class   plan.Class
	Message string
	Fails   int       // failures in a row
	OK      time.Time // start of the latest successful attempt
	Token   string    // that the latest attempt was sent with
}

// Observation is what is known about one leaving container instance.
type Observation struct {
	Instance  fleet.Fact[fleet.GroupInstance]
	Hook      fleet.Fact[fleet.Hook]
	Machine   fleet.Fact[fleet.InstanceState]
	Began     fleet.Fact[time.Time] // start of the termination activity
	Container fleet.Fact[fleet.ContainerInstance]
	Turn      Slot
	Before    time.Time                // start of the look at the container instance before that; zero: none
	Running   []time.Time              // starts of the complete lists of its tasks with desired status RUNNING made in this run of Ebb, oldest first
	Whole     time.Time                // when the newest of those lists had come in full
	Paged     bool                     // that was a list of the whole cluster, page by page
	Stopped   []time.Time              // the same with desired status STOPPED
	Tasks     []fleet.Fact[fleet.Task] // every task ever listed there, by ARN; Unknown: only listed yet; Absent: AWS no longer knows it. Not changed by Decide
	Service   func(name string) fleet.Fact[fleet.Service]
	Health    func(tg fleet.ARN, t fleet.TargetID) fleet.Fact[fleet.Health]
	Delay     func(tg fleet.ARN) fleet.Fact[time.Duration] // deregistration delay
	Tried     map[plan.ActionKind]Try
	Trouble   func(plan.LookKind) string // why looks of a kind have failed lately, for people; empty: they have not
}

// Slot says how many of a group leave, and how many may.
type Slot struct {
	Limited bool // only so many may
	Leave   int  // do
	Limit   int  // may
}

// Line is one line for the journal.
type Line struct{ Kind, Text string }

// Want is a look that a drain needs at one subject, no earlier than Due. The kernel merges the wants of all drains.
type Want struct {
	plan.Subject
	Due time.Time
}

// Decision is what follows from an observation.
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
	o   Observation
	p   Policy
	now time.Time
	out Decision
}

// Decide says what to do now about d, given what is known.
func Decide(d Drain, o Observation, p Policy, now time.Time) Decision {
	c := &decider{o: o, p: p, now: now, out: Decision{Drain: d}}
	if !d.Open() {
		return c.out
	}
	c.out.Want = make([]Want, 0, 6+len(o.Tasks))
	c.remember()
	if !c.ended() && !c.refuse() && !c.hostGone() && !c.deadline() && !c.lost() {
		for _, done := range steps {
			if !done(c) {
				break
			}
		}
	}
	if c.out.Drain.Open() {
		c.beat()
	}
	return c.out
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
	c.out.Want = append(c.out.Want, Want{s, due})
}

// ready reports whether an action of the kind may be sent now: none is on its way, and a failed one has waited for the retry
// interval, with jitter by target and count so that a thousand drains do not retry as one.
func (c *decider) ready(k plan.ActionKind) bool {
	t := c.o.Tried[k]
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

// jitter is a share of max that depends on the key and the count alone.
func jitter(key string, n int, max time.Duration) time.Duration {
	if max <= 0 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	h.Write([]byte{byte(n), byte(n >> 8)})
	return time.Duration(h.Sum32()) % max
}
