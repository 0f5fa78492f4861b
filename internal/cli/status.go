package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

// statusLine is one drain in the output; its JSON keys are stable.
type statusLine struct {
	Key      string    `json:"drain"`
	Group    string    `json:"group"`
	Instance string    `json:"instance,omitempty"`
	Task     string    `json:"task,omitempty"` // ARN: no host leaves, but this task
	Cluster  string    `json:"cluster,omitempty"`
	State    string    `json:"state"` // open, or the outcome
	Since    time.Time `json:"since"`
	Deadline time.Time `json:"deadline,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Text     string    `json:"text"` // what it waits for, or why it ended
	Left     []string  `json:"left,omitempty"`
	CutOff   []string  `json:"cut_off,omitempty"`
	Observed bool      `json:"observed,omitempty"` // Ebb only watches: state and text are what it would have done
	Would    []string  `json:"would,omitempty"`    // on the way to that
	Answer   time.Time `json:"would_answer,omitzero"`

	Word fleet.Word `json:"word,omitzero"` // what an operator asked for with ebb drain
}

// holderLine is who works for a scope; its JSON keys are stable.
type holderLine struct {
	Scope  string    `json:"scope"`
	Holder string    `json:"holder"` // empty: nobody
	Beat   time.Time `json:"beat"`   // when it last said that it lives, by its own clock
}

// unknownLine counts the open records of one form that a newer Ebb wrote; its JSON keys are stable.
type unknownLine struct {
	Scope   string `json:"scope"`
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Records int    `json:"records"`
}

// asideLine says how many of the journal's latest lines are of one kind, such as what it refused; its JSON keys are stable.
type asideLine struct {
	Lines  int       `json:"of_lines"`
	Count  int       `json:"count"`
	At     time.Time `json:"latest_at,omitzero"`
	Latest string    `json:"latest,omitempty"`
}

// asideLines is how many lines back status counts what was set aside, or excluded.
const asideLines = 2000

// report is what status shows.
type report struct {
	paused   []pausedLine
	drains   []statusLine
	counts   []countLine
	holders  []holderLine
	unknown  []unknownLine
	aside    asideLine // what the journal refused or nobody could read
	excluded asideLine // what Ebb did not drain because of a tag
	planned  []kernel.Scheduled
	steps    []transcript // of the instance that is asked for
}

// clean spells what must not be shown: names and texts come from outside, and one with a newline or a tab would make a row of its own.
func (r *report) clean() {
	plain.Deep(&r.drains, plain.Long)
	plain.Deep(&r.counts, plain.Short)
	plain.Deep(&r.holders, plain.Short)
	plain.Deep(&r.unknown, plain.Short)
	plain.Deep(&r.planned, plain.Long)
}

// count counts an open record that this Ebb does not read.
func (r *report) count(u *kernel.UnknownRecord) {
	for i, l := range r.unknown {
		if l.Scope == u.Scope && l.Kind == u.Kind && l.Version == u.Version {
			r.unknown[i].Records++
			return
		}
	}
	r.unknown = append(r.unknown, unknownLine{u.Scope, u.Kind, u.Version, 1})
}

func newStatus(p Process) *cobra.Command {
	var output string
	var ended int
	var watch bool
	var every time.Duration
	c := &cobra.Command{
		Use: "status [INSTANCE]", Short: "List the drains that are open, and those that ended lately", Args: one("instance"),
		Long: `Status reads the journal, also while ebb serve is writing it. It calls AWS only for a journal in DynamoDB.

With INSTANCE it shows the drains of that one only, and what ebb-agent on it has told of its steps, also when the host is long gone.

First it says what is paused (ebb pause). A drain of a group with mode observe is shown as observed: Ebb only watches it.
It shows what a drain waits for as of the last change in the journal. Below the drains it lists the desired counts that Ebb has raised
(replace_first, on_demand), and which process works for which scope (a cluster, or a group without a cluster) and when that process last
renewed its lease. A function holds a scope only for a moment. Then comes what AWS has scheduled, such as the retirement of instances or of
tasks on Fargate: Ebb tells of it and does nothing about it. The last lines count the open records that a newer version of Ebb wrote: this
one cannot read them and leaves them alone; and what was set aside lately, because the journal could not keep it or nobody could read it.

With --watch it reads again and again until Ctrl-C, which ends it with 130. On a terminal it draws the screen anew each time. Elsewhere it
prints all of it again once something has changed; a lease that is renewed, and a longer journal, are no change.`,
		Example: `  ebb status --config ebb.yaml
  ebb status --config ebb.yaml --watch
  ebb status i-0a1b2c3d4e5f60718 --config ebb.yaml
  ebb status --journal sqlite:///var/lib/ebb/journal.db -o json`,
	}
	addSettings(c, "config", "journal")
	c.Flag("journal").Usage = "sqlite:///absolute/path or dynamodb://TABLE ($EBB_JOURNAL)"
	c.Flags().StringVarP(&output, "output", "o", "table", "table, tsv, json or jsonl")
	c.Flags().IntVar(&ended, "ended", 10, "how many ended drains to list")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again, until Ctrl-C")
	c.Flags().DurationVar(&every, "every", 2*time.Second, "with --watch, how often the journal is read; at least 1s")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		write, ok := statusForms[output]
		if !ok {
			return fmt.Errorf("%w: no output form %q; use table, tsv, json or jsonl", errUsage, output)
		}
		if every < time.Second {
			return fmt.Errorf("%w: --every is %s; it is at least 1s", errUsage, every)
		}
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		if watch {
			return watchStatus(cmd, p, cfg, ended, watcher{instance: strings.Join(args, ""), out: p.Stdout, screen: terminal(p.Stdout), form: output, every: every})
		}
		r, err := status(cmd, p, cfg, ended, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return write(p.Stdout, r)
	}
	return c
}

