package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// testdata/e0e7ec5.jsonl has bodies of records as the Ebb of commit e0e7ec5 wrote them: with every key, with the fewest, and some of a
// drain. What is written today has the same keys at the same places, so that either Ebb goes on with what the other wrote.
func TestBodiesAreThoseOfTheEbbBefore(t *testing.T) {
	file, err := os.ReadFile("testdata/e0e7ec5.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for body := range bytes.Lines(file) {
		s, err := read(journal.Record{Body: body})
		if err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var was, is map[string]any
		if err := errors.Join(json.Unmarshal(body, &was), json.Unmarshal(written, &is)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(was, is); d != "" {
			t.Errorf("(-e0e7ec5 +now)\n%s", d)
		}
	}
}

func TestForms(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                       "",
		`{"v":1,"kind":"host"}`:    "",
		`{"v":4}`:                  "",
		`{"v":5}`:                  "record k in the journal is of kind host, version 5, which only a newer version of Ebb reads",
		`{"kind":"service"}`:       "of kind service, version 1,",
		`{"v":4,"kind":"task"}`:    "of kind task, version 4,",
		`{"heard":7,"v":5}`:        "of kind host, version 5,", // what a newer Ebb means by a key need not be a time
		`{"heard":"soon"}`:         "read drain k from the journal",
		`{"v":1,"kind":"host"`:     "read drain k from the journal",
		`{"group":7,"kind":"ask"}`: "of kind ask, version 1,",
	} {
		_, err := Read(journal.Record{Key: "k", Scope: "cluster/prod", Body: []byte(body)})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want %q", body, err, want)
		}
		if _, unknown := errors.AsType[*UnknownRecord](err); unknown != strings.Contains(want, "of kind") {
			t.Errorf("%s: unknown %t", body, unknown)
		}
	}
}

// ofNewer are open records that only a newer Ebb reads: two tasks, which have no instance, and a host in a form of its own.
func ofNewer() []journal.Record {
	return []journal.Record{
		{Key: "task:prod/0123/1", Scope: "cluster/prod", Rev: 4, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"0123"}`)},
		{Key: "task:prod/4567/1", Scope: "cluster/other", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","heard":7}`)},
		{Key: "web/i-2/71514b9d", Scope: "cluster/prod", Rev: 2, Open: true, Body: []byte(`{"v":9,"instance":"i-2","group":"web"}`)},
	}
}

