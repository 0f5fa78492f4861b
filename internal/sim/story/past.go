package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// wait is one wait of one instance in one hook, as the world recorded it.
type wait struct {
	group, hook, instance, token string
	host                         *hostPast
	policy                       drain.Policy          // of its group
	most                         kernel.MaxUnavailable // of its group
	leaving                      time.Time             // when the group began to terminate the instance
	opened, closed               time.Time
	end, by                      string               // CONTINUE, ABANDON, expired, global-timeout, cancelled; who answered
	ours                         bool                 // managed, and in the hook that Ebb owns
	agent                        bool                 // managed, and in the hook of the host's agent
	downAt                       time.Time            // since when the host was down as it ended; zero: it ran
	since                        map[string]time.Time // conditions under which it should be answered, and since when they hold
}

// past folds the world's own record into what the invariants ask about. It knows nothing of what Ebb believed.
type past struct {
	Evidence
	drains     []drain.Drain
	hosts      map[string]*hostPast
	tasks      map[string]*taskPast
	waits      []*wait
	open       map[string]*wait
	unread     int
	tried      time.Time            // when Ebb last took targets out
	failed     time.Time            // when a call of Ebb last failed
	up         []span               // lives of Ebb
	killed     []time.Time          // invocations of a function
	looked     map[string]bool      // which Ebb has looked since it started
	swept      map[string]time.Time // and when first at every group
	bad        []Violation
	deletions  map[string]bool
	sizes      map[string][]size   // instances of each group
	leaves     map[string][]string // instances of each group that Ebb has set DRAINING and whose hook is open
	counts     map[string]*countPast
	alarms     map[string]*alarmPast
	now        time.Time            // of the entry that is taken in
	countAside bool                 // the journal took no record of a desired count, and says so
	capacity   bool                 // Fargate Spot has some
	crowds     map[string]crowd     // targets, by target group
	outOnce    map[string]bool      // targets that Ebb has taken out, with their groups
	idle       map[string]time.Time // since when somebody of a group waits for a slot that is free
}

// hostPast is what the record says of one instance.
type hostPast struct {
	tasks    []*taskPast
	journal  []core.Entry
	beats    []beat    // heartbeats of Ebb
	machine  string    // its state in EC2
	since    time.Time // and since when
	down     time.Time // since when it has not run without a break
	status   string    // of its container instance, see settle; empty: it has not joined a cluster
	drains   bool      // it is DRAINING, or was
	letGo    bool      // the journal took no record of its drain, and says so
	said     said      // by an operator
	lingers  string    // the group in which such a drain has ended
	asked    string    // the group in which a drain that an operator asked for is open, and no hook holds the instance
	ours     bool      // it has come to wait in the hook that Ebb owns: only then may Ebb do something to it
	changed  time.Time // since when it has its status
	gone     time.Time
	lost     time.Time // since when ECS does not reach it, first time
	back     time.Time // and since when again
	leaving  time.Time
	drained  time.Time // when Ebb set it DRAINING
	letLeave time.Time // when Ebb last let it leave, whatever for
	firstSet time.Time // for the first time, by whatever word

	registered []*registration // in order
	announced
}

// registration is one of the container instances that an instance is registered as: mostly the only one.
type registration struct {
	arn, status string
	connected   bool
}

// host is the past of an instance, which may just begin.
func (p *past) host(instance string) *hostPast {
	if p.hosts[instance] == nil {
		p.hosts[instance] = &hostPast{}
	}
	return p.hosts[instance]
}

