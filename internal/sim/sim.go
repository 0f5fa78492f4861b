// Package sim is the simulated cloud: a discrete-event model of the slice of AWS that Ebb touches, with explicit time.
// Groups terminate instances and wait for hooks, ECS places, drains and stops tasks, target groups deregister with delay,
// queues redeliver. Everything about AWS that is not known for certain is a switch.
//
// It never reads a clock, never starts a goroutine and never does I/O: the same calls at the same times give the same world.
// Its scheduler shares no code with Ebb's placement. The AWS protocols on top of it are package sim/wire.
package sim

import (
	"fmt"
	"time"
)

// Error is an answer by which AWS refuses a request.
type Error struct {
	Code    string // AWS's error code, such as ValidationError
	Message string
	Status  int // HTTP status, 400 if zero
}

// Error spells code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: 400}
}

// Switches are the facts about AWS that no primary source settles, and the settings that differ between accounts. The zero
// value is the documented or most likely behaviour.
type Switches struct {
	ProtectionHonoured   bool          `yaml:"protection_honoured,omitempty"`    // draining spares tasks with scale-in protection
	SilentEC2Terminate   bool          `yaml:"silent_ec2_terminate"`             // a direct EC2 TerminateInstances runs no hook and sends no notification
	HookEditApplies      bool          `yaml:"hook_edit_applies,omitempty"`      // editing a hook changes the time-out of actions in flight
	LateHeartbeatRefused bool          `yaml:"late_heartbeat_refused,omitempty"` // a heartbeat that the global time-out would cut is refused instead of shortened
	SigtermFirst         bool          `yaml:"sigterm_first,omitempty"`          // tasks get SIGTERM when deregistration starts, not when it is over
	LaunchBeforeTerm     bool          `yaml:"launch_before_terminate,omitempty"`
	Notify               time.Duration `yaml:"notify,omitempty"`            // delay from wait state to notification; 0: 1 to 5 s by hash
	Duplicate            int           `yaml:"duplicate,omitempty"`         // percent of notifications and queue deliveries that come twice
	LostPercent          int           `yaml:"lost,omitempty"`              // percent of notifications that are lost
	LatePercent          int           `yaml:"late,omitempty"`              // percent of notifications that come up to 10 min late, out of order
	Propagation          time.Duration `yaml:"propagation,omitempty"`       // until a load balancer obeys a changed target state; 0: 4 s
	InactiveFor          time.Duration `yaml:"inactive_for,omitempty"`      // how long INACTIVE container instances and terminated instances stay describable; 0: 1 h
	AutoScalingBurst     int           `yaml:"autoscaling_burst,omitempty"` // calls at once that Auto Scaling allows; no numbers are published; 0: 100
	AutoScalingRate      float64       `yaml:"autoscaling_rate,omitempty"`  // and per second; 0: 10
	ProtectionStuck      bool          `yaml:"protection_stuck,omitempty"`  // managed termination protection never lifts the protection of an instance
	PageSize             int           `yaml:"page_size,omitempty"`         // most items on a page of List and Describe answers; 0: AWS's own maximum
}

// Config starts a world.
type Config struct {
	Seed     uint64
	Start    time.Time // zero: 2026-11-21T09:00:00Z
	Account  string    // empty: 111122223333
	Region   string    // empty: eu-west-1
	Switches Switches
}

// Entry is one line of the world's own record: what became of what, when, and by whom. The invariants are functions over
// these entries, so every change of state that they need writes one.
type Entry struct {
	At                time.Time `json:"at"`
	Kind              EntryKind `json:"kind"`
	Group             string    `json:"group,omitempty"`
	Hook              string    `json:"hook,omitempty"`
	Instance          string    `json:"instance,omitempty"`
	Cluster           string    `json:"cluster,omitempty"`
	ContainerInstance string    `json:"container_instance,omitempty"`
	Task              string    `json:"task,omitempty"`
	Service           string    `json:"service,omitempty"` // owning service, empty for standalone tasks
	Daemon            bool      `json:"daemon,omitempty"`
	TargetGroup       string    `json:"target_group,omitempty"`
	Target            string    `json:"target,omitempty"` // id:port
	Queue             string    `json:"queue,omitempty"`
	Message           string    `json:"message,omitempty"` // message id; of an invocation, its request id
	Function          string    `json:"function,omitempty"`
	From              string    `json:"from,omitempty"`
	To                string    `json:"to,omitempty"`
	By                string    `json:"by,omitempty"` // "ebb", "aws", or the caller's name
	Text              string    `json:"text,omitempty"`
}

// EntryKind says what an entry is about.
type EntryKind string

// The kinds of entry.
const (
	EntryInstance   EntryKind = "instance"           // EC2 state From -> To
	EntryLifecycle  EntryKind = "lifecycle"          // group instance state From -> To
	EntryHook       EntryKind = "hook"               // To: opened, heartbeat, CONTINUE, ABANDON (answered By), expired, global-timeout, cancelled
	EntryContainer  EntryKind = "container-instance" // status From -> To
	EntryAgent      EntryKind = "agent"              // To: connected, disconnected
	EntryTask       EntryKind = "task"               // lastStatus From -> To; Text holds stop code and "killed" after SIGKILL
	EntryTarget     EntryKind = "target"             // target state From -> To
	EntryMessage    EntryKind = "message"            // To: sent, received, deleted, redriven, expired, lost
	EntryInvocation EntryKind = "invocation"         // To: started, succeeded, failed, killed, timed-out, throttled, dropped; From: async, invoke, sqs:NAME; Text: the error
	EntryCall       EntryKind = "call"               // an API call: Text is the operation, To the error code or "ok"
	EntryNote       EntryKind = "note"               // anything else that a story wants to show
	EntryJournal    EntryKind = "journal"            // written by the driver: a batch became durable; Message: ids of messages it covers
	EntryController EntryKind = "controller"         // written by the driver: started, crashed
)
