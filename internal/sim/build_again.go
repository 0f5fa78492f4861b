package sim

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func (b *builder) settled(Spec) error {
	b.w.Settle()
	return nil
}

// registeredEmpty registers instances again whose registration before has no tasks, as long as it has none.
func (b *builder) registeredEmpty(Spec) error {
	for _, h := range b.w.Instances() {
		for _, how := range h.Host.Again[:emptyFirst(h.Host.Again)] {
			if err := b.registerAgain(h, how); err != nil {
				return err
			}
		}
	}
	return nil
}

// registeredLate registers instances again whose registration before has tasks.
func (b *builder) registeredLate(Spec) error {
	late := false
	for _, h := range b.w.Instances() {
		for _, how := range h.Host.Again[emptyFirst(h.Host.Again):] {
			late = true
			if err := b.registerAgain(h, how); err != nil {
				return err
			}
		}
	}
	if late {
		b.w.Settle()
	}
	return nil
}

// emptyFirst is how many further registrations follow on one that has no tasks.
func emptyFirst(all []core.Again) int {
	if i := slices.IndexFunc(all, func(how core.Again) bool { return !how.Empty }); i >= 0 {
		return i
	}
	return len(all)
}

func (b *builder) registerAgain(h *core.Instance, how core.Again) error {
	if err := b.w.RegisterAgain(h.ID, how); err != nil {
		return fmt.Errorf("group %q: registers_again: %w", h.Group, err)
	}
	return nil
}
