// Package sqs is one standard SQS queue as a source of messages: it receives them, hands them over, keeps them invisible, and deletes or
// returns them once they are settled.
//
// It never reads what a message says, and never deletes one by itself.
package sqs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/event"
)

// API is what is used of the SQS client.
type API interface {
	ReceiveMessage(context.Context, *awssqs.ReceiveMessageInput, ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *awssqs.DeleteMessageBatchInput, ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(
		context.Context, *awssqs.ChangeMessageVisibilityBatchInput, ...func(*awssqs.Options),
	) (*awssqs.ChangeMessageVisibilityBatchOutput, error)
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
	Speed             float64          // seconds of the queue's cloud in one of ours, for the waits that let messages share a call; 0: 1
	Log               *slog.Logger     // nil: slog.Default
}

// Queue is one queue as a source of messages. Its methods are safe for concurrent use.
type Queue struct {
	api  API
	cfg  Config
	stir chan struct{} // something is to be deleted or returned

	mu       sync.Mutex          // guards the rest; never held across a request
	held     map[string]received // handed over and not settled, by message id
	deleted  []received          // settled, but SQS does not know it yet
	returned []returned
}

// received is a message as it was received once.
type received struct {
	event.Message
	handle string // of this receive
	at     time.Time
}

// returned is a message that is to become visible again after a while.
type returned struct {
	received
	after time.Duration
}

// New returns the queue behind an API.
func New(api API, cfg Config) *Queue {
	cfg.VisibilityTimeout, cfg.Log = cmp.Or(cfg.VisibilityTimeout, time.Minute), cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Queue{api: api, cfg: cfg, stir: make(chan struct{}, 1), held: map[string]received{}}
}

// Receive waits for up to ten messages and holds them, or returns none when the wait is over.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (q *Queue) Receive(ctx context.Context) ([]event.Message, error) {
	out, err := q.api.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: aws.String(q.cfg.URL), MaxNumberOfMessages: maxBatch,
		WaitTimeSeconds: int32(min(q.cfg.Wait, maxWait) / time.Second), VisibilityTimeout: int32(q.cfg.VisibilityTimeout / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount, types.MessageSystemAttributeNameSentTimestamp,
		},
	})
	if err != nil {
		return nil, q.explain("receive from", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var found []event.Message
	for _, m := range out.Messages {
		r := received{message(m), aws.ToString(m.ReceiptHandle), q.cfg.Now()}
		q.held[r.ID] = r
		found = append(found, r.Message)
	}
	return found, nil
}

// message reads a message. Both attributes are numbers in strings; without them a message counts as received for the first time, at an
// unknown age.
func message(m types.Message) event.Message {
	out := event.Message{ID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), Receives: 1}
	if n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]); err == nil {
		out.Receives = n
	}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		out.Sent = time.UnixMilli(ms).UTC()
	}
	return out
}

// Held is the number of messages that were handed over and are not settled.
func (q *Queue) Held() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held)
}

// Settle takes note that a message is to be deleted, or returned to come again later and later.
func (q *Queue) Settle(id string, del bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, ok := q.held[id]
	switch {
	case !ok:
		return
	case del:
		q.deleted = append(q.deleted, m)
	default:
		q.returned = append(q.returned, returned{m, Backoff(m.Receives)})
	}
	q.settled(id)
}

// LetGo takes note that all messages that are not settled are to be returned. A message comes again at once, unless it has been received
// before: so a journal that fails again and again does not soon bring it to the dead-letter queue.
func (q *Queue) LetGo() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(q.held)) {
		m, after := q.held[id], time.Duration(0)
		if m.Receives > 1 {
			after = Backoff(m.Receives - 1)
		}
		q.returned = append(q.returned, returned{m, after})
		q.settled(id)
	}
}

func (q *Queue) settled(id string) {
	delete(q.held, id)
	select {
	case q.stir <- struct{}{}:
	default:
	}
}

// Flush makes SQS know what was settled.
func (q *Queue) Flush(ctx context.Context) {
	q.Return(ctx)
	q.mu.Lock()
	gone := q.deleted
	q.deleted = nil
	q.mu.Unlock()
	if left, err := q.delete(ctx, gone); err != nil {
		q.cfg.Log.Warn("messages could not be acknowledged; they come again and are known then", "count", len(left), "err", err)
	}
}

// Return makes SQS know what is to come again.
func (q *Queue) Return(ctx context.Context) {
	q.mu.Lock()
	back := q.returned
	q.returned = nil
	q.mu.Unlock()
	for _, r := range back {
		if _, err := q.extend(ctx, []received{r.received}, r.after); err != nil {
			q.cfg.Log.Debug("message could not be returned; it comes again after its visibility timeout", "err", err)
		}
	}
}

