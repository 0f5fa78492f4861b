package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// noticeAbout is a message of EC2 about an instance.
func noticeAbout(kind event.Kind, id fleet.InstanceID, at time.Time) Heard {
	e := event.Event{Kind: kind, Instance: id, Time: at}
	if kind == event.InstanceState {
		e.State = fleet.StateShuttingDown
	}
	return Heard{Message: event.Message{ID: "n-" + string(id), Body: string(kind), Sent: at, Receives: 1}, Event: e}
}

// sweptAt makes a kernel know that the instance is in a group.
func sweptAt(k *Kernel, at time.Time, id fleet.InstanceID, group string) {
	k.swept, k.groupOf = at, map[fleet.Target]string{fleet.HostTarget(id): group}
}

// TestANoticeWaitsForASweep: until it is known of which group the instance is, the message is not settled, however often it comes.
func TestANoticeWaitsForASweep(t *testing.T) {
	k := newKernel(t, Config{})
	for range 2 {
		k.Hear(noticeAbout(event.InstanceEnds, "i-0001", t0), t0)
	}
	if out := k.Next(t0); len(out.Settle) != 0 || len(k.open) != 0 || len(k.unplaced) != 1 {
		t.Fatalf("before a sweep: settled %+v, %d open, %d wait", out.Settle, len(k.open), len(k.unplaced))
	}
	k.swept = t0 // it began before the notice came, and may lack an instance that is new
	if out := k.Next(t0.Add(time.Second)); len(out.Settle) != 0 {
		t.Errorf("after an older sweep: %+v", out.Settle)
	}
	sweptAt(k, t0.Add(time.Second), "i-0001", "web")
	out := k.Next(t0.Add(2 * time.Second))
	if len(out.Settle) != 1 || !out.Settle[0].Delete || len(k.open) != 1 || len(out.Batch.Records) != 1 ||
		!strings.Contains(string(out.Batch.Records[0].Body), `"v":3`) {
		t.Errorf("after a sweep: %+v, %d open, %d records", out.Settle, len(k.open), len(out.Batch.Records))
	}
}

func TestWhatFollowsFromANotice(t *testing.T) {
	const id = fleet.InstanceID("i-0001")
	host := fleet.HostTarget(id)
	ended := func(k *Kernel, d drain.Drain, o drain.Outcome) {
		d.Target, d.Group, d.Ended, d.Final = host, "web", minute(1), &drain.Answer{Outcome: o}
		k.remember(&d)
	}
	held := drain.Drain{Hold: drain.Hold{Hook: "ebb-drain"}}
	for name, x := range map[string]struct {
		cfg    Config
		kind   event.Kind
		set    func(*Kernel)
		opened bool
		ack    bool
		why    string
	}{
		"an interruption":                  {kind: event.InstanceEnds, opened: true, ack: true},
		"an end":                           {kind: event.InstanceState, opened: true, ack: true},
		"a recommendation that is ignored": {kind: event.Rebalance, ack: true, why: "ignored in group web"},
		"one that is heeded": {cfg: Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), Rebalance: true}}},
			kind: event.Rebalance, opened: true, ack: true},
		"of no group of ours": {kind: event.InstanceEnds, set: func(k *Kernel) { k.groupOf = nil }, ack: true, why: "in no group"},
		"of no group of ours, and others read the queue": {cfg: Config{LeaveForeign: true}, kind: event.InstanceEnds,
			set: func(k *Kernel) { k.groupOf = nil }, why: "in no group"},
		"of a group that another Ebb works for": {cfg: Config{Held: map[string]journal.Lease{"cluster/other": {}}}, kind: event.InstanceEnds,
			ack: true, why: "noted for the Ebb that works for cluster/prod"},
		"heard by an Ebb that works for nothing": {cfg: Config{Held: map[string]journal.Lease{}}, kind: event.InstanceEnds,
			set: func(k *Kernel) { k.groupOf, k.swept = nil, time.Time{} }, ack: true, why: "noted for the Ebbs that work for groups"},
		"of an observed group, and others read the queue": {cfg: Config{LeaveForeign: true, Groups: []Managed{{Match: "web", Cluster: "prod",
			Policy: drain.Policy{Observe: true}}}}, kind: event.InstanceEnds, opened: true, why: "only observed"},
		"of an instance whose hook was answered": {kind: event.InstanceState, set: func(k *Kernel) { ended(k, held, drain.Drained) }, ack: true, why: "has ended"},
		"of one that was not leaving then":       {kind: event.InstanceState, set: func(k *Kernel) { ended(k, held, drain.NotLeaving) }, opened: true, ack: true},
		"of one that came back since": {kind: event.InstanceEnds, set: func(k *Kernel) {
			ended(k, drain.Drain{Notice: drain.Notice{Noticed: drain.Interruption}}, drain.HostGone)
			k.recent[host].back = true
			k.recent[host].drains[0].ended = minute(1).Add(-time.Hour)
		}, opened: true, ack: true},
	} {
		k := newKernel(t, x.cfg)
		sweptAt(k, minute(2), id, "web")
		if x.set != nil {
			x.set(k)
		}
		k.Hear(noticeAbout(x.kind, id, minute(1)), minute(1))
		settled := k.Next(minute(1)).Settle
		if opened := k.open[host] != nil; opened != x.opened || len(settled) != 1 || settled[0].Delete != x.ack || !strings.Contains(settled[0].Why, x.why) {
			t.Errorf("%s: opened %v, verdicts %+v", name, opened, settled)
		}
	}
}

