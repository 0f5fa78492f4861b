package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
)

// transcript is what the steps on a host did before it left, as its agent has told; its JSON keys are stable.
type transcript struct {
	At  time.Time `json:"at"` // when the journal had it
	Key string    `json:"drain"`
	event.Transcript
}

// mostTranscripts is how many departures of a host are shown: most hosts have one, and a root volume can be replaced more often.
const mostTranscripts = 5

// transcripts reads them from the journal, the newest last. The host may have gone long ago.
func transcripts(ctx context.Context, store journal.Store, instance string) ([]transcript, error) {
	lines, _, err := historyQuery{target: instance}.lines(ctx, store, journal.Query{})
	all := []transcript{}
	for _, l := range lines {
		t := transcript{At: l.At, Key: l.Key}
		if l.Kind != journal.HostLine || json.Unmarshal(l.Data, &t.Transcript) != nil {
			continue
		}
		if n := len(all); n > 0 && t.follows(all[n-1]) {
			all[n-1] = t // each has all of it again
		} else {
			all = append(all, t)
		}
	}
	return all[max(0, len(all)-mostTranscripts):], err
}

// follows reports whether a transcript is of the same departure, and newer.
func (t transcript) follows(o transcript) bool {
	return t.Cause == o.Cause && len(t.Steps)+t.More >= len(o.Steps)+o.More && (o.Result == "" || t.Result == o.Result && t.At.Sub(o.At) < time.Hour)
}

// writeTranscripts writes a table for each departure.
func writeTranscripts(w io.Writer, all []transcript) error {
	for _, t := range all {
		for i := range t.Steps {
			t.Steps[i].Tail = t.Steps[i].LastLine()
		}
		plain.Deep(&t, plain.Short)
		fmt.Fprintf(w, "\nSteps on the host, because of %s, as of %s:\n", t.Cause, t.At.Local().Format(time.DateTime))
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "STEP\tRESULT\tSECONDS\tATTEMPT\tLAST OUTPUT")
		for _, s := range t.Steps {
			seconds, attempt := "-", "-"
			if s.Seconds != nil {
				seconds = fmt.Sprintf("%.1f", *s.Seconds)
			}
			if s.Attempt > 0 {
				attempt = fmt.Sprint(s.Attempt)
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", s.Step, s.Outcome, seconds, attempt, s.Tail)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		if t.More > 0 {
			fmt.Fprintf(w, "and %d more\n", t.More)
		}
		if t.Result != "" {
			fmt.Fprintf(w, "answer: %s, because %s\n", t.Result, t.Why)
		}
	}
	return nil
}
