package cloud

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// groupPage answers with one group a page; the page after the last fails when fails is set.
func groupPage(names []string, fails bool) func(any) (any, error) {
	return func(in any) (any, error) {
		i := 0
		for aws.ToString(in.(*autoscaling.DescribeAutoScalingGroupsInput).NextToken) != "" &&
			names[i] != *in.(*autoscaling.DescribeAutoScalingGroupsInput).NextToken {
			i++
		}
		if i == len(names)-1 && fails {
			return nil, throttled
		}
		out := &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []astypes.AutoScalingGroup{{AutoScalingGroupName: aws.String(names[i])}}}
		if i < len(names)-1 {
			out.NextToken = aws.String(names[i+1])
		}
		return out, nil
	}
}

func TestGroupsReadsAllPages(t *testing.T) {
	c, _ := newFake(groupPage([]string{"a", "b", "c"}, false))
	s := c.Look(t.Context(), plan.Look{Kind: plan.Groups})
	if s.Err != nil || s.Calls != 3 || len(s.View.Groups) != 3 || s.View.Groups[2].Name != "c" {
		t.Errorf("got %+v, want three groups by three calls", s)
	}
}

func TestGroupsWithAFailedPageSayNothing(t *testing.T) {
	c, _ := newFake(groupPage([]string{"a", "b", "c"}, true))
	s := c.Look(t.Context(), plan.Look{Kind: plan.Groups})
	if s.Err == nil || s.Err.Class != plan.Throttled || s.Calls != 3 || s.View.Groups != nil {
		t.Errorf("got %+v, want nothing seen, throttled, three calls", s)
	}
}

func TestAPageThatRepeatsItselfIsAFailure(t *testing.T) {
	c, _ := newFake(theAnswer(&autoscaling.DescribeAutoScalingGroupsOutput{NextToken: aws.String("again")}, nil))
	s := c.Look(t.Context(), plan.Look{Kind: plan.Groups})
	if s.Err == nil || s.Err.Class != plan.Unclear || s.Calls != 2 {
		t.Errorf("got %+v, want a failure after two calls", s)
	}
}

func TestGroup(t *testing.T) {
	c, f := newFake(theAnswer(&autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []astypes.AutoScalingGroup{{
		AutoScalingGroupName: aws.String("web-asg"), AutoScalingGroupARN: aws.String("arn:g"),
		MinSize: aws.Int32(1), MaxSize: aws.Int32(5), DesiredCapacity: aws.Int32(3),
		InstanceLifecyclePolicy: &astypes.InstanceLifecyclePolicy{
			RetentionTriggers: &astypes.RetentionTriggers{TerminateHookAbandon: astypes.RetentionActionRetain},
		},
		Instances: []astypes.Instance{{
			InstanceId: aws.String("i-0a"), LifecycleState: astypes.LifecycleStateTerminatingWait, AvailabilityZone: aws.String("eu-west-1a"),
			HealthStatus: aws.String("Healthy"), ProtectedFromScaleIn: aws.Bool(true),
		}},
	}}}, nil))
	s := c.Look(t.Context(), plan.LookFor(plan.Groups, "", "web-asg"))
	diff(t, "groups", []fleet.Group{{
		Name: "web-asg", ARN: "arn:g", Max: 5, Desired: 3, Retains: true,
		Instances: []fleet.GroupInstance{{
			ID: "i-0a", Group: "web-asg", State: fleet.TerminatingWait, Healthy: true, Protected: true,
		}},
	}}, s.View.Groups)
	diff(t, "names asked for", []string{"web-asg"}, f.asked[0].(*autoscaling.DescribeAutoScalingGroupsInput).AutoScalingGroupNames)
}

// A chunk that failed leaves its own ids unknown, and those alone.
func TestGroupInstancesInChunks(t *testing.T) {
	all := ids[fleet.InstanceID]("i-%017x", 120)
	c, f := newFake(nil)
	f.answer = func(in any) (any, error) {
		if len(f.asked) == 2 {
			return nil, throttled
		}
		out := &autoscaling.DescribeAutoScalingInstancesOutput{}
		for _, id := range in.(*autoscaling.DescribeAutoScalingInstancesInput).InstanceIds[1:] { // the first of each chunk is gone
			out.AutoScalingInstances = append(out.AutoScalingInstances, astypes.AutoScalingInstanceDetails{
				InstanceId: aws.String(id), LifecycleState: aws.String("InService"), HealthStatus: aws.String("HEALTHY"),
			})
		}
		return out, nil
	}
	s := c.Look(t.Context(), plan.LookFor(plan.GroupInstances, "", all...))
	if s.Err != nil || s.Calls != 3 || len(s.View.GroupInstances) != 49+19 || !s.View.GroupInstances[0].Healthy {
		t.Errorf("%d instances by %d calls, error %v; want 68 healthy ones by 3", len(s.View.GroupInstances), s.Calls, s.Err)
	}
	diff(t, "unknown", Texts[string](all[50:100]), failedIDs(t, s.Failed, plan.Throttled))
}

