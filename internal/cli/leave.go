package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/plan"
)

// leaving is one task that an operator lets leave, with its targets out first: a rehearsal, or a replacement. Or it is one host of which an operator
// rehearses that EC2 takes it back; then there is no task and no service.
type leaving struct {
	order
	target  fleet.Target
	seen    *inventory.Inventory
	cluster *inventory.Cluster
	task    *inventory.Task
	service *inventory.Service
	host    fleet.InstanceID // that the task is on; empty: it is on Fargate
	most    time.Duration    // for which its targets are waited for
	began   time.Time
	drain   drain.Drain // as the journal had it last
	report  leaveReport
	says    io.Writer // what happens, as it happens
	probe   *probe    // nil: there is none
}

// leaveReport is what came of it; its JSON keys are stable.
type leaveReport struct {
	Task      string        `json:"task,omitempty"`
	Service   string        `json:"service,omitempty"`
	Instance  string        `json:"instance,omitempty"`
	Group     string        `json:"group,omitempty"` // of the instance
	Cluster   string        `json:"cluster"`
	Rehearsal bool          `json:"rehearsal"`
	DryRun    bool          `json:"dry_run,omitempty"`
	Plan      []string      `json:"plan,omitempty"`
	Outcome   drain.Outcome `json:"outcome,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Phases    []leavePhase  `json:"phases,omitempty"`
	Probe     *probed       `json:"probe,omitempty"`
	Late      []string      `json:"late"` // what two minutes are not enough for
}

// leavePhase is something that happened.
type leavePhase struct {
	Phase   string    `json:"phase"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // since it began
	Text    string    `json:"text"`
}

// newLeaving finds a task, by its ARN or id, and refuses one that cannot leave so.
func newLeaving(o order, seen *inventory.Inventory, id string) (*leaving, error) {
	l := &leaving{order: o, seen: seen}
	for _, c := range seen.Clusters {
		for _, t := range c.Tasks {
			if string(t.ARN) == id || t.ARN.Name() == id {
				l.cluster, l.task = c, t
			}
		}
	}
	if l.task == nil {
		return nil, answered(nil, []string{id}, *seen)
	}
	t := l.task
	l.target = fleet.TaskTarget(l.cluster.Name, t.ARN)
	l.report = leaveReport{Task: string(t.ARN), Cluster: l.cluster.Name, Service: t.Service(), Late: []string{}}
	for _, s := range l.cluster.Services {
		if s.Name == t.Service() {
			l.service = s
		}
	}
	for _, h := range l.cluster.Hosts {
		if h.ARN == t.ContainerInstance {
			l.host = h.Instance
		}
	}
	switch {
	case t.Leaves() || t.LastStatus != "RUNNING":
		return nil, fmt.Errorf("task %s is %s, and is to be %s: only one that runs can leave", t.ARN.Name(), t.LastStatus, t.DesiredStatus)
	case t.Service() == "":
		return nil, fmt.Errorf("task %s belongs to no service, so ECS would start no other for it", t.ARN.Name())
	case l.service == nil:
		return nil, fmt.Errorf("service %s of task %s could not be read, so its targets are not known; see the notes", t.Service(), t.ARN.Name())
	case t.ContainerInstance != "" && l.host == "":
		return nil, fmt.Errorf("the container instance of task %s could not be read, so its targets are not known; see the notes", t.ARN.Name())
	}
	return l, nil
}

// endpoints are where a task of the service is registered, as the service says.
func (l *leaving) endpoints(t *inventory.Task) []fleet.Endpoint {
	host := fleet.InstanceID("")
	for _, h := range l.cluster.Hosts {
		if h.ARN == t.ContainerInstance {
			host = h.Instance
		}
	}
	return fleet.Endpoints(host, &t.Task, l.service.Service)
}

