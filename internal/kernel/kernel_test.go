package kernel

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func newKernel(t testing.TB, cfg Config) *Kernel {
	t.Helper()
	if cfg.Groups == nil {
		cfg.Groups = []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}
	}
	cfg.Hook = "ebb-drain"
	k, err := New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	silent(k)
	return k
}

// silent keeps a kernel from looking for operators' words, which has tests of its own.
func silent(k *Kernel) {
	for _, cluster := range k.wordClusters() {
		k.said.looked[cluster] = t0.Add(100 * 365 * 24 * time.Hour)
	}
}

func termination(i int) Heard {
	id := fleet.InstanceID(fmt.Sprintf("i-%04d", i))
	return Heard{Message: event.Message{ID: "m-" + string(id), Sent: t0, Receives: 1}, Event: event.Event{
		Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: id, Token: fmt.Sprintf("token-%08d", i), Time: t0,
	}}
}

// cloud is just enough of a cloud to answer looks: every instance waits, each is a container instance, and its tasks cannot
// be listed.
type cloud struct{ status string }

func (c cloud) answer(o plan.Request) plan.Done {
	d := plan.Done{Request: o, Started: t0}
	d.Result.Calls, d.Outcome.Calls = 1, 1
	if o.Action != nil {
		return d
	}
	arn := func(id fleet.InstanceID) fleet.ARN { return fleet.ARN("arn/prod/" + string(id)) }
	if o.Look.Kind == plan.ListRunning { // so that no drain ends
		d.Result.Err = &plan.Failure{Class: plan.Unclear, Message: "no answer"}
	}
	v := &d.Result.View
	for _, s := range o.Look.Subjects {
		id := fleet.InstanceID(s.ID)
		switch o.Look.Kind {
		case plan.GroupInstances:
			v.GroupInstances = append(v.GroupInstances, fleet.GroupInstance{ID: id, Group: "web", State: fleet.TerminatingWait, Healthy: true})
		case plan.FindContainerInstances:
			v.ContainerInstances = append(v.ContainerInstances, fleet.ContainerInstance{ARN: arn(id), Cluster: "prod", Instance: id, Status: c.status, Connected: true})
		case plan.Instances:
			v.Instances = append(v.Instances, plan.InstanceStatus{ID: id, State: fleet.StateRunning})
		}
	}
	if o.Look.Kind == plan.Hooks {
		v.Hooks = []fleet.Hook{{Name: "ebb-drain", Group: "web", Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 25 * time.Hour}}
	}
	return d
}

// settle answers all orders until the kernel wants nothing at this moment, and returns what was ordered.
func settle(k *Kernel, c cloud, now time.Time) []plan.Request {
	var all []plan.Request
	for range 200 {
		o := k.Next(now)
		if len(o.Do) == 0 {
			return all
		}
		for _, order := range o.Do {
			all = append(all, order)
			d := c.answer(order)
			d.Started = now
			k.Did(d, now)
		}
	}
	return all
}

func kinds(orders []plan.Request) map[string]int {
	n := map[string]int{}
	for _, o := range orders {
		if o.Action != nil {
			n[o.Action.Kind.String()]++
		} else {
			n[o.Look.Kind.String()]++
		}
	}
	return n
}

func TestLooksAndDrainsAreMergedUpToAWSLimits(t *testing.T) {
	k := newKernel(t, Config{InFlight: 1000})
	for i := range 120 {
		k.Hear(termination(i), t0)
	}
	got := kinds(settle(k, cloud{fleet.Active}, t0))
	for kind, want := range map[string]int{
		plan.GroupInstances.String(): 3, plan.FindContainerInstances.String(): 3, plan.SetDraining.String(): 12, plan.Hooks.String(): 1, plan.Groups.String(): 1,
	} {
		if got[kind] != want {
			t.Errorf("%s: %d orders for 120 drains, want %d (all: %v)", kind, got[kind], want, got)
		}
	}
}

