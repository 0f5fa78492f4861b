// Package lease decides which leases one Ebb claims, renews and gives up, so that each scope has one Ebb that works for it.
//
// It is pure: it never reads or writes the journal, and it never trusts that clocks agree. A holder shows that it lives by raising the beat
// of its lease. A process that sees an unchanged beat for the lease's whole lifetime, by its own clock, takes it over.
package lease

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// Skew is how far apart the clocks of two Ebbs may be.
const Skew = 30 * time.Second

// Pace is how often leases are renewed and looked at.
type Pace struct {
	For  time.Duration // lifetime of a lease after a beat; the holder acts only during the first two thirds of it
	Beat time.Duration // between two beats; less than a third of For, so that one may fail
	Look time.Duration // between two looks at leases of others
}

// Serve is the pace of a process that runs for long. The lease of a holder that died is taken over within 14 s if the journal answers at
// once: up to Look until its last beat is seen, For until that is too old, and up to Look until that is noticed.
func Serve() Pace { return Pace{For: 10 * time.Second, Beat: 3 * time.Second, Look: 2 * time.Second} }

// Pass is the pace of an Ebb that lives for one invocation of a function. It beats while it works, so that another soon follows one that
// was killed: an invocation in a process that has seen the same beat for that long, or any other once Skew has passed too.
func Pass() Pace { return Pace{For: 12 * time.Second, Beat: 3 * time.Second, Look: time.Hour} }

// Claim is a lease to be stored in place of the one that was read. The journal refuses it if another has been stored since.
type Claim struct{ Was, Is journal.Lease }

// seen is a lease as it was last read or stored.
type seen struct {
	lease journal.Lease
	since time.Time // when this beat was first seen, by our own clock; a holder that beat later than that has another beat
}

// Keeper is one Ebb's knowledge of the leases of all scopes that concern it.
type Keeper struct {
	me     string
	scopes []string
	pace   Pace
	stored map[string]seen
	sure   map[string]time.Time // start of the latest beat of ours that is certainly stored, by scope; only scopes that we hold
	looked time.Time            // start of the latest look; zero: look at once, and claim nothing before
	fails  time.Time            // when the journal last failed
}

// New makes a keeper for the Ebb named me. No other process may ever have this name.
func New(me string, scopes []string, p Pace) *Keeper {
	return &Keeper{me: me, scopes: slices.Clone(scopes), pace: p, stored: map[string]seen{}, sure: map[string]time.Time{}}
}

// Concern sets which scopes there are. When they change, the leases are looked at before any claim.
func (k *Keeper) Concern(scopes []string) {
	if !slices.Equal(k.scopes, scopes) {
		k.scopes, k.looked = slices.Clone(scopes), time.Time{}
	}
}

// Due says what to do now, and when to ask again: look at the leases, or else send these claims one after another until one is refused.
func (k *Keeper) Due(now time.Time) (look bool, claims []Claim, again time.Time) {
	if k.looked.IsZero() {
		if again = k.fails.Add(k.pace.Look / 2); again.After(now) {
			return false, nil, again
		}
		return true, nil, now
	}
	again = now.Add(k.pace.Beat)
	sooner := func(t time.Time) {
		if t.Before(again) {
			again = t
		}
	}
	others := false
	for _, scope := range k.scopes {
		s := k.stored[scope]
		switch {
		case s.lease.Holder == k.me:
			if due := k.sure[scope].Add(k.pace.Beat); due.After(now) {
				sooner(due)
				continue
			}
			claims = append(claims, Claim{s.lease, k.raised(s.lease, 0, now)})
		case k.free(s, now):
			claims = append(claims, Claim{s.lease, k.raised(s.lease, 1, now)})
		default:
			others = true
		}
	}
	if others {
		due := k.looked.Add(k.pace.Look)
		if !due.After(now) && len(claims) == 0 {
			return true, nil, now
		}
		sooner(due)
	}
	return false, claims, again
}

