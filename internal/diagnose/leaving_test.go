package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
)

// An instance whose root volume is replaced, or that goes back to its warm pool, waits in a terminating hook as one that is terminated.
func TestWhateverWaitsInATerminatingHookLeaves(t *testing.T) {
	for _, state := range []fleet.LifecycleState{fleet.TerminatingWait, fleet.WarmedTerminatingWait, fleet.WarmedPendingWait,
		fleet.ReplacingRootVolumeWait} {
		s := stage(t, base())
		p := s.parts()
		p.member.State = state
		if r := p.why(s, nil); r.Blockers[0].Code != diagnose.NotDraining || strings.Contains(r.Headline, "nothing takes") {
			t.Errorf("%s: %s: %s", state, r.Blockers[0].Code, r.Headline)
		}
	}
}

// In awsvpc mode a target is an address and the container's port. Its state is that of this task, and not of another one's target.
func TestAReplacementIsJudgedByItsOwnTarget(t *testing.T) {
	spec := base()
	spec.Services[0].TargetGroup = "web-tg"
	spec.TargetGroups[0].Check = 10 * time.Minute
	spec.TaskDefinitions[0].Network = "awsvpc"
	spec.Groups[0].Launch.CPU = 4096
	s := stage(t, spec)
	s.after(20 * time.Minute)
	s.terminate()
	s.after(time.Minute)
	p := s.parts()
	if r := p.why(s, nil); !told(r, diagnose.NotYetHealthy, "its target is initial") {
		t.Errorf("%+v", r.Blockers)
	}
	for i := range p.TargetGroups[0].Targets {
		if h := &p.TargetGroups[0].Targets[i]; h.State == "initial" {
			h.Target.ID = "10.9.9.9"
		}
	}
	if r := p.why(s, nil); told(r, diagnose.NotYetHealthy, "") {
		t.Errorf("another's target counts: %+v", r.Blockers)
	}
}