func TestAMessageIsSettledOnlyWithTheBatchThatHoldsItsDrain(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	o := k.Next(t0)
	if len(o.Settle) != 1 || !o.Settle[0].Delete {
		t.Fatalf("verdicts %+v, want one that deletes", o.Settle)
	}
	if len(o.Batch.Records) != 1 || !strings.HasPrefix(o.Batch.Records[0].Key, "web/i-0001/") {
		t.Fatalf("records %+v, want the drain of i-0001", o.Batch.Records)
	}
}

func TestARestartOrdersNothingButLooks(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	rec := k.Next(t0).Batch.Records
	again, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Policy: drain.Defaults()}}}, rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range again.Next(t0.Add(time.Minute)).Do {
		if o.Action != nil && o.Action.Kind != plan.Beat {
			t.Errorf("ordered %s before anything was looked at", o.Action.Kind)
		}
	}
}

func TestHeartbeatsComeFirstAndLeaveLooksTheirShareWhenCallsAreScarce(t *testing.T) {
	k := newKernel(t, Config{InFlight: 1000, Rates: Rates{plan.AutoScaling: {Burst: 4, PerSecond: 1}}})
	for i := range 50 {
		k.Hear(termination(i), t0)
	}
	settle(k, cloud{fleet.Active}, t0)
	late := t0.Add(6 * time.Minute) // every heartbeat is due
	first := k.Next(late).Do
	if n := kinds(first); n[plan.Beat.String()] == 0 || first[0].Action == nil || first[0].Action.Kind != plan.Beat {
		t.Fatalf("first orders %v, want heartbeats in front", n)
	}
	looks := 0
	for _, o := range first {
		if o.Look != nil && o.Look.Kind.Spec().Bucket == plan.AutoScaling {
			looks++
		}
	}
	if looks == 0 {
		t.Error("heartbeats left no call to look")
	}
}

func TestAFailedHeartbeatIsDueAgainAndAThrottledOneToo(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	settle(k, cloud{fleet.Active}, t0)
	at := t0.Add(6 * time.Minute)
	beats := 0
	for range 12 {
		o := k.Next(at)
		for _, order := range o.Do {
			d := cloud{fleet.Active}.answer(order)
			d.Started = at
			if order.Action != nil && order.Action.Kind == plan.Beat {
				beats++
				d.Outcome.Err = &plan.Failure{Class: plan.Throttled, Message: "Rate exceeded"}
			}
			k.Did(d, at)
		}
		at = at.Add(5 * time.Second)
	}
	if beats < 5 {
		t.Errorf("%d heartbeats in a minute of throttling, want one every 5 to 8 s", beats)
	}
}

func TestForeignMessagesAreAcknowledgedOrLeftByRule(t *testing.T) {
	for _, leave := range []bool{false, true} {
		k := newKernel(t, Config{LeaveForeign: leave})
		h := termination(1)
		h.Event.Group = "theirs"
		k.Hear(h, t0)
		o := k.Next(t0)
		if len(o.Settle) != 1 || o.Settle[0].Delete == leave || k.Open() != 0 {
			t.Errorf("leave=%v: verdicts %+v, %d drains", leave, o.Settle, k.Open())
		}
	}
}

func TestWhatIsNotUnderstoodGoesIntoTheJournalBeforeItIsDeleted(t *testing.T) {
	k := newKernel(t, Config{})
	for receives := 1; receives <= 5; receives++ {
		k.Hear(Heard{Event: event.Event{Kind: event.Unknown, Why: "it is not JSON"}, Message: event.Message{ID: "m", Body: "{", Receives: receives}}, t0)
		o := k.Next(t0)
		if del := o.Settle[0].Delete; del != (receives == 5) {
			t.Errorf("receive %d: delete %v", receives, del)
		}
		if n := countLines(o.Batch.Lines, "unreadable"); n == 1 != (receives == 5) {
			t.Errorf("receive %d: %d lines", receives, n)
		}
	}
}

