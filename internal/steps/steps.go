// Package steps decides what the agent of a host does next, in the host's last minutes and in its first: which step begins and which is
// ended, when the lifecycle hook gets a heartbeat, and when it is answered.
//
// It is pure: it runs nothing, looks at nothing and never reads a clock. What has been done stands in State, which is stored before anything
// is done. So an agent that was killed goes on where it was: a step that has ended is never run again, and a hook is answered only when every
// step has ended, or when the time is over.
package steps

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Cause is why the host leaves, or that it comes.
type Cause string

// The causes.
const (
	Terminate  Cause = "terminate"           // its Auto Scaling group terminates it
	Spot       Cause = "spot"                // EC2 takes the Spot instance back: by terminating, stopping or hibernating it
	RootVolume Cause = "replace-root-volume" // an instance refresh replaces its root volume
	Shutdown   Cause = "shutdown"            // the host itself shuts down
	Launch     Cause = "launch"              // it has just been launched
)

// Causes are all of them.
func Causes() []Cause { return []Cause{Terminate, Spot, RootVolume, Shutdown, Launch} }

// Rule says what follows when a step has failed for good.
type Rule string

// The rules.
const (
	Continue Rule = "continue" // the next step
	Stop     Rule = "stop"     // no further step; at a launch, Auto Scaling is to replace the host
	Hold     Rule = "hold"     // the host is kept until the deadline, so that somebody can look at it
)

// Step is one thing to be done. What it does is its runner's matter.
type Step struct {
	Name      string
	Timeout   time.Duration // of one attempt
	Retries   int           // after the first attempt
	OnFailure Rule
	When      []Cause // empty: whenever the host leaves
	Early     bool    // it may begin as soon as it is known that the host will leave, before the hook is open
	Priority  int     // where the end is fixed, a smaller one goes first
}

// Runs reports whether the step belongs to a cause.
func (s Step) Runs(c Cause) bool {
	if len(s.When) == 0 {
		return c != Launch
	}
	return slices.Contains(s.When, c)
}

// Plan is how a host leaves.
type Plan struct {
	Instance   fleet.InstanceID
	Hook       string // the terminating hook that is the agent's
	LaunchHook string // the launching hook that is the agent's; empty: it has none
	Steps      []Step
	Deadline   time.Duration // from the opening of the hook until it is answered, whatever still runs
	ECS        bool          // the steps wait for DRAINING, and for the tasks on the host
}

const (
	// spare is kept before a fixed end, to tell what became of the steps.
	spare = 5 * time.Second
	// retryAfter is how long a failed step, or call, waits.
	retryAfter = 5 * time.Second
	// interruptions is how often an attempt that the agent's own end has cut short is made anew. It is no failure of the step, but a step that
	// kills the agent must not go on for ever.
	interruptions = 3
	// untilTaken is for how long an answer is repeated that Auto Scaling does not know: IMDS and the group can say that the host leaves
	// before Auto Scaling accepts the answer.
	untilTaken = time.Minute
	// killFor is how long a step that was told to end may take for it, beyond the grace of its runner.
	killFor = 15 * time.Second
)

// Outcome is what became of one run of a step.
type Outcome string

// The outcomes. The empty one: it runs.
const (
	OK          Outcome = "ok"
	Failed      Outcome = "failed"
	TimedOut    Outcome = "timed-out"
	Interrupted Outcome = "interrupted" // the agent was killed or stopped meanwhile
	Skipped     Outcome = "skipped"     // it was not begun
)

// Run is what is remembered of a step.
type Run struct {
	Step    string    `json:"step"`
	Attempt int       `json:"attempt,omitempty"` // the latest; 1 is the first
	Broken  int       `json:"broken,omitempty"`  // how many attempts the end of the agent cut short
	Began   time.Time `json:"began,omitzero"`
	Ended   time.Time `json:"ended,omitzero"` // of the latest attempt; zero: it runs
	Outcome Outcome   `json:"outcome,omitempty"`
	Done    bool      `json:"done,omitempty"` // it is not run again
	Text    string    `json:"text,omitempty"` // the end of its output, or why it was skipped
}

