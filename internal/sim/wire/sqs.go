package wire

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim"
)

type sqsOptions = func(*sqs.Options)

// queueName is the last part of a queue's URL: the host in it is where the client happened to reach the simulated cloud.
func queueName(url *string) string {
	u := deref(url)
	return u[strings.LastIndex(u, "/")+1:]
}

// queueURL is the URL of a queue, on the host that the client of a call over HTTP has reached.
func (s SQS) queueURL(ctx context.Context, q *sim.Queue) *string {
	if w, ok := webOf(ctx); ok {
		return new(w.endpoint + "/" + s.api.Account + "/" + q.Name)
	}
	return &q.URL
}

// queue finds the queue that a request names.
func (s SQS) queue(url *string) (*sim.Queue, error) {
	if err := requireSQS(member{"QueueUrl", url}); err != nil {
		return nil, err
	}
	return s.api.World.Queue(queueName(url))
}

// CreateQueue answers for the SDK operation of this name.
func (s SQS) CreateQueue(ctx context.Context, in *sqs.CreateQueueInput, _ ...sqsOptions) (*sqs.CreateQueueOutput, error) {
	return call(ctx, s.api, "sqs", "CreateQueue", in, func(in *sqs.CreateQueueInput) (*sqs.CreateQueueOutput, error) {
		return s.create(ctx, in)
	})
}

func (s SQS) create(ctx context.Context, in *sqs.CreateQueueInput) (*sqs.CreateQueueOutput, error) {
	if err := requireSQS(member{"QueueName", in.QueueName}); err != nil {
		return nil, err
	}
	q := sim.Queue{Name: *in.QueueName, Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour}
	if err := setAttributes(&q, in.Attributes); err != nil {
		return nil, err
	}
	made, err := s.api.World.CreateQueue(q)
	if err != nil {
		return nil, err
	}
	return &sqs.CreateQueueOutput{QueueUrl: s.queueURL(ctx, made)}, nil
}

// GetQueueUrl answers for the SDK operation of this name.
func (s SQS) GetQueueUrl(ctx context.Context, in *sqs.GetQueueUrlInput, _ ...sqsOptions) (*sqs.GetQueueUrlOutput, error) {
	return call(ctx, s.api, "sqs", "GetQueueUrl", in, func(in *sqs.GetQueueUrlInput) (*sqs.GetQueueUrlOutput, error) {
		if err := requireSQS(member{"QueueName", in.QueueName}); err != nil {
			return nil, err
		}
		q, err := s.api.World.Queue(*in.QueueName)
		if err != nil {
			return nil, err
		}
		return &sqs.GetQueueUrlOutput{QueueUrl: s.queueURL(ctx, q)}, nil
	})
}

// ListQueues answers for the SDK operation of this name.
func (s SQS) ListQueues(ctx context.Context, in *sqs.ListQueuesInput, _ ...sqsOptions) (*sqs.ListQueuesOutput, error) {
	return call(ctx, s.api, "sqs", "ListQueues", in, func(in *sqs.ListQueuesInput) (*sqs.ListQueuesOutput, error) {
		var queues []*sim.Queue
		for _, q := range s.api.World.Queues() {
			if strings.HasPrefix(q.Name, deref(in.QueueNamePrefix)) {
				queues = append(queues, q)
			}
		}
		p := paging{"ListQueues", in.MaxResults, 1000, 1000, in.NextToken}
		queues, next, ok := page(s.api, p, queues, func(q *sim.Queue) string { return q.Name })
		if !ok {
			return nil, badValue("NextToken", deref(in.NextToken), "Invalid or expired next token")
		}
		return &sqs.ListQueuesOutput{QueueUrls: mapped(queues, func(q *sim.Queue) string { return *s.queueURL(ctx, q) }), NextToken: next}, nil
	})
}

// DeleteQueue answers for the SDK operation of this name.
func (s SQS) DeleteQueue(ctx context.Context, in *sqs.DeleteQueueInput, _ ...sqsOptions) (*sqs.DeleteQueueOutput, error) {
	return call(ctx, s.api, "sqs", "DeleteQueue", in, func(in *sqs.DeleteQueueInput) (*sqs.DeleteQueueOutput, error) {
		q, err := s.queue(in.QueueUrl)
		if err == nil {
			err = s.api.World.DeleteQueue(q.Name)
		}
		return &sqs.DeleteQueueOutput{}, err
	})
}

