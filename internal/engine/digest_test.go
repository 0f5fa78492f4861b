package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
)

// A digest comes once, in serve and in the function, and tells what the journal knows.
func TestADigestIsTold(t *testing.T) {
	eachShape(t, func(t *testing.T, r *rig, hear func(...fleet.InstanceID)) {
		var texts []string
		r.telling(func(_ context.Context, route string, n notice.Notice, _ string) (string, error) {
			if n.Event == notice.Digest {
				texts = append(texts, n.Title+"\n"+n.Text)
			}
			return "", nil
		})
		r.cfg.Kernel.Routes = append(r.cfg.Kernel.Routes, notice.Route{Name: "day", Events: []notice.Event{notice.Digest}, Digest: "00:10"})
		hear(host)
		at := r.times("told day")
		if len(at) != 1 || at[0] < 11*time.Minute || at[0] > 13*time.Minute {
			t.Errorf("told at %v:%s", at, r)
		}
		if len(texts) != 1 || !strings.Contains(texts[0], "Digest of 2000-01-01: 1 drain ended, 0 open\n") || !strings.Contains(texts[0], "\ndrained: 1\n") {
			t.Errorf("told %q", texts)
		}
		if left, err := r.store.Forwarded(t.Context(), []string{notice.Outbox("cluster/prod"), notice.Messages("cluster/prod")}); err != nil || len(left) > 0 {
			t.Errorf("left in the journal: %v %v", left, err)
		}
	})
}

// days runs Ebbs on one journal for some days, in which a drain ends each hour.
type days struct {
	t    *testing.T
	s    *store
	now  time.Time
	held journal.Lease
	told []string // the titles of what people were told, and from when to when it tells
	keys map[string]int
	ends int // how many ended drains were told
	down bool
}

func newDays(t *testing.T) *days {
	d := &days{t: t, s: &store{Store: memory.New(), trail: &trail{}}, keys: map[string]int{}}
	d.now = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	d.takes("a")
	return d
}

// takes lets an Ebb take the lease.
func (d *days) takes(holder string) {
	d.t.Helper()
	is := journal.Lease{Scope: "cluster/prod", Holder: holder, Fence: d.held.Fence + 1, Beat: d.held.Beat + 1, For: time.Minute, At: d.now}
	if err := d.s.Claim(d.t.Context(), d.held, is); err != nil {
		d.t.Fatal(err)
	}
	d.held = is
}

var fromTo = regexp.MustCompile(`From \S+-(\d\d) (\S+) UTC to \S+-(\d\d) (\S+) UTC:\n(?:drained: (\d+))?`)

func (d *days) Tell(_ context.Context, _ string, n notice.Notice, message string) (string, error) {
	if message != "" {
		d.t.Errorf("the digest is to be shown in place of %s", message)
	}
	if d.down {
		return "", errors.New("away")
	}
	d.keys[n.Key]++
	m := fromTo.FindStringSubmatch(n.Text)
	if m == nil {
		d.t.Errorf("told %q", n.Title+"\n"+n.Text)
		return "", nil
	}
	d.told = append(d.told, fmt.Sprintf("%s %s to %s %s", m[1], m[2], m[3], m[4]))
	var count int
	_, _ = fmt.Sscan(m[5], &count)
	d.ends += count
	return "shown as " + n.Key, nil
}

// ebb is a process whose clock is wrong by so much.
func (d *days) ebb(skew time.Duration) *Outbox {
	cfg := kernel.Config{
		Groups: []kernel.Managed{{Match: "web", Cluster: "prod"}, {Match: "api", Cluster: "test"}},
		Routes: []notice.Route{{Name: "r", Digest: "08:00"}},
	}
	return NewOutbox(Config{
		Store: d.s, Teller: d, Now: func() time.Time { return d.now.Add(skew) }, Log: slog.New(slog.DiscardHandler), Kernel: cfg,
	})
}

