package kernel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// replacing is a group whose tasks are replaced first.
func replacing() Config {
	groups := managed("web", "prod")
	groups[0].ReplaceFirst = true
	return Config{Groups: groups}
}

// standingIn is a cluster in which "od" stands in for "spot".
func standingIn(floor int) Config {
	return Config{Groups: []Managed{{Cluster: "prod", StandIns: []StandIn{{Spot: "spot", OnDemand: "od", After: 2 * time.Minute, Floor: floor}}}}}
}

// atFull is a service that may have no more tasks than are desired.
func atFull(name string, n int) fleet.Service {
	return fleet.Service{Name: name, Cluster: "prod", Desired: n, Running: n, MinPercent: 100, MaxPercent: 100}
}

// service finds a service of the account.
func (a *account) service(name string) *fleet.Service {
	return &a.services[slices.IndexFunc(a.services, func(s fleet.Service) bool { return s.Name == name })]
}

// leaves is a host with two tasks of service a and one of service b, of which there are four each.
func leaves(a *account, k *Kernel) {
	a.group("web")
	a.host("i-1", "web", "prod", "a1", "a2", "b1")
	b := atFull("b", 4)
	b.MaxPercent = 200
	a.services = []fleet.Service{atFull("a", 4), b}
	a.hear(k, 0, "web", "i-1")
}

func TestDesiredCounts(t *testing.T) {
	words := []string{"set-desired-count", "desired-count:", "record count:", "failed"}
	play(t, []scene{
		{name: "what ECS does not replace is raised, and put back once it runs", cfg: replacing(), lasts: 10 * time.Minute, only: words,
			setup: func(a *account, k *Kernel) {
				leaves(a, k)
				a.at[20*time.Second] = func() { a.service("a").Running = 6 }
			}, want: `
			0.5 record count:prod/a/1 1, base 4, cluster "prod", count 4, kind "count", open true, raises [{"by":2,"in":0.5,"until":1800.5,"who":"web/i-1/s0"}],
			> service "a", sure 0.4, write {"at":0.5,"to":6}
			0.5 set-desired-count of a in prod: 6
			0.6 record count:prod/a/1 2, count 6, raises [{"by":2,"in":0.5,"until":1800.5,"who":"web/i-1/s0"}], sure 10.6, told 0.6, no write
			0.6 line count:prod/a/1 desired-count: the desired count of service a in cluster prod is 6: 4, and 2 raised for web/i-1/s0
			30.5 record count:prod/a/1 3, sure 30.4, write {"at":30.5,"to":4}, no raises
			30.5 set-desired-count of a in prod: 4
			30.6 record count:prod/a/1 4, count 4, sure 40.6, told 30.6, no write
			30.6 line count:prod/a/1 desired-count: the desired count of service a in cluster prod is 4: what was raised is put back
			70.6 record count:prod/a/1 5, open false`},
		{name: "nobody is raised without the key", cfg: Config{}, lasts: 10 * time.Minute, only: words, setup: leaves},
		{name: "of a service that deploys, or that somebody has stopped, nothing is raised", cfg: replacing(), lasts: time.Minute, only: words,
			setup: func(a *account, k *Kernel) {
				leaves(a, k)
				a.service("a").Deploying = true
				a.service("b").Desired, a.service("b").MaxPercent = 0, 100
			}},
		{name: "what is refused is tried again", cfg: replacing(), lasts: 16 * time.Second, only: words[:1], setup: func(a *account, k *Kernel) {
			leaves(a, k)
			a.fails["set-desired-count"] = &plan.Failure{Class: plan.Denied, Message: "no right"}
			a.at[5*time.Second] = func() { delete(a.fails, "set-desired-count") }
		}, want: `
			0.5 set-desired-count of a in prod: 6
			0.6 line count:prod/a/1 failed: set-desired-count of service a failed: denied: no right; it is tried again
			6.0 set-desired-count of a in prod: 6`},
	})
}

