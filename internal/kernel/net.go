package kernel

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// The net under what services name: drains ask where in a VPC an address or instance is registered (plan.Registered), and the kernel reads the
// target groups of that VPC, once for all drains that ask.

const (
	// groupsFor is how long it is before the list of target groups is read again.
	groupsFor = 5 * time.Minute
	// roundFor is how long what a round found is of use. Drains ask again when it is as old.
	roundFor = 2 * time.Minute
)

// net is what is known of the target groups of the Region.
type net struct {
	groups []fleet.TargetGroup
	listed time.Time         // start of the look that found them; zero: none has
	rounds map[string]*round // by VPC
}

// round is one reading of the target groups of a VPC.
type round struct {
	began time.Time
	whole bool // it leaves no target group out
	left  []fleet.ARN
	found map[string][]fleet.Health // what is in use, by id
}

var allGroups = plan.Subject{Kind: plan.TargetGroups}

// netLooks asks for what is not known yet of a VPC, and answers the drains once it is.
func netLooks(o *observer, vpc string, now time.Time) (looks []dueLook) {
	last := now.Add(spacing) // after all other looks
	if a := o.ask(allGroups); o.net.listed.IsZero() || now.Sub(o.net.listed) > groupsFor {
		if a.free(now) {
			looks = append(looks, dueLook{plan.LookAt(allGroups), last})
		}
		return looks
	}
	named, whole := namedGroups(o, vpc)
	r := o.net.rounds[vpc]
	if r == nil || len(r.left) == 0 && now.Sub(r.began) >= roundFor || whole && !r.whole {
		r = &round{began: now, whole: whole, found: map[string][]fleet.Health{}}
		for _, g := range o.net.groups {
			if g.VPC == vpc && g.Holds() && (whole || !named[g.ARN]) {
				r.left = append(r.left, g.ARN)
			}
		}
		o.net.rounds[vpc] = r
	}
	var due []dueSubject
	for _, g := range r.left {
		if s := (plan.Subject{Kind: plan.Registered, In: vpc, ID: string(g)}); o.ask(s).free(now) {
			due = append(due, dueSubject{s, last})
		}
	}
	if len(due) > 0 {
		looks = append(looks, chunked(due)...)
	}
	answerNet(o, vpc)
	return looks
}

// namedGroups are the target groups that services name, as far as they are known: their own tasks are asked about by name. That is enough for
// the task of a service; for all other drains each target group of the VPC is read as a whole.
func namedGroups(o *observer, vpc string) (named map[fleet.ARN]bool, whole bool) {
	askers(o, vpc, func(e *entry, _ *wanted) {
		whole = whole || !e.hurries() || e.tasks[0].Value.Service() == ""
	})
	if whole {
		return nil, true
	}
	named = map[fleet.ARN]bool{}
	for _, f := range o.facts { //ebb:any-order a set
		if s, ok := f.(*fleet.Fact[fleet.Service]); ok {
			for _, lb := range s.Value.LoadBalancers {
				named[lb.TargetGroup] = true
			}
		}
	}
	return named, false
}

// askers calls f for each drain that wants to know what is registered in a VPC.
func askers(o *observer, vpc string, f func(*entry, *wanted)) {
	for _, e := range o.sorted {
		for i := range e.wants {
			if s := e.wants[i].a.s; s.Kind == plan.Registered && s.In == vpc {
				f(e, &e.wants[i])
			}
		}
	}
}

// answerNet tells the drains what a round has found, when it has read everything.
func answerNet(o *observer, vpc string) {
	r := o.net.rounds[vpc]
	if r == nil || len(r.left) > 0 {
		return
	}
	askers(o, vpc, func(e *entry, w *wanted) {
		if known := known[[]fleet.Health](o.facts, w.a.s); known.Is == fleet.Unknown || known.At.Before(r.began) {
			put(o.facts, w.a.s, fleet.Seen, r.began, r.found[w.a.s.ID])
			e.dirty = true
		}
	})
}

func sawTargetGroups(o *observer, a answer) {
	o.net.groups, o.net.listed = a.Result.View.TargetGroups, a.Started
}

func sawRegistered(o *observer, a answer) {
	r := o.net.rounds[a.In]
	if r == nil {
		return
	}
	for _, s := range a.Subjects {
		if at := slices.Index(r.left, fleet.ARN(s.ID)); at >= 0 && !a.failed[s.ID] {
			r.left = slices.Delete(r.left, at, at+1)
		}
	}
	for _, h := range a.Result.View.Health {
		if h.InUse() {
			r.found[h.Target.ID] = append(r.found[h.Target.ID], h)
		}
	}
	answerNet(o, a.In)
}

// netFails postpones what drains want when a look for it has failed.
func netFails(o *observer, l plan.Look) {
	for _, e := range o.sorted {
		for _, w := range e.wants {
			if s := w.a.s; s.Kind == plan.Registered && (l.Kind == plan.TargetGroups || l.Kind == plan.Registered && s.In == l.In) {
				w.a.failures = o.ask(l.Subjects[0]).failures
				e.dirty = true
			}
		}
	}
}
