// Package baseline is the drainers that people write themselves: Drainer, for hosts, and TakeOut, for tasks on Fargate Spot. They are there
// to be compared with Ebb, in ebb demo and in benchmarks, and are never a part of Ebb.
//
// Drainer is a faithful copy, in Go, of the Lambda that most people copied. It imitates the function in cform/ecs.yaml of
// https://github.com/aws-samples/ecs-cid-sample (AWS, 2017), with what others that descend from it do alike: the drain hook of the AWS CDK
// before https://github.com/aws/aws-cdk/pull/13559, and https://github.com/getsocial-rnd/ecs-drain-lambda. Each message of a lifecycle hook
// starts a chain of invocations of its own, that
//
//   - finds the container instance by listing and describing the cluster page by page, until it is there; a host that the
//     cluster does not know is let go;
//   - sets it DRAINING unless it is;
//   - asks every 5 s how many tasks run there, and answers the hook with CONTINUE when none does.
//
// Its flaw is in the last step: runningTasksCount and pendingTasksCount count tasks whose desired status is RUNNING, so they are 0 while
// tasks still leave their target group and stop (https://github.com/aws/aws-cdk/issues/13506). Like its models it sends no heartbeat.
//
// Where it differs from its models it is kinder to them: it lists the cluster once and not at every poll, it counts no calls for
// posting a message to itself, it is not stopped by Lambda's loop detection or its 15 minutes, it counts pending tasks too, as the CDK
// did, and a failed invocation is tried again, every 5 s, until it succeeds or the lifecycle action is over.
package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ECS is what is used of the ECS client.
type ECS interface {
	ListContainerInstances(context.Context, *ecs.ListContainerInstancesInput, ...func(*ecs.Options)) (*ecs.ListContainerInstancesOutput, error)
	DescribeContainerInstances(context.Context, *ecs.DescribeContainerInstancesInput, ...func(*ecs.Options)) (*ecs.DescribeContainerInstancesOutput, error)
	UpdateContainerInstancesState(context.Context, *ecs.UpdateContainerInstancesStateInput,
		...func(*ecs.Options)) (*ecs.UpdateContainerInstancesStateOutput, error)
}

// AutoScaling is what is used of the Auto Scaling client.
type AutoScaling interface {
	CompleteLifecycleAction(context.Context, *autoscaling.CompleteLifecycleActionInput,
		...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error)
}

// SQS is what is used of the SQS client.
type SQS interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}

// Config is what a drainer needs.
type Config struct {
	ECS         ECS
	AutoScaling AutoScaling
	SQS         SQS
	Queue       string // URL of the queue that the hook notifies
	Cluster     string // name or ARN of the only cluster
}

// The paces: of the chain of one instance, and of listening to the queue, where a Lambda would be called.
const (
	pollEvery   = 5 * time.Second
	listenEvery = time.Second
)

// Drainer drains the instances that its queue names. It is not safe for concurrent use.
type Drainer struct {
	cfg         Config
	chains      []*chain // in the order in which their messages came
	invocations int
}

// chain is what one message of a hook has set going.
type chain struct {
	group, hook, instance string
	machine               string // ARN of the container instance; empty: not found yet
	due                   time.Time
	done                  bool
}

// New returns a drainer.
func New(cfg Config) *Drainer { return &Drainer{cfg: cfg} }

// FromConfig returns a drainer on the AWS SDK with this configuration.
func FromConfig(cfg aws.Config, queue, cluster string) *Drainer {
	return New(Config{ECS: ecs.NewFromConfig(cfg), AutoScaling: autoscaling.NewFromConfig(cfg), SQS: sqs.NewFromConfig(cfg), Queue: queue, Cluster: cluster})
}

// Tick does all that is due at now: it reads the queue, and advances every chain whose time has come. It returns when it
// is to be called again, at most a second later. An error is the sum of what failed; it is tried again in time.
func (d *Drainer) Tick(ctx context.Context, now time.Time) (next time.Time, err error) {
	err = d.listen(ctx, now)
	next = now.Add(listenEvery)
	for _, c := range d.chains {
		if !c.due.After(now) {
			c.due = now.Add(pollEvery)
			err = errors.Join(err, d.invoke(ctx, c))
		}
		if !c.done && c.due.Before(next) {
			next = c.due
		}
	}
	d.chains = slices.DeleteFunc(d.chains, func(c *chain) bool { return c.done })
	return next, err
}

