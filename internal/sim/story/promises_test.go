package story

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

var (
	promiseCount = flag.Int("promises", 300, "in how many random worlds to ask plan and see what becomes of it")
	promiseFrom  = flag.Uint64("promise", 1, "the first seed for that")
)

// departing is a random world, who drains in it, and what leaves.
type departing struct {
	Scenario
	drains    string // ebb, managed or nobody
	decrement bool
	leave     int   // hosts of the first group
	grown     []int // services that get two tasks more, or all anew, before plan is asked
	changed   int   // the service of which that is
	scaled    bool  // a service has just been scaled down, so that tasks stop
	protect   bool  // a service is protected from scale-in
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomDeparture makes the world of a seed.
func randomDeparture(seed uint64) departing {
	r := rand.New(rand.NewPCG(seed, 15))
	d := departing{drains: one(r, "ebb", "ebb", "ebb", "managed", "nobody"), decrement: r.IntN(2) == 0}
	w := sim.Spec{Seed: seed, Clusters: []sim.ClusterSpec{{Name: "prod"}}, Queues: []sim.QueueSpec{{Name: "ebb", Redrive: "dlq"}, {Name: "dlq"}}}
	w.Switches.StoppingFree, w.Switches.ProtectionHonoured = r.IntN(3) == 0, true
	g := sim.GroupSpec{Name: "web-asg", Desired: 2 + r.IntN(4), Max: 12}
	d.leave = 1 + r.IntN(min(2, g.Desired-1))
	g.Launch = core.HostSpec{Cluster: "prod", CPU: one(r, 1024, 2048), Memory: 4096, Boot: one(r, time.Minute, 3*time.Minute)}
	if r.IntN(2) == 0 {
		g.Suspended = []string{"Launch"}
	}
	switch d.drains {
	case "ebb":
		g.Hooks = []sim.HookSpec{{Name: "ebb-drain", Heartbeat: one(r, time.Minute, 15*time.Minute, time.Hour), DefaultResult: "CONTINUE", Target: "ebb"}}
	case "managed":
		w.Providers = []ecs.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedDraining: true}}
	}
	w.Groups = []sim.GroupSpec{g}
	if r.IntN(4) == 0 {
		w.Groups = append(w.Groups, sim.GroupSpec{Name: "site", Desired: 1 + r.IntN(2), Launch: core.HostSpec{Cluster: "prod",
			Attributes: map[string]string{"ecs.capability.external": "yes"}}})
	}
	room := g.Desired * g.Launch.CPU * (10 + r.IntN(50)) / 100
	for i := 0; i < 4 && room > 0; i++ {
		room -= d.service(r, &w, i)
	}
	if r.IntN(3) == 0 {
		w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{Family: "agent", CPU: 16, Memory: 16, Start: time.Second,
			Exit: one(r, time.Second, time.Minute), Stop: one(r, 30*time.Second, 3*time.Minute)})
		w.Services = append(w.Services, sim.ServiceSpec{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true})
	}
	if r.IntN(10) == 0 {
		w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{Family: "job", CPU: 1, Memory: 1})
		w.Tasks = append(w.Tasks, sim.TaskSpec{Cluster: "prod", Task: "job", Host: new(int)})
	}
	grows := slices.Contains(d.grown, 0) // that its new tasks are never healthy nobody could know then
	d.scaled, d.protect = !grows && r.IntN(3) == 0, r.IntN(6) == 0
	d.Scenario = Scenario{Name: fmt.Sprint("departure ", seed), Seed: seed, World: w, Until: 10 * time.Hour}
	if r.IntN(5) == 0 {
		d.tight()
	}
	if d.drains == "ebb" {
		d.Ebb.DaemonGrace = one(r, 30*time.Second, 5*time.Minute)
		d.Ebb.Groups = []Group{{Match: "web-asg", Cluster: "prod", Deadline: one(r, 5*time.Minute, 15*time.Minute, time.Hour, 3*time.Hour),
			MaxUnavailable: kernel.MaxUnavailable{Count: one(r, 0, 0, 1)}}}
	}
	return d
}

// tight fills each host with one task, of a service that takes hours to stop and has just been scaled down, or of another that may leave: only where
// a task still stops is there room for that.
func (d *departing) tight() {
	w, n := &d.World, d.World.Groups[0].Desired
	cpu := w.Groups[0].Launch.CPU * 6 / 10
	w.Switches.StoppingFree, w.Groups, w.Tasks, w.TargetGroups = true, w.Groups[:1], nil, nil
	w.TaskDefinitions = []ecs.TaskDefinition{{Family: "s0", CPU: cpu, Memory: 64, Start: time.Second, Exit: 9 * time.Hour, Stop: 10 * time.Hour},
		{Family: "s1", CPU: cpu, Memory: 64, Start: time.Second, Exit: time.Second, Stop: 30 * time.Second}}
	w.Services = []sim.ServiceSpec{{Name: "s1", Cluster: "prod", Task: "s1", Desired: 1, LaunchType: "EC2"}, // on the host that leaves
		{Name: "s0", Cluster: "prod", Task: "s0", Desired: n - 1, LaunchType: "EC2"}}
	d.changed, d.leave, d.scaled, d.protect, d.grown = 1, 1, true, false, nil
}

