// Package lease decides which leases one Ebb claims, renews and gives up, so that each scope has one Ebb that works for it.
//
// It is pure: it never reads or writes the journal, and it never trusts that clocks agree. A holder shows that it lives by raising the beat
// of its lease. An Ebb that sees an unchanged beat for the lease's whole lifetime, by its own clock, takes the lease over.
package lease

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// Skew is how far apart the clocks of two Ebbs may be.
const Skew = 30 * time.Second

// Pace is how often leases are renewed and looked at.
type Pace struct {
	For  time.Duration // how long a lease lasts after a beat; its holder stops acting after two thirds of that
	Beat time.Duration // between two beats
	Look time.Duration // between two looks at leases of others
}

// Serve is the pace of a process that runs for long. A lease whose holder died is taken over within 14 s if the journal answers at once: up
// to Look until the last beat is seen, For until the lease has expired, and up to Look until that is noticed.
func Serve() Pace { return Pace{For: 10 * time.Second, Beat: 3 * time.Second, Look: 2 * time.Second} }

// Pass is the pace of an Ebb that lives for one invocation of a function. It renews its leases while it works, so they can be short: when
// it is killed, an invocation in a process that saw the last beat takes over after For, and any other invocation after For and Skew.
func Pass() Pace { return Pace{For: 12 * time.Second, Beat: 3 * time.Second, Look: time.Hour} }

// Claim is a lease to be stored in place of the one that was read. The journal refuses it if another has been stored since.
type Claim struct{ Was, Is journal.Lease }

// seen is a lease as it is stored.
type seen struct {
	lease journal.Lease
	since time.Time // start of the first look, by our own clock, that saw this holder, fence and beat; never later than the look that saw it
	// sure is when the beat was sent, if it is ours, and not when the answer came: others count from no earlier time, so the lease is ours
	// for certain until For after it.
	sure time.Time
}

// Keeper is one Ebb's knowledge of the leases of all scopes that concern it.
type Keeper struct {
	me     string
	scopes []string
	pace   Pace
	stored map[string]seen
	looked time.Time // start of the latest look; zero: look at once
	fails  time.Time // of the latest failure of the journal; no look begins within half of Pace.Look after it
}

// New makes a keeper for the Ebb named me. No other process may ever have that name.
func New(me string, scopes []string, p Pace) *Keeper {
	return &Keeper{me: me, scopes: slices.Clone(scopes), pace: p, stored: map[string]seen{}}
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
			if due := s.sure.Add(k.pace.Beat); due.After(now) {
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

// free reports whether a lease has no holder or has expired: by our own clock, or by its holder's if it expired more than Skew ago.
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
		old := k.stored[scope]
		since := started
		if old.lease.Holder == l.Holder && old.lease.Fence == l.Fence && old.lease.Beat == l.Beat {
			since = old.since
		}
		k.stored[scope] = seen{l, since, l.At} // perhaps of a claim of ours that only seemed to fail
	}
}

// Failed notes that the leases could not be read.
func (k *Keeper) Failed(now time.Time) { k.looked, k.fails = time.Time{}, now }

// Claimed takes in what came of a claim that was started at a time. A claim that failed may have been stored all the same, so that the
// leases are looked at before anything else.
func (k *Keeper) Claimed(c Claim, started time.Time, err error, now time.Time) {
	if err != nil {
		k.Failed(now)
		return
	}
	k.stored[c.Is.Scope] = seen{c.Is, started, started}
}

// Held are the leases that are certainly ours at a time, by scope. Two thirds of its lifetime after our last beat a lease is not certain
// any more: another Ebb may soon take it over.
func (k *Keeper) Held(now time.Time) map[string]journal.Lease {
	held := map[string]journal.Lease{}
	for scope, s := range k.stored { //ebb:any-order a map of the same keys
		if k.certain(s, now) {
			held[scope] = s.lease
		}
	}
	return held
}

func (k *Keeper) certain(s seen, now time.Time) bool {
	return s.lease.Holder == k.me && now.Sub(s.sure) < k.pace.For*2/3
}

// Holds reports whether all of some leases are certainly ours, and have been since, and whether others are.
func (k *Keeper) Holds(some map[string]journal.Lease, now time.Time) (all, more bool) {
	held := 0
	for scope, s := range k.stored { //ebb:any-order a count
		if !k.certain(s, now) {
			continue
		}
		if l, is := some[scope]; is && l.Fence == s.lease.Fence {
			held++
		} else {
			more = true
		}
	}
	return held == len(some), more
}

// Elsewhere reports whether another Ebb holds a scope, as far as is known.
func (k *Keeper) Elsewhere(scope string, now time.Time) bool {
	s, known := k.stored[scope]
	return known && s.lease.Holder != k.me && !k.free(s, now)
}

// Until is when the first of the leases that are held stops being certain; zero if none is held.
func (k *Keeper) Until(now time.Time) time.Time {
	var until time.Time
	for _, s := range k.stored { //ebb:any-order the earliest
		if at := s.sure.Add(k.pace.For * 2 / 3); k.certain(s, now) && (until.IsZero() || at.Before(until)) {
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
	return strings.Join(slices.Sorted(maps.Keys(held)), ", ")
}
