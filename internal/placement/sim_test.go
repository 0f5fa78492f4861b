package placement_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

var (
	seedCount = flag.Int("seeds", 300, "how many random clusters to drain")
	firstSeed = flag.Uint64("first", 1, "the first seed")
	report    = flag.Bool("report", false, "print what became of each seed")
)

// outcome is what the simulated scheduler did to one cluster, beside what was said before.
type outcome struct {
	said     placement.Result
	before   *inventory.Inventory
	after    *inventory.Inventory
	targets  []fleet.InstanceID
	left     []ecs.Task                    // tasks still on the targets, hours later
	short    []string                      // services that have not come back to what they want
	hosts    []ecs.ContainerInstance       // before
	tasks    []ecs.Task                    // before
	defs     map[string]ecs.TaskDefinition // by service
	services map[string]ecs.Service
	events   map[string]string             // the last word of each service
	blocked  map[string][][]placement.Code // why no host takes a task more, by service and host
}

// TestTheSimulatedScheduler drains hosts of random clusters in the simulated cloud. What was promised happens, what was proved
// happens, and everything that stays was named before, with the scheduler's own reason.
func TestTheSimulatedScheduler(t *testing.T) {
	verdicts := map[placement.Verdict]int{}
	for seed := *firstSeed; seed < *firstSeed+uint64(*seedCount); seed++ {
		o := drained(t, seed)
		verdicts[o.said.Verdict]++
		if *report {
			t.Logf("seed %d: %s, %d left, short %v", seed, o.said.Verdict, len(o.left), o.short)
		}
		for _, wrong := range o.wrong() {
			t.Errorf("seed %d, %v: %s\nsaid: %s%s\nreplay: go test ./internal/placement -run TestTheSimulatedScheduler -first %d -seeds 1",
				seed, o.targets, wrong, o.said.Verdict, told(o.said), seed)
		}
	}
	t.Logf("%d clusters: %v", *seedCount, verdicts)
	if *seedCount < 200 {
		return
	}
	for v, percent := range map[placement.Verdict]int{placement.Moves: 20, placement.Stuck: 15, placement.Shrinks: 2} {
		if verdicts[v]*100 < percent**seedCount {
			t.Errorf("%s was said of %d of %d clusters; at least %d %% were expected", v, verdicts[v], *seedCount, percent)
		}
	}
	if n := verdicts[placement.Uncertain]; n*100 > 10**seedCount {
		t.Errorf("uncertain was said of %d of %d clusters; at most 10 %% are of use", n, *seedCount)
	}
}

func told(r placement.Result) string {
	var b strings.Builder
	for _, f := range r.Fates {
		fmt.Fprintf(&b, "\n  %s %s ×%d: %s", f.Kind, f.Service, len(f.Tasks), f.Verdict)
		for _, r := range f.Reasons {
			fmt.Fprintf(&b, "\n    %s: %s", r.Code, r.Message)
		}
	}
	return b.String()
}

// drained makes the cluster of a seed, asks about some of its hosts, drains them and lets six hours pass.
func drained(t *testing.T, seed uint64) outcome {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	w, err := sim.Build(randomSpec(r))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	w.Advance(w.Now().Add(10 * time.Minute))
	o := outcome{before: inventoryOf(t, w)}
	c := o.before.Clusters[0]
	var arns []string
	for _, i := range r.Perm(len(c.Hosts))[:1+r.IntN(1+len(c.Hosts)/4)] {
		o.targets = append(o.targets, c.Hosts[i].Instance)
		arns = append(arns, string(c.Hosts[i].ARN))
	}
	o.hosts, o.tasks, o.defs = allHosts(t, w), allTasks(t, w), map[string]ecs.TaskDefinition{}
	o.said = placement.Leave(o.before, c, o.targets)
	if _, failures, err := w.UpdateContainerInstancesState("prod", arns, "DRAINING"); err != nil || len(failures) > 0 {
		t.Fatalf("seed %d: draining: %v %v", seed, err, failures)
	}
	w.Advance(w.Now().Add(6 * time.Hour))
	o.look(t, w)
	o.after = inventoryOf(t, w)
	return o
}

