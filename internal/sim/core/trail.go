package core

import (
	"slices"
	"time"
)

// KeepTrail is how far back lagging reads can see.
const KeepTrail = 15 * time.Minute

// Trail is the short past of one resource's state, for reads that lag behind. An empty state means that it was gone.
type Trail []Mark

// Mark is a state, and since when.
type Mark struct {
	Since         time.Time
	State, Second string
}

// Mark notes the state from now on.
func (t *Trail) Mark(now time.Time, state, second string) {
	old := 0
	for old+1 < len(*t) && now.Sub((*t)[old+1].Since) > KeepTrail {
		old++
	}
	*t = append((*t)[old:], Mark{now, state, second})
}

// Settle makes the present state one that was always there.
func (t *Trail) Settle() {
	if len(*t) > 0 {
		last := (*t)[len(*t)-1]
		last.Since = time.Time{}
		*t = Trail{last}
	}
}

// At is the state at a time; the state is empty if it was not there then.
func (t Trail) At(then time.Time) Mark {
	for _, v := range slices.Backward(t) {
		if !v.Since.After(then) {
			return v
		}
	}
	return Mark{}
}