// PurgeQueue answers for the SDK operation of this name.
func (s SQS) PurgeQueue(ctx context.Context, in *sqs.PurgeQueueInput, _ ...sqsOptions) (*sqs.PurgeQueueOutput, error) {
	return call(ctx, s.api, "sqs", "PurgeQueue", in, func(in *sqs.PurgeQueueInput) (*sqs.PurgeQueueOutput, error) {
		q, err := s.queue(in.QueueUrl)
		if err == nil {
			err = s.api.World.PurgeQueue(q.Name)
		}
		return &sqs.PurgeQueueOutput{}, err
	})
}

// GetQueueAttributes answers for the SDK operation of this name.
func (s SQS) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, _ ...sqsOptions) (*sqs.GetQueueAttributesOutput, error) {
	return call(ctx, s.api, "sqs", "GetQueueAttributes", in, func(in *sqs.GetQueueAttributesInput) (*sqs.GetQueueAttributesOutput, error) {
		q, err := s.queue(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		attributes, err := attributesOf(q, s.api.World.Now(), in.AttributeNames)
		return &sqs.GetQueueAttributesOutput{Attributes: attributes}, err
	})
}

// SetQueueAttributes answers for the SDK operation of this name.
func (s SQS) SetQueueAttributes(ctx context.Context, in *sqs.SetQueueAttributesInput, _ ...sqsOptions) (*sqs.SetQueueAttributesOutput, error) {
	return call(ctx, s.api, "sqs", "SetQueueAttributes", in, func(in *sqs.SetQueueAttributesInput) (*sqs.SetQueueAttributesOutput, error) {
		q, err := s.queue(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		after := *q
		if err := setAttributes(&after, in.Attributes); err != nil {
			return nil, err
		}
		*q = after
		return &sqs.SetQueueAttributesOutput{}, nil
	})
}

// ReceiveMessage answers for the SDK operation of this name. A direct call never waits; one over HTTP, in a world with a
// clock, waits for as long as the request or the queue says, in world time.
func (s SQS) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...sqsOptions) (*sqs.ReceiveMessageOutput, error) {
	out, err := call(ctx, s.api, "sqs", "ReceiveMessage", in, s.receive)
	if _, ok := webOf(ctx); ok && err == nil && len(out.Messages) == 0 {
		return s.wait(ctx, in)
	}
	return out, err
}

func (s SQS) receive(in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	count := int(in.MaxNumberOfMessages)
	if count == 0 { // the SDK cannot say 0, and AWS refuses it
		count = 1
	}
	if count < 1 || count > 10 {
		return nil, badValue("MaxNumberOfMessages", count, "Must be between 1 and 10, if provided.")
	}
	if n := in.WaitTimeSeconds; n < 0 || n > 20 {
		return nil, badValue("WaitTimeSeconds", n, "Must be >= 0 and <= 20, if provided.")
	}
	if n := in.VisibilityTimeout; n < 0 || n > 43200 {
		return nil, badValue("VisibilityTimeout", n, "Must be between 0 and 43200, if provided.")
	}
	var visibility *time.Duration
	if in.VisibilityTimeout > 0 {
		visibility = new(time.Duration(in.VisibilityTimeout) * time.Second)
	}
	messages, err := s.api.World.ReceiveMessage(q.Name, count, visibility)
	if err != nil || len(messages) == 0 {
		return &sqs.ReceiveMessageOutput{}, err // no Messages at all, as AWS
	}
	return &sqs.ReceiveMessageOutput{Messages: mapped(messages, func(m sim.Message) types.Message { return messageOut(m, in) })}, nil
}

// wait is the rest of a long poll: it holds no lock while it waits.
func (s SQS) wait(ctx context.Context, in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	until, err := s.patience(in)
	if err != nil || until.IsZero() {
		return &sqs.ReceiveMessageOutput{}, err
	}
	for {
		out, change, err := s.again(ctx, in, until)
		if err != nil || len(out.Messages) > 0 || change == nil {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-change:
		}
	}
}

// patience is until when a poll waits; zero: not at all. Without a clock nothing would ever end the wait.
func (s SQS) patience(in *sqs.ReceiveMessageInput) (time.Time, error) {
	defer s.api.lock()()
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return time.Time{}, s.api.sorry(Request{Service: "sqs", Operation: "ReceiveMessage"}, err)
	}
	wait := time.Duration(in.WaitTimeSeconds) * time.Second
	if wait == 0 {
		wait = q.WaitTime
	}
	if wait == 0 || s.api.clock == nil {
		return time.Time{}, nil
	}
	return s.api.World.Now().Add(wait), nil
}

