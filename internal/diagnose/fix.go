package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

func (k *known) setState(status string) advice.Command {
	return k.q.At.SetState(k.cluster.Name, k.host.ARN.Name(), status)
}

func (k *known) deregister() advice.Command {
	return k.q.At.Deregister(k.cluster.Name, k.host.ARN.Name())
}

func (k *known) complete(hook string) advice.Command {
	return k.q.At.CompleteHook(k.group.Name, hook, string(k.instance))
}

// answers are the commands that answer every hook of the target, if a hook holds it.
func (k *known) answers() (all []advice.Command) {
	if k.member != nil && k.member.State.Waiting() {
		for _, h := range k.group.Terminating() {
			all = append(all, k.complete(h.Name))
		}
	}
	return all
}

// restartAgent restarts the agent on a host that is known to have a shell and systemd: neither Windows nor Bottlerocket has.
func (k *known) restartAgent() advice.Fix {
	const note = "restart its ECS agent; tasks go on meanwhile"
	if !k.hasShell() {
		return advice.Say("restart its ECS agent by the means of its operating system; tasks go on meanwhile")
	}
	return k.q.At.Shell(string(k.instance), "systemctl restart ecs").For(note)
}

// hasShell reports whether the host runs a Linux on which commands of a shell mean what they say. Bottlerocket gives its hosts an attribute,
// and its settings are TOML in the user data.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
func (k *known) hasShell() bool {
	_, bottlerocket := k.host.Attributes["bottlerocket.variant"]
	if k.group != nil && strings.Contains(k.group.UserData, "[settings.") || launchUnread(k.s, k.group) || gapsOf(k).group() {
		bottlerocket = true // or may be
	}
	return k.host.Attributes["ecs.os-type"] == "linux" && !bottlerocket
}

// addHost launches one host more for a service, where that can help and no host comes anyway.
func (k *known) addHost(s *inventory.Service) []advice.Fix {
	if coming, _ := k.anyComes(s); coming != "" {
		return []advice.Fix{advice.Say("wait: %s", coming)}
	}
	g := k.groupFor(s)
	if gapsOf(k).coming() {
		return []advice.Fix{advice.Say("add a host to cluster %s, unless one is coming: that could not be read", k.cluster.Name)}
	}
	if g == nil {
		return []advice.Fix{advice.Say("add a host to cluster %s", k.cluster.Name)}
	}
	if slices.Contains(g.Suspended, "Launch") {
		return []advice.Fix{k.q.At.Resume(g.Name, "Launch").For("group " + g.Name + " launches no host while its process Launch is suspended")}
	}
	if small := k.tooSmall(s, g); small != "" {
		return []advice.Fix{advice.Say("%s: add hosts of another kind", small)}
	}
	return []advice.Fix{k.q.At.Desired(g.Name, g.Desired, g.Desired+1, g.Max).For("one host more, which costs money until it is taken back; it may not " +
		"be enough for all. When it is taken back, scale-in chooses an instance, which leaves as this one does")}
}

// joining is how long a new instance may take to register in its cluster.
const joining = 10 * time.Minute

// anyComes says that a host which may take tasks of a service comes without anybody's doing; empty: none does, if that is known. Without capacity
// providers every group will do that has hosts in the cluster.
func (k *known) anyComes(s *inventory.Service) (coming string, known bool) {
	strategy, groups := k.cluster.StrategyOf(s), []*inventory.Group{}
	for _, i := range strategy {
		for _, p := range k.cluster.CapacityProviders {
			if p.Name == i.Provider {
				groups = append(groups, k.s.Group(p.Group))
			}
		}
	}
	if len(strategy) == 0 {
		groups = append(groupsOf(k.s, k.cluster), k.group)
	}
	known = k.cluster.Part == nil
	for _, g := range groups {
		if g == nil {
			known = known && !k.q.Alone
			continue
		}
		if coming := k.hostComes(g); coming != "" {
			return coming, true
		}
	}
	return "", known && !gapsOf(k).coming()
}

// groupsOf are the groups of the hosts of a cluster; nil among them: one that was not read, or none.
func groupsOf(s *inventory.Inventory, c *inventory.Cluster) (groups []*inventory.Group) {
	of := map[fleet.InstanceID]*inventory.Group{}
	for _, g := range s.Groups {
		for _, i := range g.Instances {
			of[i.ID] = g
		}
	}
	for _, h := range c.Hosts {
		if strings.HasPrefix(string(h.Instance), "i-") && !slices.Contains(groups, of[h.Instance]) {
			groups = append(groups, of[h.Instance])
		}
	}
	return groups
}

