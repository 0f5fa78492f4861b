package kernel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// Heard is a message as it came from a source.
type Heard struct {
	event.Message // with an empty ID nothing is to be settled
	Event         event.Event
	Noted         bool // another Ebb heard it and forwarded it
}

// Verdict says what becomes of a message.
type Verdict struct {
	Message string
	Delete  bool // acknowledge it; otherwise the queue delivers it again, later each time
	Kind    event.Kind
	Why     string
	Drain   string // key of the drain that it opened, or that is open already
}

// Hear takes in a message. What becomes of it is among the verdicts of the next Next, after the batch that makes it durable.
func (k *Kernel) Hear(h Heard, now time.Time) {
	v := Verdict{Message: h.ID, Delete: true, Kind: h.Event.Kind, Why: h.Event.Why}
	//exhaustive:enforce
	switch h.Event.Kind.Use() {
	case event.Drains:
		t := fleet.HostTarget(h.Event.Instance)
		switch {
		case h.Event.Kind == event.InstanceEnds && h.Event.Rehearsal:
			v.Delete, v.Why = hearRehearsal(k, h)
		case h.Event.Kind == event.TaskStops:
			t = fleet.TaskTarget(h.Event.Cluster, h.Event.Task)
			v.Delete, v.Why = hearTask(k, h, now)
		case h.Event.Kind == event.TerminateAction:
			v.Delete, v.Why = k.hearTermination(h, now)
		default:
			k.Counts[string(h.Event.Kind)]++
			hearNotice(k, h, now)
			return
		}
		if o, ok := k.open[t]; ok {
			v.Drain = o.d.Key
		}
	case event.Tells:
		if h.Event.Kind == event.HostSteps {
			v.Delete, v.Why = hearSteps(k, h, now)
			break
		}
		k.Counts[string(h.Event.Kind)]++
		hearNotice(k, h, now)
		return
	case event.Looks:
		v.Delete, v.Why = hearAlarm(k, h, now)
	case event.Nothing, event.Wakes:
		v.Delete = h.Noted || !k.cfg.LeaveForeign
	case event.Answers:
		v.Why = "a test notification of group " + h.Event.Group + ": its messages reach Ebb"
	case event.Unread:
		v.Delete = k.hearUnknown(h, now)
	}
	k.Counts[string(h.Event.Kind)]++
	if h.ID != "" {
		k.settle = append(k.settle, v)
	}
}

func (k *Kernel) hearUnknown(h Heard, now time.Time) bool {
	if h.Noted {
		return true // it was forwarded only to wake this Ebb
	}
	const giveUp = 5 // receives; with a redrive policy the queue itself moves the message away
	if k.cfg.Redrive || h.Receives < giveUp {
		return false
	}
	body := h.Body[:min(len(h.Body), keptBody)] // a part of a character at its end is replaced in JSON
	data, _ := json.Marshal(map[string]string{"message": h.ID, "body": body})
	text := fmt.Sprintf("deleted message %s after %d receives: %s; the queue has no redrive policy to keep it",
		h.ID, h.Receives, h.Event.Why)
	k.lines = append(k.lines, journal.Line{At: now, Kind: "unreadable", Data: data, Text: text})
	return true
}

// keptBody is how many bytes are kept of a message that is deleted unread. JSON makes six bytes of one at most, and journal.MaxBody limits
// what comes of it.
const keptBody = 16 << 10

