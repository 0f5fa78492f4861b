package demo

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// narrator tells what happens to the first host or task that leaves on one side: lines of Ebb's journal and of the world's record.
type narrator struct {
	s      *side
	out    *Screen
	mu     sync.Mutex      // guards the rest
	victim string          // the first one that began to leave
	key    string          // of its drain
	told   int             // entries of the record
	said   map[string]bool // what was told of it
}

// journal tells a line of the journal.
func (n *narrator) journal(l journal.Line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.Kind == "heard" && n.victim != "" && strings.Contains(l.Text, n.victim) {
		n.key = l.Key
	}
	steps := l.Kind == journal.HostLine && n.victim != "" && strings.Contains(l.Key, n.victim)
	if n.said[l.Text] {
		return
	}
	if steps || n.key != "" && l.Key == n.key && l.Kind != "waiting" {
		n.said[l.Text] = true
		n.out.say("ebb", l.Text)
	}
}

// watch tells what AWS does, until ctx ends.
func (n *narrator) watch(ctx context.Context) {
	tick := time.Tick(100 * time.Millisecond)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		var fresh []core.Entry
		n.s.Read(func(w *sim.World) {
			rec := w.Record()
			fresh, n.told = rec[n.told:], len(rec) // entries that are written stay as they are
		})
		for _, e := range fresh {
			if text := n.lineOf(e); text != "" {
				n.out.say("aws", text)
			}
		}
	}
}

// lineOf is what there is to say of an entry, or nothing.
func (n *narrator) lineOf(e core.Entry) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	plot := n.s.plot
	if n.victim == "" && plot.first(e) {
		n.victim = plot.id(e)
	}
	if n.victim == "" || plot.id(e) != n.victim {
		return ""
	}
	text := plot.news(e)
	if n.said[text] {
		return ""
	}
	n.said[text] = true
	return text
}

// hostNews is what there is to say of a host.
func hostNews(e core.Entry) string {
	switch e.Kind {
	case core.EntryNotice:
		if e.To == core.NoticeInterrupted {
			return "EC2 takes " + e.Instance + " back in two minutes"
		}
	case core.EntryLifecycle:
		return "the group says " + e.To + " of " + e.Instance
	case core.EntryContainer:
		return "the container instance is " + e.To
	case core.EntryTask:
		if !strings.Contains(e.Text, "killed") {
			return map[string]string{
				"DEACTIVATING": "replacements are healthy; its tasks are DEACTIVATING: their targets deregister",
				"STOPPING":     "the deregistration delay is over; its tasks are STOPPING: they get SIGTERM",
				"STOPPED":      "its first task is STOPPED",
			}[e.To]
		}
	case core.EntryInstance:
		return "EC2 says " + e.To
	}
	return ""
}

// taskNews is what there is to say of a task on Fargate Spot.
func taskNews(e core.Entry) string {
	switch e.Kind {
	case core.EntryNotice:
		return "Fargate Spot takes task " + core.LastPart(e.Task) + " back"
	case core.EntryNote:
		if e.Text == core.NoteSIGTERM {
			return "the task gets SIGTERM"
		}
	case core.EntryTarget:
		return "its target is " + e.To
	case core.EntryTask:
		return "the task is " + e.To
	}
	return ""
}
