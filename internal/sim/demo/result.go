package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// Result is what came of one side; its JSON keys are stable.
type Result struct {
	Name         string         `json:"name"`
	Requests     int            `json:"requests"`
	Failed       int            `json:"failed"`
	FailedByKind map[string]int `json:"failed_by_kind"`
	P99          float64        `json:"p99_ms"`           // of the quick requests that were answered
	GoneAfter    float64        `json:"gone_after_s"`     // from the beginning until EC2 had terminated the last host, or the last task had stopped
	Calls        int            `json:"aws_calls"`        // of the drainer; polls of its queue that brought nothing are not counted
	Alerts       *int           `json:"alerts,omitempty"` // of monitoring, where a story has it

	Actions *int `json:"actions,omitempty"`      // changes of the desired count, where a story is about it
	Seconds *int `json:"task_seconds,omitempty"` // that tasks ran, in the cloud's time, since the story began

	gone   int
	routed bool     // requests still go to what has left
	rows   []string // of the board
	stands string   // how far it is
}

// result is how the side stands. Calls are counted as AWS sees them, failed ones included.
func (s *side) result() Result {
	t := s.service.Tally()
	r := Result{Name: s.name, Requests: t.Requests, Failed: t.Failed, FailedByKind: t.ByKind, P99: float64(t.P99.Microseconds()) / 1000}
	if h, has := s.service.(*hosts); has {
		r.Alerts = new(h.watchers.Alerts())
	}
	s.Read(func(w *sim.World) {
		inPoll := false
		for _, e := range w.Record() {
			if s.plot.gone(e) {
				r.gone, r.GoneAfter = r.gone+1, float64(e.At.Sub(s.began).Milliseconds())/1000
			}
			brought := e.Kind == core.EntryMessage && e.To == "received" && e.By == s.name
			if brought && !inPoll || e.Kind == core.EntryCall && e.By == s.name && e.Text != "sqs.ReceiveMessage" {
				r.Calls++
			}
			inPoll = brought
		}
		r.stands = fmt.Sprintf("%d of %d", r.gone, s.plot.leaving)
		r.rows = s.plot.rows(s, w, &r)
		if s.group == "" {
			return
		}
		r.routed = slices.ContainsFunc(w.Route(s.group).Endpoints, func(e traffic.Endpoint) bool { return !e.Healthy && w.Now().Before(e.RoutedUntil) })
	})
	return r
}

// figure is a column of the table at the end.
type figure struct {
	head string
	of   func(Result) string
}

func (f figure) wide() int { return max(len(f.head), 6) }

// figuresOf are the columns of stories about requests, in which hosts or tasks leave.
func figuresOf(what string) []figure {
	return []figure{
		{"requests", func(r Result) string { return fmt.Sprint(r.Requests) }},
		{"lost", func(r Result) string { return fmt.Sprint(r.Failed) }},
		{"p99", func(r Result) string { return fmt.Sprintf("%.0f ms", r.P99) }},
		{"last " + what + " gone", func(r Result) string { return fmt.Sprintf("%.1f s", r.GoneAfter) }},
		{"AWS calls", func(r Result) string { return fmt.Sprint(r.Calls) }},
	}
}

// Table prints the figures, and what they say: what is to be learnt of them, or why they mean nothing.
func (d *Show) Table(w io.Writer) { d.table(w, d.Results()) }

