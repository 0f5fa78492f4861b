// Package drain decides for one target that leaves: what to remember, what to do, what to look at, and when to decide again.
//
// It is pure: it never acts, never looks and never reads a clock; the same inputs give the same decision.
//
// How a target leaves is its course (course.go): steps (steps.go), of which the first that is not done acts, and rules that apply at
// every step (rules.go): the hook has ended, the host is gone, the deadline has passed. Which step a drain is at is computed from what
// is seen and never stored. So a restart, and a message that comes twice or not at all, can change when something happens, not what.
package drain

import (
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
	// Refused: the hook's heartbeat timeout is too short for an Ebb that looks once a minute (ShortestFor).
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
	Skew        time.Duration // how far apart the clocks of the Ebbs that wrote the drain may be; zero: it was one clock
	Tick        time.Duration // between two passes, where Ebb runs as a function; zero: it runs all the time
}

// Defaults is the policy where a configuration says nothing.
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

// courses has a row for each kind of target.
var courses = map[fleet.TargetKind]course{
	fleet.Host: hostCourse,
}

// Drain is what is remembered about one target that leaves: only what cannot be seen again. A zero time has not come yet.
type Drain struct {
	Key    string       // in the journal; no other drain ever has it
	Target fleet.Target // what leaves
	Heard  time.Time    // when Ebb learnt of it
	// Zero is when the target began to leave, as AWS says: the deadline counts from here. It is never after the time of the decision.
	Zero time.Time
	// Queued is since when it has waited for a slot; it stays once the slot has come. Zero: it never had to.
	Queued time.Time
	// Slot is when it got one of the slots of those that may leave at once; not before Queued. The deadline counts from here then.
	Slot time.Time
	Left []string // live tasks as last noted, for people

	Hold // what holds the target until Ebb answers; zero: nothing does
	Host // what is remembered of a host

	Intent *Answer   // how it is to end, as decided; the decision is noted before it is sent
	Ended  time.Time // when it ended; Final is set then
	Final  *Answer
}

// Hold is a lifecycle hook that holds an instance of an Auto Scaling group. The zero Hold is none: a notice with a fixed end, or an
// operator's word.
type Hold struct {
	Group    string
	Hook     string
	Token    string // of the lifecycle action; empty: not known
	ByID     bool   // AWS did not accept the token: name the instance instead
	Adopted  bool   // found waiting by the sweep; no message was heard
	WarmPool bool   // the instance returns to its warm pool
	Doubt    bool   // Zero is to be checked against the termination activity
	// NotBefore is when the sweep last saw the instance leave but not yet wait, for an adopted drain. Zero is not before it.
	NotBefore time.Time
	// WaitingSince is the first look in which the group said that the instance waits, and every look since has said so.
	WaitingSince time.Time
	// StayingSince is the first look in which the group said that the instance is not leaving, and every look since has said so. At
	// most one of WaitingSince and StayingSince is set.
	StayingSince time.Time
}

// Host is what is remembered of the container instance that an EC2 instance is.
type Host struct {
	Cluster           string // configured, or where the container instance was found; it never changes once it is known
	ContainerInstance fleet.ARN
	Asked             time.Time // since when ECS has been asked to set it DRAINING; zero again once it is
	// AbsentSince is the start of the first complete look in which no cluster knew the instance; zero again once one does.
	AbsentSince time.Time
	// UnreachedFrom is the start of the first look in which ECS could not reach the instance, and every look since has said so, without
	// a gap: what nobody looked at is not counted.
	UnreachedFrom time.Time
	// DrainingSince is the first decision that knew it to be DRAINING, without a break since. Never earlier than it was true.
	DrainingSince time.Time
	// Agreed is the first look, after a list of the whole cluster, at which ECS counted no more tasks than were listed.
	Agreed time.Time
	// EmptySince is since when no task but daemon tasks has been live. Not before DrainingSince.
	EmptySince time.Time
}

// Same reports whether two drains remember the same. It says what reflect.DeepEqual says, but faster: it runs at every decision.
func (d *Drain) Same(o *Drain) bool {
	return d.Key == o.Key && d.Target == o.Target && d.Heard.Equal(o.Heard) && d.Zero.Equal(o.Zero) && d.Queued.Equal(o.Queued) &&
		d.Slot.Equal(o.Slot) && slices.Equal(d.Left, o.Left) && d.Hold.same(&o.Hold) && d.Host.same(&o.Host) &&
		d.Intent.same(o.Intent) && d.Ended.Equal(o.Ended) && d.Final.same(o.Final)
}

func (h *Hold) same(o *Hold) bool {
	return h.Group == o.Group && h.Hook == o.Hook && h.Token == o.Token && h.ByID == o.ByID && h.Adopted == o.Adopted &&
		h.WarmPool == o.WarmPool && h.Doubt == o.Doubt && h.NotBefore.Equal(o.NotBefore) &&
		h.WaitingSince.Equal(o.WaitingSince) && h.StayingSince.Equal(o.StayingSince)
}

func (h *Host) same(o *Host) bool {
	return h.Cluster == o.Cluster && h.ContainerInstance == o.ContainerInstance && h.Asked.Equal(o.Asked) &&
		h.AbsentSince.Equal(o.AbsentSince) && h.UnreachedFrom.Equal(o.UnreachedFrom) && h.DrainingSince.Equal(o.DrainingSince) &&
		h.Agreed.Equal(o.Agreed) && h.EmptySince.Equal(o.EmptySince)
}

