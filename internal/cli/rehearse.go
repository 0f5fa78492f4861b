package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// leaveFlags are the flags of ebb rehearse and ebb replace.
type leaveFlags struct {
	lookFlags
	probe    string
	rate     int
	dry, yes bool
}

func (f *leaveFlags) add(c *cobra.Command) {
	f.lookFlags.add(c)
	flags := c.Flags()
	flags.StringVar(&f.probe, "probe", "", "send requests to this URL meanwhile, and count those that fail")
	flags.IntVar(&f.rate, "rate", 20, "how many requests of --probe in a second")
	flags.BoolVar(&f.dry, "dry-run", false, "say what would happen, and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
}

// look reads the account for what is to leave, and makes what a command about it needs.
func (f *leaveFlags) look(cmd *cobra.Command, p Process, id string) (o order, seen inventory.Inventory, says io.Writer, err error) {
	if f.rate < 1 || f.rate > mostProbes {
		return o, seen, nil, fmt.Errorf("%w: --rate is %d; it can be from 1 to %d", errUsage, f.rate, mostProbes)
	}
	cfg, seen, err := f.lookFor(cmd, p, []string{id})
	if err != nil {
		return o, seen, nil, err
	}
	now, speed, err := clockAt(cmd.Context(), f.clock)
	if err != nil {
		return o, seen, nil, err
	}
	if speed <= 0 && !f.dry {
		return o, seen, nil, fmt.Errorf("follow the clock at %s: that world stands still; start it with ebb sim --speed 1 or more", f.clock)
	}
	awsCfg, err := cloud.AWSConfig(cmd.Context(), cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return o, seen, nil, misconfigured(err)
	}
	o = order{cfg: cfg, p: p, cloud: cloud.FromConfig(awsCfg), aws: awsCfg, now: now, speed: speed}
	o.line = func(words []string, more ...string) string { return commandLine(cmd, p, cfg, words, more...) }
	if says = p.Stdout; f.output == "json" {
		says = p.Stderr
	}
	return o, seen, says, nil
}

// begin shows the plan and asks. Without a yes nothing begins, and with --dry-run neither.
func (f *leaveFlags) begin(ctx context.Context, l *leaving, question string, again []string) (goes bool, err error) {
	if f.dry {
		l.report.DryRun = true
		return false, write(&f.lookFlags, l.p.Stdout, &l.report, (*leaveReport).text)
	}
	_, _ = io.WriteString(l.p.Stderr, l.report.text())
	if !f.yes && !agreed(ctx, l.p, question+" [y/N] ") {
		why := "nobody has agreed"
		if !terminal(l.p.Stdin) {
			why = "there is no terminal to ask on"
		}
		return false, fmt.Errorf("%w: nothing was changed, because %s. To do it, run:\n  %s", errUsage, why, l.line(again, "--yes"))
	}
	l.report.Plan = nil
	l.probe, err = startProbe(ctx, f.probe, f.rate)
	l.began = l.now()
	return err == nil, err
}

func newRehearse(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "rehearse", Short: "Rehearse an interruption on something that is live, and report what it costs", Args: aCommand,
		Long: "Rehearse lets something that is live leave as an interruption would, through the queue of ebb serve, and reports what that costs.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRehearseSpot(p))
	return c
}

func newRehearseSpot(p Process) *cobra.Command {
	var f leaveFlags
	var task, instance string
	c := &cobra.Command{
		Use: "spot --task TASK | --instance ID", Short: "Rehearse that AWS takes the capacity of a task or an instance back", Args: noArgs,
		Long: `Spot sends ebb serve the notice of an interruption, marked as a rehearsal, through its own queue, and reports every phase of what
follows with its seconds, what --probe saw, and what an interruption would not have waited for.

--task: Ebb takes the targets of a task on Fargate out as it does after a real notice, waits until they have drained, and stops the task, two
minutes after the notice at the latest. ECS starts another. --instance: Ebb sets the instance DRAINING and takes all its targets out at once, and
two minutes after the notice at the latest its Auto Scaling group terminates it with what is left on it, and launches another. What leaves is gone
in the end, as it is after an interruption.

It is allowed only where the configuration says allow_rehearsal: true for the cluster or the group, and while every service that is concerned has
two healthy tasks or more, one of them elsewhere. An operator's word about it stands in AWS meanwhile, as the tag ` + fleet.RehearsalTag + ` of the task
or the attribute ` + fleet.WordAttribute + ` of the container instance: a message alone does nothing. If this command is ended, ebb serve goes on; if ebb
serve dies, this command stops the task.

Exit codes: 0 it left as it should, and no request of the probe failed; 1 not so; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb rehearse spot --config ebb.yaml --task arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef --dry-run
  ebb rehearse spot --config ebb.yaml --task 0123456789abcdef0123456789abcdef --cluster prod --probe https://shop.example.com/health --rate 50
  ebb rehearse spot --config ebb.yaml --instance i-0a1b2c3d4e5f60718`,
	}
	f.add(c)
	addSettings(c, "journal", "queue")
	c.Flags().StringVar(&task, "task", "", "ARN or id of a task on Fargate")
	c.Flags().StringVar(&instance, "instance", "", "id of an EC2 instance in an Auto Scaling group")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if (task == "") == (instance == "") {
			return fmt.Errorf("%w: ebb rehearse spot needs --task or --instance; see ebb rehearse spot --help", errUsage)
		}
		o, seen, says, err := f.look(cmd, p, task+instance)
		if err != nil {
			return err
		}
		kind := rehearsal{newLeaving, (*leaving).mayRehearse, (*leaving).foresee, (*leaving).rehearse}
		if instance != "" {
			kind = rehearsal{newHostLeaving, (*leaving).mayRehearseHost, (*leaving).foreseeHost, (*leaving).rehearseHost}
		}
		l, err := kind.find(o, &seen, task+instance)
		if err != nil {
			return err
		}
		l.says, l.report.Rehearsal, l.most = says, true, fleet.SpotNotice
		if err := kind.may(l); err != nil {
			return err
		}
		if err := l.meetEbb(cmd.Context(), f.dry); err != nil {
			return err
		}
		defer func() { _ = l.close() }()
		kind.foresee(l)
		goes, err := f.begin(cmd.Context(), l, "interrupt "+l.target.Name()+"?", []string{"rehearse", "spot"})
		if !goes {
			return err
		}
		return l.tell(&f.lookFlags, kind.run(l, cmd.Context()))
	}
	return c
}

