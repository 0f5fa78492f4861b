package kernel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

// account is the AWS of a kernel: what there is, as looks find it. A test changes it while time goes on.
type account struct {
	groups     []fleet.Group         // their instances are those below that are in no warm pool
	instances  []fleet.GroupInstance // as Auto Scaling has them
	hooks      []fleet.Hook
	activities map[string][]fleet.Activity // by group
	machines   map[fleet.InstanceID]fleet.InstanceState
	containers []fleet.ContainerInstance
	tasks      []fleet.Task
	services   []fleet.Service
	health     []fleet.Health
	balanced   []fleet.TargetGroup
	delays     []fleet.Delay
	clusters   []fleet.Cluster
	alarms     []fleet.Alarm
	backlogs   []fleet.Backlog
	points     []fleet.Datapoint
	scalers    []fleet.Scaler
	stopping   []fleet.ARN // the tasks that stop or have stopped
	answer     Answer      // whether the tasks of services find a place

	fails  map[string]*plan.Failure  // why a kind of look or action fails, by its name; also by its name, a blank and the place
	silent map[string]plan.Class     // why a look does not speak of an id, by the name of its kind, a blank and the id
	partly bool                      // it does speak of it, but not of all
	takes  map[string]time.Duration  // how long a kind of look or action takes, by the same names; otherwise 100 ms
	early  map[string]bool           // a kind of look finds what there was when it was sent, by its name; otherwise what there is when it ends
	at     map[time.Duration]func()  // what happens some time after t0
	others map[fleet.InstanceID]bool // another hook holds the instance too
	pages  []int                     // how many tasks are on the pages of a cluster's tasks; more are on one more page
	again  bool                      // each further page begins with the last task of the page before
	to     string                    // where the instances go of which the kernel hears
	idle   bool                      // it tells too when Next was called and nothing followed
	whole  bool                      // it tells of data, of what is forwarded and of what is asked, too

	records map[string]map[string]any // the latest by key

	under []plan.Done // what is under way, the next to come back first
	back  []time.Time // when it comes back
}

func (a *account) group(names ...string) {
	for _, n := range names {
		a.groups = append(a.groups, fleet.Group{Name: n})
		a.hooks = append(a.hooks, fleet.Hook{
			Name: "ebb-drain", Group: n, Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 25 * time.Hour,
		})
	}
}

// host adds an instance that waits in its hook, runs, and is a container instance of a cluster with some tasks.
func (a *account) host(id fleet.InstanceID, group, cluster string, tasks ...string) {
	a.instances = append(a.instances, fleet.GroupInstance{ID: id, Group: group, State: fleet.TerminatingWait, Healthy: true})
	ci := fleet.ARN("ci/" + string(id))
	a.containers = append(a.containers, fleet.ContainerInstance{
		ARN: ci, Cluster: cluster, Instance: id, Status: fleet.Active, Connected: true, Running: len(tasks),
	})
	for _, name := range tasks {
		a.tasks = append(a.tasks, fleet.Task{ARN: fleet.ARN("task/" + name), Cluster: cluster, ContainerInstance: ci, Family: name[:1],
			Group: "service:" + name[:1], LastStatus: "RUNNING", DesiredStatus: "RUNNING"})
	}
}

// state puts an instance into a lifecycle state; the empty one takes it out of its group.
func (a *account) state(id fleet.InstanceID, s fleet.LifecycleState) {
	for n, i := range a.instances {
		switch {
		case i.ID == id && s == "":
			a.instances = slices.Delete(a.instances, n, n+1)
			return
		case i.ID == id:
			a.instances[n].State = s
			return
		}
	}
	panic("no instance " + id)
}

func (a *account) task(name string) *fleet.Task {
	n := slices.IndexFunc(a.tasks, func(t fleet.Task) bool { return t.ARN == fleet.ARN("task/"+name) })
	return &a.tasks[n]
}

