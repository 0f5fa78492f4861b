package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

func newWhy(p Process) *cobra.Command {
	var f lookFlags
	c := &cobra.Command{
		Use: "why TARGET", Short: "Say why an instance or a task does not leave, and what fixes it",
		Args: cobra.MatchAll(aTarget, one("target")),
		Long: `Why looks at everything that can keep TARGET: its group and its hooks, its container instance, its tasks, their services, target
groups, and where replacements could go. It says what holds TARGET, and what fixes it. Where all goes on by itself it says until when
to wait, and for what. It only reads and changes nothing. docs/reference/why.md lists what it can say.

TARGET is an EC2 instance id, or a container instance or a task, as ARN or id. With service/CLUSTER/NAME it says what the desired count of a
service under scaling: in the configuration is, what it would be set to now, why, and whether its tasks find a place, as ebb scale does. With
--config Ebb also reads the journal, and knows whether Ebb is at work, how many of the group may leave at once, and when Ebb lets go of what is left.

Exit codes: 0 it answered, whatever the answer; 1 it could not read the account, or TARGET was not found; 64 wrong usage; 78 wrong
configuration.`,
		Example: `  ebb why i-0a1b2c3d4e5f60718
  ebb why i-0a1b2c3d4e5f60718 --config ebb.yaml -o json
  ebb why arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef`,
	}
	f.add(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if name, is := strings.CutPrefix(strings.Join(args, ""), "service/"); is {
			return whyScaled(cmd, p, &f, []string{name})
		}
		scope := f.scope(args)
		scope.Target, scope.Enough = args[0], enough
		cfg, seen, err := f.look(cmd, p, scope)
		if err != nil {
			return err
		}
		q := diagnose.Question{Target: args[0], At: at(cfg, &seen), Only: f.clusters, Alone: scope.Instance != "", Now: seen.At}
		if cfg.Queue != "" || len(cfg.Groups) > 0 {
			q.Hook = cfg.Hook
		}
		open, steps, err := askEbb(cmd.Context(), cfg, &seen, &q)
		r := diagnose.Why(&seen, q)
		if err != nil {
			r.Notes = append(r.Notes, err.Error())
		}
		var missing []string
		if !r.Found() {
			missing = args
		}
		answer := whyAnswer{pausesOf(r.Group, cfg, pausedLines(open, cmd, p, cfg)), r, steps}
		return answered(write(&f, p.Stdout, answer, whyAnswer.text), missing, seen)
	}
	return c
}

// enough reports whether what was read of a large cluster has room for what has to leave its first host, the target.
func enough(c *inventory.Cluster) bool { return placement.Enough(c, c.Hosts[0].Instance) }

// whyAnswer is what why says: first what is paused.
type whyAnswer struct {
	Paused []pausedLine `json:"paused,omitempty"`
	diagnose.Report
	Steps []transcript `json:"host_steps,omitempty"` // what ebb-agent on the host did
}

func (a whyAnswer) text() string {
	var text strings.Builder
	for _, l := range a.Paused {
		text.WriteString(l.text())
	}
	text.WriteString(whyText(a.Report))
	_ = writeTranscripts(&text, a.Steps) // into memory
	return text.String()
}

// whyText has the answer in its first line: the first blocker, whose words are not repeated below. Then comes what fixes it.
func whyText(r diagnose.Report) string {
	var b strings.Builder
	if !strings.HasPrefix(r.Headline, r.Target) {
		fmt.Fprintf(&b, "%s: ", r.Target)
	}
	fmt.Fprintf(&b, "%s\n", r.Headline)
	if r.Wait != "" {
		fmt.Fprintf(&b, "%s\n", r.Wait)
	}
	for i, blocker := range r.Blockers {
		fmt.Fprintf(&b, "%d. %s", i+1, blocker.Code)
		if !blocker.Exact {
			b.WriteString(", by exclusion")
		}
		if i > 0 {
			fmt.Fprintf(&b, ": %s", blocker.Message)
		}
		b.WriteString("\n")
		b.WriteString(blocker.Text("   "))
	}
	for i, n := range r.Next {
		if i == 0 {
			b.WriteString("next, by itself:\n")
		}
		by := ""
		if !n.By.IsZero() {
			by = ", by " + n.By.UTC().Format("15:04:05 UTC")
		}
		fmt.Fprintf(&b, "   %s%s\n", n.Text, by)
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