// Records of a newer Ebb are left alone, and so is what they are about; all else goes on.
func TestRecordsOfANewerEbbAreLeftAlone(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	cfg := Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}
	all := ofNewer()
	for _, open := range [][]journal.Record{all[:1], all[:2], all} {
		k, err := New(cfg, open, []journal.Record{{Key: "task:prod/89/1", Rev: 2, Body: []byte(`{"v":9,"kind":"task"}`)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []fleet.InstanceID{"i-1", "i-2"} {
			e := event.Event{Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: id, Token: "71514b9d-6a40-4b26-8523-05e7eEXAMPLE", Time: at}
			k.Hear(Heard{Event: e, Message: event.Message{ID: string(id), Sent: at}}, at)
		}
		var wrote []string
		for now := at; now.Before(at.Add(time.Hour)); now = now.Add(time.Minute) { // no call is ever answered
			o := k.Next(now)
			for _, v := range o.Settle {
				if !v.Delete {
					t.Errorf("message %s is left to the queue", v.Message)
				}
			}
			for _, r := range o.Batch.Records {
				wrote = append(wrote, r.Key)
			}
		}
		want := []string{"web/i-1/71514b9d", "web/i-2/71514b9d"}
		if len(open) == 3 {
			want = want[:1]
		}
		if d := cmp.Diff(want, unique(wrote)); d != "" || k.Open() != len(want) {
			t.Errorf("%d records of a newer Ebb: %d open, written: %s", len(open), k.Open(), d)
		}
		if d := cmp.Diff([]string{"cluster/prod"}, Scopes(cfg.Groups, open)); d != "" {
			t.Errorf("the lease of a scope that only a newer Ebb works for is claimed: %s", d)
		}
	}
}

// An instance that a sweep finds waiting is not adopted beside the open record of a newer Ebb.
func TestASweepLeavesTheInstanceOfANewerRecordAlone(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, ofNewer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wrote []string
	for range 3 { // the sweep, the hook of the group, and what comes of them
		at = at.Add(time.Second)
		o := k.Next(at)
		for _, r := range o.Batch.Records {
			wrote = append(wrote, r.Key)
		}
		for _, r := range o.Do {
			if r.Look == nil {
				continue
			}
			done := plan.Done{Request: r, Started: at}
			switch r.Look.Kind {
			case plan.Groups:
				done.Result.View.Groups = []fleet.Group{{Name: "web", Instances: []fleet.GroupInstance{
					{ID: "i-1", Group: "web", State: fleet.TerminatingWait}, {ID: "i-2", Group: "web", State: fleet.TerminatingWait},
				}}}
			case plan.Hooks:
				done.Result.View.Hooks = []fleet.Hook{{Name: "ebb-drain", Group: "web", Transition: fleet.TerminatingTransit}}
			default:
				continue
			}
			k.Did(done, at)
		}
	}
	if len(wrote) == 0 || !strings.HasPrefix(wrote[0], "web/i-1/") || k.Open() != 1 {
		t.Errorf("%d open, written %q", k.Open(), wrote)
	}
}

// unique is a list without what it has already, in its order.
func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// The short form of a record that a journal refused has the names of a few, and goes on with the drain.
func TestBounded(t *testing.T) {
	var names []string
	for i := range 3000 {
		names = append(names, strings.Repeat("n", 1000)+strconv.Itoa(i))
	}
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	long := stored{
		Drain: drain.Drain{
			Key: "web/i-1/a", Zero: at, Hold: drain.Hold{Group: "web", Token: "t"}, Left: names,
			Intent: &drain.Answer{At: at, Outcome: drain.Forced, Reason: strings.Repeat("é", 3000), CutOff: names},
			Final:  &drain.Answer{At: at, Outcome: drain.Forced, CutOff: names[:3]},
		},
		Instance: "i-1", Waiting: strings.Repeat("w", 100_000), Known: &passState{Live: names, Done: names, Beaten: at, Whole: at},
	}
	body, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	r := journal.Record{Key: "web/i-1/a", Scope: "s", Rev: 7, Open: true, Body: body}
	short, err := Bounded(r)
	if err != nil || len(short.Body) > 40_000 || short.Rev != 7 || short.Key != r.Key || !short.Open {
		t.Fatalf("%d bytes of %d, error %v", len(short.Body), len(body), err)
	}
	got, err := read(short)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Left) != boundedNames+1 || got.Left[boundedNames] != "and 2990 more" || len(got.Intent.CutOff) != boundedNames+1 || len(got.Final.CutOff) != 3 {
		t.Errorf("names: %d left, %d and %d cut off", len(got.Left), len(got.Intent.CutOff), len(got.Final.CutOff))
	}
	if got.Token != "t" || !got.Zero.Equal(at) || !got.Known.Beaten.Equal(at) || !got.Known.Whole.IsZero() || got.Intent.Outcome != drain.Forced {
		t.Errorf("got %+v", got)
	}
	if _, err := Bounded(journal.Record{Body: []byte("garbage")}); err == nil {
		t.Error("garbage has a short form")
	}
	few := stored{Drain: drain.Drain{Key: "web/i-1/a", Left: []string{"one"}}, Known: &passState{Live: []string{"a"}, Whole: at}}
	if r.Body, err = json.Marshal(few); err != nil {
		t.Fatal(err)
	}
	if same, err := Bounded(r); err != nil || !bytes.Equal(same.Body, r.Body) {
		t.Errorf("a short record became %s, error %v", same.Body, err)
	}
}

// As many names as may be, and a text as long as may be, stay as they are; what was handed on stays while its tasks are few.
func TestBoundsOfTheShortForm(t *testing.T) {
	names := func(n int) []string { return slices.Repeat([]string{"n"}, n) }
	for name, x := range map[string]struct{ given, want stored }{
		"ten names":          {stored{Drain: drain.Drain{Left: names(10)}}, stored{Drain: drain.Drain{Left: names(10)}}},
		"eleven":             {stored{Drain: drain.Drain{Lost: names(11)}}, stored{Drain: drain.Drain{Lost: append(names(10), "and 1 more")}}},
		"what would be done": {stored{Drain: drain.Drain{Would: names(12)}}, stored{Drain: drain.Drain{Would: append(names(10), "and 2 more")}}},
		"an ending": {stored{Drain: drain.Drain{Final: &drain.Answer{CutOff: names(11), Reason: strings.Repeat("r", 501)}}},
			stored{Drain: drain.Drain{Final: &drain.Answer{CutOff: append(names(10), "and 1 more"), Reason: strings.Repeat("r", 500) + "..."}}}},
		"a text":       {stored{Waiting: strings.Repeat("w", 500)}, stored{Waiting: strings.Repeat("w", 500)}},
		"a long text":  {stored{Waiting: strings.Repeat("w", 501)}, stored{Waiting: strings.Repeat("w", 500) + "..."}},
		"half of an é": {stored{Waiting: strings.Repeat("é", 249) + "wéé"}, stored{Waiting: strings.Repeat("é", 249) + "w..."}},
		"655 tasks": {stored{Known: &passState{Live: names(600), Done: names(55), Beaten: t0}},
			stored{Known: &passState{Live: names(600), Done: names(55), Beaten: t0}}},
		"656 tasks": {stored{Known: &passState{Live: names(600), Done: names(56), Beaten: t0, Looked: t0, Whole: t0}},
			stored{Known: &passState{Beaten: t0, Looked: t0}}},
	} {
		body, err := json.Marshal(x.given)
		if err != nil {
			t.Fatal(err)
		}
		short, err := Bounded(journal.Record{Body: body})
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(x.want)
		if d := cmp.Diff(string(want), string(short.Body)); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, d)
		}
	}
}
