package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// town is a cluster in which every host leaves and has one task that runs for ever. It answers lists page by page.
type town struct {
	hosts, perPage int
	elsewhere      int                                            // tasks on hosts that stay
	nowhere        map[fleet.ARN]bool                             // tasks that are on no host yet
	wrong          func(l plan.Look, now time.Time) *plan.Failure // why a look fails; nil: none does
	item           func(l plan.Look, now time.Time) []fleet.ARN   // tasks of which a look cannot speak
	lost           bool                                           // DescribeClusters knows no cluster
}

func host(i int) fleet.ARN { return fleet.ARN(fmt.Sprintf("arn/prod/i-%04d", i)) }

func taskOf(host fleet.ARN) fleet.ARN { return "task/" + host }

func (c *town) tasks() []fleet.ARN {
	var all []fleet.ARN
	for i := range c.hosts + c.elsewhere {
		all = append(all, taskOf(host(i)))
	}
	return all
}

func (c *town) answer(o plan.Request, now time.Time) plan.Done {
	if o.Action != nil {
		return full(fleet.TerminatingWait)(o, now)
	}
	l := *o.Look
	if c.wrong != nil {
		if f := c.wrong(l, now); f != nil {
			return plan.Done{Result: plan.LookResult{Err: f, Calls: 1}}
		}
	}
	d := plan.Done{Result: plan.LookResult{Calls: 1}}
	v := &d.Result.View
	switch l.Kind {
	case plan.Clusters:
		if !c.lost {
			v.Clusters = []fleet.Cluster{{Name: "prod", Running: c.hosts}}
		}
	case plan.ListCluster:
		if l.Subjects[0].ID == fleet.Stopped {
			break
		}
		from, all := 0, c.tasks()
		if l.Token != "" {
			_, _ = fmt.Sscanf(l.Token, "from %d", &from)
		}
		to := min(len(all), from+c.perPage)
		for _, t := range all[from:to] {
			v.Listed = append(v.Listed, plan.Listed{Task: t})
		}
		if to < len(all) {
			v.Next = fmt.Sprintf("from %d", to)
		}
	case plan.ListRunning:
		for _, id := range l.IDs() {
			a := fleet.ARN(id)
			v.Listed = append(v.Listed, plan.Listed{Task: taskOf(a), On: a})
		}
	case plan.ListStopped:
	case plan.Homes, plan.Tasks:
		var failed []fleet.ARN
		if c.item != nil {
			failed = c.item(l, now)
		}
		for _, id := range l.IDs() {
			a := fleet.ARN(id)
			if slices.Contains(failed, a) {
				d.Result.Failed = append(d.Result.Failed, plan.ItemFailure{ID: string(a), Class: plan.Unclear})
				continue
			}
			on := a[len("task/"):]
			if c.nowhere[a] {
				on = ""
			}
			v.Tasks = append(v.Tasks, fleet.Task{ARN: a, ContainerInstance: on, Group: "family:x", LastStatus: "RUNNING", DesiredStatus: "RUNNING"})
		}
	default:
		return full(fleet.TerminatingWait)(o, now)
	}
	return d
}

// leave lets all hosts of a town leave at once, and drives a kernel for some time.
func (c *town) leave(t *testing.T, d time.Duration) (*Kernel, map[string]int) {
	t.Helper()
	k := newKernel(t, Config{InFlight: 1000, Sweep: time.Hour})
	for i := range c.hosts {
		k.Hear(termination(i), t0)
	}
	_, _, orders := drive(k, t0, d, c.answer)
	return k, kinds(orders)
}

// missed are the hosts whose drain does not know its task, or has no list of those that run.
func (c *town) missed(k *Kernel) int {
	n := 0
	for i := range c.hosts {
		e := k.open[fleet.HostTarget(fleet.InstanceID(host(i)[len("arn/prod/"):]))]
		if _, ok := e.task(taskOf(host(i))); !ok || len(e.running.Starts) == 0 {
			n++
		}
	}
	return n
}