func (a *Answer) same(o *Answer) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.At.Equal(o.At) && a.Outcome == o.Outcome && a.Reason == o.Reason && slices.Equal(a.CutOff, o.CutOff)
}

// Open reports whether the drain still goes on.
func (d Drain) Open() bool { return d.Ended.IsZero() }

// Instance is the EC2 instance that leaves.
func (d Drain) Instance() fleet.InstanceID { return fleet.InstanceID(d.Target.ID) }

// held reports whether a hook holds the target.
func (d *Drain) held() bool { return d.Hook != "" }

// token is what names the lifecycle action to AWS: the token, or nothing, and then the instance id does.
func (d *Drain) token() string {
	if d.ByID {
		return ""
	}
	return d.Token
}

// hookCall names the lifecycle action to AWS.
func (d *Drain) hookCall() *plan.HookCall {
	return &plan.HookCall{Group: d.Group, Hook: d.Hook, Instance: d.Instance(), Token: d.token()}
}

// subject is the target as something to look at.
func (d *Drain) subject(k plan.LookKind, in string) plan.Subject {
	return plan.Subject{Kind: k, In: in, ID: d.Target.ID}
}

// registered is the container instance as something to look at.
func (d *Drain) registered(k plan.LookKind) plan.Subject {
	return plan.Subject{Kind: k, In: d.Cluster, ID: string(d.ContainerInstance)}
}

// Record is a drain as the journal keeps it: one flat object, in this order since the first journals.
type Record struct {
	Key               string           `json:"key"`
	Group             string           `json:"group"`
	Hook              string           `json:"hook"`
	Instance          fleet.InstanceID `json:"instance"`
	Token             string           `json:"token,omitempty"`
	ByID              bool             `json:"by_id,omitempty"`
	Cluster           string           `json:"cluster,omitempty"`
	ContainerInstance fleet.ARN        `json:"container_instance,omitempty"`
	Adopted           bool             `json:"adopted,omitempty"`
	WarmPool          bool             `json:"warm_pool,omitempty"`
	Heard             time.Time        `json:"heard"`
	NotBefore         time.Time        `json:"not_before,omitzero"`
	Zero              time.Time        `json:"zero"`
	Doubt             bool             `json:"doubt,omitempty"`
	Queued            time.Time        `json:"queued,omitzero"`
	Slot              time.Time        `json:"turn,omitzero"`
	Asked             time.Time        `json:"asked,omitzero"`
	AbsentSince       time.Time        `json:"absent_since,omitzero"`
	UnreachedFrom     time.Time        `json:"unreached_from,omitzero"`
	WaitingSince      time.Time        `json:"waiting_since,omitzero"`
	StayingSince      time.Time        `json:"staying_since,omitzero"`
	DrainingSince     time.Time        `json:"draining_since,omitzero"`
	Agreed            time.Time        `json:"agreed,omitzero"`
	EmptySince        time.Time        `json:"empty_since,omitzero"`
	Left              []string         `json:"left,omitempty"`
	Intent            *Answer          `json:"intent,omitempty"`
	Ended             time.Time        `json:"ended,omitzero"`
	Final             *Answer          `json:"final,omitempty"`
}

// Record is the drain of a host as the journal keeps it.
func (d *Drain) Record() Record {
	return Record{
		Key: d.Key, Instance: d.Instance(), Heard: d.Heard, Zero: d.Zero, Queued: d.Queued, Slot: d.Slot, Left: d.Left,
		Group: d.Group, Hook: d.Hook, Token: d.Token, ByID: d.ByID, Adopted: d.Adopted, WarmPool: d.WarmPool, Doubt: d.Doubt,
		NotBefore: d.NotBefore, WaitingSince: d.WaitingSince, StayingSince: d.StayingSince,
		Cluster: d.Cluster, ContainerInstance: d.ContainerInstance, Asked: d.Asked, AbsentSince: d.AbsentSince,
		UnreachedFrom: d.UnreachedFrom, DrainingSince: d.DrainingSince, Agreed: d.Agreed, EmptySince: d.EmptySince,
		Intent: d.Intent, Ended: d.Ended, Final: d.Final,
	}
}

// Drain is the drain of a host that a record tells of.
func (r *Record) Drain() Drain {
	return Drain{
		Key: r.Key, Target: fleet.HostTarget(r.Instance), Heard: r.Heard, Zero: r.Zero, Queued: r.Queued, Slot: r.Slot, Left: r.Left,
		Hold: Hold{
			Group: r.Group, Hook: r.Hook, Token: r.Token, ByID: r.ByID, Adopted: r.Adopted, WarmPool: r.WarmPool, Doubt: r.Doubt,
			NotBefore: r.NotBefore, WaitingSince: r.WaitingSince, StayingSince: r.StayingSince,
		},
		Host: Host{
			Cluster: r.Cluster, ContainerInstance: r.ContainerInstance, Asked: r.Asked, AbsentSince: r.AbsentSince,
			UnreachedFrom: r.UnreachedFrom, DrainingSince: r.DrainingSince, Agreed: r.Agreed, EmptySince: r.EmptySince,
		},
		Intent: r.Intent, Ended: r.Ended, Final: r.Final,
	}
}
