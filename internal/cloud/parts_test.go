package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// A page that fails ends the reading, also if it names a next one.
func TestAPageThatFailsIsTheLast(t *testing.T) {
	pages := 0
	err := Pages(func(*string) (*string, error) {
		if pages++; pages == 2 {
			return aws.String("3"), throttled
		}
		return aws.String(fmt.Sprint(pages + 1)), nil
	})
	if !errors.Is(err, throttled) || pages != 2 {
		t.Errorf("%v after %d pages", err, pages)
	}
}

// One source of credentials refused and another took too long: asking again may help.
func TestAMixOfReasonsIsNoLackOfCredentials(t *testing.T) {
	err := fmt.Errorf("get credentials: %w, %w", netError{errors.New("connection refused")}, context.DeadlineExceeded)
	if noCredentials(err) {
		t.Errorf("%v is taken for a lack of credentials", err)
	}
}

// A kind that nobody has set is no reason to crash.
func TestNoKind(t *testing.T) {
	c, f := newFake(theAnswer(nil, errBroken))
	out, s := c.Do(t.Context(), plan.Action{}), c.Look(t.Context(), plan.Look{})
	if out.Err == nil || s.Err == nil || out.Err.Class != plan.Unclear || s.Err.Class != plan.Unclear || len(f.asked) != 0 {
		t.Errorf("%+v and %+v after %d requests", out, s, len(f.asked))
	}
}

// Two ids that AWS refuses hide none of the others, wherever they stand; and a look that AWS refuses whatever it names costs few requests.
func TestWhatARefusedIDCosts(t *testing.T) {
	for name, tt := range map[string]struct {
		ids, bad []int // how many there are, and which of them AWS refuses; none: all
		seen     int
		calls    int
	}{
		"one in each hundred": {[]int{200}, []int{99, 199}, 198, 30},
		"two in a hundred":    {[]int{100}, []int{49, 99}, 98, 27},
		"all":                 {[]int{200}, nil, 0, 30},
	} {
		c, f := newFake(func(in any) (any, error) {
			out := &ecs.DescribeTasksOutput{}
			for _, arn := range in.(*ecs.DescribeTasksInput).Tasks {
				if tt.bad == nil || slices.ContainsFunc(tt.bad, func(i int) bool { return arn == fmt.Sprintf("t%03d", i) }) {
					return nil, &smithy.GenericAPIError{Code: "InvalidParameterException", Message: "invalid id"}
				}
				out.Tasks = append(out.Tasks, ecstypes.Task{TaskArn: aws.String(arn)})
			}
			return out, nil
		})
		s := c.Look(t.Context(), plan.LookFor(plan.Tasks, "prod", ids[string]("t%03d", tt.ids[0])...))
		if len(s.View.Tasks) != tt.seen || len(f.asked) != tt.calls || (s.Err != nil) != (tt.seen == 0) {
			t.Errorf("%s: %d seen by %d requests, %v; want %d by %d", name, len(s.View.Tasks), len(f.asked), s.Err, tt.seen, tt.calls)
		}
	}
}

// Of groups and instances whose pages did not all come, nothing is seen: what a page does not show is not gone.
func TestPartsOfPagesAreNotSeen(t *testing.T) {
	c, _ := newFake(func(in any) (any, error) {
		switch in := in.(type) {
		case *autoscaling.DescribeAutoScalingGroupsInput:
			if in.NextToken != nil {
				return nil, throttled
			}
			out := &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []astypes.AutoScalingGroup{
				{AutoScalingGroupName: aws.String(in.AutoScalingGroupNames[0])},
			}}
			if slices.Contains(in.AutoScalingGroupNames, "g0") {
				out.NextToken = aws.String("2")
			}
			return out, nil
		case *autoscaling.DescribeAutoScalingInstancesInput:
			if in.NextToken != nil {
				return nil, throttled
			}
			out := &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: []astypes.AutoScalingInstanceDetails{
				{InstanceId: aws.String(in.InstanceIds[0])},
			}}
			if slices.Contains(in.InstanceIds, "i-0") {
				out.NextToken = aws.String("2")
			}
			return out, nil
		}
		return nil, errBroken
	})
	of := plan.Groups.Spec().Batch
	s := c.Look(t.Context(), plan.LookFor(plan.Groups, "", ids[string]("g%d", of+1)...))
	if s.Err != nil || len(s.View.Groups) != 1 || s.View.Groups[0].Name != fmt.Sprintf("g%d", of) {
		t.Errorf("groups: %+v, %v", s.View.Groups, s.Err)
	}
	diff(t, "unknown groups", ids[string]("g%d", of), failedIDs(t, s.Failed, plan.Throttled))
	of = plan.GroupInstances.Spec().Batch
	s = c.Look(t.Context(), plan.LookFor(plan.GroupInstances, "", ids[string]("i-%x", of+1)...))
	if s.Err != nil || len(s.View.GroupInstances) != 1 || string(s.View.GroupInstances[0].ID) != fmt.Sprintf("i-%x", of) {
		t.Errorf("instances: %+v, %v", s.View.GroupInstances, s.Err)
	}
	diff(t, "unknown instances", ids[string]("i-%x", of), failedIDs(t, s.Failed, plan.Throttled))
}

