package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/sim/loadtest"
)

const (
	// demoLimit is how long a demonstration may take before it gives up. It takes a minute.
	demoLimit = 2 * time.Minute
	// demoWarmUp is how long the requests go before something leaves.
	demoWarmUp = 3 * time.Second
)

// demoLoad is what the users of each story do: 200 requests a second that do not wait for each other, every twentieth of them slow.
var demoLoad = loadtest.Load{Seed: 1, PerSecond: 200, SlowPercent: 5, Quick: 5 * time.Millisecond, Slow: 3 * time.Second}

func newDemo(p Process) *cobra.Command {
	var output, story string
	var keep bool
	c := &cobra.Command{
		Use: "demo", Short: "Watch five hosts leave under real traffic: without draining, with a home-made drainer, with Ebb", Args: noArgs,
		Long: `Demo lets five of ten hosts leave a simulated cluster while its service gets 200 requests a second, three times: without
draining, with the drainer that people write themselves, and with Ebb. It counts the requests that were lost. --story plays
something else:

` + demoStories() + `
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
	c.Flags().StringVar(&story, "story", demoPlotNames()[0], "what happens: "+strings.Join(demoPlotNames(), ", "))
	c.Flags().BoolVar(&keep, "keep", false, "leave the cloud of Ebb's story running afterwards, until Ctrl-C")
	_ = c.RegisterFlagCompletionFunc("story", cobra.FixedCompletions(demoPlotNames(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		tell := p.Stdout
		switch output {
		case "table":
		case "json":
			tell = p.Stderr
		default:
			return fmt.Errorf("%w: no output form %q; use table or json", errUsage, output)
		}
		plot, err := demoPlotOf(story)
		if err != nil {
			return err
		}
		d := &demo{screen: newScreen(tell), plot: plot}
		defer d.close()
		err = d.run(cmd.Context())
		d.screen.end()
		if err != nil {
			return err
		}
		results := d.results()
		if output == "json" {
			if err := writeDemoJSON(p.Stdout, results); err != nil {
				return err
			}
		} else {
			writeDemoTable(p.Stdout, plot, results)
		}
		if keep {
			d.keep(cmd.Context())
		}
		return lostByEbb(results)
	}
	return c
}

// demoStories lists what can be played, for the help.
func demoStories() string {
	var b strings.Builder
	for _, p := range demoPlots() {
		fmt.Fprintf(&b, "  %-13s %s\n", p.name, p.about)
	}
	return b.String()
}

// demo is a demonstration: the three stories of its plot.
type demo struct {
	screen  *screen
	plot    *demoPlot
	stories []*demoStory
}

// run plays the stories until all that leaves is gone in each and every request is answered.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	fmt.Fprintln(d.screen.w, d.plot.intro)
	var drainers, load sync.WaitGroup
	defer drainers.Wait()
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var clients []*loadtest.Client
	for _, name := range demoDrainers() {
		s, err := openStory(name, d.plot)
		if err != nil {
			return fmt.Errorf("start the story %s: %w", name, err)
		}
		d.stories = append(d.stories, s)
		if s.client != nil {
			clients = append(clients, s.client)
		}
		drainers.Go(func() {
			if err := s.work(run, d.screen); err != nil {
				stop(err)
			}
		})
	}
	enough := make(chan struct{})
	if len(clients) > 0 {
		load.Go(func() { d.plot.load().Run(run, enough, clients...) })
	}
	if err := d.watch(run); err != nil {
		stop(err)
	}
	close(enough)
	load.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the %ss were not gone after %s; this machine may be very slow: try again when it has less to do", d.plot.what, demoLimit)
	case ctx.Err() != nil:
		return errors.New("interrupted")
	}
	return context.Cause(run)
}

func (d *demo) close() {
	for _, s := range d.stories {
		s.close()
	}
}

// watch lets something leave after the warm-up, and shows the state of the stories every second until all of it is gone.
func (d *demo) watch(ctx context.Context) error {
	tick := time.Tick(time.Second)
	start, left := time.Now(), false
	d.screen.line(demoColumns)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
		}
		if !left && time.Since(start) >= demoWarmUp {
			left = true
			for _, s := range d.stories {
				if err := s.leave(); err != nil {
					return err
				}
			}
			d.screen.say("you", d.plot.begins)
		}
		results := d.results()
		d.screen.status(demoStatus(time.Since(start), d.plot.leaving, results))
		if !slices.ContainsFunc(results, func(r demoResult) bool { return r.gone < d.plot.leaving || r.routed }) {
			return nil
		}
	}
}

func (d *demo) results() []demoResult {
	var all []demoResult
	for _, s := range d.stories {
		all = append(all, s.result())
	}
	return all
}

// keep leaves the last story's cloud running until ctx ends.
func (d *demo) keep(ctx context.Context) {
	for len(d.stories) > 1 {
		d.stories[0].close()
		d.stories = d.stories[1:]
	}
	last, w := d.stories[0], d.screen.w
	if last.site != nil {
		fmt.Fprintf(w, "\nThe service answers at %s; the controller of the demo has ended.\n", last.site.URL)
	}
	last.greet(w)
	<-ctx.Done()
}
