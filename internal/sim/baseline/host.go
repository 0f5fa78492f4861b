package baseline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Script is what people let cron start on each host of a group, to do what is to be done before the host ends: it takes one message from a
// queue that all hosts of the group share, and if that names its own host it does the steps, deletes the message, and completes the hook. A
// message that names another host it leaves to the queue, which shows it to nobody until its visibility timeout is over.
//
// Its flaws are the model's: a signal is sent, and nobody waits for what it does; what fails is seen by nobody; no heartbeat is sent.
type Script struct {
	SQS         SQS
	AutoScaling AutoScaling
	Queue       string // URL
	Instance    string
	Steps       []func() error // in order: signals, stops, calls of an API
}

// OnHost is the script of a host, on the AWS SDK with this configuration.
func OnHost(cfg aws.Config, queue, instance string, steps ...func() error) *Script {
	return &Script{SQS: sqs.NewFromConfig(cfg), AutoScaling: autoscaling.NewFromConfig(cfg), Queue: queue, Instance: instance, Steps: steps}
}

// Tick is one start by cron. The error is what cron would mail to root.
func (s *Script) Tick(ctx context.Context) (did bool, err error) {
	out, err := s.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.Queue, MaxNumberOfMessages: 1})
	if err != nil {
		return false, fmt.Errorf("receive from %s: %w", s.Queue, err)
	}
	for _, m := range out.Messages {
		c := chainOf(aws.ToString(m.Body), time.Time{})
		if c == nil || c.instance != s.Instance {
			continue
		}
		for _, step := range s.Steps {
			err = errors.Join(err, step())
		}
		_, bad := s.SQS.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.Queue, ReceiptHandle: m.ReceiptHandle})
		_, worse := s.AutoScaling.CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
			AutoScalingGroupName: &c.group, LifecycleHookName: &c.hook, InstanceId: &c.instance, LifecycleActionResult: aws.String("CONTINUE"),
		})
		return true, errors.Join(err, bad, worse)
	}
	return false, nil
}
