package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// about says what holds one task that is stopping, stands alone, or is a daemon's. What holds replica tasks that are still meant
// to run is a matter of their service.
func (w *why) about(t *inventory.Task, left []*inventory.Task) {
	switch s := w.home(t).Service(t.Service()); {
	case t.DesiredStatus == fleet.Stopped:
		w.stopping(t)
	case t.Service() == "":
		w.standalone(t)
	case s != nil && s.Daemon:
		if n := w.replicas(left); n > 0 {
			w.add(Blocker{Code: DaemonLast, Exact: true, Ends: true, Message: fmt.Sprintf("task %s of DAEMON service %s stops after the %s left on the host",
				t.ARN.Name(), s.Name, plain.Count(n, "other task"))})
			return
		}
		b := Blocker{Code: InProgress, Ends: true}
		b.Message = fmt.Sprintf("no task of a REPLICA service is left; ECS should stop task %s of DAEMON service %s now", t.ARN.Name(), s.Name)
		if e := w.q.Ebb; w.ours() && w.q.Now.Before(e.Empty.Add(e.Grace)) {
			b.Until = e.Empty.Add(e.Grace)
			b.Message += ", and Ebb waits for it until " + w.when(b.Until)
		}
		w.add(b)
	}
}

// patience is how long a host may be leaving before it is mentioned at all that a task of no service can be stopped, or the hook of an unknown
// program answered: within it, who does not know that program and its deadline cannot tell a drain that goes well from one that does not.
const patience = time.Hour

// standalone is about a task that ECS never moves. Ebb's deadline ends the wait for it; where Ebb is not known to be at work, only the task does.
func (w *why) standalone(t *inventory.Task) {
	b := Blocker{Code: placement.Standalone, Exact: true, Ends: w.ours(), Advice: advice.Of(advice.Say("wait until it ends%s", w.letGo()))}
	b.Message = fmt.Sprintf("task %s (%s) was started by %s and belongs to no service: ECS never moves or stops it; %s and stays until it ends by itself",
		t.ARN.Name(), t.Family, startedBy(t), phrase("it has been running", w.since(t.StartedAt)))
	g := gapsOf(&w.known)
	if since, _ := w.leavingFor(); !b.Ends && since >= patience && !g.group() && !g.begin() && !g.journal() {
		b.Last = append(b.Last, w.q.At.StopTask(w.home(t).Name, t.ARN.Name()).For("ends it now"))
	}
	w.add(b)
}

// letGo says when Ebb stops waiting, if that is known.
func (k *known) letGo() string {
	if e := k.q.Ebb; k.ours() && !e.Deadline.IsZero() {
		return "; Ebb cuts off what is left at " + k.when(e.Deadline)
	}
	return ""
}

func startedBy(t *inventory.Task) string {
	if t.StartedBy == "" {
		return "RunTask or StartTask"
	}
	return "RunTask or StartTask (startedBy " + t.StartedBy + ")"
}

// replicas counts the tasks that daemons wait for.
func (p *place) replicas(left []*inventory.Task) int {
	n := 0
	for _, t := range left {
		if s := p.home(t).Service(t.Service()); s != nil && !s.Daemon {
			n++
		}
	}
	return n
}

// stopping says where on its way out a task is. ECS takes it out of its target groups first and waits for the whole deregistration
// delay, then sends SIGTERM, and SIGKILL after the stop timeout.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func (w *why) stopping(t *inventory.Task) {
	wait, tg := delayOf(w.s, w.home(t), t)
	name := w.named(t)
	ordered := phrase("ECS ordered its stop", w.ago(t.StoppingAt))
	switch t.LastStatus {
	case "DEACTIVATING":
		b := Blocker{Code: Deregistration, Exact: true, Ends: true, Message: fmt.Sprintf("%s is DEACTIVATING (%s): it is being taken out of its load "+
			"balancer or service discovery", name, ordered)}
		if tg != nil {
			b.Message = fmt.Sprintf("%s is DEACTIVATING (%s): target group %s waits for its deregistration delay of %s, even without requests, before the "+
				"task gets SIGTERM", name, ordered, tg.Name, inventory.Span(wait))
			if !t.StoppingAt.IsZero() {
				b.Until = t.StoppingAt.Add(wait)
				b.Message += ", until " + w.when(b.Until)
			}
		}
		w.add(b)
	case "STOPPING":
		w.sigterm(t, name, ordered, wait)
	default:
		w.add(Blocker{Code: InProgress, Exact: true, Ends: true, Message: fmt.Sprintf("%s is %s (%s), on its way to STOPPED", name, t.LastStatus, ordered)})
	}
}

// ago spells when something was and how long ago, nothing if it is not known.
func (k *known) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("at %s, %s ago", k.clock(t), span(t, k.q.Now))
}

