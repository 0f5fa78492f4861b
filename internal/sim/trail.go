package sim

import "slices"

import "time"

// keepTrail is how far back lagging reads can see.
const keepTrail = 15 * time.Minute

// trail is the short past of one resource's state, for reads that lag behind. An empty state means that it was gone.
type trail []mark

type mark struct {
	at            time.Time
	state, second string
}

// mark notes the state from now on.
func (t *trail) mark(now time.Time, state, second string) {
	old := 0
	for old+1 < len(*t) && now.Sub((*t)[old+1].at) > keepTrail {
		old++
	}
	*t = append((*t)[old:], mark{now, state, second})
}

// settle makes the present state one that was always there.
func (t *trail) settle() {
	if len(*t) > 0 {
		last := (*t)[len(*t)-1]
		last.at = time.Time{}
		*t = trail{last}
	}
}

// at is the state at a time; the state is empty if it was not there then.
func (t trail) at(then time.Time) mark {
	for _, v := range slices.Backward(t) {
		if !v.at.After(then) {
			return v
		}
	}
	return mark{}
}