// State is what is remembered of one departure, or of a launch. The zero State is none.
type State struct {
	Boot   string    `json:"boot,omitempty"` // the boot in which it began; another one ends it
	Cause  Cause     `json:"cause,omitempty"`
	Heard  time.Time `json:"heard,omitzero"`
	Group  string    `json:"group,omitempty"`
	Opened time.Time `json:"opened,omitzero"` // the first look that saw the hook open; zero: none has
	Closed time.Time `json:"closed,omitzero"` // the hook was not open before; not after Opened
	Ends   time.Time `json:"ends,omitzero"`   // a fixed end; zero: there is none
	Empty  time.Time `json:"empty,omitzero"`  // since when no task is on the host; zero: not known to be so
	Runs   []Run     `json:"runs,omitempty"`  // in the order in which they began
	// Result is the answer, CONTINUE or ABANDON, once it is decided. No step begins afterwards.
	Result   string    `json:"result,omitempty"`
	Why      string    `json:"why,omitempty"` // of the result
	Decided  time.Time `json:"decided,omitzero"`
	Answered time.Time `json:"answered,omitzero"` // Auto Scaling has taken it, or there was no hook to answer
	Served   bool      `json:"served,omitempty"`  // the group has said InService in this boot: Pending:Wait is no launch any more
}

// End says how a step ended.
type End struct {
	Step    string
	Attempt int
	At      time.Time
	Outcome Outcome
	Text    string
}

// Seen is what is known now. Nothing of it is stored.
type Seen struct {
	Boot    string
	Target  fleet.Fact[string]              // autoscaling/target-lifecycle-state, as IMDS says
	Turned  time.Time                       // the first look at IMDS that said what Target says, and every look since has
	Woken   time.Time                       // when somebody else said last that the host leaves
	Spot    fleet.Fact[time.Time]           // spot/instance-action: when EC2 ends the instance
	Group   fleet.Fact[fleet.GroupInstance] // as Auto Scaling says
	Hooks   fleet.Fact[[]fleet.Hook]        // of its group
	Drained fleet.Fact[bool]                // ECS says DRAINING, or knows the host no more, and no task is on the host
	Down    time.Time                       // by when the host shuts down by itself; zero: it does not
	Running string                          // the step that runs in this run of the agent
	Ended   []End                           // since the last decision
	Beat    drain.Try
	Answer  drain.Try
}

// Look is something to look at.
type Look uint8

// What can be looked at, beside IMDS, which is asked all the time.
const (
	LookGroup Look = iota
	LookHooks
	LookTasks
	Looks // how many kinds there are
)

// Start is a step that is to begin.
type Start struct {
	Step    string
	Attempt int
	Until   time.Time // it is ended then
}

// Decision is what is to be done. State is stored before anything else.
type Decision struct {
	State State
	Start *Start
	Kill  string // the step that is to be ended
	Beat  *plan.HookCall
	// Answer completes the hook.
	Answer *plan.HookCall
	Want   [Looks]time.Time // when to look; zero: no need
	Wake   time.Time        // when to decide again at the latest; zero: when something is learnt
	Lines  []string         // for people
}

// Same reports whether two states remember the same.
func (s State) Same(o State) bool {
	a, b := s, o
	a.Runs, b.Runs = nil, nil
	return slices.Equal(s.Runs, o.Runs) && a.Boot == b.Boot && a.Cause == b.Cause && a.Group == b.Group && a.Result == b.Result && a.Why == b.Why &&
		a.Served == b.Served && [7]time.Time{a.Heard, a.Opened, a.Closed, a.Ends, a.Empty, a.Decided, a.Answered} ==
		[7]time.Time{b.Heard, b.Opened, b.Closed, b.Ends, b.Empty, b.Decided, b.Answered}
}
