package cli

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/inventory"
)

func newPlan(p Process) *cobra.Command {
	var f lookFlags
	var scaling, detailed bool
	c := &cobra.Command{
		Use: "plan TARGET...", Short: "Say task by task what would happen if hosts had to leave now; changes nothing",
		Args: func(c *cobra.Command, args []string) error {
			if scaling {
				return one("service")(c, args)
			}
			return aTarget(c, args)
		},
		Long: `Plan says what would happen to each task if all TARGETs left together now: whether it is replaced elsewhere and where, or why
not, and how long its stop takes at most. It only reads and changes nothing.

Its verdict is
  moves      promised: every task stops and is replaced elsewhere, in any order in which ECS places tasks
  shrinks    promised: every task stops; services may be left with fewer tasks than they want
  uncertain  nothing can be promised and nothing ruled out; the reasons say what it depends on
  stuck      proved: at least one task stays until something changes

  unknown    a target was not found
It is about the cluster as it is now: no host is added, no task ends by itself, nobody deploys.

TARGET is an EC2 instance id, the name of an Auto Scaling group for all its instances, or a container instance or task.

With --scale it says instead what would be set now for each service under scaling: in the configuration, or for one that is named, why, and whether
its tasks find a place, as ebb scale does.

Exit codes: 0 it answered, whatever the verdict; 1 it could not read the account, or a target was not found; 64 wrong usage; 78
wrong configuration. With --detailed-exitcode: 0 moves, 2 shrinks, 3 uncertain, 4 stuck.`,
		Example: `  ebb plan i-0a1b2c3d4e5f60718
  ebb plan i-0a1b2c3d4e5f60718 i-0b2c3d4e5f6071829 --cluster prod
  ebb plan web-asg -o json | jq -r .verdict
  ebb plan --scale --config ebb.yaml`,
	}
	f.add(c)
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "end with 0, 2, 3 or 4: moves, shrinks, uncertain or stuck")
	c.Flags().BoolVar(&scaling, "scale", false, "what would be set for the services under scaling:")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if scaling {
			return whyScaled(cmd, p, &f, args)
		}
		cfg, seen, err := f.lookFor(cmd, p, args)
		if err != nil {
			return err
		}
		forecast := diagnose.Plan(&seen, args, seen.At, f.clusters...)
		forecast.By(&seen, cfg.Hook, drainedBy(cfg, func(group string) int {
			if g := seen.Group(group); g != nil {
				return g.Desired
			}
			return 0
		}))
		err = answered(write(&f, p.Stdout, forecast, planText), forecast.Missing, seen)
		if code := map[string]int{"shrinks": 2, "uncertain": 3, "stuck": 4}[forecast.Verdict]; err == nil && detailed && code != 0 {
			return &exitError{code: code}
		}
		return err
	}
	return c
}

// drainedBy says what the configuration has of a group that Ebb drains.
func drainedBy(cfg config.Config, size func(group string) int) func(group string) (diagnose.Managed, bool) {
	return func(group string) (diagnose.Managed, bool) {
		g, ok := cfg.Group(group)
		limit := g.MaxUnavailable.Count
		if p := g.MaxUnavailable.Percent; p > 0 {
			limit = max(1, size(group)*p/100)
		}
		return diagnose.Managed{Deadline: g.Deadline, Grace: cfg.DaemonGrace, Limit: limit}, ok && g.Mode != config.Observe
	}
}

func planText(f diagnose.Forecast) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", f.Verdict, f.Headline)
	if len(f.Steps) > 0 {
		b.WriteString("\n")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "INSTANCE\tTASK\tSERVICE\tOUTCOME\tSTOPS WITHIN\tROOM NOW ON")
		for _, s := range f.Steps {
			service := cmp.Or(s.Service, "("+s.Kind+")")
			stop := inventory.Span(time.Duration(s.Stop))
			switch {
			case s.Outcome == diagnose.NotTouched:
				stop = "-"
			case s.Stop == diagnose.NotKnown:
				stop = "not known"
			}
			fmt.Fprintf(tw, "%s\t%.12s\t%s\t%s\t%s\t%s\n", s.Instance, s.Task, service, s.Outcome, stop, whereOf(s))
		}
		_ = tw.Flush() // into memory, which does not fail
	}
	for i, reason := range f.Reasons() {
		if i == 0 {
			b.WriteString("\nWhy\n")
		}
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	if len(f.Notes) > 0 {
		b.WriteString("\n")
	}
	writeNotes(&b, f.Notes)
	return b.String()
}

// whereOf lists the first hosts with room for a task.
func whereOf(s diagnose.Step) string {
	if more := s.Places - len(s.Where); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(s.Where, ", "), more)
	}
	return cmp.Or(strings.Join(s.Where, ", "), "-")
}

// someOf lists the first three.
func someOf(all []string) string {
	if len(all) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:3], ", "), len(all)-3)
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}
