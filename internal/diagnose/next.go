package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

// Event names what may happen next to a target that leaves.
type Event string

// The events, in the order in which a drain goes through them.
const (
	HookOpens   Event = "hook-opens"   // the group's own load balancers are drained, and the terminating hooks open
	SetDraining Event = "draining"     // the container instance is set DRAINING
	TaskOrdered Event = "task-ordered" // ECS orders a task to stop: its replacement is healthy, or it needs none
	TaskEnds    Event = "task-ends"    // a task of no service has done its work
	TaskSigterm Event = "task-sigterm" // the deregistration delay is over, and a task gets SIGTERM
	TaskStopped Event = "task-stopped" // the containers of a task have ended
	Answered    Event = "answered"     // Ebb answers its hook
	HookEnds    Event = "hook-ends"    // another hook is answered, or times out
	CutOff      Event = "cut-off"      // Ebb lets go of what is left: its deadline
	Gone        Event = "gone"         // EC2 terminates the instance
)

// Next is something that happens without anybody's doing.
type Next struct {
	Event Event  `json:"event"`
	Text  string `json:"text"`
	// By is when it has happened at the latest, as far as is known; zero: that is not known.
	By time.Time `json:"by,omitzero"`
}

// next works out what happens next by itself, and says how long to wait where nothing needs anybody.
func (w *why) next() {
	if w.member == nil || w.task != nil {
		return
	}
	add := func(e Event, by time.Time, format string, args ...any) {
		w.report.Next = append(w.report.Next, Next{e, fmt.Sprintf(format, args...), by})
	}
	switch state := w.member.State; {
	case state.Leaving():
		balancer := slices.IndexFunc(w.report.Blockers, func(b Blocker) bool { return b.Code == GroupBalancer }) // leaving has said it
		add(HookOpens, w.report.Blockers[balancer].Until, "the group's own load balancers have let go of it, and its hooks open")
	case state == fleet.TerminatingProceed:
		add(Gone, time.Time{}, "EC2 terminates it")
	case state.Waiting() && len(w.group.Terminating()) > 0:
		w.nextInHook(add)
	}
	slices.SortStableFunc(w.report.Next, func(a, b Next) int {
		return cmp.Or(cmp.Compare(unknownLast(a.By), unknownLast(b.By)), a.By.Compare(b.By))
	})
	w.report.Wait = w.wait()
}

func unknownLast(t time.Time) int {
	if t.IsZero() {
		return 1
	}
	return 0
}

// nextInHook is for an instance that waits in a hook.
func (w *why) nextInHook(add func(Event, time.Time, string, ...any)) {
	ours, left := w.ours() && !w.misplaced(), w.left()
	shortly := w.q.Now.Add(soon)
	switch {
	case w.ec2 != nil && w.ec2.State.Gone(): // nothing on it can do anything
		if ours {
			add(Answered, shortly, "Ebb sees that the instance is not running, and answers hook %s", w.q.Hook)
		}
	case w.host == nil && ours && !w.answered():
		add(Answered, shortly, "Ebb has looked twice, a minute apart, finds it in no cluster, and answers hook %s", w.q.Hook)
	case w.host != nil && w.host.Status == fleet.Active:
		switch {
		case ours && w.q.Ebb.Queued:
			add(SetDraining, time.Time{}, "another of the group has left, and Ebb sets it DRAINING")
		case ours && w.q.Ebb.Traffic:
			add(SetDraining, time.Time{}, "its traffic has left, or half of the time until the deadline is over, and Ebb sets it DRAINING")
		case ours && w.q.Ebb.Limit != "": // it may be told to wait yet
			add(SetDraining, time.Time{}, "Ebb sets it DRAINING, if no more than %s of the group leave with it", w.q.Ebb.Limit)
		case !slices.ContainsFunc(w.report.Blockers, func(b Blocker) bool { return b.Code == NotDraining && !b.Ends }):
			add(SetDraining, shortly, "the program that answers its hook sets it DRAINING")
		}
		w.nextOfTasks(left, add) // tasks end on a host that is not DRAINING too
	case len(left) > 0:
		w.nextOfTasks(left, add)
	case ours && !w.answered():
		add(Answered, shortly, "Ebb has listed its tasks once more, finds none, and answers hook %s", w.q.Hook)
	}
	w.nextOfHooks(w.ours(), left, add)
	if e := w.q.Ebb; w.ours() && e.Open && !e.Deadline.IsZero() && (len(left) > 0 || w.host == nil) {
		add(CutOff, e.Deadline, "Ebb lets go of it, whatever is left: its deadline")
	}
}

