package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

// drainFlags are the flags of ebb drain.
type drainFlags struct {
	lookFlags
	deadline             time.Duration
	late, message        string
	terminate, decrement bool
	dry, detach, yes     bool
}

// The limits of --deadline and --message.
const (
	shortestDeadline = time.Minute
	longestDeadline  = 48 * time.Hour
	longestMessage   = 200
)

func newDrain(p Process) *cobra.Command {
	var f drainFlags
	c := &cobra.Command{
		Use: "drain TARGET...", Short: "Let container instances leave: set them to DRAINING and wait until their tasks have stopped",
		Args: aTarget,
		Long: `Drain sets each TARGET to DRAINING, waits until every task on it has really stopped, and shows how that goes. It needs no ebb serve.
What you ask for stands in AWS, as the attribute ` + fleet.WordAttribute + ` of the container instance, so that an ebb serve of the same
cluster sees it and carries it out too: it is one drain. With the journal of that ebb serve (--config or --journal) this command leaves the
work to it and only watches.

A drained instance stays DRAINING. With --terminate its Auto Scaling group terminates it, and launches another unless --decrement is given.
At the deadline a TARGET with tasks on it stays as it is and the command fails; with --on-deadline terminate it is terminated with what
is on it. Ctrl-C ends the command and leaves the instances DRAINING. ebb cancel takes back what you have asked for.

TARGET is an EC2 instance id, a container instance, or the name of an Auto Scaling group for all its instances. Without a terminal the
command needs --yes.

Exit codes: 0 every TARGET is drained, or with --detach asked to; 1 one is not; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb drain i-0a1b2c3d4e5f60718 --message "disk errors"
  ebb drain i-0a1b2c3d4e5f60718 --terminate --deadline 1h
  ebb drain web-asg --dry-run
  ebb drain i-0a1b2c3d4e5f60718 --detach --yes --config ebb.yaml`,
	}
	addSettings(c, "config", "region", "endpoint", "journal")
	flags := c.Flags()
	flags.StringSliceVar(&f.clusters, "cluster", nil, "look in this cluster only; may be repeated")
	flags.StringVar(&f.clock, "clock", "", "follow the clock of a simulated cloud at this URL")
	flags.DurationVar(&f.deadline, "deadline", 30*time.Minute, "how long tasks are waited for, from 1m to 48h")
	flags.StringVar(&f.late, "on-deadline", string(fleet.LateLeave), "what becomes then of a TARGET with tasks on it: leave or terminate")
	flags.StringVar(&f.message, "message", "", "why; the journal of ebb serve keeps it")
	flags.BoolVar(&f.terminate, "terminate", false, "let the Auto Scaling group terminate what is drained")
	flags.BoolVar(&f.decrement, "decrement", false, "with --terminate: the group gets smaller and launches no other")
	flags.BoolVar(&f.dry, "dry-run", false, "say what would happen, as ebb plan does, and change nothing")
	flags.BoolVar(&f.detach, "detach", false, "ask for it and leave the work to ebb serve")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		f.output = "table"
		if err := f.check(); err != nil {
			return fmt.Errorf("%w: %w; see ebb drain --help", errUsage, err)
		}
		return f.run(cmd, p, args)
	}
	return c
}

// check refuses flags that cannot be meant.
func (f *drainFlags) check() error {
	switch {
	case f.late != string(fleet.LateLeave) && f.late != string(fleet.LateTerminate):
		return fmt.Errorf("there is no --on-deadline %q; use leave or terminate", f.late)
	case f.decrement && !f.terminate:
		return errors.New("--decrement needs --terminate")
	case f.late == string(fleet.LateTerminate) && !f.terminate:
		return errors.New("--on-deadline terminate needs --terminate")
	case f.deadline < shortestDeadline || f.deadline > longestDeadline:
		return fmt.Errorf("--deadline is %s; it can be from 1m to 48h", f.deadline)
	case !plain.Shown(f.message) || utf8.RuneCountInString(f.message) > longestMessage:
		return fmt.Errorf("--message must be one line of at most %d characters that can be seen", longestMessage)
	}
	return nil
}

