package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/plan"
)

// fake answers every operation with one function, and keeps what was asked.
type fake struct {
	asked  []any
	answer func(in any) (any, error)
}

func answered[O any](f *fake, in any) (*O, error) {
	f.asked = append(f.asked, in)
	out, err := f.answer(in)
	if err != nil {
		return nil, err
	}
	return out.(*O), nil
}

type (
	fakeAS  struct{ *fake }
	fakeECS struct{ *fake }
	fakeELB struct{ *fake }
)

func (f fakeAS) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	return answered[autoscaling.DescribeAutoScalingGroupsOutput](f.fake, in)
}

func (f fakeAS) DescribeAutoScalingInstances(_ context.Context, in *autoscaling.DescribeAutoScalingInstancesInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	return answered[autoscaling.DescribeAutoScalingInstancesOutput](f.fake, in)
}

func (f fakeAS) DescribeLifecycleHooks(_ context.Context, in *autoscaling.DescribeLifecycleHooksInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return answered[autoscaling.DescribeLifecycleHooksOutput](f.fake, in)
}

func (f fakeAS) DescribeScalingActivities(_ context.Context, in *autoscaling.DescribeScalingActivitiesInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	return answered[autoscaling.DescribeScalingActivitiesOutput](f.fake, in)
}

func (f fakeAS) RecordLifecycleActionHeartbeat(_ context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return answered[autoscaling.RecordLifecycleActionHeartbeatOutput](f.fake, in)
}

func (f fakeAS) CompleteLifecycleAction(_ context.Context, in *autoscaling.CompleteLifecycleActionInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error) {
	return answered[autoscaling.CompleteLifecycleActionOutput](f.fake, in)
}

func (f fakeECS) DescribeClusters(_ context.Context, in *ecs.DescribeClustersInput, _ ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error) {
	return answered[ecs.DescribeClustersOutput](f.fake, in)
}

func (f fakeELB) DescribeTargetGroupAttributes(_ context.Context, in *elb.DescribeTargetGroupAttributesInput,
	_ ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error) {
	return answered[elb.DescribeTargetGroupAttributesOutput](f.fake, in)
}

func (f fakeECS) ListClusters(_ context.Context, in *ecs.ListClustersInput, _ ...func(*ecs.Options)) (*ecs.ListClustersOutput, error) {
	return answered[ecs.ListClustersOutput](f.fake, in)
}

func (f fakeECS) ListContainerInstances(_ context.Context, in *ecs.ListContainerInstancesInput,
	_ ...func(*ecs.Options)) (*ecs.ListContainerInstancesOutput, error) {
	return answered[ecs.ListContainerInstancesOutput](f.fake, in)
}

func (f fakeECS) DescribeContainerInstances(_ context.Context, in *ecs.DescribeContainerInstancesInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error) {
	return answered[ecs.DescribeContainerInstancesOutput](f.fake, in)
}

func (f fakeECS) UpdateContainerInstancesState(_ context.Context, in *ecs.UpdateContainerInstancesStateInput,
	_ ...func(*ecs.Options)) (*ecs.UpdateContainerInstancesStateOutput, error) {
	return answered[ecs.UpdateContainerInstancesStateOutput](f.fake, in)
}

func (f fakeAS) SetDesiredCapacity(
	_ context.Context, in *autoscaling.SetDesiredCapacityInput, _ ...func(*autoscaling.Options),
) (*autoscaling.SetDesiredCapacityOutput, error) {
	return answered[autoscaling.SetDesiredCapacityOutput](f.fake, in)
}

func (f fakeAS) TerminateInstanceInAutoScalingGroup(
	_ context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput, _ ...func(*autoscaling.Options),
) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	return answered[autoscaling.TerminateInstanceInAutoScalingGroupOutput](f.fake, in)
}

func (f fakeECS) StopTask(_ context.Context, in *ecs.StopTaskInput, _ ...func(*ecs.Options)) (*ecs.StopTaskOutput, error) {
	return answered[ecs.StopTaskOutput](f.fake, in)
}

func (f fakeECS) TagResource(_ context.Context, in *ecs.TagResourceInput, _ ...func(*ecs.Options)) (*ecs.TagResourceOutput, error) {
	return answered[ecs.TagResourceOutput](f.fake, in)
}

func (f fakeECS) PutAttributes(_ context.Context, in *ecs.PutAttributesInput, _ ...func(*ecs.Options)) (*ecs.PutAttributesOutput, error) {
	return answered[ecs.PutAttributesOutput](f.fake, in)
}

func (f fakeECS) DeleteAttributes(_ context.Context, in *ecs.DeleteAttributesInput, _ ...func(*ecs.Options)) (*ecs.DeleteAttributesOutput, error) {
	return answered[ecs.DeleteAttributesOutput](f.fake, in)
}

func (f fakeECS) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return answered[ecs.ListTasksOutput](f.fake, in)
}

func (f fakeECS) DescribeTasks(_ context.Context, in *ecs.DescribeTasksInput, _ ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return answered[ecs.DescribeTasksOutput](f.fake, in)
}

func (f fakeECS) DescribeServiceRevisions(
	_ context.Context, in *ecs.DescribeServiceRevisionsInput, _ ...func(*ecs.Options),
) (*ecs.DescribeServiceRevisionsOutput, error) {
	return answered[ecs.DescribeServiceRevisionsOutput](f.fake, in)
}

func (f fakeECS) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return answered[ecs.UpdateServiceOutput](f.fake, in)
}

