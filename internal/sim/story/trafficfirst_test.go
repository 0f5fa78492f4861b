package story

import (
	"os"
	"testing"
)

// Behind a Network Load Balancer no connection fails in twenty runs, in which calls take longer or shorter and the endpoint that counts fails now
// and then; without traffic_first many do.
func TestNoConnectionFailsWhereTrafficLeavesFirst(t *testing.T) {
	b, err := os.ReadFile("testdata/stories/draining-waits-until-the-connections-of-a-target-are-over.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		s, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		s.Seed, s.World.Seed, s.Expect = seed, seed, nil
		r, err := Run(s)
		if err != nil || len(r.Violations) > 0 || r.Traffic[0].Failed() > 0 || len(r.Ended) != 1 {
			t.Errorf("seed %d: %v %v, %v, %d drains ended", seed, err, r.Violations, r.Traffic[0], len(r.Ended))
		}
		s.Ebb.TrafficFirst = nil
		if r, err = Run(s); err != nil || r.Traffic[0].Failed() < 1 {
			t.Errorf("seed %d, without: %v, %v", seed, err, r.Traffic[0])
		}
	}
}