func TestLacking(t *testing.T) {
	for _, x := range []struct {
		running, pending, percent, base, want, leaving, lack int
		why                                                  string
	}{
		{10, 0, 200, 10, 10, 2, 0, "ECS starts two at once"},
		{10, 0, 100, 10, 10, 2, 2, "ECS may start none"},
		{10, 0, 110, 10, 10, 2, 1, "ECS may start one"},
		{3, 0, 150, 3, 3, 2, 1, "half of three is one"},
		{10, 2, 100, 10, 12, 2, 0, "they are being started"},
		{10, 0, 100, 10, 12, 4, 2, "two are raised, and two more leave"},
		{12, 0, 100, 10, 12, 4, 2, "two run already, and two more leave"},
		{12, 0, 100, 10, 12, 2, 0, "two run already"},
		{10, 0, 0, 10, 10, 2, 0, "the percentage is not known"},
	} {
		s := fleet.Service{Desired: x.want, Running: x.running, Pending: x.pending, MaxPercent: x.percent}
		if got := lacking(s, x.base, x.want, x.leaving); max(0, got) != x.lack {
			t.Errorf("%s: %d", x.why, got)
		}
	}
	if lacking(fleet.Service{Desired: 4, Running: 4, MaxPercent: 100, Daemon: true}, 4, 4, 2) != 0 {
		t.Error("a daemon service has no desired count")
	}
}

func TestAServiceStandsInForSpot(t *testing.T) {
	words := []string{"set-desired-count", "desired-count:"}
	start := func(a *account, missing int, ecs time.Duration) {
		spot, od := atFull("spot", 10), atFull("od", 1)
		spot.Running -= missing
		if ecs > 0 {
			spot.NoCapacity = t0.Add(ecs)
		}
		a.services = []fleet.Service{spot, od}
	}
	play(t, []scene{
		{name: "what is missing for long enough", cfg: standingIn(0), lasts: 20 * time.Minute, only: words, setup: func(a *account, _ *Kernel) {
			start(a, 4, time.Second)
			a.at[5*time.Minute] = func() { a.service("spot").Running = 4 }
			a.at[8*time.Minute] = func() { a.service("spot").Running = 10 }
		}, want: `
			120.2 set-desired-count of od in prod: 5
			120.3 line count:prod/od/1 desired-count: the desired count of service od in cluster prod is 5: 1, and 4 raised for spot/spot
			300.1 set-desired-count of od in prod: 7
			300.2 line count:prod/od/1 desired-count: the desired count of service od in cluster prod is 7: 1, and 6 raised for spot/spot
			780.1 set-desired-count of od in prod: 1
			780.2 line count:prod/od/1 desired-count: the desired count of service od in cluster prod is 1: what was raised is put back`},
		{name: "what is missing no more is taken back, and no more than that", cfg: standingIn(0), lasts: 12 * time.Minute, only: words[:1],
			setup: func(a *account, _ *Kernel) {
				start(a, 4, time.Second)
				a.at[5*time.Minute] = func() { a.service("spot").Running = 9 }
			}, want: `
			120.2 set-desired-count of od in prod: 5
			600.1 set-desired-count of od in prod: 2`},
		{name: "up to the floor", cfg: standingIn(7), lasts: 3 * time.Minute, only: words[:1], setup: func(a *account, _ *Kernel) { start(a, 4, time.Second) },
			want: `120.2 set-desired-count of od in prod: 2`},
		{name: "not if ECS does not say that there is no capacity", cfg: standingIn(0), lasts: 10 * time.Minute, only: words,
			setup: func(a *account, _ *Kernel) { start(a, 4, 0) }},
		{name: "not if it is not there", cfg: standingIn(0), lasts: 5 * time.Minute, only: words, setup: func(a *account, _ *Kernel) {
			start(a, 4, time.Second)
			a.services = a.services[:1]
		}, want: `
			120.2 line count:prod/od/1 desired-count: service od is not in cluster prod any more; nothing of its desired count is put back`},
		{name: "unknown is not zero", cfg: standingIn(0), lasts: 20 * time.Minute, only: words[:1], setup: func(a *account, _ *Kernel) {
			start(a, 4, time.Second)
			a.at[3*time.Minute] = func() { a.silent["services spot"] = plan.Unclear }
		}, want: `120.2 set-desired-count of od in prod: 5`},
	})
}

