package fleet

import (
	"fmt"
	"strings"
	"time"
)

// WordAttribute is the attribute of a container instance in which an operator's word stands. Whoever may put it there can let a host be
// drained.
const WordAttribute = "ebb.drain"

// Word is what an operator has said of a container instance: drain it. The zero Word is none.
type Word struct {
	Deadline time.Time `json:"deadline,omitzero"` // to the second; until then its tasks are waited for
	Late     Late      `json:"late,omitempty"`    // what becomes of it when the deadline passes
	End      End       `json:"end,omitempty"`     // what becomes of it once it is drained
	Reason   string    `json:"reason,omitempty"`  // a code for people and programs: one word of letters, digits, - and _
}

// RehearsalReason is the reason of a word by which an operator rehearses that EC2 takes the instance back.
const RehearsalReason = "rehearsal"

// Rehearses reports whether the word is about an interruption that is rehearsed: the host has two minutes.
func (w Word) Rehearses() bool { return w.Reason == RehearsalReason }

// Late is what becomes of a host whose tasks have not stopped when an operator's deadline passes.
type Late string

// The choices.
const (
	LateLeave     Late = "leave"     // it stays DRAINING, and nobody waits any more
	LateTerminate Late = "terminate" // it is terminated with what is on it
)

// End is what becomes of a host that an operator has drained.
type End string

// The choices. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
const (
	EndKeep      End = "keep"      // it stays DRAINING
	EndTerminate End = "terminate" // its group terminates it and launches another
	EndDecrement End = "decrement" // its group terminates it and gets smaller
)

// String is the value of the attribute. AWS allows letters, digits, spaces and - _ . @ / \ : in it, 128 characters at most.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html
func (w Word) String() string {
	if w == (Word{}) {
		return ""
	}
	return strings.Join([]string{w.Deadline.UTC().Format(time.RFC3339), string(w.Late), string(w.End), w.Reason}, " ")
}

// longestReason keeps the value of the attribute within AWS's 128 characters.
const longestReason = 64

// ParseWord reads the value of the attribute. The error says what is wrong with it.
func ParseWord(value string) (Word, error) {
	parts := strings.Split(value, " ")
	if len(parts) != 4 {
		return Word{}, fmt.Errorf("it has %d words and not four: deadline, leave or terminate, keep or terminate or decrement, reason", len(parts))
	}
	at, err := time.Parse(time.RFC3339, parts[0])
	if err != nil {
		return Word{}, fmt.Errorf("its deadline is not a time like 2026-01-31T12:00:00Z")
	}
	w := Word{Deadline: at.UTC(), Late: Late(parts[1]), End: End(parts[2]), Reason: parts[3]}
	switch {
	case w.Late != LateLeave && w.Late != LateTerminate:
		return Word{}, fmt.Errorf("its second word is not leave or terminate")
	case w.End != EndKeep && w.End != EndTerminate && w.End != EndDecrement:
		return Word{}, fmt.Errorf("its third word is not keep, terminate or decrement")
	case w.Late == LateTerminate && w.End == EndKeep:
		return Word{}, fmt.Errorf("it is to be terminated at the deadline and kept when it is drained")
	case !isReason(w.Reason):
		return Word{}, fmt.Errorf("its reason is not one word of at most %d letters, digits, - and _", longestReason)
	}
	return w, nil
}

// isReason reports whether a text can be the reason in a Word.
func isReason(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= longestReason
}

// RehearsalTag is the key of the tag of a task in which an operator says that its interruption is rehearsed. Its value is a time like
// 2026-01-31T12:00:00Z, after which it counts no more. Without it a message alone would stop nothing.
const RehearsalTag = "ebb.rehearsal"
