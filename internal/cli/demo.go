package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/sim/demo"
	"github.com/ebbhq/ebb/internal/sim/standin"
)

func newDemo(p Process) *cobra.Command {
	var output, story string
	var keep bool
	c := &cobra.Command{
		Use: "demo", Short: "Watch five hosts leave under real traffic: without draining, with a home-made drainer, with Ebb", Args: noArgs,
		Long: `Demo lets five of ten hosts leave a simulated cluster while its service gets 200 requests a second, three times: without
draining, with the drainer that people write themselves, and with Ebb. It counts the requests that were lost. --story plays
something else:

` + demo.About() + `
The requests, the load balancer and the tasks are real, on loopback. AWS is simulated. The controller is the real one with the real
AWS SDK. All three run at the same time, each in its own cloud, with the same requests at the same moments: so they take one
minute and not three, and other load on this machine affects all of them alike. No account is needed.

On a terminal of 80 columns or more it shows each host, or task, as a row, in colour unless NO_COLOR is set; elsewhere it writes lines.

Exit codes: 0 Ebb lost nothing; 1 Ebb lost something; 75 this machine was too slow for the figures to mean anything, which is measured;
130 Ctrl-C; 64 wrong usage.`,
		Example: `  ebb demo
  ebb demo --story fargate-spot
  ebb demo -o json          # one JSON object; the progress goes to standard error
  ebb demo --keep           # leaves Ebb's cloud running for your own aws command`,
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	c.Flags().StringVar(&story, "story", demo.Names()[0], "what happens: "+strings.Join(demo.Names(), ", "))
	c.Flags().BoolVar(&keep, "keep", false, "leave the cloud of Ebb's story running afterwards, until Ctrl-C")
	_ = c.RegisterFlagCompletionFunc("story", cobra.FixedCompletions(demo.Names(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		tell := p.Stdout
		switch output {
		case "table":
		case "json":
			tell = p.Stderr
		default:
			return fmt.Errorf("%w: no output form %q; use table or json", errUsage, output)
		}
		if !slices.Contains(demo.Names(), story) {
			return fmt.Errorf("%w: no story %q; use %s", errUsage, story, strings.Join(demo.Names(), ", "))
		}
		show, err := demo.Play(cmd.Context(), story, demo.NewScreen(tell, styleOf(p, tell)))
		if err != nil {
			return slow(err)
		}
		defer show.Close()
		if output == "json" {
			if err := writeJSON(p.Stdout, show.Report()); err != nil {
				return err
			}
		} else {
			show.Table(p.Stdout)
		}
		if keep {
			show.Keep(cmd.Context(), tell)
		}
		err = slow(show.Verdict())
		if coded, is := errors.AsType[*exitError](err); is && output == "table" {
			coded.err = errors.New("this machine was too slow, as is said above")
		}
		return err
	}
	return c
}

// slow gives an error its exit code where the machine is to blame.
func slow(err error) error {
	if _, is := errors.AsType[*demo.SlowError](err); is {
		return &exitError{ExitSlow, err}
	}
	return err
}

// newStandIn is for the demonstration alone: a process on one of its hosts.
func newStandIn() *cobra.Command {
	return &cobra.Command{Use: "stand-in", Hidden: true, RunE: func(c *cobra.Command, args []string) error { return standin.Run(c.Context(), args) }}
}
