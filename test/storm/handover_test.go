package main

import (
	"slices"
	"testing"
	"time"
)

// TestHandOversAreSeen: another goes on for a serve that is killed, and none for one that is awake again before that.
func TestHandOversAreSeen(t *testing.T) {
	log := []byte(`{"time":"2026-11-21T09:00:01Z","msg":"works","for":"prod, web"}` + "\n" + `{"time":"2026-11-21T09:00:3`)
	worked := worksIn(1, log)
	worked = append(worked, worksIn(2, []byte(`{"time":"2026-11-21T09:00:02Z","msg":"stands by: another works"}`+"\n"+
		`{"time":"2026-11-21T09:00:20Z","msg":"works","for":"prod, web"}`+"\n"))...)
	got := handOvers(append(worked,
		fate{at: at(0), server: 1, life: "ebb1x1", what: "started"}, fate{at: at(0), server: 2, life: "ebb2x1", what: "started"},
		fate{at: at(5), server: 1, life: "ebb1x1", what: "paused"}, fate{at: at(6), server: 1, life: "ebb1x1", what: "resumed"},
		fate{at: at(10), server: 1, life: "ebb1x1", what: "crashed"}, fate{at: at(12), server: 1, life: "ebb1x2", what: "started"},
	))
	want := []handOver{{"prod", "ebb1x1", "ebb2x1", 10 * time.Second}, {"web", "ebb1x1", "ebb2x1", 10 * time.Second}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
