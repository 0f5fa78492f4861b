package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud/surveyor"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/explain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/survey"
)

// lookFlags are the flags of the commands that look at AWS and explain.
type lookFlags struct {
	file, region, endpoint, clock, output string
	clusters                              []string
}

func (f *lookFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVar(&f.clusters, "cluster", nil, "look in this cluster; may be repeated")
	flags.StringVarP(&f.file, "config", "c", "", "configuration file of Ebb, for its hook and its journal ($EBB_CONFIG)")
	flags.StringVar(&f.region, "region", "", "AWS Region ($EBB_REGION, $AWS_REGION)")
	flags.StringVar(&f.endpoint, "endpoint", "", "URL for all AWS calls, such as a simulated cloud ($EBB_ENDPOINT, $AWS_ENDPOINT_URL)")
	flags.StringVar(&f.clock, "clock", "", "take the time from a simulated cloud at this URL")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
}

// load checks the flags and reads the configuration.
func (f *lookFlags) load(p Process) (config.Config, error) {
	if f.output != "text" && f.output != "json" {
		return config.Config{}, fmt.Errorf("%w: no output form %q; use text or json", errUsage, f.output)
	}
	return config.Load(f.file, p.Env, map[string]string{"region": f.region, "endpoint": f.endpoint})
}

// survey takes one look at the clusters and groups of the targets. Without a cluster, an instance id is looked for in its group and
// wherever it is registered, and for everything else the whole account is.
func (f *lookFlags) survey(ctx context.Context, cfg config.Config, targets []string) (*survey.Survey, error) {
	now, _, err := clockAt(ctx, f.clock)
	if err != nil {
		return nil, err
	}
	scope := surveyor.Scope{Clusters: f.clusters}
	if len(targets) == 1 && len(f.clusters) == 0 {
		if strings.HasPrefix(targets[0], "i-") {
			scope.Instance = targets[0]
		} else if cluster := clusterOf(targets[0]); cluster != "" {
			scope.Clusters = []string{cluster}
		}
	}
	seen, err := look(ctx, cfg, scope, now)
	return &seen, err
}

// clusterOf is the cluster that the ARN of a task or container instance names.
func clusterOf(target string) string {
	if parts := strings.Split(target, "/"); strings.HasPrefix(target, "arn:") && len(parts) == 3 {
		return parts[1]
	}
	return ""
}

func newWhy(p Process) *cobra.Command {
	var f lookFlags
	c := &cobra.Command{
		Use: "why TARGET", Short: "Say why an instance or a task does not leave, and what mends it",
		Args: func(c *cobra.Command, args []string) error { return atLeastOne(c, args, 1) },
		Long: `Why looks at everything that can keep TARGET: its group and its hooks, its container instance, its tasks, their services, target
groups, and where replacements could go. It says what holds it, with the command that mends it. It only reads; it changes nothing.

TARGET is an EC2 instance id, or a container instance or a task, as ARN or id.`,
		Example: `  ebb why i-0a1b2c3d4e5f60718
  ebb why i-0a1b2c3d4e5f60718 --config ebb.yaml -o json
  ebb why arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef`,
	}
	f.add(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := f.load(p)
		if err != nil {
			return err
		}
		seen, err := f.survey(cmd.Context(), cfg, args)
		if err != nil {
			return err
		}
		q := explain.Question{Target: args[0], Now: seen.At}
		if cfg.Queue != "" || len(cfg.Groups) > 0 {
			q.Hook = cfg.Hook
		}
		lines, err := journalOf(cmd.Context(), cfg, args[0])
		q.Lines = lines
		r := explain.Why(seen, q)
		if err != nil {
			r.Notes = append(r.Notes, err.Error())
		}
		if f.output == "json" {
			return writeJSON(p.Stdout, r)
		}
		return writeWhy(p.Stdout, r)
	}
	return c
}

// atLeastOne refuses a wrong number of targets; most 0: any.
func atLeastOne(c *cobra.Command, args []string, most int) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: %s needs a target, such as an instance id; see %s --help", errUsage, c.CommandPath(), c.CommandPath())
	case most > 0 && len(args) > most:
		return fmt.Errorf("%w: %s takes one target, not also %q; see %s --help", errUsage, c.CommandPath(), args[most], c.CommandPath())
	}
	return nil
}

// journalOf reads what Ebb's journal says about an instance. There may be no journal here: then there are no lines.
func journalOf(ctx context.Context, cfg config.Config, target string) ([]explain.Line, error) {
	path := cfg.JournalFile()
	if path == "" {
		return nil, nil
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	store, err := sqlite.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	defer store.Close()
	open, err := store.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	past, err := store.Recent(ctx, 100)
	if err != nil {
		return nil, fmt.Errorf("read Ebb's journal: %w", err)
	}
	for _, r := range append(open, past...) {
		if d, err := kernel.Read(r); err == nil && d.Instance == fleet.InstanceID(target) {
			return history(ctx, store, d.Key)
		}
	}
	return nil, nil
}

func history(ctx context.Context, store journal.Store, key string) ([]explain.Line, error) {
	found, err := store.History(ctx, journal.Query{Key: key, Limit: 50})
	lines := make([]explain.Line, len(found))
	for i, l := range found {
		lines[i] = explain.Line{At: l.At, Kind: l.Kind, Text: l.Text}
	}
	return lines, err
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func writeWhy(w io.Writer, r explain.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Target, r.Headline)
	for _, part := range []struct{ name, text string }{
		{"instance", r.Instance}, {"group", strings.TrimSpace(r.Group + " " + r.State)}, {"cluster", strings.TrimSpace(r.Cluster + " " + r.Status)},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", part.name, part.text)
		}
	}
	for i, blocker := range r.Blockers {
		sure := ""
		if !blocker.Exact {
			sure = ", by exclusion"
		}
		fmt.Fprintf(&b, "\n%d. %s%s\n   %s\n", i+1, blocker.Code, sure, blocker.Words)
		for _, m := range blocker.Mend {
			fmt.Fprintf(&b, "   > %s\n", m)
		}
	}
	writeNotes(&b, r.Notes)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeNotes(b *strings.Builder, notes []string) {
	for i, n := range notes {
		if i == 0 {
			b.WriteString("\nNotes\n")
		}
		fmt.Fprintf(b, "  %s\n", n)
	}
}
