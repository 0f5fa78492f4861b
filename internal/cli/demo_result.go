package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// demoResult is what came of one story; its JSON keys are stable.
type demoResult struct {
	Name         string         `json:"name"`
	Requests     int            `json:"requests"`
	Failed       int            `json:"failed"`
	FailedByKind map[string]int `json:"failed_by_kind"`
	P99          float64        `json:"p99_ms"`       // of the quick requests that were answered
	GoneAfter    float64        `json:"gone_after_s"` // from the scale-in until EC2 had terminated the last host
	Calls        int            `json:"aws_calls"`    // of the drainer; polls of its queue that brought nothing are not counted
	gone         int
}

// result is how the story stands.
func (s *demoStory) result() demoResult {
	t := s.client.Tally()
	gone, after := s.gone()
	return demoResult{
		Name: s.name, Requests: t.Requests, Failed: t.Failed, FailedByKind: t.ByKind, P99: float64(t.P99.Microseconds()) / 1000,
		GoneAfter: float64(after.Milliseconds()) / 1000, Calls: s.calls(), gone: gone,
	}
}

func writeDemoJSON(w io.Writer, results []demoResult) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"stories": results})
}

func writeDemoTable(w io.Writer, results []demoResult) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nSTORY\tREQUESTS\tFAILED\tP99\tLAST HOST GONE\tAWS CALLS\tFAILED BY KIND")
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%.0f ms\t%.1f s\t%d\t%s\n", r.Name, r.Requests, r.Failed, r.P99, r.GoneAfter, r.Calls, kinds(r.FailedByKind))
	}
	_ = tw.Flush() // a reader that is gone needs no table
	fmt.Fprintf(w, "\nP99 is of the quick requests that were answered; AWS calls are the drainer's, without polls of its queue that "+
		"brought nothing.\n\n%s\n", moral(results))
}

// kinds spells failures by kind, in order.
func kinds(by map[string]int) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%s: %d", kind, by[kind]))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// moral says in two sentences what was seen and what to do next.
func moral(results []demoResult) string {
	lost := make([]any, 0, len(results)+1)
	lost = append(lost, results[0].Requests)
	for _, r := range results {
		lost = append(lost, r.Failed)
	}
	return fmt.Sprintf("Of the same %d requests %d were lost without draining, %d with the home-made drainer, which answers its hook as "+
		"soon as tasks begin to stop, and\n"+
		"%d with Ebb, which waits until they have STOPPED.\n"+
		"Next: ebb demo --keep leaves this cloud running for your own aws command, and ebb serve --help says how to run the controller.", lost...)
}

// lostByEbb is the error of a demonstration in which Ebb lost a request.
func lostByEbb(results []demoResult) error {
	for _, r := range results {
		if r.Name == "ebb" && r.Failed == 0 && r.Requests > 0 {
			return nil
		}
		if r.Name == "ebb" {
			return fmt.Errorf("ebb lost %d of %d requests (%s); that must not happen: please report it with all that was printed", r.Failed,
				r.Requests, kinds(r.FailedByKind))
		}
	}
	return errors.New("the demonstration has no story of ebb")
}