func status(c *cobra.Command, p Process, cfg config.Config, ended int, instance string) (r report, err error) {
	store, err := readJournal(c.Context(), cfg)
	if err != nil {
		return r, err
	}
	defer store.Close()
	return statusOf(c, p, store, cfg, ended, instance)
}

// statusOf reads a journal; with an instance, what it says of that one. What cannot be read is an error: a part of the truth would look like all of it.
func statusOf(c *cobra.Command, p Process, store journal.Store, cfg config.Config, ended int, instance string) (r report, err error) {
	ctx := c.Context()
	open, err := store.Open(ctx)
	if err != nil {
		return r, err
	}
	leases, err := store.Leases(ctx)
	if err != nil {
		return r, err
	}
	if r.planned, err = calendar(ctx, store, time.Now()); err != nil {
		return r, err
	}
	r.paused = pausedLines(open, c, p, cfg)
	for _, l := range leases {
		r.holders = append(r.holders, holderLine{l.Scope, l.Holder, l.At})
	}
	var past []journal.Record
	limit := ended
	if instance != "" {
		limit = 0 // its drains are among all that are kept
		if r.steps, err = transcripts(ctx, store, instance); err != nil {
			return r, err
		}
	}
	if ended > 0 {
		if past, err = store.Recent(ctx, limit); err != nil {
			return r, err
		}
	}
	r.drains, r.unknown, r.counts = make([]statusLine, 0, len(open)+len(past)), []unknownLine{}, []countLine{}
	for _, rec := range append(open, past...) {
		if c, is := kernel.ReadCount(rec); is && rec.Open {
			r.counts = append(r.counts, countLineOf(c))
		}
		if !kernel.OfDrain(rec) {
			continue
		}
		d, err := kernel.Read(rec)
		if unknown, ok := errors.AsType[*kernel.UnknownRecord](err); ok {
			if rec.Open {
				r.count(unknown)
			}
			continue
		}
		if err != nil { // ebb serve sets it aside
			r.aside.Count, r.aside.Latest = r.aside.Count+1, err.Error()
			continue
		}
		if instance == "" || string(d.Instance()) == instance {
			r.drains = append(r.drains, lineOf(d, kernel.Waiting(rec), cfg))
		}
	}
	return r, r.countAside(ctx, store)
}

// calendar is what AWS has scheduled and has not been over for a week, in order of time.
func calendar(ctx context.Context, store journal.Store, now time.Time) ([]kernel.Scheduled, error) {
	all, err := store.Forwarded(ctx, []string{kernel.Calendar})
	planned := []kernel.Scheduled{}
	for _, f := range all {
		if s, ok := kernel.ReadScheduled(f); ok && !s.Past(f.Sent, now) {
			planned = append(planned, s)
		}
	}
	slices.SortStableFunc(planned, func(a, b kernel.Scheduled) int { return a.Starts.Compare(b.Starts) })
	return planned, err
}

func (a *asideLine) count(l journal.Line) { a.Count, a.At, a.Latest = a.Count+1, l.At, l.Text }

// countAside counts the lines about what was set aside, and about what was excluded.
func (r *report) countAside(ctx context.Context, store journal.Store) error {
	lines, err := store.History(ctx, journal.Query{Limit: asideLines})
	r.aside.Lines, r.excluded.Lines = len(lines), len(lines)
	for _, l := range lines {
		switch l.Kind {
		case journal.SetAside:
			r.aside.count(l)
		case "excluded":
			r.excluded.count(l)
		}
	}
	return err
}

