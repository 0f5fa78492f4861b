package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// Facts are what the queue says about itself.
type Facts struct {
	Redrive     bool          // it has a dead-letter queue
	MaxReceives int           // after which a message goes there
	Visibility  time.Duration // its own visibility time-out
	Retention   time.Duration // after which a message is lost
	Waiting     int           // messages that are visible now, about
}

// Check asks whether the queue exists and may be read. The error says what to do.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (q *Queue) Check(ctx context.Context) (Facts, error) {
	out, err := q.api.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: aws.String(q.cfg.URL), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return Facts{}, q.explain("read the attributes of", err)
	}
	number := func(name types.QueueAttributeName) int {
		n, _ := strconv.Atoi(out.Attributes[string(name)]) // absent or not a number: unknown, which is 0
		return n
	}
	f := Facts{
		Visibility: time.Duration(number(types.QueueAttributeNameVisibilityTimeout)) * time.Second,
		Retention:  time.Duration(number(types.QueueAttributeNameMessageRetentionPeriod)) * time.Second,
		Waiting:    number(types.QueueAttributeNameApproximateNumberOfMessages),
	}
	f.Redrive, f.MaxReceives = redrive(out.Attributes[string(types.QueueAttributeNameRedrivePolicy)])
	return f, nil
}

// redrive reads a redrive policy. maxReceiveCount is a number or, as the AWS CLI examples write it, a string.
func redrive(policy string) (has bool, maxReceives int) {
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Max    json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil || p.Target == "" {
		return false, 0
	}
	n, _ := strconv.Atoi(strings.Trim(string(p.Max), `"`)) // not a number: unknown, which is 0
	return true, n
}

// explain says what to do about an error of SQS.
func (q *Queue) explain(doing string, err error) error {
	var gone *types.QueueDoesNotExist
	var api smithy.APIError
	todo := ""
	switch {
	case errors.As(err, &gone):
		todo = "; there is no such queue in this account and Region: check the URL, and that its Region is the configured one"
	case errors.As(err, &api) && denied(api.ErrorCode()):
		todo = "; allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on this queue"
	case strings.Contains(err.Error(), "credentials"):
		todo = "; give the task or instance an IAM role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return fmt.Errorf("%s queue %s: %w%s", doing, q.cfg.URL, err, todo)
}

func denied(code string) bool {
	return strings.HasPrefix(code, "AccessDenied") || strings.HasSuffix(code, "AccessDenied")
}