// nextOfHooks is when hooks end: that of another program by its answer or its timeout, at once where nothing is left to do.
func (w *why) nextOfHooks(ours bool, left []*inventory.Task, add func(Event, time.Time, string, ...any)) {
	delay, known := w.ownDelay()
	opens := w.group.TerminatingSince(w.instance).Add(delay)
	for _, h := range w.group.Terminating() {
		if h.Name == w.q.Hook && (ours || w.answered()) {
			continue
		}
		end := w.due(opens.Add(h.Heartbeat)) // if that is over, it has been answered, or somebody beats
		if !known {
			end = time.Time{}
		}
		if !end.IsZero() || len(left) == 0 {
			add(HookEnds, end, "hook %s is answered, or times out if nobody beats", h.Name)
		}
	}
}

// nextOfTasks is what the tasks on the host do next: one event of each kind, the earliest.
func (w *why) nextOfTasks(left []*inventory.Task, add func(Event, time.Time, string, ...any)) {
	var ends, ordered, sigterm, stopped int
	var signalBy, stoppedBy time.Time
	earliest := func(t *time.Time, by time.Time, unknown bool) {
		if by = w.due(by); !by.IsZero() && !unknown && (t.IsZero() || by.Before(*t)) {
			*t = by
		}
	}
	for _, t := range left {
		wait, _ := delayOf(w.s, w.home(t), t)
		unread, limit := delayUnread(w.s, w.home(t), t), limitOf(w.s, w.home(t), t)
		switch {
		case t.DesiredStatus != fleet.Stopped && t.Service() == "":
			ends++
		case t.DesiredStatus != fleet.Stopped:
			if w.ordersNext(t, left) {
				ordered++
			}
		case t.LastStatus == fleet.Deactivating:
			sigterm++
			earliest(&signalBy, t.StoppingAt.Add(wait), unread)
		default:
			stopped++
			earliest(&stoppedBy, t.StoppingAt.Add(wait+limit.Duration), unread || limit.lost)
		}
	}
	if stopped > 0 {
		add(TaskStopped, stoppedBy, "%s been stopped, by SIGKILL if not before", have(stopped))
	}
	if sigterm > 0 {
		add(TaskSigterm, signalBy, "%s got SIGTERM, because the deregistration delay is over", have(sigterm))
	}
	if ordered > 0 {
		add(TaskOrdered, time.Time{}, "ECS has ordered the stop of the next of %s, as replacements become healthy", plain.Count(ordered, "task"))
	}
	if ends > 0 {
		add(TaskEnds, time.Time{}, "%s done its work and ended; it belongs to no service", have(ends))
	}
}

// due is a time by which something happens, if that is not over. A little over is not: clocks differ, and the parts of AWS tell one another.
func (w *why) due(t time.Time) time.Time {
	if t.Before(w.q.Now.Add(-15 * time.Second)) {
		return time.Time{}
	}
	return t
}

// ordersNext reports whether ECS may order a task of a service to stop next: the host is DRAINING, and the task neither stays until somebody
// acts nor is a daemon's that stops after others.
func (w *why) ordersNext(t *inventory.Task, left []*inventory.Task) bool {
	s, h := w.home(t).Service(t.Service()), w.home(t).HostOf(t)
	return h.Status == fleet.Draining && !slices.Contains(w.stuck, t.ARN) && (s == nil || !s.Daemon || w.replicas(left) == 0)
}

func have(n int) string {
	if n == 1 {
		return "1 task has"
	}
	return fmt.Sprintf("the next of %d tasks has", n)
}

// wait says how long to wait, and for what, where every blocker ends by itself.
func (w *why) wait() string {
	if len(w.report.Next) == 0 || slices.ContainsFunc(w.report.Blockers, func(b Blocker) bool { return !b.Ends }) {
		return ""
	}
	first := w.report.Next[0]
	if first.By.IsZero() {
		return "wait: " + first.Text
	}
	return "wait until " + minute(first.By) + ": " + first.Text
}

// minute spells the end of a time's minute.
func minute(t time.Time) string {
	return t.UTC().Add(time.Minute - time.Nanosecond).Format("15:04 UTC")
}
