package wire

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

func TestLimits(t *testing.T) {
	a := New(Config{World: sim.New(core.Config{}), Limits: map[string]core.Limit{"ecs.service-modify": {Burst: 2, PerSecond: 0.5}}})
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	ask := func(operation string, after time.Duration) bool {
		return a.admit(Request{At: start.Add(after), row: a.services["ecs"].operations[operation]})
	}
	for i, step := range []struct {
		operation string
		after     time.Duration
		want      bool
	}{
		{"UpdateService", 0, true}, {"UpdateService", 0, true}, {"UpdateService", 0, false},
		{"ListTasks", 0, true}, // another category, without a limit
		{"UpdateService", time.Second, false}, {"UpdateService", 2 * time.Second, true}, {"UpdateService", 2 * time.Second, false},
		{"UpdateService", time.Hour, true}, {"UpdateService", time.Hour, true}, {"UpdateService", time.Hour, false}, // no more than the burst
	} {
		if got := ask(step.operation, step.after); got != step.want {
			t.Errorf("step %d: %s after %s: admitted %v, want %v", i, step.operation, step.after, got, step.want)
		}
	}
}