// hostComes says that a group gets another host without anybody's doing; empty: it does not.
func (k *known) hostComes(g *inventory.Group) string {
	if slices.Contains(g.Suspended, "Launch") {
		return ""
	}
	stay := 0
	for _, in := range g.Instances {
		ec2 := k.s.Instance(in.ID)
		switch {
		case strings.HasPrefix(string(in.State), "Pending"):
			return fmt.Sprintf("instance %s of group %s is being launched", in.ID, g.Name)
		case in.State.Leaving() || in.State.Waiting() || in.State.Over():
			continue
		case in.State == fleet.InService && ec2 != nil && k.q.Now.Sub(ec2.Launched) < joining && !k.registered(in.ID):
			return fmt.Sprintf("instance %s of group %s was launched %s ago and has not joined a cluster yet", in.ID, g.Name,
				span(ec2.Launched, k.q.Now))
		}
		stay++
	}
	if stay < g.Desired {
		return fmt.Sprintf("group %s launches another host: %d of the %d that it wants stay", g.Name, stay, g.Desired)
	}
	return ""
}

func (k *known) registered(id fleet.InstanceID) bool {
	return slices.ContainsFunc(k.s.Clusters, func(c *inventory.Cluster) bool {
		h := c.Host(id)
		return h != nil && h.Connected
	})
}

// tooSmall says that no host like those of a group has room for a task of a service, even if it is empty; empty: one may have.
func (k *known) tooSmall(s *inventory.Service, g *inventory.Group) string {
	def := k.cluster.TaskDefinition(s.TaskDefinition)
	if def == nil || k.cluster.Part != nil {
		return ""
	}
	var cpu, memory, gpu int
	any := false
	for _, h := range k.cluster.Hosts {
		if _, in := k.s.Member(h.Instance); in != nil && in.Group == g.Name {
			cpu, memory, gpu, any = max(cpu, h.CPU), max(memory, h.Memory), max(gpu, h.GPU), true
		}
	}
	if !any || def.CPU <= cpu && def.Memory <= memory && def.GPU <= gpu {
		return ""
	}
	return fmt.Sprintf("a task of service %s needs %d CPU units, %d MiB and %d GPUs, and the hosts of group %s have at most %d, %d and %d", s.Name, def.CPU,
		def.Memory, def.GPU, g.Name, cpu, memory, gpu)
}

// groupFor is the group of a capacity provider of a service, or that of the target.
func (k *known) groupFor(s *inventory.Service) *inventory.Group {
	for _, item := range k.cluster.StrategyOf(s) {
		for _, p := range k.cluster.CapacityProviders {
			if g := k.s.Group(p.Group); p.Name == item.Provider && g != nil {
				return g
			}
		}
	}
	return k.group
}

// clock spells a time as on a clock, with the date if that is not today's.
func (k *known) clock(t time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) != k.q.Now.UTC().Format(time.DateOnly) {
		return t.Format("2006-01-02 15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC")
}

// when spells a time to come with how far away it is.
func (k *known) when(t time.Time) string {
	if t.Before(k.q.Now) {
		return k.clock(t)
	}
	return fmt.Sprintf("%s (in %s)", k.clock(t), span(k.q.Now, t))
}

// since spells a start and how long ago it was, nothing if it is not known.
func (k *known) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("since %s (%s)", k.clock(t), span(t, k.q.Now))
}

// leavingFor is how long the termination of the target has been going on; false: that is not known, and it may be for long.
func (k *known) leavingFor() (time.Duration, bool) {
	if k.group == nil || k.group.TerminatingSince(k.instance).IsZero() {
		return math.MaxInt64, false
	}
	return max(0, k.q.Now.Sub(k.group.TerminatingSince(k.instance))), true
}

// ownDelay is for how long Auto Scaling drains the group's own load balancers before the hooks open; false: it may be longer. How long classic
// ones take is not read.
func (k *known) ownDelay() (longest time.Duration, known bool) {
	known = len(k.group.ClassicBalancers) == 0
	for _, arn := range k.group.TargetGroups {
		if tg := k.s.TargetGroup(arn); tg != nil && tg.DelayKnown {
			longest = max(longest, tg.Delay)
		} else {
			known = false
		}
	}
	return longest, known
}

// span spells how long it is from one time to another; clocks that differ make it nothing, never less.
func span(from, to time.Time) string { return inventory.Span(max(0, to.Sub(from))) }

