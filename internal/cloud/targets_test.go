package cloud

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

var lookAtTargets = plan.LookAt(
	plan.Subject{Kind: plan.Targets, In: "arn:tg", ID: "i-0a", Port: 32768}, plan.Subject{Kind: plan.Targets, In: "arn:tg", ID: "i-0b", Port: 32769},
)

func target(i int) fleet.TargetID {
	return fleet.TargetID{ID: lookAtTargets.Subjects[i].ID, Port: lookAtTargets.Subjects[i].Port}
}

func TestTargets(t *testing.T) {
	health := func(id string, port int32, state elbtypes.TargetHealthStateEnum, reason elbtypes.TargetHealthReasonEnum) elbtypes.TargetHealthDescription {
		return elbtypes.TargetHealthDescription{
			Target: &elbtypes.TargetDescription{Id: aws.String(id), Port: aws.Int32(port)}, TargetHealth: &elbtypes.TargetHealth{State: state, Reason: reason},
		}
	}
	c, f := newFake(theAnswer(&elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbtypes.TargetHealthDescription{
		health("i-0a", 32768, "draining", "Target.DeregistrationInProgress"), health("i-0b", 32769, "unused", "Target.NotRegistered"),
	}}, nil))
	s := c.Look(t.Context(), lookAtTargets)
	diff(t, "lookup", plan.LookResult{Calls: 1, View: plan.View{Health: []fleet.Health{
		{TargetGroup: "arn:tg", Target: target(0), State: "draining", Reason: "Target.DeregistrationInProgress"},
		{TargetGroup: "arn:tg", Target: target(1), State: "unused", Reason: "Target.NotRegistered"},
	}}}, s)
	in := f.asked[0].(*elb.DescribeTargetHealthInput)
	if len(in.Targets) != 2 || *in.Targets[1].Id != "i-0b" || *in.Targets[1].Port != 32769 {
		t.Errorf("asked for %+v, want both targets by name", in.Targets)
	}
}

func TestTargetsOfAGroupThatIsGone(t *testing.T) {
	c, _ := newFake(theAnswer(nil, &elbtypes.TargetGroupNotFoundException{}))
	s := c.Look(t.Context(), lookAtTargets)
	if s.Err != nil || len(s.View.Health) != 2 || s.View.Health[1].InUse() || s.View.Health[1].Target != target(1) {
		t.Errorf("got %+v, want both targets unused", s)
	}
}

func TestTargetsThatCannotBeSeen(t *testing.T) {
	c, _ := newFake(theAnswer(nil, &elbtypes.HealthUnavailableException{}))
	if s := c.Look(t.Context(), lookAtTargets); s.Err == nil || s.Err.Class != plan.Unclear || s.View.Health != nil {
		t.Errorf("got %+v, want nothing seen", s)
	}
}

func TestInstancesDropsTheUnknown(t *testing.T) {
	c, f := newFake(nil)
	f.answer = func(any) (any, error) {
		if len(f.asked) == 1 {
			return nil, &smithy.GenericAPIError{Code: "InvalidInstanceID.NotFound", Message: "The instance IDs 'i-0000000b, i-0000000d' do not exist"}
		}
		return &[]plan.InstanceStatus{{ID: "i-0000000a", State: fleet.StateTerminated}, {ID: "i-0000000c", State: fleet.StateRunning}}, nil
	}
	s := c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a", "i-0000000b", "i-0000000c", "i-0000000d"))
	if s.Err != nil || s.Failed != nil || s.Calls != 2 || len(s.View.Instances) != 2 {
		t.Errorf("got %+v, want two seen by two calls", s)
	}
	diff(t, "asked again for", []string{"i-0000000a", "i-0000000c"}, f.asked[1].([]string))
}

func TestInstancesDropsTheMalformed(t *testing.T) {
	c, f := newFake(nil)
	f.answer = func(any) (any, error) {
		if len(f.asked) == 1 {
			return nil, &smithy.GenericAPIError{Code: "InvalidInstanceID.Malformed", Message: `Invalid id: "i-0"`}
		}
		return &[]plan.InstanceStatus{{ID: "i-0000000a", State: fleet.StateRunning}}, nil
	}
	s := c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0", "i-0000000a"))
	if s.Err != nil || s.Failed != nil || len(s.View.Instances) != 1 {
		t.Errorf("got %+v, want the good one seen", s)
	}
}

func TestInstancesAllUnknown(t *testing.T) {
	c, _ := newFake(theAnswer(nil, &smithy.GenericAPIError{Code: "InvalidInstanceID.NotFound", Message: "The instance ID 'i-0000000a' does not exist"}))
	s := c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a"))
	if s.Err != nil || s.Failed != nil || s.View.Instances != nil || s.Calls != 1 {
		t.Errorf("got %+v, want it absent by one call", s)
	}
}

// A refusal that names nobody we asked for must not go round for ever, nor mean absence.
func TestInstancesRefusedWithoutAName(t *testing.T) {
	c, _ := newFake(theAnswer(nil, &smithy.GenericAPIError{Code: "InvalidInstanceID.NotFound", Message: "The instance ID 'i-0000000f' does not exist"}))
	s := c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a"))
	if s.Err == nil || s.Calls != 1 {
		t.Errorf("got %+v, want an error by one call", s)
	}
}

// What cannot be an instance id is absent, and never gets into a request.
func TestForgedInstanceIDs(t *testing.T) {
	forged := []fleet.InstanceID{"i-0a'] or runningTasksCount >= 0 or ec2InstanceId in ['i-0b", "i-", "", "x", "i-0a i-0b"}
	for _, kind := range []plan.LookKind{plan.Instances, plan.GroupInstances, plan.FindContainerInstances} {
		c, f := newFake(theAnswer(nil, errBroken))
		s := c.Look(t.Context(), plan.LookFor(kind, "prod", forged...))
		if s.Err != nil || s.Failed != nil || len(f.asked) != 0 {
			t.Errorf("%s: %+v, asked for %v; want all absent without a question", kind, s, f.asked)
		}
	}
}
