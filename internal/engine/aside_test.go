package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
)

// never is a store's last word on some batches.
func never(bad func(journal.Batch) bool) func(journal.Batch) error {
	return func(b journal.Batch) error {
		if !bad(b) {
			return nil
		}
		return fmt.Errorf("write journal: %w", &journal.Refused{Why: "of the test"})
	}
}

// about reports whether a batch has a record of an instance.
func about(id fleet.InstanceID) func(journal.Batch) bool {
	return func(b journal.Batch) bool {
		return slices.ContainsFunc(b.Records, func(r journal.Record) bool { return strings.Contains(r.Key, string(id)) })
	}
}

// asides are the lines about what was set aside.
func asides(t *testing.T, r *rig) []string {
	t.Helper()
	ls, err := r.store.History(t.Context(), journal.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range ls {
		if l.Kind == journal.SetAside {
			out = append(out, l.Text)
		}
	}
	return out
}

// eachShape runs a test for a process and for a function. Hear brings two messages, and time goes on for half an hour.
func eachShape(t *testing.T, test func(t *testing.T, r *rig, hear func(ids ...fleet.InstanceID))) {
	t.Helper()
	t.Run("serve", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			test(t, r, func(ids ...fleet.InstanceID) {
				r.run(t, func() {
					for _, id := range ids {
						r.terminate(id)
					}
					pass(30 * time.Minute)
				})
			})
		})
	})
	t.Run("function", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFunction()
			test(t, f.rig, func(ids ...fleet.InstanceID) {
				var ms []event.Message
				for _, id := range ids {
					f.wait(id)
					ms = append(ms, message(id))
				}
				for range 30 {
					vs, err := f.invoke(t.Context(), true, ms...)
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range vs {
						f.note("%s %s", map[bool]string{true: "deleted", false: "let go"}[v.Delete], v.Message)
					}
					ms = nil
					pass(time.Minute)
				}
			})
		})
	})
}

func TestARecordThatTheJournalRefusesStopsNoOtherDrain(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		r.store.refuse = never(about(second))
		hear(host, second)
		if r.index("do answer "+string(host)) < 0 || r.index("deleted m-"+string(host)) < 0 {
			t.Errorf("the other drain was to end:%s", r)
		}
		for _, what := range []string{"deleted m-", "do heartbeat ", "do set-draining ", "do answer "} {
			if r.index(what+string(second)) >= 0 {
				t.Errorf("%q, of which nothing is in the journal:%s", what, r)
			}
		}
		if r.index("let go m-"+string(second)) < 0 {
			t.Errorf("its message was to be left to the queue:%s", r)
		}
		if got := asides(t, r); len(got) == 0 || !strings.Contains(got[0], "let go") {
			t.Errorf("set aside: %q", got)
		}
		if n := len(r.times("open")); n > 1+30*2 {
			t.Errorf("the journal was read %d times", n)
		}
	})
}

// People are told once that a drain was let go, also if a later process has to do it again; and a journal that refuses the notice keeps
// nothing from going on.
func TestPeopleAreToldOfADrainThatIsLetGo(t *testing.T) {
	for name, refuses := range map[string]bool{"": false, "the notice too": true} {
		t.Run(name, func(t *testing.T) {
			eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
				var told []notice.Notice
				r.telling(func(_ context.Context, route string, n notice.Notice, _ string) (string, error) {
					if route == "all" && n.Event == notice.LetGo {
						told = append(told, n)
					}
					return "shown", nil
				})
				r.store.refuse = never(func(b journal.Batch) bool { return about(second)(b) || refuses && aboutLetGo(b) })
				hear(host, second)
				lines := len(asides(t, r))
				hear(second)
				if again := len(asides(t, r)); lines == 0 || again == lines {
					t.Errorf("it was to be let go twice: %d and %d lines", lines, again)
				}
				if want := map[bool]int{true: 0, false: 1}[refuses]; len(told) != want || len(r.times("told alarm")) != 0 {
					t.Fatalf("told %+v:%s", told, r)
				}
				if r.index("do answer "+string(host)) < 0 || r.index("let go m-"+string(second)) < 0 {
					t.Errorf("the other drain was to end, and this message to be left to the queue:%s", r)
				}
				for _, n := range told {
					const text = "The journal takes no record of this drain. Its hook runs out, and what still runs is cut off then, unless somebody " +
						"drains the instance and answers the hook. The journal says: "
					if n.Title != string(second)+" of web is let go: Ebb does nothing more about it" || !strings.HasPrefix(n.Text, text) || !n.Warning() {
						t.Errorf("told %+v", n)
					}
				}
				shown, err := r.store.Forwarded(t.Context(), []string{notice.Outbox("cluster/prod"), notice.Messages("cluster/prod")})
				if err != nil || len(shown) > 0 {
					t.Errorf("left in the journal: %v %v", shown, err)
				}
			})
		})
	}
}

