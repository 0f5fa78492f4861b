package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
)

func newPause(p Process) *cobra.Command {
	var clock, message string
	var lasts time.Duration
	c := &cobra.Command{
		Use: "pause [SCOPE]", Short: "Let no instance begin to leave for a while", Args: one("scope"),
		Long: `Pause writes into Ebb's journal that no container instance of SCOPE is set to DRAINING for a while. Every ebb serve on that journal
obeys within five seconds, and a function with its next pass. What has begun to leave goes on, and the hooks of what waits are kept alive;
the deadline of what waits counts from when it begins.

SCOPE may also be a service under scaling: in the configuration, as prod/web: then its desired count is left alone, and drains go on.

SCOPE is a cluster, as cluster/prod or prod, or the pattern of groups that are configured without a cluster, as group/web-*. Without SCOPE
everything in the configuration is paused. A pause ends by itself; a second one replaces the first.`,
		Example: `  ebb pause --config ebb.yaml --for 2h --message "moving the database"
  ebb pause prod --config ebb.yaml`,
	}
	addSettings(c, "config", "journal")
	c.Flags().DurationVar(&lasts, "for", time.Hour, "how long, at most 24h")
	c.Flags().StringVar(&message, "message", "", "why; ebb status shows it")
	c.Flags().StringVar(&clock, "clock", "", "take the time from a simulated cloud at this URL")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if lasts < time.Second || lasts > kernel.LongestPause {
			return fmt.Errorf("%w: --for is %s; a pause lasts from 1s to 24h", errUsage, lasts)
		}
		if of, err := pausedService(cmd, p, args); of != nil || err != nil {
			return errors.Join(err, override(cmd, p, of, kernel.Override{Hold: true, Message: message}, lasts, false, clock))
		}
		s, err := steering(cmd, p, clock, args)
		if err != nil {
			return err
		}
		defer s.store.Close()
		pause := kernel.Pause{By: operator(p), Message: message, Since: s.now, Until: s.now.Add(lasts)}
		open, err := s.write(cmd.Context(), func(open []journal.Record) journal.Batch { return pause.Begin(open, s.scopes) })
		if err != nil {
			return err
		}
		for _, l := range pausedLines(open, cmd, p, s.cfg) {
			if slices.Contains(s.scopes, l.Scope) {
				fmt.Fprint(p.Stdout, l.text())
			}
		}
		return nil
	}
	return c
}

func newResume(p Process) *cobra.Command {
	var clock string
	c := &cobra.Command{
		Use: "resume [SCOPE]", Short: "End a pause", Args: one("scope"),
		Long: `Resume ends what ebb pause began, of SCOPE or of everything in the configuration. What waited begins to leave within five seconds, with a
function at its next pass. It is no error if nothing is paused.`,
		Example: `  ebb resume --config ebb.yaml
  ebb resume prod --config ebb.yaml`,
	}
	addSettings(c, "config", "journal")
	c.Flags().StringVar(&clock, "clock", "", "take the time from a simulated cloud at this URL")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if of, err := pausedService(cmd, p, args); of != nil || err != nil {
			return errors.Join(err, override(cmd, p, of, kernel.Override{}, time.Second, true, clock))
		}
		s, err := steering(cmd, p, clock, args)
		if err != nil {
			return err
		}
		defer s.store.Close()
		was := map[string]kernel.Pause{}
		_, err = s.write(cmd.Context(), func(open []journal.Record) journal.Batch {
			b, ended := kernel.Resume(open, s.scopes, operator(p), s.now)
			for _, e := range ended {
				was[e.Scope] = e
			}
			return b
		})
		if err != nil {
			return err
		}
		for _, scope := range s.scopes {
			if e, ok := was[scope]; ok {
				fmt.Fprintf(p.Stdout, "%s is resumed; it was %s\n", scope, e)
			} else {
				fmt.Fprintf(p.Stdout, "%s is not paused\n", scope)
			}
		}
		return nil
	}
	return c
}

// pausedService is the service that is scaled which an argument names; nil: it names something else.
func pausedService(cmd *cobra.Command, p Process, args []string) (*config.Scaling, error) {
	if len(args) == 0 || !strings.Contains(args[0], "/") {
		return nil, nil
	}
	cfg, err := load(cmd, p)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(cfg.Scaling, func(s config.Scaling) bool { return s.Cluster+"/"+s.Service == args[0] })
	if i < 0 {
		return nil, nil
	}
	return &cfg.Scaling[i], nil
}

