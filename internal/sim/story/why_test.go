package story

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

var (
	drainCount = flag.Int("drains", 12, "during how many random healthy drains to ask why")
	whyFrom    = flag.Uint64("why", 55, "the first seed for that; by default a few that have jobs, turns and tight hosts")
	whyTold    = flag.Bool("whytold", false, "print every answer whose next event was not the true one")
)

// often is how often why is asked.
const often = 5 * time.Second

// healthy makes the scenario of a seed one in which nothing fails: hosts of Ebb's groups are terminated, and that is all.
func healthy(seed uint64) (Scenario, bool) {
	s := Random(seed)
	s.Faults, s.Ebb.Late, s.Ebb.Skew = nil, 0, 0
	s.World.Switches.LostPercent, s.World.Switches.SilentEC2Terminate = 0, false
	hosts := 0
	for _, g := range s.World.Groups {
		if hosts += g.Desired; g.Launch.NoAgent {
			return s, false
		}
	}
	for _, d := range s.World.TaskDefinitions {
		if d.Fails {
			return s, false
		}
	}
	leaves := 0
	s.At = slices.DeleteFunc(s.At, func(st Step) bool {
		group, _, _ := strings.Cut(st.Host, "/")
		keep := st.Do == "terminate" && s.Ebb.manages(group) && leaves < 4
		if keep {
			leaves++
		}
		return !keep
	})
	return s, leaves > 0 && hosts <= 12
}

// whyAnswer is what why said about an instance at a time.
type whyAnswer struct {
	at   time.Time
	next []diagnose.Next
	wait string
	head string
	harm []string // commands that interrupt or destroy
	held bool     // it was proved that it stays until somebody acts
	what []string // the events of next, for messages
}

// asked are the answers of one story by instance.
type asked struct {
	*run
	collector *collector.Collector
	answers   map[string][]whyAnswer
}

// handled answers requests with a handler, without a network.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// direct takes the requests of the SDK's clients to an API before they become HTTP, which is most of what an answer would cost.
func direct(api *wire.API) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("direct", func(
			ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
		) (out middleware.InitializeOutput, _ middleware.Metadata, err error) {
			out.Result, err = api.Do(ctx, in.Parameters)
			return out, middleware.Metadata{}, err
		}), middleware.Before)
	}
}

// ask tells a story, and asks why of every instance that leaves, every five seconds.
func ask(t *testing.T, s Scenario) (asked, Result) {
	t.Helper()
	r, err := newRun(s)
	if err != nil {
		t.Fatal(err)
	}
	// why reads through an API of its own: its calls spend nothing of the limits of Ebb's, and no fault or lag is for it
	api := wire.New(wire.Config{World: r.w, Lock: &sync.Mutex{}})
	c := collector.New(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("operator", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler()}}, APIOptions: []func(*middleware.Stack) error{direct(api)},
	})
	c.Now = r.w.Now
	a := asked{run: r, collector: c, answers: map[string][]whyAnswer{}}
	var again func()
	again = func() {
		a.askAll(t)
		r.later(r.w.Now().Add(often), again)
	}
	r.later(r.start.Add(time.Minute), again)
	end := r.start.Add(s.Until)
	for r.w.Now().Before(end) && !r.quiet() {
		r.advance(end)
	}
	return a, r.finish()
}

func (a asked) askAll(t *testing.T) {
	for _, i := range a.w.DescribeAutoScalingInstances(nil) {
		state := fleet.LifecycleState(i.State)
		if !a.s.Ebb.manages(i.Group) || !state.Leaving() && !state.Waiting() {
			continue
		}
		seen, err := a.collector.Take(t.Context(), collector.Scope{Instance: i.ID, Silent: true}) // as ebb why does
		if err != nil || len(seen.Unread) > 0 {
			t.Fatalf("inventory: %v, unread %+v", err, seen.Unread)
		}
		q := diagnose.Question{Target: i.ID, Alone: true, Now: a.w.Now(), At: advice.At{Region: "eu-west-1"}}
		without := diagnose.Why(&seen, q) // a person without the configuration
		q.Hook = a.s.Ebb.hook()
		a.ebb(&q, &seen, i.Group)
		with := diagnose.Why(&seen, q)
		now := whyAnswer{at: a.w.Now(), next: with.Next, wait: with.Wait, head: with.Headline}
		for _, n := range with.Next {
			now.what = append(now.what, string(n.Event))
		}
		now.held = slices.ContainsFunc(with.Blockers, func(b diagnose.Blocker) bool { return b.Exact && !b.Ends })
		for _, b := range append(with.Blockers, without.Blockers...) {
			for _, f := range b.All() {
				if f.Harm() != advice.Safe {
					now.harm = append(now.harm, fmt.Sprintf("%s: %s", b.Code, f.Line()))
				}
			}
		}
		a.answers[i.ID] = append(a.answers[i.ID], now)
	}
}

