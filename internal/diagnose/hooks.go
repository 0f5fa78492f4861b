package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// hooks says which hook holds an instance without tasks. AWS does not show which hooks of an instance are open, so that this is
// known by exclusion only, unless there is just one.
func (w *why) hooks() {
	if w.member == nil || !w.member.State.Waiting() {
		return
	}
	if w.host != nil && w.host.Status == fleet.Active {
		return // ECS may place a task there at any time; draining says so
	}
	words, answered := "no task is left on "+string(w.instance), w.answered()
	if w.host == nil {
		words = string(w.instance) + " is in no cluster that could be read, so there is nothing to drain"
	}
	var names []string
	var open []fleet.Hook
	for _, h := range w.group.Terminating() {
		if answered && h.Name == w.q.Hook {
			words += fmt.Sprintf(", and Ebb has answered %s", h.Name)
			continue
		}
		names, open = append(names, h.Name+w.owner(h)), append(open, h)
	}
	if gapsOf(&w.known).hooks() {
		return // which they are is not known, and doubt says so
	}
	if len(names) == 0 {
		words += ", and the group has no other terminating hook: it was deleted or answered in the meantime"
	} else {
		words += fmt.Sprintf(": group %s waits in its hook %s", w.group.Name, strings.Join(names, " or "))
		if len(names) > 1 {
			words += "; AWS does not show which of them is open, and refuses to complete one that is not"
		}
	}
	at := w.group.TerminatingSince(w.instance)
	if !at.IsZero() {
		words += fmt.Sprintf(". The termination began at %s, %s ago", w.clock(at), span(at, w.q.Now))
	}
	b := Blocker{Code: OpenHook, Message: words, Exact: len(names) == 1 && !answered && !gapsOf(&w.known).ec2(), Ends: true}
	var fixes []advice.Fix
	for _, h := range open {
		fix, ends := w.release(h)
		fixes, b.Ends = append(fixes, fix...), b.Ends && ends
	}
	b.Advice = advice.Of(fixes...)
	w.add(b)
}

// release is what to do about one hook that may hold an instance without tasks, and whether it ends by itself.
func (w *why) release(h fleet.Hook) ([]advice.Fix, bool) {
	since, _ := w.leavingFor()
	delay, _ := w.ownDelay()
	if gapsOf(&w.known).ec2() || gapsOf(&w.known).begin() || h.Name == w.q.Hook && gapsOf(&w.known).journal() {
		return []advice.Fix{advice.Say("ask again when all can be read; until then leave hook %s to the program that answers it", h.Name)}, false
	}
	switch e := w.q.Ebb; {
	case h.Name == w.q.Hook && w.ours() && (e.Open || since-delay < 2*soon):
		if e.Empty.IsZero() || w.q.Now.Sub(e.Empty) < e.Grace+2*soon {
			return nil, true // Ebb lists the tasks once more, and then answers
		}
		return []advice.Fix{advice.Say("Ebb should have answered hook %s: see its log", h.Name), emptied(&w.known, h.Name).For("answers hook " + h.Name)}, false
	case h.Name == w.q.Hook && e != nil && !(e.Works && e.Manages), len(w.group.Terminating()) == 1 && (w.q.Hook == "" || w.q.Hook == h.Name):
		return []advice.Fix{advice.Say("ask again in some minutes: the program that answers hook %s does so soon after the last task has stopped", h.Name),
			emptied(&w.known, h.Name).For("answers hook " + h.Name)}, false
	case since < w.longest()*3/2+patience:
		return nil, true // it is answered, or one of them times out
	}
	return []advice.Fix{advice.Say("find out what answers hook %s, and what it still does", h.Name), w.complete(h.Name).Costs(advice.Destroys,
		"what the program behind hook "+h.Name+" still does", "that program is known to be done, or dead").For("answers hook " + h.Name)}, false
}

// longest is the longest heartbeat timeout of the hooks of the group: any of them may be the one that holds the target.
func (w *why) longest() (d time.Duration) {
	for _, h := range w.group.Terminating() {
		d = max(d, h.Heartbeat)
	}
	return d
}

// emptied answers a hook of an instance without tasks. Where not every cluster was looked at, another may have tasks of it.
func emptied(k *known, hook string) advice.Command {
	if len(k.q.Only) > 0 {
		return k.complete(hook).Costs(advice.Destroys, "tasks of the instance in clusters that were not read, if it is registered there too",
			"it is registered in no other cluster; ask without --cluster to see that")
	}
	if slices.ContainsFunc(k.all, func(r registration) bool { return r.host.Status == fleet.Active && r.host.Connected }) {
		return k.complete(hook) // another of its registrations may get tasks
	}
	return k.complete(hook).Known("no task is left on it, and that has been so for some minutes: its drainer would have answered")
}

// owner says who answers a hook, as far as that is known, and how long it lasts unanswered.
func (k *known) owner(h fleet.Hook) string {
	who := ""
	switch h.Name {
	case fleet.ManagedDrainingHook:
		who = "ECS managed draining, "
	case k.q.Hook:
		who = "Ebb, "
	}
	return fmt.Sprintf(" (%sheartbeat %s, at most %s, then %s)", who, inventory.Span(h.Heartbeat), inventory.Span(h.Global), h.DefaultResult)
}

// answered reports whether Ebb's journal says that its own drain has ended, so that its hook holds nothing any more. An instance may have been
// drained before, if it went back to its warm pool.
func (w *why) answered() bool {
	began := w.group.TerminatingSince(w.instance)
	return slices.ContainsFunc(w.q.Lines, func(l Line) bool { return l.Kind == "ended" && l.At.After(began) })
}

// limits notes how long a hook can be held at most, by ECS managed draining as by anybody else.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
func (w *why) limits() {
	if w.member == nil || !w.member.State.Waiting() {
		return
	}
	for _, h := range w.group.Terminating() {
		if h.Global == 0 {
			continue
		}
		note := fmt.Sprintf("hook %s ends after at most %s, even with heartbeats", h.Name, inventory.Span(h.Global))
		if at := w.group.TerminatingSince(w.instance); !at.IsZero() {
			delay, _ := w.ownDelay()
			note += ": about " + w.clock(at.Add(delay+h.Global))
		}
		if h.Name == fleet.ManagedDrainingHook {
			note += "; ECS managed draining keeps it open until every task has stopped"
		}
		w.report.Notes = append(w.report.Notes, note)
	}
}
