package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

func newScale(p Process) *cobra.Command {
	var clock, message, output string
	var lasts time.Duration
	var lo, hi int
	var end bool
	c := &cobra.Command{
		Use: "scale [CLUSTER/SERVICE]", Short: "Say what each scaled service is at and why, or give one other bounds for a while", Args: one("service"),
		Long: `Without --min, --max and --end, scale reads the services under scaling: in the configuration, their alarms, queues and metrics, and says what
the desired count of each is, what it would be set to now, and why. It changes nothing, and needs no ebb serve.

With --min or --max it writes other bounds for one service into Ebb's journal, for the time that --for says. Ebb obeys within five seconds,
a function with its next pass. The bounds end by themselves, also when Ebb is restarted meanwhile; --end ends them before. A second word
replaces the first. ebb pause CLUSTER/SERVICE stops the scaling of one service for a while; drains go on.

docs/reference/scaling.md lists the words for why.`,
		Example: `  ebb scale --config ebb.yaml
  ebb scale prod/web --config ebb.yaml --min 40 --for 2h --message launch
  ebb scale prod/web --config ebb.yaml --end`,
	}
	addSettings(c, "config", "journal", "region", "endpoint")
	c.Flags().IntVar(&lo, "min", -1, "the minimum for a while")
	c.Flags().IntVar(&hi, "max", -1, "the maximum for a while")
	c.Flags().DurationVar(&lasts, "for", time.Hour, "how long, at most 744h")
	c.Flags().StringVar(&message, "message", "", "why; ebb scale shows it")
	c.Flags().BoolVar(&end, "end", false, "end the other bounds now")
	c.Flags().StringVarP(&output, "output", "o", "table", "table, for people, or json")
	c.Flags().StringVar(&clock, "clock", "", "take the time from a simulated cloud at this URL")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		only, err := scaledService(cfg, args)
		if err != nil {
			return err
		}
		bounds := cmd.Flags().Changed("min") || cmd.Flags().Changed("max")
		if !bounds && !end {
			return showScaling(cmd, p, cfg, only, clock, output)
		}
		switch {
		case only == nil:
			return fmt.Errorf("%w: name one service, like ebb scale prod/web --min 40 --for 2h", errUsage)
		case end && bounds:
			return fmt.Errorf("%w: --end ends the bounds that --min and --max begin; give one of them", errUsage)
		}
		o := kernel.Override{Message: message}
		for name, to := range map[string]**int{"min": &o.Min, "max": &o.Max} {
			if v := map[string]int{"min": lo, "max": hi}[name]; cmd.Flags().Changed(name) {
				if v < 0 || v > 100_000 {
					return fmt.Errorf("%w: --%s is %d; write a number of tasks from 0 to 100000", errUsage, name, v)
				}
				*to = &v
			}
		}
		if o.Min != nil && o.Max != nil && *o.Min > *o.Max {
			return fmt.Errorf("%w: --min is %d, which is above --max, %d", errUsage, *o.Min, *o.Max)
		}
		return override(cmd, p, only, o, lasts, end, clock)
	}
	return c
}

// scaledService finds the service that an argument names; nil: there is no argument.
func scaledService(cfg config.Config, args []string) (*config.Scaling, error) {
	if len(cfg.Scaling) == 0 {
		return nil, misconfigured(errors.New("no service is scaled: write scaling: into the configuration, and name it with --config; see " +
			"docs/reference/scaling.md"))
	}
	if len(args) == 0 {
		return nil, nil
	}
	var known []string
	for i, s := range cfg.Scaling {
		if name := s.Cluster + "/" + s.Service; name == args[0] || s.Service == args[0] {
			return &cfg.Scaling[i], nil
		} else if len(known) < 20 {
			known = append(known, name)
		}
	}
	return nil, fmt.Errorf("%w: %s is not under scaling: in the configuration; these are: %s", errUsage,
		plain.Text(strconv.Quote(args[0]), 80), strings.Join(known, ", "))
}

