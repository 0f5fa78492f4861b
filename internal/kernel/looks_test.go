package kernel

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

func TestAfterFailuresALookWaits(t *testing.T) {
	for fails, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 4: 20 * time.Second, 5: 20 * time.Second, 100: 20 * time.Second} {
		a := ask{failures: failures{fails, t0}}
		if got := a.again(); !got.Equal(t0.Add(want)) {
			t.Errorf("after %d failures it waits %s", fails, got.Sub(t0))
		}
		if a.free(t0.Add(want-1)) || !a.free(t0.Add(want)) {
			t.Errorf("after %d failures it is free at the wrong time", fails)
		}
		a.flying = true
		if a.free(t0.Add(want)) || !(wanted{a: &a}).at().IsZero() {
			t.Error("a look under way may be made")
		}
	}
	a := ask{failures: failures{failedAt: t0.Add(time.Hour)}}
	if !a.again().IsZero() || !a.free(t0) || !(wanted{a: &a, due: t0}).at().Equal(t0) {
		t.Error("what has not failed waits")
	}
	a.fails = 1
	if got := (wanted{a: &a, due: t0}).at(); !got.Equal(t0.Add(time.Hour + 5*time.Second)) {
		t.Errorf("what failed is made after %s", got.Sub(t0))
	}
}

func TestALookMayBeAThirdOfItsTimeEarly(t *testing.T) {
	p := drain.Policy{Look: 15 * time.Second}
	early, exact := plan.LookKinds, plan.LookKinds
	for k := range plan.LookKinds {
		if k.Spec().Early {
			early = k
		} else {
			exact = k
		}
	}
	p.LookFast = 5 * time.Second
	for left, want := range map[time.Duration]time.Duration{
		9 * time.Second: 3 * time.Second, 4 * time.Second: 4 * time.Second, time.Minute: 5 * time.Second, 0: 0, -time.Second: 0} {
		if got := slack(early, left, p); got != want {
			t.Errorf("due in %s: %s early, want %s", left, got, want)
		}
		if got := slack(exact, left, p); got != 0 {
			t.Errorf("due in %s: %s early, want none", left, got)
		}
	}
}

func TestWhatADrainWants(t *testing.T) {
	s := func(kind plan.LookKind, id string) plan.Subject { return plan.Subject{Kind: kind, ID: id} }
	w := func(subject plan.Subject, after int) drain.Want {
		return drain.Want{Subject: subject, Due: t0.Add(time.Duration(after) * time.Second)}
	}
	a, b, delay := s(plan.Tasks, "a"), s(plan.Tasks, "b"), s(plan.Delays, "tg")
	spelt := func(ws []wanted) (out []string) {
		for _, x := range ws {
			out = append(out, x.a.s.ID+" "+x.due.Sub(t0).String())
		}
		return out
	}
	k := newKernel(t, Config{})
	first := k.wants(nil, []drain.Want{w(a, 5), w(b, 2), w(a, 1), w(b, 3), w(delay, 1)}, drain.Defaults(), t0)
	if got, want := spelt(first), []string{"a 1s", "b 2s", " 1s"}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %q", got)
	}
	if first[0].a != k.ask(a) || first[0].a == first[1].a {
		t.Error("two subjects have one ask, or one has two")
	}
	again := k.wants(first, []drain.Want{w(b, 7), w(a, 8)}, drain.Defaults(), t0)
	if got := spelt(again); !slices.Equal(got, []string{"b 7s", "a 8s"}) || again[0].a != k.ask(b) || again[1].a != k.ask(a) {
		t.Errorf("another time: %q", got)
	}
	for i := range delaysFor + 1 {
		want := 2
		if i > delaysFor {
			want = 1
		}
		if got := k.wants(nil, []drain.Want{w(delay, 1), w(a, 1)}, drain.Defaults(), t0); len(got) != want {
			t.Errorf("with %d drains %q are wanted", i, spelt(got))
		}
		k.sorted = append(k.sorted, &entry{})
	}
	if got := k.wants(nil, []drain.Want{w(delay, 1), w(a, 1)}, drain.Defaults(), t0); len(got) != 1 || got[0].a.s != a {
		t.Errorf("with %d drains %q are wanted", len(k.sorted), spelt(got))
	}
	k = newKernel(t, Config{OnePass: true})
	if got := k.wants(nil, []drain.Want{w(delay, 1), w(a, 1)}, drain.Defaults(), t0); len(got) != 1 || got[0].a.s != a {
		t.Errorf("in one pass %q are wanted", spelt(got))
	}
}

