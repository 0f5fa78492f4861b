package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

const byHand = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/hand/cccccccccccccccc"

// netted is what is known of a task that ECS stops, in a VPC of which the net has found some targets. Nil: it has not been read.
func netted(found []fleet.Health, change func(*spot)) spot {
	return interrupted(func(s *spot) {
		s.task.Value.Subnet = "subnet-1"
		s.facts[plan.Subject{Kind: plan.VPCs, ID: "subnet-1"}] = &fleet.Fact[string]{Is: fleet.Seen, At: at(1), Value: "vpc-1"}
		if found != nil {
			s.facts[plan.Subject{Kind: plan.Registered, In: "vpc-1", ID: "10.0.1.17"}] = &fleet.Fact[[]fleet.Health]{Is: fleet.Seen, At: at(1), Value: found}
		}
		if change != nil {
			change(s)
		}
	})
}

func TestTheNetUnderATask(t *testing.T) {
	target := fleet.Health{TargetGroup: byHand, Target: fleet.TargetID{ID: "10.0.1.17", Port: 7777}, State: "healthy"}
	out := func(s *spot) { s.health("draining", "draining", 1) }
	hand := plan.Subject{Kind: plan.Targets, In: byHand, ID: "10.0.1.17", Port: 7777}
	inHand := func(state string) func(*spot) {
		return func(s *spot) {
			out(s)
			s.facts[hand] = &fleet.Fact[fleet.Health]{Is: fleet.Seen, At: at(1), Value: fleet.Health{State: state}}
		}
	}
	for _, c := range []struct {
		name  string
		seen  spot
		after float64
		asks  bool     // for what the net has
		do    []string // in which groups
		text  string
	}{
		{"the named targets first", netted(nil, nil), 1, false, []string{"web-8080", "admin-9090"}, "to leave its target group"},
		{"then the net", netted(nil, out), 1, true, nil, "to read the target groups of its VPC"},
		{"nothing is in it", netted([]fleet.Health{}, out), 1, true, nil, "2 targets out of web-8080, admin-9090; ECS was first"},
		{"named targets are in it", netted([]fleet.Health{{TargetGroup: web, Target: fleet.TargetID{ID: "10.0.1.17", Port: 8080}, State: "healthy"}}, out), 1,
			true, nil, "2 targets out of web-8080, admin-9090; ECS was first"},
		{"a target is in it", netted([]fleet.Health{target}, inHand("healthy")), 1, true, []string{"hand"}, "to leave its target group"},
		{"it is out", netted([]fleet.Health{target}, inHand("draining")), 1, true, nil, "3 targets out of web-8080, admin-9090, hand"},
		{"the net cannot be read", netted(nil, func(s *spot) {
			out(s)
			s.why = map[plan.LookKind]string{plan.TargetGroups: "denied: no rights"}
		}), 5, true, nil, "to read the target groups of its VPC"},
		{"and goes on so", netted(nil, func(s *spot) {
			out(s)
			s.task.At = at(21)
			s.why = map[plan.LookKind]string{plan.TargetGroups: "denied: no rights"}
		}), 21, true, nil, "the target groups of its VPC that no service names could not be read: denied: no rights"},
		{"it has no service", netted([]fleet.Health{}, func(s *spot) { s.task.Value.Group = "family:job" }), 1, true, nil,
			"it belongs to no service, and it is registered in none of its VPC"},
	} {
		d := Drain{Key: "k", Target: fleet.TaskTarget("prod", spotTask), Heard: t0, Zero: t0}
		d.Cluster = "prod"
		dec := Decide(d, c.seen, TaskPolicy(), at(c.after))
		var did []string
		for _, a := range dec.Do {
			did = append(did, fleet.TargetGroup{ARN: a.Targets.Group}.Name())
		}
		text := dec.Waiting
		if dec.Drain.Final != nil {
			text = dec.Drain.Final.Reason
		}
		asks := slices.ContainsFunc(dec.Want, func(w Want) bool { return w.Kind == plan.Registered })
		if !slices.Equal(did, c.do) || !strings.Contains(text, c.text) || asks != c.asks {
			t.Errorf("%s: takes it out of %v, asks %v, %q; want %v, %v, %q", c.name, did, asks, text, c.do, c.asks, c.text)
		}
	}
}

func TestTheNetUnderALostHost(t *testing.T) {
	target := fleet.TargetID{ID: string(host), Port: 32768}
	for _, c := range []struct {
		name  string
		after time.Duration // since it is lost
		net   []fleet.Health
		read  bool
		do    string
		text  string
	}{
		{"it is not read yet", 0, nil, false, "", "to read the target groups of the VPC"},
		{"for a minute", netFor, nil, false, "answer", "as far as is known; the target groups of its VPC that no service names could not be read: denied"},
		{"a target is in it", 0, []fleet.Health{{TargetGroup: byHand, Target: target, State: "healthy"}}, true, "deregister", "to leave its target group"},
		{"another port's is", 0, []fleet.Health{{TargetGroup: byHand, Target: fleet.TargetID{ID: string(host), Port: 1}, State: "healthy"}}, true, "answer",
			"none is in a target group, as far as is known"},
	} {
		s := emptyHost()
		s.task("job", "", "RUNNING", "RUNNING")
		s.unreached()
		s.d.UnreachedFrom = s.now.Add(-s.p.LostAfter - time.Second - c.after) // a look has confirmed it
		s.health[target] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "healthy"}}
		s.net, s.unread = c.net, !c.read
		s.o.Trouble = func(k plan.LookKind) string {
			if k == plan.Registered && !c.read {
				return "denied"
			}
			return ""
		}
		dec := s.decide()
		do, _, _ := spell(dec, s.now)
		text := dec.Waiting
		if i := dec.Drain.Intent; i != nil {
			text = i.Reason
		}
		if do != c.do || !strings.Contains(text, c.text) {
			t.Errorf("%s: does %q, %q; want %q, %q", c.name, do, text, c.do, c.text)
		}
	}
}
