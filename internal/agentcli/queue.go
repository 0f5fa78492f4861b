package agentcli

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// hearQueue hears from a queue, beside IMDS, until ctx ends. A message about this host wakes the agent and is deleted. What is about others
// goes back at once: a queue may be shared by a few hosts. Each look at it takes every message away from the others for a moment, and counts
// as a receive: with many hosts messages end in the dead-letter queue.
func hearQueue(ctx context.Context, cfg aws.Config, url string, self fleet.InstanceID, wake func(context.Context), log *slog.Logger) {
	client := awssqs.NewFromConfig(cfg)
	for fails := 0; ctx.Err() == nil; {
		out, err := sqs.NewClient(cfg).ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
			QueueUrl: aws.String(url), MaxNumberOfMessages: 10, WaitTimeSeconds: 20, VisibilityTimeout: 10,
		})
		if err != nil {
			if fails++; fails == 1 && ctx.Err() == nil {
				log.Warn("the queue cannot be heard; it is tried again", "queue", url, "error", err)
			}
			pause(ctx, 10*time.Second)
			continue
		}
		fails = 0
		others := false
		for _, m := range out.Messages {
			if event.Parse([]byte(aws.ToString(m.Body))).Instance == self {
				wake(ctx)
				_, err = client.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: aws.String(url), ReceiptHandle: m.ReceiptHandle})
			} else {
				others, err = true, giveBack(ctx, client, url, m)
			}
			if err != nil {
				log.Warn("a message of the queue could not be settled; it comes again", "queue", url, "error", err)
			}
		}
		if others { // let the others have them
			pause(ctx, 2*time.Second)
		}
	}
}

func giveBack(ctx context.Context, client *awssqs.Client, url string, m types.Message) error {
	_, err := client.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(url), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0,
	})
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
