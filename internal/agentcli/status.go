package agentcli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/plain"
)

func newStatus(o *options) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "status", Short: "Say what the agent has done and does", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := read(o.config)
			if err != nil {
				return fmt.Errorf("%w: %w", errConfig, err)
			}
			st, err := agent.Disk{Dir: s.State}.Load()
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(o.Stdout).Encode(st)
			}
			if st.Cause == "" {
				fmt.Fprintln(o.Stdout, "the host is not leaving, as far as the agent knows")
				return nil
			}
			at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
			fmt.Fprintf(o.Stdout, "%s, heard at %s\n", st.Cause, at(st.Heard))
			for _, r := range st.Runs {
				fmt.Fprintf(o.Stdout, "  %-20s %-10s attempt %d  %s\n", plain.Text(r.Step, plain.Short), cmp.Or(string(r.Outcome), "runs"), r.Attempt, at(r.Began))
				if r.Text != "" && r.Outcome != "ok" {
					fmt.Fprintln(o.Stdout, plain.Lines(r.Text, plain.Long))
				}
			}
			if st.Result != "" {
				fmt.Fprintf(o.Stdout, "%s: %s\n", st.Result, st.Why)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// version is set by the release build.
var version = "devel"

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(o.Stdout, "ebb-agent", version)
		return err
	}}
}