// again receives once more within a poll. The poll is over when it returns no channel.
func (s SQS) again(ctx context.Context, in *sqs.ReceiveMessageInput, until time.Time) (*sqs.ReceiveMessageOutput, <-chan struct{}, error) {
	defer s.api.lock()()
	s.api.World.SetCaller(callerOf(ctx))
	out, err := s.receive(in)
	if err != nil {
		return nil, nil, s.api.sorry(Request{Service: "sqs", Operation: "ReceiveMessage"}, err)
	}
	if !s.api.World.Now().Before(until) {
		return out, nil, nil
	}
	return out, s.api.change(), nil
}

// DeleteMessage answers for the SDK operation of this name.
func (s SQS) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, _ ...sqsOptions) (*sqs.DeleteMessageOutput, error) {
	return call(ctx, s.api, "sqs", "DeleteMessage", in, func(in *sqs.DeleteMessageInput) (*sqs.DeleteMessageOutput, error) {
		return &sqs.DeleteMessageOutput{}, s.delete(in.QueueUrl, in.ReceiptHandle)
	})
}

func (s SQS) delete(url, handle *string) error {
	q, err := s.queue(url)
	if err == nil {
		err = requireSQS(member{"ReceiptHandle", handle})
	}
	if err == nil {
		err = s.api.World.DeleteMessage(q.Name, *handle)
	}
	return err
}

// ChangeMessageVisibility answers for the SDK operation of this name.
func (s SQS) ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...sqsOptions) (*sqs.ChangeMessageVisibilityOutput, error) {
	return call(ctx, s.api, "sqs", "ChangeMessageVisibility", in, func(in *sqs.ChangeMessageVisibilityInput) (*sqs.ChangeMessageVisibilityOutput, error) {
		return &sqs.ChangeMessageVisibilityOutput{}, s.changeVisibility(in.QueueUrl, in.ReceiptHandle, in.VisibilityTimeout)
	})
}

func (s SQS) changeVisibility(url, handle *string, timeout int32) error {
	q, err := s.queue(url)
	if err == nil {
		err = requireSQS(member{"ReceiptHandle", handle})
	}
	if err == nil && (timeout < 0 || timeout > 43200) {
		err = badValue("VisibilityTimeout", timeout, "VisibilityTimeout must be an integer between 0 and 43200")
	}
	if err == nil {
		err = s.api.World.ChangeMessageVisibility(q.Name, *handle, time.Duration(timeout)*time.Second)
	}
	return err
}

// SendMessage answers for the SDK operation of this name.
func (s SQS) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...sqsOptions) (*sqs.SendMessageOutput, error) {
	return call(ctx, s.api, "sqs", "SendMessage", in, func(in *sqs.SendMessageInput) (*sqs.SendMessageOutput, error) {
		q, err := s.queue(in.QueueUrl)
		if err != nil {
			return nil, err
		}
		m, err := s.send(q, in.MessageBody, in.DelaySeconds, in.MessageAttributes)
		if err != nil {
			return nil, err
		}
		return &sqs.SendMessageOutput{MessageId: &m.ID, MD5OfMessageBody: md5Of(m.Body), MD5OfMessageAttributes: md5OfAttributes(m.Attributes)}, nil
	})
}

func (s SQS) send(q *sim.Queue, body *string, delay int32, attributes map[string]types.MessageAttributeValue) (sim.Message, error) {
	if err := requireSQS(member{"MessageBody", body}); err != nil {
		return sim.Message{}, err
	}
	if len(*body) > maxMessage {
		return sim.Message{}, refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessage)
	}
	if delay < 0 || delay > 900 {
		return sim.Message{}, badValue("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900.")
	}
	wait := q.Delay
	if delay > 0 {
		wait = time.Duration(delay) * time.Second
	}
	return s.api.World.SendMessage(q.Name, *body, attributesIn(attributes), wait)
}

// maxMessage is the most bytes of a message, and of a batch.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxMessage = 1 << 20

func badValue(name string, value any, reason string) error {
	return refuse("InvalidParameterValue", "Value %v for parameter %s is invalid. Reason: %s", value, name, reason)
}