// meetEbb finds the Ebb that works for the cluster, in its journal: it is what is rehearsed.
func (l *leaving) meetEbb(ctx context.Context, dry bool) error {
	if dry {
		return nil
	}
	l.scopes = []string{kernel.Managed{Cluster: l.cluster.Name}.Scope()}
	if err := l.find(ctx); err != nil {
		return err
	}
	if l.store == nil {
		return fmt.Errorf("no ebb serve works for cluster %s as far as its journal shows, and that is what is rehearsed: start it, and name its "+
			"journal (--config or --journal)", l.cluster.Name)
	}
	return nil
}

// rehearsal is how a kind of interruption is rehearsed: what leaves is found, whether that may be, what will happen, and that it does.
type rehearsal struct {
	find    func(o order, seen *inventory.Inventory, id string) (*leaving, error)
	may     func(*leaving) error
	foresee func(*leaving)
	run     func(*leaving, context.Context) error
}

// mayRehearse refuses a rehearsal that the configuration does not allow, or that could be noticed.
func (l *leaving) mayRehearse() error {
	switch {
	case !l.cfg.Rehearses(l.cluster.Name):
		return misconfigured(fmt.Errorf("the configuration does not allow rehearsals in cluster %s: write allow_rehearsal: true for it, and restart ebb "+
			"serve", l.cluster.Name))
	case l.cfg.Queue == "":
		return misconfigured(errors.New("the configuration has no queue, through which the notice goes"))
	case l.task.ContainerInstance != "":
		return fmt.Errorf("task %s is on %s, and not on Fargate: it is interrupted with its instance", l.task.ARN.Name(), l.host)
	case !l.healthy(l.task) || l.others() < 1:
		have := l.others()
		if l.healthy(l.task) {
			have++
		}
		return fmt.Errorf("service %s has %d healthy tasks, and a rehearsal needs two, this one among them; ebb doctor says what is wrong", l.service.Name, have)
	}
	return nil
}