func (k *Kernel) hearTermination(h Heard, now time.Time) (ack bool, why string) {
	e := h.Event
	man, ok := k.cfg.managed(e.Group)
	if !ok || e.Hook != k.cfg.Hook {
		k.Counts["foreign"]++
		why = fmt.Sprintf("group %s is not managed here", e.Group)
		if ok {
			why = fmt.Sprintf("hook %s of group %s is not ours", e.Hook, e.Group)
		}
		return h.Noted || !k.cfg.LeaveForeign, why // a forwarded message has no other reader
	}
	spared := k.spared(e.Group, man)
	if spared != "" {
		defer func() { ack, why = ack && (h.Noted || !k.cfg.LeaveForeign), cmp.Or(why, spared) }()
	}
	if !k.cfg.mine(man.Scope()) { // a forwarded message too, when its group belongs to another scope by now
		return forward(k, h, man.Scope()), "noted for the Ebb that works for " + man.Scope()
	}
	t := fleet.HostTarget(e.Instance)
	if why, taken := besideAgent(k, h, man, now); taken {
		return true, why
	}
	if o, ok := k.open[t]; ok {
		if o.d.Hook == "" && spared == "" && k.Swept() {
			hold := drain.Hold{Group: e.Group, Hook: e.Hook, Token: e.Token, WarmPool: e.ToWarmPool()}
			takeOver(k, o, man, hold, cmp.Or(e.Time, h.Sent), now)
			return true, "a drain that was open already, which Auto Scaling's hook holds from now on"
		}
		if o.d.Hook == "" {
			return true, "a drain without a hook goes on; whether its hook is Ebb's to answer the next sweep says"
		}
		if o.d.Token == "" {
			o.d.Token = e.Token
		} else if e.Token != "" && e.Token != o.d.Token && !o.d.ByID {
			// Another wait of the same instance, or a false message. Auto Scaling knows which wait it is.
			o.d.ByID, o.d.Doubt, o.dirty, o.fresh = true, true, true, true
			unknown[time.Time](k.facts, began(t, o.d.Group))
		}
		k.Counts["duplicate"]++
		return true, "already draining"
	}
	if k.newer[e.Group+"/"+t.ID] != nil {
		k.Counts["left alone"]++
		return true, "its record in the journal is open, and only a newer version of Ebb reads it"
	}
	if k.aside[e.Group+"/"+t.ID] {
		return h.Noted, "the journal takes no record of its drain"
	}
	if key, late := k.recent[t].late(e); late {
		k.Counts["late"]++
		return true, "drain " + key + " has ended"
	}
	hold := drain.Hold{Group: e.Group, Hook: e.Hook, Token: e.Token, WarmPool: e.ToWarmPool()}
	k.begin(drain.Drain{Target: t, Zero: cmp.Or(e.Time, h.Sent), Hold: hold}, man, now)
	return true, ""
}

// hearSteps writes down what the steps on a host have done, beside what the journal says of its drain.
func hearSteps(k *Kernel, h Heard, now time.Time) (ack bool, why string) {
	t, key := fleet.HostTarget(h.Event.Instance), ""
	man, ok := k.cfg.managed(h.Event.Group)
	switch {
	case !ok:
		k.Counts["foreign"]++
		return h.Noted || !k.cfg.LeaveForeign, fmt.Sprintf("group %s is not managed here", h.Event.Group)
	case !k.cfg.mine(man.Scope()):
		return forward(k, h, man.Scope()), "noted for the Ebb that works for " + man.Scope()
	case k.open[t] != nil:
		key = k.open[t].d.Key
	case k.recent[t] != nil:
		key = k.recent[t].newest().key
	}
	did, _ := json.Marshal(h.Event.Did) // texts and numbers
	k.lines = append(k.lines, journal.Line{At: now, Key: cmp.Or(key, "host/"+t.ID+"/steps"), Kind: journal.HostLine, Text: h.Event.Did.Text(), Data: did})
	return true, ""
}

// forward writes a message down for the Ebb that works for a scope; then it can be acknowledged.
func forward(k *Kernel, h Heard, scope string) bool {
	k.Counts["noted"]++
	id := h.ID[strings.LastIndexByte(h.ID, '/')+1:] // one that is forwarded again keeps its name
	k.forwarded = append(k.forwarded, journal.Forwarded{Scope: scope, ID: id, Body: h.Body, Sent: h.Sent})
	return true
}

// spared is why the instances of a group are not drained; empty: they are. Messages about them may be for another consumer too.
func (k *Kernel) spared(group string, man Managed) string {
	switch {
	case k.excluded[group]:
		return "group " + group + " has the tag " + fleet.ExcludeTag + "=true"
	case man.Policy.Observe:
		return "group " + group + " is only observed"
	}
	return ""
}

// doubtful: of a message that claims to be older than this, Auto Scaling is asked when the termination really began.
const doubtful = 2 * time.Minute

// begin opens a drain. Its zero never lies in the future: clocks differ.
func (k *Kernel) begin(d drain.Drain, man Managed, now time.Time) {
	if d.Zero.IsZero() || d.Zero.After(now) {
		d.Zero = now
	}
	d.Heard, d.Cluster = now, man.Cluster
	d.Doubt = now.Sub(d.Zero) > doubtful
	gen := cmp.Or(d.Token[:min(len(d.Token), 8)], "t"+d.Zero.UTC().Format("20060102T150405"))
	d.Key = k.recent[d.Target].unused(d.Group + "/" + d.Target.ID + "/" + gen)
	k.begun(&entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true})
	how := "Auto Scaling terminates " + d.Target.ID + " of group " + d.Group
	if d.WarmPool {
		how = "Auto Scaling returns " + d.Target.ID + " of group " + d.Group + " to its warm pool"
	}
	if d.Adopted {
		how = "found " + d.Target.ID + " of group " + d.Group + " waiting in its hook; no message was heard"
	}
	k.line(now, d.Key, "heard", how)
}
