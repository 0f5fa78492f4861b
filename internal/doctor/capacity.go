package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// fullestHosts is how many hosts of a cluster the check examines. It bounds the time of the check, not its findings.
const fullestHosts = 20

// lacks are the reasons for which a replacement has no place now; the others are transient, or matters of other checks.
var lacks = [...]placement.Code{
	placement.NoCPU, placement.NoMemory, placement.NoGPU, placement.NoInterface, placement.NoPort, placement.NoAttribute, placement.ConstraintUnmet,
	placement.DistinctInstance, placement.NoProviderHost, placement.NoHost, placement.Together,
}

// noPlace asks what would happen to the tasks of each cluster's fullest hosts, one host at a time, if it left now. It finds only
// what is proved: that a task would stay.
func noPlace(in *Input, c *inventory.Cluster) *Finding {
	if !in.tasksKnown(c) || !in.read("cluster "+c.Name, "ecs:ListContainerInstances", "ecs:DescribeContainerInstances",
		"ecs:DescribeCapacityProviders") {
		return nil
	}
	hosts := fullest(c)
	worst, hang := stay{}, 0
	for _, h := range hosts {
		s := in.leave(c, h)
		if s.tasks > 0 {
			hang++
		}
		if s.tasks > worst.tasks {
			worst = s
		}
	}
	if hang == 0 {
		return nil
	}
	return in.cannotSpare(c, worst, hang, len(hosts))
}

// stay holds the tasks that would stay on a host that leaves.
type stay struct {
	host  *inventory.Host
	tasks int
	fates []placement.Fate
}

func (in *Input) leave(c *inventory.Cluster, h *inventory.Host) stay {
	s := stay{host: h}
	for _, f := range placement.Leave(in.Inventory, c, []fleet.InstanceID{h.Instance}).Fates {
		if f.Verdict == placement.Stuck && slices.Contains(lacks[:], f.Reasons[0].Code) {
			s.tasks += len(f.Tasks)
			s.fates = append(s.fates, f)
		}
	}
	return s
}

// fullest are the hosts with the greatest share of CPU or memory in use, the fullest first.
func fullest(c *inventory.Cluster) []*inventory.Host {
	hosts := slices.DeleteFunc(slices.Clone(c.Hosts), func(h *inventory.Host) bool { return h.Status != fleet.Active || !h.Connected })
	slices.SortStableFunc(hosts, func(a, b *inventory.Host) int { return cmp.Compare(use(b), use(a)) })
	return hosts[:min(fullestHosts, len(hosts))]
}

// use is the share of a host that is in use: of its CPU or of its memory, whichever is greater.
func use(h *inventory.Host) float64 {
	share := func(free, of int) float64 {
		if of == 0 { // its size is not known
			return 0
		}
		return float64(of-free) / float64(of)
	}
	return max(share(h.Free.CPU, h.CPU), share(h.Free.Memory, h.Memory))
}

func (in *Input) cannotSpare(c *inventory.Cluster, worst stay, hang, of int) *Finding {
	var parts []string
	for _, f := range worst.fates[:min(3, len(worst.fates))] {
		parts = append(parts, "service "+f.Service+": "+f.Reasons[0].Message)
	}
	if more := len(worst.fates) - len(parts); more > 0 {
		parts = append(parts, "and "+plain.Count(more, "more service"))
	}
	f := &Finding{
		Severity: Warn, Subject: "cluster " + c.Name,
		Finding: fmt.Sprintf("if host %s left now, replacements would have no place (the same applies to %d of the %d hosts examined, the "+
			"fullest): %s", worst.host.Instance, hang, of, strings.Join(parts, "; ")),
		Impact: "a drain waits for another host, and without one it is cut off at its deadline",
	}
	fix := advice.Say("keep one more host in cluster %s", c.Name)
	if g, _ := in.Inventory.Member(worst.host.Instance); g != nil {
		switch {
		case slices.Contains(g.Suspended, "Launch"):
			fix = in.At.Resume(g.Name, "Launch").For("group " + g.Name + " launches no host while its process Launch is suspended")
		case slices.ContainsFunc(g.Instances, func(i fleet.GroupInstance) bool { return strings.HasPrefix(string(i.State), "Pending") }):
			fix = advice.Say("wait: group %s is launching a host", g.Name)
		default:
			fix = in.At.Desired(g.Name, g.Desired, g.Desired+1, g.Max).For("keep one more host, which costs money")
		}
	}
	f.Advice = advice.Of(fix, advice.Say("or let a task stop first, with a lower minimumHealthyPercent"))
	return f
}