func TestListings(t *testing.T) {
	failing := func(times int) func(plan.Look, time.Time) *plan.Failure { // each page of the first listing fails so many times
		failed := map[string]int{}
		return func(l plan.Look, _ time.Time) *plan.Failure {
			if l.Kind != plan.ListCluster || failed[l.Token] == times {
				return nil
			}
			failed[l.Token]++
			return &plan.Failure{Class: plan.Throttled}
		}
	}
	not := func(times int, on fleet.ARN) func(plan.Look, time.Time) []fleet.ARN { // homes does not speak of a task so many times
		return func(l plan.Look, _ time.Time) []fleet.ARN {
			if l.Kind != plan.Homes || times == 0 || !slices.Contains(l.IDs(), string(taskOf(on))) {
				return nil
			}
			times--
			return []fleet.ARN{taskOf(on)}
		}
	}
	invalid := &plan.Failure{Class: plan.Invalid, Code: "InvalidParameterException"}
	denied := &plan.Failure{Class: plan.Denied, Code: "AccessDeniedException"}
	later := t0.Add(40 * time.Second)
	tests := []struct {
		name   string
		town   town
		counts map[string]int // of the kernel
		singly bool           // the hosts are listed one by one in the end
	}{
		{"page by page", town{}, map[string]int{"listings begun": 2, "listings complete": 2}, false},
		{"a token that has grown stale once", town{wrong: func(l plan.Look, now time.Time) *plan.Failure {
			if l.Kind == plan.ListCluster && l.Token == "from 20" && now.Before(t0.Add(15*time.Second)) {
				return invalid
			}
			return nil
		}}, map[string]int{"listings complete": 2, "listings restarted": 1}, false},
		{"tokens that always are stale", town{wrong: func(l plan.Look, _ time.Time) *plan.Failure {
			if l.Token != "" {
				return invalid
			}
			return nil
		}}, map[string]int{"listings given up": 1, "listings restarted": listingRestarts + 1}, true},
		{"pages that fail for a while", town{wrong: func(l plan.Look, now time.Time) *plan.Failure {
			if l.Kind == plan.ListCluster && now.Before(later) {
				return &plan.Failure{Class: plan.Throttled}
			}
			return nil
		}}, map[string]int{"listings complete": 2, "listings restarted": 0}, false},
		{"pages of which each fails three times", town{wrong: failing(3)}, map[string]int{"listings complete": 2, "listings given up": 0}, false},
		{"a page that fails seven times in a row", town{perPage: 20, wrong: failing(7)}, map[string]int{"listings given up": 0}, false},
		{"pages that always fail", town{wrong: func(l plan.Look, _ time.Time) *plan.Failure {
			if l.Kind == plan.ListCluster {
				return denied
			}
			return nil
		}}, map[string]int{"listings given up": 1}, true},
		{"describes that fail for a while", town{wrong: func(l plan.Look, now time.Time) *plan.Failure {
			if l.Kind == plan.Homes && now.Before(later) {
				return &plan.Failure{Class: plan.Throttled}
			}
			return nil
		}}, map[string]int{"listings complete": 2}, false},
		{"a task that cannot be described for a while", town{item: func(l plan.Look, now time.Time) []fleet.ARN {
			if l.Kind == plan.Homes && now.Before(later) {
				return []fleet.ARN{taskOf(host(3))}
			}
			return nil
		}}, map[string]int{"listings complete": 2}, false},
		{"two tasks that cannot be described for a while", town{item: func(l plan.Look, now time.Time) []fleet.ARN {
			if l.Kind == plan.Homes && now.Before(later) {
				return []fleet.ARN{taskOf(host(3)), taskOf(host(5))}
			}
			return nil
		}}, map[string]int{"listings complete": 2}, false},
		{"a task that is described the ninth time, another look between", town{elsewhere: 105, perPage: 145, item: not(8, host(3))},
			map[string]int{"listings given up": 0}, false},
		{"a task that can never be described", town{item: func(l plan.Look, _ time.Time) []fleet.ARN {
			if l.Kind == plan.Homes {
				return []fleet.ARN{taskOf(host(3))}
			}
			return nil
		}}, map[string]int{"listings given up": 1}, true},
		{"DescribeClusters is denied", town{wrong: func(l plan.Look, _ time.Time) *plan.Failure {
			if l.Kind == plan.Clusters {
				return denied
			}
			return nil
		}}, nil, true},
		{"DescribeClusters does not know the cluster", town{lost: true}, nil, true},
		{"far more tasks than hosts that leave", town{perPage: 1, elsewhere: 60}, map[string]int{"listings given up": 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.town
			if c.hosts = 40; c.perPage == 0 {
				c.perPage = 10
			}
			k, did := c.leave(t, 4*time.Minute)
			if n := c.missed(k); n > 0 {
				t.Errorf("the tasks of %d hosts are not known (orders %v, counts %v)", n, did, k.Counts)
			}
			for _, name := range []string{"listings begun", "listings complete", "listings given up", "listings restarted"} {
				if want, ok := tt.counts[name]; ok && k.Counts[name] != want {
					t.Errorf("%s: %d, want %d", name, k.Counts[name], want)
				}
			}
			if got := did[plan.ListRunning.String()] > 0; got != tt.singly {
				t.Errorf("listed one by one: %v, want %v (orders %v)", got, tt.singly, did)
			}
			if did[plan.Clusters.String()] > 15 {
				t.Errorf("asked %d times how large the cluster is", did[plan.Clusters.String()])
			}
			if len(k.listings) > 0 {
				t.Error("a listing never ended")
			}
		})
	}
}