// healthy reports whether a task runs and its load balancers say that it is healthy.
func (l *leaving) healthy(t *inventory.Task) bool {
	if t.Leaves() || t.LastStatus != "RUNNING" || t.HealthStatus == "UNHEALTHY" {
		return false
	}
	return !slices.ContainsFunc(l.endpoints(t), func(e fleet.Endpoint) bool {
		g := l.seen.TargetGroup(e.In)
		return e.Place == fleet.InTargetGroup && (g == nil || !slices.ContainsFunc(g.Targets, func(h fleet.Health) bool {
			return h.Target == e.Target && h.State == "healthy"
		}))
	})
}

// others are the healthy tasks of the service beside the one that leaves.
func (l *leaving) others() (n int) {
	for _, t := range l.cluster.Tasks {
		if t.Service() == l.service.Name && t.ARN != l.task.ARN && l.healthy(t) {
			n++
		}
	}
	return n
}

// foresee fills in what is to happen.
func (l *leaving) foresee() {
	add := func(format string, args ...any) { l.report.Plan = append(l.report.Plan, fmt.Sprintf(format, args...)) }
	for _, e := range l.endpoints(l.task) {
		name, delay := e.In.Name(), ""
		if g := l.seen.TargetGroup(e.In); g != nil {
			name = g.Name
			if delay = ", whose deregistration delay is not known"; g.DelayKnown {
				delay = fmt.Sprintf(", which lets it drain for %s", inventory.Span(g.Delay))
			}
			if l.report.Rehearsal && g.DelayKnown && g.Delay > fleet.SpotNotice {
				l.late("target group %s lets targets drain for %s, and Fargate Spot kills a task %s after its notice: connections that are open then are cut",
					name, inventory.Span(g.Delay), inventory.Span(fleet.SpotNotice))
			}
		}
		add("take %s out of %s %s%s", strings.TrimSuffix(fmt.Sprintf("%s:%d", e.Target.ID, e.Target.Port), ":0"), e.Place, name, delay)
	}
	if len(l.report.Plan) == 0 {
		add("service %s names no target group: only what somebody has registered by hand is taken out", l.service.Name)
	}
	add("wait until no target drains any more, for %s at most", inventory.Span(l.most))
	add("stop the task; ECS starts another for service %s, which wants %s, and of which %d others are healthy", l.service.Name,
		plain.Count(l.service.Desired, "task"), l.others())
}

func (l *leaving) late(format string, args ...any) {
	l.report.Late = append(l.report.Late, fmt.Sprintf(format, args...))
}

// phase notes and shows something that happened.
func (l *leaving) phase(name string, at time.Time, text string) {
	p := leavePhase{name, at.UTC(), at.Sub(l.began).Seconds(), text}
	l.report.Phases = append(l.report.Phases, p)
	fmt.Fprintf(l.says, "%+7.1f s  %-8s  %s\n", p.Seconds, p.Phase, plain.Text(p.Text, plain.Long))
}

// wait waits for a second of the world, or until the command is to end.
func (l *leaving) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(float64(time.Second) / max(1, l.speed))):
		return nil
	}
}

// drains are those of what leaves in a journal.
func (l *leaving) drains(ctx context.Context, store journal.Store) (all []drain.Drain, err error) {
	open, err := store.Open(ctx)
	if err != nil {
		return nil, err
	}
	recent, err := store.Recent(ctx, 200)
	for _, r := range slices.Concat(recent, open) {
		if d, bad := kernel.Read(r); bad == nil && d.Target == l.target {
			all = append(all, d)
		}
	}
	return all, err
}

// follow shows what a journal says of the drain that has begun with this command, until it has ended. Had are the keys of those before.
func (l *leaving) follow(ctx context.Context, store journal.Store, had []string, until time.Time) error {
	after := int64(0)
	for {
		all, err := l.drains(ctx, store)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		for _, d := range all {
			if !slices.Contains(had, d.Key) {
				l.drain = d
			}
		}
		if l.drain.Key != "" {
			lines, err := store.History(ctx, journal.Query{Key: l.drain.Key, After: after})
			if err != nil {
				return fmt.Errorf("read the journal: %w", err)
			}
			for _, line := range lines {
				after = max(after, line.Seq)
				l.phase(line.Kind, line.At, line.Text)
			}
		}
		if f := l.drain.Final; f != nil {
			l.report.Outcome, l.report.Reason = f.Outcome, f.Reason
			return nil
		}
		if l.now().After(until) || l.drain.Key == "" && l.now().Sub(l.began) > time.Minute {
			return errNotEnded
		}
		if err := l.wait(ctx); err != nil {
			return err
		}
	}
}

