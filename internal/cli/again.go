package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/config"
)

// shared are the flags that another command is given as this one was, if it has them: where to look, and for what.
var shared = []string{"config", "region", "endpoint", "journal", "clock", "cluster"}

// commandLine is a command of ebb for a shell, with what this one was given: all flags if it is the same one, else those in shared that it
// has. Region and endpoint are always in it, wherever they came from, so that it works in another terminal too.
func commandLine(cmd *cobra.Command, p Process, cfg config.Config, words []string, more ...string) string {
	argv := append([]string{"ebb"}, words...)
	other, _, err := cmd.Root().Find(words)
	if err != nil {
		other = cmd // a name of a command that is in no table
	}
	given := map[string]bool{}
	give := func(name, value string) {
		if value != "" && !given[name] && other.Flags().Lookup(name) != nil {
			given[name] = true
			argv = append(argv, "--"+name, value)
		}
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		values, several := flag.Value.(pflag.SliceValue)
		switch {
		case other != cmd && !slices.Contains(shared, flag.Name):
		case flag.Value.Type() == "bool":
			argv, given[flag.Name] = append(argv, "--"+flag.Name+map[string]string{"false": "=false"}[flag.Value.String()]), true
		case several && other.Flags().Lookup(flag.Name) != nil:
			for _, v := range values.GetSlice() {
				argv = append(argv, "--"+flag.Name, v)
			}
		case !several:
			give(flag.Name, flag.Value.String())
		}
	})
	give("config", p.Env("EBB_CONFIG"))
	give("region", cfg.Region)
	give("endpoint", cfg.Endpoint)
	give("journal", p.Env("EBB_JOURNAL"))
	for _, flag := range more {
		if !given[strings.TrimPrefix(flag, "--")] {
			argv = append(argv, flag)
		}
	}
	for i, word := range argv {
		argv[i] = advice.Quote(word)
	}
	return strings.Join(argv, " ")
}