// A page that an earlier listing ordered has the token of another list: this one would go on from there and miss what comes before.
func TestAPageOfAnEarlierListingIsNotTaken(t *testing.T) {
	k := newKernel(t, Config{})
	k.ownerOf[host(0)] = fleet.HostTarget("i-0000")
	k.beginListing("prod", &listing{kind: plan.ListRunning, begun: t0, subjects: []plan.Subject{{Kind: plan.ListRunning, In: "prod", ID: string(host(0))}}})
	old := k.look(t0)[1] // the first is the sweep
	if old.Look.Kind != plan.ListCluster {
		t.Fatalf("ordered %+v", old.Look)
	}
	k.endListing("prod", k.listings["prod"], false, t0)
	k.beginListing("prod", &listing{kind: plan.ListStopped, begun: t0})
	now := t0.Add(time.Second)
	k.look(now)
	l := k.listings["prod"]
	k.Did(plan.Done{Request: old, Started: t0, Result: plan.LookResult{Calls: 1, View: plan.View{Listed: []plan.Listed{{Task: "t"}}, Next: "from 500"}}}, now)
	if l.token != "" || len(l.homeless) > 0 || !l.started.IsZero() || l.page == 0 {
		t.Errorf("the listing took the page of an earlier one: %+v", *l)
	}
}

// A task that waits for capacity is on no host yet; it may come to be on one that leaves later.
func TestATaskThatIsNowhereYetIsAskedForAgain(t *testing.T) {
	k := newKernel(t, Config{})
	l := &listing{kind: plan.ListRunning, homes: map[int]bool{}}
	l.restart()
	k.sawHomes(l, plan.Done{Started: t0, Result: plan.LookResult{View: plan.View{Tasks: []fleet.Task{{ARN: "t1"}, {ARN: "t2", ContainerInstance: host(0)}}}}}, t0)
	l.restart()
	k.sawPage(l, plan.View{Listed: []plan.Listed{{Task: "t1"}, {Task: "t2"}}}, t0)
	if len(l.homeless) != 1 || l.homeless[0] != "t1" {
		t.Errorf("asks where %v are, want t1", l.homeless)
	}
}

// A list is as old as its first page: what came onto the host since may be missing.
func TestAListingIsAsOldAsItsFirstPage(t *testing.T) {
	k, l := newKernel(t, Config{}), &listing{kind: plan.ListRunning, homes: map[int]bool{}}
	l.restart()
	k.sawPage(l, plan.View{Next: "2"}, t0)
	k.sawPage(l, plan.View{}, t0.Add(time.Minute))
	if !l.started.Equal(t0) || !l.listed {
		t.Errorf("started %s, listed %v", l.started, l.listed)
	}
}

// A look that has waited longer and takes more calls than there are is not overtaken by small ones, which would take them for ever.
func TestALongWaitingLookIsNotOvertaken(t *testing.T) {
	c := town{hosts: 1}
	k, _ := c.leave(t, 5*time.Second)
	now, e := t0.Add(5*time.Second), k.open[fleet.HostTarget("i-0000")]
	k.rates.looking[plan.ECSRead] = &tokens{rate: Rate{Burst: 50}, have: 3}
	s := plan.Subject{Kind: plan.Tasks, In: "prod", ID: "t"}
	e.wants = []wanted{{a: k.ask(s), due: now}}
	for _, x := range []struct {
		begun time.Time
		want  int
	}{{now.Add(-time.Second), 0}, {now.Add(time.Second), 1}} {
		k.listings["prod"] = &listing{kind: plan.ListRunning, homes: map[int]bool{}, begun: x.begun}
		delete(k.spaced, place{plan.Tasks, "prod"})
		if n := kinds(k.look(now)); n[plan.Tasks.String()] != x.want {
			t.Errorf("a listing begun at %s: %d looks at tasks, want %d", x.begun, n[plan.Tasks.String()], x.want)
		}
	}
}

