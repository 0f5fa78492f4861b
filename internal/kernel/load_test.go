package kernel

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// openRecord is the open record of a drain of a host, in its first revision.
func openRecord(key string, heard time.Time, change func(*drain.Drain)) journal.Record {
	parts := strings.Split(key, "/")
	d := drain.Drain{Key: key, Heard: heard, Zero: heard, Hold: drain.Hold{Group: parts[0], Hook: "ebb-drain", Token: "t"}}
	if change != nil {
		change(&d)
	}
	d.Target = fleet.HostTarget(fleet.InstanceID(parts[1]))
	return recordOf(&entry{d: d, scope: "cluster/prod"})
}

// What is known of a drain when a kernel takes it up: as its group is configured now, or as it was begun.
func TestWhatIsTakenUpFromTheJournal(t *testing.T) {
	web := []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}
	none := []Managed{{Match: "other", Cluster: "prod", Policy: drain.Defaults()}}
	for name, x := range map[string]struct {
		groups  []Managed
		held    map[string]journal.Lease
		change  func(*drain.Drain)
		cluster string // empty: it is not taken up
		wrong   string
	}{
		"as it is configured": {web, nil, nil, "prod", ""},
		"in another cluster":  {web, nil, func(d *drain.Drain) { d.Cluster, d.WrongCluster = "old", "prod" }, "prod", ""},
		"found in another cluster": {web, nil, func(d *drain.Drain) {
			d.Cluster, d.WrongCluster, d.ContainerInstance = "old", "x", "arn"
		}, "old", "x"},
		"managed no more":            {none, nil, func(d *drain.Drain) { d.Cluster, d.WrongCluster = "old", "x" }, "old", "x"},
		"of a scope of its own":      {web, map[string]journal.Lease{"cluster/prod": {}}, nil, "prod", ""},
		"of the scope of another":    {web, map[string]journal.Lease{"cluster/other": {}}, nil, "", ""},
		"managed no more, its scope": {none, map[string]journal.Lease{"cluster/prod": {}}, func(d *drain.Drain) { d.Cluster = "old" }, "old", ""},
	} {
		k, err := New(Config{Hook: "ebb-drain", Groups: x.groups, Held: x.held}, []journal.Record{openRecord("web/i-0001/a", t0, x.change)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if x.cluster == "" {
			if k.Open() != 0 {
				t.Errorf("%s: it was taken up", name)
			}
			continue
		}
		if k.Open() != 1 || k.sorted[0].d.Cluster != x.cluster || k.sorted[0].d.WrongCluster != x.wrong {
			t.Errorf("%s: %d open, cluster %q, wrong %q", name, k.Open(), k.sorted[0].d.Cluster, k.sorted[0].d.WrongCluster)
		}
	}
	_, err := New(Config{Groups: web}, []journal.Record{{Key: "web/i-0001/a", Open: true, Body: []byte(`{"heard":"soon"}`)}}, nil)
	if err == nil || !strings.Contains(err.Error(), "read drain web/i-0001/a from the journal") {
		t.Errorf("got %v", err)
	}
}

// What a drain of a group that is managed no more may do: it is drained or observed as before, and waits for its turn if it had to before.
func TestHowADrainOfAGroupThatIsManagedNoMoreGoesOn(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*drain.Drain)
		want   int // of three are set DRAINING
	}{
		"drained":                 {nil, 3},
		"observed":                {func(d *drain.Drain) { d.Observed = true }, 0},
		"one after another":       {func(d *drain.Drain) { d.Queued = t0 }, 1},
		"all have had their turn": {func(d *drain.Drain) { d.Slot = t0 }, 3},
	} {
		var open []journal.Record
		for _, id := range []string{"i-0001", "i-0002", "i-0003"} {
			open = append(open, openRecord("web/"+id+"/a", t0, x.change))
		}
		k, err := New(Config{Hook: "ebb-drain", InFlight: 1000, Groups: []Managed{{Match: "other", Policy: drain.Defaults()}}}, open, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := setDraining(k, t0, 3*time.Minute, 3); got != x.want {
			t.Errorf("%s: %d were set DRAINING, want %d", name, got, x.want)
		}
	}
}

