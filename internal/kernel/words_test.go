package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// saidOf is a container instance on which an operator's word stands.
func saidOf(id fleet.InstanceID) fleet.ContainerInstance {
	return fleet.ContainerInstance{
		ARN: fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/" + string(id)), Cluster: "prod", Instance: id,
		Status: fleet.Active, Connected: true,
		Word: fleet.Word{Deadline: t0.Add(20 * time.Minute), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "operator"},
	}
}

// lookedForWords answers the looks for operators' words that are due, and says how many there were.
func lookedForWords(k *Kernel, now time.Time, found ...fleet.ContainerInstance) (n int) {
	for _, r := range k.Next(now).Do {
		if r.Look != nil && r.Look.Kind == plan.Words {
			n++
			k.Did(plan.Done{Request: r, Started: now, Result: plan.LookResult{View: plan.View{ContainerInstances: found}, Calls: 1}}, now)
		}
	}
	return n
}

// hearing is a kernel that looks for operators' words.
func hearing(t *testing.T, cfg Config) *Kernel {
	t.Helper()
	k := newKernel(t, cfg)
	clear(k.said.looked)
	k.swept = t0
	return k
}

func minute(minutes int) time.Time { return t0.Add(time.Duration(minutes) * time.Minute) }

func TestAWordMakesOneDrain(t *testing.T) {
	k := hearing(t, Config{})
	if n := lookedForWords(k, t0, saidOf("i-0001"), saidOf("i-0002")); n != 1 {
		t.Fatalf("%d looks", n)
	}
	out := k.Next(t0)
	if k.Open() != 2 || len(out.Batch.Records) != 2 || k.Counts["words"] != 2 {
		t.Fatalf("%d open, %d records, counted %v", k.Open(), len(out.Batch.Records), k.Counts)
	}
	e := k.open[fleet.HostTarget("i-0001")]
	if e.scope != "cluster/prod" || e.d.Hook != "" || e.d.Cluster != "prod" || e.d.Key != "prod/i-0001/w20261121T090000" || e.d.Word != saidOf("i-0001").Word {
		t.Errorf("%+v in %s", e.d, e.scope)
	}
	for _, r := range out.Batch.Records {
		if !strings.Contains(string(r.Body), `"v":2`) {
			t.Errorf("an Ebb that knows no words would take it for its own: %s", r.Body)
		}
	}
	e.d.Ended, e.d.Final = t0, &drain.Answer{At: t0, Outcome: drain.Drained, Reason: "done"}
	k.forgetEnded()
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, minute(1), saidOf("i-0001"))
	k.Next(minute(1))
	if k.open[fleet.HostTarget("i-0001")] != nil {
		t.Error("the word that has been obeyed is obeyed again")
	}
	again := saidOf("i-0001")
	again.Word.Deadline = minute(30)
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, minute(2), again)
	k.Next(minute(2))
	if k.open[fleet.HostTarget("i-0001")] == nil {
		t.Error("another word is not obeyed")
	}
}

func TestWordsThatAreNotObeyed(t *testing.T) {
	late, bad := saidOf("i-0001"), saidOf("i-0002")
	late.Word.Deadline = t0
	bad.Word, bad.BadWord = fleet.Word{}, "it has 1 words and not four"
	k := hearing(t, Config{})
	for _, id := range []string{"i-0003", "i-0005", "i-0007"} {
		k.newer["prod/"+id], k.aside["web/"+strings.Replace(id, "i-000", "i-001", 1)] = &UnknownRecord{}, true
	}
	lookedForWords(k, t0, late, bad, saidOf("i-0003"), saidOf("i-0005"), saidOf("i-0007"), saidOf("i-0013"), saidOf("i-0015"),
		saidOf("i-0017"), saidOf("i-0009"))
	out := k.Next(t0)
	if k.Open() != 1 || k.open[fleet.HostTarget("i-0009")] == nil ||
		countLines(out.Batch.Lines, "failed") != 1 || !strings.Contains(out.Batch.Lines[0].Text, "it has 1 words") {
		t.Errorf("%d open, lines %+v", k.Open(), out.Batch.Lines)
	}
	gone := bad
	gone.BadWord = ""
	other := bad
	other.BadWord = "its deadline is not a time"
	for i, x := range []struct {
		found []fleet.ContainerInstance
		told  int
	}{{[]fleet.ContainerInstance{bad}, 0}, {[]fleet.ContainerInstance{gone}, 0}, {[]fleet.ContainerInstance{bad}, 1}, {nil, 0},
		{[]fleet.ContainerInstance{bad}, 1}, {[]fleet.ContainerInstance{other}, 1}, {[]fleet.ContainerInstance{other}, 0}} {
		k.said.now["prod"] = "cluster/prod"
		lookedForWords(k, minute(1+i), x.found...)
		if n := countLines(k.Next(minute(1+i)).Batch.Lines, "failed"); n != x.told {
			t.Errorf("look %d: it is told %d times, want %d", 2+i, n, x.told)
		}
	}
	k.said.now["data"], k.said.looked["prod"] = "cluster/data", minute(20)
	lookedForWords(k, minute(20)) // and finds nothing in another cluster
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, minute(21), other)
	if n := countLines(k.Next(minute(21)).Batch.Lines, "failed"); n != 0 {
		t.Errorf("after a look at another cluster it is told again")
	}
}

