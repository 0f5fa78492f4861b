package demo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// Result is what came of one story; its JSON keys are stable.
type Result struct {
	Name         string         `json:"name"`
	Requests     int            `json:"requests"`
	Failed       int            `json:"failed"`
	FailedByKind map[string]int `json:"failed_by_kind"`
	P99          float64        `json:"p99_ms"`           // of the quick requests that were answered
	GoneAfter    float64        `json:"gone_after_s"`     // from the beginning until EC2 had terminated the last host, or the last task had stopped
	Calls        int            `json:"aws_calls"`        // of the drainer; polls of its queue that brought nothing are not counted
	Alerts       *int           `json:"alerts,omitempty"` // of monitoring, where a story has it
	gone         int
	routed       bool // requests still go to what has left
}

// result is how the story stands. Calls are counted as AWS sees them, failed ones included.
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
		if s.group == "" {
			return
		}
		r.routed = slices.ContainsFunc(w.Route(s.group).Endpoints, func(e traffic.Endpoint) bool { return !e.Healthy && w.Now().Before(e.RoutedUntil) })
	})
	return r
}

func writeTable(w io.Writer, plot *plot, results []Result) {
	if plot.table != nil {
		plot.table(w, results)
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\nSTORY\tREQUESTS\tFAILED\tP99\tLAST %s GONE\tAWS CALLS\tFAILED BY KIND\n", strings.ToUpper(plot.what))
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%.0f ms\t%.1f s\t%d\t%s\n", r.Name, r.Requests, r.Failed, r.P99, r.GoneAfter, r.Calls, kinds(r.FailedByKind))
	}
	_ = tw.Flush() // a reader that is gone needs no table
	fmt.Fprintf(w, "\nP99 is of the quick requests that were answered; AWS calls are the drainer's, without polls of its queue that "+
		"brought nothing.\n\n%s\n", moral(plot, results))
}

// kinds spells failures by kind, in order.
func kinds(by map[string]int) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%s: %d", kind, by[kind]))
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

// moral says in two sentences what was seen and what to do next.
func moral(plot *plot, results []Result) string {
	return fmt.Sprintf("Of the same %d requests "+plot.moral+"\n"+
		"Next: ebb demo --keep leaves this cloud running for your own aws command, and ebb serve --help says how to run the controller.",
		results[0].Requests, results[0].Failed, results[1].Failed, results[2].Failed)
}

// tooSlow is how late, in milliseconds, one in a hundred answers may be. On a machine that is slower the seconds that a story is about are
// over before anybody could use them.
const tooSlow = 2000

// Lost is the error of a demonstration in which Ebb lost a request.
func Lost(results []Result) error {
	i := slices.IndexFunc(results, func(r Result) bool { return r.Name == "ebb" })
	if i < 0 {
		return errors.New("the demonstration has no story of ebb")
	}
	if r := results[i]; r.Failed > 0 && r.P99 > tooSlow {
		return fmt.Errorf("this machine was too slow: one answer in a hundred took more than %.0f s, so that the figures say nothing of Ebb; "+
			"try again when it has less to do", r.P99/1000)
	}
	if r := results[i]; r.Alerts != nil && (r.Failed > 0 || *r.Alerts > 0) {
		return fmt.Errorf("with ebb-agent %d of %d lines were lost, and %d alerts raised; that must not happen: please report it with all that was "+
			"printed", r.Failed, r.Requests, *r.Alerts)
	}
	if r := results[i]; r.Failed > 0 || r.Requests == 0 {
		return fmt.Errorf("ebb lost %d of %d requests (%s); that must not happen: please report it with all that was printed", r.Failed,
			r.Requests, kinds(r.FailedByKind))
	}
	return nil
}