// stop lets tasks stop.
func (a *account) stop(names ...string) {
	for _, name := range names {
		t := a.task(name)
		t.LastStatus, t.DesiredStatus = fleet.Stopped, fleet.Stopped
		a.container(t.ContainerInstance).Running--
	}
}

func (a *account) container(arn fleet.ARN) *fleet.ContainerInstance {
	n := slices.IndexFunc(a.containers, func(c fleet.ContainerInstance) bool { return c.ARN == arn })
	return &a.containers[n]
}

// look is what a look finds now.
func (a *account) look(l plan.Look) (r plan.LookResult) {
	r.Calls = l.Calls()
	if r.Err = cmp.Or(a.fails[l.Kind.String()], a.fails[l.Kind.String()+" "+l.In]); r.Err != nil {
		return r
	}
	asked := map[string]bool{}
	for _, id := range l.IDs() {
		if class, ok := a.silent[l.Kind.String()+" "+id]; ok {
			r.Failed = append(r.Failed, plan.ItemFailure{ID: id, Class: class, Reason: "no word"})
			if !a.partly {
				continue
			}
		}
		asked[id] = true
	}
	in := func(cluster string) bool { return l.In == "" || l.In == cluster }
	v := &r.View
	switch l.Kind {
	case plan.Groups:
		a.sweep(l, asked, v)
	case plan.Hooks:
		v.Hooks = kept(a.hooks, func(h fleet.Hook) bool { return h.Group == l.In })
	case plan.GroupInstances:
		v.GroupInstances = kept(a.instances, func(i fleet.GroupInstance) bool { return asked[string(i.ID)] })
	case plan.Activities:
		v.Activities = a.activities[l.In]
	case plan.FindContainerInstances:
		v.ContainerInstances = kept(a.containers, func(c fleet.ContainerInstance) bool { return in(c.Cluster) && asked[string(c.Instance)] })
	case plan.ContainerInstances:
		v.ContainerInstances = kept(a.containers, func(c fleet.ContainerInstance) bool { return in(c.Cluster) && asked[string(c.ARN)] })
	case plan.ListRunning, plan.ListStopped:
		for _, t := range a.tasks {
			if running := t.DesiredStatus == "RUNNING"; asked[string(t.ContainerInstance)] && running == (l.Kind == plan.ListRunning) {
				v.Listed = append(v.Listed, plan.Listed{Task: t.ARN, On: t.ContainerInstance})
			}
		}
	case plan.Tasks, plan.Homes:
		v.Tasks = kept(a.tasks, func(t fleet.Task) bool { return in(t.Cluster) && asked[string(t.ARN)] })
	case plan.ListCluster:
		tasks := kept(a.tasks, func(t fleet.Task) bool { return in(t.Cluster) && asked[t.DesiredStatus] })
		page, from := 0, 0
		_, _ = fmt.Sscanf(l.Token, "page %d", &page)
		for _, n := range a.pages[:min(page, len(a.pages))] {
			from += n
		}
		to := len(tasks)
		if page < len(a.pages) && from+a.pages[page] < to {
			to, v.Next = from+a.pages[page], fmt.Sprint("page ", page+1)
		}
		if a.again && page > 0 {
			from--
		}
		for _, t := range tasks[min(from, to):to] {
			v.Listed = append(v.Listed, plan.Listed{Task: t.ARN})
		}
	case plan.Clusters:
		v.Clusters = kept(a.clusters, func(c fleet.Cluster) bool { return asked[c.Name] })
	case plan.Services:
		v.Services = kept(a.services, func(s fleet.Service) bool { return in(s.Cluster) && asked[s.Name] })
	case plan.Targets:
		v.Health = kept(a.health, func(h fleet.Health) bool { return string(h.TargetGroup) == l.In && asked[h.Target.ID] })
	case plan.TargetGroups:
		v.TargetGroups = a.balanced
	case plan.Registered:
		v.Health = kept(a.health, func(h fleet.Health) bool { return asked[string(h.TargetGroup)] })
	case plan.Delays:
		v.Delays = kept(a.delays, func(d fleet.Delay) bool { return string(d.In) == l.In })
	case plan.Alarms:
		v.Alarms = kept(a.alarms, func(x fleet.Alarm) bool { return asked[x.Name] })
	case plan.Backlogs:
		v.Backlogs = kept(a.backlogs, func(b fleet.Backlog) bool { return asked[b.Queue] })
	case plan.Metrics:
		v.Datapoints = kept(a.points, func(d fleet.Datapoint) bool { return asked[d.Metric] })
	case plan.Scalers:
		v.Scalers = kept(a.scalers, func(s fleet.Scaler) bool { return asked[s.Service] })
	case plan.Stopping:
		for _, arn := range a.stopping {
			v.Listed = append(v.Listed, plan.Listed{Task: arn})
		}
	case plan.Instances:
		for _, id := range l.IDs() {
			if state := cmp.Or(a.machines[fleet.InstanceID(id)], fleet.StateRunning); asked[id] && state != "none" {
				v.Instances = append(v.Instances, plan.InstanceStatus{ID: fleet.InstanceID(id), State: state, VPC: "vpc-1"})
			}
		}
	}
	return r
}

