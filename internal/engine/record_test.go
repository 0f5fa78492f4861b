package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/plan"
)

// stores are the kinds of journal that need no network. For DynamoDB see the scripts of cli, for serve, and deploy, for a function.
var stores = map[string]func(t *testing.T, path string) journal.Store{
	"memory": func(*testing.T, string) journal.Store { return memory.New() },
	"sqlite": func(t *testing.T, path string) journal.Store {
		t.Helper()
		s, err := sqlite.Open(path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
}

// shapes run Ebb until a drain has ended, or for half an hour.
var shapes = map[string]func(*testing.T, *rig){
	"serve": func(t *testing.T, r *rig) {
		r.run(t, func() {
			r.tell(host)
			pass(30 * time.Minute)
		})
	},
	"function": func(t *testing.T, r *rig) {
		r.cfg.Source, r.cfg.Kernel.Skew = nil, 30*time.Second
		f := NewFunction(r.cfg) // one process
		ms := []event.Message{message(host)}
		for range 30 {
			if _, err := f.Pass(t.Context(), ms, true); err != nil {
				t.Fatal(err)
			}
			ms = nil
			pass(time.Minute)
		}
	},
}

// Open records that only a newer Ebb reads stay as they are; the log says so once, and drains go on beside them.
func TestRecordsOfANewerEbbAreLeftAlone(t *testing.T) {
	newer := []journal.Record{
		{Key: "task:prod/0123/1", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"0123"}`)},
		{Key: "task:prod/4567/1", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"4567"}`)},
	}
	for name, open := range stores {
		for shape, work := range shapes {
			for n := 1; n <= 2; n++ {
				t.Run(name+" "+shape, func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "journal.db")
					synctest.Test(t, func(t *testing.T) {
						s := open(t, path)
						defer s.Close()
						if err := s.Write(t.Context(), journal.Batch{Records: newer[:n]}); err != nil {
							t.Fatal(err)
						}
						var log bytes.Buffer
						r := newRig()
						r.cfg.Store, r.cfg.Log = s, slog.New(slog.NewTextHandler(&log, nil))
						r.cloud.waiting = []fleet.InstanceID{host}
						work(t, r)
						left, errOpen := s.Open(t.Context())
						ended, errEnded := s.Recent(t.Context(), 0)
						if d := cmp.Diff(newer[:n], left); d != "" || len(ended) != 1 || errors.Join(errOpen, errEnded) != nil {
							t.Errorf("%d drains ended, %v %v; records of the newer Ebb: %s%s", len(ended), errOpen, errEnded, d, r)
						}
						if said := strings.Count(log.String(), "only a newer version of ebb reads"); said != 1 {
							t.Errorf("said %d times:\n%s", said, log.String())
						}
					})
				})
			}
		}
	}
}

// testdata/e0e7ec5.sqlite is the journal of an ebb serve of commit e0e7ec5 that was killed while two hosts were draining; a third had drained.
func TestDrainsOfTheEbbBeforeGoOn(t *testing.T) {
	file, err := os.ReadFile("testdata/e0e7ec5.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[fleet.ARN]fleet.InstanceID{
		"arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/9a82e2dc642691577d9ce0d2238b2dc6": "i-0d9363f3484601d94",
		"arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/756418b9652e2d06cc1ac6355b57ae59": "i-05217746ea1e2984e",
	}
	for shape, work := range shapes {
		t.Run(shape, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				s := stores["sqlite"](t, path)
				defer s.Close()
				r := newRig()
				later := time.Until(time.Date(2026, 11, 28, 5, 14, 0, 0, time.UTC))
				r.cfg.Store, r.cfg.Now = s, func() time.Time { return time.Now().Add(later) }
				r.cloud.waiting = []fleet.InstanceID{host}
				for arn, id := range hosts {
					r.cloud.waiting = append(r.cloud.waiting, id)
					r.cloud.status[fleet.InstanceID(arn)] = fleet.Draining
				}
				r.cloud.look = func(_ context.Context, _ plan.Look, saw *plan.LookResult) {
					for i, ci := range saw.View.ContainerInstances {
						if id, ok := hosts[ci.ARN]; ok {
							saw.View.ContainerInstances[i].Instance = id
						}
					}
				}
				work(t, r)
				left, errOpen := s.Open(t.Context())
				ended, errEnded := s.Recent(t.Context(), 0)
				if len(left) != 0 || len(ended) != 4 || errors.Join(errOpen, errEnded) != nil {
					t.Errorf("%d drains are open and %d ended, %v %v; want 0 and 4:%s", len(left), len(ended), errOpen, errEnded, r)
				}
				for _, id := range hosts {
					if r.index("do answer "+string(id)) < 0 {
						t.Errorf("the hook of %s was not answered:%s", id, r)
					}
				}
			})
		})
	}
}