// raisedBefore is the open record of a service whose count of 4 an earlier Ebb has raised by 2 for a drain.
func raisedBefore(t *testing.T, who string, until time.Time) journal.Record {
	t.Helper()
	k := newKernel(t, replacing())
	c := countOf(k, "prod", "a")
	c.Base, c.Entry.Count, c.Sure = 4, 6, t0.Add(-time.Minute)
	c.Raises = []desired.Raise{{Who: who, By: 2, Until: until, In: t0.Add(-2 * time.Minute)}}
	var out Output
	keepCount(k, c, &out, t0)
	return out.Batch.Records[0]
}

func TestWhatAnEarlierEbbHasRaisedIsPutBack(t *testing.T) {
	r := raisedBefore(t, "web/i-9/x", t0.Add(time.Hour))
	if c, ok := ReadCount(r); !ok || OfDrain(r) || c.Raised() != 2 || r.Subject() != "count:prod/a" || r.Scope != "cluster/prod" {
		t.Fatalf("%+v, %+v", r, c)
	}
	if _, err := Read(r); err == nil {
		t.Error("an Ebb from before takes it for a drain")
	}
	if s := Scopes(nil, []journal.Record{r}); !slices.Equal(s, []string{"cluster/prod"}) {
		t.Errorf("its scope is %v", s)
	}
	for _, onePass := range []bool{false, true} {
		a, sets, last, open := newAccount(), []string{}, r, true
		a.services = []fleet.Service{atFull("a", 6)}
		for at := time.Duration(0); at < 6*time.Minute && open; at += time.Minute {
			k, err := New(Config{Groups: managed("web", "prod"), OnePass: onePass, Sweep: time.Hour}, []journal.Record{last}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				now := t0.Add(at + time.Duration(i)*time.Second)
				out := k.Next(now)
				for _, r := range out.Batch.Records {
					if r.Rev != last.Rev+1 {
						t.Fatalf("revision %d after %d", r.Rev, last.Rev)
					}
					last, open = r, r.Open
				}
				for _, line := range a.tell(Output{Do: out.Do}, now.Sub(t0)) {
					if strings.Contains(line, "set-desired-count") {
						sets = append(sets, line)
					}
				}
				for _, d := range a.under {
					k.Did(d, now)
				}
				a.under, a.back = nil, nil
				if onePass && len(out.Do) == 0 {
					break
				}
			}
		}
		if len(sets) != 1 || !strings.HasSuffix(sets[0], "set-desired-count of a in prod: 4") || open {
			t.Errorf("one pass: %v, open: %v, %v", onePass, open, sets)
		}
	}
}

// What a newer Ebb has written is left alone, and so is what it is about.
func TestACountOfANewerEbb(t *testing.T) {
	r := raisedBefore(t, "web/i-9/x", t0)
	r.Body = []byte(strings.Replace(string(r.Body), `"kind":"count"`, `"kind":"count","v":3`, 1))
	k, err := New(replacing(), []journal.Record{r}, nil)
	if err != nil || len(k.Newer()) != 1 || len(k.counts) != 0 || countOf(k, "prod", "a") != nil {
		t.Errorf("%v, %v", err, k.counts)
	}
}

// What the journal does not take is not set.
func TestACountThatIsLetGo(t *testing.T) {
	k := newKernel(t, replacing())
	c := countOf(k, "prod", "a")
	c.Entry = c.Raise(desired.Raise{Who: "web/i-1/x", By: 1})
	k.facts[serviceIn("prod", "a")] = &fleet.Fact[fleet.Service]{Is: fleet.Seen, At: t0, Value: atFull("a", 4)}
	k.open[fleet.HostTarget("i-1")] = &entry{d: drain.Drain{Key: "web/i-1/x"}}
	out := k.Next(t0)
	if kinds(out.Do)["set-desired-count"] != 1 {
		t.Fatalf("%+v", out.Do)
	}
	if do := k.LetGo(c.key(), out.Do, t0); kinds(do)["set-desired-count"] != 0 || countOf(k, "prod", "a") != nil {
		t.Errorf("%+v", do)
	}
}
