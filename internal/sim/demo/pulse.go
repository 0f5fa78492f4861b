package demo

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pulse measures how late a clock of this process ticks: what the machine cannot do in time, the stories are not to blame for.
type pulse struct {
	mu   sync.Mutex // guards the rest
	late []time.Duration
}

// beat measures until ctx ends.
func (p *pulse) beat(ctx context.Context) {
	const every = 20 * time.Millisecond
	for due := time.Now().Add(every); ; due = time.Now().Add(every) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		p.mu.Lock()
		p.late = append(p.late, time.Since(due))
		p.mu.Unlock()
	}
}

// p99 is how late one tick in a hundred was at least.
func (p *pulse) p99() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.late) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p.late))
	return sorted[len(sorted)*99/100]
}
