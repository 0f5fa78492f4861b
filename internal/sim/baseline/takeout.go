package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ELB is what is used of the client of Elastic Load Balancing.
type ELB interface {
	DeregisterTargets(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error)
}

// TakeOutConfig is what a TakeOut needs: its clients, and the environment variables of the function.
type TakeOutConfig struct {
	ELB   ELB
	SQS   SQS
	Queue string // URL of the queue that stands for the function's invocations

	Cluster     string // ARN
	TargetGroup string // ARN
	Container   string // name
	Port        int32  // 0: not set, so that AWS takes the port of the target group
}

// TakeOut is the other home-made drainer: a Lambda for tasks on Fargate Spot. EventBridge tells it of every ECS Task State Change. One
// invocation
//
//   - reads the event, and its environment variables;
//   - passes over tasks of other clusters,
//   - tasks that are not to stop, or have stopped already,
//   - and those whose stopCode is not SpotInterruption;
//   - finds the container by its name;
//   - takes the private address of its first network interface;
//   - deregisters that address and the port from the one target group;
//   - returns the error, if there is one, and is tried again.
//
// Others wrote much the same: https://github.com/awslabs/ec2-spot-labs/pull/13, https://tech.excite.co.jp/entry/2022/08/08/171908.
//
// It is not safe for concurrent use.
type TakeOut struct {
	cfg   TakeOutConfig
	again []attempt
}

// attempt is an invocation that is to be tried again.
type attempt struct {
	event string
	at    time.Time
	tries int // so far
}

// takeOutListens is how often it listens to its queue, where EventBridge would call it.
const takeOutListens = 200 * time.Millisecond

// waits is how long it takes until a failed call is tried again, each time: twice by the SDK, in
// the mean of what it draws, and twice by Lambda, with the SDK's two after each.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
var waits = []time.Duration{
	500 * time.Millisecond, time.Second, time.Minute, 500 * time.Millisecond, time.Second, 2 * time.Minute, 500 * time.Millisecond, time.Second,
}

// NewTakeOut returns one.
func NewTakeOut(cfg TakeOutConfig) *TakeOut { return &TakeOut{cfg: cfg} }

// Connect completes a configuration with clients of the AWS SDK, which try nothing again: see waits.
func (c TakeOutConfig) Connect(cfg aws.Config) TakeOutConfig {
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	c.ELB, c.SQS = elb.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	return c
}

// Tick does all that is due at now, and returns when it is to be called again. An error is the sum of what failed.
func (t *TakeOut) Tick(ctx context.Context, now time.Time) (next time.Time, err error) {
	var due []attempt
	t.again = slices.DeleteFunc(t.again, func(a attempt) bool {
		if !a.at.After(now) {
			due = append(due, a)
		}
		return !a.at.After(now)
	})
	err = receive(ctx, t.cfg.SQS, t.cfg.Queue, func(body string) { due = append(due, attempt{event: body}) })
	for _, a := range due {
		failed := t.invoke(ctx, a.event)
		if failed == nil {
			continue
		}
		err = errors.Join(err, failed)
		if a.tries < len(waits) {
			t.again = append(t.again, attempt{event: a.event, at: now.Add(waits[a.tries]), tries: a.tries + 1})
		}
	}
	return now.Add(takeOutListens), err
}

// invoke is one invocation of the Lambda.
func (t *TakeOut) invoke(ctx context.Context, event string) error {
	var e struct {
		Detail struct {
			ClusterARN, DesiredStatus, LastStatus, StopCode string
			Containers                                      []struct {
				Name              string
				NetworkInterfaces []struct {
					PrivateIPv4Address string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	d := e.Detail
	if d.ClusterARN != t.cfg.Cluster || d.DesiredStatus != "STOPPED" || d.LastStatus != "RUNNING" || d.StopCode != "SpotInterruption" {
		return nil
	}
	for _, c := range d.Containers {
		if c.Name != t.cfg.Container || len(c.NetworkInterfaces) == 0 {
			continue
		}
		target := types.TargetDescription{Id: &c.NetworkInterfaces[0].PrivateIPv4Address}
		if t.cfg.Port > 0 {
			target.Port = &t.cfg.Port
		}
		_, err := t.cfg.ELB.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &t.cfg.TargetGroup, Targets: []types.TargetDescription{target}})
		if err != nil {
			return fmt.Errorf("deregister %s: %w", *target.Id, err)
		}
		return nil
	}
	return fmt.Errorf("no container %q with a network interface in the event", t.cfg.Container)
}