// TestANoticeOfAnOpenDrain: it changes nothing before EC2 confirms it, and a lesser one not even then.
func TestANoticeOfAnOpenDrain(t *testing.T) {
	const id = fleet.InstanceID("i-0001")
	k := newKernel(t, Config{})
	sweptAt(k, t0, id, "web")
	k.Hear(termination(1), t0)
	k.Next(t0)
	d := func() drain.Notice { return k.open[fleet.HostTarget(id)].d.Notice }
	for _, x := range []struct {
		kind event.Kind
		want drain.NoticeKind
	}{{event.Rebalance, ""}, {event.InstanceState, drain.Down}, {event.InstanceEnds, drain.Interruption}, {event.InstanceState, drain.Interruption}} {
		k.Hear(noticeAbout(x.kind, id, t0), t0)
		if settled := k.Next(t0).Settle; d().Noticed != x.want || !d().Verified.IsZero() || len(settled) != 1 || !settled[0].Delete || settled[0].Drain == "" {
			t.Errorf("%s: %+v, %+v", x.kind, d(), settled)
		}
	}
}

// TestTheCalendar: what is managed is noted once for each group or cluster, and what is not is not.
func TestTheCalendar(t *testing.T) {
	k := newKernel(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Cluster: "edge"}}})
	sweptAt(k, minute(1), "i-0001", "web")
	starts := t0.Add(14 * 24 * time.Hour)
	change := func(id, service string, entities ...string) Heard {
		return Heard{Message: event.Message{ID: id}, Event: event.Event{Kind: event.ScheduledChange, Change: event.Change{
			Service: service, Code: "CODE", Starts: starts, Entities: entities}}}
	}
	const task = "arn:aws:ecs:eu-west-1:111122223333:task/edge/0123456789abcdef0123456789abcdef"
	for range 2 {
		k.Hear(change("a", "EC2", "i-0001", "i-9999"), t0)
		k.Hear(change("b", "ECS", "edge|web", task, "other|web"), t0)
	}
	k.Hear(change("c", "ECS", "other|web"), t0)
	out := k.Next(t0)
	var texts []string
	for _, f := range out.Batch.Forwarded {
		s, ok := ReadScheduled(f)
		if !ok || !s.Starts.Equal(starts) || s.Past(f.Sent, starts) || !s.Past(f.Sent, starts.Add(8*24*time.Hour)) {
			t.Errorf("%+v is %+v", f, s)
		}
		texts = append(texts, s.Text())
	}
	want := "AWS has scheduled CODE for 2026-12-05 09:00:00 UTC: i-0001 of group web\n" +
		"AWS has scheduled CODE for 2026-12-05 09:00:00 UTC: edge|web, " + task + " of cluster edge"
	if got := strings.Join(texts, "\n"); got != want || len(out.Batch.Lines) != 2 || len(out.Settle) != 5 || len(k.open) != 0 {
		t.Errorf("%s\n%d lines, %d settled", got, len(out.Batch.Lines), len(out.Settle))
	}
}