// What is known of where tasks are does not grow for ever, and is kept while it is of use.
func TestHomesAreForgotten(t *testing.T) {
	k := newKernel(t, Config{})
	home := func(task string) plan.Subject { return plan.Subject{Kind: plan.Homes, In: "prod", ID: task} }
	put(k.facts, home("old"), fleet.Seen, t0, host(0))
	put(k.facts, home("new"), fleet.Seen, t0.Add(2*time.Hour), host(0))
	put(k.facts, home("two hours old"), fleet.Seen, t0.Add(time.Hour), host(0))
	k.prune(t0.Add(3 * time.Hour))
	if k.facts[home("new")] == nil || k.facts[home("two hours old")] == nil || len(k.facts) != 2 {
		t.Errorf("kept %v, want those that are at most two hours old", k.facts)
	}
}

// The drain of a host may end while a listing for it is made, and a drain that begins meanwhile is not credited.
func TestAListingOutlivesADrainAndCreditsNoOther(t *testing.T) {
	c := town{hosts: 30, perPage: 10}
	k, _ := c.leave(t, 5*time.Second) // DRAINING, not listed yet
	e, late := k.open[fleet.HostTarget("i-0001")], k.open[fleet.HostTarget("i-0029")]
	var subjects []plan.Subject
	for i := range 25 {
		subjects = append(subjects, plan.Subject{Kind: plan.ListRunning, In: "prod", ID: string(host(i))})
	}
	k.beginListing("prod", &listing{kind: plan.ListRunning, begun: t0, subjects: subjects})
	e.d.Ended, e.d.Final = t0.Add(5*time.Second), &drain.Answer{Outcome: drain.Elsewhere}
	k.forgetEnded()
	at := t0.Add(6 * time.Second)
	for range 20 {
		for _, o := range k.look(at) {
			d := c.answer(o, at)
			d.Request, d.Started = o, at
			k.Did(d, at)
		}
	}
	if len(k.listings) > 0 || k.Counts["listings complete"] != 1 {
		t.Fatalf("the listing has not ended: %v", k.Counts)
	}
	if got := k.open[fleet.HostTarget("i-0002")].running.Starts; !slices.Equal(got, []time.Time{at}) {
		t.Errorf("lists of a host that it was for: %v, want one at %v", got, at)
	}
	if got := late.running.Starts; len(got) > 0 {
		t.Errorf("a host that it was not for is credited: %v", got)
	}
	for s, a := range k.asked { //ebb:any-order each by itself
		if s.Kind == plan.ListRunning && a.flying {
			t.Errorf("%v is still under way", s)
		}
	}
}

// A list of an earlier registration says nothing of the container instance that the host is now.
func TestAListOfAnEarlierRegistrationIsNotCredited(t *testing.T) {
	c := town{hosts: 1, perPage: 10}
	k, _ := c.leave(t, 5*time.Second)
	e := k.open[fleet.HostTarget("i-0000")]
	k.ownerOf["arn/prod/old"] = fleet.HostTarget("i-0000")
	look := plan.LookFor(plan.ListRunning, "prod", "arn/prod/old")
	k.looked(look, plan.Done{Started: t0.Add(time.Minute)}, t0.Add(time.Minute))
	if len(e.running.Starts) > 0 {
		t.Error("credited")
	}
	look.Subjects[0].ID = string(host(0))
	k.looked(look, plan.Done{Started: t0.Add(time.Minute)}, t0.Add(time.Minute))
	if len(e.running.Starts) != 1 {
		t.Error("its own list is not credited")
	}
	for _, after := range []time.Duration{time.Minute, 30 * sec} {
		k.looked(look, plan.Done{Started: t0.Add(after)}, t0.Add(2*time.Minute))
	}
	if len(e.running.Starts) != 1 {
		t.Errorf("lists begun at %v: an older one says nothing new", e.running.Starts)
	}
}

