package kernel

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
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
	return k
}

func minute(minutes int) time.Time { return t0.Add(time.Duration(minutes) * time.Minute) }

func TestAWordMakesOneDrain(t *testing.T) {
	k := hearing(t, Config{})
	if n := lookedForWords(k, t0, saidOf("i-0001"), saidOf("i-0002")); n != 1 {
		t.Fatalf("%d looks", n)
	}
	out := k.Next(t0)
	if k.Open() != 2 || len(out.Batch.Records) != 2 {
		t.Fatalf("%d open, %d records", k.Open(), len(out.Batch.Records))
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
	k.newer["prod/i-0003"], k.aside["web/i-0004"] = &UnknownRecord{}, true
	lookedForWords(k, t0, late, bad, saidOf("i-0003"), saidOf("i-0004"))
	out := k.Next(t0)
	if k.Open() != 0 || countLines(out.Batch.Lines, "failed") != 1 || !strings.Contains(out.Batch.Lines[0].Text, "it has 1 words") {
		t.Errorf("%d open, lines %+v", k.Open(), out.Batch.Lines)
	}
	k.said.now["prod"] = "cluster/prod"
	lookedForWords(k, minute(1), bad)
	if n := countLines(k.Next(minute(1)).Batch.Lines, "failed"); n != 0 {
		t.Error("it is told again")
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
	k.HearWord(journal.Forwarded{Scope: "group/web", ID: WordID + "-x", Body: "{"})
	if n := lookedForWords(k, minute(1)); n != 0 {
		t.Error("what cannot be read is looked for")
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