// The clock of the Ebb before may have differed: what takes some time by both clocks takes that much longer.
func TestTheClocksOfTwoEbbsMayDiffer(t *testing.T) {
	for skew, want := range map[time.Duration]time.Duration{0: 2 * time.Minute, 30 * time.Second: 150 * time.Second} {
		r := openRecord("web/i-0001/a", t0, func(d *drain.Drain) { d.StayingSince = t0 })
		k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}, Skew: skew},
			[]journal.Record{r}, nil)
		if err != nil {
			t.Fatal(err)
		}
		recs, _, _ := drive(k, t0, 5*time.Minute, full(fleet.InService))
		d, err := Read(recs[len(recs)-1])
		if took := d.Ended.Sub(t0); err != nil || took < want || took > want+15*time.Second {
			t.Errorf("clocks that differ by %s: found not to leave after %s, want %s, error %v", skew, took, want, err)
		}
	}
}

// Revisions rise by one, also after a restart, and the record of a drain that has ended tells nothing of a pass.
func TestRevisionsOfARecord(t *testing.T) {
	cfg := budgeted(MaxUnavailable{})
	cfg.Hook, cfg.OnePass = "ebb-drain", true
	r := openRecord("web/i-0001/a", t0, nil)
	r.Rev = 7
	k, err := New(cfg, []journal.Record{r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	recs, _, _ := drive(k, t0, 10*time.Minute, full(fleet.TerminatingWait))
	if len(recs) < 3 {
		t.Fatalf("%d records", len(recs))
	}
	for i, r := range recs {
		known := bytes.Contains(r.Body, []byte(`"known":`))
		if last := i == len(recs)-1; r.Rev != int64(8+i) || r.Open == last || known == last {
			t.Errorf("%d of %d: revision %d, open %t, tells of a pass: %t", i, len(recs), r.Rev, r.Open, known)
		}
	}
	k = newKernel(t, Config{})
	k.Hear(termination(1), t0)
	first := k.Next(t0).Batch.Records
	again := k.Next(t0).Batch.Records
	if len(first) != 1 || first[0].Rev != 1 || len(again) != 0 {
		t.Errorf("first %+v, and then %+v", first, again)
	}
}

// Of the open drains of an instance, in whatever groups, all but the newest are doubled. What nobody can read is none of them.
func TestDoubledAmongMany(t *testing.T) {
	at := func(key string, n int) journal.Record {
		return openRecord(key, t0.Add(time.Duration(n)*time.Second), nil)
	}
	garbage := func(key string) journal.Record { return journal.Record{Key: key, Open: true, Body: []byte("{")} }
	for name, x := range map[string]struct {
		open []journal.Record
		want []string
	}{
		"none":             {[]journal.Record{at("web/i-1/a", 1), at("web/i-2/a", 1), at("web/i-3/a", 1)}, nil},
		"after others":     {[]journal.Record{at("web/i-1/a", 1), at("web/i-2/a", 1), at("web/i-2/b", 2)}, []string{"web/i-2/a"}},
		"the newest first": {[]journal.Record{at("web/i-1/c", 3), at("web/i-1/b", 2), at("web/i-1/a", 1)}, []string{"web/i-1/a", "web/i-1/b"}},
		"the newest last":  {[]journal.Record{at("web/i-1/a", 1), at("web/i-1/b", 2), at("web/i-1/c", 3)}, []string{"web/i-1/a", "web/i-1/b"}},
		"in two groups":    {[]journal.Record{at("web/i-1/a", 1), at("app/i-1/b", 2)}, []string{"web/i-1/a"}},
		"after garbage": {[]journal.Record{garbage("web/i-1/x"), at("web/i-1/a", 1), garbage("web/i-1/y"), at("web/i-1/b", 2), garbage("")},
			[]string{"web/i-1/a"}},
		"garbage alone": {[]journal.Record{garbage("x"), garbage("web/i-1/x"), garbage("web/i-1/y")}, nil},
	} {
		want := map[string]bool{}
		for _, key := range x.want {
			want[key] = true
		}
		if d := cmp.Diff(want, Doubled(x.open)); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

// What stands in place of an open record that cannot be worked with: its end, and a line with what it was. All else stays as it is.
func TestWhatStandsInPlaceOfARecord(t *testing.T) {
	const lost = "its record in the journal could not be read; if the instance still waits in its hook, the sweep finds it and drains it anew"
	const twice = "the journal has a newer open drain of the same instance, which goes on"
	const unread = "set aside a record that cannot be read: read drain "
	readable := openRecord("web/i-1/a", t0, nil)
	for name, x := range map[string]struct {
		r               journal.Record
		doubled         bool
		group, instance string // of the drain that has ended; empty: the record stays
		reason, text    string
	}{
		"readable":         {readable, false, "", "", "", ""},
		"doubled":          {readable, true, "web", "i-1", twice, "set aside a record: the same instance has a newer open drain"},
		"of a newer Ebb":   {ofNewer()[2], false, "", "", "", ""},
		"and doubled":      {ofNewer()[2], true, "", "", "", ""},
		"garbage":          {journal.Record{Key: "a/b/i-1/x", Body: []byte("{")}, false, "a/b", "i-1", lost, unread},
		"garbage, doubled": {journal.Record{Key: "web/i-1/x", Body: []byte("{")}, true, "web", "i-1", lost, unread},
		"of no group":      {journal.Record{Key: "/i-1/x", Body: []byte("{")}, false, "", "i-1", lost, unread},
		"of one part":      {journal.Record{Key: "x", Body: []byte("{")}, false, "", "x", lost, unread},
		"large":            {journal.Record{Key: "web/i-1/x", Body: bytes.Repeat([]byte("{"), keptBody+1)}, false, "web", "i-1", lost, unread},
	} {
		x.r.Scope, x.r.Rev, x.r.Open = "cluster/prod", 4, true
		ended, line, err := Unread(x.r, x.doubled, t0)
		if x.instance == "" {
			if err != nil || cmp.Diff(x.r, ended) != "" || cmp.Diff(journal.Line{}, line) != "" {
				t.Errorf("%s: %+v, %+v, error %v", name, ended, line, err)
			}
			continue
		}
		if err == nil || ended.Key != x.r.Key || ended.Scope != "cluster/prod" || ended.Rev != 5 || ended.Open {
			t.Errorf("%s: %+v, error %v", name, ended, err)
		}
		got, err := Read(ended)
		want := drain.Drain{
			Key: x.r.Key, Target: fleet.HostTarget(fleet.InstanceID(x.instance)), Heard: t0, Zero: t0, Ended: t0, Hold: drain.Hold{Group: x.group},
			Final: &drain.Answer{At: t0, Outcome: drain.Unreadable, Reason: x.reason},
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: error %v (-want +got)\n%s", name, err, d)
		}
		if !line.At.Equal(t0) || line.Key != x.r.Key || line.Kind != journal.SetAside || !strings.HasPrefix(line.Text, x.text) ||
			!bytes.Equal(line.Data, x.r.Body[:min(len(x.r.Body), 16<<10)]) {
			t.Errorf("%s: line %s %s %q with %d bytes", name, line.Key, line.Kind, line.Text, len(line.Data))
		}
	}
}

// The scopes are those that are configured and those of open drains whose group is configured no more, each once.
func TestScopesOfAConfigurationAndOfOpenDrains(t *testing.T) {
	managed := []Managed{{Match: "web", Cluster: "prod"}, {Match: "app-*"}, {Match: "db", Cluster: "prod"}}
	in := func(scope, key string) journal.Record {
		r := openRecord(key, t0, nil)
		r.Scope = scope
		return r
	}
	open := []journal.Record{
		in("cluster/prod", "gone/i-1/a"), in("cluster/old", "web/i-2/a"), in("cluster/a", "gone/i-3/a"), in("cluster/a", "gone/i-4/a"),
		{Key: "x", Scope: "cluster/garbage", Body: []byte("{")}, in("cluster/z", "gone/i-5/a"),
	}
	if d := cmp.Diff([]string{"cluster/a", "cluster/prod", "cluster/z", "group/app-*"}, Scopes(managed, open)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
