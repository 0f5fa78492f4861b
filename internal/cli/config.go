package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
)

func newConfig(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Check the configuration", Args: aCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	function := false
	check := &cobra.Command{
		Use: "check", Short: "Say what is wrong with the configuration, or what it makes Ebb do", Args: noArgs,
		Long: `Check reads the configuration as ebb serve does: the file, over it the environment, and over that the flags. It names everything that is
wrong with it, with the line, or says in a few lines what Ebb would manage. It asks nothing of AWS: whether groups, queues and
permissions are there, ebb doctor says.

Exit codes: 0 Ebb can run with it; 64 wrong usage; 78 it cannot.`,
		Example: `  ebb config check --config ebb.yaml
  ebb config check --config ebb.yaml --lambda`,
	}
	addSettings(check, "config", "queue", "region", "endpoint", "journal", "admin", "log-level", "log-format")
	check.Flags().BoolVar(&function, "lambda", false, "check it for ebb lambda, which needs no queue but a journal in DynamoDB")
	check.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, p)
		if err == nil && function {
			err = cfg.Invoked()
		} else if err == nil {
			err = cfg.Serves()
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(p.Stdout, configText(cfg))
		return err
	}
	c.AddCommand(check)
	return c
}

// configText is what a configuration makes Ebb do.
func configText(c config.Config) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("ok: Ebb can run with this configuration\n")
	line("queue", "%s", cmp.Or(c.Queue, "none"))
	line("Region", "%s", cmp.Or(c.Region, "the one that the AWS SDK finds"))
	line("journal", "%s", c.Journal)
	for _, g := range c.Groups {
		line("group", "%s in cluster %s: mode %s, deadline %s", g.Match, cmp.Or(g.Cluster, "(found by itself)"), g.Mode, g.Deadline)
	}
	for _, k := range c.Clusters {
		line("cluster", "%s: mode %s, tasks on Fargate Spot", k.Name, k.Mode)
	}
	for _, s := range c.Scaling {
		line("service", "%s/%s: scaled from %d to %d", s.Cluster, s.Service, s.Policy.Min, s.Policy.Max)
	}
	for _, n := range c.Notify {
		line("notify", "%s", n.Name)
	}
	return b.String()
}
