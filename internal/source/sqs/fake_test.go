package sqs

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/event"
)

const url = "https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"

// fake is a queue as SQS keeps one, as far as the tests need it. Receive long-polls by sleeping, in the time of synctest.
type fake struct {
	mu       sync.Mutex
	messages []*stored
	fails    error            // of every request
	refuse   map[string]bool  // handles that batches refuse
	polls    []time.Time      // when Receive was called
	changes  map[string][]int // visibility timeouts by handle
	deleted  []string         // handles
	facts    map[string]string
	asked    *awssqs.ReceiveMessageInput
}

type stored struct {
	id, handle string
	receives   int
	visible    time.Time
	gone       bool
}

func (f *fake) add(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, &stored{id: id})
}

func (f *fake) ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput, _ ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error) {
	f.mu.Lock()
	f.asked = in
	f.polls = append(f.polls, time.Now())
	err := f.fails
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if out := f.take(in); len(out.Messages) > 0 || in.WaitTimeSeconds == 0 {
		return out, nil
	}
	if !wait(ctx, time.Duration(in.WaitTimeSeconds)*time.Second) {
		return nil, ctx.Err()
	}
	return f.take(in), nil
}

func (f *fake) take(in *awssqs.ReceiveMessageInput) *awssqs.ReceiveMessageOutput {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &awssqs.ReceiveMessageOutput{}
	for _, m := range f.messages {
		if m.gone || m.visible.After(time.Now()) || len(out.Messages) == int(in.MaxNumberOfMessages) {
			continue
		}
		m.receives++
		m.handle = fmt.Sprintf("%s/%d", m.id, m.receives)
		m.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
		out.Messages = append(out.Messages, types.Message{
			MessageId: aws.String(m.id), ReceiptHandle: aws.String(m.handle), Body: aws.String("body of " + m.id),
			Attributes: only(map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receives), "SentTimestamp": "1795251600123"},
				in.MessageSystemAttributeNames),
		})
	}
	return out
}

func (f *fake) each(handle *string, id *string, do func(*stored)) []types.BatchResultErrorEntry {
	for _, m := range f.messages {
		if m.handle == *handle && !f.refuse[*handle] {
			do(m)
			return nil
		}
	}
	return []types.BatchResultErrorEntry{{Id: id, Code: aws.String("ReceiptHandleIsInvalid"), Message: aws.String("it is stale"), SenderFault: true}}
}

func (f *fake) DeleteMessageBatch(ctx context.Context, in *awssqs.DeleteMessageBatchInput,
	_ ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &awssqs.DeleteMessageBatchOutput{}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if f.fails != nil || len(in.Entries) > 10 {
		return nil, fmt.Errorf("%d entries: %w", len(in.Entries), f.fails)
	}
	for _, e := range in.Entries {
		out.Failed = append(out.Failed, f.each(e.ReceiptHandle, e.Id, func(m *stored) {
			m.gone = true
			f.deleted = append(f.deleted, m.handle)
		})...)
	}
	return out, nil
}

func (f *fake) ChangeMessageVisibilityBatch(ctx context.Context, in *awssqs.ChangeMessageVisibilityBatchInput,
	_ ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &awssqs.ChangeMessageVisibilityBatchOutput{}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if f.fails != nil || len(in.Entries) > 10 {
		return nil, fmt.Errorf("%d entries: %w", len(in.Entries), f.fails)
	}
	for _, e := range in.Entries {
		out.Failed = append(out.Failed, f.each(e.ReceiptHandle, e.Id, func(m *stored) {
			m.visible = time.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
			f.changes[m.handle] = append(f.changes[m.handle], int(e.VisibilityTimeout))
		})...)
	}
	return out, nil
}

func (f *fake) GetQueueAttributes(_ context.Context, in *awssqs.GetQueueAttributesInput,
	_ ...func(*awssqs.Options)) (*awssqs.GetQueueAttributesOutput, error) {
	return &awssqs.GetQueueAttributesOutput{Attributes: only(f.facts, in.AttributeNames)}, f.fails
}

// only are the attributes that were asked for: SQS answers with no other.
func only[N ~string](attributes map[string]string, names []N) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if v, ok := attributes[string(name)]; ok {
			out[string(name)] = v
		}
	}
	return out
}

// newQueue returns a queue on a fake with so many messages: m0, m1 and so on.
func newQueue(n int, wait time.Duration) (*Queue, *fake) {
	f := &fake{changes: map[string][]int{}, refuse: map[string]bool{}}
	for i := range n {
		f.add(fmt.Sprintf("m%d", i))
	}
	return New(f, Config{URL: url, Wait: wait, Log: slog.New(slog.DiscardHandler)}), f
}

func receive(t *testing.T, q *Queue) []event.Message {
	t.Helper()
	ms, err := q.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ms
}
