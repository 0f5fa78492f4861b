package core

import "time"

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
	Alarm             string    `json:"alarm,omitempty"`
	From              string    `json:"from,omitempty"`
	To                string    `json:"to,omitempty"`
	By                string    `json:"by,omitempty"` // "ebb", "aws", or the caller's name
	Text              string    `json:"text,omitempty"`
}

// Measure lets f know of each moment just before something changes that the clients of a service notice: a target, or a process.
func (c *Core) Measure(f func()) { c.measure = append(c.measure, f) }

// Changing is what a service calls just before such a change.
func (c *Core) Changing() {
	for _, f := range c.measure {
		f()
	}
}

// EntryKind says what an entry is about.
type EntryKind string

// The kinds of entry.
const (
	EntryInstance   EntryKind = "instance"           // EC2 state From -> To
	EntryLifecycle  EntryKind = "lifecycle"          // group instance state From -> To
	EntryCapacity   EntryKind = "capacity"           // desired capacity of Group From -> To, set By somebody
	EntryHook       EntryKind = "hook"               // To: opened, heartbeat, CONTINUE, ABANDON (answered By), expired, global-timeout, cancelled
	EntryContainer  EntryKind = "container-instance" // status From -> To
	EntryAgent      EntryKind = "agent"              // To: connected, disconnected
	EntryTask       EntryKind = "task"               // lastStatus From -> To; Text holds stop code and "killed" after SIGKILL
	EntryService    EntryKind = "service"            // desired count From -> To, set By somebody
	EntryTarget     EntryKind = "target"             // target state From -> To
	EntryAlarm      EntryKind = "alarm"              // state From -> To; Alarm: its name, Text: the reason
	EntryRegistry   EntryKind = "registry"           // Cloud Map, To: registered, deregistered; TargetGroup: its service, Target: the instance
	EntryMessage    EntryKind = "message"            // To: sent, received, deleted, redriven, expired, lost
	EntryInvocation EntryKind = "invocation"         // To: started, succeeded, failed, killed, timed-out, throttled, dropped; Text: the error
	EntryCall       EntryKind = "call"               // an API call: Text is the operation, To the error code or "ok"; From "partly": an item was made to fail
	EntryNotice     EntryKind = "notice"             // AWS announces an end. To: one of the notices below; Text: what more it says
	EntryNote       EntryKind = "note"               // anything else that a story wants to show
	EntryJournal    EntryKind = "journal"            // written by the driver: a batch became durable; Message: ids of messages it covers
	EntryController EntryKind = "controller"         // written by the driver: started, crashed
)

// The notices of AWS.
const (
	NoticeInterrupted = "interrupted"      // Spot capacity is taken back: of a task, or of an instance; Text: what EC2 does with that
	NoticeRebalance   = "rebalance"        // a Spot Instance is at risk
	NoticeScheduled   = "scheduled-change" // AWS Health; Text: code and time
)

// What the notes about the process of a task on Fargate say.
const (
	NoteSIGTERM = "SIGTERM"
	NoteSIGKILL = "SIGKILL" // at the stop timeout
	NoteExited  = "exited"  // by itself
)
