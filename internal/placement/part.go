package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

// Enough reports whether the hosts that were read of a cluster have a place for a task of each service that is to leave an instance.
func Enough(c *inventory.Cluster, instance fleet.InstanceID) bool {
	v := look(&inventory.Inventory{}, c, []fleet.InstanceID{instance})
	return !slices.ContainsFunc(v.demands, func(d *demand) bool { return len(d.targets) > 0 && len(v.places(d)) == 0 })
}

// partly judges the tasks of one service in a cluster that was read in part. Such a cluster promises nothing and proves hardly anything: other
// hosts may have room, and other services may take it first.
func (v *view) partly(d *demand) Fate {
	f, p := v.bare(d), v.c.Part
	f.Verdict = Uncertain
	counted := slices.Contains(p.Counted, d.name)
	if !counted { // ECS's own count of them
		d.staying = max(d.staying, d.s.Running+d.s.Pending-len(d.targets))
	}
	var kept []Reason
	switch r, stuck := v.arithmetic(d); {
	case stuck && counted: // no host changes that
		f.Verdict, f.Reasons = Stuck, []Reason{r}
		return f
	case stuck:
		kept = append(kept, r)
	}
	for _, r := range v.doubts(d) {
		if slices.Contains([]Code{PercentArithmetic, Deployment, Protected, AgentGone}, r.Code) || counted && r.Code == NotHealthy {
			kept = append(kept, r)
		}
	}
	read := fmt.Sprintf("%d of %s in cluster %s were read", len(v.rooms), plain.Count(p.Hosts-1, "other host"), v.c.Name)
	f.Places = slices.DeleteFunc(f.Places, func(id fleet.InstanceID) bool { // not every task there is known
		return d.distinct && !counted || d.needs[nics] > 0 && !v.c.Host(id).Trunk
	})
	if len(f.Places) == 0 {
		if counted && d.count == 0 {
			kept = append(kept, Reason{Unjudged, "as many tasks of it as it wants are on other hosts; when ECS stops those here depends on more than was read: " + read})
		} else if kept = append(kept, v.hopes(d)...); len(v.rooms) > 0 {
			for _, r := range v.refusals(d, d.admits, make([]load, len(v.rooms)), true) {
				kept = append(kept, Reason{r.Code, r.Message + "; " + read + ", and not what may end there"})
			}
		}
		if len(kept) == 0 {
			kept = append(kept, Reason{Unjudged, "where its replacement may run is not known: " + read})
		}
		f.Reasons = kept
		return f
	}
	var ids []string
	for _, id := range f.Places[:min(3, len(f.Places))] {
		ids = append(ids, string(id))
	}
	if more := len(f.Places) - len(ids); more > 0 {
		ids = append(ids, plain.Count(more, "more host"))
	}
	words := fmt.Sprintf("a replacement has room on %s now; %s, and not what else wants that room", strings.Join(ids, ", "), read)
	if !counted {
		words += fmt.Sprintf("; nor were the other tasks of the service (%d in all), so whether enough of them are healthy is not known", d.s.Running+d.s.Pending)
	}
	f.Reasons = append(kept, Reason{Unjudged, words})
	return f
}
