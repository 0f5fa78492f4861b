package main

import (
	"testing"
	"time"
)

// Where a load balancer propagates for four seconds and the application serves for twenty after SIGTERM, nothing fails with Ebb, whatever ECS
// does; without it something does where ECS waits until the task has stopped.
func TestNothingFailsWithEbb(t *testing.T) {
	alone := 0.0
	for _, protocol := range []string{"HTTP", "TCP"} {
		for _, order := range orders {
			for seed := range uint64(seeds) {
				for _, ebb := range []bool{false, true} {
					n, err := failed(seed+1, protocol, order, 4*time.Second, 20*time.Second, ebb)
					if err != nil {
						t.Fatal(err)
					}
					if ebb && n > 0 {
						t.Errorf("%s, %s, seed %d: %.0f requests failed", protocol, order, seed+1, n)
					} else if !ebb {
						alone += n
					}
				}
			}
		}
	}
	if alone == 0 {
		t.Error("without Ebb nothing failed either: the table shows nothing")
	}
}