// service adds a service and returns how much CPU it takes.
func (d *departing) service(r *rand.Rand, w *sim.Spec, i int) int {
	name := fmt.Sprint("s", i)
	t := ecs.TaskDefinition{Family: name, CPU: one(r, 128, 256, 512), Memory: one(r, 128, 512), Start: one(r, 5*time.Second, 30*time.Second),
		Exit: one(r, time.Second, time.Minute, 20*time.Minute), Stop: one(r, 0, 30*time.Second, 10*time.Minute)}
	v := sim.ServiceSpec{Name: name, Cluster: "prod", Task: name, Desired: 1 + r.IntN(5), LaunchType: "EC2"}
	bounds := one(r, [2]int{100, 200}, [2]int{100, 200}, [2]int{100, 200}, [2]int{100, 150}, [2]int{50, 100}, [2]int{50, 200}, [2]int{100, 110})
	v.Min, v.Max = bounds[0], bounds[1]
	if r.IntN(2) == 0 {
		t.Port = 80
		w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: name, Delay: one(r, 10*time.Second, time.Minute, 20*time.Minute),
			Check: one(r, 10*time.Second, 10*time.Second, time.Minute)})
		if v.TargetGroup = name; r.IntN(3) == 0 { // what comes is not healthy before all is over
			w.TargetGroups[len(w.TargetGroups)-1].Check, d.grown = 20*time.Hour, append(d.grown, i)
		}
	}
	if v.Controller = one(r, "", "", "", "", "CODE_DEPLOY", "EXTERNAL"); v.Controller != "" {
		v.TaskSets = []sim.TaskSetSpec{{Task: name, TargetGroup: v.TargetGroup}}
	}
	w.TaskDefinitions, w.Services = append(w.TaskDefinitions, t), append(w.Services, v)
	return t.CPU * v.Desired
}

// fates is what plan said of a departure, and what became of it.
type fates struct {
	said    diagnose.Forecast
	before  *inventory.Inventory
	targets []string
	killed  []string // tasks that died with their host
	left    time.Time
	joined  time.Time // when the first host more was there; zero: none came
	short   []string  // services that have fewer tasks than before
	end     time.Time
}

// depart asks plan, lets the group terminate the hosts, and sees what becomes of it.
func depart(t *testing.T, d departing) fates {
	t.Helper()
	r, err := newRun(d.Scenario)
	if err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	api := wire.New(wire.Config{World: r.w, Lock: &sync.Mutex{}})
	look := collector.New(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("operator", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler()}}, APIOptions: []func(*middleware.Stack) error{direct(api)},
	})
	look.Now = r.w.Now
	var f fates
	r.later(r.start.Add(time.Minute), func() { d.grow(t, r) })
	r.later(r.start.Add(9*time.Minute+30*time.Second), func() { d.prepare(t, r) })
	r.later(r.start.Add(10*time.Minute), func() {
		for _, i := range r.w.DescribeAutoScalingGroups([]string{"web-asg"})[0].Instances[:d.leave] {
			f.targets = append(f.targets, i.ID)
		}
		seen, err := look.Take(t.Context(), collector.Scope{Silent: true})
		if err != nil || len(seen.Unread) > 0 {
			t.Fatalf("%s: %v, unread %+v", d.Name, err, seen.Unread)
		}
		f.before, f.said = &seen, diagnose.Plan(&seen, f.targets, seen.At)
		f.said.By(&seen, d.Ebb.hook(), func(group string) (diagnose.Managed, bool) {
			man, ok := d.Ebb.group(group)
			p := d.Ebb.policy(man)
			return diagnose.Managed{Deadline: p.Deadline, Grace: p.DaemonGrace, Limit: man.MaxUnavailable.Count}, ok
		})
		for _, id := range f.targets {
			if _, err := r.w.TerminateInstanceInAutoScalingGroup(id, d.decrement); err != nil {
				t.Fatalf("%s: %v", d.Name, err)
			}
		}
	})
	end := r.start.Add(d.Until)
	var gone time.Time // since when the hosts are not there; services get some time more
	for r.w.Now().Before(end) && (gone.IsZero() || r.w.Now().Before(gone.Add(10*time.Minute))) {
		r.advance(end)
		if gone.IsZero() && len(f.targets) > 0 && len(r.w.DescribeAutoScalingInstances(f.targets)) == 0 {
			gone = r.w.Now()
		}
	}
	f.end = r.w.Now()
	f.judge(t, r)
	if *promiseCount == 1 {
		t.Logf("%+v", d.Scenario.World)
		for _, l := range r.finish().Lines {
			t.Log(l)
		}
	}
	return f
}

