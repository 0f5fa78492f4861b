package bench

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/story"
)

// emptyPolls is how many long polls of 20 s find nothing between the first message and the last answer.
func emptyPolls(record []core.Entry) (n int) {
	var last time.Time
	for _, e := range record {
		message, answer := e.Kind == core.EntryMessage && e.To == "received", e.Text == "autoscaling.CompleteLifecycleAction"
		if !message && !answer {
			continue
		}
		if !last.IsZero() {
			n += int(e.At.Sub(last) / (20 * time.Second))
		}
		last = e.At
	}
	return n
}

// TestSmallDrainsAreCheap: what a drain costs in calls, those polls of the queue too that find nothing. One alone takes two minutes, in which each
// step is seen for itself.
func TestSmallDrainsAreCheap(t *testing.T) {
	for n, most := range map[int]float64{1: 28, 3: 15, 20: 4} {
		s := departure(variant{}, n, time.Minute)
		res, err := story.Run(s)
		if err != nil {
			t.Fatal(err)
		}
		f, polls := measure(res.Record, "ebb"), emptyPolls(res.Record)
		calls := f.perDrain() + float64(polls)/float64(n)
		t.Logf("%d at once: %.2f calls a drain, of them %.2f empty polls; answer p50 %s, p99 %s", n, calls, float64(polls)/float64(n), percentile(f.answer, 50),
			percentile(f.answer, 99))
		if calls > most || f.cut > 0 || f.n != n || len(res.Violations) > 0 {
			t.Errorf("%d at once: %.2f calls a drain, %.2f at most; %d cut off; %v", n, calls, most, f.cut, res.Violations)
		}
	}
}

// TestALongStopIsLookedAtSeldom: a task that takes half a day to stop is not looked at every five seconds all the time.
func TestALongStopIsLookedAtSeldom(t *testing.T) {
	s := departure(variant{}, 1, time.Minute)
	s.World, s.Until = fleetOf(10, time.Minute, 12*time.Hour), 20*time.Hour
	s.Ebb.Groups[0].Deadline = 16 * time.Hour
	s.Ebb.DaemonGrace = 13 * time.Hour
	res, err := story.Run(s)
	if err != nil {
		t.Fatal(err)
	}
	if n := res.Calls["ecs.DescribeTasks"]; n < 200 || n > 2000 || len(res.Violations) > 0 {
		t.Errorf("%d looks at tasks; %v", n, res.Violations)
	}
}