func (o *outcome) look(t *testing.T, w *sim.World) {
	t.Helper()
	for _, task := range allTasks(t, w) {
		if task.LastStatus != "STOPPED" && slices.Contains(o.targets, fleet.InstanceID(task.Instance)) {
			o.left = append(o.left, task)
		}
	}
	o.services, o.events, o.blocked = map[string]ecs.Service{}, map[string]string{}, map[string][][]placement.Code{}
	for _, s := range allServices(t, w) {
		if o.defs[s.Name], _ = w.DescribeTaskDefinition(s.Definition); o.defs[s.Name].Family == "" {
			t.Fatalf("there is no task definition %s", s.Definition)
		}
		o.services[s.Name], o.blocked[s.Name] = s, refusals(w, s, allHosts(t, w), allTasks(t, w))
		if !s.Daemon && s.Running < s.Desired {
			o.short = append(o.short, s.Name)
		}
		if len(s.Events) > 0 {
			o.events[s.Name] = s.Events[0].Text
		}
	}
}

// wrong is everything that happened otherwise than it was said.
func (o *outcome) wrong() []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if v := o.said.Verdict; v <= placement.Shrinks && len(o.left) > 0 {
		say("%s was promised, and %d tasks stay", v, len(o.left))
	}
	if o.said.Verdict == placement.Stuck && len(o.left) == 0 {
		say("stuck was proved, and nothing stays")
	}
	for i := range o.said.Fates {
		f := &o.said.Fates[i]
		stays := slices.ContainsFunc(o.left, func(t ecs.Task) bool { return slices.Contains(f.Tasks, fleet.ARN(t.ARN)) })
		single := len(f.Reasons) == 0 || f.Reasons[0].Code != placement.Together
		switch {
		case f.Kind == placement.Daemon: // stops when the others have
		case stays && f.Verdict <= placement.Shrinks:
			say("service %s was promised to leave, and stays", f.Service)
		case !stays && f.Verdict == placement.Stuck && single:
			say("service %s was proved stuck, and leaves", f.Service)
		case f.Verdict == placement.Moves && slices.Contains(o.short, f.Service):
			say("service %s was promised to move, and has not come back to what it wants: %s", f.Service, o.events[f.Service])
		case stays && !o.named(f):
			say("service %s stays because %q, which is not among the reasons", f.Service, o.events[f.Service])
		}
	}
	for _, t := range o.left {
		if !slices.ContainsFunc(o.said.Fates, func(f placement.Fate) bool { return slices.Contains(f.Tasks, fleet.ARN(t.ARN)) }) {
			say("task %s of service %s stays and was not named", t.ARN, t.Service)
		}
	}
	return wrong
}

// named reports whether the reasons that were given before are true now, by the test's own arithmetic.
func (o *outcome) named(f *placement.Fate) bool {
	if len(f.Reasons) == 0 {
		return false
	}
	switch f.Reasons[0].Code {
	case placement.Standalone:
		return f.Service == ""
	case placement.Order, placement.Together:
		return o.blocked[f.Service] != nil
	case placement.PercentArithmetic:
		s := o.services[f.Service]
		return (s.Desired*s.Min+99)/100 >= s.Desired*s.Max/100
	}
	given := func(c placement.Code) bool {
		return slices.ContainsFunc(f.Reasons, func(r placement.Reason) bool { return r.Code == c })
	}
	for _, host := range o.blocked[f.Service] {
		if !slices.ContainsFunc(host, given) {
			return o.full(f, given)
		}
	}
	return o.blocked[f.Service] != nil
}

// full reports whether, before anything was placed, the reasons alone left too little room for what the service had to start.
// Afterwards, other services may have taken what was not short at first.
func (o *outcome) full(f *placement.Fate, given func(placement.Code) bool) bool {
	room, staying := 0, 0
	for _, h := range o.hosts {
		if slices.Contains(o.targets, fleet.InstanceID(h.Instance)) {
			continue
		}
		room += o.roomFor(f.Service, h, given)
	}
	for _, k := range o.tasks {
		if k.Service == f.Service && !slices.Contains(o.targets, fleet.InstanceID(k.Instance)) {
			staying++
		}
	}
	return room < f.Min-staying
}

