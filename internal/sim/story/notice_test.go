package story

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestInterruptedTasksInTheRecord: the record says when AWS gave notice, when each process got SIGTERM, and who took its target out.
func TestInterruptedTasksInTheRecord(t *testing.T) {
	s := read(t, "testdata/stories/three-of-ten-fargate-spot-tasks-are-interrupted-and-nobody-helps.yaml")
	res, err := Run(s)
	if err != nil {
		t.Fatal(err)
	}
	notice, signal, taken := map[string]time.Time{}, map[string]time.Duration{}, map[string]time.Duration{}
	started := 0
	for _, e := range res.Record {
		since, noticed := notice[e.Task], !notice[e.Task].IsZero()
		switch {
		case e.Kind == core.EntryNotice && e.To == core.NoticeInterrupted:
			notice[e.Task] = e.At
		case noticed && e.Kind == core.EntryNote && e.Text == core.NoteSIGTERM:
			signal[e.Task] = e.At.Sub(since)
		case noticed && e.Kind == core.EntryTarget && e.To == "draining" && e.By == "ecs":
			taken[e.Task] = e.At.Sub(since)
		case e.Kind == core.EntryTask && e.Service == "web" && e.To == "RUNNING" && len(notice) > 0:
			started++
		}
	}
	if len(notice) != 3 || len(signal) != 3 || len(taken) != 3 || started != 3 {
		t.Fatalf("%d notices, %d SIGTERM, %d targets taken out, %d tasks started; want 3 of each", len(notice), len(signal), len(taken), started)
	}
	for arn := range notice {
		if signal[arn] != 0 || taken[arn] != 10*time.Second {
			t.Errorf("%s: SIGTERM after %v, its target out after %v; want at once and after 10 s", arn, signal[arn], taken[arn])
		}
	}
	var told strings.Builder
	res.Print(&told)
	if n := strings.Count(told.String(), "of web is interrupted"); n != 3 {
		t.Errorf("the transcript tells of %d interruptions:\n%s", n, told.String())
	}
}
