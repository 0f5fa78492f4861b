package story

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// wait is one wait of one instance in one hook, as the world recorded it.
type wait struct {
	group, hook, instance, token string
	leaving                      time.Time // when the group began to terminate the instance
	opened, closed               time.Time
	end, by                      string               // CONTINUE, ABANDON, expired, global-timeout, cancelled; who answered
	ours                         bool                 // managed, and in the hook that Ebb owns
	since                        map[string]time.Time // conditions under which it should be answered, and since when they hold
}

// past folds the world's own record into what the invariants ask about. It knows nothing of what Ebb believed.
type past struct {
	Evidence
	drains    []drain.Drain
	tasks     map[string]*taskPast   // by task
	on        map[string][]*taskPast // by instance
	inUse     map[string]map[string]bool
	machine   map[string]string
	goneAt    map[string]time.Time
	lostFrom  map[string]time.Time // container instance unreachable, first time
	backAt    map[string]time.Time // and reachable again
	leaving   map[string]time.Time
	waits     []*wait
	open      map[string]*wait
	journal   map[string][]core.Entry // journal entries by instance
	unread    int
	up        []span            // lives of Ebb
	killed    []time.Time       // invocations of a function
	beats     map[string][]beat // heartbeats of Ebb by instance
	looked    map[string]bool   // which Ebb has looked since it started
	bad       []Violation
	deletions map[string]bool
	status    map[string]string    // container instance status by instance
	changed   map[string]time.Time // since when
	sizes     map[string][]size    // instances of each group
	leaves    map[string][]string  // instances of each group that Ebb has set DRAINING and whose hook is open
	drained   map[string]time.Time // when Ebb set them so
	idle      map[string]time.Time // since when somebody of a group waits for a slot that is free
}

type taskPast struct {
	id, instance, service string
	daemon, live          bool
	created, stopped      time.Time
}

// span is a time in which one Ebb ran.
type span struct {
	by       string
	from, to time.Time
}

type beat struct {
	at        time.Time
	ok        bool
	throttled bool
}

func (p *past) blame(invariant int, format string, args ...any) {
	p.bad = append(p.bad, Violation{invariant, fmt.Sprintf(format, args...)})
}

func (p *past) fold(e core.Entry) {
	p.take(e)
	switch e.Kind {
	case core.EntryContainer, core.EntryHook, core.EntryLifecycle, core.EntryInstance, core.EntryAgent:
		p.queues(e.At)
	}
}

func (p *past) take(e core.Entry) {
	switch e.Kind {
	case core.EntryTask:
		p.task(e)
	case core.EntryTarget:
		p.target(e)
	case core.EntryInstance:
		p.machine[e.Instance] = e.To
		if e.To != "running" && e.To != "pending" && p.goneAt[e.Instance].IsZero() {
			p.goneAt[e.Instance] = e.At
		}
	case core.EntryAgent:
		p.agent(e.Instance, e.To == "disconnected", e.At)
	case core.EntryContainer:
		p.status[e.Instance] = e.To
		if byEbb(e.By) && !p.inOurHook(e.Instance) {
			p.blame(4, "Ebb set %s %s, which does not wait in its hook", p.name(e.Instance), e.To)
		}
		if byEbb(e.By) && e.To == "DRAINING" {
			p.letLeave(e.Instance, e.At)
		}
		if e.From != "" && e.From != e.To {
			p.changed[e.Instance] = e.At
		}
		if e.To == "INACTIVE" {
			p.agent(e.Instance, true, e.At)
		}
	case core.EntryLifecycle:
		p.resize(e)
		if e.To == "Terminating" || e.To == "Warmed:Pending:Wait" || e.To == "Terminating:Wait" && p.leaving[e.Instance].IsZero() {
			p.leaving[e.Instance] = e.At
		}
	case core.EntryHook:
		p.hook(e)
	case core.EntryJournal:
		if e.To == "unreadable" {
			p.unread++
		}
		p.journal[e.Instance] = append(p.journal[e.Instance], e)
	case core.EntryMessage:
		if e.To == "deleted" && byEbb(e.By) {
			p.deleted(e)
		}
	case core.EntryController:
		p.controller(e)
	case core.EntryCall:
		if byEbb(e.By) {
			p.called(e)
		}
	}
}

