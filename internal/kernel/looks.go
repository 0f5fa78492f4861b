package kernel

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// ask is what came of asking about one subject.
type ask struct {
	s        plan.Subject
	flying   bool
	fails    int
	failedAt time.Time
}

// slack is how early a look may be made so that it can share a call: one third of the time left until it is due.
func slack(k plan.LookKind, left time.Duration, p drain.Policy) time.Duration {
	if !k.Spec().Early {
		return 0
	}
	return max(0, min(p.Look, left)/3)
}

// asksOf are the subjects whose asks a look concerns. A sweep is one, whatever groups it names; lists of whole clusters have none, because
// the listing itself keeps their state.
func asksOf(l plan.Look) []plan.Subject {
	switch l.Kind {
	case plan.Groups:
		return []plan.Subject{{Kind: plan.Groups}}
	case plan.ListCluster, plan.Homes:
		return nil
	}
	return l.Subjects
}

func (o *observer) ask(s plan.Subject) *ask {
	a := o.asked[s]
	if a == nil {
		a = &ask{s: s}
		o.asked[s] = a
	}
	return a
}

// wanted is a look that a drain wants, at one subject.
type wanted struct {
	a     *ask
	due   time.Time
	early time.Duration // how much before due it may be made
}

// delaysFor is the number of drains up to which knowing deregistration delays saves calls. More drains share the calls that look at tasks.
const delaysFor = 20

// wants makes one wanted of each subject that a decision wants, due when the earliest is. It reuses the slice of the decision before,
// because mostly the same subjects come in the same order.
func (o *observer) wants(was []wanted, from []drain.Want, p drain.Policy, now time.Time) []wanted {
	into := was[:0]
	for i := range from {
		w := &from[i]
		if w.Kind == plan.Delays && (len(o.sorted) > delaysFor || o.cfg.OnePass) {
			continue
		}
		s := w.Subject
		n := slices.IndexFunc(into, func(x wanted) bool { return x.a.s == s })
		switch {
		case n < 0:
			var a *ask
			if i := len(into); i < len(was) && was[i].a.s == s {
				a = was[i].a
			} else {
				a = o.ask(s)
			}
			into = append(into, wanted{a, w.Due, slack(w.Kind, w.Due.Sub(now), p)})
		case w.Due.Before(into[n].due):
			into[n].due = w.Due
		}
	}
	return into
}

// at is when the look may be made: after a failure not before the retry interval. The zero time means that it is under way.
func (w wanted) at() time.Time {
	if w.a.flying {
		return time.Time{}
	}
	if w.a.fails > 0 {
		if again := w.a.failedAt.Add(backoff(w.a.fails)); again.After(w.due) {
			return again
		}
	}
	return w.due
}

// backoff is how long a failed look waits: 5 s, and up to 20 s when it fails again and again.
func backoff(fails int) time.Duration {
	return time.Duration(min(fails, 4)) * 5 * time.Second
}

// sweepFloor is a third of the shortest heartbeat timeout that AWS allows.
const sweepFloor = 10 * time.Second

// sweepDue is when the next sweep is to be made.
func (o *observer) sweepDue(now time.Time) time.Time {
	every := o.cfg.Sweep
	for g := range o.hooked { //ebb:any-order only the shortest timeout is taken
		if h := o.hook(g); h.Is == fleet.Seen && h.Value.Heartbeat/3 < every {
			every = max(h.Value.Heartbeat/3, sweepFloor)
		}
	}
	due := o.swept.Add(every)
	if o.cfg.Held != nil && len(o.cfg.Held) == 0 {
		return now.Add(time.Hour) // it holds no lease
	}
	a := o.ask(plan.Subject{Kind: plan.Groups})
	switch {
	case a.flying:
		return now.Add(time.Hour) // its result wakes the kernel
	case a.fails > 0 && a.failedAt.Add(backoff(a.fails)).After(due):
		return a.failedAt.Add(backoff(a.fails))
	}
	return due
}

// sweepLook asks for the managed groups by name, or for all when a name is a pattern.
func (o *observer) sweepLook() plan.Look {
	var names []string
	for _, m := range o.cfg.Groups {
		if !o.cfg.mine(m.Scope()) {
			continue
		}
		if isGlob(m.Match) {
			return plan.Look{Kind: plan.Groups}
		}
		names = append(names, m.Match)
	}
	return plan.LookFor(plan.Groups, "", names...)
}

func isGlob(s string) bool {
	for _, c := range s {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			return true
		}
	}
	return false
}

// dueSubject is a subject and when it is due.
type dueSubject struct {
	plan.Subject
	at time.Time
}

// dueLook is a look and since when it is due.
type dueLook struct {
	plan.Look
	at time.Time
}

// chunked makes looks of subjects of one kind and place, as large as AWS allows.
func chunked(s []dueSubject) []dueLook {
	var looks []dueLook
	for chunk := range slices.Chunk(s, s[0].Kind.Spec().Batch) {
		first := slices.MinFunc(chunk, func(a, b dueSubject) int { return a.at.Compare(b.at) })
		looks = append(looks, dueLook{plan.LookAt(subjectsOf(chunk)...), first.at})
	}
	return looks
}

