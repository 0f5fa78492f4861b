// Package plan holds what is to be done and what came of it, as data: actions, looks, their results, and the classes of
// failure that decisions tell apart.
//
// It never does anything: the cloud package acts and looks, the kernel requests.
//
// Each kind of look and of action is one row of a table, in look.go and action.go. All that the other packages must know of a kind stands
// there, but for the handler that cloud has for it and the one that kernel has for what was found; their tests miss none.
package plan

import (
	"fmt"
	"time"
)

// Class says what a failure means for the next decision.
type Class string

// The classes of failure.
const (
	// OK is no failure.
	OK Class = ""
	// Gone: what was acted on does not exist (any more), such as "No active Lifecycle Action found".
	Gone Class = "gone"
	// Denied: credentials or rights; repeating it does not help until a person acts.
	Denied Class = "denied"
	// Throttled: AWS asks for fewer calls; nothing happened.
	Throttled Class = "throttled"
	// Conflict: AWS is busy with the same thing (ResourceContention, UpdateInProgress); nothing happened.
	Conflict Class = "conflict"
	// Invalid: AWS refuses the request as it stands; nothing happened.
	Invalid Class = "invalid"
	// Unclear: a timeout, a broken connection or a server error; the request may or may not have had its effect.
	Unclear Class = "unknown"
)

// Failure is why a call failed.
type Failure struct {
	Class   Class
	Code    string // AWS's error code, or empty
	Message string
}

// Error spells the failure in one line.
func (f *Failure) Error() string {
	if f.Code == "" {
		return fmt.Sprintf("%s: %s", f.Class, f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", f.Class, f.Code, f.Message)
}

// ItemFailure is one entry of an AWS "failures" list: the call answered HTTP 200 but not for this item.
type ItemFailure struct {
	ID     string // ARN, or instance id, as it was asked for
	Class  Class
	Reason string // AWS's reason, such as MISSING
}

// LookResult is the result of a look. With Err set the whole look failed and View says nothing. An id that was asked for and is
// neither in View nor in Failed is absent.
type LookResult struct {
	View   View
	Failed []ItemFailure // items that remain unknown
	Err    *Failure
	Calls  int // requests sent, failed ones too
}

// Outcome is the result of an action. With Err nil, the items in Failed were refused and all others done.
type Outcome struct {
	Failed []ItemFailure
	Err    *Failure
	Calls  int
}

// Request is an action or a look with the number under which its result comes back.
type Request struct {
	ID     int
	Action *Action
	Look   *Look
}

// Done is what came of a request.
type Done struct {
	Request Request
	Started time.Time  // when the first request was sent
	Result  LookResult // for a look
	Outcome Outcome    // for an action
}
