package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
)

func newWhy(p Process) *cobra.Command {
	var f lookFlags
	c := &cobra.Command{
		Use: "why TARGET", Short: "Say why an instance or a task does not leave, and what fixes it",
		Args: targets(1),
		Long: `Why looks at everything that can keep TARGET: its group and its hooks, its container instance, its tasks, their services, target
groups, and where replacements could go. It says what holds TARGET, with the command that fixes it. It only reads and changes nothing.
docs/reference/why.md lists what it can say.

TARGET is an EC2 instance id, or a container instance or a task, as ARN or id. With --config Ebb also reads the journal.

Exit codes: 0 it answered, whatever the answer; 1 it could not read the account, or TARGET was not found; 64 wrong usage; 78 wrong
configuration.`,
		Example: `  ebb why i-0a1b2c3d4e5f60718
  ebb why i-0a1b2c3d4e5f60718 --config ebb.yaml -o json
  ebb why arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef`,
	}
	f.add(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, seen, err := f.lookFor(cmd, p, args)
		if err != nil {
			return err
		}
		q := diagnose.Question{Target: args[0], Now: seen.At}
		if cfg.Queue != "" || len(cfg.Groups) > 0 {
			q.Hook = cfg.Hook
		}
		var open []journal.Record
		q.Lines, open, err = journalOf(cmd.Context(), cfg, diagnose.Instance(&seen, args[0]))
		r := diagnose.Why(&seen, q)
		paused := pausesOf(r.Group, cfg, pausedLines(open, cmd))
		if err != nil {
			r.Notes = append(r.Notes, err.Error())
		}
		var missing []string
		if !r.Found() {
			missing = args
		}
		return answered(f.write(p.Stdout, whyAnswer{paused, r}, pausedTexts(paused)+whyText(r)), missing, seen)
	}
	return c
}

// whyAnswer is what why says in JSON.
type whyAnswer struct {
	Paused []pausedLine `json:"paused,omitempty"`
	diagnose.Report
}

// pausesOf are the pauses of the scope to which a group belongs.
func pausesOf(group string, cfg config.Config, paused []pausedLine) []pausedLine {
	g, ok := cfg.Group(group)
	scope := kernel.Managed{Match: g.Match, Cluster: g.Cluster}.Scope()
	return slices.DeleteFunc(paused, func(l pausedLine) bool { return !ok || l.Scope != scope })
}

func pausedTexts(paused []pausedLine) (text string) {
	for _, l := range paused {
		text += l.text()
	}
	return text
}

// journalOf reads what Ebb's journal says about an instance, and its open records; nil, if there is no journal here.
func journalOf(ctx context.Context, cfg config.Config, id fleet.InstanceID) ([]diagnose.Line, []journal.Record, error) {
	if file := cfg.JournalFile(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, nil, nil
		}
	}
	store, err := readJournal(ctx, cfg)
	if errors.Is(err, errNoJournal) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	defer store.Close()
	open, err := store.Open(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	past, err := store.Recent(ctx, 100)
	if err != nil {
		return nil, nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	for _, r := range slices.Concat(open, past) {
		if d, err := kernel.Read(r); err == nil && d.Instance() == id {
			lines, err := history(ctx, store, d.Key)
			return lines, open, err
		}
	}
	return []diagnose.Line{}, open, nil
}

func history(ctx context.Context, store journal.Store, key string) ([]diagnose.Line, error) {
	found, err := store.History(ctx, journal.Query{Key: key, Limit: 50})
	lines := make([]diagnose.Line, len(found))
	for i, l := range found {
		lines[i] = diagnose.Line{At: l.At, Kind: l.Kind, Text: l.Text}
	}
	return lines, err
}

// whyText has the answer in its first line: the first blocker, whose words are not repeated below. Then comes what fixes it.
func whyText(r diagnose.Report) string {
	var b strings.Builder
	if !strings.HasPrefix(r.Headline, r.Target) {
		fmt.Fprintf(&b, "%s: ", r.Target)
	}
	fmt.Fprintf(&b, "%s\n", r.Headline)
	for i, blocker := range r.Blockers {
		fmt.Fprintf(&b, "%d. %s", i+1, blocker.Code)
		if !blocker.Exact {
			b.WriteString(", by exclusion")
		}
		if i > 0 {
			fmt.Fprintf(&b, ": %s", blocker.Message)
		}
		b.WriteString("\n")
		for _, m := range blocker.Fix {
			if m.Command != "" {
				fmt.Fprintf(&b, "   > %s\n", m.Command)
			}
			if m.Note != "" {
				fmt.Fprintf(&b, "     %s\n", m.Note)
			}
		}
	}
	b.WriteString("\n")
	instance := r.Instance
	if instance == r.Target {
		instance = ""
	}
	for _, part := range []struct{ name, text string }{
		{"instance", instance}, {"group", strings.TrimSpace(r.Group + " " + r.State)}, {"cluster", strings.TrimSpace(r.Cluster + " " + r.Status)},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "%-9s %s\n", part.name, part.text)
		}
	}
	writeNotes(&b, r.Notes)
	return b.String()
}

func writeNotes(b *strings.Builder, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(b, "%-9s %s\n", "note", n)
	}
}