func TestHowOftenWordsAreLookedFor(t *testing.T) {
	k := hearing(t, Config{})
	for at, want := range []int{1, 1, 1} {
		if n := lookedForWords(k, minute(at)); n != want {
			t.Errorf("idle, minute %d: %d looks", at, n)
		}
	}
	k.Hear(termination(1), minute(3))
	for at := 3; at < 12; at++ {
		if n := lookedForWords(k, minute(at)); n != 0 {
			t.Errorf("busy, minute %d: %d looks", at, n)
		}
	}
	if n := lookedForWords(k, minute(12)); n != 1 {
		t.Errorf("after ten minutes: %d looks", n)
	}
	k.HearWord(Remark{Instance: "i-0009", Cluster: "prod", By: "o@h", Message: "disk errors"}.Say("cluster/prod", minute(12)))
	if n := lookedForWords(k, minute(13), saidOf("i-0009")); n != 1 {
		t.Errorf("at once: %d looks", n)
	}
	if out := k.Next(minute(13)); !strings.Contains(out.Batch.Lines[0].Text, "by o@h: disk errors") {
		t.Errorf("lines %+v", out.Batch.Lines)
	}
	k = hearing(t, Config{})
	k.Hear(termination(1), t0)
	if n := lookedForWords(k, t0) + lookedForWords(k, minute(9)); n != 0 {
		t.Errorf("begun while busy: %d looks", n)
	}
	if n := lookedForWords(k, minute(10)); n != 1 {
		t.Errorf("begun while busy, after ten minutes: %d looks", n)
	}
}

func TestAPassThatIsBusyLooksForWordsOnceInTenMinutes(t *testing.T) {
	for at, want := range map[int]int{0: 1, 1: 0, 9: 0, 10: 1} {
		k := hearing(t, Config{OnePass: true})
		k.Hear(termination(1), minute(at))
		n := 0
		for range 3 { // the sweep comes first
			for _, r := range k.Next(minute(at)).Do {
				if r.Look != nil && r.Look.Kind == plan.Words {
					n++
				}
				k.Did(plan.Done{Request: r, Started: minute(at), Result: plan.LookResult{Calls: 1}}, minute(at))
			}
		}
		if n != want {
			t.Errorf("minute %d: %d looks, want %d", at, n, want)
		}
	}
}

func TestWithoutAClusterWordsAreLookedForWhenAnOperatorSaysSo(t *testing.T) {
	k := hearing(t, Config{Groups: []Managed{{Match: "web", Policy: drain.Defaults()}}})
	if n := lookedForWords(k, t0); n != 0 {
		t.Errorf("%d looks", n)
	}
	k.HearWord(Remark{Instance: "i-0001", Cluster: "prod", By: "o@h"}.Say("group/web", t0))
	if n := lookedForWords(k, t0, saidOf("i-0001")); n != 1 {
		t.Fatalf("%d looks", n)
	}
	k.Next(t0)
	if e := k.open[fleet.HostTarget("i-0001")]; e == nil || e.scope != "group/web" {
		t.Errorf("%+v", e)
	}
	for _, body := range []string{"{", `{"cluster":"prod"}`, `{"instance":"i-0001"}`} {
		k.HearWord(journal.Forwarded{Scope: "group/web", ID: WordID + "-x", Body: body})
		if n := lookedForWords(k, minute(1)); n != 0 {
			t.Errorf("what cannot be read is looked for: %s", body)
		}
	}
}

