package ecs

import (
	"slices"
	"time"
)

// Back-off of a service that finds no place, or whose tasks do not start.
const (
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
)

// checkSoon lets the scheduler look at a service d from now, or earlier if that is due already.
func (w *ECS) checkSoon(s *service, d time.Duration) {
	at := w.Now().Add(d)
	if s.checking && !at.Before(s.check) {
		return
	}
	s.checking, s.check = true, at
	w.At(at, func() {
		if s.checking && s.check.Equal(at) {
			s.checking = false
			w.checkService(s)
		}
	})
}

// checkService is one look of the scheduler at a service. It changes nothing if the service is as it should be, or cannot be.
func (w *ECS) checkService(s *service) {
	if s.Daemon {
		w.checkDaemons(s)
		return
	}
	v := w.survey(s)
	v.stopPending(w)
	v.stopSurplus(w)
	v.start(w)
	v.stopLeaving(w)
	if v.live() == s.Desired && len(v.leaving) == 0 && v.healthy == s.Desired {
		w.deployed(s)
		if !s.steady {
			w.say(s, "has reached a steady state.")
			w.emitService(s, "INFO", "SERVICE_STEADY_STATE", nil)
		}
		s.steady = true
		return
	}
	s.steady = false
}

// survey is what the scheduler finds when it looks at a service.
type survey struct {
	s       *service
	staying []*task // meant to run and where they are
	leaving []*task // to be replaced: on draining instances, of an old revision, or unhealthy
	healthy int     // of both
	present int     // every task that has not stopped
}

func (v *survey) live() int { return len(v.staying) + len(v.leaving) }

func (w *ECS) survey(s *service) *survey {
	v := &survey{s: s, present: len(s.tasks)}
	for _, t := range s.tasks {
		if !t.live() {
			continue
		}
		if t.Healthy {
			v.healthy++
		}
		if w.mustLeave(t) {
			v.leaving = append(v.leaving, t)
		} else {
			v.staying = append(v.staying, t)
		}
	}
	slices.SortStableFunc(v.leaving, func(a, b *task) int { return healthyOne(a) - healthyOne(b) })
	return v
}

// mustLeave reports whether a task is to be replaced. Protection spares a task from deployments; from draining only if the
// switch says so, for no page of AWS does.
func (w *ECS) mustLeave(t *task) bool {
	if t.at.status() != "ACTIVE" && !(w.Switches.ProtectionHonoured && w.protected(t)) {
		return true
	}
	if t.retiring || t.StartedBy != t.s.deployment && !w.protected(t) {
		return true
	}
	for _, target := range t.targets {
		if target.Health() == "unhealthy" {
			return true
		}
	}
	return false
}

// stopPending stops pending tasks on draining instances at once.
func (v *survey) stopPending(w *ECS) {
	keep := v.leaving[:0]
	for _, t := range v.leaving {
		if t.LastStatus != "RUNNING" && t.at.status() == "DRAINING" {
			w.stopTask(t, "ServiceSchedulerInitiated", "Task stopped during instance draining")
			continue
		}
		keep = append(keep, t)
	}
	v.leaving = keep
}

// stopSurplus scales the service in: first what leaves anyway, then the newest of the fullest zone. Protected tasks are spared.
func (v *survey) stopSurplus(w *ECS) {
	for v.live() > v.s.Desired && len(v.leaving) > 0 && len(v.staying) >= v.s.Desired && v.healthy-healthyOne(v.leaving[0]) >= v.lower() {
		v.stopFirstLeaving(w)
	}
	for len(v.staying) > v.s.Desired {
		i := surplus(w, v.staying)
		if i < 0 {
			return
		}
		v.healthy -= healthyOne(v.staying[i])
		w.stopTask(v.staying[i], "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment "+v.s.deployment+")")
		v.staying = append(v.staying[:i:i], v.staying[i+1:]...)
	}
}

// surplus chooses the task that a scale-in takes, or -1.
func surplus(w *ECS, tasks []*task) int {
	inZone := map[string]int{}
	for _, t := range tasks {
		inZone[t.at.zone()]++
	}
	best := -1
	for i, t := range tasks {
		if w.protected(t) {
			continue
		}
		if best < 0 || inZone[t.at.zone()] >= inZone[tasks[best].at.zone()] {
			best = i
		}
	}
	return best
}

