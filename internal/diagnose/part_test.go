package diagnose_test

import (
	"testing"

	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// part takes an inventory of the target as ebb why does, which reads a large cluster in part.
func (s *scene) part() *inventory.Inventory {
	s.t.Helper()
	seen, err := s.inventory.Take(s.t.Context(), collector.Scope{
		Instance: s.target, Target: s.target, Silent: true,
		Enough: func(c *inventory.Cluster) bool { return placement.Enough(c, c.Hosts[0].Instance) },
	})
	if err != nil || len(seen.Unread) > 0 {
		s.t.Fatalf("inventory: %v, unread %+v", err, seen.Unread)
	}
	return &seen
}

// TestNoAnswerGetsBetterByReadingAPart compares answers from a large cluster that was read in part with those from the whole, in worlds in which
// the truth is bad: a hundred hosts more are there, too small for any task.
func TestNoAnswerGetsBetterByReadingAPart(t *testing.T) {
	inPart := 0
	for _, c := range bad() {
		t.Run(c.name, func(t *testing.T) {
			spec := base()
			if c.spec != nil {
				c.spec(&spec)
			}
			spec.Groups = append(spec.Groups, sim.GroupSpec{Name: "tiny", Desired: 101, Launch: core.HostSpec{Cluster: "prod", CPU: 1, Memory: 1}})
			s := stage(t, spec)
			c.act(s)
			truth, seen := s.take(), s.part()
			for _, c := range seen.Clusters {
				if c.Part != nil {
					inPart++
				}
			}
			for name, q := range s.questions(truth) {
				for _, complaint := range better(diagnose.Why(truth, q), diagnose.Why(seen, q), true) {
					t.Errorf("why %s: %s", name, complaint)
				}
			}
		})
	}
	if inPart*10 < len(bad())*9 {
		t.Errorf("of %d worlds %d were read in part", len(bad()), inPart)
	}
}
