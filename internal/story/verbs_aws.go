package story

import "cmp"

// What AWS does of its own accord in a story, and not an operator.

func providerOf(s Step) string { return cmp.Or(s.Provider, "FARGATE_SPOT") }

// noCapacity takes the capacity of Fargate away, and gives it back when the step says so.
func noCapacity(r *run, s Step) error {
	if err := r.w.SetFargateCapacity(providerOf(s), false); err != nil || s.For == 0 {
		return err
	}
	r.w.After(s.For, func() { _ = r.w.SetFargateCapacity(providerOf(s), true) }) // it is one of the two, as was just seen
	return nil
}
