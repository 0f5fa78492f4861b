package sqs

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// names are the members that are not spelled as in the SDK. MessageSystemAttributeNames of a receive comes as AttributeName in the query protocol,
// like the deprecated AttributeNames; they mean the same.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests.html
func names() core.Names {
	return core.Names{
		Members: map[string]string{"CreateQueueInput.Tags": "tags"},
		Flat: map[string]string{
			"CreateQueueInput.Attributes":                          "Attribute",
			"CreateQueueInput.Tags":                                "Tag",
			"SetQueueAttributesInput.Attributes":                   "Attribute",
			"GetQueueAttributesInput.AttributeNames":               "AttributeName",
			"GetQueueAttributesOutput.Attributes":                  "Attribute",
			"ListQueuesOutput.QueueUrls":                           "QueueUrl",
			"ReceiveMessageInput.AttributeNames":                   "AttributeName",
			"ReceiveMessageInput.MessageSystemAttributeNames":      "MessageSystemAttributeName",
			"ReceiveMessageInput.MessageAttributeNames":            "MessageAttributeName",
			"ReceiveMessageOutput.Messages":                        "Message",
			"Message.Attributes":                                   "Attribute",
			"Message.MessageAttributes":                            "MessageAttribute",
			"MessageAttributeValue.StringListValues":               "StringListValue",
			"MessageAttributeValue.BinaryListValues":               "BinaryListValue",
			"MessageSystemAttributeValue.StringListValues":         "StringListValue",
			"MessageSystemAttributeValue.BinaryListValues":         "BinaryListValue",
			"SendMessageBatchRequestEntry.MessageSystemAttributes": "MessageSystemAttribute",
			"SendMessageInput.MessageAttributes":                   "MessageAttribute",
			"SendMessageInput.MessageSystemAttributes":             "MessageSystemAttribute",
			"SendMessageBatchRequestEntry.MessageAttributes":       "MessageAttribute",
			"SendMessageBatchInput.Entries":                        "SendMessageBatchRequestEntry",
			"SendMessageBatchOutput.Successful":                    "SendMessageBatchResultEntry",
			"SendMessageBatchOutput.Failed":                        "BatchResultErrorEntry",
			"DeleteMessageBatchInput.Entries":                      "DeleteMessageBatchRequestEntry",
			"DeleteMessageBatchOutput.Successful":                  "DeleteMessageBatchResultEntry",
			"DeleteMessageBatchOutput.Failed":                      "BatchResultErrorEntry",
			"ChangeMessageVisibilityBatchInput.Entries":            "ChangeMessageVisibilityBatchRequestEntry",
			"ChangeMessageVisibilityBatchOutput.Successful":        "ChangeMessageVisibilityBatchResultEntry",
			"ChangeMessageVisibilityBatchOutput.Failed":            "BatchResultErrorEntry",
		},
	}
}

// refusals are the errors of SQS. Those in Query have another code in the query protocol, and so in the SDK's ErrorCode(), than their name in
// JSON; the JSON answer carries it in the header x-amzn-query-error.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
func refusals() core.Errors {
	e := core.Refusals(missing, core.Denial{Code: "AccessDeniedException", Status: 403, Action: strings.ToLower}) // the code in JSON
	e.Throttled.Code, e.Own = "RequestThrottled", true
	e.Query = map[string]string{
		"QueueDoesNotExist":              "AWS.SimpleQueueService.NonExistentQueue",
		"QueueNameExists":                "QueueAlreadyExists",
		"MessageNotInflight":             "AWS.SimpleQueueService.MessageNotInflight",
		"EmptyBatchRequest":              "AWS.SimpleQueueService.EmptyBatchRequest",
		"TooManyEntriesInBatchRequest":   "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
		"BatchEntryIdsNotDistinct":       "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
		"InvalidBatchEntryId":            "AWS.SimpleQueueService.InvalidBatchEntryId",
		"BatchRequestTooLong":            "AWS.SimpleQueueService.BatchRequestTooLong",
		"PurgeQueueInProgress":           "AWS.SimpleQueueService.PurgeQueueInProgress",
		"UnsupportedOperation":           "AWS.SimpleQueueService.UnsupportedOperation",
		"InvalidParameterValueException": "InvalidParameterValue",
		"AccessDeniedException":          "AccessDenied",
	}
	e.Typed = func(code, message string) error {
		switch code {
		case "QueueDoesNotExist":
			return &types.QueueDoesNotExist{Message: &message}
		case "ReceiptHandleIsInvalid":
			return &types.ReceiptHandleIsInvalid{Message: &message}
		}
		return nil
	}
	return e
}
