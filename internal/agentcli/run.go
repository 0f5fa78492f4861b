package agentcli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/host"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/steps"
)

func newRun(o *options) *cobra.Command {
	var asIf string
	var dry bool
	c := &cobra.Command{
		Use: "run", Short: "Run the agent, or the steps once as if the host left", Args: cobra.NoArgs,
		Long: `Run is what the service does: it waits until the host is to leave, does the steps, and answers the hook.

With --as-if it does the steps now, once, as if the host left for that reason, and tells AWS nothing. The steps are real: a command is
run, a service is stopped. With --dry-run as well it only says which steps would run, in which order and for how long at most.`,
		Example: `  ebb-agent run --as-if terminate --dry-run
  ebb-agent run --as-if spot --dry-run`,
	}
	c.Flags().StringVar(&asIf, "as-if", "", "do the steps once as if: terminate, spot, launch, replace-root-volume, shutdown")
	c.Flags().BoolVar(&dry, "dry-run", false, "with --as-if: run nothing")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case asIf != "":
			return o.asIf(cmd.Context(), steps.Cause(asIf), dry)
		case dry:
			return fmt.Errorf("%w: --dry-run needs --as-if terminate, or another cause", errConfig)
		}
		return o.serve(cmd.Context())
	}
	return c
}

// serve is the agent at work until ctx ends.
func (o *options) serve(ctx context.Context) error {
	log := o.log()
	h, err := o.whenReady(ctx, log)
	if err != nil {
		return err
	}
	disk := agent.Disk{Dir: h.State}
	if err := disk.Open(); err != nil {
		return err
	}
	aws := cloudOf(h.aws)
	if err := h.fits(ctx, aws); err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	reports := &agent.Reports{Instance: h.who.Instance, Region: h.Region, Receivers: receivers(h.Report, h.secrets, h.aws), Log: log}
	a := agent.New(agent.Config{
		Plan: h.plan, Boot: boot(), Spot: h.who.Spot, IMDS: h.imds, Cloud: aws, Store: disk, Runner: h.runner, Reports: reports, Log: log,
		ECS: &agent.Introspection{URL: h.ECS.URL, Ignore: h.ECS.Ignore},
	})
	log.Info("the agent works", "instance", h.who.Instance, "hook", h.plan.Hook, "steps", len(h.plan.Steps), "spot", h.who.Spot)
	ctx, quiet := h.hearStop(ctx, a, log)
	defer quiet()
	if h.Queue != "" {
		go hearQueue(ctx, h.aws, h.Queue, h.plan.Instance, a.Wake, log)
	}
	a.Run(ctx)
	log.Info("the agent ends; it answers no hook, and goes on with what is left when it is started again")
	return nil
}

// fits refuses timeouts that no hook can wait for. What cannot be read refuses nothing.
func (h *onHost) fits(ctx context.Context, aws *cloud.Cloud) error {
	res := aws.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.GroupInstances, ID: h.who.Instance}))
	for _, in := range res.View.GroupInstances {
		hooks := aws.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.Hooks, In: in.Group})).View.Hooks
		for _, k := range hooks {
			if k.Name != h.plan.Hook && k.Name != h.plan.LaunchHook || k.Global == 0 {
				continue
			}
			for _, s := range h.plan.Steps {
				if s.Timeout > k.Global {
					return fmt.Errorf("step %s may take %s, but AWS ends hook %s of group %s after %s; give the step a shorter timeout, or the hook a "+
						"longer heartbeat timeout", s.Name, s.Timeout, k.Name, in.Group, k.Global)
				}
			}
		}
	}
	return nil
}

// asIf does the steps once, and tells AWS nothing.
func (o *options) asIf(ctx context.Context, cause steps.Cause, dry bool) error {
	h, err := o.load(ctx)
	if err != nil {
		return err
	}
	play, err := newRehearsal(h.plan, cause)
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	var run agent.Runner = h.runner
	if dry {
		run = dryRun{}
	}
	play.run(ctx, run, func(line string) { fmt.Fprintln(o.Stdout, line) })
	return play.failed()
}

// rehearsal is a departure of which AWS knows nothing.
type rehearsal struct {
	plan  steps.Plan
	cause steps.Cause
	core  *agent.Core
}