// What is asked again and again must not keep a listing, which takes more calls at once, from being made at all.
func TestFewCallsAreSharedByWhoHasWaitedLongest(t *testing.T) {
	k := newKernel(t, Config{Sweep: time.Hour, Rates: Rates{plan.ECSRead: {Burst: 5, PerSecond: 1}}})
	c := town{hosts: 300, perPage: 100}
	for i := range c.hosts {
		k.Hear(termination(i), t0)
	}
	drive(k, t0, 90*time.Second, c.answer)
	if k.Counts["listings complete"] == 0 {
		t.Errorf("no listing was made in 90 s: %v", k.Counts)
	}
	_, _, orders := drive(k, t0.Add(90*time.Second), 3*time.Minute, c.answer)
	if n := kinds(orders); n[plan.Tasks.String()] == 0 || k.Counts["listings complete"] < 2 {
		t.Errorf("orders %v, counts %v", n, k.Counts)
	}
}

// What comes back after its listing has ended says nothing any more.
func TestAPageThatComesTooLate(t *testing.T) {
	k := newKernel(t, Config{})
	k.beginListing("prod", &listing{kind: plan.ListRunning, begun: t0})
	page := k.look(t0)[1]
	k.endListing("prod", k.listings["prod"], false, t0)
	k.Did(plan.Done{Request: page, Started: t0, Result: plan.LookResult{Calls: 1, View: plan.View{Next: "from 500"}}}, t0.Add(sec))
	if len(k.listings) > 0 {
		t.Errorf("listed: %v", k.listings)
	}
}

// Calls that were under way together fail together. What fails after one of them has succeeded counts.
func TestAFailureAfterASuccessCounts(t *testing.T) {
	l := listing{failures: failures{fails: 0, failedAt: t0.Add(5 * sec)}}
	if l.failed(t0.Add(4*sec), t0.Add(6*sec)); l.fails != 1 {
		t.Errorf("%d failures in a row, want 1", l.fails)
	}
}

// city is a group of hosts, of which each has some tasks.
func (a *account) city(hosts, tasks int) {
	a.group("web")
	for n := range hosts {
		var names []string
		for i := range tasks {
			names = append(names, fmt.Sprintf("a%02d%c", n, 'a'+i))
		}
		id := fleet.InstanceID(fmt.Sprintf("i-%02d", n))
		a.host(id, "web", "prod", names...)
		a.state(id, fleet.InService)
	}
	a.clusters = []fleet.Cluster{{Name: "prod", Running: 100}}
}

// depart lets hosts of a city leave, some time after t0.
func (a *account) depart(k *Kernel, after time.Duration, from, to int) {
	for n := from; n < to; n++ {
		id := a.instances[n].ID
		a.hear(k, after, "web", id)
		hear := a.at[after]
		a.at[after] = func() { hear(); a.state(id, fleet.TerminatingWait) }
	}
}

// shortly spells requests for many subjects by how many there are.
func shortly(told []string) []string {
	for i, s := range told {
		if f := strings.Fields(s); len(f) > 15 && !strings.Contains(s, "record") && !strings.Contains(s, "line") {
			n := slices.IndexFunc(f, func(x string) bool { return strings.HasSuffix(x, ":") })
			told[i] = fmt.Sprintf("%s %s .. %s (%d)", strings.Join(f[:n+1], " "), f[n+1], f[len(f)-1], len(f)-n-1)
		}
	}
	return told
}