func (f *drainFlags) run(cmd *cobra.Command, p Process, args []string) error {
	cfg, seen, err := f.lookFor(cmd, p, args)
	if err != nil {
		return err
	}
	if f.dry {
		forecast := diagnose.Plan(&seen, args, seen.At, f.clusters...)
		fmt.Fprintln(p.Stdout, "nothing is changed: --dry-run")
		return answered(write(&f.lookFlags, p.Stdout, forecast, planText), forecast.Missing, seen)
	}
	now, speed, err := clockAt(cmd.Context(), f.clock)
	if err != nil {
		return err
	}
	if speed <= 0 && !f.detach {
		return fmt.Errorf("follow the clock at %s: that world stands still, so nothing is ever drained; start it with ebb sim --speed 1 or more", f.clock)
	}
	hosts, err := hostsOf(&seen, p, args)
	if err != nil {
		return err
	}
	line := func(words []string, more ...string) string { return commandLine(cmd, p, cfg, words, more...) }
	for _, h := range hosts {
		if err := f.refuse(&seen, h, line); err != nil {
			return err
		}
	}
	awsCfg, err := cloud.AWSConfig(cmd.Context(), cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return misconfigured(err)
	}
	o := &order{
		cfg: cfg, p: p, cloud: cloud.FromConfig(awsCfg), now: now, speed: speed, remark: kernel.Remark{By: operator(p), Message: f.message},
		line: line, again: append([]string{"drain"}, args...),
	}
	for _, h := range hosts {
		o.add(&seen, h)
	}
	if err := o.meet(cmd.Context(), f.detach); err != nil {
		return err
	}
	defer func() { _ = o.close() }()
	w := f.word(now())
	f.tell(p, &seen, hosts, w, args, o.store == nil)
	if !f.yes && !agreed(cmd.Context(), p, fmt.Sprintf("drain %s? [y/N] ", plain.Count(len(hosts), "container instance"))) {
		why := "nobody has agreed"
		if !terminal(p.Stdin) {
			why = "there is no terminal to ask on"
		}
		return fmt.Errorf("%w: nothing was changed, because %s. To do it, run:\n  %s", errUsage, why, line(o.again, "--yes"))
	}
	return o.carryOut(cmd.Context(), w, f.detach)
}

// word is what is put on each container instance.
func (f *drainFlags) word(now time.Time) fleet.Word {
	w := fleet.Word{Deadline: now.Add(f.deadline).UTC().Truncate(time.Second), Late: fleet.Late(f.late), End: fleet.EndKeep, Reason: "operator"}
	if f.terminate {
		w.End = fleet.EndTerminate
	}
	if f.decrement {
		w.End = fleet.EndDecrement
	}
	return w
}

// tell says what is about to happen.
func (f *drainFlags) tell(p Process, seen *inventory.Inventory, hosts []*inventory.Host, w fleet.Word, args []string, alone bool) {
	for _, h := range hosts {
		group := "in no Auto Scaling group that could be read"
		if g, _ := seen.Member(h.Instance); g != nil {
			group = "in group " + g.Name
		}
		fmt.Fprintf(p.Stderr, "%s (cluster %s, %s, %s): %s\n", h.Instance, h.Cluster, group, plain.Count(h.Running, "running task"), drain.WordText(w))
	}
	if text := unanswered(seen, hosts, alone); f.terminate && text != "" {
		fmt.Fprintln(p.Stderr, text)
	}
	forecast := diagnose.Plan(seen, args, seen.At, f.clusters...)
	if v := string(forecast.Verdict); v == "stuck" || v == "uncertain" {
		fmt.Fprintf(p.Stderr, "ebb plan says: %s: %s\n", v, forecast.Headline)
	}
}