type taskPast struct {
	id               string
	host             *hostPast
	daemon, live     bool
	created, stopped time.Time
	served           map[string]serving // its targets that ECS has registered
	inUse            map[string]bool    // its targets; true: ECS has registered it in a target group, and is to take it out

	cluster, status string               // its last status
	noticed         time.Time            // when Fargate Spot gave notice
	out             map[string]time.Time // its targets that left since, and when; zero: not yet
	byEbb           bool                 // Ebb took one of them out
	rehearsal       time.Time            // when an operator has said that its interruption is rehearsed
	touched         bool                 // Ebb has taken a target of it out although no notice had come

	service string
	runs    bool // and is meant to
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

func (p *past) take(e core.Entry) {
	h := p.host(e.Instance)
	switch e.Kind {
	case core.EntryTask:
		p.task(e)
	case core.EntryTarget, core.EntryRegistry:
		p.target(e)
	case core.EntryInstance:
		h.becomes(e)
	case core.EntryAgent:
		h.registration(e.ContainerInstance).connected = e.To == "connected"
		h.settle(e.At)
		h.agent(!h.reached(), e.At)
	case core.EntryContainer:
		p.container(e)
	case core.EntryLifecycle:
		p.resize(e)
		switch {
		case e.To == "Terminated":
			leavesNoMore(p, e.Group, e.Instance)
		case e.To == "Terminating", e.To == "ReplacingRootVolume", e.To == "Warmed:Pending:Wait",
			e.To == "Terminating:Wait" && h.leaving.IsZero():
			h.leaving = e.At
		}
		if byEbb(e.By) && e.To == "Terminating" {
			terminated(p, e)
		}
	case core.EntryHook:
		p.hook(e)
	case core.EntryCapacity:
		sized(p, e)
	case core.EntryNotice:
		noticed(p, e)
	case core.EntryNote:
		words(p, e)
		rehearsals(p, e)
	case core.EntryJournal:
		if e.To == "let go" {
			h.letGo = true
			return
		}
		if e.To == "unreadable" {
			p.unread++
		}
		if e.From == fleet.Draining && !h.drains {
			p.blame(12, "the journal says that %s is DRAINING, and it never was", p.name(e.Instance))
		}
		h.journal = append(h.journal, e)
		byOperator(p, h, e)
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

// container follows the registrations of a host.
func (p *past) container(e core.Entry) {
	h := p.host(e.Instance)
	h.drains = h.drains || e.To == fleet.Draining
	again := h.status != "" && e.From == ""
	r := h.registration(e.ContainerInstance)
	r.status, r.connected = e.To, r.connected && e.To != "INACTIVE"
	h.settle(e.At)
	if e.To == "ACTIVE" && h.lingers != "" { // somebody has set it so: it had no slot, but was DRAINING
		leavesNoMore(p, h.lingers, e.Instance)
	}
	if byEbb(e.By) && !mayTouch(p, h, e.At) {
		p.blame(4, "Ebb set %s %s, which does not wait in its hook, and about which no operator's word stands", p.name(e.Instance), e.To)
	}
	if byEbb(e.By) && e.To == "DRAINING" {
		leftFirst(p, h, e)
		p.letLeave(e.Instance, e.At)
	}
	if e.To == "INACTIVE" || again {
		h.agent(!h.reached(), e.At)
	}
}

func (p *past) task(e core.Entry) {
	t := p.tasks[e.Task]
	if t == nil {
		t = &taskPast{id: e.Task, created: e.At, inUse: map[string]bool{}, served: map[string]serving{}, cluster: e.Cluster, service: e.Service}
		p.tasks[e.Task] = t
	}
	t.status = e.To
	if t.host == nil && e.Instance != "" {
		t.host = p.host(e.Instance)
		t.host.tasks = append(t.host.tasks, t)
	}
	t.daemon = e.Daemon
	live := e.To != "STOPPED" && e.To != "DELETED"
	if t.live && !live {
		t.stopped = e.At
	}
	t.live = live
	nowRuns(p, t)
}

func (p *past) target(e core.Entry) {
	if e.Instance == "" {
		takenOut(p, e)
	} else if byEbb(e.By) && !mayTouch(p, p.host(e.Instance), e.At) {
		p.blame(4, "Ebb took target %s of %s out, which does not wait in its hook", e.Target, p.name(e.Instance))
	}
	t, key := p.tasks[e.Task], e.TargetGroup+" "+e.Target
	defer served(p, e)
	switch {
	case t == nil:
	case e.To == "initial" || e.To == "healthy" || e.To == "unhealthy" || e.To == "registered":
		if _, used := t.inUse[key]; !used {
			t.inUse[key] = e.Kind == core.EntryTarget && e.Text == "" && e.By == "aws"
		}
	default:
		ofECS := t.inUse[key]
		delete(t.inUse, key)
		if at, used := t.out[key]; used && at.IsZero() {
			t.out[key], t.byEbb = e.At, t.byEbb || byEbb(e.By) && ofECS
		}
	}
}

// registration finds the registration of an ARN, or begins it.
func (h *hostPast) registration(arn string) *registration {
	i := slices.IndexFunc(h.registered, func(r *registration) bool { return r.arn == arn })
	if i < 0 {
		h.registered = append(h.registered, &registration{arn: arn, connected: true})
		return h.registered[len(h.registered)-1]
	}
	return h.registered[i]
}

// reached reports whether ECS reaches the host by any of its registrations.
func (h *hostPast) reached() bool {
	return slices.ContainsFunc(h.registered, func(r *registration) bool { return r.connected })
}

// settle finds the status of a host anew: ACTIVE if a task can land on it by any registration that ECS reaches. If it reaches none, it is
// that of the latest.
func (h *hostPast) settle(at time.Time) {
	was := h.status
	for _, r := range h.registered {
		if r.connected || !h.reached() {
			h.status = r.status
		}
		if r.connected && r.status == "ACTIVE" {
			break
		}
	}
	if was != "" && was != h.status {
		h.changed = at
	}
}

func (h *hostPast) agent(lost bool, at time.Time) {
	if !lost {
		h.back = at
		return
	}
	if h.lost.IsZero() || !h.back.IsZero() && at.Sub(h.back) > time.Minute {
		h.lost = at
	}
	h.back = time.Time{}
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
		delete(p.swept, e.By)
		fallthrough
	case "resumed":
		p.up = append(p.up, span{by: e.By, from: e.At})
	}
}

func (p *past) called(e core.Entry) {
	_, op, _ := strings.Cut(e.Text, ".")
	if e.To != "ok" || e.From != "" {
		p.failed = e.At
	}
	switch {
	case op == "StopTask":
		mayStop(p, e)
	case op == "DeregisterTargets" || op == "DeregisterInstance":
		p.tried = e.At
	case op == "RecordLifecycleActionHeartbeat":
		h := p.host(e.Instance)
		h.beats = append(h.beats, beat{e.At, e.To == "ok", e.To == "Throttling"})
	case e.To == "ok" && (strings.HasPrefix(op, "Describe") || strings.HasPrefix(op, "List")):
		p.looked[e.By] = true
		if op == "DescribeAutoScalingGroups" && p.swept[e.By].IsZero() {
			p.swept[e.By] = e.At
		}
	}
}

// name is what people call an instance.
func (p *past) name(instance string) string { return cmp.Or(p.Names[instance], instance) }

func (p *past) upAll(from, to time.Time) bool {
	return slices.ContainsFunc(p.up, func(s span) bool { return !s.from.After(from) && (s.to.IsZero() || !s.to.Before(to)) })
}

// heardOf reports whether Ebb had the drain in its journal at a time; one that an operator's word began says nothing of a hook.
func (w *wait) heardOf(at time.Time) bool {
	return slices.ContainsFunc(w.host.journal, func(e core.Entry) bool { return !e.At.After(at) && e.Hook != "" && (e.Text == w.token || e.Text == "") })
}
