package kernel

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// ask is what came of asking about one subject.
type ask struct {
	s      plan.Subject
	flying bool
	failures
}

// failures are those in a row, and when the latest was.
type failures struct {
	fails    int
	failedAt time.Time
}

// again is when what failed may be tried once more: after 5 s, and up to 20 s when it fails again and again. Zero: it did not fail.
func (f failures) again() time.Time {
	if f.fails == 0 {
		return time.Time{}
	}
	return f.failedAt.Add(time.Duration(min(f.fails, 4)) * 5 * time.Second)
}

// slack is how early a look may be made so that it can share a call: one third of the time left until it is due, and what is looked at fast at
// any time, so that all tasks that stop are looked at together.
func slack(k plan.LookKind, left time.Duration, p drain.Policy) time.Duration {
	if !k.Spec().Early {
		return 0
	}
	if left <= p.LookFast {
		return max(0, left)
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

// free reports whether a look may be made now.
func (a *ask) free(now time.Time) bool { return !a.flying && !a.again().After(now) }

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
		if w.Kind == plan.Delays && !w.Needed && (len(o.sorted) > delaysFor || o.cfg.OnePass) {
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
	return drain.Later(w.due, w.a.again())
}

// SweepFloor is how far apart sweeps are at least: a third of the shortest heartbeat timeout that AWS allows.
const SweepFloor = 10 * time.Second

// sweepDue is when the next sweep is to be made.
func (o *observer) sweepDue(now time.Time) time.Time {
	every := o.cfg.Sweep
	for g := range o.hooked { //ebb:any-order only the shortest timeout is taken
		if h := o.hook(g); h.Is == fleet.Seen && h.Value.Heartbeat/3 < every {
			every = max(h.Value.Heartbeat/3, SweepFloor)
		}
	}
	if o.cfg.Held != nil && len(o.cfg.Held) == 0 || !o.cfg.Sweeps() {
		return now.Add(time.Hour) // it holds no lease, or there is nothing to sweep
	}
	a := o.ask(plan.Subject{Kind: plan.Groups})
	if a.flying {
		return now.Add(time.Hour) // its result wakes the kernel
	}
	return drain.Later(o.swept.Add(every), a.again())
}

// sweepLook asks for the managed groups by name, or for all when a name is a pattern; also for those of other Ebbs, because an operator's
// word on one of their instances is theirs.
func (o *observer) sweepLook() plan.Look {
	return o.cfg.SweepLook(func(string) bool { return true })
}

// SweepLook asks for the groups of some scopes.
func (c *Config) SweepLook(of func(scope string) bool) plan.Look {
	var names []string
	for _, m := range c.Groups {
		if m.Match == "" || !of(m.Scope()) {
			continue
		}
		if strings.ContainsAny(m.Match, `*?[\`) {
			return plan.Look{Kind: plan.Groups}
		}
		names = append(names, m.Match)
	}
	return plan.LookFor(plan.Groups, "", names...)
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
	looks = append(looks, o.hookLooks(now)...)
	looks = append(looks, o.wordLooks(now)...)
	looks = append(looks, spotLooks(o, now)...)
	looks = append(looks, countLooks(o, now)...)
	looks = append(looks, o.dueBatches(now)...)
	looks = append(looks, o.listingLooks(now)...)
	slices.SortStableFunc(looks, func(a, b dueLook) int { return a.at.Compare(b.at) })
	return looks
}

// hooksFor is how long it is before the hooks of a group are looked at again.
const hooksFor = 10 * time.Minute

// hookLooks asks for the hooks of every managed group, because the shortest timeout sets the pace of sweeps, and at once for the hooks of
// groups in which an instance waits.
func (o *observer) hookLooks(now time.Time) []dueLook {
	urgent := map[string]bool{}
	for _, g := range o.toAdopt { //ebb:any-order a set
		urgent[g] = true
	}
	var looks []dueLook
	for _, g := range o.groupsOfInterest(urgent) {
		h := o.hook(g)
		if now.Sub(h.At) > hooksFor || urgent[g] && h.Is == fleet.Absent { // of one that is not known the time is zero
			if a := o.ask(hooksOf(g)); a.free(now) {
				looks = append(looks, dueLook{Look: plan.LookAt(a.s)})
			}
		}
	}
	return looks
}

// groupsOfInterest are the groups whose hooks are of use: all that exist; in one pass those in which an instance leaves or waits.
func (o *observer) groupsOfInterest(waited map[string]bool) []string {
	if !o.cfg.OnePass {
		return slices.Sorted(maps.Keys(o.groups))
	}
	groups := slices.Sorted(maps.Keys(waited))
	for _, e := range o.sorted {
		if e.d.Hook != "" {
			groups = append(groups, e.d.Group)
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

// hurry is the spacing for what has two minutes, and how soon they are decided about again.
const hurry = spacing / 4

// hurries reports whether the target of a drain has minutes, not hours.
func (e *entry) hurries() bool { return e.d.Target.Kind == fleet.OneTask || e.d.InMinutes() }

type place struct {
	kind  plan.LookKind
	where string
}

// batchAt are the subjects that are wanted of one kind at one place.
type batchAt struct {
	place
	subjects []dueSubject
	due      bool      // one of them is due; the others are nearly
	first    time.Time // since when the first is due
	soon     int       // how many more will be due soon
	hurries  bool      // of one that is due
}

// dueBatches collects the wanted subjects by kind and place. Where one subject is due, those that are nearly due come along.
func (o *observer) dueBatches(now time.Time) []dueLook {
	if !o.anyDue(now) {
		return nil
	}
	batches := map[place]*batchAt{}
	var order []*batchAt
	known := map[plan.Subject]bool{}
	for _, e := range o.sorted {
		for _, w := range e.wants {
			at, p := w.at(), place{w.a.s.Kind, w.a.s.In}
			b := batches[p]
			if b == nil {
				b = &batchAt{place: p}
				batches[p] = b
			}
			if at.IsZero() || at.After(now.Add(w.early)) {
				if at.After(now) && !at.After(now.Add(gather)) {
					b.soon++
				}
				continue
			}
			if b.first.IsZero() || at.Before(b.first) {
				b.first = at
			}
			if len(b.subjects) == 0 {
				order = append(order, b)
			}
			if !known[w.a.s] {
				known[w.a.s] = true
				b.subjects = append(b.subjects, dueSubject{w.a.s, at})
			}
			b.due, b.hurries = b.due || !at.After(now), b.hurries || e.hurries()
		}
	}
	var looks []dueLook
	for _, b := range order {
		apart := spacing
		if b.hurries {
			apart = hurry
		}
		switch {
		case !b.due:
		case b.kind == plan.ListRunning || b.kind == plan.ListStopped:
			looks = append(looks, o.listLooks(b, now)...)
		case b.kind == plan.Registered:
			looks = append(looks, netLooks(o, b.where, now)...)
		case len(b.subjects) < b.kind.Spec().Batch && now.Sub(o.spaced[b.place]) < apart && !o.cfg.OnePass:
			// others may want the same soon
		default:
			o.spaced[b.place] = now
			looks = append(looks, chunked(b.subjects)...)
		}
	}
	return looks
}

// countsDue is when something about a desired count is to be done next; zero: nothing is.
func countsDue(o *observer) (at time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, c := range o.counts { //ebb:any-order the earliest
		sooner(c.wake)
		sooner(c.scaling.Again)
		sooner(c.ask)
	}
	eachCountLook(o, func(s plan.Subject, t time.Time) {
		if a := o.ask(s); !a.flying {
			sooner(drain.Later(t, a.again()))
		}
	})
	return at
}
