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
	// ByAgent: the hook of the host's agent ended without Ebb: the agent answered, or the hook timed out.
	ByAgent Outcome = "by-agent"
	// Refused: the hook's heartbeat timeout is too short for an Ebb that looks once a minute (ShortestFor), or AWS takes no call about it.
	Refused Outcome = "refused"
	// NotLeaving: the group says that the instance is not being terminated.
	NotLeaving Outcome = "not-leaving"
	// Excluded: an operator has tagged the group with fleet.ExcludeTag, and the drain had not begun.
	Excluded Outcome = "excluded"
	// Cancelled: an operator has taken back the word that the host is to be drained.
	Cancelled Outcome = "cancelled"
	// Overdue: an operator's deadline passed with tasks left; the host stays as it is, and nothing is cut off.
	Overdue Outcome = "overdue"
	// Incomplete: of a drain that was only observed. Its hook ended before Ebb would have answered it.
	Incomplete Outcome = "observed-incomplete"
	// Unreadable: what the journal had of the drain could not be read. If the instance waits, the sweep finds it again.
	Unreadable Outcome = "unreadable"
)

// Outcomes are all of them.
func Outcomes() []Outcome {
	return []Outcome{Drained, Forced, HostGone, NeverJoined, Lost, Elsewhere, ByAgent, Refused, NotLeaving, Excluded, Cancelled, Overdue, Incomplete, Unreadable}
}

// Policy is how an operator wants drains to go. All durations are positive.
type Policy struct {
	Deadline     time.Duration  // from Drain.Zero until Ebb lets go of what is left
	LostAfter    time.Duration  // unreachable for this long, as seen by Ebb: lost
	DaemonGrace  time.Duration  // how long daemon tasks are waited for after the last other task has stopped
	Look         time.Duration  // pace of looks
	LookFast     time.Duration  // pace once all tasks are stopping
	LookSlow     time.Duration  // pace of what seldom changes: the host, the agent
	Retry        time.Duration  // after a failed call
	Settle       time.Duration  // how far AWS's reads may lag behind its writes: a list younger than this after DRAINING may miss a task
	Skew         time.Duration  // how far apart the clocks of the Ebbs that wrote the drain may be; zero: it was one clock
	Tick         time.Duration  // between two passes, where Ebb runs as a function; zero: it runs all the time
	Observe      bool           // only watch: everything is decided, and nothing is done
	TrafficFirst []TrafficFirst // of which services traffic leaves first; in all clusters
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
	Stays   bool      `json:"stays,omitempty"` // the host was to be terminated, and Auto Scaling does not
}

// CutsOff reports whether a drain that ends so may have lost work: a person should know. Daemon tasks that are cut off after everything else
// has stopped are no loss.
func (a *Answer) CutsOff() bool {
	return a.Outcome == Forced || a.Outcome == Refused || a.Outcome != Drained && len(a.CutOff) > 0
}

// courses has a row for each kind of target.
var courses = map[fleet.TargetKind]course{
	fleet.Host:    hostCourse,
	fleet.OneTask: taskCourse,
}

// Drain is what is remembered about one target that leaves: only what cannot be seen again. A zero time has not come yet. The tags are its
// form in the journal: one flat object, whose names stay, so that an Ebb before or after goes on with it.
type Drain struct {
	Key    string       `json:"key"`   // in the journal; no other drain ever has it
	Target fleet.Target `json:"-"`     // what leaves; the record names it by its kind
	Heard  time.Time    `json:"heard"` // when Ebb learnt of it
	// Zero is when the target began to leave, as AWS says: the deadline counts from here. It is never after the time of the decision.
	Zero time.Time `json:"zero"`
	// Queued is since when it has waited for a slot; it stays once the slot has come. Zero: it never had to.
	Queued time.Time `json:"queued,omitzero"`
	// Slot is when it got one of the slots of those that may leave at once; not before Queued. The deadline counts from here then.
	Slot time.Time `json:"turn,omitzero"`
	// Cutting is the first decision after the deadline: what is left is taken out of its target groups, and then cut off.
	Cutting time.Time `json:"cutting,omitzero"`
	Left    []string  `json:"left,omitempty"` // live tasks as last noted, for people
	// Others are further registrations of the host as a container instance, which are drained after this one. None of them is in Emptied.
	Others []fleet.Registration `json:"others,omitempty"`
	// Emptied are registrations that have been drained, or given up; Lost names the tasks that were on those given up.
	Emptied []fleet.ARN `json:"emptied,omitempty"`
	Lost    []string    `json:"lost,omitempty"`
	// Admitted: it has begun, and its group was not excluded then.
	Admitted bool `json:"admitted,omitempty"`
	// Observed: it is only watched, and Intent is what Ebb would have done. Would is what it would have done on the way, each once.
	Observed bool     `json:"observed,omitempty"`
	Would    []string `json:"would,omitempty"`

	Hold   // what holds the target until Ebb answers; zero: nothing does
	Host   // what is remembered of a host
	Said   // an operator's word; zero: the drain is another's
	Notice // of EC2; zero: none was heard
	Task   // what is remembered of a task
	Early  // targets that are taken out before DRAINING; zero: none are

	Intent *Answer   `json:"intent,omitempty"` // how it is to end, as decided; the decision is noted before it is sent
	Ended  time.Time `json:"ended,omitzero"`   // when it ended; Final is set then
	Final  *Answer   `json:"final,omitempty"`
}