// unanswered says which hooks of the groups this command does not answer: with no ebb serve at work, perhaps nobody does.
func unanswered(seen *inventory.Inventory, hosts []*inventory.Host, alone bool) string {
	var names []string
	for _, h := range hosts {
		g, _ := seen.Member(h.Instance)
		if g == nil || !alone {
			continue
		}
		for _, hook := range g.Terminating() {
			if name := hook.Name + " of group " + g.Name; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "this command answers no lifecycle hook: what it terminates then waits for whoever answers " + strings.Join(names, ", ") +
		", or until the hook times out"
}

// hostsOf are the container instances that the targets name, each once.
// What of a group leaves already it leaves out, and says so.
func hostsOf(seen *inventory.Inventory, p Process, args []string) (hosts []*inventory.Host, err error) {
	var ids []fleet.InstanceID
	for _, arg := range args {
		g := seen.Group(arg)
		if id := diagnose.Instance(seen, arg); g == nil {
			if string(id) != arg && !isHost(seen, arg) {
				return nil, fmt.Errorf("%s is a task, which runs on %s; name the instance, the container instance or the group", arg, id)
			}
			ids = append(ids, id)
			continue
		}
		for _, i := range g.Instances {
			if isLeaving(i.State) {
				fmt.Fprintf(p.Stderr, "%s is left out: it leaves already, and group %s says %s\n", i.ID, g.Name, i.State)
				continue
			}
			ids = append(ids, i.ID)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("no instance is in %s, or only such as leave already", strings.Join(args, ", "))
	}
	for _, id := range ids {
		var best *inventory.Host
		for _, c := range seen.Clusters {
			for _, h := range c.Hosts {
				better := best == nil || h.Connected && !best.Connected
				if h.Instance == id && h.Status != fleet.Inactive && better {
					best = h
				}
			}
		}
		if best == nil {
			err := answered(nil, []string{"a container instance of " + string(id)}, *seen)
			for _, u := range seen.Unread {
				err = fmt.Errorf("%w\nnote: %s could not be read: %s", err, u.What, u.Error)
			}
			return nil, err
		}
		if !slices.Contains(hosts, best) {
			hosts = append(hosts, best)
		}
	}
	return hosts, nil
}

// isHost reports whether a target is a container instance, as ARN or id.
func isHost(seen *inventory.Inventory, target string) bool {
	for _, c := range seen.Clusters {
		if slices.ContainsFunc(c.Hosts, func(h *inventory.Host) bool { return string(h.ARN) == target || h.ARN.Name() == target }) {
			return true
		}
	}
	return false
}

// refuse says why a container instance cannot be drained so.
func (f *drainFlags) refuse(seen *inventory.Inventory, h *inventory.Host, line func([]string, ...string) string) error {
	g, i := seen.Member(h.Instance)
	switch {
	case i != nil && isLeaving(i.State):
		return fmt.Errorf("%s leaves already: group %s says %s; what it waits for says: %s", h.Instance, g.Name, i.State,
			line([]string{"why", string(h.Instance)}))
	case h.Status != fleet.Active && h.Status != fleet.Draining:
		return fmt.Errorf("container instance %s of %s is %s, and can be drained once it is ACTIVE", h.ARN.Name(), h.Instance, h.Status)
	case f.terminate && g == nil && len(seen.Unread) > 0:
		return fmt.Errorf("it is not known in which Auto Scaling group %s is, because not everything could be read; give the permissions of "+
			"ebb iam, or leave out --terminate", h.Instance)
	case f.terminate && g == nil:
		return fmt.Errorf("%s is in no Auto Scaling group, so nothing can terminate it this way; leave out --terminate", h.Instance)
	}
	return nil
}

// leaves reports whether Auto Scaling terminates an instance, or has let go of it.
func isLeaving(s fleet.LifecycleState) bool { return s.Waiting() || s.Leaving() || s.Over() }

// agreed asks on a terminal. Without one the answer is no, and so it is after Ctrl-C.
func agreed(ctx context.Context, p Process, question string) bool {
	if !terminal(p.Stdin) {
		return false
	}
	fmt.Fprint(p.Stderr, question)
	answered := make(chan string, 1)
	go func() { // a read cannot be ended; the process ends it
		answer, _ := bufio.NewReader(p.Stdin).ReadString('\n') // without a whole line it is none
		answered <- answer
	}()
	select {
	case answer := <-answered:
		return slices.Contains([]string{"y\n", "yes\n"}, strings.ToLower(strings.ReplaceAll(strings.TrimLeft(answer, " "), "\r", "")))
	case <-ctx.Done():
		fmt.Fprintln(p.Stderr)
		return false
	}
}