// limit is how long the containers of a task have to stop: what is known, and what is said of it.
type limit struct {
	time.Duration
	known bool   // no longer time may be set where nothing was read
	lost  bool   // what says it could not be read, so that the time is none at all
	words string // how it comes about
}

// limitOf is the stop limit of a task.
func limitOf(s *inventory.Inventory, c *inventory.Cluster, t *inventory.Task) limit {
	agent, set := s.AgentStop(c.HostOf(t).Instance)
	def := c.TaskDefinition(t.Family)
	if def == nil || len(def.Containers) == 0 {
		return limit{agent, false, true, "its task definition could not be read, so how long its containers have is not known"}
	}
	longest, chain, ofAgent := def.StopTime(agent)
	l := limit{longest, set || !ofAgent, ofAgent && unsure(s, c, t), "the stopTimeout of container " + chain[0] + " is " + inventory.Span(longest)}
	if len(chain) > 1 {
		l.words = fmt.Sprintf("containers %s stop one after the other (dependsOn) and have %s together", strings.Join(chain, ", "), inventory.Span(longest))
	}
	switch {
	case ofAgent && agent != inventory.DefaultStopTimeout:
		l.words += " (ECS_CONTAINER_STOP_TIMEOUT in the group's user data says " + inventory.Span(agent) + ")"
	case ofAgent && !set:
		l.words += ", unless the agent has an ECS_CONTAINER_STOP_TIMEOUT, which could not be read"
	}
	return l
}

// unsure reports whether the settings of the agent on a task's host could not be read.
func unsure(s *inventory.Inventory, c *inventory.Cluster, t *inventory.Task) bool {
	g, _ := s.Member(c.HostOf(t).Instance)
	return launchUnread(s, g) || g == nil && groupsUnread(s)
}

// sigterm describes a task that received SIGTERM. From outside we cannot tell a process that finishes its work from one that
// ignores SIGTERM. So a long stopTimeout is reported as a fact, and ignoring SIGTERM as a possible cause. Until the time is known and
// over there is nothing to do: SIGKILL comes by itself.
func (w *why) sigterm(t *inventory.Task, name, ordered string, wait time.Duration) {
	l := limitOf(w.s, w.home(t), t)
	b := Blocker{Code: SigtermIgnored, Exact: true, Ends: true}
	b.Message = fmt.Sprintf("%s is STOPPING (%s): it received SIGTERM and has not exited; %s", name, ordered, l.words)
	var fixes []advice.Fix
	if delayUnread(w.s, w.home(t), t) {
		l.lost = true
		b.Message += "; how long its targets were drained before that could not be read"
	}
	if !t.StoppingAt.IsZero() && !l.lost {
		end := t.StoppingAt.Add(wait + l.Duration)
		over := w.q.Now.After(end.Add(time.Minute)) // deregistration takes a little longer than its delay, and an agent reports late
		switch {
		case !over && l.known:
			b.Until = end
			b.Message += ", so SIGKILL follows at " + w.when(end) + " at the latest"
		case !over:
			b.Until = end
			b.Message += "; if that is so, SIGKILL follows at " + w.when(end)
		case l.known:
			b.Ends = false
			b.Message += ", so SIGKILL was due at " + w.clock(end) + ", which has passed: check the agent and Docker on the host"
			fixes = append(fixes, w.restartAgent())
			if w.hasShell() {
				fixes = append(fixes, w.q.At.KillTask(string(w.instance), string(t.ARN)).For("kills its containers"))
			}
		default:
			b.Message += "; that has passed, so the agent has another, or it does not report"
			fixes = append(fixes, advice.Say("look at ECS_CONTAINER_STOP_TIMEOUT in /etc/ecs/ecs.config on the host, and at the agent's log"))
		}
	}
	heed := advice.Say("for the next time: make process 1 of its containers exit on SIGTERM (an init process, exec in the entry point)")
	if l.Duration > inventory.DefaultStopTimeout {
		b.Code = StopTimeout
		b.Advice = advice.Of(append(fixes, advice.Say("for the next time: register a revision of %s with a shorter stopTimeout", t.Family))...)
		w.add(b)
		w.add(Blocker{Code: SigtermIgnored, Message: name + " is either still finishing its work or ignoring SIGTERM", Advice: advice.Of(heed), Ends: b.Ends,
			Until: b.Until})
		return
	}
	b.Advice = advice.Of(append(fixes, heed)...)
	w.add(b)
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

// byHand notes which tasks are in target groups that no service names: ECS does not take them out.
func byHand(s *inventory.Inventory, c *inventory.Cluster, tasks []*inventory.Task) (notes []string) {
	for _, t := range tasks {
		for _, g := range s.ByHand(c, t) {
			notes = append(notes, fmt.Sprintf("task %s (%s) is registered in target group %s, which its service does not name: ECS does not take it out before "+
				"it stops, and requests to it fail until health checks do", t.ARN.Name(), t.Family, g.Name))
		}
	}
	return notes
}
