package scaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/load"
)

// Loads are the synthetic loads, of requests and of messages.
func Loads() []Load {
	var all []Load
	for _, queue := range []bool{false, true} {
		k := Load{Queue: queue}
		shapes := load.Shapes(peak*k.per(), 1)
		for _, v := range []struct {
			name          string
			begins, lasts time.Duration
		}{{"diurnal", 0, 24 * time.Hour}, {"steps", 0, 12 * time.Hour}, {"ramp", 10 * time.Minute, 2 * time.Hour}, {"flash", 10 * time.Minute, time.Hour}} {
			k.Name, k.shape, k.begins, k.lasts = v.name, shapes[v.name], v.begins, v.lasts
			all = append(all, k)
		}
		if queue {
			k.Name, k.shape, k.begins, k.lasts = "on-off", shapes["on-off"], 5*time.Minute, 3*time.Hour+10*time.Minute
			all = append(all, k)
			k.Unguarded = true
			all = append(all, k)
		}
	}
	return all
}

// Traced are the loads of a trace, which is a CSV (load.ReadTrace), as requests and as messages. Its rates are scaled so that its peak needs as many
// tasks as those of the synthetic loads.
func Traced(name, text string) ([]Load, error) {
	shape, err := load.ReadTrace(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	points := shape.Trace
	highest := slices.MaxFunc(points, func(a, b load.Point) int { return cmp.Compare(a.Rate, b.Rate) }).Rate
	if highest <= 0 {
		return nil, fmt.Errorf("%s: no rate is above 0", name)
	}
	last := len(points) - 1
	lasts := (2*points[last].At - points[last-1].At).Truncate(time.Minute)
	if lasts < time.Minute {
		return nil, fmt.Errorf("%s: it lasts for less than a minute", name)
	}
	var all []Load
	for _, queue := range []bool{false, true} {
		k := Load{Name: name, Queue: queue, lasts: lasts}
		for _, p := range points {
			k.shape.Trace = append(k.shape.Trace, load.Point{At: p.At, Rate: p.Rate / highest * peak * k.per()})
		}
		all = append(all, k)
	}
	return all, nil
}

// Rows plays a load with every policy.
func (k Load) Rows() (all []Row, err error) {
	for _, p := range k.policies() {
		r, err := k.play(p)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Table has a line for each policy, below a line of heads.
func (k Load) Table(rows []Row) [][]string {
	head := []string{"policy", "overload", "unserved", "surplus", "tasks"}
	if k.Queue {
		head = []string{"policy", "late", "longest wait", "cut off", "idle", "tasks", "of the oracle's"}
	}
	all := [][]string{append(head, "changes", "reversals", "first task asked for")}
	best := Find(rows, Oracle).Hours()
	for _, r := range rows {
		t := r.Report
		hours := func(h float64) string { return fmt.Sprintf("%.1f h", h) }
		missed := fmt.Sprintf("%.2f %%", 100*r.Missed())
		line := []string{r.Policy, fmt.Sprintf("%.0f min", t.Overload.Minutes()), missed, hours(t.Surplus.Hours()), hours(r.Hours())}
		if k.Queue {
			line = []string{
				r.Policy, missed, fmt.Sprintf("%.0f s", t.Worst.Seconds()), fmt.Sprintf("%.0f", t.Cut), hours(r.Hours() - t.Busy/3600), hours(r.Hours()),
				fmt.Sprintf("%.2f", r.Hours()/best),
			}
		}
		first := "–"
		if r.Asked && r.First < 0 {
			first = "ahead"
		} else if r.Asked {
			first = fmt.Sprintf("%.0f s", r.First.Seconds())
		}
		all = append(all, append(line, fmt.Sprint(r.actions), fmt.Sprint(r.turns), first))
	}
	return all
}

// About says how long it lasts, and when it begins.
func (k Load) About() string {
	if k.begins > 0 {
		return fmt.Sprintf("%s. The load begins, or begins to grow, after %s.", spell(k.lasts), spell(k.begins))
	}
	return spell(k.lasts) + "."
}

// spell leaves out the zeros of a duration.
func spell(d time.Duration) string {
	return strings.NewReplacer("h0m0s", " h", "m0s", " min", "h", " h ").Replace(d.String())
}

// Find is the row of a policy, which must be among them.
func Find(rows []Row, policy string) Row {
	return rows[slices.IndexFunc(rows, func(r Row) bool { return r.Policy == policy })]
}
