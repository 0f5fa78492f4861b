package notice

import (
	"fmt"
	"time"
)

// Undeliverable is the error of a notice that its receiver will never take, however often it is sent.
type Undeliverable struct{ Why string }

// Error says why.
func (u *Undeliverable) Error() string { return "the receiver refuses it for good: " + u.Why }

// Later is the error of a receiver that takes nothing for a while.
type Later struct {
	For time.Duration // as it said
	Why string
}

// Error says why, and for how long.
func (l *Later) Error() string { return fmt.Sprintf("%s; it said to try again in %s", l.Why, l.For) }
