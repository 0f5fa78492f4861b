package main

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/story"
)

// judge says what did not hold: what must always hold, as the stories judge it, and what a storm asks beyond that. In a storm nothing
// fails but the serves, so that every drain must come to its good end.
func judge(r remains) []string {
	r.blames = slices.Clone(r.blames)
	if r.o.fault == garbageFault { // the journal is lost: the cloud's own record says all
		r.hooks()
		return r.blames
	}
	for _, v := range story.Judge(evidence(r)) {
		r.blame("%s", v)
	}
	r.hooks()
	r.journaled()
	return r.blames
}

// evidence is what the stories' judge wants to see.
func evidence(r remains) story.Evidence {
	e := story.Evidence{
		Record: merged(r), Ended: r.ended, Open: r.open, Messages: map[string]event.Event{}, Heartbeat: map[string]time.Duration{},
		Names: r.names, Start: r.start, End: r.end, LastFault: r.quiet, Running: true, Speed: r.o.speed,
		Ebb: story.Ebb{Hook: hook, Replicas: r.o.processes, Function: r.o.shape == lambdaShape},
	}
	for _, g := range r.o.groups() {
		e.Ebb.Groups = append(e.Ebb.Groups, story.Group{Match: g.name, Cluster: g.cluster, Deadline: deadline, MaxUnavailable: g.maxUnavailable})
		e.Heartbeat[g.name] = g.heartbeat
	}
	for _, m := range r.record {
		if m.Kind == core.EntryMessage && m.Hook != "" {
			e.Messages[m.Message] = event.Event{
				Kind: event.TerminateAction, Group: m.Group, Hook: m.Hook, Instance: fleet.InstanceID(m.Instance), Token: m.Text,
			}
		}
	}
	return e
}

// merged is the cloud's record with what it cannot know: when an Ebb began - with its first call, at the latest -, when it was struck,
// and when a drain, or a note of it, came into the journal. The Ebbs' clocks are never ahead of the cloud's, so the lines are not either.
// Messages that Lambda deletes for a function it deletes at its word.
func merged(r remains) []core.Entry {
	var all []core.Entry
	known := map[string]bool{}
	for _, e := range r.record {
		if e.Kind == core.EntryMessage && e.To == "deleted" && e.By == "lambda" {
			e.By = function
		}
		if byEbb(e.By) && !known[e.By] {
			known[e.By] = true
			all = append(all, core.Entry{At: e.At, Kind: core.EntryController, By: e.By, To: "started"})
		}
		all = append(all, e)
	}
	all = append(append(all, r.told...), r.noted...)
	for _, l := range r.lines {
		if l.Kind == "heard" {
			instance := path.Base(path.Dir(l.Key)) // the key is group/instance/generation
			all = append(all, core.Entry{At: l.At, Kind: core.EntryJournal, Instance: instance, To: "open", Message: l.Key})
		}
	}
	slices.SortStableFunc(all, func(a, b core.Entry) int { return a.At.Compare(b.At) })
	return all
}

// byEbb reports whether a name in the record is that of a serve or of the function.
func byEbb(name string) bool { return strings.HasPrefix(name, function) }

// take takes in a drain of the journal. None may be open at the end.
func (r *remains) take(rec journal.Record) {
	switch d, err := kernel.Read(rec); {
	case err != nil:
		r.blame("%v", err)
	case d.Open():
		r.open = append(r.open, d)
		r.blame("the drain of %s is open at the end; it waits %s", r.name(d.Target.ID), kernel.Waiting(rec))
	default:
		r.ended = append(r.ended, d)
	}
}

// hooks looks at how each wait of each instance that left ended: once, by Ebb, with CONTINUE, and with no task killed.
func (r *remains) hooks() {
	ends := map[string][]string{}
	for _, e := range r.record {
		switch {
		case e.Kind == core.EntryHook && e.Hook == hook && e.To != "opened" && e.To != "heartbeat":
			by := e.By
			if byEbb(by) {
				by = "ebb"
			}
			ends[e.Instance] = append(ends[e.Instance], e.To+" by "+by)
		case e.Kind == core.EntryTask && strings.Contains(e.Text, "killed"):
			r.blame("task %s on %s: %s", e.Task, r.name(e.Instance), e.Text)
		}
	}
	for _, id := range r.leavers {
		if got := strings.Join(ends[id], ", "); got != "CONTINUE by ebb" {
			r.blame("the hook of %s ended %q and not once with CONTINUE by ebb", r.name(id), got)
		}
	}
}

// journaled compares the journal with who left: one drain each, all tasks stopped, and nobody else's; and no message about an instance
// was deleted of which the journal knows nothing.
func (r *remains) journaled() {
	of := map[string][]string{}
	for _, d := range r.ended {
		of[d.Target.ID] = append(of[d.Target.ID], string(d.Final.Outcome))
	}
	for _, id := range r.leavers {
		if got := strings.Join(of[id], ", "); got != string(drain.Drained) {
			r.blame("the journal says of %s %q and not once drained", r.name(id), got)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(r.leavers, id) && id != stranger {
			r.blame("the journal has a drain of %s, which was not to leave", r.name(id))
		}
	}
	for _, e := range r.record {
		if e.Kind == core.EntryMessage && e.To == "deleted" && e.Instance != "" && len(of[e.Instance]) == 0 {
			r.blame("a message about %s was deleted, and the journal knows no drain of it", r.name(e.Instance))
		}
	}
}

func (r remains) name(instance string) string { return cmp.Or(r.names[instance], instance) }
