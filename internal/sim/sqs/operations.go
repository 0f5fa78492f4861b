package sqs

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// queueName is the last part of a queue's URL: the host in it is where the client happened to reach the simulated cloud.
func queueName(url *string) string {
	u := core.Deref(url)
	return u[strings.LastIndex(u, "/")+1:]
}

// queueURL is the URL of a queue, on the host that the client of a call over HTTP has reached.
func (s api) queueURL(c *core.Call, q *Queue) *string {
	if c.Endpoint != "" {
		return new(c.Endpoint + "/" + s.Account + "/" + q.Name)
	}
	return &q.URL
}

// queueOf finds the queue that a request names.
func (s api) queueOf(url *string) (*Queue, error) {
	q, err := s.Queue(queueName(url))
	if err == nil {
		q.Touched = s.Now()
	}
	return q, err
}

func (s api) createQueue(c *core.Call, in *sqs.CreateQueueInput) (*sqs.CreateQueueOutput, error) {
	q := Queue{Name: *in.QueueName, Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour}
	if err := setAttributes(&q, in.Attributes); err != nil {
		return nil, err
	}
	made, err := s.CreateQueue(q)
	if err != nil {
		return nil, err
	}
	return &sqs.CreateQueueOutput{QueueUrl: s.queueURL(c, made)}, nil
}

func (s api) getQueueURL(c *core.Call, in *sqs.GetQueueUrlInput) (*sqs.GetQueueUrlOutput, error) {
	q, err := s.Queue(*in.QueueName)
	if err != nil {
		return nil, err
	}
	return &sqs.GetQueueUrlOutput{QueueUrl: s.queueURL(c, q)}, nil
}

func (s api) listQueues(c *core.Call, in *sqs.ListQueuesInput) (*sqs.ListQueuesOutput, error) {
	var queues []*Queue
	for _, q := range s.Queues() {
		if strings.HasPrefix(q.Name, core.Deref(in.QueueNamePrefix)) {
			queues = append(queues, q)
		}
	}
	p := core.Paging{Operation: "ListQueues", Asked: in.MaxResults, Fallback: 1000, Most: 1000, Token: in.NextToken}
	queues, next, ok := core.Page(c, p, queues, func(q *Queue) string { return q.Name })
	if !ok {
		return nil, badValue("NextToken", core.Deref(in.NextToken), "Invalid or expired next token")
	}
	return &sqs.ListQueuesOutput{QueueUrls: core.Mapped(queues, func(q *Queue) string { return *s.queueURL(c, q) }), NextToken: next}, nil
}

func (s api) deleteQueue(_ *core.Call, in *sqs.DeleteQueueInput) (*sqs.DeleteQueueOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err == nil {
		err = s.DeleteQueue(q.Name)
	}
	return &sqs.DeleteQueueOutput{}, err
}

func (s api) purgeQueue(_ *core.Call, in *sqs.PurgeQueueInput) (*sqs.PurgeQueueOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err == nil {
		err = s.PurgeQueue(q.Name)
	}
	return &sqs.PurgeQueueOutput{}, err
}

func (s api) getQueueAttributes(_ *core.Call, in *sqs.GetQueueAttributesInput) (*sqs.GetQueueAttributesOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	attributes, err := s.attributesOf(q, in.AttributeNames)
	return &sqs.GetQueueAttributesOutput{Attributes: attributes}, err
}

func (s api) setQueueAttributes(_ *core.Call, in *sqs.SetQueueAttributesInput) (*sqs.SetQueueAttributesOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	after := *q
	if err := setAttributes(&after, in.Attributes); err != nil {
		return nil, err
	}
	*q = after
	return &sqs.SetQueueAttributesOutput{}, nil
}

func (s api) receive(_ *core.Call, in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
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
	messages, err := s.ReceiveMessage(q.Name, count, visibility)
	if err != nil || len(messages) == 0 {
		return &sqs.ReceiveMessageOutput{}, err // no Messages at all, as AWS
	}
	return &sqs.ReceiveMessageOutput{Messages: core.Mapped(messages, func(m Message) types.Message { return messageOut(m, in) })}, nil
}

func (s api) deleteMessage(_ *core.Call, in *sqs.DeleteMessageInput) (*sqs.DeleteMessageOutput, error) {
	return &sqs.DeleteMessageOutput{}, s.delete(in.QueueUrl, in.ReceiptHandle)
}

func (s api) delete(url, handle *string) error {
	q, err := s.queueOf(url)
	if err == nil && core.Deref(handle) == "" {
		err = missing("ReceiptHandle")
	}
	if err == nil {
		err = s.DeleteMessage(q.Name, *handle)
	}
	return err
}

func (s api) changeMessageVisibility(_ *core.Call, in *sqs.ChangeMessageVisibilityInput) (*sqs.ChangeMessageVisibilityOutput, error) {
	return &sqs.ChangeMessageVisibilityOutput{}, s.changeVisibility(in.QueueUrl, in.ReceiptHandle, in.VisibilityTimeout)
}

func (s api) changeVisibility(url, handle *string, timeout int32) error {
	q, err := s.queueOf(url)
	if err == nil && core.Deref(handle) == "" {
		err = missing("ReceiptHandle")
	}
	if err == nil && (timeout < 0 || timeout > 43200) {
		err = badValue("VisibilityTimeout", timeout, "VisibilityTimeout must be an integer between 0 and 43200")
	}
	if err == nil {
		err = s.ChangeMessageVisibility(q.Name, *handle, time.Duration(timeout)*time.Second)
	}
	return err
}

func (s api) sendMessage(_ *core.Call, in *sqs.SendMessageInput) (*sqs.SendMessageOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := s.send(q, in.MessageBody, in.DelaySeconds, in.MessageAttributes)
	if err != nil {
		return nil, err
	}
	return &sqs.SendMessageOutput{MessageId: &m.ID, MD5OfMessageBody: md5Of(m.Body), MD5OfMessageAttributes: md5OfAttributes(m.Attributes)}, nil
}

func (s api) send(q *Queue, body *string, delay int32, attributes map[string]types.MessageAttributeValue) (Message, error) {
	if core.Deref(body) == "" {
		return Message{}, missing("MessageBody")
	}
	if len(*body) > maxMessage {
		return Message{}, core.Refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessage)
	}
	if delay < 0 || delay > 900 {
		return Message{}, badValue("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900.")
	}
	wait := q.Delay
	if delay > 0 {
		wait = time.Duration(delay) * time.Second
	}
	return s.SendMessage(q.Name, *body, attributesIn(attributes), wait)
}

// maxMessage is the most bytes of a message, and of a batch.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxMessage = 1 << 20

func badValue(name string, value any, reason string) error {
	return core.Refuse("InvalidParameterValue", "Value %v for parameter %s is invalid. Reason: %s", value, name, reason)
}

func missing(name string) error {
	return core.Refuse("MissingParameter", "The request must contain the parameter %s.", name)
}

// patience is how long a poll goes on: not at all if it has got something, else as long as the request or the queue says.
func (s api) patience(in *sqs.ReceiveMessageInput, out *sqs.ReceiveMessageOutput) time.Duration {
	q, err := s.queueOf(in.QueueUrl)
	switch {
	case err != nil || len(out.Messages) > 0:
		return 0
	case in.WaitTimeSeconds > 0:
		return time.Duration(in.WaitTimeSeconds) * time.Second
	}
	return q.WaitTime
}

func (s api) queueResource(name string) []core.Resource {
	return []core.Resource{{Kind: "queue", ARN: s.ARN("sqs", name)}}
}
