package drain

import (
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// twoServices is a host that is lost, with two tasks of web and one of api in two target groups.
func twoServices() *scene {
	s := emptyHost()
	const other = fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/api/1")
	for _, of := range []string{"web", "web", "api"} {
		s.task(of, of, "RUNNING", "RUNNING")
	}
	s.unreached()
	s.service("web", false, "healthy")
	s.service("api", false, "healthy")
	api := s.services["api"]
	api.Value.LoadBalancers = []fleet.LoadBalancer{{TargetGroup: other, Container: "app", ContainerPort: 80}, {Container: "app", ContainerPort: 80}}
	api.Value.OtherWays = []string{"Cloud Map", "a Classic Load Balancer"}
	s.services["api"] = api
	s.healthOf("healthy", 32768, 32769, 32770)
	return s
}

func (s *scene) healthOf(state string, ports ...int) {
	for _, port := range ports {
		id := fleet.TargetID{ID: string(host), Port: port}
		s.health[id] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now.Add(-1), Value: fleet.Health{Target: id, State: state}}
	}
}

// A host with twenty targets must not need a minute to be out of its load balancers.
func TestAllTargetsAreDeregisteredAtOnce(t *testing.T) {
	s := twoServices()
	var groups []string
	for _, a := range s.decide().Do {
		if a.Kind == plan.Deregister {
			groups = append(groups, strings.Repeat("x", len(a.Targets.Targets))+string(a.Targets.Group)[60:])
		}
	}
	if len(groups) != 2 || !strings.HasPrefix(groups[0], "xx") || strings.HasPrefix(groups[1], "xx") {
		t.Errorf("deregistered: %q", groups)
	}
	s.healthOf("draining", 32768, 32769)
	if do, _, _ := spell(s.decide(), s.now); do != "deregister" {
		t.Errorf("with one target left it does %q", do)
	}
}

func TestALostHostSaysOfWhatItsTasksAreOut(t *testing.T) {
	s := twoServices()
	s.healthOf("draining", 32768, 32769, 32770)
	a := s.decide().Drain.Intent
	const want = "of its tasks none is in use in a target group any more; " +
		"Ebb does not take them out of Cloud Map (service api), a Classic Load Balancer (service api)"
	if a == nil || !strings.Contains(a.Reason, want) {
		t.Errorf("reason %+v", a)
	}
	s = emptyHost()
	s.task("job", "", "RUNNING", "RUNNING")
	s.unreached()
	if a := s.decide().Drain.Intent; a == nil || !strings.Contains(a.Reason, "of its tasks none is in a target group, as far as is known") {
		t.Errorf("without a service: %+v", a)
	}
}
