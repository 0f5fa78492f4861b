package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

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
