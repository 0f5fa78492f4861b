package event

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/plain"
)

// hostSteps is what the agent of a host says that its messages are.
const hostSteps = "ebb-host-steps"

// mostSteps is how many steps of a transcript are kept.
const mostSteps = 50

// Transcript is what the steps on a host have done so far, clean and bounded. Its JSON names stay: it is in the journal.
type Transcript struct {
	Cause  string     `json:"cause"`
	Steps  []HostStep `json:"steps"`
	More   int        `json:"more,omitempty"`   // steps that are left out
	Result string     `json:"result,omitempty"` // how the agent answers its hook; empty: it has not decided
	Why    string     `json:"why,omitempty"`
}

// HostStep is one step.
type HostStep struct {
	Step    string   `json:"step"`
	Outcome string   `json:"outcome"` // ok, failed, ...; runs: it has not ended
	Attempt int      `json:"attempt,omitempty"`
	Seconds *float64 `json:"seconds,omitempty"` // of the latest attempt; nil: it runs, or never began
	Tail    string   `json:"tail,omitempty"`    // the end of its output, or why it was skipped
}

// parseHost reads what the agent of a host has done so far. Each message says all of it again.
func parseHost(f *fields) Event {
	e := Event{Kind: HostSteps, Instance: f.instance("instance"), Time: f.time("decided")}
	if f.word("group") != "" { // a Spot Instance may be in none
		e.Group = f.name("group")
	}
	t := &e.Did
	t.Cause, t.Result, t.Why = plain.Text(f.word("cause"), 20), plain.Text(f.word("result"), 10), plain.Text(f.word("why"), 200)
	for _, raw := range f.each("runs") {
		var r struct {
			Step, Outcome, Text string
			Attempt             int
			Began, Ended        time.Time
		}
		switch {
		case len(t.Steps) == mostSteps:
			t.More++
		case json.Unmarshal(raw, &r) == nil:
			s := HostStep{
				Step: plain.Text(r.Step, 60), Outcome: cmp.Or(plain.Text(r.Outcome, 20), "runs"), Attempt: r.Attempt,
				Tail: plain.Lines(strings.ToValidUTF8(strings.TrimSpace(r.Text[max(0, len(r.Text)-200):]), ""), 200),
			}
			if !r.Began.IsZero() && !r.Ended.IsZero() {
				took := r.Ended.Sub(r.Began).Round(100 * time.Millisecond).Seconds()
				s.Seconds = &took
			}
			t.Steps = append(t.Steps, s)
		}
	}
	return f.or(e)
}

// LastLine is the last line of the output.
func (s HostStep) LastLine() string { return s.Tail[strings.LastIndexByte(s.Tail, '\n')+1:] }

// Text is a transcript in one line.
func (t Transcript) Text() string {
	told := []string{}
	for _, s := range t.Steps {
		one := s.Step + " " + s.Outcome
		if s.Seconds != nil {
			one += fmt.Sprintf(" after %gs", *s.Seconds)
		}
		if s.Attempt > 1 {
			one += fmt.Sprintf(", attempt %d", s.Attempt)
		}
		if s.Outcome != "ok" && s.Tail != "" {
			one += " (" + s.LastLine() + ")"
		}
		told = append(told, one)
	}
	if t.More > 0 {
		told = append(told, "and more")
	}
	text := "on the host, because of " + t.Cause + ": " + cmp.Or(strings.Join(told, "; "), "no step yet")
	if t.Result != "" {
		text += "; " + t.Result + ": " + t.Why
	}
	return text
}