// rehearse puts the operator's word on the task, sends the notice, and follows what Ebb does.
func (l *leaving) rehearse(ctx context.Context) error {
	had, err := l.had(ctx)
	if err != nil {
		return err
	}
	end := l.began.Add(fleet.SpotNotice)
	if err := l.cloud.Rehearse(ctx, l.task.ARN, end); err != nil {
		return fmt.Errorf("put the tag %s on task %s: %w; nothing else was changed. It needs ecs:TagResource, see docs/reference/iam.md",
			fleet.RehearsalTag, l.task.ARN.Name(), err)
	}
	notice := event.RehearseTask(l.seen.Account, l.seen.Region, fleet.ARN(l.cluster.ARN), l.task.ARN, l.task.Group, l.began)
	if err := sqs.Send(ctx, l.aws, l.cfg.Queue, notice); err != nil {
		return fmt.Errorf("send the notice to queue %s: %w; the task runs on. It needs sqs:SendMessage, see docs/reference/iam.md", l.cfg.Queue, err)
	}
	l.phase("sent", l.began, "the notice of Fargate Spot, to the queue of Ebb")
	err = l.follow(ctx, l.store, had, end.Add(grace))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; %s goes on, and stops the task at %s at the latest", l.works, end.Format("15:04:05 UTC"))
	case l.drain.Key == "":
		return errors.Join(err, fmt.Errorf("%s has not begun to act on it within a minute; if it says why in its log, is allow_rehearsal in its "+
			"configuration too? The task runs on", l.works))
	case err != nil && l.drain.Accepted.IsZero():
		return fmt.Errorf("%w; its targets were not taken out, as far as %s has written", err, l.works)
	case err != nil:
		err = errors.Join(err, l.stop(ctx, l.works+" has not stopped it"))
	case l.report.Outcome == drain.NotLeaving || l.report.Outcome == drain.Overdue:
		return nil // it was left as it was
	}
	err = errors.Join(err, l.replaced(ctx))
	l.lateness()
	return err
}

// had are the keys of the drains that the journal has of it already. It begins now.
func (l *leaving) had(ctx context.Context) (keys []string, err error) {
	before, err := l.drains(ctx, l.store)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	for _, d := range before {
		keys = append(keys, d.Key)
	}
	l.began = l.now().UTC()
	return keys, nil
}

// grace is how long after its time a rehearsal is waited for before this command takes over.
const grace = 20 * time.Second

// lateness says what took longer than an interruption leaves.
func (l *leaving) lateness() {
	most, d := fleet.SpotNotice.Seconds(), &l.drain
	if d.Accepted.IsZero() {
		l.late("AWS had not accepted that its targets are deregistered")
	} else if d.Quiet.IsZero() {
		l.late("its targets still drained %.0f s after the notice, when the task is killed", most)
	}
	for _, p := range l.report.Phases {
		switch {
		case p.Seconds <= most:
		case p.Phase == "stopped":
			l.late("it ran for %.0f s after the notice; Fargate Spot kills it after %.0f s", p.Seconds, most)
		case p.Phase == "replaced":
			l.late("the service had a task less than it wants until %.0f s after the notice", p.Seconds)
		}
	}
}