// JSON makes six bytes of some characters: what is kept of a body fits into the journal after that too.
func TestWhatIsKeptOfABodyFitsIntoTheJournal(t *testing.T) {
	for _, body := range []string{strings.Repeat("<", 72<<10), strings.Repeat("\x00", 1<<20), strings.Repeat("é", keptBody), "<", ""} {
		k := newKernel(t, Config{})
		k.Hear(Heard{Event: event.Parse([]byte(body)), Message: event.Message{ID: "m", Body: body, Receives: 5}}, t0)
		l := k.Next(t0).Batch.Lines[0]
		if len(l.Data) > journal.MaxBody || len(l.Text) > 1000 || !json.Valid(l.Data) {
			t.Errorf("%d bytes of %.10q: %d bytes of data, %d of text", len(body), body, len(l.Data), len(l.Text))
		}
	}
}

func countLines(ls []journal.Line, kind string) int {
	n := 0
	for _, l := range ls {
		if l.Kind == kind {
			n++
		}
	}
	return n
}

func TestADrainOfAGroupThatIsNoLongerManagedIsBroughtToItsEnd(t *testing.T) {
	k := newKernel(t, Config{})
	k.Hear(termination(1), t0)
	rec := k.Next(t0).Batch.Records
	again, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "other", Policy: drain.Defaults()}}}, rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := kinds(settle(again, cloud{fleet.Active}, t0)); n[plan.SetDraining.String()] != 1 {
		t.Errorf("orders %v, want the drain to go on", n)
	}
}

// Two registrations of one instance: whichever ECS lists first, the one that it reaches is drained first and the other after it. While it
// reaches neither, the one that was begun goes on.
func TestOfTwoRegistrationsTheReachedOneLeads(t *testing.T) {
	one := fleet.ContainerInstance{ARN: "arn/prod/1", Cluster: "prod", Status: fleet.Active, Connected: true}
	two := fleet.ContainerInstance{ARN: "arn/prod/2", Cluster: "prod", Status: fleet.Active}
	gone := fleet.ContainerInstance{ARN: "arn/prod/3", Cluster: "prod", Status: fleet.Inactive}
	blip := one
	blip.Connected = false
	for _, tt := range []struct {
		name   string
		d      drain.Drain
		all    []fleet.ContainerInstance
		lead   fleet.ARN
		others []fleet.ARN
	}{
		{"the reached one", drain.Drain{}, []fleet.ContainerInstance{two, gone, one}, one.ARN, []fleet.ARN{two.ARN}},
		{"listed the other way", drain.Drain{}, []fleet.ContainerInstance{one, two, gone}, one.ARN, []fleet.ARN{two.ARN}},
		{"begun, in a break", drain.Drain{Host: drain.Host{ContainerInstance: one.ARN}}, []fleet.ContainerInstance{two, blip}, one.ARN,
			[]fleet.ARN{two.ARN}},
		{"begun, and registered again", drain.Drain{Host: drain.Host{ContainerInstance: two.ARN}}, []fleet.ContainerInstance{two, one}, one.ARN,
			[]fleet.ARN{two.ARN}},
		{"one is done", drain.Drain{Emptied: []fleet.ARN{one.ARN}}, []fleet.ContainerInstance{two, one}, two.ARN, nil},
		{"only an old one", drain.Drain{}, []fleet.ContainerInstance{gone}, gone.ARN, nil},
	} {
		lead, ok := leading(&tt.d, tt.all)
		var others []fleet.ARN
		for _, r := range lead.Others {
			others = append(others, r.ARN)
		}
		if !ok || lead.ARN != tt.lead || !slices.Equal(others, tt.others) {
			t.Errorf("%s: %s leads, then %v", tt.name, lead.ARN, others)
		}
	}
	if lead, _ := leading(&drain.Drain{Emptied: []fleet.ARN{one.ARN}}, []fleet.ContainerInstance{one, two}); !lead.Reached {
		t.Error("the host is reached by the registration that is done")
	}
	if lead, _ := leading(&drain.Drain{}, []fleet.ContainerInstance{two, blip}); lead.Reached {
		t.Error("neither is reached")
	}
	if _, ok := leading(&drain.Drain{Emptied: []fleet.ARN{one.ARN}}, []fleet.ContainerInstance{one}); ok {
		t.Error("a registration that is done leads")
	}
}
