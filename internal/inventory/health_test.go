package inventory

import (
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
)

// With fewer healthy targets than a target group must have its load balancer sends requests to all of them.
func TestHowManyTargetsMayLeave(t *testing.T) {
	for name, c := range map[string]struct {
		states         string // a letter each: healthy, unhealthy, draining
		count, percent int
		may            int
	}{
		"all of them":        {"hhh", 0, 0, 3},
		"all but one":        {"hhh", 1, 0, 2},
		"none of one":        {"h", 1, 0, 0},
		"the sick count not": {"hhu", 2, 0, 0},
		"what drains":        {"hhhdd", 2, 0, 1},
		"by percentage":      {"hhhhuu", 0, 60, 1}, // 3 of 5 are 60 %, 2 of 4 are not
		"the stricter one":   {"hhhh", 3, 10, 1},
		"too few already":    {"hu", 2, 0, 0},
	} {
		g := TargetGroup{LeastHealthy: c.count, LeastPercent: c.percent}
		for _, s := range c.states {
			g.Targets = append(g.Targets, fleet.Health{State: map[rune]string{'h': "healthy", 'u': "unhealthy", 'd': "draining"}[s]})
		}
		leaving, may := g.MayLeave(func(fleet.Health) bool { return true })
		if healthy := len([]rune(c.states)); may != c.may || leaving > healthy {
			t.Errorf("%s: %d may leave of %d that do, want %d", name, may, leaving, c.may)
		}
	}
}