func TestALookThatLearntNothingIsAnError(t *testing.T) {
	c, _ := newFake(theAnswer(nil, errBroken))
	s := c.Look(t.Context(), plan.LookFor(plan.GroupInstances, "", ids[fleet.InstanceID]("i-%d", 60)...))
	if s.Err == nil || s.Err.Class != plan.Unclear || s.Calls != 2 || s.Failed != nil {
		t.Errorf("got %+v, want an error by two calls", s)
	}
}

// AWS takes an empty list of ids for "all", so it must never be sent.
func TestNoIDsNoCalls(t *testing.T) {
	for _, kind := range []plan.LookKind{plan.GroupInstances, plan.FindContainerInstances, plan.ContainerInstances, plan.ListRunning,
		plan.ListStopped, plan.Clusters, plan.Tasks, plan.Services, plan.Targets, plan.Instances} {
		c, f := newFake(theAnswer(nil, errBroken))
		if s := c.Look(t.Context(), plan.Look{Kind: kind}); s.Err != nil || s.Calls != 0 || len(f.asked) != 0 {
			t.Errorf("%s without ids: %+v, want no call", kind, s)
		}
	}
}

func TestHooks(t *testing.T) {
	c, f := newFake(theAnswer(&autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []astypes.LifecycleHook{{
		LifecycleHookName: aws.String("ebb-drain"), AutoScalingGroupName: aws.String("web-asg"), DefaultResult: aws.String("CONTINUE"),
		LifecycleTransition: aws.String(fleet.TerminatingTransit), HeartbeatTimeout: aws.Int32(900), GlobalTimeout: aws.Int32(90000),
		NotificationTargetARN: aws.String("arn:q"),
	}}}, nil))
	s := c.Look(t.Context(), plan.Look{Kind: plan.Hooks, In: "web-asg"})
	diff(t, "hooks", []fleet.Hook{{
		Name: "ebb-drain", Group: "web-asg", Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute,
		Global: 25 * time.Hour, DefaultResult: "CONTINUE", Target: "arn:q",
	}}, s.View.Hooks)
	diff(t, "group asked for", "web-asg", *f.asked[0].(*autoscaling.DescribeLifecycleHooksInput).AutoScalingGroupName)
}

func TestActivities(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	c, f := newFake(nil)
	f.answer = func(any) (any, error) {
		out := &autoscaling.DescribeScalingActivitiesOutput{NextToken: aws.String(string(rune('a' + len(f.asked))))}
		out.Activities = append(out.Activities, astypes.Activity{Description: aws.String("Launching a new EC2 instance: i-0a1b2c3d4e5f60718"), StartTime: &start})
		for range 39 {
			out.Activities = append(out.Activities, astypes.Activity{
				Description: aws.String("Terminating EC2 instance: i-0a1b2c3d4e5f60718 - Waiting For ELB Connection Draining."),
				StartTime:   &start, StatusCode: astypes.ScalingActivityStatusCodeInProgress,
			})
		}
		return out, nil
	}
	s := c.Look(t.Context(), plan.Look{Kind: plan.Activities, In: "web-asg"})
	if s.Err != nil || s.Calls != 25 || len(s.View.Activities) != 25*39 {
		t.Fatalf("%d activities by %d calls, error %v; want to stop after a thousand", len(s.View.Activities), s.Calls, s.Err)
	}
	f.asked = nil
	if s := c.Look(t.Context(), plan.LookFor(plan.Activities, "web-asg", "i-0a1b2c3d4e5f60718")); s.Calls != 1 {
		t.Errorf("%d calls although the first page names the instance", s.Calls)
	}
	diff(t, "activity", fleet.Activity{Instance: "i-0a1b2c3d4e5f60718", Start: start}, s.View.Activities[0])
}

// One id that AWS does not take makes it refuse the whole call. What it says of the others must not be lost with it.
func TestOneBadIDDoesNotSpoilALook(t *testing.T) {
	for _, tt := range []struct{ ids, bad, most int }{{50, 1, 13}, {50, 2, 26}, {50, 50, 50}, {1, 1, 1}, {50, 0, 1}} {
		var ids []string
		bad := map[string]bool{}
		for i := range tt.ids {
			ids = append(ids, fmt.Sprint("i-", i))
			if i*tt.bad/tt.ids != (i+1)*tt.bad/tt.ids {
				bad[ids[i]] = true
			}
		}
		var seen, failed []string
		calls := 0
		err := chunks(ids, 50, func(items []plan.ItemFailure) {
			for _, item := range items {
				failed = append(failed, item.ID)
			}
		}, func(chunk []string) error {
			calls++
			if slices.ContainsFunc(chunk, func(id string) bool { return bad[id] }) {
				return &smithy.GenericAPIError{Code: "ValidationError", Message: "1 validation error detected"}
			}
			seen = append(seen, chunk...)
			return nil
		})
		if tt.bad < tt.ids && (err != nil || len(failed) != tt.bad || len(seen) != tt.ids-tt.bad) || tt.bad == tt.ids && err == nil || calls > tt.most {
			t.Errorf("%d bad of %d: %d calls, %d seen, %q failed, %v", tt.bad, tt.ids, calls, len(seen), failed, err)
		}
	}
}
