package kernel

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
)

// The kernel asks about a drain that has made no progress for stuckAfter, and again every stuckAgain. Each answer costs about ten calls.
const (
	stuckAfter = 10 * time.Minute
	stuckAgain = 30 * time.Minute
)

// Ask is a question that needs a look at more than the kernel sees: what keeps a target from leaving, or whether so many tasks of a service find
// a place. Blocked takes the answer.
type Ask struct {
	Target         fleet.Target
	Group, Cluster string
	Service        string // of Cluster; empty: it is about Target
	Tasks          int
}

// Answer is what keeps a target, or tasks from a place; without a text: nothing does. Group is one that would have a place for the tasks with a desired
// capacity of Capacity; empty: there is none.
type Answer struct {
	notice.Blocker
	Group    string
	Capacity int
}

// telling is what is remembered beside a drain for those who are told about it. It is there only where somebody is.
type telling struct {
	Moved time.Time `json:"moved,omitzero"` // when it last came further; zero: when it was heard of
	Asked time.Time `json:"asked,omitzero"` // when it was last asked about; zero: never
	Told  []string  `json:"told,omitempty"` // the blockers that people were told of
}

// notify puts into the outbox what people are told of a record that is about to be written, in the same batch.
func notify(k *Kernel, e *entry, began bool, now time.Time) {
	if len(k.cfg.Routes) == 0 {
		return
	}
	deadline := drain.Deadline(e.d, k.hook(e.d.Group), e.man.Policy)
	for _, n := range notice.Of(&e.d, began, deadline, now) {
		k.forwarded = append(k.forwarded, notice.Put(n, e.scope, k.cfg.Routes)...)
	}
}

// moves notes when a drain comes further, from one decision to the next.
func moves(k *Kernel, e *entry, next *drain.Drain, now time.Time) {
	d := &e.d
	same := slices.Equal(d.Left, next.Left) && d.ContainerInstance == next.ContainerInstance && d.DrainingSince.Equal(next.DrainingSince) &&
		d.Slot.Equal(next.Slot) && d.EmptySince.Equal(next.EmptySince) && d.Cutting.Equal(next.Cutting)
	if !same && len(k.cfg.Routes) > 0 {
		e.telling.Moved = now
	}
}

// asks are the questions that are due. That they were asked goes into the record, so that another Ebb does not ask them again.
func asks(k *Kernel, now time.Time) []Ask {
	var all []Ask
	for _, e := range k.sorted {
		if at := askedNext(k, e); at.IsZero() || at.After(now) {
			continue
		}
		e.telling.Asked, e.dirty, e.fresh = now, true, true
		all = append(all, Ask{Target: e.d.Target, Group: e.d.Group, Cluster: e.d.Cluster})
	}
	return all
}

// askedNext is when it is asked about a drain next, unless it comes further before; zero: it is not.
func askedNext(k *Kernel, e *entry) time.Time {
	d := &e.d
	wanted := slices.ContainsFunc(k.cfg.Routes, func(r notice.Route) bool { return r.Takes(notice.Notice{Event: notice.Stuck, Group: d.Group}) })
	if !wanted || d.Observed || d.Agent || d.Intent != nil || !d.Queued.IsZero() && d.Slot.IsZero() { // it waits for others to leave, or is about to end
		return time.Time{}
	}
	moved := drain.Later(d.Heard, e.telling.Moved)
	if e.telling.Asked.After(moved) {
		return e.telling.Asked.Add(stuckAgain)
	}
	return moved.Add(stuckAfter)
}

// Abandoned are the entries of the outbox which tell that a drain is let go, and why; see LetGo.
func Abandoned(k *Kernel, key, why string, now time.Time) []journal.Forwarded {
	for _, e := range k.sorted {
		if e.d.Key != key {
			continue
		}
		if n, tell := notice.IsLetGo(&e.d, why, now); tell {
			return notice.Put(n, e.scope, k.cfg.Routes)
		}
	}
	return nil
}

// StuckLine is the kind of the line that says what keeps a drain; its data has the code.
const StuckLine = "stuck"

// Blocked takes in what keeps a target from leaving, or tasks from a place. People are told of each blocker once.
func (k *Kernel) Blocked(a Ask, is Answer, now time.Time) {
	if a.Service != "" {
		noPlace(k, a, is, now)
		return
	}
	e, b := k.open[a.Target], is.Blocker
	if e == nil || b.Code == "" || slices.Contains(e.telling.Told, b.Code) {
		return
	}
	e.telling.Told = append(slices.Clone(e.telling.Told), b.Code)
	e.dirty, e.fresh = true, true
	k.Counts["stuck"]++
	code, _ := json.Marshal(map[string]string{"code": b.Code}) // a string can always be written
	k.lines = append(k.lines, journal.Line{At: now, Key: e.d.Key, Kind: StuckLine, Text: b.Text, Data: code})
	k.forwarded = append(k.forwarded, notice.Put(notice.IsStuck(&e.d, b, now), e.scope, k.cfg.Routes)...)
}
