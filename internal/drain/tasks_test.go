package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// byGroup is a scene with the deregistration delay of each target group.
type byGroup struct {
	*scene
	delays delays
}

type delays = map[string]fleet.Fact[fleet.Delay]

func (b byGroup) Fact(of plan.Subject) any {
	if of.Kind == plan.Delays {
		f := b.delays[of.In]
		return &f
	}
	return b.scene.Fact(of)
}

func TestALongerDelayOfSeveralTargetGroupsIsWaitedOut(t *testing.T) {
	known := func(seconds time.Duration) fleet.Fact[fleet.Delay] {
		return fleet.Fact[fleet.Delay]{Is: fleet.Seen, At: t0, Value: fleet.Delay{Delay: seconds * time.Second}}
	}
	for name, x := range map[string]struct {
		groups   []fleet.ARN
		delays   delays
		stopping time.Duration // seconds ago; negative: not known
		want     time.Duration // after it was last looked at, which is a second ago
	}{
		"the second is longer":          {[]fleet.ARN{"a", "b"}, delays{"a": known(20), "b": known(40)}, 20, 22 * time.Second},
		"the first is longer":           {[]fleet.ARN{"a", "b"}, delays{"a": known(40), "b": known(20)}, 20, 22 * time.Second},
		"a Classic Load Balancer first": {[]fleet.ARN{"", "b"}, delays{"b": known(40)}, 20, 22 * time.Second},
		"only a Classic Load Balancer":  {[]fleet.ARN{""}, nil, 20, Defaults().LookFast},
		"the first is not known":        {[]fleet.ARN{"a", "b"}, delays{"b": known(40)}, 20, Defaults().Look},
		"since when it stops is not":    {[]fleet.ARN{"b"}, delays{"b": known(40)}, -1, Defaults().Look},
	} {
		s := emptyHost()
		s.service("web", false, "draining")
		svc := s.services["web"]
		svc.Value.LoadBalancers = nil
		for _, g := range x.groups {
			svc.Value.LoadBalancers = append(svc.Value.LoadBalancers, fleet.LoadBalancer{TargetGroup: g, Container: "app", ContainerPort: 80})
		}
		s.services["web"] = svc
		task := s.task("web", "web", "DEACTIVATING", "STOPPED")
		if x.stopping >= 0 {
			task.Value.StoppingAt = s.now.Add(-x.stopping * time.Second)
		}
		dec := Decide(s.d, byGroup{s, x.delays}, s.p, s.now)
		if got := dueOf(t, dec, plan.Tasks); !got.Equal(task.At.Add(x.want)) {
			t.Errorf("%s: looked at after %s, want %s", name, got.Sub(task.At), x.want)
		}
		for _, w := range dec.Want {
			if f := x.delays[w.In]; w.Kind == plan.Delays && f.Is == fleet.Seen && !w.Due.Equal(t0.Add(time.Hour)) {
				t.Errorf("%s: the delay of %s is looked at after %s", name, w.In, w.Due.Sub(t0))
			}
		}
	}
	s := emptyHost()
	task := s.task("batch", "", "DEACTIVATING", "STOPPED")
	task.Value.StoppingAt = s.now.Add(-20 * time.Second)
	if got := dueOf(t, s.decide(), plan.Tasks); !got.Equal(task.At.Add(s.p.LookFast)) {
		t.Errorf("a standalone task has no targets, but is looked at after %s", got.Sub(task.At))
	}
}

func TestAllDaemonsAreLookedAtWithTheFirstOfTheOthers(t *testing.T) {
	s := emptyHost()
	s.service("agent", true, "")
	s.task("agent", "agent", "RUNNING", "RUNNING")
	s.task("logger", "agent", "RUNNING", "RUNNING")
	s.task("soon", "", "RUNNING", "RUNNING").At = s.now.Add(-10 * time.Second)
	s.task("later", "", "RUNNING", "RUNNING").At = s.now
	looks := map[string]time.Duration{}
	for _, w := range s.decide().Want {
		if w.Kind == plan.Tasks {
			looks[fleet.ARN(w.ID).Name()] = w.Due.Sub(s.now)
		}
	}
	for name, want := range map[string]time.Duration{"agent": 5, "logger": 5, "soon": 5, "later": 15} {
		if got, ok := looks[name]; !ok || got != want*time.Second {
			t.Errorf("%s is looked at in %s, want %d s", name, got, want)
		}
	}
}