func TestAClusterIsListed(t *testing.T) {
	looks := []string{"list-", "homes", "tasks of", "clusters"}
	patient := managed("web", "prod")
	patient[0].Policy.Deadline, patient[0].Policy.Look = 10*time.Hour, 10*time.Minute
	play(t, []scene{
		{"hosts that leave later find their tasks known", Config{InFlight: 100, Groups: patient}, func(a *account, k *Kernel) {
			a.city(60, 1)
			a.pages = []int{30, 20}
			a.again = true
			a.tasks = append(a.tasks, a.tasks[0])
			a.tasks[60].ARN, a.tasks[60].DesiredStatus = "task/hidden", "nowhere"
			a.at[80*time.Minute] = func() { a.tasks[60].DesiredStatus = "RUNNING" }
			a.depart(k, 0, 0, 20)
			a.depart(k, 90*time.Minute, 20, 40)
			a.depart(k, 3*time.Hour, 40, 60)
			for n := 1; n < 60; n++ {
				name := fmt.Sprintf("a%02da", n)
				stop := a.at[time.Duration(n/20)*90*time.Minute+17*sec]
				a.at[time.Duration(n/20)*90*time.Minute+17*sec] = func() {
					if stop != nil {
						stop()
					}
					a.stop(name)
				}
			}
		}, 3*time.Hour + 40*sec, looks, `
			10.3 clusters: prod
			10.4 list-cluster of prod: RUNNING
			10.5 list-cluster of prod: RUNNING from page 1
			10.6 list-cluster of prod: RUNNING from page 2
			10.7 homes of prod: task/a00a .. task/a59a (60)
			10.8 tasks of prod: task/a00a .. task/a19a (20)
			12.0 tasks of prod: task/a00a .. task/a19a (20)
			22.4 list-cluster of prod: STOPPED
			612.0 tasks of prod: task/a00a .. task/a19a (20)
			1212.0 tasks of prod: task/a00a
			1812.0 tasks of prod: task/a00a
			2412.0 tasks of prod: task/a00a
			3012.0 tasks of prod: task/a00a
			3612.0 tasks of prod: task/a00a
			4212.0 tasks of prod: task/a00a
			4812.0 tasks of prod: task/a00a
			5410.3 clusters: prod
			5410.4 list-cluster of prod: RUNNING
			5410.5 list-cluster of prod: RUNNING from page 1
			5410.6 homes of prod: task/hidden
			5410.7 tasks of prod: task/a00a .. task/a39a (22)
			5411.8 tasks of prod: task/a20a .. task/a39a (20)
			5422.4 list-cluster of prod: STOPPED
			5422.5 list-cluster of prod: STOPPED from page 1
			6010.7 tasks of prod: task/a00a .. task/a39a (22)
			6610.7 tasks of prod: task/a00a task/hidden
			7210.7 tasks of prod: task/a00a task/hidden
			7810.7 tasks of prod: task/a00a task/hidden
			8410.7 tasks of prod: task/a00a task/hidden
			9010.7 tasks of prod: task/a00a task/hidden
			9610.7 tasks of prod: task/a00a task/hidden
			10210.7 tasks of prod: task/a00a task/hidden
			10810.3 clusters: prod
			10810.4 list-cluster of prod: RUNNING
			10810.5 tasks of prod: task/a00a .. task/a59a (22)
			10811.6 tasks of prod: task/a40a .. task/a59a (20)
			10822.4 list-cluster of prod: STOPPED
			10822.5 list-cluster of prod: STOPPED from page 1
			10822.6 list-cluster of prod: STOPPED from page 2
		`},
		{"a page and the homes of many tasks under way at once", Config{InFlight: 100}, func(a *account, k *Kernel) {
			a.city(24, 6)
			a.pages = []int{110}
			a.takes["homes"], a.takes["list-cluster"] = 5*sec, 2*sec
			a.depart(k, 0, 0, 24)
			a.silent["homes task/a20a"] = plan.Unclear
			a.at[14*sec] = func() { a.takes["homes"] = sec }
			a.at[17*sec] = func() { clear(a.silent) }
		}, 30 * sec, looks, `
			10.3 clusters: prod
			11.4 list-cluster of prod: RUNNING
			13.4 homes of prod: task/a00a .. task/a16d (100)
			13.4 list-cluster of prod: RUNNING from page 1
			15.4 homes of prod: task/a16e .. task/a23f (44)
			18.4 homes of prod: task/a20a
			19.4 tasks of prod: task/a00a .. task/a16d (100)
			19.4 tasks of prod: task/a16e .. task/a23f (44)
			19.5 tasks of prod: task/a00a .. task/a16d (100)
			19.5 tasks of prod: task/a16e .. task/a23f (44)
			29.4 list-cluster of prod: STOPPED
		`},
		{"a page that takes longer than the homes of the one before", Config{InFlight: 100}, func(a *account, k *Kernel) {
			a.city(24, 6)
			a.pages = []int{110}
			a.takes["list-cluster"] = 2 * sec
			a.depart(k, 0, 0, 24)
		}, 18 * sec, looks, `
			10.3 clusters: prod
			11.4 list-cluster of prod: RUNNING
			13.4 homes of prod: task/a00a .. task/a16d (100)
			13.4 list-cluster of prod: RUNNING from page 1
			15.4 homes of prod: task/a16e .. task/a23f (44)
			15.5 tasks of prod: task/a00a .. task/a16d (100)
			15.5 tasks of prod: task/a16e .. task/a23f (44)
			15.6 tasks of prod: task/a00a .. task/a16d (100)
			15.6 tasks of prod: task/a16e .. task/a23f (44)
		`},
		{"a token that is refused", Config{InFlight: 100}, func(a *account, k *Kernel) {
			a.city(24, 1)
			a.pages = []int{10, 10}
			a.takes["list-cluster"] = sec
			a.depart(k, 0, 0, 24)
			a.at[13500*time.Millisecond] = func() { a.fails["list-cluster"] = &plan.Failure{Class: plan.Invalid, Message: "old token"} }
			a.at[14500*time.Millisecond] = func() { clear(a.fails) }
		}, 25 * sec, looks, `
			10.3 clusters: prod
			11.4 list-cluster of prod: RUNNING
			12.4 list-cluster of prod: RUNNING from page 1
			13.4 list-cluster of prod: RUNNING from page 2
			14.4 line  failed: looking at list-cluster failed: invalid: old token; it is tried again
			19.4 list-cluster of prod: RUNNING
			20.4 list-cluster of prod: RUNNING from page 1
			21.4 list-cluster of prod: RUNNING from page 2
			22.4 homes of prod: task/a00a .. task/a23a (24)
			22.5 tasks of prod: task/a00a .. task/a23a (24)
			23.7 tasks of prod: task/a00a .. task/a23a (24)
		`},
		{"two kinds of lists at once, and its size is not known", Config{InFlight: 100}, func(a *account, k *Kernel) {
			a.city(40, 1)
			a.fails["clusters"] = unclear
			a.depart(k, 0, 0, 20)
			a.depart(k, 12100*time.Millisecond, 20, 40)
		}, 40 * sec, []string{"clusters", "list-"}, `
			10.3 clusters: prod
			10.4 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			10.4 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			10.4 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			10.4 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			22.4 clusters: prod
			22.4 list-stopped-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			22.4 list-stopped-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			22.4 list-stopped-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			22.4 list-stopped-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			22.4 list-running-tasks of prod: ci/i-20 ci/i-21 ci/i-22 ci/i-23 ci/i-24
			22.4 list-running-tasks of prod: ci/i-25 ci/i-26 ci/i-27 ci/i-28 ci/i-29
			22.4 list-running-tasks of prod: ci/i-30 ci/i-31 ci/i-32 ci/i-33 ci/i-34
			22.4 list-running-tasks of prod: ci/i-35 ci/i-36 ci/i-37 ci/i-38 ci/i-39
			34.4 clusters: prod
			34.4 list-stopped-tasks of prod: ci/i-20 ci/i-21 ci/i-22 ci/i-23 ci/i-24
			34.4 list-stopped-tasks of prod: ci/i-25 ci/i-26 ci/i-27 ci/i-28 ci/i-29
			34.4 list-stopped-tasks of prod: ci/i-30 ci/i-31 ci/i-32 ci/i-33 ci/i-34
			34.4 list-stopped-tasks of prod: ci/i-35 ci/i-36 ci/i-37 ci/i-38 ci/i-39
		`},
		{"too many requests are under way", Config{InFlight: 2}, func(a *account, k *Kernel) {
			a.city(24, 9)
			a.pages = []int{210}
			a.takes["homes"], a.takes["list-cluster"] = 5*sec, 2*sec
			a.depart(k, 0, 0, 24)
		}, 40 * sec, looks, `
			11.4 clusters: prod
			12.5 list-cluster of prod: RUNNING
			14.5 homes of prod: task/a00a .. task/a11a (100)
			19.5 homes of prod: task/a17h .. task/a16f (100)
			24.5 list-cluster of prod: RUNNING from page 1
			26.5 homes of prod: task/a16g .. task/a23i (16)
			31.6 tasks of prod: task/a00a .. task/a11a (100)
			31.7 tasks of prod: task/a11b .. task/a22b (100)
			32.8 tasks of prod: task/a22c .. task/a23i (16)
		`},
	})
}
