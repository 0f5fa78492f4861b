package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

func serviceChecks() []Check {
	return []Check{
		{"never-drains", "A service that can never drain", eachOf((*Input).clusters, kept, neverDrains)},
		{"no-place", "A cluster that cannot spare its fullest host", each((*Input).clusters, noPlace)},
		{"stops-all", "A service that may stop all its tasks at once", eachOf((*Input).clusters, kept, stopsAll)},
	}
}

// replacedFirst lets replacements start before tasks stop.
func (in *Input) replacedFirst(c *inventory.Cluster, v *inventory.Service) advice.Fix {
	f := in.At.Percents(c.Name, v.Name, 100, 200, v.MinPercent, v.MaxPercent)
	if v.MaxPercent <= 100 {
		f = f.Costs(advice.Interrupts, "two copies of a task may run at a time, which a maximum of 100 percent may rule out on purpose",
			"two copies may run at a time")
	}
	return f.For("lets replacements start first")
}

func neverDrains(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	least, most := v.Bounds()
	if least < v.Desired || most > v.Desired {
		return nil
	}
	return &Finding{
		Severity: Error, Subject: serviceIn(c, v),
		Finding: fmt.Sprintf("of %d tasks at least %d must be healthy (minimumHealthyPercent %d, rounded up) and at most %d may run "+
			"(maximumPercent %d, rounded down): ECS may neither stop a task first nor start another",
			v.Desired, least, v.MinPercent, most, v.MaxPercent),
		Impact: "no host with one of its tasks ever drains: Ebb cuts the task off at its deadline, managed draining after 48h",
		Advice: advice.Of(in.replacedFirst(c, v)),
	}
}

// stopsAll looks only at services behind a load balancer: clients wait for their answers.
func stopsAll(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	if least, _ := v.Bounds(); least > 0 || len(v.LoadBalancers) == 0 {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: serviceIn(c, v), Finding: fmt.Sprintf("with a minimumHealthyPercent of %d a drain may stop every task "+
			"before one replacement answers", v.MinPercent),
		Impact: "clients may get errors during a drain", Advice: advice.Of(in.replacedFirst(c, v)),
	}
}

func taskChecks() []Check {
	return []Check{
		{"standalone-tasks", "Tasks that no service owns", each((*Input).clusters, standaloneTasks)},
		{"task-protected", "Task protection that stays on", eachOf((*Input).clusters, tasks, taskProtected)},
	}
}

// standaloneTasks: a drain neither stops nor moves them.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
func standaloneTasks(in *Input, c *inventory.Cluster) *Finding {
	var families []string
	oldest := in.Now
	for _, t := range c.Tasks {
		if t.Service() != "" || t.ContainerInstance == "" || t.DesiredStatus == "STOPPED" || strings.HasPrefix(t.StartedBy, "ecs-svc/") {
			continue
		}
		families = append(families, t.Family)
		if !t.StartedAt.IsZero() && t.StartedAt.Before(oldest) {
			oldest = t.StartedAt
		}
	}
	if len(families) == 0 {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: "cluster " + c.Name,
		Finding: fmt.Sprintf("tasks on its hosts that belong to no service: %d (%s); the oldest runs for %s", len(families),
			strings.Join(slices.Compact(slices.Sorted(slices.Values(families))), ", "), span(in.Now.Sub(oldest))),
		Impact: "a drain waits for them to end by themselves: Ebb until its deadline, managed draining up to 48h; then they are killed",
		Advice: advice.Of(advice.Say("nothing, if they end soon; a task that must not be cut off needs a deadline longer than its run time (deadline: in " +
			"Ebb's configuration), or a host without terminations")),
	}
}

// longProtection is how long a protection may still last before it counts as forgotten. The longest that can be asked for is 48 h.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html
const longProtection = 24 * time.Hour

func taskProtected(in *Input, c *inventory.Cluster, t *inventory.Task) *Finding {
	if !t.Protected || t.ProtectedUntil.IsZero() {
		return nil
	}
	var what string
	switch left := t.ProtectedUntil.Sub(in.Now); {
	case left > longProtection:
		what = "for another " + span(left)
	case left < -time.Hour:
		what = "although its protection ended " + span(-left) + " ago"
	default:
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "task " + string(t.ARN), Finding: "the task of service " + t.Service() + " is protected from scale-in " + what,
		Impact: "deployments of the service leave it on the old revision, and scale-in spares it; AWS does not document whether a drain spares it too",
		Advice: advice.Of(advice.Say("ask the owner of the task whether its work is done"), in.At.TaskUnprotected(c.Name, t.ARN.Name()).For("")),
	}
}

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