// ended writes a drain that has just ended.
func (d *days) ended(n int) {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{
		"key": fmt.Sprintf("web/i-%d/t", n), "instance": fmt.Sprintf("i-%d", n), "group": "web", "zero": d.now.Add(-time.Minute), "ended": d.now,
		"final": drain.Answer{At: d.now, Outcome: drain.Drained},
	})
	if err == nil {
		r := journal.Record{Key: fmt.Sprintf("web/i-%d/t", n), Scope: "cluster/prod", Rev: 1, Body: body}
		err = d.s.Write(d.t.Context(), journal.Batch{Records: []journal.Record{r}})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// run lets four days pass; at each minute the function says which process works, if one does.
func (d *days) run(works func(minute int) *Outbox) {
	for minute := range 4 * 24 * 60 {
		if minute%60 == 0 {
			d.ended(minute / 60)
		}
		if box := works(minute); box != nil {
			box.Step(d.t.Context(), map[string]journal.Lease{d.held.Scope: d.held})
		}
		d.now = d.now.Add(time.Minute)
	}
}

// Each day has one digest, whatever becomes of the Ebbs, and each drain that ended is in one of them.
func TestOneDigestADay(t *testing.T) {
	whole := []string{"27 08:00 to 28 08:00", "28 08:00 to 29 08:00", "29 08:00 to 30 08:00", "30 08:00 to 01 08:00"}
	const clock, hour = 8*60 + 1, 60 // minutes; it is due a minute after its time
	for _, tt := range []struct {
		name  string
		works func(d *days) func(minute int) *Outbox
		want  []string
		ends  int
	}{
		{"one process", func(d *days) func(int) *Outbox {
			box := d.ebb(0)
			return func(int) *Outbox { return box }
		}, whole, 3*24 + 9},
		{"one that starts again each minute", func(d *days) func(int) *Outbox { return func(int) *Outbox { return d.ebb(0) } }, whole, 3*24 + 9},
		{"two that take over each hour, with other clocks", func(d *days) func(int) *Outbox {
			boxes := []*Outbox{d.ebb(15 * time.Second), d.ebb(-15 * time.Second)}
			return func(minute int) *Outbox {
				if minute%60 == 0 {
					d.takes(fmt.Sprint(minute / 60 % 2))
				}
				return boxes[minute/60%2]
			}
		}, whole, 3*24 + 9},
		{"two that take over each minute", func(d *days) func(int) *Outbox {
			boxes := []*Outbox{d.ebb(15 * time.Second), d.ebb(-15 * time.Second)}
			return func(minute int) *Outbox { d.takes(fmt.Sprint(minute % 2)); return boxes[minute%2] }
		}, whole, 3*24 + 9},
		{"one that is away for three hours", func(d *days) func(int) *Outbox {
			box := d.ebb(0)
			return func(minute int) *Outbox {
				if minute%1440 >= clock && minute%1440 < clock+3*hour {
					return nil
				}
				return box
			}
		}, whole, 3*24 + 9},
		{"one that is away for a day", func(d *days) func(int) *Outbox {
			box := d.ebb(0)
			return func(minute int) *Outbox {
				if minute > 1440+clock-hour && minute < 2*1440+clock-hour {
					return nil
				}
				return box
			}
		}, []string{whole[0], "28 08:00 to 30 08:00", whole[3]}, 3*24 + 9},
		{"a journal that fails for an hour", func(d *days) func(int) *Outbox {
			box, minute := d.ebb(0), 0
			d.s.refuse = func(b journal.Batch) error {
				if minute%1440 < clock+hour && len(b.Forwarded) > 0 {
					return errors.New("away")
				}
				return nil
			}
			return func(m int) *Outbox { minute = m; return box }
		}, whole, 3*24 + 9},
		{"a journal that writes and fails", func(d *days) func(int) *Outbox {
			box := d.ebb(0)
			d.s.fail = func(b journal.Batch) error {
				if len(b.Forwarded) > 0 {
					return errors.New("away")
				}
				return nil
			}
			return func(int) *Outbox { return box }
		}, whole, 3*24 + 9},
		{"a receiver that is down for two hours", func(d *days) func(int) *Outbox {
			box := d.ebb(0)
			return func(minute int) *Outbox { d.down = minute%1440 < clock+2*hour; return box }
		}, whole, 3*24 + 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDays(t)
			d.run(tt.works(d))
			if diff := cmp.Diff(tt.want, d.told); diff != "" || d.ends != tt.ends {
				t.Errorf("told of %d drains, want %d; (-want +got)\n%s", d.ends, tt.ends, diff)
			}
			for key, n := range d.keys {
				if n != 1 {
					t.Errorf("%s was told %d times", key, n)
				}
			}
			marks, err := d.s.Forwarded(t.Context(), []string{notice.Digests})
			if err != nil || len(marks) != 1 {
				t.Errorf("kept of the digests: %v %v", marks, err)
			}
		})
	}
}

// Whoever has lost the first scope makes no digest, and one that works for another scope does not either.
func TestWhoMakesTheDigest(t *testing.T) {
	for name, x := range map[string]struct {
		held journal.Lease
		want int
	}{
		"the first scope":   {journal.Lease{Scope: "cluster/prod", Holder: "a", Fence: 1}, 1},
		"another scope":     {journal.Lease{Scope: "cluster/test", Holder: "a", Fence: 1}, 0},
		"a lease of before": {journal.Lease{Scope: "cluster/prod", Holder: "a", Fence: 0}, 0},
	} {
		d := newDays(t)
		d.now = d.now.Add(7 * time.Hour)
		d.ended(1)
		d.now = d.now.Add(2 * time.Hour)
		d.ebb(0).Step(t.Context(), map[string]journal.Lease{x.held.Scope: x.held})
		marks, err := d.s.Forwarded(t.Context(), []string{notice.Digests})
		if len(marks) != x.want || len(d.told) != x.want || err != nil {
			t.Errorf("%s: kept %v, %v", name, marks, err)
		}
	}
}
