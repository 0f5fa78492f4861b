package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// TestHowANoticeIsTakenIn: whether its message is deleted, what becomes of it, and what is counted.
func TestHowANoticeIsTakenIn(t *testing.T) {
	host, at := fleet.HostTarget("i-0001"), minute(1)
	foreign := func(k *Kernel, _ *unplaced) { k.cfg.LeaveForeign = true }
	noted := func(_ *Kernel, u *unplaced) { u.Noted = true }
	nowhere := func(k *Kernel, _ *unplaced) { delete(k.groupOf, host) }
	observed := func(k *Kernel, _ *unplaced) { k.cfg.Groups[0].Policy.Observe = true }
	held := func(scopes ...string) func(*Kernel, *unplaced) {
		return func(k *Kernel, _ *unplaced) {
			k.cfg.Held = map[string]journal.Lease{}
			for _, s := range scopes {
				k.cfg.Held[s] = journal.Lease{}
			}
		}
	}
	said := func(ago time.Duration) func(*Kernel, *unplaced) {
		return func(_ *Kernel, u *unplaced) { u.Event.Time = at.Add(-ago) }
	}
	kind := func(k event.Kind) func(*Kernel, *unplaced) { return func(_ *Kernel, u *unplaced) { u.Event.Kind = k } }
	state := func(st fleet.InstanceState) func(*Kernel, *unplaced) {
		return func(_ *Kernel, u *unplaced) { u.Event.Kind, u.Event.State = event.InstanceState, st }
	}
	swept := func(at time.Time) func(*Kernel, *unplaced) { return func(k *Kernel, _ *unplaced) { k.swept = at } }
	used := func(k *Kernel, _ *unplaced) {
		k.recent[host] = &history{drains: []past{{key: "web/i-0001/n20261121T090100"}}, back: true}
	}
	explained := func(k *Kernel, _ *unplaced) {
		k.recent[host] = &history{drains: []past{{key: "before", noticed: drain.Interruption, ended: at}}}
	}
	another := func(k *Kernel, _ *unplaced) { k.newer["web/i-0001"] = &UnknownRecord{} }
	type changes = []func(*Kernel, *unplaced)
	for name, c := range map[string]struct {
		set  changes
		want string // deleted, settled; the key of the drain; the scopes that it is handed on to; the counts
	}{
		"an interruption":                               {changes{}, "true true web/i-0001/n20261121T090100 [] map[]"},
		"the instance runs":                             {changes{state(fleet.StateRunning)}, "true true  [] map[]"},
		"the instance stops":                            {changes{state(fleet.StateStopping)}, "true true web/i-0001/n20261121T090100 [] map[]"},
		"said in the future":                            {changes{said(-time.Hour)}, "true true web/i-0001/n20261121T090100 [] map[]"},
		"said some time ago":                            {changes{said(time.Minute)}, "true true web/i-0001/n20261121T090000 [] map[]"},
		"said long ago, at the last moment":             {changes{said(longAgo)}, "true true web/i-0001/n20261121T085100 [] map[]"},
		"said long ago":                                 {changes{said(longAgo + 1), foreign}, "true true  [] map[late:1]"},
		"its key was used":                              {changes{used}, "true true web/i-0001/n20261121T090100-2 [] map[]"},
		"a drain explains it":                           {changes{explained, foreign}, "true true  [] map[late:1]"},
		"its record is another's":                       {changes{another}, "false true  [] map[left alone:1]"},
		"its record is another's, handed on":            {changes{another, noted}, "true true  [] map[left alone:1]"},
		"in no group, swept since":                      {changes{nowhere, swept(minute(2))}, "true true  [] map[foreign:1]"},
		"in no group, swept since, others read":         {changes{nowhere, swept(minute(2)), foreign}, "false true  [] map[foreign:1]"},
		"in no group, swept since, handed on":           {changes{nowhere, swept(minute(2)), foreign, noted}, "true true  [] map[foreign:1]"},
		"in no group, swept just then":                  {changes{nowhere, swept(at)}, "false false  [] map[]"},
		"in no group, ended, swept before":              {changes{nowhere, swept(t0), state(fleet.StateStopping)}, "true true  [] map[foreign:1]"},
		"in no group, ended, never swept":               {changes{nowhere, swept(time.Time{}), state(fleet.StateStopping)}, "false false  [] map[]"},
		"in no group, for an Ebb that works for some":   {changes{nowhere, held("cluster/prod"), swept(minute(2))}, "true true  [] map[foreign:1]"},
		"in no group, for an Ebb that works for none":   {changes{nowhere, held()}, "true true  [cluster/prod cluster/stage] map[noted:2]"},
		"the same, handed on":                           {changes{nowhere, held(), noted}, "true true  [] map[]"},
		"in a group, for an Ebb that works for none":    {changes{held()}, "true true  [cluster/prod] map[noted:1]"},
		"in a group, for an Ebb that works for another": {changes{held("cluster/stage")}, "true true  [cluster/prod] map[noted:1]"},
		"a recommendation that is ignored":              {changes{kind(event.Rebalance)}, "true true  [] map[]"},
		"the same, others read":                         {changes{kind(event.Rebalance), foreign}, "false true  [] map[]"},
		"in an observed group":                          {changes{observed}, "true true web/i-0001/n20261121T090100 [] map[]"},
		"in an observed group, others read":             {changes{observed, foreign}, "false true web/i-0001/n20261121T090100 [] map[]"},
		"in a group, others read":                       {changes{foreign}, "true true web/i-0001/n20261121T090100 [] map[]"},
	} {
		k := newKernel(t, Config{Groups: []Managed{
			{Match: "web", Cluster: "prod", Policy: drain.Defaults()}, {Match: "db", Cluster: "prod"}, {Cluster: "edge"}, {Match: "x", Cluster: "stage"}}})
		sweptAt(k, t0, "i-0001", "web")
		u := unplaced{noticeAbout(event.InstanceEnds, "i-0001", at), at}
		u.ID = "m"
		for _, change := range c.set {
			change(k, &u)
		}
		ack, _, ok := takeIn(k, u, at)
		key, scopes := "", []string{}
		if e := k.open[host]; e != nil {
			if key = e.d.Key; e.d.Cluster != "prod" || e.d.Group != "web" || e.d.Heard != at || e.d.Zero.After(at) {
				t.Errorf("%s: %+v", name, e.d)
			}
		}
		for _, f := range k.forwarded {
			scopes = append(scopes, f.Scope)
		}
		if got := fmt.Sprintf("%t %t %s %v %v", ack, ok, key, scopes, k.Counts); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestWhatANoticeChangesInAnOpenDrain: the graver one stands, and of a likely interruption that becomes one the newer times.
func TestWhatANoticeChangesInAnOpenDrain(t *testing.T) {
	const none, spot, likely, down = drain.NoticeKind(""), drain.Interruption, drain.Rebalance, drain.Down
	for _, c := range []struct {
		was, is, want drain.NoticeKind
		newer         bool // its time counts
	}{
		{none, spot, spot, true}, {none, down, down, true}, {none, likely, none, false},
		{spot, spot, spot, false}, {spot, down, spot, false}, {spot, likely, spot, false},
		{likely, likely, likely, false}, {likely, spot, likely, true}, {likely, down, likely, false},
		{down, down, down, false}, {down, spot, spot, true}, {down, likely, down, false},
	} {
		k := newKernel(t, Config{})
		e := &entry{d: drain.Drain{Notice: drain.Notice{Noticed: c.was, NoticedAt: t0}}}
		takeNote(k, e, drain.Notice{Noticed: c.is, NoticedAt: minute(1), Action: "stop", Ends: minute(3)})
		d := e.d.Notice
		if d.Noticed != c.want || d.NoticedAt.Equal(minute(1)) != c.newer || (d.Action == "stop" && d.Ends.Equal(minute(3))) != c.newer || e.dirty != c.newer ||
			e.fresh != c.newer || (k.Counts["duplicate"] == 1) == c.newer {
			t.Errorf("%s after %s: %+v, %v", c.is, c.was, d, k.Counts)
		}
	}
}

// TestMessagesThatWait: each once, and those without an id are not the same.
func TestMessagesThatWait(t *testing.T) {
	k := newKernel(t, Config{})
	for _, id := range []string{"a", "a", "b", "", ""} {
		h := noticeAbout(event.InstanceEnds, "i-0001", t0)
		h.ID = id
		k.Hear(h, t0)
	}
	if len(k.unplaced) != 4 || k.Counts[string(event.InstanceEnds)] != 5 {
		t.Errorf("%d wait; %v", len(k.unplaced), k.Counts)
	}
	sweptAt(k, minute(1), "i-0001", "web")
	if placeNotices(k, minute(2)); len(k.unplaced) != 0 || len(k.settle) != 2 {
		t.Errorf("%d wait, %d are settled", len(k.unplaced), len(k.settle))
	}
}
