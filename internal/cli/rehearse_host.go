package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// newHostLeaving finds an instance by its id.
func newHostLeaving(o order, seen *inventory.Inventory, id string) (*leaving, error) {
	l := &leaving{order: o, seen: seen, host: fleet.InstanceID(id), target: fleet.HostTarget(fleet.InstanceID(id))}
	for _, c := range seen.Clusters {
		for _, h := range c.Hosts {
			if h.Instance == l.host {
				l.cluster, l.hosts = c, append(l.hosts, h.ContainerInstance)
			}
		}
	}
	if len(l.hosts) == 0 {
		return nil, answered(nil, []string{"a container instance of " + id}, *seen)
	}
	l.report = leaveReport{Instance: id, Cluster: l.cluster.Name, Late: []string{}}
	return l, nil
}

// mayRehearseHost refuses a rehearsal that the configuration does not allow, or that could be noticed.
func (l *leaving) mayRehearseHost() error {
	id, h := l.target.ID, l.hosts[0]
	g, i := l.seen.Member(l.host)
	if g == nil {
		return fmt.Errorf("%s is in no Auto Scaling group that could be read, so nothing would replace it", id)
	}
	l.report.Group = g.Name
	man, ok := l.cfg.Group(g.Name)
	switch {
	case !ok || !man.AllowRehearsal:
		return misconfigured(fmt.Errorf("the configuration does not allow rehearsals in group %s: write allow_rehearsal: true for it, and restart ebb serve", g.Name))
	case man.Cluster != l.cluster.Name:
		return misconfigured(fmt.Errorf("the configuration does not name the cluster of group %s: write cluster: %s for it", g.Name, l.cluster.Name))
	case l.cfg.Queue == "":
		return misconfigured(errors.New("the configuration has no queue, through which the notice goes"))
	case isLeaving(i.State):
		return fmt.Errorf("%s leaves already: group %s says %s", id, g.Name, i.State)
	case len(l.hosts) > 1:
		return fmt.Errorf("%s is registered as %d container instances: deregister those that are old", id, len(l.hosts))
	case h.Status != fleet.Active || h.Word != fleet.Word{}:
		return fmt.Errorf("container instance %s of %s is %s, with the word %q on it; a rehearsal needs one that is ACTIVE, and without a word", h.ARN.Name(), id,
			h.Status, h.Word)
	}
	for _, s := range l.cluster.Services {
		if s.Daemon || !slices.ContainsFunc(l.cluster.Tasks, func(t *inventory.Task) bool { return t.ContainerInstance == h.ARN && t.Service() == s.Name }) {
			continue
		}
		l.service = s
		all, elsewhere := 0, 0
		for _, t := range l.cluster.Tasks {
			if t.Service() == s.Name && l.healthy(t) {
				if all++; t.ContainerInstance != h.ARN {
					elsewhere++
				}
			}
		}
		if all < 2 || elsewhere < 1 {
			return fmt.Errorf("service %s has %d healthy tasks, %d of them elsewhere, and a rehearsal needs two, one of them elsewhere; ebb doctor says what is wrong",
				s.Name, all, elsewhere)
		}
	}
	return nil
}

// foreseeHost fills in what is to happen.
func (l *leaving) foreseeHost() {
	forecast := diagnose.Plan(l.seen, []string{l.target.ID}, l.seen.At, l.cluster.Name)
	add := func(format string, args ...any) { l.report.Plan = append(l.report.Plan, fmt.Sprintf(format, args...)) }
	add("set %s DRAINING, and take the targets of its tasks out at once", l.target.ID)
	add("wait until %s on it have stopped, for %s at most", plain.Count(len(forecast.Steps), "task"), inventory.Span(l.most))
	add("let group %s terminate it with what is left on it; the group launches another", l.report.Group)
	for _, s := range forecast.Steps {
		if d := time.Duration(s.Stop); s.Stop != diagnose.NotKnown && d > fleet.SpotNotice {
			l.late("task %s of %s may take %s to stop, and EC2 ends the instance %s after its notice", s.Task, s.Service, inventory.Span(d),
				inventory.Span(fleet.SpotNotice))
		}
	}
	if v := string(forecast.Verdict); v == "stuck" || v == "uncertain" {
		l.late("ebb plan says %s: %s", v, forecast.Headline)
	}
}

// rehearseHost puts the operator's word on the container instance, sends the warning, and follows what Ebb does.
func (l *leaving) rehearseHost(ctx context.Context) error {
	had, err := l.had(ctx)
	if err != nil {
		return err
	}
	h, end := l.hosts[0], l.began.Add(fleet.SpotNotice)
	w := fleet.Word{Deadline: end, Late: fleet.LateTerminate, End: fleet.EndTerminate, Reason: fleet.RehearsalReason}
	if err := l.cloud.Say(ctx, h, w); err != nil {
		return fmt.Errorf("put the attribute %s on container instance %s: %w; nothing else was changed. It needs ecs:PutAttributes, see "+
			"docs/reference/iam.md", fleet.WordAttribute, h.ARN.Name(), err)
	}
	back := l.line([]string{"cancel", l.target.ID})
	notice := event.RehearseInstance(l.seen.Account, l.seen.Region, l.cluster.Name, l.host, l.began)
	if err := sqs.Send(ctx, l.aws, l.cfg.Queue, notice); err != nil {
		return fmt.Errorf("send the notice to queue %s: %w; it needs sqs:SendMessage, see docs/reference/iam.md. To take back what was said:\n  %s", l.cfg.Queue,
			err, back)
	}
	l.phase("sent", l.began, "the warning of EC2, to the queue of Ebb")
	err = l.follow(ctx, l.store, had, end.Add(replaceWithin))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; %s goes on. To take it back as long as it is not terminated:\n  %s", l.works, back)
	case l.drain.Key == "":
		return errors.Join(err, fmt.Errorf("%s has not begun to act on it within a minute; is allow_rehearsal in its configuration too? To take back what "+
			"was said:\n  %s", l.works, back))
	case err != nil:
		return fmt.Errorf("%w; whoever works for cluster %s goes on with it. To take it back as long as it is not terminated:\n  %s", err, l.cluster.Name, back)
	}
	if cut := l.drain.Final.CutOff; len(cut) > 0 {
		l.late("%s still ran two minutes after the notice: %s", plain.Count(len(cut), "task"), strings.Join(cut, ", "))
	}
	return nil
}