// Invocations is how often its models would have been invoked so far: once for each message, and then once for each poll, for which they
// post a message to themselves.
func (d *Drainer) Invocations() int { return d.invocations }

// listen starts a chain for each message of a terminating hook, until the queue has no more. Other messages are dropped, as a Lambda
// ignores them.
func (d *Drainer) listen(ctx context.Context, now time.Time) error {
	return receive(ctx, d.cfg.SQS, d.cfg.Queue, func(body string) {
		if c := chainOf(body, now); c != nil {
			d.chains = append(d.chains, c)
		}
	})
}

// receive takes what is in a queue.
func receive(ctx context.Context, queue SQS, url string, heard func(body string)) error {
	for {
		out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			return fmt.Errorf("receive from %s: %w", url, err)
		}
		if len(out.Messages) == 0 {
			return nil
		}
		for _, m := range out.Messages {
			heard(aws.ToString(m.Body))
			if _, err := queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return fmt.Errorf("delete from %s: %w", url, err)
			}
		}
	}
}

func chainOf(body string, now time.Time) *chain {
	var m struct{ LifecycleTransition, AutoScalingGroupName, LifecycleHookName, EC2InstanceId string }
	if json.Unmarshal([]byte(body), &m) != nil || m.LifecycleTransition != "autoscaling:EC2_INSTANCE_TERMINATING" {
		return nil
	}
	return &chain{group: m.AutoScalingGroupName, hook: m.LifecycleHookName, instance: m.EC2InstanceId, due: now}
}

// invoke is one invocation of the Lambda.
func (d *Drainer) invoke(ctx context.Context, c *chain) error {
	d.invocations++
	running, err := d.running(ctx, c)
	if err != nil {
		return fmt.Errorf("drain %s: %w", c.instance, err)
	}
	if running > 0 {
		return nil
	}
	_, err = d.cfg.AutoScaling.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: &c.group, LifecycleHookName: &c.hook, InstanceId: &c.instance, LifecycleActionResult: aws.String("CONTINUE"),
	})
	var refused interface{ ErrorCode() string }
	c.done = err == nil || errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" // the action is over: nothing to wait for
	if err != nil {
		return fmt.Errorf("complete the lifecycle action of %s: %w", c.instance, err)
	}
	return nil
}

// running counts the tasks on the instance of a chain, as far as AWS counts them. The first time it is found and set DRAINING.
func (d *Drainer) running(ctx context.Context, c *chain) (int32, error) {
	if c.machine != "" {
		found, err := d.describe(ctx, []string{c.machine})
		if err != nil || len(found) == 0 {
			return 0, err
		}
		return counted(found[0]), nil
	}
	machine, err := d.find(ctx, c.instance)
	if err != nil || machine == nil {
		return 0, err
	}
	if aws.ToString(machine.Status) != "DRAINING" {
		_, err := d.cfg.ECS.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{
			Cluster: &d.cfg.Cluster, ContainerInstances: []string{aws.ToString(machine.ContainerInstanceArn)}, Status: ecstypes.ContainerInstanceStatusDraining,
		})
		if err != nil {
			return 0, fmt.Errorf("set it DRAINING: %w", err)
		}
	}
	c.machine = aws.ToString(machine.ContainerInstanceArn)
	return counted(*machine), nil
}

func counted(m ecstypes.ContainerInstance) int32 { return m.RunningTasksCount + m.PendingTasksCount }

// find lists and describes the cluster until the instance is there; nil if it is not.
func (d *Drainer) find(ctx context.Context, instance string) (*ecstypes.ContainerInstance, error) {
	pages := ecs.NewListContainerInstancesPaginator(d.cfg.ECS, &ecs.ListContainerInstancesInput{Cluster: &d.cfg.Cluster})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the container instances of %s: %w", d.cfg.Cluster, err)
		}
		found, err := d.describe(ctx, page.ContainerInstanceArns)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if aws.ToString(found[i].Ec2InstanceId) == instance {
				return &found[i], nil
			}
		}
	}
	return nil, nil
}

func (d *Drainer) describe(ctx context.Context, arns []string) ([]ecstypes.ContainerInstance, error) {
	if len(arns) == 0 {
		return nil, nil
	}
	out, err := d.cfg.ECS.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{Cluster: &d.cfg.Cluster, ContainerInstances: arns})
	if err != nil {
		return nil, fmt.Errorf("describe %d container instances of %s: %w", len(arns), d.cfg.Cluster, err)
	}
	return out.ContainerInstances, nil
}
