package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

const (
	spotTask = fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef")
	admin    = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/admin-9090/bbbbbbbbbbbbbbbb"
	web      = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web-8080/aaaaaaaaaaaaaaaa"
)

// spot is what is known of a task on Fargate Spot.
type spot struct {
	facts
	task  fleet.Fact[fleet.Task]
	tried Try
	why   map[plan.LookKind]string
}

func (s spot) Tasks() []*fleet.Fact[fleet.Task] { return []*fleet.Fact[fleet.Task]{&s.task} }
func (s spot) Tried(k plan.ActionKind) (t Try) {
	return map[plan.ActionKind]Try{plan.Deregister: s.tried}[k]
}
func (s spot) Trouble(k plan.LookKind) string { return s.why[k] }
func (s spot) Since() time.Time               { return t0 }
func at(second float64) time.Time             { return t0.Add(time.Duration(second * float64(time.Second))) }
func onPort(group string, port int) plan.Subject {
	return plan.Subject{Kind: plan.Targets, In: group, ID: "10.0.1.17", Port: port}
}

// interrupted is a task that ECS stops, behind two target groups, as it is known a second after the notice.
func interrupted(change func(*spot)) spot {
	s := spot{facts: facts{}}
	s.task = fleet.Fact[fleet.Task]{Is: fleet.Seen, At: at(1), Value: fleet.Task{
		ARN: spotTask, Cluster: "prod", Family: "web:42", Group: "service:web", LastStatus: "RUNNING", DesiredStatus: "STOPPED",
		Addresses: []fleet.Address{{Container: "app", IP: "10.0.1.17"}},
	}}
	s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}] = &fleet.Fact[fleet.Service]{Is: fleet.Seen, At: at(1), Value: fleet.Service{
		Name: "web", Cluster: "prod", LoadBalancers: []fleet.LoadBalancer{
			{TargetGroup: web, Container: "app", ContainerPort: 8080}, {TargetGroup: admin, Container: "app", ContainerPort: 9090},
		},
	}}
	s.health("healthy", "healthy", 1)
	if change != nil {
		change(&s)
	}
	return s
}

func (s *spot) health(inWeb, inAdmin string, second float64) {
	for target, state := range map[plan.Subject]string{onPort(web, 8080): inWeb, onPort(admin, 9090): inAdmin} {
		s.facts[target] = &fleet.Fact[fleet.Health]{Is: fleet.Seen, At: at(second), Value: fleet.Health{State: state}}
	}
}