func TestAHookTakesOverAnOperatorsDrain(t *testing.T) {
	for name, hold := range map[string]func(*Kernel, time.Time){
		"by a message": func(k *Kernel, now time.Time) {
			k.swept = now
			k.Hear(termination(1), now)
		},
		"by a sweep": func(k *Kernel, now time.Time) {
			put(k.facts, hooksOf("web"), fleet.Seen, now, fleet.Hook{Name: "ebb-drain", Group: "web", Heartbeat: time.Hour})
			k.sweptInstance(fleet.GroupInstance{ID: "i-0001", Group: "web", State: fleet.TerminatingWait}, now)
		},
	} {
		k := hearing(t, Config{})
		lookedForWords(k, t0, saidOf("i-0001"))
		k.Next(t0)
		hold(k, minute(1))
		out := k.Next(minute(1))
		e := k.open[fleet.HostTarget("i-0001")]
		if k.Open() != 1 || e.d.Hook != "ebb-drain" || e.d.Group != "web" || e.d.Key != "prod/i-0001/w20261121T090000" || countLines(out.Batch.Lines, "heard") != 1 {
			t.Errorf("%s: %d open, %+v, lines %+v", name, k.Open(), e.d, out.Batch.Lines)
		}
		if got := drain.Deadline(e.d, fleet.Fact[fleet.Hook]{}, e.man.Policy); got.Equal(e.d.Word.Deadline) {
			t.Errorf("%s: the operator's deadline counts still", name)
		}
	}
}

func TestAnOperatorsDrainIsNoReasonToTakeAMessageForLate(t *testing.T) {
	k := hearing(t, Config{})
	lookedForWords(k, t0, saidOf("i-0001"))
	k.Next(t0)
	e := k.open[fleet.HostTarget("i-0001")]
	e.d.Ended, e.d.Final = minute(9), &drain.Answer{At: minute(9), Outcome: drain.Drained, Reason: "done"}
	k.forgetEnded()
	k.Hear(termination(1), minute(9)) // its time is before the end of that drain
	if k.Open() != 1 {
		t.Error("the hook is left to run out")
	}
}

func TestTheRecordOfAWordIsTakenUpByAnEbbWithoutGroups(t *testing.T) {
	r := ByWord(saidOf("i-0001"), t0)
	k, err := New(Config{Hook: "ebb-drain"}, []journal.Record{r}, nil)
	if err != nil || k.Open() != 1 || r.Scope != "cluster/prod" {
		t.Fatalf("%v, %d open, %+v", err, k.Open(), r)
	}
	for _, o := range k.Next(t0).Do {
		if o.Look != nil && (o.Look.Kind == plan.Groups || o.Look.Kind == plan.Words) {
			t.Errorf("it looks for other drains: %+v", o.Look)
		}
	}
}

// A message for people comes through the journal, and a look may find the word before it.
func TestAMessageThatComesAfterItsWordIsKeptToo(t *testing.T) {
	k := hearing(t, Config{})
	lookedForWords(k, t0, saidOf("i-0001"))
	k.Next(t0)
	for _, message := range []string{"disk errors", ""} { // cancel says nothing
		r := Remark{Instance: "i-0001", Cluster: "prod", By: "ann@desk", Message: message}
		k.HearWord(r.Say("cluster/prod", t0.Add(time.Second)))
	}
	var said []string
	for _, l := range k.Next(t0.Add(2 * time.Second)).Batch.Lines {
		if l.Kind == "word" && l.Key == "prod/i-0001/w20261121T090000" {
			said = append(said, l.Text)
		}
	}
	if strings.Join(said, "; ") != "an operator, ann@desk, says: disk errors" || len(k.said.remarks) != 0 {
		t.Errorf("%q, and %d remarks are kept for another drain", said, len(k.said.remarks))
	}
}

// The kernel is called when words are due in any of its clusters, and a look that is under way is not made twice.
func TestWhenTheNextLookForWordsIs(t *testing.T) {
	p := drain.Defaults()
	k := hearing(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: p}, {Match: "db", Cluster: "data", Policy: p}}})
	lookedForWords(k, t0) // nobody answers the sweep
	k.HearWord(Remark{Instance: "i-0001", Cluster: "prod"}.Say("cluster/prod", plus(30*time.Second)))
	if n := lookedForWords(k, plus(30*time.Second)); n != 1 {
		t.Errorf("%d looks for what an operator has changed", n)
	}
	if at := k.Next(plus(31 * time.Second)).Wake; !at.Equal(minute(1)) {
		t.Errorf("the kernel is called at %s, and data is due at %s", at, minute(1))
	}
	if n := lookedForWords(k, minute(1).Add(-1)); n != 0 {
		t.Errorf("%d looks before a minute is over", n)
	}
	if n := kinds(k.Next(minute(1)).Do)[plan.Words.String()]; n != 1 {
		t.Errorf("%d looks after a minute", n)
	}
	out := k.Next(minute(1))
	if n := kinds(out.Do)[plan.Words.String()]; n != 0 || !out.Wake.Equal(minute(1).Add(30*time.Second)) {
		t.Errorf("%d looks beside the one that is under way, and the kernel is called at %s", n, out.Wake)
	}
}

