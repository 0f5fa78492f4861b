package cli

import (
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

It ends with code 1 if Ebb lost a request.`,
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
		show, err := demo.Play(cmd.Context(), story, demo.NewScreen(tell, terminal(tell)))
		if err != nil {
			return err
		}
		defer show.Close()
		results := show.Results()
		if output == "json" {
			if err := writeJSON(p.Stdout, map[string]any{"stories": results}); err != nil {
				return err
			}
		} else {
			show.Table(p.Stdout)
		}
		if keep {
			show.Keep(cmd.Context(), tell)
		}
		return demo.Lost(results)
	}
	return c
}

// newStandIn is for the demonstration alone: a process on one of its hosts.
func newStandIn() *cobra.Command {
	return &cobra.Command{Use: "stand-in", Hidden: true, RunE: func(c *cobra.Command, args []string) error { return standin.Run(c.Context(), args) }}
}