func TestATaskOnFargateSpot(t *testing.T) {
	var d Drain
	accepted := func(s *spot) { s.tried = Try{Started: at(1.2), At: at(1.4), OK: at(1.2)} }
	for _, c := range []struct {
		name  string
		seen  spot
		after float64 // seconds
		do    int     // deregistrations
		ended Outcome
		text  string // of the reason, or of what it waits for
	}{
		{"nothing is known", interrupted(func(s *spot) { s.task.Is = fleet.Unknown; s.task.Value = fleet.Task{ARN: spotTask} }), 0, 0, "",
			"to look at the task"},
		{"it is verified", interrupted(nil), 1, 2, "", "to leave its target group"},
		{"of an old look", interrupted(nil), 12, 0, "", "to look at the task"},
		{"reads lag", interrupted(func(s *spot) { s.task.Value.DesiredStatus = "RUNNING" }), 1, 0, "", "for ECS to say that the task is to stop"},
		{"it is to run", interrupted(func(s *spot) { s.task.Value.DesiredStatus = "RUNNING"; s.task.At = at(11) }), 12, 0, NotLeaving,
			"ECS says that the task is to run"},
		{"ECS knows no such task", interrupted(func(s *spot) { s.task.Is = fleet.Absent }), 1, 0, NotLeaving, "cluster prod does not know the task"},
		{"it is on a host", interrupted(func(s *spot) { s.task.Value.ContainerInstance = ci }), 1, 0, NotLeaving, "on a container instance"},
		{"its service is not known", interrupted(func(s *spot) { clear(s.facts) }), 1, 0, "", "to learn the load balancers of service web"},
		{"its targets are not known", interrupted(func(s *spot) { delete(s.facts, onPort(web, 8080)) }), 1, 0, "", "to leave its target group"},
		{"its targets cannot be looked at", interrupted(func(s *spot) {
			delete(s.facts, onPort(web, 8080))
			s.why = map[plan.LookKind]string{plan.Targets: "denied"}
		}), 1, 2, "", "to leave its target group"},
		{"accepted, not yet seen", interrupted(accepted), 1.5, 0, "", "to leave its target group"},
		{"one is still in use", interrupted(func(s *spot) { accepted(s); s.health("draining", "healthy", 2) }), 2, 1, "", "to leave its target group"},
		{"both are out", interrupted(func(s *spot) { accepted(s); s.health("draining", "unused", 2) }), 2, 0, Drained,
			"2 targets out of web-8080, admin-9090; Ebb was first, accepted 1.4 s after the notice"},
		{"ECS was first", interrupted(func(s *spot) { s.health("draining", "draining", 1) }), 1, 0, Drained, "ECS was first, seen 1.0 s after the notice"},
		{"its service has no target group", interrupted(func(s *spot) {
			s.facts[plan.Subject{Kind: plan.Services, In: "prod", ID: "web"}] = &fleet.Fact[fleet.Service]{Is: fleet.Seen, At: at(1), Value: fleet.Service{
				Name: "web", OtherWays: []string{"Service Connect"}}}
		}), 1, 0, Drained, "service web names no target group; the target groups of its VPC that no service names could not be read; " +
			"Ebb does not take them out of Service Connect (service web)"},
		{"it has no service", interrupted(func(s *spot) { s.task.Value.Group = "family:job" }), 1, 0, Drained, "it belongs to no service"},
		{"its address is another's", interrupted(func(s *spot) { s.task.Value.LastStatus = "DEPROVISIONING" }), 1, 0, Forced,
			"ECS stopped it before its targets were seen to leave"},
		{"it has gone, its targets before", interrupted(func(s *spot) { s.task.Value.LastStatus = "STOPPED"; s.health("unused", "draining", 1) }), 1, 0, Drained,
			"2 targets out"},
		{"the two minutes are over", interrupted(func(s *spot) {
			s.task.At = at(119)
			s.tried = Try{Class: plan.Denied, Message: "not authorized", Fails: 20, Started: at(118), At: at(119)}
			s.health("healthy", "healthy", 119)
		}), 120, 0, Forced, "the two minutes of its notice are over before its targets were seen to leave; requests may have failed: " +
			"the deregistration failed: not authorized"},
		{"the two minutes are over, and nobody could look", interrupted(func(s *spot) {
			s.task.Is = fleet.Unknown
			s.why = map[plan.LookKind]string{plan.Tasks: "denied: no rights"}
		}), 120, 0, Elsewhere, "the task could not be looked at: denied: no rights"},
	} {
		d = Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
		d.Cluster = "prod"
		now := at(c.after)
		dec := Decide(d, c.seen, TaskPolicy(), now)
		var ended Outcome
		text := dec.Waiting
		if f := dec.Drain.Final; f != nil {
			ended, text = f.Outcome, f.Reason
		}
		if len(dec.Do) != c.do || ended != c.ended || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d deregistrations, ended %q, %q; want %d, %q, %q", c.name, len(dec.Do), ended, text, c.do, c.ended, c.text)
		}
		for _, a := range dec.Do {
			if len(a.Targets.Targets) != 1 || a.Targets.Targets[0].Port == 0 || a.Target != d.Target {
				t.Errorf("%s: does %+v; want one target with its port", c.name, a.Targets)
			}
		}
	}
}

// Who was first is remembered from the first look on: after a restart too.
func TestWhoWasFirstIsRemembered(t *testing.T) {
	d := Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
	d.Cluster = "prod"
	d = Decide(d, interrupted(nil), TaskPolicy(), at(1)).Drain
	if d.First != FirstEbb {
		t.Fatalf("first: %q", d.First)
	}
	d = Decide(d, interrupted(func(s *spot) { s.health("draining", "draining", 3) }), TaskPolicy(), at(3)).Drain
	if d.First != FirstEbb || d.Open() || strings.Contains(d.Final.Reason, "ECS was first") {
		t.Errorf("first: %q, %+v", d.First, d.Final)
	}
}

// What is only observed is not touched.
func TestATaskThatIsOnlyObserved(t *testing.T) {
	d := Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
	d.Cluster = "prod"
	p := TaskPolicy()
	p.Observe = true
	dec := Decide(d, interrupted(nil), p, at(1))
	if len(dec.Do) > 0 || len(dec.Drain.Would) != 2 {
		t.Errorf("does %v, would %v", dec.Do, dec.Drain.Would)
	}
}