// grow gives services two tasks more, so that some of their targets are not healthy.
func (d *departing) grow(t *testing.T, r *run) {
	t.Helper()
	for _, i := range d.grown {
		n := d.World.Services[i].Desired + 2
		if _, err := r.w.UpdateService("prod", d.World.Services[i].Name, &n, ""); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
	}
}

// prepare lets tasks stop, or be protected, half a minute before plan is asked.
func (d *departing) prepare(t *testing.T, r *run) {
	t.Helper()
	last := d.World.Services[d.changed]
	if d.scaled {
		n := max(0, last.Desired-2)
		if _, err := r.w.UpdateService("prod", last.Name, &n, ""); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
	}
	if d.protect && last.Controller == "" {
		tasks, err := r.w.ListTasks("prod", ecs.TaskQuery{Service: last.Name, DesiredStatus: "RUNNING"})
		if err == nil && len(tasks) > 0 {
			_, _, err = r.w.UpdateTaskProtection("prod", tasks, true, 40*time.Hour)
		}
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
	}
}

// judge reads what became of the targets from the world's own record.
func (f *fates) judge(t *testing.T, r *run) {
	t.Helper()
	on := map[string]bool{}
	for _, c := range f.before.Clusters {
		for _, k := range c.Tasks {
			if h := c.HostOf(k); h != nil && slices.Contains(f.targets, string(h.Instance)) && k.DesiredStatus != fleet.Stopped {
				on[string(k.ARN)] = true
			}
		}
	}
	stopped := map[string]bool{}
	for _, e := range r.w.Record() {
		switch {
		case e.At.Before(f.before.At):
		case e.Kind == core.EntryTask && strings.Contains(e.Text, "killed: host gone") && slices.Contains(f.targets, e.Instance):
			f.killed = append(f.killed, e.Service+" "+e.Task)
		case e.Kind == core.EntryTask && e.To == "STOPPED" && on[e.Task] && !stopped[e.Task]:
			if stopped[e.Task] = true; len(stopped) == len(on) {
				f.left = e.At
			}
		case e.Kind == core.EntryContainer && e.To == "ACTIVE" && f.joined.IsZero():
			f.joined = e.At
		}
	}
	for _, c := range f.before.Clusters {
		for _, v := range c.Services {
			now, _, err := r.w.DescribeServices("prod", []string{v.Name})
			if err != nil {
				t.Fatal(err)
			}
			if !v.Daemon && now[0].Running < v.Desired {
				f.short = append(f.short, v.Name)
			}
		}
	}
	if len(on) == 0 {
		f.left = f.before.At
	}
}

// wrong is what happened otherwise than plan had said.
func (f *fates) wrong() string {
	gone := !f.left.IsZero()
	switch v := f.said.Verdict; {
	case v == "moves" && len(f.killed) > 0:
		return fmt.Sprintf("moves, and these died with their host: %v", f.killed)
	case (v == "moves" || v == "shrinks") && (!gone || len(f.killed) > 0):
		return fmt.Sprintf("%s, and not every task has left: %v", v, f.killed)
	case v == "moves" && len(f.short) > 0:
		return fmt.Sprintf("moves, and these have fewer tasks than they want: %v", f.short)
	case v == "stuck" && gone && len(f.killed) == 0 && (f.joined.IsZero() || f.left.Before(f.joined)):
		return "stuck, and all tasks left before another host was there"
	}
	return ""
}

// TestPromises asks plan in random worlds what becomes of tasks when hosts leave, and sees it: what is promised happens, whoever drains, and what is
// proved to stay stays until another host comes.
func TestPromises(t *testing.T) {
	said := map[string]int{}
	for seed := *promiseFrom; seed < *promiseFrom+uint64(*promiseCount); seed++ {
		d := randomDeparture(seed)
		f := depart(t, d)
		if len(f.said.Steps) > 0 {
			said[d.drains+" "+f.said.Verdict]++
		}
		if wrong := f.wrong(); wrong != "" {
			t.Errorf("seed %d, %s drains: %s\nsaid: %s\n%s\n%s\nreplay: go test ./internal/sim/story -run '^TestPromises$' -promise=%d -promises=1", seed,
				d.drains, wrong, f.said.Headline, strings.Join(f.said.Reasons(), "\n"), strings.Join(f.said.Notes, "\n"), seed)
		}
	}
	t.Logf("%d worlds: %v", *promiseCount, said)
	if *promiseCount >= 300 && (said["ebb moves"]*100 < 5**promiseCount || said["managed moves"]*100 < 2**promiseCount || said["nobody moves"] > 0) {
		t.Errorf("too little is promised, or too much: %v", said)
	}
}
