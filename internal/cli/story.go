package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/sim/story"
)

func newStory(p Process) *cobra.Command {
	var seed uint64
	var show, small bool
	c := &cobra.Command{
		Use: "story [FILE]", Short: "Run a scenario in virtual time and print its transcript",
		Long: `Story runs a scenario (a YAML file) in virtual time against the simulated cloud, with the real kernel, and prints its
transcript. It exits with 1 when an expectation is not met or an invariant is broken.

With --seed it runs the random scenario of that seed; --show prints its YAML instead, --small the smallest part of it that still fails.`,
		Example: `  ebb story internal/sim/story/testdata/stories/a-drain-ends-when-every-task-has-stopped.yaml
  ebb story --seed 8121`,
		Args: cobra.ArbitraryArgs, // scenario counts them
	}
	c.Flags().Uint64Var(&seed, "seed", 0, "run the random scenario of this seed")
	c.Flags().BoolVar(&show, "show", false, "print the scenario of the seed instead of running it")
	c.Flags().BoolVar(&small, "small", false, "print the smallest part of the scenario that still fails")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := scenario(args, seed, cmd.Flags().Changed("seed"))
		if err != nil {
			return err
		}
		if small {
			s = story.Shrink(s)
		}
		if show || small {
			_, err := p.Stdout.Write(story.Format(s))
			return err
		}
		return runStory(p, s)
	}
	return c
}

func scenario(args []string, seed uint64, seeded bool) (story.Scenario, error) {
	switch {
	case seeded && len(args) == 0:
		return story.Random(seed), nil
	case len(args) == 1 && !seeded:
		b, err := os.ReadFile(args[0])
		if err != nil {
			return story.Scenario{}, misconfigured(fmt.Errorf("read the story: %w; name a story file, or give --seed", err))
		}
		s, err := story.Parse(b)
		if err != nil {
			return story.Scenario{}, misconfigured(fmt.Errorf("%s: %w; for an example see what ebb story --seed 1 --show prints", args[0], err))
		}
		return s, nil
	}
	return story.Scenario{}, fmt.Errorf("%w: name one story file, or give --seed; see ebb story --help", errUsage)
}

func runStory(p Process, s story.Scenario) error {
	res, err := story.Run(s)
	if err != nil {
		return misconfigured(err)
	}
	if s.Name != "" {
		fmt.Fprintf(p.Stdout, "%s\n\n", s.Name)
	}
	res.Print(p.Stdout)
	fmt.Fprintln(p.Stdout)
	for _, v := range res.Violations {
		fmt.Fprintf(p.Stdout, "BROKEN  %s\n", v)
	}
	total := 0
	for _, n := range res.Calls {
		total += n
	}
	calls, _ := json.Marshal(res.Calls)
	fmt.Fprintf(p.Stdout, "%d drains ended, %d AWS calls %s\n", len(res.Ended), total, calls)
	if len(res.Violations) > 0 {
		return errors.New("the story does not hold; each line BROKEN above says why")
	}
	return nil
}