func TestWhenTheGroupsAreSwept(t *testing.T) {
	for name, x := range map[string]struct {
		hooks map[string]time.Duration // heartbeat timeouts by group; negative: not seen
		held  map[string]journal.Lease
		want  time.Duration // after the latest; an hour: after now
	}{
		"every minute":                     {nil, nil, time.Minute},
		"long timeouts":                    {map[string]time.Duration{"a": 15 * time.Minute}, nil, time.Minute},
		"a third of the shortest":          {map[string]time.Duration{"a": 2 * time.Minute, "b": 90 * time.Second, "c": time.Hour}, nil, 30 * time.Second},
		"no less than ten seconds":         {map[string]time.Duration{"a": 3 * time.Second}, nil, 10 * time.Second},
		"a timeout that is not known":      {map[string]time.Duration{"a": -1}, nil, time.Minute},
		"whoever has a lease":              {nil, map[string]journal.Lease{"cluster/prod": {}}, time.Minute},
		"nothing, by who holds no lease":   {nil, map[string]journal.Lease{}, time.Hour},
		"exactly a third is no difference": {map[string]time.Duration{"a": 3 * time.Minute}, nil, time.Minute},
		"a little more than three times":   {map[string]time.Duration{"a": 200 * time.Second}, nil, time.Minute},
		"a little less":                    {map[string]time.Duration{"a": 150 * time.Second}, nil, 50 * time.Second},
	} {
		k := newKernel(t, Config{Held: x.held})
		k.swept = t0
		for g, timeout := range x.hooks {
			k.hooked[g] = true
			if timeout >= 0 {
				put(k.facts, plan.Subject{Kind: plan.Hooks, In: g}, fleet.Seen, t0, fleet.Hook{Heartbeat: timeout})
			}
		}
		if got := k.sweepDue(t0); !got.Equal(t0.Add(x.want)) {
			t.Errorf("%s: after %s, want %s", name, got.Sub(t0), x.want)
		}
	}
	k := newKernel(t, Config{})
	k.swept = t0
	a := k.ask(plan.Subject{Kind: plan.Groups})
	a.failures = failures{1, t0.Add(time.Hour)}
	if got := k.sweepDue(t0); !got.Equal(t0.Add(time.Hour + 5*time.Second)) {
		t.Errorf("after a failure it is swept after %s", got.Sub(t0))
	}
	a.flying = true
	if got := k.sweepDue(t0); !got.Equal(t0.Add(time.Hour)) {
		t.Errorf("while one is under way the next is due after %s", got.Sub(t0))
	}
}

func TestWhichGroupsAreSwept(t *testing.T) {
	groups := func(names ...string) (ms []Managed) {
		for _, n := range names {
			ms = append(ms, Managed{Match: n, Policy: drain.Defaults()})
		}
		return ms
	}
	for name, x := range map[string]struct {
		groups []Managed
		held   map[string]journal.Lease
		want   []string
	}{
		"by name":                   {groups("a", "b"), nil, []string{"a", "b"}},
		"all, because of a pattern": {groups("a", "b-*"), nil, nil},
		"those of others too":       {groups("a", "b", "c"), map[string]journal.Lease{"group/b": {}, "group/c": {}}, []string{"a", "b", "c"}},
	} {
		k := newKernel(t, Config{Groups: x.groups, Held: x.held})
		if got := k.sweepLook(); got.Kind != plan.Groups || !slices.Equal(got.IDs(), x.want) {
			t.Errorf("%s: %v, want %v", name, got.IDs(), x.want)
		}
	}
}