// Hold is a lifecycle hook that holds an instance of an Auto Scaling group. The zero Hold is none: a notice with a fixed end, or an
// operator's word.
type Hold struct {
	Group    string `json:"group"`
	Hook     string `json:"hook"`
	Token    string `json:"token,omitempty"`     // of the lifecycle action; empty: not known
	ByID     bool   `json:"by_id,omitempty"`     // AWS did not accept the token: name the instance instead
	Adopted  bool   `json:"adopted,omitempty"`   // found waiting by the sweep; no message was heard
	WarmPool bool   `json:"warm_pool,omitempty"` // the instance returns to its warm pool
	Agent    bool   `json:"agent,omitempty"`     // the hook is that of the host's agent, and is only followed
	Doubt    bool   `json:"doubt,omitempty"`     // Zero is to be checked against the termination activity
	// NotBefore is when the sweep last saw the instance leave but not yet wait, for an adopted drain. Zero is not before it.
	NotBefore time.Time `json:"not_before,omitzero"`
	// WaitingSince is the first look in which the group said that the instance waits, and every look since has said so.
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	// StayingSince is the first look in which the group said that the instance is not leaving, and every look since has said so. At
	// most one of WaitingSince and StayingSince is set.
	StayingSince time.Time `json:"staying_since,omitzero"`
	// MissingSince is the first look in which the group did not have the instance, and every look since has said so.
	MissingSince time.Time `json:"missing_since,omitzero"`
}

// Host is what is remembered of the container instance that an EC2 instance is.
type Host struct {
	Cluster           string    `json:"cluster,omitempty"` // configured, or where it was found; it never changes once it is known
	ContainerInstance fleet.ARN `json:"container_instance,omitempty"`
	WrongCluster      string    `json:"wrong_cluster,omitempty"` // where it was found, when that is not where it is configured
	Asked             time.Time `json:"asked,omitzero"`          // since when ECS has been asked to set it DRAINING; zero again once it is
	// AbsentSince is the start of the first complete look in which no cluster knew the instance; zero again once one does.
	AbsentSince time.Time `json:"absent_since,omitzero"`
	// UnreachedFrom is the start of the first look in which ECS could not reach the instance, and every look since has said so, without
	// a gap: what nobody looked at is not counted.
	UnreachedFrom time.Time `json:"unreached_from,omitzero"`
	// DrainingSince is the first decision that knew it to be DRAINING, without a break since. Never earlier than it was true.
	DrainingSince time.Time `json:"draining_since,omitzero"`
	DelayTold     bool      `json:"delay_told,omitempty"` // the journal says that a deregistration delay is too long
	// Agreed is the first look, after a list of the whole cluster, at which ECS counted no more tasks than were listed.
	Agreed time.Time `json:"agreed,omitzero"`
	// EmptySince is since when no task but daemon tasks has been live. Not before DrainingSince.
	EmptySince time.Time `json:"empty_since,omitzero"`
}

// Same reports whether two drains remember the same. It is fast, because it runs at every decision: a decision copies the times that it
// does not change, so that they are the same to the last bit.
func (d *Drain) Same(o *Drain) bool {
	type times [6]time.Time
	return times{d.Heard, d.Zero, d.Queued, d.Slot, d.Cutting, d.Ended} == times{o.Heard, o.Zero, o.Queued, o.Slot, o.Cutting, o.Ended} &&
		d.Key == o.Key && d.Target == o.Target && slices.Equal(d.Left, o.Left) && slices.Equal(d.Others, o.Others) && slices.Equal(d.Emptied, o.Emptied) &&
		slices.Equal(d.Lost, o.Lost) && d.Admitted == o.Admitted && d.Observed == o.Observed && slices.Equal(d.Would, o.Would) &&
		d.Hold == o.Hold && d.Host == o.Host && d.Said == o.Said && d.Notice == o.Notice && d.Task == o.Task &&
		d.Early.same(o.Early) && d.Intent.same(o.Intent) && d.Final.same(o.Final)
}

func (a *Answer) same(o *Answer) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.At.Equal(o.At) && a.Outcome == o.Outcome && a.Reason == o.Reason && a.Stays == o.Stays && slices.Equal(a.CutOff, o.CutOff)
}

// Open reports whether the drain still goes on.
func (d Drain) Open() bool { return d.Ended.IsZero() }

// Instance is the EC2 instance that leaves; empty: no instance does.
func (d Drain) Instance() fleet.InstanceID {
	if d.Target.Kind != fleet.Host {
		return ""
	}
	return fleet.InstanceID(d.Target.ID)
}

// TaskARN is the ARN of the task that leaves; empty: no task does by itself.
func (d Drain) TaskARN() fleet.ARN {
	if d.Target.Kind != fleet.OneTask {
		return ""
	}
	return fleet.ARN(d.Target.ID)
}

// Of is what the target belongs to, for people: its group, or its cluster.
func (d Drain) Of() string {
	if d.Group == "" && d.Cluster != "" {
		return "cluster " + d.Cluster
	}
	return d.Group
}

// held reports whether a hook holds the target.
func (d *Drain) held() bool { return d.Hook != "" }

// hookCall names the lifecycle action to AWS: by its token, or by the instance id alone.
func (d *Drain) hookCall() *plan.HookCall {
	call := &plan.HookCall{Group: d.Group, Hook: d.Hook, Instance: d.Instance()}
	if !d.ByID {
		call.Token = d.Token
	}
	return call
}

// subject is the target as something to look at.
func (d *Drain) subject(k plan.LookKind, in string) plan.Subject {
	return plan.Subject{Kind: k, In: in, ID: d.Target.ID}
}

// registered is the container instance as something to look at.
func (d *Drain) registered(k plan.LookKind) plan.Subject {
	return plan.Subject{Kind: k, In: d.Cluster, ID: string(d.ContainerInstance)}
}