// sweep finds groups with their instances; those of a warm pool are not listed.
func (a *account) sweep(l plan.Look, asked map[string]bool, v *plan.View) {
	for _, g := range a.groups {
		if len(l.Subjects) > 0 && !asked[g.Name] {
			continue
		}
		for _, i := range a.instances {
			if i.Group == g.Name && !strings.HasPrefix(string(i.State), "Warmed:") {
				g.Instances = append(g.Instances, i)
			}
		}
		v.Groups = append(v.Groups, g)
	}
}

func kept[T any](all []T, is func(T) bool) (some []T) {
	for _, x := range all {
		if is(x) {
			some = append(some, x)
		}
	}
	return some
}

// act does an action.
func (a *account) act(x plan.Action) (o plan.Outcome) {
	o.Calls = 1
	if o.Err = a.fails[x.Kind.String()]; o.Err != nil {
		return o
	}
	switch x.Kind {
	case plan.SetDraining:
		for _, arn := range x.State.ContainerInstances {
			a.container(arn).Status = fleet.Draining
		}
	case plan.Answer:
		if a.others[x.Hook.Instance] {
			break
		}
		a.state(x.Hook.Instance, fleet.TerminatingProceed)
	case plan.SetDesired:
		for n := range a.services {
			if a.services[n].Name == x.Count.Service {
				a.services[n].Desired = x.Count.To
			}
		}
	case plan.Deregister:
		for n, h := range a.health {
			if h.TargetGroup == x.Targets.Group && slices.Contains(x.Targets.Targets, h.Target) {
				a.health[n].State = "draining"
			}
		}
	}
	return o
}

// scene is an account, and what a kernel makes of it.
type scene struct {
	name  string
	cfg   Config
	setup func(a *account, k *Kernel)
	lasts time.Duration
	only  []string // of what it tells only the lines with one of these words; none: all, and the counts
	want  string
}

func newAccount() *account {
	return &account{
		at: map[time.Duration]func(){}, takes: map[string]time.Duration{}, early: map[string]bool{}, fails: map[string]*plan.Failure{},
		silent: map[string]plan.Class{}, others: map[fleet.InstanceID]bool{}, records: map[string]map[string]any{},
		machines: map[fleet.InstanceID]fleet.InstanceState{}, activities: map[string][]fleet.Activity{},
	}
}

func play(t *testing.T, scenes []scene) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			a := newAccount()
			if s.cfg.Groups == nil {
				s.cfg.Groups = managed("web", "prod")
			}
			k := newKernel(t, s.cfg)
			s.setup(a, k)
			told := a.run(t, k, 0, s.lasts)
			if len(s.only) > 0 {
				told = shortly(only(told, s.only...))
			} else {
				told = append(told, counted(k))
			}
			same(t, told, s.want)
		})
	}
}