func TestWhoseHooksAreLookedAt(t *testing.T) {
	group := func(k *Kernel, name string, is fleet.Knowledge, ago time.Duration) {
		k.groups[name] = 1
		put(k.facts, hooksOf(name), is, t0.Add(-ago), fleet.Hook{})
	}
	looked := func(k *Kernel) (groups []string) {
		for _, l := range k.hookLooks(t0) {
			groups = append(groups, l.In)
		}
		return groups
	}
	k := newKernel(t, Config{})
	k.groups["unknown"] = 3
	group(k, "old", fleet.Seen, hooksFor+1)
	group(k, "new", fleet.Seen, hooksFor)
	group(k, "none", fleet.Absent, time.Second)
	group(k, "none, and an instance waits", fleet.Absent, time.Second)
	k.toAdopt[fleet.HostTarget("i-1")] = "none, and an instance waits"
	group(k, "seen, and an instance waits", fleet.Seen, time.Second)
	k.toAdopt[fleet.HostTarget("i-2")], k.toAdopt[fleet.HostTarget("i-3")] = "seen, and an instance waits", "old"
	k.groups["failed"] = 1
	k.ask(hooksOf("failed")).failures = failures{1, t0}
	if got, want := looked(k), []string{"none, and an instance waits", "old", "unknown"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	k.cfg.OnePass = true
	k.sorted = nil
	for _, g := range []string{"unknown", "new", "unknown", "another"} {
		k.sorted = append(k.sorted, &entry{d: drain.Drain{Hold: drain.Hold{Group: g, Hook: "ebb-drain"}}})
	}
	k.sorted = append(k.sorted, &entry{d: drain.Drain{Hold: drain.Hold{Group: "that of an operator's drain"}}})
	if got, want := looked(k), []string{"another", "none, and an instance waits", "old", "unknown"}; !slices.Equal(got, want) {
		t.Errorf("in one pass: got %q, want %q", got, want)
	}
}

// What is nearly due comes along with what is due; a look that is not full waits for others at the same place.
func TestWhatIsDueIsPutTogether(t *testing.T) {
	task := func(cluster, id string) plan.Subject { return plan.Subject{Kind: plan.Tasks, In: cluster, ID: id} }
	type want struct {
		s          plan.Subject
		after      time.Duration
		early      time.Duration
		otherDrain bool
	}
	full := make([]want, plan.MaxDescribeECS)
	var ids []string
	for i := range full {
		ids = append(ids, string(rune('a'+i%26))+string(rune('a'+i/26)))
		full[i] = want{task("prod", ids[i]), 0, 0, false}
	}
	flying := task("prod", "flying")
	for name, x := range map[string]struct {
		wants  []want
		before time.Duration // how long ago the place was looked at; 0: never
		pass   bool
		looks  [][]string
	}{
		"nothing is due":            {[]want{{task("prod", "a"), 1, 10, false}}, 0, false, nil},
		"one is":                    {[]want{{task("prod", "a"), 0, 0, false}}, 0, false, [][]string{{"a"}}},
		"another is nearly":         {[]want{{task("prod", "a"), 0, 0, false}, {task("prod", "b"), 10, 10, true}}, 0, false, [][]string{{"a", "b"}}},
		"another is not":            {[]want{{task("prod", "a"), 0, 0, false}, {task("prod", "b"), 10, 9, true}}, 0, false, [][]string{{"a"}}},
		"two want the same":         {[]want{{task("prod", "a"), 0, 0, false}, {task("prod", "a"), -1, 0, true}}, 0, false, [][]string{{"a"}}},
		"at two places":             {[]want{{task("prod", "a"), -1, 0, false}, {task("test", "a"), -2, 0, true}}, 0, false, [][]string{{"a"}, {"a"}}},
		"nearly due elsewhere":      {[]want{{task("prod", "a"), 0, 0, false}, {task("test", "a"), 1, 1, true}}, 0, false, [][]string{{"a"}}},
		"it was looked at just now": {[]want{{task("prod", "a"), 0, 0, false}}, spacing - 1, false, nil},
		"and some time ago":         {[]want{{task("prod", "a"), 0, 0, false}}, spacing, false, [][]string{{"a"}}},
		"it is full":                {full, spacing - 1, false, [][]string{ids}},
		"only another drain's is":   {[]want{{task("prod", "a"), 1, 0, false}, {task("prod", "b"), 0, 0, true}}, 0, false, [][]string{{"b"}}},
		"one is under way already":  {[]want{{flying, 0, 0, false}, {task("prod", "a"), 0, 0, true}}, 0, false, [][]string{{"a"}}},
		"just now, in a pass":       {[]want{{task("prod", "a"), 0, 0, false}}, spacing - 1, true, [][]string{{"a"}}},
	} {
		k := newKernel(t, Config{OnePass: x.pass})
		one, other := &entry{}, &entry{}
		k.sorted = []*entry{one, other}
		for _, w := range x.wants {
			e := one
			if w.otherDrain {
				e = other
			}
			e.wants = append(e.wants, wanted{k.ask(w.s), t0.Add(w.after), w.early})
		}
		k.ask(flying).flying = true
		if x.before != 0 {
			k.spaced[place{plan.Tasks, "prod"}] = t0.Add(-x.before)
		}
		var looks [][]string
		for _, l := range k.dueBatches(t0) {
			looks = append(looks, l.IDs())
		}
		if !slices.EqualFunc(looks, x.looks, slices.Equal[[]string]) {
			t.Errorf("%s: %v, want %v", name, looks, x.looks)
		}
	}
}

func TestAFullLookDoesNotWaitForOthers(t *testing.T) {
	k := newKernel(t, Config{})
	e := &entry{}
	k.sorted = []*entry{e}
	for i := range plan.MaxDescribeECS + 1 {
		s := plan.Subject{Kind: plan.Tasks, In: "prod", ID: string(rune('a'+i%26)) + string(rune('a'+i/26))}
		e.wants = append(e.wants, wanted{k.ask(s), t0.Add(-time.Duration(i)), 0})
	}
	k.spaced[place{plan.Tasks, "prod"}] = t0
	looks := k.dueBatches(t0)
	if len(looks) != 2 || len(looks[0].IDs()) != plan.MaxDescribeECS || len(looks[1].IDs()) != 1 {
		t.Fatalf("got %d looks", len(looks))
	}
	if !looks[0].at.Equal(t0.Add(-plan.MaxDescribeECS+1)) || !looks[1].at.Equal(t0.Add(-plan.MaxDescribeECS)) {
		t.Errorf("they are due since %s and %s", looks[0].at, looks[1].at)
	}
	e.wants[0].a.flying = true
	if !k.anyDue(t0) {
		t.Error("of many only the first counts")
	}
	for _, w := range e.wants {
		w.a.flying = true
	}
	if k.anyDue(t0) || k.dueBatches(t0) != nil {
		t.Error("what is under way is due")
	}
}

// How the lists that are wanted in one cluster are made: host by host, or of the whole cluster when that takes fewer calls.
func TestHowTasksAreListed(t *testing.T) {
	keep := plan.Clusters.Spec().Keep
	size := func(running int, ago time.Duration) *fleet.Fact[fleet.Cluster] {
		return &fleet.Fact[fleet.Cluster]{Is: fleet.Seen, At: t0.Add(-ago), Value: fleet.Cluster{Running: running}}
	}
	for name, x := range map[string]struct {
		hosts, soon int
		since       time.Duration // how long the first has waited
		size        *fleet.Fact[fleet.Cluster]
		pass, busy  bool
		kind        plan.LookKind // of the looks; LookKinds: there are none
		begun       bool          // a listing of the whole cluster
	}{
		"too few":                             {19, 0, time.Minute, size(100, 0), false, false, plan.ListRunning, false},
		"enough":                              {20, 0, time.Minute, size(100, 0), false, false, plan.ListCluster, true},
		"enough with those that want it soon": {12, 8, time.Minute, size(100, 0), false, false, plan.ListCluster, true},
		"they are waited for":                 {12, 8, gather - 1, size(100, 0), false, false, plan.LookKinds, false},
		"one is waited for":                   {19, 1, gather - 1, size(100, 0), false, false, plan.LookKinds, false},
		"not for ever":                        {12, 8, gather, size(100, 0), false, false, plan.ListCluster, true},
		"nobody else is waited for":           {20, 0, 0, size(100, 0), false, false, plan.ListCluster, true},
		"a pass does not wait":                {12, 8, 0, size(100, 0), true, false, plan.ListCluster, true},
		"one is under way":                    {20, 0, time.Minute, size(100, 0), false, true, plan.LookKinds, false},
		"its size is not known":               {20, 0, time.Minute, nil, false, false, plan.Clusters, false},
		"its size is just old enough":         {20, 0, time.Minute, size(100, keep), false, false, plan.ListCluster, true},
		"its size is too old":                 {20, 0, time.Minute, size(100, keep+1), false, false, plan.Clusters, false},
		"it is not there":                     {20, 0, time.Minute, &fleet.Fact[fleet.Cluster]{Is: fleet.Absent, At: t0}, false, false, plan.ListRunning, false},
		"it is large":                         {20, 0, time.Minute, size(600, 0), false, false, plan.ListRunning, false},
		"it is large, and so many want it":    {400, 0, time.Minute, size(100*passPages, 0), false, false, plan.ListCluster, true},
		"but a pass cannot read so much":      {400, 0, time.Minute, size(100*passPages, 0), true, false, plan.ListRunning, false},
		"a pass can read one page less":       {400, 0, time.Minute, size(100*(passPages-1), 0), true, false, plan.ListCluster, true},
	} {
		k := newKernel(t, Config{OnePass: x.pass})
		b := &batchAt{place: place{plan.ListRunning, "prod"}, due: true, first: t0.Add(-x.since), soon: x.soon}
		for i := range x.hosts {
			b.subjects = append(b.subjects, dueSubject{plan.Subject{Kind: plan.ListRunning, In: "prod", ID: string(rune('a' + i))}, b.first})
		}
		if x.size != nil {
			put(k.facts, sizeOf("prod"), x.size.Is, x.size.At, x.size.Value)
		}
		busy := &listing{}
		if x.busy {
			k.listings["prod"] = busy
		}
		looks := k.listLooks(b, t0)
		looks = append(looks, k.listingLooks(t0)...)
		if x.busy {
			looks = looks[:len(looks)-1] // that of the listing under way
			if k.listings["prod"] != busy {
				t.Errorf("%s: another was begun in its place", name)
			}
		}
		got := plan.LookKinds
		if len(looks) > 0 {
			got = looks[0].Kind
		}
		if got != x.kind || (k.listings["prod"] != nil) != (x.begun || x.busy) {
			t.Errorf("%s: %d looks at %s, want %s", name, len(looks), got, x.kind)
		}
		if x.begun {
			for _, s := range b.subjects {
				if !k.ask(s.Subject).flying {
					t.Errorf("%s: %s may be listed by itself too", name, s.ID)
				}
			}
		}
	}
}

// Each listing asks for its next page, and where the tasks are whose container instance is not known, a hundred at a time.
func TestWhatListingsAskFor(t *testing.T) {
	tasks := func(n int) (arns []fleet.ARN) {
		for i := range n {
			arns = append(arns, fleet.ARN(string(rune('a'+i%26))+string(rune('a'+i/26))))
		}
		return arns
	}
	most := plan.MaxDescribeECS
	for name, x := range map[string]struct {
		l     listing
		pages int
		homes []int
	}{
		"the first page":          {listing{}, 1, nil},
		"a page is under way":     {listing{page: 7}, 0, nil},
		"some tasks wait":         {listing{page: 7, homeless: tasks(most - 1)}, 0, nil},
		"as many as one may ask":  {listing{page: 7, homeless: tasks(most)}, 0, []int{most}},
		"more":                    {listing{homeless: tasks(2*most + 1)}, 1, []int{most, most}},
		"every page has come":     {listing{listed: true, homeless: tasks(most + 1)}, 0, []int{most, 1}},
		"and every task is known": {listing{listed: true}, 0, nil},
		"it failed just now":      {listing{failures: failures{1, t0}}, 0, nil},
	} {
		k := newKernel(t, Config{})
		x.l.cluster, x.l.kind, x.l.token = "prod", plan.ListStopped, "t"
		k.listings["prod"], k.listings["test"], k.listings["a"] = &x.l, &listing{cluster: "test", kind: plan.ListRunning}, &listing{failures: failures{1, t0}}
		pages, homes := 0, []int(nil)
		for _, l := range k.listingLooks(t0) {
			switch {
			case l.In == "test" && l.Kind == plan.ListCluster && slices.Equal(l.IDs(), []string{"RUNNING"}):
			case l.In == "prod" && l.Kind == plan.ListCluster && l.Token == "t" && slices.Equal(l.IDs(), []string{fleet.Stopped}):
				pages++
			case l.In == "prod" && l.Kind == plan.Homes:
				homes = append(homes, len(l.IDs()))
			default:
				t.Errorf("%s: asks for %+v", name, l)
			}
		}
		if pages != x.pages || !slices.Equal(homes, x.homes) {
			t.Errorf("%s: %d pages, the homes of %v tasks", name, pages, homes)
		}
	}
}

// Looks at one place are a second apart; another place does not wait.
func TestAPlaceRests(t *testing.T) {
	k, e := newKernel(t, Config{}), &entry{}
	k.sorted = []*entry{e}
	look := func(cluster string, after time.Duration) int {
		a := k.ask(plan.Subject{Kind: plan.Tasks, In: cluster, ID: "a"})
		e.wants = []wanted{{a, t0.Add(after), 0}}
		return len(k.dueBatches(t0.Add(after)))
	}
	for _, x := range []struct {
		cluster string
		after   time.Duration
		want    int
	}{{"prod", 0, 1}, {"prod", spacing - 1, 0}, {"test", spacing - 1, 1}, {"prod", spacing, 1}, {"prod", 2*spacing - 1, 0}} {
		if got := look(x.cluster, x.after); got != x.want {
			t.Errorf("%s after %s: %d looks, want %d", x.cluster, x.after, got, x.want)
		}
	}
}

// A list of the whole cluster waits for the hosts that want one within ten seconds, as long as the first has not waited for so long itself.
func TestWhoIsWaitedForBeforeAClusterIsListed(t *testing.T) {
	for name, x := range map[string]struct {
		due, soon, late, flying int           // hosts: how many want a list now, in ten seconds, later; and have one made
		since                   time.Duration // how long the first of those has waited; the others come later
		looks                   int
		begun                   bool
	}{
		"eight are soon due":                   {12, 8, 0, 0, 9 * sec, 0, false},
		"the first has waited":                 {12, 8, 0, 0, gather, 0, true},
		"one of them later":                    {12, 7, 1, 0, 9 * sec, 3, false},
		"one of them is under way":             {12, 7, 0, 1, 9 * sec, 3, false},
		"enough are due, and one more is soon": {20, 1, 0, 0, 9 * sec, 0, false},
		"enough are due, and one more is late": {20, 0, 1, 0, 9 * sec, 0, true},
	} {
		k := newKernel(t, Config{})
		put(k.facts, sizeOf("prod"), fleet.Seen, t0, fleet.Cluster{Name: "prod", Running: 100})
		n := 0
		add := func(hosts int, due time.Duration, flying bool) {
			for range hosts {
				a := k.ask(plan.Subject{Kind: plan.ListRunning, In: "prod", ID: string(host(n))})
				a.flying = flying
				k.sorted = append(k.sorted, &entry{wants: []wanted{{a, t0.Add(due), 0}}})
				n++
			}
		}
		add(2, -sec, false)
		add(1, -x.since, false)
		add(x.due-3, -sec, false)
		add(x.soon, gather, false)
		add(x.late, gather+1, false)
		add(x.flying, 0, true)
		looks := k.dueBatches(t0)
		if begun := k.listings["prod"] != nil; len(looks) != x.looks || begun != x.begun {
			t.Errorf("%s: %d looks, the cluster is listed %v", name, len(looks), begun)
		}
	}
}

// In one pass a sweep comes first, alone, because it shows most of what other looks would. Then no look waits.
func TestTheFirstLooksOfAPass(t *testing.T) {
	play(t, []scene{
		{"two hosts, one of which is gone", Config{OnePass: true}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.state("i-2", fleet.WarmedPendingWait)
			for _, h := range []string{"i-1", "i-2"} { // they were admitted by an earlier pass
				k.begun(&entry{d: drain.Drain{Key: h, Target: fleet.HostTarget(fleet.InstanceID(h)), Zero: t0, Heard: t0, Admitted: true,
					Hold: drain.Hold{Group: "web", Hook: "ebb-drain"}, Host: drain.Host{Cluster: "prod"}}, man: managed("web", "prod")[0],
					scope: "cluster/prod", dirty: true})
			}
			a.takes["groups"] = sec
		}, 2 * sec, []string{"groups", "hooks", "instances"}, `
			0.0 groups: web
			1.0 hooks of web
			1.0 find-container-instances of prod: i-1
			1.0 group-instances: i-2
			1.1 find-container-instances of prod: i-2
		`},
	})
}
