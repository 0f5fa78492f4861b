package diagnose

import (
	"fmt"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// about says what holds one task that is stopping, stands alone, or is a daemon's. What holds replica tasks that are still meant
// to run is a matter of their service.
func (w *why) about(t *inventory.Task, left []*inventory.Task) {
	switch s := w.cluster.Service(t.Service()); {
	case t.DesiredStatus == fleet.Stopped:
		w.stopping(t)
	case t.Service() == "":
		w.add(Blocker{Code: placement.Standalone, Exact: true, Fix: []Fix{w.stopTask(t)}, Message: fmt.Sprintf(
			"task %s (%s) was started by %s and belongs to no service: ECS never moves or stops it; %s and stays until it ends by itself",
			t.ARN.Name(), t.Family, startedBy(t), phrase("it has been running", w.since(t.StartedAt)))})
	case s != nil && s.Daemon:
		if n := replicas(left, w.cluster); n > 0 {
			w.add(Blocker{Code: DaemonLast, Exact: true, Message: fmt.Sprintf("task %s of DAEMON service %s stops after the %s left on the host",
				t.ARN.Name(), s.Name, inventory.Count(n, "other task"))})
			return
		}
		w.add(Blocker{Code: InProgress, Message: fmt.Sprintf("only daemon tasks are left; ECS should stop task %s of service %s now", t.ARN.Name(),
			s.Name), Fix: []Fix{w.stopTask(t)}})
	}
}

func startedBy(t *inventory.Task) string {
	if t.StartedBy == "" {
		return "RunTask or StartTask"
	}
	return "RunTask or StartTask (startedBy " + t.StartedBy + ")"
}

// since spells a start and how long ago it was, nothing if it is not known.
func (k *known) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("since %s (%s)", k.clock(t), span(t, k.q.Now))
}

// replicas counts the tasks that daemons wait for.
func replicas(left []*inventory.Task, c *inventory.Cluster) int {
	n := 0
	for _, t := range left {
		if s := c.Service(t.Service()); s != nil && !s.Daemon {
			n++
		}
	}
	return n
}

// stopping says where on its way out a task is. ECS takes it out of its target groups first and waits for the whole deregistration
// delay, then sends SIGTERM, and SIGKILL after the stop timeout.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func (w *why) stopping(t *inventory.Task) {
	wait, tg := delayOf(w.s, w.cluster, t)
	limit, container := timeout(w.cluster, t)
	name := w.named(t)
	switch t.LastStatus {
	case "DEACTIVATING":
		if tg == nil {
			w.add(Blocker{Code: Deregistration, Exact: true, Message: phrase(name, "is DEACTIVATING", w.since(t.StoppingAt)) +
				": it is being taken out of its load balancer or service discovery"})
			return
		}
		b := Blocker{Code: Deregistration, Exact: true, Fix: []Fix{shorterDelay(tg.ARN)}, Message: fmt.Sprintf(
			"%s: target group %s waits for its deregistration delay of %s, even without requests, before the task gets SIGTERM",
			phrase(name, "is DEACTIVATING", w.since(t.StoppingAt)), tg.Name, inventory.Span(wait))}
		if !t.StoppingAt.IsZero() {
			b.Until = t.StoppingAt.Add(wait)
			b.Message += ", until " + w.when(b.Until)
		}
		w.add(b)
	case "STOPPING":
		w.sigterm(t, name, container, wait, limit)
	default:
		w.add(Blocker{Code: InProgress, Exact: true, Message: phrase(name, "is", t.LastStatus, w.since(t.StoppingAt), "on its way to STOPPED")})
	}
}

// sigterm describes a task that received SIGTERM. From outside we cannot tell a process that finishes its work from one that
// ignores SIGTERM. So a long stopTimeout is reported as a fact, and ignoring SIGTERM as a possible cause.
func (w *why) sigterm(t *inventory.Task, name, container string, wait, limit time.Duration) {
	words := fmt.Sprintf("%s: it received SIGTERM and has not exited; the stopTimeout of container %s is %s",
		phrase(name, "is STOPPING", w.since(t.StoppingAt)), container, inventory.Span(limit))
	fix := []Fix{w.kill(t)}
	var until time.Time
	if !t.StoppingAt.IsZero() {
		until = t.StoppingAt.Add(wait + limit)
		words += ", so SIGKILL follows at " + w.when(until) + " at the latest"
		if w.q.Now.After(until) {
			words += ", which has passed: check the agent and Docker on the host"
		}
	}
	heed := Fix{Note: "for the next time: make process 1 of container " + container + " exit on SIGTERM (an init process, exec in the entry point)"}
	if limit > inventory.DefaultStopTimeout {
		w.add(Blocker{Code: StopTimeout, Message: words, Fix: append(fix, Fix{Note: "for the next time: register a revision of " + t.Family +
			" with a shorter stopTimeout"}), Exact: true, Until: until})
		w.add(Blocker{Code: SigtermIgnored, Message: name + " is either still finishing its work or ignoring SIGTERM", Fix: []Fix{heed}, Until: until})
		return
	}
	w.add(Blocker{Code: SigtermIgnored, Message: words, Fix: append(fix, heed), Exact: true, Until: until})
}

// when spells a time to come with how far away it is.
func (k *known) when(t time.Time) string {
	if t.Before(k.q.Now) {
		return k.clock(t)
	}
	return fmt.Sprintf("%s (in %s)", k.clock(t), span(k.q.Now, t))
}

func (k *known) named(t *inventory.Task) string {
	if s := t.Service(); s != "" {
		return fmt.Sprintf("task %s of service %s", t.ARN.Name(), s)
	}
	return fmt.Sprintf("task %s (%s)", t.ARN.Name(), t.Family)
}

// delayOf is the longest deregistration delay of a task's target groups, and the target group.
func delayOf(s *inventory.Inventory, c *inventory.Cluster, t *inventory.Task) (time.Duration, *inventory.TargetGroup) {
	if v := c.Service(t.Service()); v != nil {
		return s.Delay(v)
	}
	return 0, nil
}

// timeout is the longest stop timeout of a task's containers, and the name of the container.
func timeout(c *inventory.Cluster, t *inventory.Task) (time.Duration, string) {
	if def := c.TaskDefinition(t.Family); def != nil && len(def.Containers) > 0 {
		return def.StopTimeout()
	}
	return inventory.DefaultStopTimeout, "(unknown)"
}