// newRehearsal begins as if the host left for a cause.
func newRehearsal(p steps.Plan, cause steps.Cause) (*rehearsal, error) {
	states := map[steps.Cause]fleet.LifecycleState{
		steps.Terminate: fleet.TerminatingWait, steps.RootVolume: fleet.ReplacingRootVolumeWait, steps.Launch: fleet.PendingWait,
		steps.Spot: fleet.TerminatingWait, steps.Shutdown: fleet.InService,
	}
	state, ok := states[cause]
	if !ok {
		return nil, fmt.Errorf("--as-if is %q; it may be terminate, spot, launch, replace-root-volume, shutdown", cause)
	}
	if cause == steps.Launch && p.LaunchHook == "" {
		p.LaunchHook = "launch"
	}
	p.ECS = false // the tasks on the host stay
	core, err := agent.NewCore(p, "rehearsal", nowhere{})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	core.SawGroup(fleet.Seen, fleet.GroupInstance{ID: p.Instance, Group: "rehearsal", State: state}, now)
	if cause == steps.Spot {
		core.SawSpot(now.Add(2*time.Minute), now)
	}
	if cause == steps.Shutdown {
		core.Down(now.Add(2 * time.Minute))
	}
	return &rehearsal{p, cause, core}, nil
}

// run plays it to the end.
func (r *rehearsal) run(ctx context.Context, run agent.Runner, say func(string)) {
	ended := make(chan steps.End)
	var end context.CancelFunc
	for r.core.State().Result == "" && ctx.Err() == nil {
		reqs, wake, lines := r.core.Next(time.Now())
		for _, l := range lines {
			say(l)
		}
		for _, q := range reqs {
			switch {
			case q.Start != nil:
				step, cancel := context.WithCancel(ctx)
				end = cancel
				go func() { ended <- run.Run(step, *q.Start, agent.Env(r.plan, q.State, *q.Start)); cancel() }()
			case q.Kill != "" && end != nil:
				end()
			case q.Call != nil:
				r.core.Did(*q.Call, nil, time.Now())
			case q.Look != nil:
				r.core.Looked(q.Look.Kind, nil, time.Now())
			}
		}
		wait := time.Hour
		if !wake.IsZero() {
			wait = max(time.Until(wake), time.Millisecond)
		}
		select {
		case e := <-ended:
			r.core.Ended(e)
			if e.Text != "" {
				say(e.Text)
			}
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// failed is an error if a step has failed.
func (r *rehearsal) failed() error {
	for _, run := range r.core.State().Runs {
		if run.Outcome != steps.OK {
			return fmt.Errorf("step %s: %s", run.Step, run.Outcome)
		}
	}
	return nil
}

type nowhere struct{}

func (nowhere) Load() (steps.State, error) { return steps.State{}, nil }
func (nowhere) Save(steps.State) error     { return nil }

// dryRun runs nothing.
type dryRun struct{}

func (dryRun) Run(_ context.Context, s steps.Start, _ map[string]string) steps.End {
	return steps.End{Step: s.Step, Attempt: s.Attempt, At: time.Now(), Outcome: steps.OK, Text: "it is not run"}
}

// hearStop goes on after SIGTERM if the host itself shuts down, for as long as the steps may take then.
func (h *onHost) hearStop(ctx context.Context, a *agent.Agent, log *slog.Logger) (context.Context, func()) {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	err := host.HoldShutdown(work, func() {
		a.ShutDown(work, time.Now().Add(shutdownFor))
		a.WaitDone(work, shutdownFor)
	})
	if err != nil {
		log.Info("logind does not wait for the steps at a shutdown; systemd does", "error", err)
	}
	context.AfterFunc(ctx, func() {
		if !agent.ShuttingDown() {
			stop()
			return
		}
		log.Warn("the host shuts down")
		a.ShutDown(work, time.Now().Add(shutdownFor))
		a.WaitDone(work, shutdownFor)
		stop()
	})
	return work, stop
}

// shutdownFor is how long the steps may take when the host itself shuts down. The unit of systemd allows a little more (TimeoutStopSec).
const shutdownFor = 110 * time.Second
