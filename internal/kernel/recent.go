package kernel

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
)

// history is what is kept of the drains of one instance that have ended, so that a late message does not start one of them again. A nil
// history is that of an instance without any.
type history struct {
	drains []past // never empty; in the order in which the journal took their ends: by their clocks a later one may have ended earlier
	over   bool   // since the newest ended, the instance was seen not to wait: its next wait is a new one
	back   bool   // and it was seen in service
}

// past is one drain that has ended.
type past struct {
	key   string
	token string
	ended time.Time
	word  fleet.Word // an operator's
	asked bool       // no hook held the instance
	// noticed is the notice of EC2 of which it took note, if any.
	noticed drain.NoticeKind
	gone    bool // the instance had to go after it: Auto Scaling or EC2 ends it
	stayed  bool // the target was not leaving, or was left as it was
	agent   bool // it followed the hook of the host's agent
}

// remember adds a drain that has just ended. After one that ended because its instance was not leaving or not in its group, or that returned
// it to its warm pool, the next wait that a sweep sees is always a new one: no sweep shows an instance of a warm pool.
func (k *Kernel) remember(d *drain.Drain) {
	h := k.recent[d.Target]
	if h == nil {
		h = &history{}
		k.recent[d.Target] = h
	}
	h.drains = append(h.drains, past{
		key: d.Key, token: d.Token, ended: d.Ended, word: d.Word, asked: unheld(d), noticed: d.Noticed, gone: hadToGo(d), agent: d.Agent,
		stayed: d.Final != nil && (d.Final.Outcome == drain.NotLeaving || d.Final.Outcome == drain.Overdue),
	})
	h.back = false
	h.over = d.WarmPool || unheld(d) || !d.MissingSince.IsZero() ||
		d.Final != nil && (d.Final.Outcome == drain.NotLeaving || d.Final.Outcome == drain.Unreadable)
}

// unheld reports whether an operator's word or a notice of EC2 let the instance leave, and no hook held it.
func unheld(d *drain.Drain) bool { return d.Hook == "" && (d.Word != fleet.Word{} || d.Noticed != "") }

// hadToGo reports whether a drain that has ended says why its instance stops or is terminated soon after.
func hadToGo(d *drain.Drain) bool {
	if d.Final == nil || d.Hook == "" && (d.Noticed == "" || d.Final.Stays) {
		return false
	}
	switch d.Final.Outcome {
	case drain.NotLeaving, drain.Excluded, drain.Refused, drain.Overdue, drain.Cancelled, drain.Unreadable:
		return false
	default:
		return true
	}
}

// What is known of a notice by the drain before it: for so long after its end no hook holds the instance any more, and for so long Auto
// Scaling may show in service what EC2 has ended.
const (
	goesFor = 2 * time.Hour
	lagsFor = 10 * time.Minute
)

// explains reports whether a notice is about what an earlier drain has seen to, and which.
func (h *history) explains(n drain.Notice, said, now time.Time) (key string, yes bool) {
	if h == nil {
		return "", false
	}
	p := h.newest()
	since := now.Sub(p.ended)
	return p.key, p.noticed == n.Noticed && !said.After(p.ended) || p.gone && (since < lagsFor || since < goesFor && !h.back)
}

// newest is the drain that ended last.
func (h *history) newest() past { return h.drains[len(h.drains)-1] }

// holds reports whether a wait of the instance belongs to a drain that has ended: another hook holds it now.
func (h *history) holds() bool { return h != nil && !h.over }

// late reports whether a message is about a drain that has ended, and which. Each drain of the instance counts, not only the newest: a
// sweep and a message may have opened one each for the same wait.
func (h *history) late(e event.Event) (key string, late bool) {
	if h == nil {
		return "", false
	}
	for _, p := range slices.Backward(h.drains) {
		if p.asked {
			continue // no hook held the instance
		}
		if e.Token == p.token || e.Token == "" || !e.Time.IsZero() && e.Time.Before(p.ended) {
			return p.key, true
		}
	}
	return "", false
}

// obeyed reports whether a drain that an operator's word began has ended.
func (h *history) obeyed(w fleet.Word) bool {
	return h != nil && slices.ContainsFunc(h.drains, func(p past) bool { return p.word == w })
}

// unused is a key that no drain of the instance had: the given one, or that with a number.
func (h *history) unused(key string) string {
	if h == nil {
		return key
	}
	free := key
	for n := 2; slices.ContainsFunc(h.drains, func(p past) bool { return p.key == free }); n++ {
		free = fmt.Sprintf("%s-%d", key, n)
	}
	return free
}

// forget drops the drains that ended before a time, and reports whether none is left.
func (h *history) forget(before time.Time) bool {
	h.drains = slices.DeleteFunc(h.drains, func(p past) bool { return p.ended.Before(before) })
	return len(h.drains) == 0
}
