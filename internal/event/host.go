package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// hostSteps is what the agent of a host says that its messages are.
const hostSteps = "ebb-host-steps"

// mostSteps is how many steps of a transcript are told.
const mostSteps = 50

// parseHost reads what the agent of a host has done so far. Each message says all of it again.
func parseHost(f *fields) Event {
	e := Event{Kind: HostSteps, Instance: f.instance("instance"), Time: f.time("decided")}
	if f.word("group") != "" { // a Spot Instance may be in none
		e.Group = f.name("group")
	}
	var told []string
	for i, raw := range f.each("runs") {
		var r struct {
			Step, Outcome, Text string
			Attempt             int
			Began, Ended        time.Time
		}
		switch {
		case i == mostSteps:
			told = append(told, "and more")
		case i < mostSteps && json.Unmarshal(raw, &r) == nil:
			one := fmt.Sprintf("%s %s", plain.Text(r.Step, 60), plain.Text(r.Outcome, 20))
			if r.Outcome == "" {
				one += "runs"
			} else if !r.Began.IsZero() {
				one += fmt.Sprintf(" after %s", r.Ended.Sub(r.Began).Round(100*time.Millisecond))
			}
			if r.Attempt > 1 {
				one += fmt.Sprintf(", attempt %d", r.Attempt)
			}
			if r.Outcome != "ok" && r.Text != "" {
				one += " (" + plain.Text(lastLine(r.Text), 120) + ")"
			}
			told = append(told, one)
		}
	}
	e.Steps = "on the host, because of " + plain.Text(f.word("cause"), 20) + ": " + strings.Join(told, "; ")
	if len(told) == 0 {
		e.Steps += "no step yet"
	}
	if result := f.word("result"); result != "" {
		e.Steps += fmt.Sprintf("; %s: %s", plain.Text(result, 10), plain.Text(f.word("why"), 200))
	}
	return f.or(e)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