func aboutLetGo(b journal.Batch) bool {
	return slices.ContainsFunc(b.Forwarded, func(f journal.Forwarded) bool { return strings.HasSuffix(f.ID, "/let-go") })
}

// What is let go in the middle of a drain is not asked for in the round in which the journal refused its record.
func TestADrainThatIsLetGoAsksForNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.store.refuse = never(func(b journal.Batch) bool {
			return slices.ContainsFunc(b.Records, func(rec journal.Record) bool {
				return strings.Contains(rec.Key, string(second)) && strings.Contains(string(rec.Body), `"asked"`)
			})
		})
		r.run(t, func() {
			r.terminate(host)
			r.terminate(second)
			pass(30 * time.Minute)
		})
		if r.index("do set-draining "+string(second)) >= 0 || r.cloud.status[second] == fleet.Draining {
			t.Errorf("it was set DRAINING:%s", r)
		}
		if r.index("do answer "+string(host)) < 0 || r.cloud.status[host] != fleet.Draining {
			t.Errorf("the other drain was to end:%s", r)
		}
	})
}

func TestARecordThatIsTooLargeIsStoredShort(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		left := strings.Repeat(`"`+strings.Repeat("n", 250)+`",`, 200) + `"last"`
		body := fmt.Sprintf(`{"key":"web/%[1]s/a","instance":"%[1]s","group":"web","hook":"ebb-drain","cluster":"prod","heard":%[2]q,"zero":%[2]q,"left":[%[3]s]}`,
			second, time.Now().Format(time.RFC3339), left)
		rec := journal.Record{Key: "web/" + string(second) + "/a", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(body)}
		if err := r.store.Store.Write(t.Context(), journal.Batch{Records: []journal.Record{rec}}); err != nil {
			t.Fatal(err)
		}
		r.cloud.mu.Lock()
		r.cloud.waiting = append(r.cloud.waiting, second)
		r.cloud.mu.Unlock()
		r.store.refuse = never(func(b journal.Batch) bool {
			return slices.ContainsFunc(b.Records, func(rec journal.Record) bool { return len(rec.Body) > 20_000 })
		})
		hear(host)
		for _, id := range []fleet.InstanceID{host, second} {
			if r.index("do answer "+string(id)) < 0 {
				t.Errorf("the drain of %s was to end:%s", id, r)
			}
		}
		if got := asides(t, r); len(got) == 0 || strings.Contains(got[0], "let go") {
			t.Errorf("set aside: %q", got)
		}
		if open, err := r.store.Store.Open(t.Context()); err != nil || len(open) > 0 {
			t.Errorf("open: %v, %v", open, err)
		}
	})
}

func TestALineThatTheJournalRefusesIsReplaced(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		r.store.refuse = never(func(b journal.Batch) bool {
			return slices.ContainsFunc(b.Lines, func(l journal.Line) bool { return l.Kind == "heard" && strings.Contains(l.Text, string(second)) })
		})
		hear(host, second)
		for _, id := range []fleet.InstanceID{host, second} {
			if r.index("do answer "+string(id)) < 0 || r.index("deleted m-"+string(id)) < 0 {
				t.Errorf("the drain of %s was to end:%s", id, r)
			}
		}
		if got := asides(t, r); len(got) != 1 || !strings.Contains(got[0], "a line of history") {
			t.Errorf("set aside: %q", got)
		}
		if n := len(r.times("told heard")); n != 1 {
			t.Errorf("%d lines told that something was heard, want that of the other drain:%s", n, r)
		}
	})
}