// roomFor is how many tasks of a service a host takes when nothing counts but the given reasons.
func (o *outcome) roomFor(service string, h ecs.ContainerInstance, given func(placement.Code) bool) int {
	free, d := 1000, o.defs[service]
	here := func(is func(ecs.Task) bool) int {
		return count(o.tasks, func(k ecs.Task) bool { return k.ContainerInstance == h.ARN && k.LastStatus != "STOPPED" && is(k) })
	}
	if given(placement.NoCPU) {
		free = min(free, h.FreeCPU/d.CPU)
	}
	if given(placement.NoMemory) {
		free = min(free, h.FreeMemory/d.Memory)
	}
	if given(placement.NoGPU) {
		free = min(free, len(h.FreeGPUs)/d.GPU)
	}
	if given(placement.NoInterface) && h.Interfaces > 0 {
		free = min(free, h.Interfaces-1-here(func(k ecs.Task) bool { return k.IP != "" }))
	}
	if given(placement.DistinctInstance) {
		free = min(free, 1-min(1, here(func(k ecs.Task) bool { return k.Service == service })))
	}
	if given(placement.NoPort) {
		free = min(free, 1)
	}
	if slices.ContainsFunc(slices.Concat(refuses(h, d), excludes(h, d, o.services[service])), given) {
		free = 0
	}
	return free
}

// refusals are, for each host that takes tasks, all reasons for which it takes no further task of a service; nil if one takes it.
func refusals(w *sim.World, s ecs.Service, hosts []ecs.ContainerInstance, tasks []ecs.Task) [][]placement.Code {
	d, err := w.DescribeTaskDefinition(s.Definition)
	if err != nil {
		return nil
	}
	all := [][]placement.Code{}
	for _, h := range hosts {
		if h.Status != "ACTIVE" || !h.Connected {
			continue
		}
		codes := slices.Concat(refuses(h, d), excludes(h, d, s))
		if d.Network == "awsvpc" && h.Interfaces > 0 && count(tasks, func(k ecs.Task) bool {
			return k.IP != "" && k.ContainerInstance == h.ARN &&
				k.LastStatus != "STOPPED"
		}) >= h.Interfaces-1 {
			codes = append(codes, placement.NoInterface)
		}
		if s.DistinctInstance && slices.ContainsFunc(tasks, func(k ecs.Task) bool {
			return k.Service == s.Name && k.ContainerInstance == h.ARN && k.LastStatus != "STOPPED"
		}) {
			codes = append(codes, placement.DistinctInstance)
		}
		if len(codes) == 0 && len(s.Providers) < 2 { // of several providers, ECS may choose another
			return nil
		}
		all = append(all, codes)
	}
	return all
}

func refuses(h ecs.ContainerInstance, d ecs.TaskDefinition) []placement.Code {
	var codes []placement.Code
	if d.CPU > h.FreeCPU {
		codes = append(codes, placement.NoCPU)
	}
	if d.Memory > h.FreeMemory {
		codes = append(codes, placement.NoMemory)
	}
	if d.GPU > len(h.FreeGPUs) {
		codes = append(codes, placement.NoGPU)
	}
	for _, p := range definitionOf(d).HostPorts {
		if !p.UDP && slices.Contains(h.Ports, p.Number) || p.UDP && slices.Contains(h.UDP, p.Number) {
			codes = append(codes, placement.NoPort)
		}
	}
	return codes
}

// excludes are the reasons for which a service may not use a host, whatever is free there.
func excludes(h ecs.ContainerInstance, d ecs.TaskDefinition, s ecs.Service) []placement.Code {
	var codes []placement.Code
	for _, a := range d.Attributes() {
		name, value, valued := strings.Cut(a, "=")
		if have, ok := h.Attributes[name]; !ok || valued && have != value {
			codes = append(codes, placement.NoAttribute)
		}
	}
	for _, c := range s.Constraints {
		for _, e := range expressions() {
			if c.Expression == e.text && !e.holds(h.Attributes) {
				codes = append(codes, placement.ConstraintUnmet)
			}
		}
	}
	if len(s.Providers) > 0 && !slices.ContainsFunc(s.Providers, func(i ecs.StrategyItem) bool { return i.Provider == h.CapacityProvider }) {
		codes = append(codes, placement.NoProviderHost)
	}
	return codes
}

func count(tasks []ecs.Task, is func(ecs.Task) bool) int {
	n := 0
	for _, k := range tasks {
		if is(k) {
			n++
		}
	}
	return n
}
