// Package cloud is the real AWS for looks and actions: it asks Auto Scaling, ECS, Elastic Load Balancing and EC2, reads every
// page and every list of failures, and says for each item whether it was seen, is absent, or stayed unknown.
//
// It never decides, never retries and never takes a failed look for absence.
package cloud

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/ebbhq/ebb/internal/plan"
)

// AutoScaling is what is used of the Auto Scaling client.
type AutoScaling interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput,
		...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
	DescribeAutoScalingInstances(context.Context, *autoscaling.DescribeAutoScalingInstancesInput,
		...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingInstancesOutput, error)
	DescribeLifecycleHooks(context.Context, *autoscaling.DescribeLifecycleHooksInput,
		...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error)
	DescribeScalingActivities(context.Context, *autoscaling.DescribeScalingActivitiesInput,
		...func(*autoscaling.Options)) (*autoscaling.DescribeScalingActivitiesOutput, error)
	RecordLifecycleActionHeartbeat(context.Context, *autoscaling.RecordLifecycleActionHeartbeatInput,
		...func(*autoscaling.Options)) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error)
	TerminateInstanceInAutoScalingGroup(context.Context, *autoscaling.TerminateInstanceInAutoScalingGroupInput,
		...func(*autoscaling.Options)) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error)
	SetDesiredCapacity(context.Context, *autoscaling.SetDesiredCapacityInput, ...func(*autoscaling.Options)) (*autoscaling.SetDesiredCapacityOutput, error)
	CompleteLifecycleAction(context.Context, *autoscaling.CompleteLifecycleActionInput,
		...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error)
}

// ECS is what is used of the ECS client.
type ECS interface {
	DescribeClusters(context.Context, *ecs.DescribeClustersInput, ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error)
	ListClusters(context.Context, *ecs.ListClustersInput, ...func(*ecs.Options)) (*ecs.ListClustersOutput, error)
	ListContainerInstances(context.Context, *ecs.ListContainerInstancesInput, ...func(*ecs.Options)) (*ecs.ListContainerInstancesOutput, error)
	DescribeContainerInstances(context.Context, *ecs.DescribeContainerInstancesInput, ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error)
	UpdateContainerInstancesState(context.Context, *ecs.UpdateContainerInstancesStateInput,
		...func(*ecs.Options)) (*ecs.UpdateContainerInstancesStateOutput, error)
	PutAttributes(context.Context, *ecs.PutAttributesInput, ...func(*ecs.Options)) (*ecs.PutAttributesOutput, error)
	DeleteAttributes(context.Context, *ecs.DeleteAttributesInput, ...func(*ecs.Options)) (*ecs.DeleteAttributesOutput, error)
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
	DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error)
	StopTask(context.Context, *ecs.StopTaskInput, ...func(*ecs.Options)) (*ecs.StopTaskOutput, error)
	TagResource(context.Context, *ecs.TagResourceInput, ...func(*ecs.Options)) (*ecs.TagResourceOutput, error)
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
	DescribeServiceRevisions(context.Context, *ecs.DescribeServiceRevisionsInput, ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error)
}

// ELB is what is used of the Elastic Load Balancing client.
type ELB interface {
	DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput,
		...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error)
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
	DeregisterTargets(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error)
}

// Compute is what is used of EC2. Each operation takes up to 100 ids, in one request and its further pages.
type Compute interface {
	// DescribeInstances fails as a whole with the code InvalidInstanceID.NotFound if EC2 does not know one of the ids.
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
	DescribeInstances(ctx context.Context, ids []string) ([]plan.InstanceStatus, error)
	// DescribeSubnets is described at https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
	DescribeSubnets(ctx context.Context, ids []string) ([]plan.SubnetIn, error)
	// DescribeSpotInstanceRequests asks with the filter instance-id. An id of which EC2 knows no request is missing in what it returns.
	// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html
	DescribeSpotInstanceRequests(ctx context.Context, ids []string) ([]plan.SpotStatus, error)
}

// Clients are the AWS services; the SDK's own clients fit, and so does the simulated cloud.
type Clients struct {
	AutoScaling AutoScaling
	ECS         ECS
	ELB         ELB
	EC2         Compute
	Names       Names
	Lattice     Lattice
	CloudWatch  Asker
	Queues      Asker
	Scalers     Asker                                                          // Application Auto Scaling
	Get         func(ctx context.Context, url string) (body string, err error) // of an endpoint of the user; nil: there is none
}

// Cloud looks and acts. It is safe for concurrent use when its clients are.
type Cloud struct {
	Clients
	settled settled
}

// New returns a Cloud on these clients.
func New(c Clients) *Cloud { return &Cloud{Clients: c} }

// lookup collects what one look finds.
type lookup struct {
	*Cloud
	plan.LookResult
}

// count is how looks and actions send a request: once, and counted, whatever comes of it.
func count(calls *int) Send {
	return func(_ context.Context, f func() error) error {
		*calls++
		return f()
	}
}

// mostSplits is how many chunks of one look are split because AWS refused them as invalid: enough to find two bad ids among a hundred.
const mostSplits = 14

// chunks calls f for each chunk of ids in turn. One id that AWS does not take makes it refuse a whole chunk, so a chunk that is refused as
// invalid is split until that id is by itself. The ids of a chunk that failed are noted by fail; when every chunk failed, nothing is known
// and the error is the last one.
func chunks(ids []string, size int, fail func([]plan.ItemFailure), f func(chunk []string) error) error {
	var failed []plan.ItemFailure
	var last error
	work, splits := slices.Collect(slices.Chunk(ids, size)), 0
	for len(work) > 0 {
		chunk := work[0]
		work = work[1:]
		err := f(chunk)
		switch {
		case err == nil:
		case len(chunk) > 1 && splits < mostSplits && Classify(err).Class == plan.Invalid:
			splits++
			work = append(work, chunk[:len(chunk)/2], chunk[len(chunk)/2:])
		default:
			last = err
			failed = append(failed, itemFailures(chunk, err)...)
		}
	}
	if len(failed) == len(ids) {
		return last
	}
	fail(failed)
	return nil
}

func itemFailures(ids []string, err error) []plan.ItemFailure {
	f := Classify(err)
	return Convert(ids, func(id string) plan.ItemFailure { return plan.ItemFailure{ID: id, Class: f.Class, Reason: Reason(f)} })
}

// Reason is what AWS said of a failure.
func Reason(f *plan.Failure) string {
	if f.Code == "" {
		return f.Message
	}
	return f.Code + ": " + f.Message
}

// fail notes items that stay unknown.
func (s *lookup) fail(items []plan.ItemFailure) { s.Failed = append(s.Failed, items...) }
