package kernel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
)

// growing is a kernel that scales one service of 4 tasks up to a minimum, in a cluster with one group.
func growing(t *testing.T, min int, more func(*Managed)) *Kernel {
	t.Helper()
	p := scale.Defaults()
	p.Min, p.Max, p.Alarms = min, 9, []scale.Rule{{Alarm: "up", Change: scale.Change{By: 1}}}
	cfg := calmServices(1, func(int) scale.Policy { return p })
	m := Managed{Match: "web-asg", Cluster: "prod", RaiseCapacity: true, Policy: drain.Defaults()}
	more(&m)
	cfg.Groups = append(cfg.Groups, m)
	return newKernel(t, cfg)
}

// plays runs a kernel for a time, and returns what it asks, by time, and what it sets; answers are given at once. Of the tasks, 4 run.
func plays(k *Kernel, from, until time.Duration, answer Answer) (asked []time.Duration, sizes []plan.GroupSize, lines []string) {
	desired := 4
	for now := t0.Add(from); now.Before(t0.Add(until)); now = now.Add(time.Second) {
		out := k.Next(now)
		for _, l := range out.Batch.Lines {
			lines = append(lines, l.Text)
		}
		for _, r := range out.Do {
			d := plan.Done{Request: r, Started: now}
			switch {
			case r.Look != nil:
				d.Result = plan.LookResult{View: calm(*r.Look, now), Calls: 1}
				for i := range d.Result.View.Services {
					d.Result.View.Services[i].Desired = desired
				}
			case r.Action.Size != nil:
				sizes = append(sizes, *r.Action.Size)
			default:
				desired = r.Action.Count.To
			}
			k.Did(d, now)
		}
		for _, a := range out.Ask {
			asked = append(asked, now.Sub(t0))
			k.Blocked(a, answer, now)
		}
	}
	return asked, sizes, lines
}

func TestWhenPlacesAreAskedFor(t *testing.T) {
	lacks := Answer{Blocker: notice.Blocker{Code: "no-cpu", Text: "no place for 2 tasks"}, Group: "web-asg", Capacity: 7}
	for name, tt := range map[string]struct {
		min     int
		more    func(*Managed)
		answer  Answer
		asked   int    // in 11 minutes
		at      string // the first
		raised  int
		written int // lines that say why
	}{
		"all run":                        {4, func(*Managed) {}, lacks, 0, "", 0, 0},
		"a group may be raised":          {6, func(*Managed) {}, lacks, 3, "0s", 3, 1},
		"nothing is lacking":             {6, func(*Managed) {}, Answer{}, 3, "0s", 0, 0},
		"no group may be raised":         {6, func(m *Managed) { m.RaiseCapacity = false }, lacks, 1, "1m0s", 0, 1},
		"the group is of another one":    {6, func(m *Managed) { m.Cluster = "stage" }, lacks, 1, "1m0s", 0, 1},
		"the group is observed":          {6, func(m *Managed) { m.Policy.Observe = true }, lacks, 3, "0s", 0, 1},
		"the answer names another group": {6, func(*Managed) {}, Answer{Blocker: lacks.Blocker, Group: "db-asg", Capacity: 3}, 3, "0s", 0, 1},
	} {
		k := growing(t, tt.min, tt.more)
		asked, sizes, lines := plays(k, 0, 11*time.Minute, tt.answer)
		want, written := slices.Repeat([]plan.GroupSize{{Group: "web-asg", To: 7}}, tt.raised), 0
		for _, l := range lines {
			if strings.HasSuffix(l, "no place for 2 tasks (no-cpu)") {
				written++
			}
		}
		if len(asked) != tt.asked || !slices.Equal(sizes, want) || written != tt.written || tt.at != "" && asked[0].Round(time.Minute).String() != tt.at {
			t.Errorf("%s: asked at %v, set %v, written %d times", name, asked, sizes, written)
		}
	}
}

// What was decided and not done before a crash is done afterwards, with the number that was written down.
func TestARaiseOutlivesACrash(t *testing.T) {
	k := growing(t, 6, func(*Managed) {})
	var asked []Ask
	var records []journal.Record
	for now := t0; now.Before(plus(2 * time.Minute)); now = now.Add(time.Second) {
		out := k.Next(now)
		for _, r := range out.Batch.Records {
			records = append(slices.DeleteFunc(records, func(o journal.Record) bool { return o.Key == r.Key }), r)
		}
		if len(asked) > 0 && len(out.Batch.Records) > 0 {
			break // and it dies before the call
		}
		for _, r := range out.Do {
			d := plan.Done{Request: r, Started: now}
			if r.Look != nil {
				d.Result = plan.LookResult{View: calm(*r.Look, now), Calls: 1}
			}
			k.Did(d, now)
		}
		for _, a := range out.Ask {
			asked = append(asked, a)
			k.Blocked(a, Answer{Blocker: notice.Blocker{Code: "no-cpu", Text: "no place"}, Group: "web-asg", Capacity: 7}, now)
		}
	}
	again, err := New(k.cfg, records, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, sizes, _ := plays(again, 10*time.Second, 20*time.Second, Answer{}); !slices.Equal(sizes, []plan.GroupSize{{Group: "web-asg", To: 7}}) {
		t.Errorf("%+v", sizes)
	}
	late, err := New(k.cfg, records, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, sizes, _ := plays(late, 4*time.Minute, 4*time.Minute+10*time.Second, Answer{}); len(sizes) != 0 {
		t.Errorf("too late: %+v", sizes)
	}
}
