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

// asksOf are the subjects under which it is kept what came of a look. A sweep is one question, whatever it names; of the lists of whole
// clusters the listing keeps account.
func asksOf(l plan.Look) []plan.Subject {
	switch l.Kind {
	case plan.Groups:
		return []plan.Subject{{Kind: plan.Groups}}
	case plan.ListCluster, plan.Homes:
		return nil
	}
	return l.Subjects
}

func (k *Kernel) ask(s plan.Subject) *ask {
	a := k.asked[s]
	if a == nil {
		a = &ask{s: s}
		k.asked[s] = a
	}
	return a
}

// wanted is a look that a drain wants, at one subject.
type wanted struct {
	a     *ask
	due   time.Time
	early time.Duration // by how much it may be made too early
}

// delaysFor is up to how many drains it saves calls to know how long their targets drain: more of them share the calls that look.
const delaysFor = 20

// wants turns the wants of a decision into subjects, each once, the earliest due counting. It reuses those of the decision before: mostly
// they are the same in the same order.
func (k *Kernel) wants(was []wanted, from []drain.Want, p drain.Policy, now time.Time) []wanted {
	into := was[:0]
	for i := range from {
		w := &from[i]
		if w.Kind == plan.Delays && (len(k.order) > delaysFor || k.cfg.OnePass) {
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
				a = k.ask(s)
			}
			into = append(into, wanted{a, w.Due, slack(w.Kind, w.Due.Sub(now), p)})
		case w.Due.Before(into[n].due):
			into[n].due = w.Due
		}
	}
	return into
}

// at is when the look may be made: not while it is under way, and after a failure not before the retry interval. The zero time
// means: when what is under way comes back.
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

// sweepFloor is a third of the shortest heartbeat time-out that AWS allows.
const sweepFloor = 10 * time.Second

// sweepDue is when the next sweep is to be made.
func (k *Kernel) sweepDue(now time.Time) time.Time {
	every := k.cfg.Sweep
	for _, h := range k.hooksByGroup() {
		if h.Is == fleet.Seen && h.Value.Heartbeat/3 < every {
			every = max(h.Value.Heartbeat/3, sweepFloor)
		}
	}
	due := k.swept.Add(every)
	if k.cfg.Held != nil && len(k.cfg.Held) == 0 {
		return now.Add(time.Hour) // it works for nobody
	}
	a := k.ask(plan.Subject{Kind: plan.Groups})
	switch {
	case a.flying:
		return now.Add(time.Hour) // when it comes back
	case a.fails > 0 && a.failedAt.Add(backoff(a.fails)).After(due):
		return a.failedAt.Add(backoff(a.fails))
	}
	return due
}

func (k *Kernel) hooksByGroup() []fleet.Fact[fleet.Hook] {
	var hooks []fleet.Fact[fleet.Hook]
	for _, h := range k.facts.hooks { //ebb:any-order only the shortest time-out is taken
		hooks = append(hooks, h)
	}
	return hooks
}

// sweepLook asks for the managed groups by name, or for all when a name is a pattern.
func (k *Kernel) sweepLook() plan.Look {
	var names []string
	for _, m := range k.cfg.Groups {
		if !k.mine(m.Scope()) {
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

// chunked makes looks of as many subjects as go into one.
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
func (k *Kernel) dueLooks(now time.Time) []dueLook {
	var looks []dueLook
	if due := k.sweepDue(now); !due.After(now) {
		looks = append(looks, dueLook{k.sweepLook(), due})
		if k.cfg.OnePass {
			return looks // it tells most of what would be looked at beside it
		}
	}
	for _, l := range k.hookLooks(now) {
		looks = append(looks, dueLook{Look: l})
	}
	looks = append(looks, k.merged(now)...)
	looks = append(looks, k.listingLooks(now)...)
	slices.SortStableFunc(looks, func(a, b dueLook) int { return a.at.Compare(b.at) })
	return looks
}

// hooksFor is how long what is known of a group's hooks holds.
const hooksFor = 10 * time.Minute

// hookLooks asks for the hooks of every managed group, so that the sweep keeps pace with the shortest, and of those in which
// somebody waits at once.
func (k *Kernel) hookLooks(now time.Time) []plan.Look {
	urgent := map[string]bool{}
	for _, g := range k.toAdopt { //ebb:any-order a set
		urgent[g] = true
	}
	var groups []string
	for _, g := range k.groupsOfInterest(urgent) {
		h := k.facts.hook(g)
		if h.Is == fleet.Unknown || now.Sub(h.At) > hooksFor || urgent[g] && h.Is == fleet.Absent {
			groups = append(groups, g)
		}
	}
	var looks []plan.Look
	for _, g := range groups {
		if a := k.ask(plan.Subject{Kind: plan.Hooks, In: g}); !a.flying && (a.fails == 0 || !a.failedAt.Add(backoff(a.fails)).After(now)) {
			looks = append(looks, plan.LookAt(a.s))
		}
	}
	return looks
}

// groupsOfInterest are the groups whose hooks are of use: all that exist; for one pass those in which somebody waits.
func (k *Kernel) groupsOfInterest(waited map[string]bool) []string {
	var groups []string
	if k.cfg.OnePass {
		for _, e := range k.order {
			groups = append(groups, e.d.Group)
		}
		for g := range waited { //ebb:any-order sorted below
			groups = append(groups, g)
		}
	} else {
		for g := range k.groups { //ebb:any-order sorted below
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// anyDue reports whether some drain wants a look now; most of the time none does.
func (k *Kernel) anyDue(now time.Time) bool {
	for _, e := range k.order {
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

// merged collects the wanted subjects by kind and place. A place with a subject that is due takes along those that are nearly
// due.
func (k *Kernel) merged(now time.Time) []dueLook {
	if !k.anyDue(now) {
		return nil
	}
	collected := map[place][]dueSubject{}
	due := map[place]bool{}
	waiting := map[place]waiters{}
	var places []place
	known := map[plan.Subject]bool{}
	for _, e := range k.order {
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
			looks = append(looks, k.listLooks(p.kind, p.where, s, waiting[p], now)...)
		case len(s) < p.kind.Spec().Batch && now.Sub(k.spaced[p]) < spacing && !k.cfg.OnePass:
			// others may want the same soon
		default:
			k.spaced[p] = now
			looks = append(looks, chunked(s)...)
		}
	}
	return looks
}