// ebb adds what why --config knows: the configuration, the leases, and the drain in the journal.
func (a asked) ebb(q *diagnose.Question, seen *inventory.Inventory, group string) {
	man, _ := a.s.Ebb.group(group)
	p := a.s.Ebb.policy(man)
	e := &diagnose.Ebb{Manages: true, Cluster: man.Cluster, Grace: p.DaemonGrace, Lost: p.LostAfter}
	if m := man.MaxUnavailable; m.Count > 0 || m.Percent > 0 {
		e.Limit = fmt.Sprint(m)
	}
	leases, err := a.store.Leases(context.Background())
	must(err)
	for _, l := range leases {
		if l.Scope == (kernel.Managed{Match: man.Match, Cluster: man.Cluster}).Scope() {
			e.Who, e.Seen, e.Works = l.Holder, l.At, q.Now.Sub(l.At) < 3*time.Minute
		}
	}
	hook := fleet.Fact[fleet.Hook]{}
	for _, h := range seen.Group(group).Hooks {
		if h.Name == q.Hook {
			hook = fleet.Fact[fleet.Hook]{Is: fleet.Seen, Value: h}
		}
	}
	q.Ebb, q.Lines = e, []diagnose.Line{}
	open, err := a.store.Open(context.Background())
	must(err)
	past, err := a.store.Recent(context.Background(), 100)
	must(err)
	for _, rec := range append(open, past...) {
		if !kernel.OfDrain(rec) {
			continue
		}
		d, err := kernel.Read(rec)
		must(err)
		if string(d.Instance()) != q.Target {
			continue
		}
		if d.Open() {
			e.Open, e.Waiting, e.Queued = true, kernel.Waiting(rec), !d.Queued.IsZero() && d.Slot.IsZero()
			e.Unreached, e.Empty, e.Begun = d.UnreachedFrom, d.EmptySince, drain.Later(d.Slot, d.Asked)
			e.Traffic = !d.EarlyFrom.IsZero() && d.EarlyOver.IsZero() && d.DrainingSince.IsZero()
			if !e.Queued {
				e.Deadline = drain.Deadline(d, hook, drain.Policy{Deadline: p.Deadline})
			}
		}
		lines, err := a.store.History(context.Background(), journal.Query{Key: d.Key, Limit: 50})
		must(err)
		for _, l := range lines {
			q.Lines = append(q.Lines, diagnose.Line{At: l.At, Kind: l.Kind, Text: l.Text})
		}
		return
	}
}

// happened are the events of an instance in the world's own record, in the words of why.
func happened(record []core.Entry, instance string) (all []diagnose.Next) {
	add := func(e core.Entry, what diagnose.Event) {
		all = append(all, diagnose.Next{Event: what, By: e.At, Text: fmt.Sprintf("%s %s: %s -> %s by %s", e.Kind, e.Task, e.From, e.To, e.By)})
	}
	for _, e := range record {
		if e.Instance != instance {
			continue
		}
		switch {
		case e.Kind == core.EntryHook && e.To == "opened":
			if len(all) == 0 || all[len(all)-1].Event != diagnose.HookOpens {
				add(e, diagnose.HookOpens)
			}
		case e.Kind == core.EntryContainer && e.To == fleet.Draining:
			add(e, diagnose.SetDraining)
		case e.Kind == core.EntryTask && e.Service == "" && e.From == "RUNNING" && (e.To == "DEACTIVATING" || e.To == "STOPPED"):
			add(e, diagnose.TaskEnds)
		case e.Kind == core.EntryTask && (e.From == "RUNNING" || e.From == "ACTIVATING" || e.From == "PENDING" || e.From == "PROVISIONING") &&
			(e.To == "DEACTIVATING" || e.To == "STOPPING" || e.To == "DEPROVISIONING" || e.To == "STOPPED"):
			add(e, diagnose.TaskOrdered)
		case e.Kind == core.EntryTask && e.To == "STOPPING":
			add(e, diagnose.TaskSigterm)
		case e.Kind == core.EntryTask && (e.To == "STOPPED" || e.To == "DEPROVISIONING"):
			add(e, diagnose.TaskStopped)
		case e.Kind == core.EntryHook && e.To == "CONTINUE" && byEbb(e.By):
			add(e, diagnose.Answered)
		case e.Kind == core.EntryHook && (e.To == "CONTINUE" || e.To == "ABANDON" || e.To == "expired" || e.To == "global-timeout"):
			add(e, diagnose.HookEnds)
		}
	}
	return all
}