func (d *Show) table(w io.Writer, results []Result) {
	p, style := d.plot, d.screen.Style
	first := 0
	for _, name := range p.sides {
		first = max(first, len(name))
	}
	head := []string{strings.Repeat(" ", first)}
	for _, f := range p.figures {
		head = append(head, fmt.Sprintf("%*s", f.wide(), f.head))
	}
	fmt.Fprintf(w, "\n%s\n", style.paint(bold, strings.Join(head, "   ")))
	for i, r := range results {
		line := []string{fit(p.sides[i], first)}
		for _, f := range p.figures {
			text := fmt.Sprintf("%*s", f.wide(), f.of(r))
			if f.head == "lost" {
				text = style.paint(map[bool]int{true: green, false: red}[r.Failed == 0], text)
			}
			line = append(line, text)
		}
		fmt.Fprintln(w, strings.Join(line, "   "))
	}
	fmt.Fprintln(w)
	for i, r := range results {
		if len(r.FailedByKind) > 0 {
			fmt.Fprintln(w, wrap(fmt.Sprintf("lost, %s: %s", p.sides[i], kinds(r.FailedByKind)), style.width(), "  "))
		}
	}
	if p.notes != "" {
		fmt.Fprintln(w, wrap(p.notes, style.width(), ""))
	}
	said := fmt.Sprintf(p.moral, results[0].Failed, results[1].Failed, results[2].Failed)
	if slow := d.slow(results); slow != nil {
		said = style.paint(red, slow.Error())
	}
	fmt.Fprintf(w, "\n%s\n", wrap(said, style.width(), ""))
}

// kinds spells failures by kind, in order.
func kinds(by map[string]int) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%s: %d", kind, by[kind]))
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

// How late things may be on a machine that is quick enough for what a story is about, which is seconds.
const (
	latestTick   = 500 * time.Millisecond // one in a hundred of the demonstration's own, which come every 20 ms
	latestAnswer = 2 * time.Second        // one in a hundred of the quick requests, which take some milliseconds
)

// SlowError says why the figures of a demonstration mean nothing.
type SlowError struct{ why string }

// Error says it, and what to do.
func (e *SlowError) Error() string {
	return "These figures say nothing of who drains: " + e.why + "; try again when this machine has less to do."
}

// slow is why the figures mean nothing, or nil.
func (d *Show) slow(results []Result) error {
	if late := d.pulse.p99(); late > latestTick {
		return &SlowError{fmt.Sprintf("this machine was too slow: of the demonstration's own clock, one tick in a hundred was more than %.1f s late", late.Seconds())}
	}
	for i, r := range results {
		if r.P99 > float64(latestAnswer.Milliseconds()) && d.plot.lasts == 0 {
			return &SlowError{fmt.Sprintf("this machine was too slow: of the quick requests (%s), one in a hundred took more than %.1f s", d.plot.sides[i], r.P99/1000)}
		}
		if r.Failed == 0 && i < d.plot.losers {
			return &SlowError{fmt.Sprintf("with what is called %s nothing was lost, and something always is where a machine keeps up", d.plot.sides[i])}
		}
	}
	return nil
}

// Report is what stands in the figures as JSON.
func (d *Show) Report() any {
	results := d.Results()
	report := struct {
		Stories []Result `json:"stories"`
		Slow    string   `json:"slow"`    // why the figures mean nothing; empty: they do
		Late    float64  `json:"late_ms"` // one tick in a hundred of the demonstration's own clock
	}{results, "", float64(d.pulse.p99().Microseconds()) / 1000}
	if err := d.slow(results); err != nil {
		report.Slow = err.Error()
	}
	return report
}

// Verdict is why a demonstration did not end well: the machine was too slow for its figures to mean anything (a SlowError), or Ebb lost something.
func (d *Show) Verdict() error { return d.verdict(d.Results()) }

func (d *Show) verdict(results []Result) error {
	if err := d.slow(results); err != nil {
		return err
	}
	r := results[len(results)-1]
	if alerts := *cmp.Or(r.Alerts, new(int)); r.Requests == 0 || alerts > 0 || r.Failed > 0 && d.plot.lasts == 0 {
		return fmt.Errorf("with %s %d of %d were lost (%s), and %d alerts raised; that must not happen: please report it with all that was printed",
			d.plot.sides[2], r.Failed, r.Requests, kinds(r.FailedByKind), alerts)
	}
	return nil
}