// raised is the lease that we store in place of another.
func (k *Keeper) raised(l journal.Lease, fence int64, now time.Time) journal.Lease {
	return journal.Lease{Scope: l.Scope, Holder: k.me, Fence: l.Fence + fence, Beat: l.Beat + 1, For: k.pace.For, At: now}
}

// free reports whether nobody holds a lease, or its lifetime is over: by our own clock since we saw the beat, or by the holder's clock if
// it is over by more than clocks can differ.
func (k *Keeper) free(s seen, now time.Time) bool {
	l := s.lease
	return l.Holder == "" || now.Sub(s.since) > l.For || now.Sub(l.At) > l.For+Skew
}

// Read takes in all leases, as a look found them that was started at a time.
func (k *Keeper) Read(all []journal.Lease, started time.Time) {
	k.looked = started
	found := map[string]journal.Lease{}
	for _, l := range all {
		found[l.Scope] = l
	}
	for _, scope := range k.scopes {
		l := found[scope]
		l.Scope = scope
		old, known := k.stored[scope]
		since := started
		if known && old.lease.Holder == l.Holder && old.lease.Fence == l.Fence && old.lease.Beat == l.Beat {
			since = old.since
		}
		k.stored[scope] = seen{l, since}
		if l.Holder != k.me {
			delete(k.sure, scope)
		} else {
			k.sure[scope] = l.At // perhaps of a claim that only seemed to fail
		}
	}
}

// Failed takes in that the journal failed: the leases are looked at before anything else.
func (k *Keeper) Failed(now time.Time) { k.looked, k.fails = time.Time{}, now }

// Claimed takes in what came of a claim that was started at a time. A claim that failed may have been stored all the same, so that the
// leases are looked at before anything else.
func (k *Keeper) Claimed(c Claim, started time.Time, err error, now time.Time) {
	if err != nil {
		k.Failed(now)
		return
	}
	k.stored[c.Is.Scope] = seen{c.Is, started}
	if c.Is.Holder == k.me {
		k.sure[c.Is.Scope] = started
	} else {
		delete(k.sure, c.Is.Scope)
	}
}

// Held are the leases that we certainly hold at a time, by scope. A lease counts only during the first two thirds of its lifetime: later,
// another Ebb may be about to take it over.
func (k *Keeper) Held(now time.Time) map[string]journal.Lease {
	held := map[string]journal.Lease{}
	for scope, at := range k.sure { //ebb:any-order a map of the same keys
		if now.Sub(at) < k.pace.For*2/3 {
			held[scope] = k.stored[scope].lease
		}
	}
	return held
}

// Holds reports whether we certainly hold all of some leases, with no other holder since, and whether we hold only those.
func (k *Keeper) Holds(some map[string]journal.Lease, now time.Time) (all, only bool) {
	found, others := 0, 0
	for scope, at := range k.sure { //ebb:any-order a count
		if now.Sub(at) >= k.pace.For*2/3 {
			continue
		}
		if s, ok := some[scope]; ok && s.Fence == k.stored[scope].lease.Fence {
			found++
		} else {
			others++
		}
	}
	return found == len(some), others == 0
}

// Until is until when we certainly hold all that we hold now; zero when we hold none.
func (k *Keeper) Until(now time.Time) time.Time {
	var until time.Time
	for scope := range k.Held(now) { //ebb:any-order the earliest
		if at := k.sure[scope].Add(k.pace.For * 2 / 3); until.IsZero() || at.Before(until) {
			until = at
		}
	}
	return until
}

// Release are the claims that give up what is held, so that no other Ebb has to wait.
func (k *Keeper) Release(now time.Time) []Claim {
	var claims []Claim
	for _, scope := range k.scopes {
		if s := k.stored[scope]; s.lease.Holder == k.me {
			free := k.raised(s.lease, 0, now)
			free.Holder = ""
			claims = append(claims, Claim{s.lease, free})
		}
	}
	return claims
}

// Text names who holds what, for people.
func Text(held map[string]journal.Lease) string {
	scopes := make([]string, 0, len(held))
	for scope := range held { //ebb:any-order sorted below
		scopes = append(scopes, scope)
	}
	slices.Sort(scopes)
	return strings.Join(scopes, ", ")
}
