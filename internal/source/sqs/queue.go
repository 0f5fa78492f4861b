// Package sqs hears: it receives the messages of one standard SQS queue, hands them over, and deletes or returns them when it
// is told to.
//
// It never reads what a message says, and never deletes one by itself.
package sqs

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// API is what is used of the SQS client.
type API interface {
	ReceiveMessage(context.Context, *awssqs.ReceiveMessageInput, ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *awssqs.DeleteMessageBatchInput, ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *awssqs.ChangeMessageVisibilityBatchInput, ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(context.Context, *awssqs.GetQueueAttributesInput, ...func(*awssqs.Options)) (*awssqs.GetQueueAttributesOutput, error)
}

// The limits of SQS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxBatch      = 10
	maxWait       = 20 * time.Second
	maxVisibility = 12 * time.Hour // from the receive; extending does not start it anew
)

// NewClient returns the SDK's client. Its requests end 10 s after the longest long poll.
func NewClient(cfg aws.Config) API {
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = c.WithTimeout(maxWait + 10*time.Second)
	}
	return awssqs.NewFromConfig(cfg)
}

// Config says which queue to hear and how.
type Config struct {
	URL               string
	VisibilityTimeout time.Duration    // how long a received message stays invisible; 0: 60 s
	Wait              time.Duration    // of a long poll, at most 20 s; 0: a short poll
	Now               func() time.Time // nil: time.Now
	Log               *slog.Logger     // nil: slog.Default
}

// Queue is one queue. Its methods are safe for concurrent use.
type Queue struct {
	api API
	cfg Config

	mu   sync.Mutex // guards held; never held across a request
	held map[string]Message
}

// New returns the queue behind an API.
func New(api API, cfg Config) *Queue {
	if cfg.VisibilityTimeout == 0 {
		cfg.VisibilityTimeout = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Queue{api: api, cfg: cfg, held: map[string]Message{}}
}

// Message is one message, as received once.
type Message struct {
	ID       string
	Handle   string // of this receive
	Body     string
	Receives int       // ApproximateReceiveCount, this one included
	Sent     time.Time // SentTimestamp
	Received time.Time
}

// PartialError says which messages a request for several did not reach.
type PartialError struct {
	Left []Message
	Err  error // why, for the last of them
}

// Error says how many were left and why.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%d messages left, the last one because: %v", len(e.Left), e.Err)
}

// Unwrap returns why.
func (e *PartialError) Unwrap() error { return e.Err }

// Receive waits for up to ten messages and returns them, or none when the wait is over.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (q *Queue) Receive(ctx context.Context) ([]Message, error) {
	out, err := q.api.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: aws.String(q.cfg.URL), MaxNumberOfMessages: maxBatch,
		WaitTimeSeconds: int32(min(q.cfg.Wait, maxWait) / time.Second), VisibilityTimeout: int32(q.cfg.VisibilityTimeout / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, q.explain("receive from", err)
	}
	var found []Message
	for _, m := range out.Messages {
		found = append(found, q.message(m))
	}
	return found, nil
}

func (q *Queue) message(m types.Message) Message {
	out := Message{ID: aws.ToString(m.MessageId), Handle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body), Received: q.cfg.Now()}
	// Both attributes are numbers in strings; without them a message counts as received for the first time, at an unknown age.
	out.Receives = 1
	if n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil {
		out.Receives = n
	}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		out.Sent = time.UnixMilli(ms).UTC()
	}
	return out
}

// Delete acknowledges messages. Those that could not be deleted are named in a *PartialError; they come again when their
// visibility time-out is over.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
func (q *Queue) Delete(ctx context.Context, ms []Message) error {
	q.release(ms)
	return q.batches(ms, "delete from", func(batch []Message) ([]types.BatchResultErrorEntry, error) {
		in := &awssqs.DeleteMessageBatchInput{QueueUrl: aws.String(q.cfg.URL)}
		for i, m := range batch {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.Handle)})
		}
		out, err := q.api.DeleteMessageBatch(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.Failed, nil
	})
}

// Extend keeps messages invisible for d from now, as far as the 12 hours since their receive allow. Those that could not be
// extended are named in a *PartialError.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
func (q *Queue) Extend(ctx context.Context, ms []Message, d time.Duration) error {
	now := q.cfg.Now()
	return q.batches(ms, "extend in", func(batch []Message) ([]types.BatchResultErrorEntry, error) {
		in := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(q.cfg.URL)}
		for i, m := range batch {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.Handle), VisibilityTimeout: int32(max(0, min(d, left(m, now))) / time.Second),
			})
		}
		out, err := q.api.ChangeMessageVisibilityBatch(ctx, in)
		if err != nil {
			return nil, err
		}
		q.release(lost(batch, out.Failed))
		return out.Failed, nil
	})
}

// left is how much longer a message can stay invisible. SQS refuses more than the 12 hours instead of shortening it, so a
// minute is kept for the difference of clocks.
func left(m Message, now time.Time) time.Duration {
	return maxVisibility - time.Minute - now.Sub(m.Received)
}

// Return gives a message back to the queue: it becomes visible after d, for whoever receives it next.
func (q *Queue) Return(ctx context.Context, m Message, d time.Duration) error {
	q.release([]Message{m})
	return q.Extend(ctx, []Message{m}, d)
}

// Backoff is how long a message that was not understood stays away: 30 s after the first receive, doubling, at most 15 min.
func Backoff(receives int) time.Duration {
	return min(15*time.Minute, 30*time.Second<<min(max(receives-1, 0), 5))
}

// batches sends messages by ten and reads the failures, which come with HTTP 200.
func (q *Queue) batches(ms []Message, doing string, send func([]Message) ([]types.BatchResultErrorEntry, error)) error {
	var out PartialError
	for len(ms) > 0 {
		batch := ms[:min(maxBatch, len(ms))]
		ms = ms[len(batch):]
		failed, err := send(batch)
		if err != nil {
			out.Left, out.Err = append(out.Left, batch...), q.explain(doing, err)
		}
		for _, f := range failed {
			out.Left = append(out.Left, named(batch, f)...)
			out.Err = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
		}
	}
	if out.Err == nil {
		return nil
	}
	return &out
}

// named is the message that a failure is about.
func named(batch []Message, f types.BatchResultErrorEntry) []Message {
	i, err := strconv.Atoi(aws.ToString(f.Id))
	if err != nil || i < 0 || i >= len(batch) {
		return nil
	}
	return batch[i : i+1]
}

// lost are the messages whose handles SQS refuses for good, such as ones that are not in flight any more: to extend them again
// does not help.
func lost(batch []Message, failed []types.BatchResultErrorEntry) []Message {
	var out []Message
	for _, f := range failed {
		if f.SenderFault {
			out = append(out, named(batch, f)...)
		}
	}
	return out
}