// steered is what a command steers: the journal, and the scopes that are meant, by its configuration.
type steered struct {
	cfg    config.Config
	store  journal.Store
	scopes []string
	now    time.Time
}

// steering opens the journal for writing and finds the scopes that are meant.
func steering(c *cobra.Command, p Process, clock string, args []string) (s steered, err error) {
	if s.cfg, err = load(c, p); err != nil {
		return s, err
	}
	now, _, err := clockAt(c.Context(), clock)
	if err != nil {
		return s, err
	}
	if s.store, err = steeredJournal(c.Context(), p, s.cfg); err != nil {
		return s, err
	}
	if s.scopes, err = meant(c.Context(), s.store, s.cfg, args); err != nil {
		return s, errors.Join(err, s.store.Close())
	}
	s.now = now()
	return s, nil
}

// steeredJournal opens a journal that is there already: to make one is for ebb serve, with its own user.
func steeredJournal(ctx context.Context, p Process, cfg config.Config) (journal.Store, error) {
	file := cfg.JournalFile()
	if file == "" && cfg.JournalTable() == "" {
		return nil, misconfigured(errNoJournal)
	}
	if file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, misconfigured(fmt.Errorf("open journal %s: %w; ebb serve makes it: has it run here with this journal?", file, err))
		}
		return openJournal(ctx, cfg, aws.Config{}, logger(p, cfg.LogLevel, "text"))
	}
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return nil, misconfigured(err)
	}
	return openJournal(ctx, cfg, awsCfg, logger(p, cfg.LogLevel, "text"))
}

// meant are the scopes that an argument names, of those in the configuration and in the journal; without one, all of the configuration.
func meant(ctx context.Context, store journal.Store, cfg config.Config, args []string) ([]string, error) {
	configured := kernel.Scopes(kernelConfig(cfg, false).Groups, nil)
	if len(args) == 0 {
		if len(configured) == 0 {
			return nil, misconfigured(errors.New("no groups are configured: give the configuration of ebb serve with --config, or name a scope"))
		}
		return configured, nil
	}
	known := map[string]bool{}
	for _, scope := range configured {
		known[scope] = true
	}
	leases, err := store.Leases(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		known[l.Scope] = true
	}
	for _, scope := range []string{args[0], "cluster/" + args[0], "group/" + args[0]} {
		if known[scope] {
			return []string{scope}, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no scope %q; those of the configuration and the journal are: %s", errUsage, args[0],
		cmp.Or(strings.Join(slices.Sorted(maps.Keys(known)), ", "), "none"))
}

// write writes what follows from the open records, again when somebody else has changed them meanwhile, and returns them as they are then.
func (s steered) write(ctx context.Context, batch func(open []journal.Record) journal.Batch) (open []journal.Record, err error) {
	for range 5 {
		if open, err = s.store.Open(ctx); err != nil {
			return nil, err
		}
		if err = s.store.Write(ctx, batch(open)); err == nil {
			return s.store.Open(ctx)
		}
		if !errors.Is(err, journal.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the journal was changed by somebody else again and again; try once more: %w", err)
}

// operator is who runs the command, for people.
func operator(p Process) string {
	name := p.Env("SUDO_USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return cmp.Or(name, p.Env("USER"), "somebody") + "@" + host
}

// pausedLine is a scope that is paused; its JSON keys are stable.
type pausedLine struct {
	kernel.Pause
	Resume string `json:"resume"` // the command, for a shell
}

// text says it for people.
func (l pausedLine) text() string {
	return fmt.Sprintf("%s is %s\n  no instance begins to leave; what has begun goes on. To resume: %s\n", l.Scope, l.Pause, l.Resume)
}

// pausedLines are the pauses among open records, each with the command that ends it, for whoever runs this one.
func pausedLines(open []journal.Record, c *cobra.Command, p Process, cfg config.Config) []pausedLine {
	lines := []pausedLine{}
	for _, is := range kernel.Pauses(open) {
		lines = append(lines, pausedLine{is, commandLine(c, p, cfg, []string{"resume", is.Scope})})
	}
	return lines
}