var errNotEnded = errors.New("its drain has not ended in time")

// replaceWithin is how long ECS is waited for to start another task.
const replaceWithin = 10 * time.Minute

// replaced waits until the task has stopped and its service runs as many tasks as it wants.
func (l *leaving) replaced(ctx context.Context) error {
	gone := false
	for by := l.now().Add(replaceWithin); ; {
		tasks := l.cloud.Look(ctx, plan.LookFor(plan.Tasks, l.cluster.Name, l.task.ARN))
		if live := slices.ContainsFunc(tasks.View.Tasks, fleet.Task.Live); !gone && tasks.Err == nil && len(tasks.Failed) == 0 && !live {
			gone = true
			l.phase("stopped", l.now(), "ECS says that it is STOPPED")
		}
		services := l.cloud.Look(ctx, plan.LookFor(plan.Services, l.cluster.Name, l.service.Name))
		for _, s := range services.View.Services {
			if gone && s.Running >= s.Desired {
				l.phase("replaced", l.now(), fmt.Sprintf("service %s runs %s, as it wants", s.Name, plain.Count(s.Running, "task")))
				return nil
			}
		}
		if l.now().After(by) {
			return fmt.Errorf("service %s does not run as many tasks as it wants within %s: ebb doctor says what is wrong", l.service.Name, replaceWithin)
		}
		if err := l.wait(ctx); err != nil {
			return err
		}
	}
}

// stop stops the task with this command's own rights, also after Ctrl-C: it must not run on without its targets.
func (l *leaving) stop(ctx context.Context, why string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	out := l.cloud.Do(ctx, plan.Action{Kind: plan.StopTask, Stop: &plan.TaskStop{Cluster: l.cluster.Name, Task: l.task.ARN, Reason: "Ebb: " + why}})
	if out.Err != nil {
		return fmt.Errorf("stop task %s: %w; it may run without its targets: run aws ecs stop-task --cluster %s --task %s", l.task.ARN.Name(), out.Err,
			l.cluster.Name, l.task.ARN)
	}
	l.phase("stop", l.now(), why+", so this command stops it")
	return nil
}

// tell writes the report, and is an error if it did not go well.
func (l *leaving) tell(f *lookFlags, bad error) error {
	r := &l.report
	r.Probe = l.probe.end()
	if err := write(f, l.p.Stdout, r, (*leaveReport).text); err != nil {
		return err
	}
	switch {
	case bad != nil:
		return bad
	case r.Outcome != drain.Drained:
		return fmt.Errorf("%s: %s: %s", l.target.Name(), r.Outcome, r.Reason)
	case r.Probe != nil && r.Probe.Failed > 0:
		return fmt.Errorf("%d of %s of the probe failed", r.Probe.Failed, plain.Count(r.Probe.Sent, "request"))
	}
	return nil
}

// text is the report for people. What happened was shown as it happened.
func (r *leaveReport) text() string {
	var b strings.Builder
	for i, step := range r.Plan {
		fmt.Fprintf(&b, "%d. %s\n", i+1, step)
	}
	if r.Outcome != "" {
		fmt.Fprintf(&b, "\n%s: %s\n", r.Outcome, r.Reason)
	}
	if r.Probe != nil {
		fmt.Fprintf(&b, "probe: %s\n", r.Probe.text())
	}
	for _, late := range r.Late {
		fmt.Fprintf(&b, "late: %s\n", late)
	}
	if r.Rehearsal && len(r.Late) == 0 {
		b.WriteString("two minutes are enough\n")
	}
	return b.String()
}