// counted are the counts of a kernel.
func counted(k *Kernel) string {
	var counts []string
	for _, name := range slices.Sorted(maps.Keys(k.Counts)) {
		counts = append(counts, fmt.Sprint(name, " ", k.Counts[name]))
	}
	return "in all: " + strings.Join(counts, ", ")
}

// managed are groups, each followed by its cluster.
func managed(names ...string) (ms []Managed) {
	for n := 0; n < len(names); n += 2 {
		ms = append(ms, Managed{Match: names[n], Cluster: names[n+1], Policy: drain.Defaults()})
	}
	return ms
}

// run drives a kernel for some time after t0: it calls Next when the kernel has asked for it or something has come back, and not otherwise.
// It tells what was asked, written and counted, each with the seconds after t0.
func (a *account) run(t *testing.T, k *Kernel, from, until time.Duration) (told []string) {
	t.Helper()
	wake := from
	for range 20000 {
		now := wake
		for at := range a.at { //ebb:any-order the earliest
			now = min(now, max(at, from))
		}
		for _, at := range a.back {
			now = min(now, at.Sub(t0))
		}
		if now > until {
			return told
		}
		if f := a.at[now]; f != nil {
			delete(a.at, now)
			f()
		}
		for len(a.back) > 0 && !a.back[0].After(t0.Add(now)) {
			d := a.under[0]
			a.under, a.back = a.under[1:], a.back[1:]
			if l := d.Request.Look; l != nil && !a.early[l.Kind.String()] {
				d.Result = a.look(*l)
			}
			k.Did(d, t0.Add(now))
		}
		out := k.Next(t0.Add(now))
		wake = out.Wake.Sub(t0)
		if wake <= now {
			t.Fatalf("at %s it wants to be woken at %s", now, wake)
		}
		told = append(told, a.tell(out, now)...)
		for _, q := range out.Ask {
			k.Blocked(q, a.answer, t0.Add(now))
		}
	}
	t.Fatal("it never rests")
	return nil
}

// tell spells what follows from a call of Next, and sends its requests on their way.
func (a *account) tell(out Output, now time.Duration) (told []string) {
	say := func(format string, args ...any) {
		told = append(told, fmt.Sprintf("%.1f ", now.Seconds())+fmt.Sprintf(format, args...))
	}
	for _, v := range out.Settle {
		say("settle %s: %t %s", v.Message, v.Delete, v.Why)
	}
	for _, r := range out.Batch.Records {
		say("record %s %d%s", r.Key, r.Rev, a.changed(r))
	}
	for _, l := range out.Batch.Lines {
		say("line %s %s: %s", l.Key, l.Kind, l.Text)
		if a.whole && len(l.Data) > 0 {
			say("  with %s", l.Data)
		}
	}
	if a.whole {
		for _, f := range out.Batch.Forwarded {
			say("forwards to %s %s: %s", f.Scope, f.ID, f.Body)
		}
		for _, q := range out.Ask {
			say("asks whether %d tasks of %s in %s find a place", q.Tasks, q.Service, q.Cluster)
		}
	}
	for _, r := range out.Do {
		d := plan.Done{Request: r, Started: t0.Add(now)}
		say("%s", spelt(r))
		name, in := "", ""
		if r.Action != nil {
			name = r.Action.Kind.String()
			d.Outcome = a.act(*r.Action)
		} else {
			name, in, d.Result = r.Look.Kind.String(), r.Look.In, a.look(*r.Look)
		}
		at := d.Started.Add(cmp.Or(a.takes[name+" "+in], a.takes[name], 100*time.Millisecond))
		n, _ := slices.BinarySearchFunc(a.back, at.Add(1), time.Time.Compare)
		a.under, a.back = slices.Insert(a.under, n, d), slices.Insert(a.back, n, at)
	}
	if a.idle && len(told) == 0 {
		say("nothing")
	}
	return told
}