// delete acknowledges messages. Those that are left come again after their visibility timeout.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
func (q *Queue) delete(ctx context.Context, ms []received) (left []received, err error) {
	return q.batches(ms, "delete from", func(batch []received) ([]types.BatchResultErrorEntry, error) {
		in := &awssqs.DeleteMessageBatchInput{QueueUrl: aws.String(q.cfg.URL)}
		for i, m := range batch {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.handle),
			})
		}
		out, err := q.api.DeleteMessageBatch(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.Failed, nil
	})
}

// extend keeps messages invisible for d from now, as far as the 12 hours since their receive allow.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
func (q *Queue) extend(ctx context.Context, ms []received, d time.Duration) (left []received, err error) {
	now := q.cfg.Now()
	return q.batches(ms, "extend in", func(batch []received) ([]types.BatchResultErrorEntry, error) {
		in := &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(q.cfg.URL)}
		for i, m := range batch {
			seconds := int32(max(0, min(d, extensible(m, now))) / time.Second)
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(m.handle), VisibilityTimeout: seconds,
			})
		}
		out, err := q.api.ChangeMessageVisibilityBatch(ctx, in)
		if err != nil {
			return nil, err
		}
		q.drop(batch, out.Failed)
		return out.Failed, nil
	})
}

// extensible is how much longer a message can stay invisible. SQS refuses more than the 12 hours instead of shortening it, so a minute is
// kept for the difference of clocks.
func extensible(m received, now time.Time) time.Duration {
	return maxVisibility - time.Minute - now.Sub(m.at)
}

// drop forgets the messages whose handles SQS refuses for good, such as ones that are not in flight any more: to extend them again does not
// help. Those that have been received once more since are kept.
func (q *Queue) drop(batch []received, failed []types.BatchResultErrorEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range failed {
		for _, m := range named(batch, f) {
			if f.SenderFault && q.held[m.ID].handle == m.handle {
				delete(q.held, m.ID)
			}
		}
	}
}

// Backoff is how long a message that was returned stays away: 30 s after the first receive, doubling, at most 15 min.
func Backoff(receives int) time.Duration {
	return min(15*time.Minute, 30*time.Second<<min(max(receives-1, 0), 5))
}

// batches sends messages by ten and reads the failures, which come with HTTP 200. It returns the messages that were left, and why the last
// of them was.
func (q *Queue) batches(
	ms []received, doing string, send func([]received) ([]types.BatchResultErrorEntry, error),
) (left []received, why error) {
	for len(ms) > 0 {
		batch := ms[:min(maxBatch, len(ms))]
		ms = ms[len(batch):]
		failed, err := send(batch)
		if err != nil {
			left, why = append(left, batch...), q.explain(doing, err)
		}
		for _, f := range failed {
			left = append(left, named(batch, f)...)
			why = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
		}
	}
	return left, why
}

// named is the message that a failure is about.
func named(batch []received, f types.BatchResultErrorEntry) []received {
	i, err := strconv.Atoi(aws.ToString(f.Id))
	if err != nil || i < 0 || i >= len(batch) {
		return nil
	}
	return batch[i : i+1]
}

// Check asks whether the queue exists and may be read, and whether it has a dead-letter queue. The error says what to do.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (q *Queue) Check(ctx context.Context) (redrive bool, err error) {
	out, err := q.api.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: aws.String(q.cfg.URL), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy},
	})
	if err != nil {
		return false, q.explain("read the attributes of", err)
	}
	return out.Attributes[string(types.QueueAttributeNameRedrivePolicy)] != "", nil // a queue without a policy has no such attribute
}

// Send puts a message into a queue, as EventBridge does.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func Send(ctx context.Context, cfg aws.Config, url, body string) error {
	_, err := awssqs.NewFromConfig(cfg).SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: aws.String(url), MessageBody: aws.String(body)})
	return err
}

// explain says what to do about an error of SQS.
func (q *Queue) explain(doing string, err error) error {
	var gone *types.QueueDoesNotExist
	var api smithy.APIError
	todo := ""
	switch {
	case errors.As(err, &gone):
		todo = "; there is no such queue in this account and Region: check the URL, and that its Region is the configured one"
	case errors.As(err, &api) && strings.Contains(api.ErrorCode(), "AccessDenied"):
		todo = "; allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on this queue"
	case strings.Contains(err.Error(), "credentials"):
		todo = "; give the task or instance an IAM role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return fmt.Errorf("%s queue %s: %w%s", doing, q.cfg.URL, err, todo)
}