func subjectsOf(due []dueSubject) []plan.Subject {
	s := make([]plan.Subject, len(due))
	for i := range due {
		s[i] = due[i].Subject
	}
	return s
}

// dueLooks merges the wants of all drains, and Ebb's own, into as few looks as AWS's batch limits allow. Whoever has waited longest comes
// first, so that what is asked again and again keeps nobody from being asked at all.
func (o *observer) dueLooks(now time.Time) []dueLook {
	var looks []dueLook
	if due := o.sweepDue(now); !due.After(now) {
		looks = append(looks, dueLook{o.sweepLook(), due})
		if o.cfg.OnePass {
			return looks // a sweep shows most of what the other looks would
		}
	}
	for _, l := range o.hookLooks(now) {
		looks = append(looks, dueLook{Look: l})
	}
	looks = append(looks, o.dueBatches(now)...)
	looks = append(looks, o.listingLooks(now)...)
	slices.SortStableFunc(looks, func(a, b dueLook) int { return a.at.Compare(b.at) })
	return looks
}

// hooksFor is how long it is before the hooks of a group are looked at again.
const hooksFor = 10 * time.Minute

// hookLooks asks for the hooks of every managed group, because the shortest timeout sets the pace of sweeps, and at once for the hooks of
// groups in which an instance waits.
func (o *observer) hookLooks(now time.Time) []plan.Look {
	urgent := map[string]bool{}
	for _, g := range o.toAdopt { //ebb:any-order a set
		urgent[g] = true
	}
	var groups []string
	for _, g := range o.groupsOfInterest(urgent) {
		h := o.hook(g)
		if h.Is == fleet.Unknown || now.Sub(h.At) > hooksFor || urgent[g] && h.Is == fleet.Absent {
			groups = append(groups, g)
		}
	}
	var looks []plan.Look
	for _, g := range groups {
		if a := o.ask(plan.Subject{Kind: plan.Hooks, In: g}); !a.flying && (a.fails == 0 || !a.failedAt.Add(backoff(a.fails)).After(now)) {
			looks = append(looks, plan.LookAt(a.s))
		}
	}
	return looks
}

// groupsOfInterest are the groups whose hooks are of use: all that exist; in one pass those in which an instance leaves or waits.
func (o *observer) groupsOfInterest(waited map[string]bool) []string {
	var groups []string
	if o.cfg.OnePass {
		for _, e := range o.sorted {
			groups = append(groups, e.d.Group)
		}
		for g := range waited { //ebb:any-order sorted below
			groups = append(groups, g)
		}
	} else {
		for g := range o.groups { //ebb:any-order sorted below
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// anyDue reports whether some drain wants a look now; most of the time none does.
func (o *observer) anyDue(now time.Time) bool {
	for _, e := range o.sorted {
		for _, w := range e.wants {
			if at := w.at(); !at.IsZero() && !at.After(now) {
				return true
			}
		}
	}
	return false
}

// spacing is how far apart looks of the same kind and place are, unless they are full.
const spacing = time.Second

type place struct {
	kind  plan.LookKind
	where string
}

// dueBatches collects the wanted subjects by kind and place. Where one subject is due, those that are nearly due come along.
func (o *observer) dueBatches(now time.Time) []dueLook {
	if !o.anyDue(now) {
		return nil
	}
	collected := map[place][]dueSubject{}
	due := map[place]bool{}
	waiting := map[place]waiters{}
	var places []place
	known := map[plan.Subject]bool{}
	for _, e := range o.sorted {
		for _, w := range e.wants {
			at, p := w.at(), place{w.a.s.Kind, w.a.s.In}
			if at.IsZero() || at.After(now.Add(w.early)) {
				if at.After(now) && !at.After(now.Add(gather)) {
					ws := waiting[p]
					ws.soon++
					waiting[p] = ws
				}
				continue
			}
			if ws := waiting[p]; ws.first.IsZero() || at.Before(ws.first) {
				ws.first = at
				waiting[p] = ws
			}
			if collected[p] == nil {
				places = append(places, p)
			}
			if !known[w.a.s] {
				known[w.a.s] = true
				collected[p] = append(collected[p], dueSubject{w.a.s, at})
			}
			due[p] = due[p] || !at.After(now)
		}
	}
	var looks []dueLook
	for _, p := range places {
		switch s := collected[p]; {
		case !due[p]:
		case p.kind == plan.ListRunning || p.kind == plan.ListStopped:
			looks = append(looks, o.listLooks(p.kind, p.where, s, waiting[p], now)...)
		case len(s) < p.kind.Spec().Batch && now.Sub(o.spaced[p]) < spacing && !o.cfg.OnePass:
			// others may want the same soon
		default:
			o.spaced[p] = now
			looks = append(looks, chunked(s)...)
		}
	}
	return looks
}
