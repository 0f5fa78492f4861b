package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

// endedLine is a drain that ended; its JSON keys are stable.
type endedLine struct {
	Key      string    `json:"drain"`
	Group    string    `json:"group"`
	Instance string    `json:"instance,omitempty"`
	Task     string    `json:"task,omitempty"` // ARN: no host leaves, but this task
	Cluster  string    `json:"cluster,omitempty"`
	Outcome  string    `json:"outcome"`
	Since    time.Time `json:"since,omitzero"` // when Ebb heard of it
	Ended    time.Time `json:"ended"`
	Seconds  *int64    `json:"seconds"` // from one to the other; null: not known
	Reason   string    `json:"reason"`
	CutOff   []string  `json:"cut_off,omitempty"`
	Observed bool      `json:"observed,omitempty"` // Ebb only watched: it is what would have happened

	Word fleet.Word `json:"word,omitzero"` // what an operator asked for with ebb drain
}

// historyLine is one line of the journal; its JSON keys are stable.
type historyLine struct {
	At   time.Time `json:"at"`
	Key  string    `json:"drain,omitempty"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// historyQuery is what is asked of the journal.
type historyQuery struct {
	target, group, outcome, output string
	since                          time.Duration // 0: as far back as the journal goes
	most                           int
	follow                         bool
}

// followed is how often --follow reads the journal. A line of an Ebb whose clock is behind may come late, with a lower number than those
// that are known; it is looked for during overlap reads, which is a minute.
const (
	followed = 2 * time.Second
	overlap  = 30
)

func newHistory(p Process) *cobra.Command {
	var q historyQuery
	c := &cobra.Command{
		Use: "history [TARGET]", Short: "List the drains that ended, or what the journal says of one", Args: one("target"),
		Long: `History reads the journal, also while ebb serve is writing it. It calls AWS only for a journal in DynamoDB.

Without TARGET it lists the drains that ended, the newest last: how, how long after Ebb had heard of it, why, and what was cut off. With
TARGET, an instance, the name of a drain, or service/CLUSTER/NAME for a desired count, it prints each line of the journal about it, the newest last,
also while the drain goes on.
With --follow it prints further lines, of TARGET or of all, as they are written, until Ctrl-C.

What there is not it says on standard error, and ends with 0. It ends with 1 if the journal cannot be read.`,
		Example: `  ebb history --config ebb.yaml --since 24h --outcome forced
  ebb history i-0a1b2c3d4e5f60718 --config ebb.yaml
  ebb history --config ebb.yaml --follow`,
	}
	addSettings(c, "config", "journal")
	c.Flag("journal").Usage = "sqlite:///absolute/path or dynamodb://TABLE ($EBB_JOURNAL)"
	c.Flags().DurationVar(&q.since, "since", 0, "only what ended, or was written, in the last while, such as 24h")
	c.Flags().StringVar(&q.group, "group", "", "only drains of groups that match, such as web-*")
	c.Flags().StringVar(&q.outcome, "outcome", "", "only drains that ended so, such as forced")
	c.Flags().IntVarP(&q.most, "number", "n", 50, "how many at most, the newest")
	c.Flags().StringVarP(&q.output, "output", "o", "table", "table, json or jsonl")
	c.Flags().BoolVarP(&q.follow, "follow", "f", false, "print lines of the journal as they are written")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		q.target = strings.Join(args, "")
		if name, is := strings.CutPrefix(q.target, "service/"); is {
			q.target = "count:" + name
		}
		if err := q.check(); err != nil {
			return err
		}
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		store, err := readJournal(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer store.Close()
		return q.answer(cmd.Context(), store, p, time.Now())
	}
	return c
}

// check refuses what cannot be asked.
func (q historyQuery) check() error {
	_, err := path.Match(q.group, "")
	switch {
	case !slices.Contains([]string{"table", "json", "jsonl"}, q.output):
		return fmt.Errorf("%w: no output form %q; use table, json or jsonl", errUsage, q.output)
	case q.follow && q.output == "json":
		return fmt.Errorf("%w: --follow prints line by line; use -o table or jsonl", errUsage)
	case (q.follow || q.target != "") && q.group+q.outcome != "":
		return fmt.Errorf("%w: --group and --outcome choose among the drains that ended; leave them out with TARGET and with --follow", errUsage)
	case q.most < 1 || q.since < 0:
		return fmt.Errorf("%w: -n is %d and --since %s; -n is at least 1, and --since not negative", errUsage, q.most, q.since)
	case err != nil:
		return fmt.Errorf("%w: --group %q is no pattern; write it like web-*", errUsage, q.group)
	case q.outcome != "" && !slices.Contains(drain.Outcomes(), drain.Outcome(q.outcome)):
		return fmt.Errorf("%w: there is no outcome %q; the outcomes are %v", errUsage, q.outcome, drain.Outcomes())
	}
	return nil
}

// answer writes what is asked for.
func (q historyQuery) answer(ctx context.Context, store journal.Store, p Process, now time.Time) error {
	from := time.Time{}
	if q.since > 0 {
		from = now.Add(-q.since)
	}
	if q.follow {
		f := follower{q: q, seen: map[int64]bool{}}
		return again(ctx, followed, p.Stderr, func() error { return f.read(ctx, store, p.Stdout, from) })
	}
	if q.target == "" {
		ls, unread, err := q.ended(ctx, store, from)
		if err != nil {
			return err
		}
		if unread > 0 {
			fmt.Fprintf(p.Stderr, "ebb: %d records are not shown: a newer version of Ebb wrote them, or nobody can read them\n", unread)
		}
		q.tellBounds(p.Stderr, len(ls), "drain that ended")
		return writeHistory(p.Stdout, q.output, "drains", ls[max(0, len(ls)-q.most):], writeEnded)
	}
	ls, _, err := q.lines(ctx, store, journal.Query{Since: from})
	if err != nil {
		return err
	}
	q.tellBounds(p.Stderr, len(ls), "line about "+plain.Text(q.target, plain.Short))
	return writeHistory(p.Stdout, q.output, "lines", historyLines(ls, q.most), writeLines)
}

// tellBounds says that nothing was found, or more than is shown.
func (q historyQuery) tellBounds(w io.Writer, found int, what string) {
	if q.outcome != "" {
		what += " as " + q.outcome
	}
	if q.group != "" {
		what += " in a group " + plain.Text(q.group, plain.Short)
	}
	switch {
	case found > q.most:
		fmt.Fprintf(w, "ebb: there are earlier ones than these %d; ask for more with -n\n", q.most)
	case found == 0 && q.since > 0:
		fmt.Fprintf(w, "ebb: the journal has no %s in the last %s\n", what, q.since)
	case found == 0:
		fmt.Fprintf(w, "ebb: the journal has no %s\n", what)
	}
}

// ended are the drains that ended, the newest last: one more than are asked for, if there are. What it cannot read it counts.
func (q historyQuery) ended(ctx context.Context, store journal.Store, from time.Time) (ls []endedLine, unread int, err error) {
	for limit := 2*q.most + 50; ; limit *= 4 { // most journals need one read
		past, err := store.Recent(ctx, limit)
		if err != nil {
			return nil, 0, err
		}
		ls, unread = []endedLine{}, 0
		for _, r := range past {
			if !kernel.OfDrain(r) {
				continue
			}
			d, err := kernel.Read(r)
			if err != nil || d.Final == nil || d.Open() {
				unread++
			} else if l := endedOf(r.Key, d); q.wants(l, from) && len(ls) <= q.most {
				ls = append(ls, l)
			}
		}
		if len(past) < limit || len(ls) > q.most {
			slices.Reverse(ls)
			return ls, unread, nil
		}
	}
}

func (q historyQuery) wants(l endedLine, from time.Time) bool {
	return !l.Ended.Before(from) && (q.group == "" || fleet.Match(q.group, l.Group)) && (q.outcome == "" || q.outcome == l.Outcome)
}

func endedOf(key string, d drain.Drain) endedLine {
	l := endedLine{
		Key: key, Group: d.Group, Instance: string(d.Instance()), Task: string(d.TaskARN()), Cluster: d.Cluster,
		Outcome: string(d.Final.Outcome), Since: d.Heard, Ended: d.Ended,
		Reason: d.Final.Reason, CutOff: d.Final.CutOff, Observed: d.Observed, Word: d.Word,
	}
	if took := int64(d.Ended.Sub(d.Heard).Seconds()); !d.Heard.IsZero() && took >= 0 {
		l.Seconds = &took
	}
	return l
}

// about reports whether a drain is the target: by its name, or by what it is about, such as an instance, with its group or without.
func (q historyQuery) about(key string) bool {
	subject := journal.Record{Key: key}.Subject()
	return q.target == "" || key == q.target || subject == q.target || strings.HasSuffix(subject, "/"+q.target)
}

// lines are those about the target, the newest last. They are chosen among all lines, because a drain that the journal did not take has
// lines without a record, and because a store may have to read all of them anyway.
func (q historyQuery) lines(ctx context.Context, store journal.Store, in journal.Query) (about, all []journal.Line, err error) {
	if all, err = store.History(ctx, in); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(l journal.Line) bool { return !q.about(l.Key) }), all, nil
}

// follower prints each line once.
type follower struct {
	q      historyQuery
	seen   map[int64]bool // the numbers of lines that were read
	floors []int64        // the highest number that was known, at each of the latest reads; none before the first
}

// read prints the lines that are new; the first time, the newest ones.
func (f *follower) read(ctx context.Context, store journal.Store, w io.Writer, from time.Time) error {
	in, most := journal.Query{Since: from}, f.q.most
	switch {
	case len(f.floors) > 0:
		in, most = journal.Query{After: f.floors[0]}, math.MaxInt
	case f.q.target == "":
		in.Limit = f.q.most + 200 // more than are shown: what comes late may be older than those
	}
	show, all, err := f.q.lines(ctx, store, in)
	if err != nil {
		return err
	}
	show = slices.DeleteFunc(show, func(l journal.Line) bool { return f.seen[l.Seq] })
	f.remember(all)
	return writeHistory(w, f.q.output, "lines", historyLines(show, most), writeLines)
}

// remember keeps the numbers of what was read, as long as it may be read again.
func (f *follower) remember(all []journal.Line) {
	highest := int64(0)
	if n := len(f.floors); n > 0 {
		highest = f.floors[n-1]
	} else if len(all) > 0 {
		f.floors = append(f.floors, all[max(0, len(all)-200)].Seq) // what may come late is above that
	}
	for _, l := range all {
		f.seen[l.Seq], highest = true, max(highest, l.Seq)
	}
	f.floors = append(f.floors, highest)
	f.floors = f.floors[max(0, len(f.floors)-overlap):]
	maps.DeleteFunc(f.seen, func(seq int64, _ bool) bool { return seq <= f.floors[0] })
}

// historyLines are the newest lines, as they are shown.
func historyLines(ls []journal.Line, most int) []historyLine {
	out := []historyLine{}
	for _, l := range ls[max(0, len(ls)-most):] {
		out = append(out, historyLine{At: l.At, Key: l.Key, Kind: l.Kind, Text: l.Text})
	}
	return out
}

// writeHistory writes in one of the forms. In JSON the values stay what they are; in a table they are bounded.
func writeHistory[T any](w io.Writer, form, name string, ls []T, table func(io.Writer, []T) error) error {
	switch form {
	case "json":
		return writeJSON(w, map[string]any{"schema_version": 1, name: ls})
	case "jsonl":
		return writeJSONLines(w, ls)
	default:
		plain.Deep(&ls, plain.Long)
		return table(w, ls)
	}
}

func writeEnded(w io.Writer, ls []endedLine) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ENDED\tINSTANCE\tGROUP\tOUTCOME\tTOOK\tREASON")
	for _, l := range ls {
		took, outcome, reason := "-", l.Outcome, l.Reason
		if l.Seconds != nil {
			took = (time.Duration(*l.Seconds) * time.Second).String()
		}
		if l.Observed {
			outcome = "observed " + strings.TrimPrefix(outcome, "observed-")
		}
		if len(l.CutOff) > 0 {
			reason += "; cut off: " + strings.Join(l.CutOff, ", ")
		}
		if l.Word != (fleet.Word{}) {
			reason = "ebb drain: " + reason
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Ended.Local().Format(time.DateTime),
			cmp.Or(l.Instance, fleet.ARN(l.Task).Name()), cmp.Or(l.Group, "-"), outcome, took, reason)
	}
	return tw.Flush()
}

// writeLines writes a line for each, in the words of the log.
func writeLines(w io.Writer, ls []historyLine) error {
	for _, l := range ls {
		about := cmp.Or(journal.Record{Key: l.Key}.Subject(), "-")
		if _, err := fmt.Fprintf(w, "%s  %s  %s  %s\n", l.At.Local().Format(time.DateTime), about, l.Kind, l.Text); err != nil {
			return err
		}
	}
	return nil
}
