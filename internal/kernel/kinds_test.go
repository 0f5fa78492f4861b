package kernel

import (
	"testing"

	"github.com/ebbhq/ebb/internal/plan"
)

// What no row takes in is asked for again and again.
func TestEveryKindOfLookIsTakenIn(t *testing.T) {
	for kind := plan.LookKind(1); kind < plan.LookKinds; kind++ {
		if saw[kind] == nil {
			t.Errorf("%s: nobody takes in what it found", kind)
		}
	}
}