func (p *past) task(e core.Entry) {
	t := p.tasks[e.Task]
	if t == nil {
		t = &taskPast{id: e.Task, created: e.At}
		p.tasks[e.Task] = t
	}
	if t.instance == "" && e.Instance != "" {
		t.instance = e.Instance
		p.on[e.Instance] = append(p.on[e.Instance], t)
	}
	t.service, t.daemon = e.Service, e.Daemon
	live := e.To != "STOPPED" && e.To != "DELETED"
	if t.live && !live {
		t.stopped = e.At
	}
	t.live = live
}

// inOurHook reports whether an instance has come to wait in the hook that Ebb owns: only then may Ebb do something to it.
func (p *past) inOurHook(instance string) bool {
	for _, w := range p.waits {
		if w.instance == instance && w.ours {
			return true
		}
	}
	return false
}

func (p *past) target(e core.Entry) {
	if byEbb(e.By) && !p.inOurHook(e.Instance) {
		p.blame(4, "Ebb took target %s of %s out, which does not wait in its hook", e.Target, p.name(e.Instance))
	}
	if e.Task == "" {
		return
	}
	if p.inUse[e.Task] == nil {
		p.inUse[e.Task] = map[string]bool{}
	}
	key := e.TargetGroup + " " + e.Target
	if e.To == "initial" || e.To == "healthy" || e.To == "unhealthy" {
		p.inUse[e.Task][key] = true
	} else {
		delete(p.inUse[e.Task], key)
	}
}

func (p *past) agent(instance string, lost bool, at time.Time) {
	if lost {
		back, was := p.backAt[instance]
		if p.lostFrom[instance].IsZero() || was && at.Sub(back) > time.Minute {
			p.lostFrom[instance] = at
		}
		delete(p.backAt, instance)
		return
	}
	p.backAt[instance] = at
}

// controller follows the lives of each Ebb. One that is resumed still knows what it knew when it was paused.
func (p *past) controller(e core.Entry) {
	for i := range p.up {
		if s := &p.up[i]; s.by == e.By && s.to.IsZero() {
			s.to = e.At
		}
	}
	switch e.To {
	case "crashed":
		p.killed = append(p.killed, e.At)
	case "started":
		delete(p.looked, e.By)
		fallthrough
	case "resumed":
		p.up = append(p.up, span{by: e.By, from: e.At})
	}
}

func (p *past) called(e core.Entry) {
	_, op, _ := strings.Cut(e.Text, ".")
	switch {
	case op == "RecordLifecycleActionHeartbeat":
		p.beats[e.Instance] = append(p.beats[e.Instance], beat{e.At, e.To == "ok", e.To == "Throttling"})
	case e.To == "ok" && (strings.HasPrefix(op, "Describe") || strings.HasPrefix(op, "List")):
		p.looked[e.By] = true
	}
}

func (p *past) managed(group string) bool {
	_, ok := p.group(group)
	return ok
}

func (p *past) group(name string) (Group, bool) { return p.Ebb.group(name) }

// name is what people call an instance.
func (p *past) name(instance string) string { return or(p.Names[instance], instance) }

func (p *past) upAll(from, to time.Time) bool {
	for _, s := range p.up {
		if !s.from.After(from) && (s.to.IsZero() || !s.to.Before(to)) {
			return true
		}
	}
	return false
}

// heardOf reports whether Ebb had the drain in its journal at a time.
func (p *past) heardOf(w *wait, at time.Time) bool {
	for _, e := range p.journal[w.instance] {
		if !e.At.After(at) && (e.Text == w.token || e.Text == "") {
			return true
		}
	}
	return false
}