func lineOf(d drain.Drain, waiting string, cfg config.Config) statusLine {
	l := statusLine{
		Key: d.Key, Group: d.Group, Instance: string(d.Instance()), Task: string(d.TaskARN()), Cluster: d.Cluster,
		State: "open", Since: d.Heard, Text: "waits " + waiting, Left: d.Left, Observed: d.Observed, Would: d.Would, Word: d.Word,
	}
	if d.Observed && d.Intent != nil {
		l.Answer = d.Intent.At
	}
	waits := !d.Queued.IsZero() && d.Slot.IsZero() // until it may leave: the deadline counts from then
	if l.Word != (fleet.Word{}) && d.Hook == "" && d.Open() {
		l.Deadline = l.Word.Deadline // whatever the configuration says
	} else if g, ok := cfg.Group(d.Group); ok && d.Open() && !waits {
		l.Deadline = drain.Deadline(d, fleet.Fact[fleet.Hook]{}, drain.Policy{Deadline: g.Deadline})
	}
	if !d.Open() {
		l.State, l.Ended, l.Text, l.CutOff, l.Left = string(d.Final.Outcome), d.Ended, d.Final.Reason, d.Final.CutOff, nil
	}
	return l
}

func (a *asideLine) write(w io.Writer, what string) {
	if a.Count > 0 {
		fmt.Fprintf(w, "\n%s: %d of its last %d lines. The latest: %s\n", what, a.Count, a.Lines, a.Latest)
	}
}

var statusForms = map[string]func(io.Writer, report) error{
	"table": func(w io.Writer, r report) error {
		r.clean()
		local := func(t time.Time) string { return t.Local().Format("15:04:05") }
		for _, l := range r.paused {
			fmt.Fprint(w, l.text()+"\n")
		}
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		writeStatus(tw, r.drains, local)
		if len(r.counts) > 0 {
			fmt.Fprintln(tw, "\nSERVICE\tCLUSTER\tDESIRED COUNT\tWITHOUT EBB\tRAISED BY")
		}
		for _, c := range r.counts {
			fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%s\n", c.Service, c.Cluster, c.Count, c.Base, c.whose())
		}
		if len(r.holders) > 0 {
			fmt.Fprintln(tw, "\nSCOPE\tWHO WORKS\tLAST BEAT")
		}
		for _, h := range r.holders {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", h.Scope, who(h.Holder), local(h.Beat))
		}
		if len(r.unknown) > 0 {
			fmt.Fprintln(tw, "\nSCOPE\tOF A NEWER EBB\tOPEN RECORDS, LEFT ALONE")
		}
		for _, u := range r.unknown {
			fmt.Fprintf(tw, "%s\t%s, version %d\t%d\n", u.Scope, u.Kind, u.Version, u.Records)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		if err := writeTranscripts(w, r.steps); err != nil {
			return err
		}
		for i, s := range r.planned {
			if i == 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, s.Text())
		}
		r.aside.write(w, "Set aside, because the journal could not keep it or nobody could read it")
		r.excluded.write(w, "Not drained, because of the tag "+fleet.ExcludeTag+" on the group")
		return nil
	},
	"tsv": func(w io.Writer, r report) error {
		r.clean()
		writeStatus(w, r.drains, func(t time.Time) string { return t.Format(time.RFC3339) })
		return nil
	},
	"json": func(w io.Writer, r report) error {
		all := map[string]any{
			"schema_version": 1, "paused": r.paused, "drains": r.drains, "desired_counts": r.counts, "holders": r.holders,
			"unknown_records": r.unknown, "set_aside": r.aside, "excluded": r.excluded, "scheduled": r.planned,
		}
		if r.steps != nil {
			all["host_steps"] = r.steps
		}
		return writeJSON(w, all)
	},
	"jsonl": func(w io.Writer, r report) error {
		return writeJSONLines(w, r.drains)
	},
}

// who names a holder for people: its host and process number.
func who(holder string) string {
	parts := strings.Split(holder, "/")
	return cmp.Or(strings.Join(parts[:min(2, len(parts))], "/"), "nobody")
}

func writeStatus(w io.Writer, ls []statusLine, at func(time.Time) string) {
	fmt.Fprintln(w, "INSTANCE\tGROUP\tSTATE\tSINCE\tDEADLINE\tWHAT")
	for _, l := range ls {
		deadline := "-"
		if !l.Deadline.IsZero() {
			deadline = at(l.Deadline)
		}
		text, state := l.Text, l.State
		if l.Observed {
			state = "observed " + strings.TrimPrefix(state, "observed-")
		}
		if len(l.CutOff) > 0 {
			text += "; cut off: " + strings.Join(l.CutOff, ", ")
		}
		if l.Word != (fleet.Word{}) {
			text = "ebb drain: " + text
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(l.Instance, fleet.ARN(l.Task).Name()), cmp.Or(l.Group, "-"), state, at(l.Since), deadline, text)
	}
}