func (f fakeECS) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return answered[ecs.DescribeServicesOutput](f.fake, in)
}

func (f fakeELB) DescribeTargetHealth(_ context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return answered[elb.DescribeTargetHealthOutput](f.fake, in)
}

func (f fakeELB) DeregisterTargets(_ context.Context, in *elb.DeregisterTargetsInput, _ ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	return answered[elb.DeregisterTargetsOutput](f.fake, in)
}

func (f fakeELB) DescribeTargetGroups(_ context.Context, in *elb.DescribeTargetGroupsInput, _ ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error) {
	return answered[elb.DescribeTargetGroupsOutput](f.fake, in)
}

// plainAsk is a request that needs no client of the SDK, as plan spells it, and what it names.
type plainAsk struct {
	operation string
	names     []string
}

func (f *fake) ListInstances(_ context.Context, service string, token *string) ([]string, *string, error) {
	out, err := answered[page](f, plainAsk{"servicediscovery:ListInstances", []string{service, aws.ToString(token)}})
	if err != nil {
		return nil, nil, err
	}
	return out.ids, out.next, nil
}

func (f *fake) DeregisterInstance(_ context.Context, service, instance string) error {
	_, err := answered[page](f, plainAsk{"servicediscovery:DeregisterInstance", []string{service, instance}})
	return err
}

func (f *fake) TTL(_ context.Context, service string) (time.Duration, error) {
	return f.asks("servicediscovery:GetService", service)
}

func (f *fake) get(_ context.Context, where string) (string, error) {
	_, err := f.asks("http:GET", where)
	return "0", err
}

func (f *fake) asks(operation, of string) (time.Duration, error) {
	out, err := answered[time.Duration](f, plainAsk{operation, []string{of}})
	if err != nil {
		return 0, err
	}
	return *out, nil
}

func (f *fake) ListTargets(_ context.Context, group string, token *string) ([]LatticeTarget, *string, error) {
	out, err := answered[page](f, plainAsk{"vpc-lattice:ListTargets", []string{group, aws.ToString(token)}})
	if err != nil {
		return nil, nil, err
	}
	return out.targets, out.next, nil
}

func (f *fake) DeregisterTargets(_ context.Context, group string, targets []LatticeTarget) ([]LatticeRefusal, error) {
	ask := plainAsk{"vpc-lattice:DeregisterTargets", []string{group}}
	for _, t := range targets {
		ask.names = append(ask.names, fmt.Sprintf("%s:%d", t.ID, t.Port))
	}
	out, err := answered[page](f, ask)
	if err != nil {
		return nil, err
	}
	return out.refused, nil
}

// page is an answer to a plainAsk.
type page struct {
	ids     []string
	targets []LatticeTarget
	refused []LatticeRefusal
	next    *string
}

// newFake returns a Cloud whose every request is answered by the function.
func newFake(answer func(in any) (any, error)) (*Cloud, *fake) {
	f := &fake{answer: answer}
	return New(Clients{AutoScaling: fakeAS{f}, ECS: fakeECS{f}, ELB: fakeELB{f}, EC2: f, Names: f, Lattice: f, Get: f.get,
		CloudWatch: fakeAsker{f, "cloudwatch"}, Queues: fakeAsker{f, "sqs"}, Scalers: fakeAsker{f, "application-autoscaling"}}), f
}

// fakeAsker is a service that speaks JSON; its answer is a text of JSON.
type fakeAsker struct {
	*fake
	service string
}

func (f fakeAsker) Ask(_ context.Context, operation string, in, out any) error {
	b, _ := json.Marshal(in)
	answer, err := answered[string](f.fake, plainAsk{f.service + ":" + operation, []string{string(b)}})
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(*answer), out)
}

func (f *fake) DescribeInstances(_ context.Context, ids []string) ([]plan.InstanceStatus, error) {
	return listOf[plan.InstanceStatus](f, slices.Clone(ids))
}

func (f *fake) DescribeSubnets(_ context.Context, ids []string) ([]plan.SubnetIn, error) {
	return listOf[plan.SubnetIn](f, plainAsk{"ec2:DescribeSubnets", slices.Clone(ids)})
}

func (f *fake) DescribeSpotInstanceRequests(_ context.Context, ids []string) ([]plan.SpotStatus, error) {
	return listOf[plan.SpotStatus](f, plainAsk{"ec2:DescribeSpotInstanceRequests", slices.Clone(ids)})
}

func listOf[T any](f *fake, asked any) ([]T, error) {
	out, err := answered[[]T](f, asked)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// theAnswer makes a function that gives the same answer to everything.
func theAnswer(out any, err error) func(any) (any, error) {
	return func(any) (any, error) { return out, err }
}

var (
	throttled = &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	noCluster = &smithy.GenericAPIError{Code: "ClusterNotFoundException", Message: "Cluster not found."}
	errBroken = errors.New("connection reset by peer")
)

// ids makes numbered ids.
func ids[S ~string](format string, n int) []S {
	var out []S
	for i := range n {
		out = append(out, S(fmt.Sprintf(format, i)))
	}
	return out
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", what, d)
	}
}

// failedIDs are the ids that a look left unknown, which all must have the class.
func failedIDs(t *testing.T, items []plan.ItemFailure, class plan.Class) []string {
	t.Helper()
	var out []string
	for _, i := range items {
		if i.Class != class || i.Reason == "" {
			t.Errorf("item %s failed with class %q and reason %q, want class %q and a reason", i.ID, i.Class, i.Reason, class)
		}
		out = append(out, i.ID)
	}
	return out
}
