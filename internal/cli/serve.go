package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
	"github.com/ebbhq/ebb/internal/metrics"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

func newServe(p Process) *cobra.Command {
	var clockURL string
	c := &cobra.Command{
		Use: "serve", Short: "Run the controller: hear of leaving instances and drain them", Args: noArgs,
		Long: `Serve hears terminating lifecycle actions from an SQS queue, drains the container instances and answers the hooks.

It may be stopped and started at any time: what it has heard is in its journal, what it needs to know it looks up again, and what no
message told it of it finds by looking at the groups every minute.`,
		Example: `  ebb serve --config ebb.yaml
  ebb serve --config ebb.yaml --endpoint http://127.0.0.1:4599   # against ebb sim`,
	}
	addSettings(c, "config", "queue", "region", "endpoint", "journal", "admin", "log-level", "log-format")
	c.Flags().StringVar(&clockURL, "clock", "", "follow the clock of a simulated cloud at this URL")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		if err := cfg.Serves(); err != nil {
			return err
		}
		err = serve(cmd.Context(), p, cfg, clockURL)
		if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
			return nil // told to end before it had begun
		}
		return err
	}
	return c
}

// gcPercent is by how much the heap grows between two collections. A controller waits most of the time: processor time is cheaper for it
// than memory. With Go's own 100, ten thousand drains take twice as much; see docs/cost.md.
const gcPercent = 30

// serve wires the controller and runs it until ctx ends.
func serve(ctx context.Context, p Process, cfg config.Config, clockURL string) error {
	log := logger(p, cfg.LogLevel, cfg.LogFormat)
	if p.Env("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	now, speed, err := clockAt(ctx, clockURL)
	if err != nil {
		return err
	}
	if speed <= 0 {
		return fmt.Errorf("follow the clock at %s: that world stands still; start it with ebb sim --speed 1 or more", clockURL)
	}
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return misconfigured(err)
	}
	meter := metrics.New(versionText(), time.Now)
	awsCfg = cloud.Counted(awsCfg, meter.Called)
	store, err := openJournal(ctx, cfg, awsCfg, log)
	if err != nil {
		return err
	}
	defer store.Close()
	queue := sqs.New(sqs.NewClient(awsCfg), sqs.Config{URL: cfg.Queue, Wait: 20 * time.Second, Speed: speed, Log: log})
	redrive, err := queue.Check(ctx)
	if err != nil {
		return unheard(cfg, err)
	}
	if !redrive {
		log.Warn("the queue has no redrive policy: what Ebb does not understand it writes into its journal and deletes after 5 receives; "+
			"give the queue a dead-letter queue to keep such messages", "queue", cfg.Queue)
	}
	world := cloud.FromConfig(awsCfg)
	world.CountPlain(meter.Called)
	warnOfClusters(ctx, world, cfg, log)
	teller, routes, err := people(p, cfg, awsCfg)
	if err != nil {
		return err
	}
	unlisten, err := admin(ctx, cfg.Admin, meter.Handler(), log)
	if err != nil {
		return err
	}
	defer unlisten()
	defer lines(ctx, p, cfg, meter, log)()
	k := kernelConfig(cfg, redrive)
	k.Routes = routes
	e := engine.New(engine.Config{
		Kernel: k, Store: store, Cloud: world, Source: queue, Me: engine.Name(), Teller: teller, Why: whyStuck(cfg, awsCfg, store, now),
		Now: now, Speed: speed, Log: log, OnLine: logLines(log), Meter: meter,
	})
	log.Info("serving", "queue", cfg.Queue, "hook", cfg.Hook, "groups", len(cfg.Groups), "journal", cfg.Journal, "version", versionText())
	if err := e.Run(ctx); err != nil {
		return err
	}
	log.Info("stopped; nothing is lost: open drains are in the journal, and hooks wait for their heartbeat timeout")
	return nil
}

