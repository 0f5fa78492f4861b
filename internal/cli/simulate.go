package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/sim/scaling"
)

func newSimulate(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "simulate", Short: "Play what would happen, in virtual time", Args: aCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSimulateLoad(p))
	return c
}

func newSimulateLoad(p Process) *cobra.Command {
	var shape, trace, picture string
	var messages bool
	c := &cobra.Command{
		Use: "load", Short: "Compare policies of scaling on one load", Args: noArgs,
		Long: `Load plays a service under a load in virtual time, with one policy of scaling after another: fixed counts, the home-made recipe,
Application Auto Scaling, KEDA's formula for messages, Ebb, and an oracle that knows what comes. It takes some seconds. What the service
and the policies are, what the columns say, and where the models end: docs/scaling.md.

A trace is a CSV: a time (in seconds, or as RFC 3339) and a number in each line. Its peak is scaled to 20 tasks.`,
		Example: `  ebb simulate load --shape steps
  ebb simulate load --messages --shape on-off --svg on-off.svg
  ebb simulate load --trace requests.csv`,
	}
	names := shapes()
	c.Flags().StringVar(&shape, "shape", "flash", "synthetic load: "+strings.Join(names, ", ")+"; on-off is of messages only")
	c.Flags().BoolVar(&messages, "messages", false, "messages of a queue, instead of requests")
	c.Flags().StringVar(&trace, "trace", "", "play this CSV instead")
	c.Flags().StringVar(&picture, "svg", "", "draw load, capacity and what was missed into this file")
	_ = c.RegisterFlagCompletionFunc("shape", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	c.RunE = func(*cobra.Command, []string) error {
		all, what := scaling.Loads(), shape
		if trace != "" {
			text, err := os.ReadFile(trace)
			if err != nil {
				return fmt.Errorf("read the trace: %w", err)
			}
			what = filepath.Base(trace)
			if all, err = scaling.Traced(what, string(text)); err != nil {
				return err
			}
		}
		i := slices.IndexFunc(all, func(l scaling.Load) bool { return l.Name == what && l.Queue == messages })
		if i < 0 {
			return fmt.Errorf("%w: there is no such load; --shape is one of %s, and on-off needs --messages", errUsage, strings.Join(names, ", "))
		}
		rows, err := all[i].Rows()
		if err != nil {
			return err
		}
		if picture != "" {
			if err := os.WriteFile(picture, all[i].Picture(rows), 0o644); err != nil {
				return fmt.Errorf("write the picture: %w", err)
			}
		}
		return writeLoad(p.Stdout, all[i], rows)
	}
	return c
}

// shapes are the names of the synthetic loads.
func shapes() (names []string) {
	for _, l := range scaling.Loads() {
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	return names
}

func writeLoad(w io.Writer, l scaling.Load, rows []scaling.Row) error {
	fmt.Fprintf(w, "%s, %s\n\n", l.Title(), l.About())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, line := range l.Table(rows) {
		text := strings.ReplaceAll(strings.Join(line, "\t"), "`", "")
		if i == 0 {
			text = strings.ToUpper(text)
		}
		fmt.Fprintln(tw, text)
	}
	return tw.Flush()
}
