package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
)

// tally is a Meter that keeps what it was told.
type tally struct {
	mu    sync.Mutex
	n     map[string]int
	most  Facts
	last  Facts
	waits map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}

func (c *tally) Wrote(b journal.Batch) {
	for _, l := range b.Lines {
		c.add("line " + l.Kind)
	}
}

func (c *tally) Turned(f Facts) {
	c.add("turned")
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Oldest > c.most.Oldest {
		c.most = f
	}
	c.last = f
}

func (c *tally) JournalFailed()               { c.add("journal failed") }
func (c *tally) Told(route string, o Telling) { c.add(fmt.Sprint(route, " ", o)) }

func (c *tally) Waiting(n map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(n) > 0 {
		c.waits = n
	}
}

// What happens is told to a meter, in serve and in the function: lines, the facts of each turn, and attempts to tell people.
func TestTheMeterIsToldWhatHappens(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		c := &tally{n: map[string]int{}}
		r.cfg.Meter = c
		tries := 0
		r.telling(func(context.Context, string, notice.Notice, string) (string, error) {
			if tries++; tries == 1 {
				return "", errors.New("it is down")
			}
			return "", nil
		})
		hear(host)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.n["line ended"] != 1 || c.n["all failed"] != 1 || c.n["all sent"] != 2 || c.waits["all"] == 0 || c.n["turned"] < 25 || c.n["journal failed"] != 0 {
			t.Errorf("told %v, waiting %v", c.n, c.waits)
		}
		if c.most.Open["cluster/prod"] != 1 || c.most.Oldest < time.Second || len(c.last.Open) != 0 || c.last.Oldest != 0 || !c.last.Loaded || c.last.Leases != 1 {
			t.Errorf("facts: at most %+v, at last %+v", c.most, c.last)
		}
	})
}