func TestAForwardedMessageThatTheJournalRefusesIsLeftToTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newRig().beside("a")
		b := a.beside("b")
		b.store.refuse = never(func(b journal.Batch) bool {
			return slices.ContainsFunc(b.Forwarded, func(f journal.Forwarded) bool { return strings.Contains(f.Body, string(second)) })
		})
		b.cfg.Cloud = refusing{t}
		defer a.start(t)()
		pass(time.Second)
		defer b.start(t)()
		pass(time.Second)
		b.terminate(host)
		b.terminate(second)
		pass(30 * time.Second)
		if a.index("deleted m-"+string(host)) < 0 || a.index("let go m-"+string(second)) < 0 || a.index("deleted m-"+string(second)) >= 0 {
			t.Errorf("one was to be forwarded, and the other left to the queue:%s", a)
		}
		if got := asides(t, a); len(got) == 0 || !strings.Contains(got[0], "cluster/prod") {
			t.Errorf("set aside: %q", got)
		}
	})
}

// A journal that refuses whatever it is given, such as a table that is none of Ebb's, is no matter of one record.
func TestNoDrainIsLetGoWhileTheJournalRefusesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		var bad atomic.Bool
		bad.Store(true)
		r.store.refuse = never(func(journal.Batch) bool { return bad.Load() })
		r.run(t, func() {
			r.terminate(host)
			pass(2 * time.Minute)
			if r.index("deleted") >= 0 || r.index("look "+plan.GroupInstances.String()) >= 0 || len(r.times("open")) < 2 {
				t.Errorf("nothing was durable:%s", r)
			}
			bad.Store(false)
			pass(30 * time.Minute)
		})
		if r.index("do answer "+string(host)) < 0 {
			t.Errorf("the drain was to go on:%s", r)
		}
	})
}

// Something else than Ebb has written to the journal: the drain ends there, and begins again by the sweep.
func TestARecordThatNobodyCanReadIsSetAside(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		rec := func(key string, open bool, body string) journal.Record {
			return journal.Record{Key: key, Scope: "cluster/prod", Rev: 1, Open: open, Body: []byte(body)}
		}
		b := journal.Batch{Records: []journal.Record{
			rec("web/"+string(second)+"/a", true, "\x00\xff garbage"), rec("web/i-0aaaaaaa/a", false, "[]"), rec("odd", true, ""),
		}}
		if err := r.store.Store.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		r.cloud.mu.Lock()
		r.cloud.waiting = append(r.cloud.waiting, second)
		r.cloud.mu.Unlock()
		r.cloud.look = func(_ context.Context, l plan.Look, s *plan.LookResult) {
			r.cloud.mu.Lock()
			defer r.cloud.mu.Unlock()
			if l.Kind == plan.Groups && slices.Contains(r.cloud.waiting, second) {
				s.View.Groups[0].Instances = []fleet.GroupInstance{{ID: second, Group: "web", State: fleet.TerminatingWait, Healthy: true}}
			}
		}
		hear(host)
		for _, id := range []fleet.InstanceID{host, second} {
			if r.index("do answer "+string(id)) < 0 {
				t.Errorf("the drain of %s was to end:%s", id, r)
			}
		}
		if got := asides(t, r); len(got) != 2 || !strings.Contains(got[0], "cannot be read") {
			t.Errorf("set aside: %q", got)
		}
	})
}

// Two open records of one instance, under two groups, keep nobody from starting: the older one is ended.
func TestTheOlderOfTwoOpenDrainsOfAnInstanceIsSetAside(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		for i, group := range []string{"web", "old"} {
			body := fmt.Sprintf(`{"key":"%s/%s/a","heard":"%s","zero":"%[3]s","group":"%[1]s","hook":"ebb-drain","instance":"%[2]s"}`, group, second,
				time.Now().Add(-time.Duration(i)*time.Minute).Format(time.RFC3339))
			rec := journal.Record{Key: group + "/" + string(second) + "/a", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(body)}
			if err := r.store.Store.Write(t.Context(), journal.Batch{Records: []journal.Record{rec}}); err != nil {
				t.Fatal(err)
			}
		}
		r.cloud.mu.Lock()
		r.cloud.waiting = append(r.cloud.waiting, second)
		r.cloud.mu.Unlock()
		hear(host)
		for _, id := range []fleet.InstanceID{host, second} {
			if r.index("do answer "+string(id)) < 0 {
				t.Errorf("the drain of %s was to end:%s", id, r)
			}
		}
		if got := asides(t, r); len(got) != 1 || !strings.Contains(got[0], "a newer open drain") {
			t.Errorf("set aside: %q", got)
		}
	})
}