func TestWordsOfAnotherEbbsClusterAreNotLookedFor(t *testing.T) {
	p := drain.Defaults()
	k := hearing(t, Config{
		Groups: []Managed{{Match: "db", Cluster: "data", Policy: p}, {Match: "web", Cluster: "prod", Policy: p}},
		Held:   map[string]journal.Lease{"cluster/prod": {}},
	})
	for _, r := range k.Next(t0).Do {
		if r.Look != nil && r.Look.Kind == plan.Words && r.Look.In != "prod" {
			t.Errorf("it looks for words in %s", r.Look.In)
		}
	}
}

// A word that was seen while its host was leaving anyway may have been taken back since: only a new look counts after that.
func TestAWordIsNotObeyedLaterThanItWasSeen(t *testing.T) {
	k := hearing(t, Config{})
	k.Hear(termination(1), t0)
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, t0, saidOf("i-0001"))
	k.Next(t0)
	e := k.open[fleet.HostTarget("i-0001")]
	e.d.Ended, e.d.Final = minute(1), &drain.Answer{At: minute(1), Outcome: drain.NotLeaving, Reason: "it is InService"}
	k.forgetEnded()
	k.Next(minute(1))
	if k.Open() != 0 {
		t.Error("the word of a minute ago is obeyed")
	}
}

func TestTwoWordsOfOneSecondMakeTwoDrains(t *testing.T) {
	k := hearing(t, Config{})
	lookedForWords(k, t0, saidOf("i-0001"))
	k.Next(t0)
	e := k.open[fleet.HostTarget("i-0001")]
	e.d.Ended, e.d.Final = t0, &drain.Answer{At: t0, Outcome: drain.Drained, Reason: "done"}
	k.forgetEnded()
	again := saidOf("i-0001")
	again.Word.Deadline = minute(30)
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, t0, again)
	k.Next(t0)
	if e := k.open[fleet.HostTarget("i-0001")]; e == nil || e.d.Key != "prod/i-0001/w20261121T090000-2" {
		t.Errorf("%+v", e)
	}
}

// sweeping lets the kernel take in a sweep that found some groups, each with the hook.
func sweeping(k *Kernel, at time.Time, groups ...fleet.Group) {
	for _, g := range groups {
		put(k.facts, hooksOf(g.Name), fleet.Seen, at, fleet.Hook{Name: "ebb-drain", Group: g.Name, Heartbeat: time.Hour})
	}
	sawGroups(k.observer, answer{Done: plan.Done{Started: at, Result: plan.LookResult{View: plan.View{Groups: groups}}}, now: at})
}

// groupWith is a group of some instances in one state.
func groupWith(name string, state fleet.LifecycleState, ids ...fleet.InstanceID) fleet.Group {
	g := fleet.Group{Name: name}
	for _, id := range ids {
		g.Instances = append(g.Instances, fleet.GroupInstance{ID: id, Group: name, State: state})
	}
	return g
}

// Every operator's drain whose instance a sweep finds waiting is taken over by its group's hook, unless the group is spared.
func TestWhichOperatorsDrainsASweepTakesOver(t *testing.T) {
	for name, x := range map[string]struct {
		state fleet.LifecycleState
		at    time.Time // the start of the sweep
		set   func(*Kernel)
		want  string // the instances that are taken over
	}{
		"that wait":               {fleet.TerminatingWait, minute(2), func(*Kernel) {}, "i-0001 i-0002 i-0003"},
		"in service":              {fleet.InService, minute(2), func(*Kernel) {}, ""},
		"as of before their word": {fleet.TerminatingWait, minute(1).Add(-1), func(*Kernel) {}, ""},
		"of a group that is observed": {fleet.TerminatingWait, minute(2), func(k *Kernel) {
			k.cfg.Groups[0].Policy.Observe = true
		}, "i-0002 i-0003"},
	} {
		p := drain.Defaults()
		k := hearing(t, Config{Groups: []Managed{{Match: "api", Cluster: "prod", Policy: p}, {Match: "web", Cluster: "prod", Policy: p}}})
		k.swept = t0
		lookedForWords(k, minute(1), saidOf("i-0001"), saidOf("i-0002"), saidOf("i-0003"))
		k.Next(minute(1))
		x.set(k)
		sweeping(k, x.at, groupWith("api", x.state, "i-0001"), groupWith("web", x.state, "i-0002", "i-0003"))
		k.Next(minute(3))
		var got []string
		for _, e := range k.sorted {
			if e.d.Hook != "" {
				got = append(got, e.d.Target.ID)
			}
		}
		if strings.Join(got, " ") != x.want || k.Counts["adopted"] != len(got) || k.Open() != 3 {
			t.Errorf("%s: taken over %v, want %s; %d open, counted %v", name, got, x.want, k.Open(), k.Counts)
		}
	}
}