// warnOfClusters says which clusters of the configuration ECS does not know.
func warnOfClusters(ctx context.Context, world *cloud.Cloud, cfg config.Config, log *slog.Logger) {
	var named []string
	for _, g := range cfg.Groups {
		if g.Cluster != "" && !slices.Contains(named, g.Cluster) {
			named = append(named, g.Cluster)
		}
	}
	for _, c := range cfg.Clusters {
		if !slices.Contains(named, c.Name) {
			named = append(named, c.Name)
		}
	}
	for _, name := range world.NoClusters(ctx, named) {
		log.Warn("ECS knows no such cluster in this account and Region: nothing in it can be drained; correct it in Ebb's configuration",
			"cluster", name)
	}
}

// logLines writes the lines of history into the log.
func logLines(log *slog.Logger) func(journal.Line) {
	return func(l journal.Line) {
		level := slog.LevelInfo
		switch l.Kind {
		case "failed", "unreadable", "cut-off", "wrong-cluster", journal.SetAside:
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, l.Text, "kind", l.Kind, "drain", l.Key)
	}
}

func kernelConfig(cfg config.Config, redrive bool) kernel.Config {
	k := kernel.Config{Hook: cfg.Hook, LeaveForeign: cfg.Foreign == config.Leave, Redrive: redrive, TrafficFirst: trafficFirst(cfg)}
	if cfg.JournalTable() != "" {
		k.Skew = lease.Skew // others write it, by clocks of their own
	}
	for _, g := range cfg.Groups {
		policy := drain.Defaults()
		policy.Deadline, policy.LostAfter, policy.DaemonGrace = g.Deadline, cfg.LostAfter, cfg.DaemonGrace
		policy.Observe = g.Mode == config.Observe
		k.Groups = append(k.Groups, kernel.Managed{
			Match: g.Match, Cluster: g.Cluster, Policy: policy, MaxUnavailable: kernel.MaxUnavailable(g.MaxUnavailable),
			Rebalance:    g.Rebalance == config.Drain,
			ReplaceFirst: g.ReplaceFirst, RaiseCapacity: g.Capacity == config.Raise, Rehearsals: g.AllowRehearsal, Agent: g.Agent,
		})
	}
	for _, c := range cfg.Clusters {
		m := kernel.Managed{Cluster: c.Name, Policy: drain.Policy{Observe: c.Mode == config.Observe}, Rehearsals: c.AllowRehearsal}
		for _, s := range c.StandIns() {
			m.StandIns = append(m.StandIns, kernel.StandIn{Spot: s.Name, OnDemand: s.OnDemand, After: s.After, Floor: s.Floor})
		}
		k.Groups = append(k.Groups, m)
	}
	for _, s := range cfg.Scaling {
		scaled := kernel.Scaled{Service: s.Service, Policy: s.Policy, Every: s.Every}
		i := slices.IndexFunc(k.Groups, func(m kernel.Managed) bool { return m.Match == "" && m.Cluster == s.Cluster })
		if i < 0 {
			i = len(k.Groups)
			k.Groups = append(k.Groups, kernel.Managed{Cluster: s.Cluster, OnlyScaled: true})
		}
		k.Groups[i].Scaled = append(k.Groups[i].Scaled, scaled)
	}
	return k
}

// trafficFirst are the rules of the services of which traffic leaves first.
func trafficFirst(cfg config.Config) (rules []drain.TrafficFirst) {
	for _, c := range cfg.Clusters {
		for _, s := range c.Services {
			if s.TrafficFirst > 0 {
				rules = append(rules, drain.TrafficFirst{Cluster: c.Name, Service: s.Name, Wait: s.TrafficFirst, Quiet: s.Quiet})
			}
		}
	}
	return rules
}

// unheard says what to do when the queue cannot be read. A network that is away may come back, so that is no matter of the
// configuration, and the service is worth a restart.
func unheard(cfg config.Config, err error) error {
	if _, away := errors.AsType[net.Error](err); !away {
		return misconfigured(err)
	}
	if cfg.Endpoint != "" {
		return fmt.Errorf("%w; nobody answers at the endpoint %s: is ebb sim running there?", err, cfg.Endpoint)
	}
	return fmt.Errorf("%w; AWS does not answer: check the network, and that the Region is right", err)
}
