package cloud

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

func TestSetDrainingReadsFailures(t *testing.T) {
	all := ids[fleet.ARN]("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/%d", 23)
	c, f := newFake(nil)
	f.answer = func(any) (any, error) {
		switch len(f.asked) {
		case 1:
			return &ecs.UpdateContainerInstancesStateOutput{Failures: []ecstypes.Failure{
				{Arn: aws.String(string(all[3])), Reason: aws.String("MISSING")},
				{Arn: aws.String(string(all[4])), Reason: aws.String("INACTIVE"), Detail: aws.String("it is gone")},
			}}, nil
		case 2:
			return nil, throttled
		}
		return &ecs.UpdateContainerInstancesStateOutput{}, nil
	}
	out := c.Do(t.Context(), plan.Action{Kind: plan.SetDraining, State: &plan.StateChange{Cluster: "prod", ContainerInstances: all}})
	if out.Err != nil || out.Calls != 3 || len(out.Failed) != 12 {
		t.Fatalf("got %+v, want 12 failed by 3 calls", out)
	}
	diff(t, "failed", []plan.ItemFailure{
		{ID: string(all[3]), Class: plan.Gone, Reason: "MISSING"},
		{ID: string(all[4]), Class: plan.Unclear, Reason: "INACTIVE: it is gone"},
	}, out.Failed[:2])
	diff(t, "failed by the second call", Texts[string](all[10:20]), failedIDs(t, out.Failed[2:], plan.Throttled))
	in := f.asked[2].(*ecs.UpdateContainerInstancesStateInput)
	if *in.Cluster != "prod" || in.Status != "DRAINING" || len(in.ContainerInstances) != 3 {
		t.Errorf("the third call asked for %+v", in)
	}
}

func TestHeartbeatAndAnswerNameTheAction(t *testing.T) {
	const token = "bcd2f1b8-9a78-44d3-8a7a-4dd07d7cf635"
	for _, c := range []struct{ token, wantToken, wantInstance string }{{token, token, "i-0a"}, {"", "", "i-0a"}} {
		cloud, f := newFake(theAnswer(&autoscaling.RecordLifecycleActionHeartbeatOutput{}, nil))
		out := cloud.Do(t.Context(), plan.Action{Kind: plan.Beat, Hook: &plan.HookCall{Group: "web-asg", Hook: "ebb-drain", Instance: "i-0a", Token: c.token}})
		diff(t, "outcome of a heartbeat", plan.Outcome{Calls: 1}, out)
		beat := f.asked[0].(*autoscaling.RecordLifecycleActionHeartbeatInput)
		diff(t, "heartbeat", []string{"web-asg", "ebb-drain", c.wantToken, c.wantInstance},
			[]string{*beat.AutoScalingGroupName, *beat.LifecycleHookName, aws.ToString(beat.LifecycleActionToken), aws.ToString(beat.InstanceId)})

		cloud, f = newFake(theAnswer(&autoscaling.CompleteLifecycleActionOutput{}, nil))
		out = cloud.Do(t.Context(), plan.Action{Kind: plan.Answer, Hook: &plan.HookCall{Group: "web-asg", Hook: "ebb-drain", Instance: "i-0a",
			Token: c.token, Result: "CONTINUE"}})
		diff(t, "outcome of an answer", plan.Outcome{Calls: 1}, out)
		done := f.asked[0].(*autoscaling.CompleteLifecycleActionInput)
		diff(t, "answer", []string{"web-asg", "ebb-drain", "CONTINUE", c.wantToken, c.wantInstance},
			[]string{*done.AutoScalingGroupName, *done.LifecycleHookName, *done.LifecycleActionResult, aws.ToString(done.LifecycleActionToken),
				aws.ToString(done.InstanceId)})
	}
}

func TestAnswerToNoActionIsGone(t *testing.T) {
	c, _ := newFake(theAnswer(nil, &smithy.GenericAPIError{Code: "ValidationError", Message: "No active Lifecycle Action found with instance ID i-0a"}))
	out := c.Do(t.Context(), plan.Action{Kind: plan.Answer, Hook: &plan.HookCall{Instance: "i-0a"}})
	if out.Err == nil || out.Err.Class != plan.Gone || out.Calls != 1 {
		t.Errorf("got %+v, want gone", out)
	}
}