// verdicts sums up answers.
type verdicts struct {
	mu              sync.Mutex
	drains, answers int
	right, first    int // answers that name the true next event, and those that name it first
	said            int // events named
	freed           int // answers, right when they were given, that a target stays, which the story has then freed
	wrong           map[string]int
	harm            []string
}

// disturbed reports whether the story let another host leave between two times. A target that stays until somebody acts, because its tasks have
// no place, leaves after all when the group launches a host for another that is terminated. That does not happen by itself.
func (a asked) disturbed(from, to time.Time) bool {
	return slices.ContainsFunc(a.s.At, func(s Step) bool { at := a.start.Add(s.At); return at.After(from) && !at.After(to) })
}

// judge compares the answers about drains that ended well with what happened.
func (v *verdicts) judge(t *testing.T, seed uint64, a asked, res Result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range res.Ended {
		id := string(d.Instance())
		if d.Final.Outcome != drain.Drained || len(d.Final.CutOff) > 0 || len(a.answers[id]) == 0 {
			continue
		}
		v.drains++
		events := happened(res.Record, id)
		for _, now := range a.answers[id] {
			k := slices.IndexFunc(events, func(e diagnose.Next) bool { return e.By.After(now.at) })
			if k >= 0 && now.held && a.disturbed(now.at, events[k].By) {
				v.freed++
				continue
			}
			for _, h := range now.harm {
				v.harm = append(v.harm, fmt.Sprintf("seed %d, %s at %s: %s", seed, id, now.at.Sub(a.start), h))
			}
			if k < 0 {
				continue
			}
			v.answers++
			v.said += len(now.next)
			is := events[k]
			said := slices.IndexFunc(now.next, func(n diagnose.Next) bool {
				return n.Event == is.Event && (n.By.IsZero() || !is.By.After(n.By.Add(15*time.Second)))
			})
			if said == 0 {
				v.first++
			}
			if said >= 0 {
				v.right++
				continue
			}
			v.wrong[fmt.Sprintf("was %s, said %s", is.Event, strings.Join(now.what, " "))]++
			if *whyTold {
				t.Logf("seed %d, %s at %s: %s at %s\n  %s\n  %+v", seed, id, now.at.Sub(a.start), is.Text, is.By.Sub(a.start), now.head, now.next)
			}
		}
	}
}

// TestWhyDuringHealthyDrains asks why every five seconds while hosts leave and nothing is wrong. No answer may have a command that interrupts
// or destroys, and nearly every answer must name what happens next.
func TestWhyDuringHealthyDrains(t *testing.T) {
	v := &verdicts{wrong: map[string]int{}}
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range seeds {
				if s, ok := healthy(seed); ok {
					a, res := ask(t, s)
					v.judge(t, seed, a, res)
				}
			}
		})
	}
	enough := func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.drains >= *drainCount
	}
	for seed := *whyFrom; !enough(); seed++ {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	share := func(n int) float64 { return 100 * float64(n) / float64(max(1, v.answers)) }
	t.Logf("%d answers in %d healthy drains: the true next event is named in %.1f %%, and first in %.1f %%; %.2f events are named in an answer; "+
		"%d commands that do harm; %d answers more are not judged", v.answers, v.drains, share(v.right), share(v.first), share(v.said)/100, len(v.harm), v.freed)
	for _, what := range slices.SortedFunc(maps.Keys(v.wrong), func(a, b string) int { return v.wrong[b] - v.wrong[a] }) {
		t.Logf("%5d %s", v.wrong[what], what)
	}
	if len(v.harm) > 0 {
		t.Errorf("commands that interrupt or destroy in healthy drains: %d, such as\n%s", len(v.harm), strings.Join(v.harm[:min(10, len(v.harm))], "\n"))
	}
	if share(v.right) < 95 {
		t.Errorf("the true next event is named in %.1f %% of the answers, not in 95", share(v.right))
	}
}