// override writes an operator's word about one service into the journal, or takes it back.
func override(cmd *cobra.Command, p Process, of *config.Scaling, o kernel.Override, lasts time.Duration, end bool, clock string) error {
	if lasts < time.Second || lasts > kernel.LongestOverride {
		return fmt.Errorf("%w: --for is %s; it lasts from 1s to %s", errUsage, lasts, kernel.LongestOverride)
	}
	s, err := steering(cmd, p, clock, nil)
	if err != nil {
		return err
	}
	defer s.store.Close()
	o.Cluster, o.Service, o.By, o.Since, o.Until = of.Cluster, of.Service, operator(p), s.now, s.now.Add(lasts)
	name, had := of.Cluster+"/"+of.Service, false
	var was kernel.Override
	_, err = s.write(cmd.Context(), func(open []journal.Record) journal.Batch {
		if !end {
			return o.Begin(open)
		}
		b, before, ok := kernel.EndOverride(open, of.Cluster, of.Service, o.By, s.now)
		was, had = before, ok
		return b
	})
	switch {
	case err != nil:
		return err
	case !end:
		fmt.Fprintf(p.Stdout, "%s has %s\n  to end it: %s\n", name, o, commandLine(cmd, p, s.cfg, []string{"resume", name}))
	case had:
		fmt.Fprintf(p.Stdout, "%s has its own bounds again; it had %s\n", name, was)
	default:
		fmt.Fprintf(p.Stdout, "%s has its own bounds\n", name)
	}
	return nil
}

// whyScaled says why a service that is scaled has the count that it has; without an argument, each.
func whyScaled(cmd *cobra.Command, p Process, f *lookFlags, args []string) error {
	cfg, err := load(cmd, p)
	if err != nil {
		return err
	}
	only, err := scaledService(cfg, args)
	if err != nil {
		return err
	}
	return showScaling(cmd, p, cfg, only, f.clock, f.output)
}

// scaledLine is one service; its JSON keys are stable.
type scaledLine struct {
	Cluster  string     `json:"cluster"`
	Service  string     `json:"service"`
	Desired  *int       `json:"desired,omitempty"` // nil: not known
	Running  *int       `json:"running,omitempty"`
	Min      int        `json:"min"`
	Max      int        `json:"max"`
	Wants    *int       `json:"wants,omitempty"` // what it would be set to now
	Code     scale.Code `json:"code"`
	Why      string     `json:"why"`
	Override string     `json:"override,omitempty"`

	missing []string // alarms

	Place *placement.Growth `json:"place,omitempty"` // of what it is to have more than runs; nil: it is to have no more
}

// showScaling says what would be decided now.
func showScaling(cmd *cobra.Command, p Process, cfg config.Config, only *config.Scaling, clock, output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("%w: no output form %q; use table or json", errUsage, output)
	}
	lines, now, err := scalingNow(cmd.Context(), cfg, only, clock)
	if err != nil {
		return err
	}
	findPlaces(cmd.Context(), cfg, lines, now)
	if output == "json" {
		b, err := json.MarshalIndent(lines, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(p.Stdout, "%s\n", b)
		}
		return err
	}
	tw := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SERVICE\tDESIRED\tRUNNING\tBOUNDS\tWANTS\tWHY")
	number := func(n *int) string {
		if n == nil {
			return "?"
		}
		return fmt.Sprint(*n)
	}
	for _, l := range lines {
		why := string(l.Code) + ": " + plain.Text(l.Why, 300)
		if l.Place != nil && l.Place.String() != "" {
			why += "; " + plain.Text(l.Place.String(), 300)
		}
		if l.Override != "" {
			why += "; " + plain.Text(l.Override, 300)
		}
		fmt.Fprintf(tw, "%s/%s\t%s\t%s\t%d..%d\t%s\t%s\n", l.Cluster, l.Service, number(l.Desired), number(l.Running), l.Min, l.Max, number(l.Wants), why)
	}
	return tw.Flush()
}

