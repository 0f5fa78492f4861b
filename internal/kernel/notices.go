package kernel

import (
	"cmp"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A notice of EC2 names an instance and nothing else. Of which group that is, a sweep tells, and then whose it is and how it may leave. Until
// then its message is not settled.

// unplaced is a notice about an instance whose group is not known yet.
type unplaced struct {
	Heard
	at time.Time // when it was heard
}

func spotRequestOf(t fleet.Target) plan.Subject {
	return plan.Subject{Kind: plan.SpotRequests, ID: t.ID}
}

func sawSpotRequests(o *observer, a answer) {
	keep(o, a, a.Result.View.SpotRequests, func(s plan.SpotStatus) (plan.Subject, fleet.SpotRequest) {
		return spotRequestOf(fleet.HostTarget(s.Instance)), s.SpotRequest
	})
}

// noticeOf is the notice that an event gives; none: false.
func noticeOf(e event.Event, now time.Time) (n drain.Notice, ok bool) {
	n = drain.Notice{NoticedAt: now, Action: e.Action, Ends: e.Ends}
	switch {
	case e.Kind == event.InstanceEnds:
		n.Noticed = drain.Interruption
	case e.Kind == event.Rebalance:
		n.Noticed = drain.Rebalance
	case e.Kind == event.InstanceState && e.State.Gone():
		n.Noticed = drain.Down
	}
	return n, n.Noticed != ""
}

// hearNotice takes in a notice, at once if it is known of which group the instance is.
func hearNotice(k *Kernel, h Heard, now time.Time) {
	again := func(u unplaced) bool { return u.ID == h.ID && h.ID != "" }
	if u := (unplaced{h, now}); !placed(k, u, now) && !slices.ContainsFunc(k.unplaced, again) {
		k.unplaced = append(k.unplaced, u)
	}
}

// placeNotices takes in the notices of whose instances the group is known by now.
func placeNotices(k *Kernel, now time.Time) {
	k.unplaced = slices.DeleteFunc(k.unplaced, func(u unplaced) bool { return placed(k, u, now) })
}

// placed reports whether a notice was taken in, and if so settles its message.
func placed(k *Kernel, u unplaced, now time.Time) bool {
	ack, why, ok := takeIn(k, u, now)
	if !ok {
		return false
	}
	v := Verdict{Message: u.ID, Delete: ack, Kind: u.Event.Kind, Why: why}
	if o := k.open[fleet.HostTarget(u.Event.Instance)]; o != nil {
		v.Drain = o.d.Key
	}
	if u.ID != "" {
		k.settle = append(k.settle, v)
	}
	return true
}

// takeIn opens the drain of which a notice tells, or lets an open one know. It is not ok while the group of the instance is not known.
func takeIn(k *Kernel, u unplaced, now time.Time) (ack bool, why string, ok bool) {
	e, t := u.Event, fleet.HostTarget(u.Event.Instance)
	if e.Kind == event.ScheduledChange {
		return schedule(k, u, now)
	}
	said := cmp.Or(e.Time, u.Sent, u.at)
	n, tells := noticeOf(e, u.at)
	key, known := k.recent[t].explains(n, said, now)
	switch o := k.open[t]; {
	case !tells:
		return true, "the instance is " + string(e.State), true
	case o != nil:
		return true, takeNote(k, o, n), true
	case now.Sub(said) > longAgo:
		k.Counts["late"]++
		return true, "its notice is older than " + longAgo.String(), true
	case known:
		k.Counts["late"]++
		return true, "drain " + key + " has ended", true
	case asideOf(k, t):
		k.Counts["left alone"]++
		return u.Noted, "its record in the journal is not this Ebb's to write", true
	}
	group := k.groupOf[t]
	man, managed := k.cfg.managed(group)
	foreign := u.Noted || !k.cfg.LeaveForeign // a forwarded message has no other reader
	switch {
	case !managed && len(k.cfg.Held) == 0 && k.cfg.Held != nil: // it sweeps nothing
		return u.Noted || forwardToAll(k, u.Heard), "noted for the Ebbs that work for groups", true
	case !managed && !k.swept.After(u.at) && (n.Noticed != drain.Down || !k.Swept()):
		return false, "", false
	case !managed:
		k.Counts["foreign"]++
		return foreign, "the instance is in no group that is managed here", true
	case !k.cfg.mine(man.Scope()):
		return forward(k, u.Heard, man.Scope()), "noted for the Ebb that works for " + man.Scope(), true
	case n.Noticed == drain.Rebalance && !man.Rebalance:
		return foreign, "rebalance recommendations are ignored in group " + group, true
	}
	beginNotice(k, t, n, man, group, said, now)
	if spared := k.spared(group, man); spared != "" {
		return foreign, spared, true
	}
	return true, "", true
}

// forwardToAll writes a message down for all who work for groups: one of them knows of which the instance is.
func forwardToAll(k *Kernel, h Heard) bool {
	var scopes []string
	for _, m := range k.cfg.Groups {
		if s := m.Scope(); m.Match != "" && !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
			forward(k, h, s)
		}
	}
	return true
}

// takeNote lets an open drain know of a notice, and says what that means to it. What EC2 has to confirm changes nothing before.
func takeNote(k *Kernel, e *entry, n drain.Notice) string {
	d := &e.d
	switch {
	case d.Agent:
		return lookAgain(k, e)
	case d.Noticed == n.Noticed, d.Noticed == drain.Interruption, n.Noticed == drain.Rebalance, n.Noticed == drain.Down && d.Noticed != "":
		k.Counts["duplicate"]++
		return "already draining"
	case d.Noticed == drain.Rebalance: // it asks EC2 anyway
		d.NoticedAt, d.Action, d.Ends = n.NoticedAt, n.Action, n.Ends
	default:
		d.Notice = n
	}
	e.dirty, e.fresh = true, true
	return "a notice about what is draining already"
}

// beginNotice opens the drain of an instance of which nothing but a notice tells.
func beginNotice(k *Kernel, t fleet.Target, n drain.Notice, man Managed, group string, zero, now time.Time) {
	if zero.After(now) {
		zero = now
	}
	d := drain.Drain{Target: t, Zero: zero, Heard: now, Hold: drain.Hold{Group: group}, Notice: n}
	d.Cluster = man.Cluster
	d.Key = k.recent[t].unused(group + "/" + t.ID + "/n" + zero.UTC().Format("20060102T150405"))
	k.begun(&entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true})
	k.line(now, d.Key, "heard", "an event about "+t.ID+" of group "+group+" says that "+n.Text())
}