// An operator's drain belongs to the group in which the latest sweep saw the instance.
func TestTheGroupOfAnOperatorsDrainIsAsTheLatestSweepSawIt(t *testing.T) {
	for name, x := range map[string]struct {
		latest fleet.Group
		want   string
	}{
		"it is in it":      {groupWith("web", fleet.InService, "i-0001", "i-0002"), "web"},
		"it is in no more": {groupWith("web", fleet.InService, "i-0002"), ""},
	} {
		k := hearing(t, Config{})
		sweeping(k, t0, groupWith("web", fleet.InService, "i-0001"))
		sweeping(k, minute(1), x.latest)
		lookedForWords(k, minute(1), saidOf("i-0001"))
		k.Next(minute(1))
		if e := k.open[fleet.HostTarget("i-0001")]; e == nil || e.d.Group != x.want {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// Of an instance whose group Ebb does not manage an operator's drain names no group: whatever group a look shows it in is its own.
func TestAnOperatorsDrainWithoutAGroupSeesItsInstance(t *testing.T) {
	k := hearing(t, Config{})
	lookedForWords(k, t0, saidOf("i-0001"))
	k.Next(t0)
	target := fleet.HostTarget("i-0001")
	in := groupWith("theirs", fleet.InService, "i-0001").Instances
	found := plan.LookResult{View: plan.View{GroupInstances: in}}
	sawGroupInstances(k.observer, answer{
		Look: plan.LookAt(groupInstance(target)), Done: plan.Done{Started: minute(1), Result: found}, now: minute(1),
	})
	if got := known[fleet.GroupInstance](k.facts, groupInstance(target)); got.Is != fleet.Seen || got.Value.Group != "theirs" {
		t.Errorf("%+v", got)
	}
}

// How many of its group may leave, only a sweep tells.
func TestBeforeASweepNoWordIsObeyed(t *testing.T) {
	k := hearing(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), MaxUnavailable: MaxUnavailable{Count: 1}}}})
	k.swept = time.Time{}
	lookedForWords(k, t0, saidOf("i-0001"))
	if k.Next(t0); k.Open() != 0 {
		t.Fatal("it is drained as if it had no group")
	}
	k.swept, k.groupOf[fleet.HostTarget("i-0001")] = t0, "web"
	k.Next(t0)
	if e := k.open[fleet.HostTarget("i-0001")]; e == nil || e.d.Group != "web" || !e.few {
		t.Errorf("after the sweep: %+v", e)
	}
}

// A message by which an operator rehearses that EC2 takes an instance back lets Ebb look for his word at once; the word is obeyed only where the
// configuration allows it.
func TestARehearsalOfAHost(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		k := hearing(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), Rehearsals: allowed}}})
		k.groupOf[fleet.HostTarget("i-0001")] = "web"
		lookedForWords(k, t0)
		notice := func(cluster string) Heard {
			return Heard{Message: event.Message{ID: cluster, Sent: t0}, Event: event.Event{
				Kind: event.InstanceEnds, Instance: "i-0001", Cluster: cluster, Rehearsal: true, Time: t0,
			}}
		}
		k.Hear(notice("other"), t0)
		if n := lookedForWords(k, t0); n != 0 {
			t.Errorf("%d looks for another cluster", n)
		}
		k.Hear(notice("prod"), t0)
		word := saidOf("i-0001")
		word.Word.Reason = fleet.RehearsalReason
		if n := lookedForWords(k, t0.Add(time.Second), word); n != 1 {
			t.Errorf("%d looks", n)
		}
		k.Next(t0.Add(time.Second))
		if e := k.open[fleet.HostTarget("i-0001")]; (e != nil) != allowed || allowed && e.d.Noticed != "" {
			t.Errorf("allowed %t: %+v", allowed, e)
		}
	}
}
