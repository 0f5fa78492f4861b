package kernel

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// What nobody drains is for whoever else may handle it: a message about a drain that was let go stays in the queue, but a note has no other
// reader.
func TestMessagesAboutWhatIsLeftAlone(t *testing.T) {
	const refused = "the journal takes no record of its drain"
	aside := func(k *Kernel) { k.aside["web/i-0001"] = true }
	for name, x := range map[string]struct {
		given          func(*Kernel)
		observe, noted bool
		ack            bool
		why, count     string
	}{
		"let go":           {aside, false, false, false, refused, ""},
		"let go, a note":   {aside, false, true, true, refused, ""},
		"let go, observed": {aside, true, false, false, refused, ""},
		"of a newer Ebb": {func(k *Kernel) { k.newer["web/i-0001"] = &UnknownRecord{} }, false, false, true,
			"its record in the journal is open, and only a newer version of Ebb reads it", "left alone"},
	} {
		policy := drain.Defaults()
		policy.Observe = x.observe
		k := newKernel(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: policy}}})
		x.given(k)
		h := termination(1)
		h.Noted = x.noted
		v := verdict(t, k, h, t0)
		if v.Delete != x.ack || v.Why != x.why || k.Open() != 0 || x.count != "" && k.Counts[x.count] != 1 {
			t.Errorf("%s: %+v, %d open, counted %v", name, v, k.Open(), k.Counts)
		}
	}
}

// With a message of another wait Auto Scaling is asked once more when the termination began: what it said before may be about the other.
func TestAnotherWaitIsLookedUp(t *testing.T) {
	for token, want := range map[string]int{"token-00000001": 0, "another": 1} {
		k := newKernel(t, Config{})
		k.Hear(termination(1), t0)
		settle(k, cloud{fleet.Active}, t0)
		put(k.facts, began(k.sorted[0].d.Target, "web"), fleet.Seen, plus(time.Minute), t0)
		h := termination(1)
		h.Event.Token = token
		k.Hear(h, plus(2*time.Minute))
		if got := kinds(k.Next(plus(2 * time.Minute)).Do)[plan.Activities.String()]; got != want {
			t.Errorf("token %s: %d looks at the activities, want %d", token, got, want)
		}
	}
}