// changed is what a record says that the one before did not.
func (a *account) changed(r journal.Record) string {
	var is map[string]any
	if err := json.Unmarshal(r.Body, &is); err != nil {
		panic(err)
	}
	is["open"] = r.Open
	was := a.records[r.Key]
	a.records[r.Key] = is
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if reflect.DeepEqual(is[key], was[key]) || slices.Contains([]string{"key", "group", "hook", "heard", "instance"}, key) {
			continue
		}
		value, _ := json.Marshal(after(is[key]))
		fmt.Fprintf(&text, ", %s %s", key, value)
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[key]; !ok {
			fmt.Fprintf(&text, ", no %s", key)
		}
	}
	return text.String()
}

// after is a value with its times in seconds after t0.
func after(v any) any {
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.Sub(t0).Seconds()
		}
	case []any:
		for i := range v {
			v[i] = after(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = after(v[key])
		}
	}
	return v
}

// spelt is a request as a line.
func spelt(r plan.Request) string {
	if r.Look != nil {
		s := r.Look.Kind.String()
		if r.Look.In != "" {
			s += " of " + r.Look.In
		}
		var ids []string
		for _, x := range r.Look.Subjects {
			id := x.ID
			if x.Port != 0 {
				id += fmt.Sprint(":", x.Port)
			}
			if id != "" {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			s += ": " + strings.Join(ids, " ")
		}
		if r.Look.Token != "" {
			s += " from " + r.Look.Token
		}
		if !r.Look.Until.IsZero() {
			s += fmt.Sprintf(" until %.1f", r.Look.Until.Sub(t0).Seconds())
		}
		return s
	}
	x := r.Action
	switch {
	case x.Hook != nil:
		return fmt.Sprintf("%s %s %s", x.Kind, x.Hook.Instance, x.Hook.Token)
	case x.Count != nil:
		return fmt.Sprintf("%s of %s in %s: %d", x.Kind, x.Count.Service, x.Count.Cluster, x.Count.To)
	case x.Size != nil:
		return fmt.Sprintf("%s of %s: %d", x.Kind, x.Size.Group, x.Size.To)
	case x.Targets != nil:
		return fmt.Sprintf("%s of %s: %v", x.Kind, x.Targets.Group, x.Targets.Targets)
	}
	return fmt.Sprintf("%s of %s: %v", x.Kind, x.State.Cluster, x.State.ContainerInstances)
}

// hear lets a kernel hear that instances of a group leave, so long after t0.
func (a *account) hear(k *Kernel, after time.Duration, group string, ids ...fleet.InstanceID) {
	was := a.at[after]
	a.at[after] = func() {
		if was != nil {
			was()
		}
		for _, id := range ids {
			k.Hear(Heard{Message: event.Message{ID: "m-" + string(id), Sent: t0.Add(after), Receives: 1}, Event: event.Event{
				Kind: event.TerminateAction, Group: group, Hook: "ebb-drain", Instance: id, Token: fmt.Sprintf("s%.0f", after.Seconds()),
				Time: t0.Add(after), Destination: a.to,
			}}, t0.Add(after))
		}
	}
}

// only are the lines with one of some words in them.
func only(told []string, words ...string) (some []string) {
	return kept(told, func(s string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	})
}

// same compares what a kernel told with what it should have, line by line. Blanks at both ends of a line do not count, and what stands
// after a > goes on with the line before.
func same(t *testing.T, got []string, want string) {
	t.Helper()
	var lines []string
	for l := range strings.Lines(want) {
		l = strings.TrimSpace(l)
		if more, ok := strings.CutPrefix(l, ">"); ok {
			lines[len(lines)-1] += more
		} else if l != "" {
			lines = append(lines, l)
		}
	}
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	if !slices.Equal(got, lines) {
		t.Errorf("got\n%s\n%s", strings.Join(got, "\n"), gocmp.Diff(lines, got))
	}
}