func TestDeregisterGivesThePort(t *testing.T) {
	c, f := newFake(theAnswer(&elb.DeregisterTargetsOutput{}, nil))
	out := c.Do(t.Context(), plan.Action{Kind: plan.Deregister, Targets: &plan.TargetChange{Group: "arn:tg",
		Targets: []fleet.TargetID{{ID: "i-0a", Port: 32768}, {ID: "i-0b", Port: 80}}}})
	diff(t, "outcome", plan.Outcome{Calls: 1}, out)
	in := f.asked[0].(*elb.DeregisterTargetsInput)
	if *in.TargetGroupArn != "arn:tg" || *in.Targets[0].Id != "i-0a" || *in.Targets[0].Port != 32768 || *in.Targets[1].Port != 80 {
		t.Errorf("asked for %+v", in)
	}
}

// A target whose port nobody knows is taken out at each at which it is in use, and its neighbours are not.
func TestDeregisterAtAnyPort(t *testing.T) {
	health := func(id string, port int32, state elbtypes.TargetHealthStateEnum) elbtypes.TargetHealthDescription {
		return elbtypes.TargetHealthDescription{
			Target: &elbtypes.TargetDescription{Id: &id, Port: &port}, TargetHealth: &elbtypes.TargetHealth{State: state},
		}
	}
	for name, x := range map[string]struct {
		has   []elbtypes.TargetHealthDescription
		ports []int32
	}{
		"at two": {[]elbtypes.TargetHealthDescription{
			health("10.0.1.17", 8080, "healthy"), health("10.0.1.17", 9090, "unhealthy"), health("10.0.1.18", 8080, "healthy"),
		}, []int32{8080, 9090}},
		"one drains": {[]elbtypes.TargetHealthDescription{health("10.0.1.17", 8080, "healthy"), health("10.0.1.17", 9090, "draining")}, []int32{8080}},
		"at none":    {[]elbtypes.TargetHealthDescription{health("10.0.1.18", 8080, "healthy")}, nil},
	} {
		c, f := newFake(func(in any) (any, error) {
			if _, look := in.(*elb.DescribeTargetHealthInput); look {
				return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: x.has}, nil
			}
			return &elb.DeregisterTargetsOutput{}, nil
		})
		out := c.Do(t.Context(), plan.Action{Kind: plan.Deregister, Targets: &plan.TargetChange{Group: "arn:tg", Targets: []fleet.TargetID{{ID: "10.0.1.17"}}}})
		var ports []int32
		for _, in := range f.asked {
			if in, ok := in.(*elb.DeregisterTargetsInput); ok {
				for _, target := range in.Targets {
					ports = append(ports, *target.Port)
				}
			}
		}
		if out.Err != nil || !slices.Equal(ports, x.ports) || out.Calls != len(f.asked) {
			t.Errorf("%s: ports %v, %+v; want %v", name, ports, out, x.ports)
		}
	}
}

func TestUnknownKinds(t *testing.T) {
	c, _ := newFake(theAnswer(nil, errBroken))
	if out := c.Do(t.Context(), plan.Action{Kind: plan.ActionKinds}); out.Err == nil || out.Calls != 0 {
		t.Errorf("an unknown action: %+v", out)
	}
	if s := c.Look(t.Context(), plan.Look{Kind: plan.LookKinds}); s.Err == nil || s.Calls != 0 {
		t.Errorf("an unknown look: %+v", s)
	}
}

// There is no call that only raises a desired capacity: it is looked at before, and at the maximum.
func TestSetCapacityOnlyRaises(t *testing.T) {
	for _, tt := range []struct{ desired, most, to, want int32 }{
		{2, 9, 4, 4}, {4, 9, 4, 0}, {5, 9, 4, 0}, {2, 3, 4, 3}, {3, 3, 4, 0},
	} {
		c, f := newFake(nil)
		f.answer = func(in any) (any, error) {
			if _, looks := in.(*autoscaling.DescribeAutoScalingGroupsInput); looks {
				return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []astypes.AutoScalingGroup{
					{DesiredCapacity: aws.Int32(tt.desired), MaxSize: aws.Int32(tt.most)},
				}}, nil
			}
			return &autoscaling.SetDesiredCapacityOutput{}, nil
		}
		out := c.Do(t.Context(), plan.Action{Kind: plan.SetCapacity, Size: &plan.GroupSize{Group: "web-asg", To: int(tt.to)}})
		got := int32(0)
		if n := len(f.asked); n == 2 && operation(f.asked[1]) == plan.SetCapacity.Spec().API {
			got = aws.ToInt32(f.asked[1].(*autoscaling.SetDesiredCapacityInput).DesiredCapacity)
		}
		if out.Err != nil || got != tt.want {
			t.Errorf("%+v: %d was set, %+v", tt, got, out)
		}
	}
}