// A group that nothing in it has ended for long is read for a thousand activities, and no further.
func TestAThousandActivitiesAreRead(t *testing.T) {
	for size, want := range map[int]int{100: 10, 333: 4, 999: 2, 1000: 1} {
		c, f := newFake(nil)
		f.answer = func(any) (any, error) {
			return &autoscaling.DescribeScalingActivitiesOutput{
				Activities: make([]astypes.Activity, size), NextToken: aws.String(fmt.Sprint("after ", len(f.asked))),
			}, nil
		}
		if s := c.Look(t.Context(), plan.LookFor(plan.Activities, "web", "i-0a")); s.Err != nil || s.Calls != want {
			t.Errorf("%d on a page: %d pages, %v; want %d", size, s.Calls, s.Err, want)
		}
	}
}

// The second page fails: the first one is what was learnt.
func TestTheFirstPageOfAClusterIsKept(t *testing.T) {
	s, seen := (&listing{tasks: map[string][]string{"": {"t0", "t1"}}, failPage: "t1"}).look(t, plan.LookFor(plan.ListCluster, "prod", "RUNNING"))
	if s.Err != nil || !slices.Equal(seen, []string{"t0"}) || s.View.Next != "t1" {
		t.Errorf("%v, next %q, %v", seen, s.View.Next, s.Err)
	}
}

// For one instance not all the container instances of a cluster are read.
func TestOneContainerInstanceIsLookedFor(t *testing.T) {
	cs := clusters{}
	cloud, _ := newFake(cs.answer)
	cloud.Look(t.Context(), plan.LookFor(plan.FindContainerInstances, "b", "i-0a"))
	diff(t, "filters", []string{"ec2InstanceId in ['i-0a']"}, cs.filters)
}

// Every cluster is asked for, and no more of it than whether it is there.
func TestEveryClusterIsAskedFor(t *testing.T) {
	cs := clusters{fails: map[string]error{"x/b": noCluster, "x/c": noCluster}}
	cloud, f := newFake(cs.answer)
	diff(t, "unknown to ECS", []string{"x/b", "x/c"}, cloud.NoClusters(t.Context(), []string{"x/a", "x/b", "x/c"}))
	for _, in := range f.asked {
		diff(t, "how many are asked for", int32(1), aws.ToInt32(in.(*ecs.ListContainerInstancesInput).MaxResults))
	}
}

// Each way to a task counts, in whatever task set or deployment it is, and none is told that there is not.
func TestWaysToATask(t *testing.T) {
	with := []ecstypes.ServiceRegistry{{RegistryArn: aws.String("map")}}
	lattice := []ecstypes.VpcLatticeConfiguration{{TargetGroupArn: aws.String("lattice")}}
	blue := []ecstypes.LoadBalancer{{TargetGroupArn: aws.String("blue"), AdvancedConfiguration: &ecstypes.AdvancedConfiguration{}}}
	for name, tt := range map[string]struct {
		service ecstypes.Service
		ways    []fleet.ARN // besides target groups
		groups  []fleet.LoadBalancer
	}{
		"none": {ecstypes.Service{TaskSets: []ecstypes.TaskSet{{}}, Deployments: []ecstypes.Deployment{{}}}, nil, nil},
		"of the second task set": {ecstypes.Service{TaskSets: []ecstypes.TaskSet{{}, {ServiceRegistries: with, LoadBalancers: blue}}},
			[]fleet.ARN{"map"}, []fleet.LoadBalancer{{TargetGroup: "blue"}}},
		"of the service, and not of its task set": {ecstypes.Service{ServiceRegistries: with, TaskSets: []ecstypes.TaskSet{{}}},
			[]fleet.ARN{"map"}, nil},
		"of the first deployment": {ecstypes.Service{Deployments: []ecstypes.Deployment{{VpcLatticeConfigurations: lattice}, {}}},
			[]fleet.ARN{"lattice"}, nil},
		"no other group": {ecstypes.Service{LoadBalancers: blue}, nil, []fleet.LoadBalancer{{TargetGroup: "blue"}}},
		"the same group, by two": {ecstypes.Service{LoadBalancers: blue, TaskSets: []ecstypes.TaskSet{{LoadBalancers: blue}}}, nil,
			[]fleet.LoadBalancer{{TargetGroup: "blue"}}},
	} {
		got := ReadService(tt.service)
		diff(t, name, tt.ways, slices.Concat(got.Registries, got.Lattice))
		diff(t, name, tt.groups, got.LoadBalancers)
	}
}