// scalingNow lets a kernel decide that may not act, on what the journal says and on what is there, and returns its clock.
func scalingNow(ctx context.Context, cfg config.Config, only *config.Scaling, clock string) ([]scaledLine, func() time.Time, error) {
	now, _, err := clockAt(ctx, clock)
	if err != nil {
		return nil, nil, err
	}
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return nil, nil, misconfigured(err)
	}
	var open []journal.Record
	if cfg.JournalFile() != "" || cfg.JournalTable() != "" {
		store, err := readJournal(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		defer store.Close()
		if open, err = store.Open(ctx); err != nil {
			return nil, nil, err
		}
	}
	lines, err := scalingBy(cfg, only, open, now, func(l plan.Look) plan.LookResult { return cloud.FromConfig(awsCfg).Look(ctx, l) })
	return lines, now, err
}

// scalingBy is scalingNow where the open records and the way to look are given.
func scalingBy(
	cfg config.Config, only *config.Scaling, open []journal.Record, now func() time.Time, look func(plan.Look) plan.LookResult,
) ([]scaledLine, error) {
	of := cfg
	of.Groups, of.Clusters = nil, nil
	if only != nil {
		of.Scaling = []config.Scaling{*only}
	}
	k := kernelConfig(of, false)
	k.OnePass = true
	all, err := kernel.Preview(k, open, now, func(l plan.Look) plan.Done {
		started := now()
		return plan.Done{Started: started, Result: look(l)}
	})
	if err != nil {
		return nil, err
	}
	lines := make([]scaledLine, 0, len(all))
	for _, s := range all {
		lines = append(lines, scaledLine{
			Cluster: s.Cluster, Service: s.Service, Desired: s.Desired, Running: s.Running, Min: s.Lo, Max: s.Hi, Wants: s.Wants, Code: s.Code, Why: s.Why,
			Override: s.Override, missing: s.Missing,
		})
	}
	slices.SortFunc(lines, func(a, b scaledLine) int { return strings.Compare(a.Cluster+"/"+a.Service, b.Cluster+"/"+b.Service) })
	return lines, nil
}

// findPlaces says whether tasks find a place, of services that are to have more than run. It reads the clusters of those only.
func findPlaces(ctx context.Context, cfg config.Config, lines []scaledLine, now func() time.Time) {
	var clusters []string
	grows := func(l scaledLine) bool { return l.Running != nil && l.Wants != nil && *l.Wants > *l.Running }
	for _, l := range lines {
		if grows(l) {
			clusters = append(clusters, l.Cluster)
		}
	}
	if len(clusters) == 0 {
		return
	}
	seen, err := look(ctx, cfg, placesIn(cfg, clusters...), now, io.Discard)
	for i, l := range lines {
		if grows(l) {
			g := place(&seen, err, cfg, l.Cluster, l.Service, *l.Wants)
			lines[i].Place = &g
		}
	}
}

// placesIn is what is to be read to know whether tasks find a place in clusters: also the groups that may be made larger, which may have no instance.
func placesIn(cfg config.Config, clusters ...string) collector.Scope {
	scope := collector.Scope{Clusters: clusters, Silent: true}
	for _, g := range cfg.Groups {
		if g.Capacity == config.Raise && slices.Contains(clusters, g.Cluster) && !strings.ContainsAny(g.Match, `*?[\`) {
			scope.Groups = append(scope.Groups, g.Match)
		}
	}
	return scope
}

// place says whether a service finds a place for so many tasks.
func place(seen *inventory.Inventory, err error, cfg config.Config, cluster, service string, n int) placement.Growth {
	c := seen.Cluster(cluster)
	if err == nil && c == nil {
		err = errors.New("the cluster could not be read")
	}
	if err != nil {
		why := "whether its tasks find a place is not known: " + err.Error()
		return placement.Growth{Reasons: []placement.Reason{{Code: placement.Unjudged, Message: why}}}
	}
	k := kernelConfig(cfg, false)
	return placement.Grow(seen, c, service, n, func(group string) bool { return k.MayRaise(cluster, group) })
}

// answerOf is what a kernel is told of the places for tasks.
func answerOf(g placement.Growth) (a kernel.Answer) {
	if g.Lacks > 0 {
		a.Code, a.Text, a.Group, a.Capacity = string(g.Reasons[0].Code), g.String(), g.Group, g.Capacity
	}
	return a
}