// phrase joins what is not empty.
func phrase(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// fix is what removes a reason for which tasks of a service do not move, the best first. What interrupts is advised only where it is proved
// that the tasks stay, and nothing comes by itself.
func (k *known) fix(s *inventory.Service, c Code, f placement.Fate) []advice.Fix {
	var fixes []advice.Fix
	proved := f.Verdict == placement.Stuck
	switch c {
	case placement.PercentArithmetic:
		if !proved {
			return nil
		}
		surge := k.surge(s)
		if len(f.Places) == 0 {
			surge.Note += ". It needs a host with room for one task more"
			return append(k.lower(s, f), surge)
		}
		return append([]advice.Fix{surge}, k.lower(s, f)...)
	case placement.NoCPU, placement.NoMemory, placement.NoGPU, placement.NoInterface, placement.NoPort, placement.DistinctInstance,
		placement.NoHost, placement.NoProviderHost, placement.Together, placement.Order, placement.Scaling:
		fixes = k.addHost(s)
	case placement.NoAttribute, placement.ConstraintUnmet:
		fixes = append(k.giveAttribute(s), k.whoMeets(s)...)
		fixes = append(fixes, advice.Say("or add a host that has what is asked for: one more like the others does not help"))
	case placement.Protected:
		return k.protected(f)
	default:
		return nil
	}
	switch coming, known := k.anyComes(s); {
	case proved && !known && k.q.Alone:
		wider := k.q.At.Ebb("why", k.q.Target, "--cluster", k.cluster.Name)
		fixes = append([]advice.Fix{wider.For("reads the groups of all hosts too: where one of them launches a host, wait for that")}, fixes...)
	case proved && known && coming == "":
		fixes = append(fixes, k.lower(s, f)...)
	}
	return fixes
}

// surge lets replacements start first.
func (k *known) surge(s *inventory.Service) advice.Fix {
	c := k.q.At.Percents(k.cluster.Name, s.Name, s.MinPercent, 200, s.MinPercent, s.MaxPercent)
	if s.MaxPercent > 100 {
		return c.For("lets replacements start first")
	}
	return c.Costs(advice.Interrupts, "two copies of a task may run at a time, which a maximum of 100 percent may rule out on purpose",
		"two copies may run at a time").For("lets replacements start first")
}

// lower lets the tasks on the host stop before their replacements run, unless the service may have as few already.
func (k *known) lower(s *inventory.Service, f placement.Fate) []advice.Fix {
	rest := max(0, f.Desired-len(f.Tasks))
	least := 100 * rest / f.Desired // what is stuck is wanted
	if least >= s.MinPercent {
		return nil
	}
	most := max(100, s.MaxPercent)
	return []advice.Fix{k.q.At.Percents(k.cluster.Name, s.Name, least, most, s.MinPercent, s.MaxPercent).
		Costs(advice.Interrupts, fmt.Sprintf("the service may run with %d of %s until replacements have a place", rest, plain.Count(f.Desired, "task")),
			"the others carry the load").For("lets the tasks on the host stop first; set it back afterwards")}
}

// protected is what to do about tasks with scale-in protection: that ends by itself at a time.
func (k *known) protected(f placement.Fate) (fixes []advice.Fix) {
	for _, t := range k.cluster.Tasks {
		if !t.Protected || !slices.Contains(f.Tasks, t.ARN) {
			continue
		}
		if t.ProtectedUntil.After(k.q.Now) {
			fixes = append(fixes, advice.Say("wait: the protection of task %s ends at %s, unless the task asks for more", t.ARN.Name(), k.when(t.ProtectedUntil)))
			continue
		}
		fixes = append(fixes, k.q.At.TaskUnprotected(k.cluster.Name, t.ARN.Name()).For("ends the protection of task "+t.ARN.Name()))
	}
	return fixes
}

// constraints are the attributes that a service asks of a host, as expressions and as name=value.
func (k *known) constraints(s *inventory.Service) (expressions, required []string) {
	def := k.cluster.TaskDefinition(s.TaskDefinition) // known, for else nothing would be said of an attribute
	for _, c := range slices.Concat(s.Constraints, def.Constraints) {
		if c.Type == "memberOf" {
			expressions = append(expressions, c.Expression)
		}
	}
	return expressions, def.Requires
}

// giveAttribute gives another host the attribute that a service asks for, if that is one of the user's and asked for simply. What AWS
// or the agent sets says what a host is, and is not for the giving.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
func (k *known) giveAttribute(s *inventory.Service) []advice.Fix {
	expressions, wanted := k.constraints(s)
	wanted = slices.Clone(wanted)
	for _, e := range expressions {
		if f := strings.Fields(e); len(f) == 3 && strings.HasPrefix(f[0], "attribute:") && (f[1] == "==" || f[1] == "equals") {
			wanted = append(wanted, strings.TrimPrefix(f[0], "attribute:")+"="+strings.Trim(f[2], `'"`))
		}
	}
	for _, pair := range wanted {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.") {
			continue
		}
		for _, h := range k.cluster.Hosts {
			if h.Status == fleet.Active && h.Connected && (h.Attributes[name] != value || value == "") {
				return []advice.Fix{k.q.At.PutAttribute(k.cluster.Name, h.ARN.Name(), name, value).Once(string(h.Instance) + " may have it: tasks that " +
					"ask for it may be placed there then").For("gives " + string(h.Instance) + " the attribute")}
			}
		}
	}
	return nil
}

// whoMeets lists the hosts that meet a constraint.
func (k *known) whoMeets(s *inventory.Service) []advice.Fix {
	expressions, _ := k.constraints(s)
	if len(expressions) == 0 {
		return nil
	}
	return []advice.Fix{k.q.At.HostsThat(k.cluster.Name, expressions[0]).For("lists the hosts that meet it")}
}