func TestWhatIsLeftIsNamed(t *testing.T) {
	s := emptyHost()
	s.task("web", "", "RUNNING", "RUNNING")
	s.task("gone", "", "STOPPED", "STOPPED")
	s.task("batch", "", "STOPPING", "STOPPED")
	dec := s.decide()
	if want := []string{"web:1/web RUNNING", "batch:1/batch STOPPING"}; !slices.Equal(dec.Drain.Left, want) {
		t.Errorf("left %v, want %v", dec.Drain.Left, want)
	}
	if !strings.HasPrefix(dec.Waiting, "for 2 of 3 tasks to stop,") {
		t.Errorf("waits %s", dec.Waiting)
	}
	s.deadlineOver()
	if got := s.decide().Drain.Intent; strings.Join(got.CutOff, ", ") != "web:1/web RUNNING, batch:1/batch STOPPING" {
		t.Errorf("cut off %v", got.CutOff)
	}
	for want, task := range map[string]fleet.Task{
		"web:1/12345678 RUNNING": {ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/123456789", Family: "web:1", LastStatus: "RUNNING"},
		"web:1/1234567 RUNNING":  {ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/1234567", Family: "web:1", LastStatus: "RUNNING"},
		"task 12345678":          {ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/12345678", LastStatus: "RUNNING"},
	} {
		if got := name(&task); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTheReasonOfAnAnswer(t *testing.T) {
	for _, x := range []struct {
		set  func(*scene)
		want string
		cut  string
	}{
		{func(*scene) {}, "no task was on it", ""},
		{func(s *scene) { s.task("a", "", "STOPPED", "STOPPED") }, "its task has stopped", ""},
		{func(s *scene) { s.task("a", "", "STOPPED", "STOPPED"); s.task("b", "", "STOPPED", "STOPPED") }, "all 2 tasks have stopped", ""},
		{func(s *scene) { s.daemonLeft("") }, "every task has stopped but 1 daemon tasks, which had 2m0s more", "agent:1/agent RUNNING"},
	} {
		s := emptyHost()
		x.set(s)
		got := s.decide().Drain.Intent
		if got == nil || got.Reason != x.want || strings.Join(got.CutOff, " ") != x.cut {
			t.Errorf("got %+v, want %s, cut off %s", got, x.want, x.cut)
		}
	}
}

func TestOnlyDaemonTasksAreLetGoAfterAWhile(t *testing.T) {
	daemon := func(is bool, ago time.Duration) func(s *scene) {
		return func(s *scene) {
			s.daemonLeft("")
			s.service("agent", is, "")
			svc := s.services["agent"]
			svc.At = s.now.Add(-ago)
			s.services["agent"] = svc
			s.d.Left = []string{"agent:1/agent RUNNING"}
		}
	}
	run(t, []decideCase{
		{name: "another service's are waited for", set: daemon(false, time.Second), waiting: "for 1 of 1 tasks to stop"},
		{name: "a daemon's are not", set: daemon(true, time.Second), do: "answer", notes: "answer", intent: "drained"},
		{name: "what was known of a service holds for a while", set: daemon(true, 15*time.Minute), do: "answer", looks: "services", notes: "answer",
			intent: "drained"},
		{name: "and then not", set: daemon(true, 15*time.Minute+1), looks: "services", waiting: "for 1 of 1 tasks to stop"},
	})
}

func TestEveryTargetOfEveryTaskIsOut(t *testing.T) {
	port := func(n int) fleet.TargetID { return fleet.TargetID{ID: string(host), Port: 32768 + n} }
	daemons := func(states ...string) func(*scene) {
		return func(s *scene) {
			s.daemonLeft(states[0])
			s.d.Left = []string{"agent:1/agent RUNNING"}
			for i, state := range states[1:] {
				s.task("agent", "agent", "RUNNING", "RUNNING")
				s.d.Left = append(s.d.Left, "agent:1/agent RUNNING")
				f := s.health[port(0)]
				f.Value.State, f.Value.Target = state, port(i+1)
				s.health[port(i+1)] = f
			}
		}
	}
	aged := func(ago time.Duration) func(*scene) {
		return func(s *scene) {
			daemons("draining")(s)
			f := s.health[port(0)]
			f.At = s.now.Add(-ago)
			s.health[port(0)] = f
		}
	}
	used := func(at time.Duration, try Try) func(*scene) {
		return func(s *scene) {
			daemons("healthy")(s)
			f := s.health[port(0)]
			f.At = s.now.Add(-at)
			s.health[port(0)] = f
			s.o.Tried[plan.Deregister] = try
		}
	}
	const waiting = "to leave its target group"
	late := t0.Add(10 * time.Minute) // when daemonLeft is
	run(t, []decideCase{
		{name: "the second task's is in use", set: daemons("draining", "healthy"), do: "deregister", waiting: waiting},
		{name: "the first task's is in use", set: daemons("healthy", "draining"), do: "deregister", waiting: waiting},
		{name: "both are", set: daemons("healthy", "healthy"), do: "deregister", waiting: waiting},
		{name: "none is", set: daemons("draining", "draining"), do: "answer", notes: "answer", intent: "drained"},
		{name: "it was looked at a while ago", set: aged(30 * time.Second), do: "answer", looks: "targets", notes: "answer", intent: "drained"},
		{name: "and longer ago", set: aged(30*time.Second + 1), looks: "targets", waiting: waiting},
		{name: "before the drain began", set: func(s *scene) {
			aged(20 * time.Second)(s)
			s.d.Heard = s.now.Add(-20*time.Second + 1)
		}, looks: "targets", waiting: waiting},
		{name: "it was deregistered and not looked at since", set: used(time.Second, Try{Started: late.Add(-time.Second), At: late, OK: late.Add(-time.Second)}),
			waiting: waiting},
		{name: "it was looked at since, and is in use again", set: used(time.Second, Try{Started: late.Add(-time.Minute), At: late.Add(-time.Minute),
			OK: late.Add(-time.Minute)}), do: "deregister", waiting: waiting},
		{name: "a deregistration is under way", set: used(time.Second, Try{Flying: true}), waiting: waiting},
	})
}

func TestTheTargetsOfATask(t *testing.T) {
	balancers := []fleet.LoadBalancer{
		{TargetGroup: "tg-a", Container: "app", ContainerPort: 80}, {TargetGroup: "tg-b", Container: "app", ContainerPort: 8080},
		{TargetGroup: "tg-c", Container: "side", ContainerPort: 80},
	}
	at := func(group, id string, port int) plan.Subject {
		return plan.Subject{Kind: plan.Targets, In: group, ID: id, Port: port}
	}
	on := func(group string, port int) plan.Subject { return at(group, string(host), port) }
	for name, x := range map[string]struct {
		addresses []fleet.Address
		want      []plan.Subject
	}{
		"by ports of the host": {[]fleet.Address{
			{Container: "app", ContainerPort: 80, HostPort: 32768}, {Container: "app", ContainerPort: 8080, HostPort: 32769},
			{Container: "side", ContainerPort: 80, HostPort: 32770},
		}, []plan.Subject{on("tg-a", 32768), on("tg-b", 32769), on("tg-c", 32770)}},
		"by an address of its own": {[]fleet.Address{{Container: "app", IP: "10.0.0.7"}},
			[]plan.Subject{at("tg-a", "10.0.0.7", 80), at("tg-b", "10.0.0.7", 8080)}},
		"another port":      {[]fleet.Address{{Container: "app", ContainerPort: 81, HostPort: 32768}}, nil},
		"another container": {[]fleet.Address{{Container: "db", ContainerPort: 80, HostPort: 32768}, {Container: "db", IP: "10.0.0.7"}}, nil},
	} {
		if got := registrations(host, &fleet.Task{Addresses: x.addresses}, fleet.Service{LoadBalancers: balancers}); !slices.Equal(got, x.want) {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func TestDaemonsAloneAreLookedAtAtTheirOwnPace(t *testing.T) {
	s := emptyHost()
	s.daemonLeft("")
	s.d.EmptySince = s.now.Add(-time.Minute)
	gone := s.task("web", "", "RUNNING", "RUNNING")
	gone.Is = fleet.Absent
	dec := s.decide()
	if got := dueOf(t, dec, plan.Tasks); !got.Equal(s.o.Tasks[0].At.Add(s.p.Look)) {
		t.Errorf("looked at after %s", got.Sub(s.o.Tasks[0].At))
	}
	if !dec.Wake.Equal(s.d.EmptySince.Add(s.p.DaemonGrace)) {
		t.Errorf("wakes %s after it was empty", dec.Wake.Sub(s.d.EmptySince))
	}
	for _, w := range dec.Want {
		if w.Kind == plan.Tasks && w.ID == string(gone.Value.ARN) {
			t.Error("a task that AWS does not know any more is looked at")
		}
	}
}

func TestEachTargetOfATaskIsOut(t *testing.T) {
	for _, states := range [][2]string{{"healthy", "draining"}, {"draining", "healthy"}} {
		s := emptyHost()
		s.daemonLeft(states[0])
		svc := s.services["agent"]
		svc.Value.LoadBalancers = append(svc.Value.LoadBalancers, fleet.LoadBalancer{TargetGroup: group, Container: "app", ContainerPort: 8080})
		s.services["agent"] = svc
		s.o.Tasks[0].Value.Addresses = append(s.o.Tasks[0].Value.Addresses, fleet.Address{Container: "app", ContainerPort: 8080, HostPort: 40000})
		id := fleet.TargetID{ID: string(host), Port: 40000}
		s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{TargetGroup: group, Target: id, State: states[1]}}
		if do, _, _ := spell(s.decide(), s.now); do != "deregister" {
			t.Errorf("%v: does %q", states, do)
		}
	}
}