// start starts what is missing, but no more than the maximum percent allows: every task that has not stopped counts, so that at
// 100 percent nothing starts before an old task has stopped.
func (v *survey) start(w *ECS) {
	upper := v.s.Desired * v.s.Max / 100
	missing := min(v.s.Desired-len(v.staying), upper-v.present)
	if missing <= 0 || v.s.failed() {
		return
	}
	if w.Now().Before(v.s.retryAt) {
		w.checkSoon(v.s, v.s.retryAt.Sub(w.Now()))
		return
	}
	p := w.placingFor(v.s)
	for range missing {
		if !w.startOne(p) {
			w.backOff(v.s)
			return
		}
	}
}

// lower is how many tasks must be healthy.
func (v *survey) lower() int { return (v.s.Desired*v.s.Min + 99) / 100 }

// stopLeaving stops tasks that are to be replaced, as long as enough healthy ones remain.
func (v *survey) stopLeaving(w *ECS) {
	for len(v.leaving) > 0 && v.healthy-healthyOne(v.leaving[0]) >= v.lower() {
		v.stopFirstLeaving(w)
	}
}

func (v *survey) stopFirstLeaving(w *ECS) {
	t := v.leaving[0]
	v.leaving = v.leaving[1:]
	v.healthy -= healthyOne(t)
	reason := "Scaling activity initiated by (deployment " + v.s.deployment + ")"
	if t.at.status() == "DRAINING" {
		reason = "Task stopped during instance draining"
	}
	if t.retiring {
		reason = maintained
	}
	w.stopTask(t, "ServiceSchedulerInitiated", reason)
}

func healthyOne(t *task) int {
	if t.Healthy {
		return 1
	}
	return 0
}

// backOff makes a service wait before it tries to start tasks again: 10 s, doubling to 5 min.
func (w *ECS) backOff(s *service) {
	s.backoff = min(max(firstRetry, 2*s.backoff), lastRetry)
	s.retryAt = w.Now().Add(s.backoff)
	w.checkSoon(s, s.backoff)
}

// placingFor places the tasks of a service.
func (w *ECS) placingFor(s *service) *placing {
	p := w.placing(s.c, byService(s), s.Providers)
	for _, t := range s.tasks {
		if t.live() {
			p.has[t.CapacityProvider]++
		}
	}
	return p
}

// startOne places and starts one more task of a service.
func (w *ECS) startOne(p *placing) bool {
	s := p.want.s
	t, why := p.start()
	if s.blocked = t == nil; s.blocked {
		w.unplaced(s, why)
	}
	return !s.blocked
}

// checkDaemons is checkService for a DAEMON service: one task on every active instance. On a draining instance its task stops
// after all replica tasks there have stopped, and is not started again.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
func (w *ECS) checkDaemons(s *service) {
	w.startDaemons(s)
	for _, t := range newestFirst(s.tasks) {
		if !t.live() {
			continue
		}
		if t.at.status() == "DRAINING" && !hasReplica(t.at) || t.StartedBy != s.deployment && t.LastStatus == "RUNNING" {
			w.stopTask(t, "ServiceSchedulerInitiated", "Task stopped during instance draining")
		}
	}
	if s.allRun() {
		w.deployed(s)
	}
}

func hasReplica(at place) bool {
	for _, t := range at.running() {
		if t.s != nil && !t.Daemon {
			return true
		}
	}
	return false
}

func (w *ECS) startDaemons(s *service) {
	if w.Now().Before(s.retryAt) {
		w.checkSoon(s, s.retryAt.Sub(w.Now()))
		return
	}
	want := byService(s)
	want.providers = s.allProviders()
	bound := w.bindings(want)
	s.Desired = w.daemonsWanted(s.c, want, bound)
	has := make(map[place]bool, len(s.tasks))
	for _, t := range s.tasks {
		has[t.at] = true
	}
	for _, ci := range s.c.instances {
		if has[ci] || !want.mayUse(ci) || !ci.Connected || !ci.h.Alive() || !allHold(bound, ci) {
			continue
		}
		if why := misfit(ci, s.def); why.reason != "" {
			w.unplaced(s, why)
			continue
		}
		w.newTask(s.c, ci, want)
	}
}

// daemonsWanted counts the instances that a DAEMON service is for: those that its constraints and capacity providers allow.
func (w *ECS) daemonsWanted(c *cluster, want wanted, bound []binding) int {
	n := 0
	for _, ci := range c.instances {
		if (len(want.providers) == 0 || slices.Contains(want.providers, ci.CapacityProvider)) && allHold(bound, ci) {
			n++
		}
	}
	return n
}

func allHold(bound []binding, ci *containerInstance) bool {
	return !slices.ContainsFunc(bound, func(b binding) bool { return !b.holds(ci) })
}
