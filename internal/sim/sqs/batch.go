package sqs

import (
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch checks the ids of the entries of a batch.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func checkBatch[T any](entries []T, id func(T) *string) error {
	if len(entries) == 0 {
		return core.Refuse("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(entries) > 10 {
		return core.Refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(entries))
	}
	seen := map[string]bool{}
	for _, e := range entries {
		name := core.Deref(id(e))
		if !entryID.MatchString(name) {
			return core.Refuse("InvalidBatchEntryId",
				"A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[name] {
			return core.Refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", name)
		}
		seen[name] = true
	}
	return nil
}

// failedEntry is how a batch answers for an entry that was refused.
func failedEntry(id *string, err error) types.BatchResultErrorEntry {
	out := types.BatchResultErrorEntry{Id: id, Code: new("InternalError"), Message: new(err.Error())}
	if refused, ok := errors.AsType[*core.Error](err); ok {
		out.Code, out.Message, out.SenderFault = &refused.Code, &refused.Message, refused.Status < 500
	}
	return out
}

func (s api) sendBatch(_ *core.Call, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
	q, err := s.queueOf(in.QueueUrl)
	if err == nil {
		err = checkBatch(in.Entries, func(e types.SendMessageBatchRequestEntry) *string { return e.Id })
	}
	if err != nil {
		return nil, err
	}
	size := 0
	for _, e := range in.Entries {
		size += len(core.Deref(e.MessageBody))
	}
	if size > maxMessage {
		return nil, core.Refuse("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessage, size)
	}
	out := &sqs.SendMessageBatchOutput{}
	for _, e := range in.Entries {
		m, err := s.send(q, e.MessageBody, e.DelaySeconds, e.MessageAttributes)
		if err != nil {
			out.Failed = append(out.Failed, failedEntry(e.Id, err))
			continue
		}
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{
			Id: e.Id, MessageId: &m.ID, MD5OfMessageBody: md5Of(m.Body), MD5OfMessageAttributes: md5OfAttributes(m.Attributes),
		})
	}
	return out, nil
}

func (s api) deleteBatch(_ *core.Call, in *sqs.DeleteMessageBatchInput) (*sqs.DeleteMessageBatchOutput, error) {
	_, err := s.queueOf(in.QueueUrl)
	if err == nil {
		err = checkBatch(in.Entries, func(e types.DeleteMessageBatchRequestEntry) *string { return e.Id })
	}
	if err != nil {
		return nil, err
	}
	out := &sqs.DeleteMessageBatchOutput{}
	for _, e := range in.Entries {
		if err := s.delete(in.QueueUrl, e.ReceiptHandle); err != nil {
			out.Failed = append(out.Failed, failedEntry(e.Id, err))
			continue
		}
		out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: e.Id})
	}
	return out, nil
}

func (s api) changeBatch(_ *core.Call, in *sqs.ChangeMessageVisibilityBatchInput) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	_, err := s.queueOf(in.QueueUrl)
	if err == nil {
		err = checkBatch(in.Entries, func(e types.ChangeMessageVisibilityBatchRequestEntry) *string { return e.Id })
	}
	if err != nil {
		return nil, err
	}
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	for _, e := range in.Entries {
		if err := s.changeVisibility(in.QueueUrl, e.ReceiptHandle, e.VisibilityTimeout); err != nil {
			out.Failed = append(out.Failed, failedEntry(e.Id, err))
			continue
		}
		out.Successful = append(out.Successful, types.ChangeMessageVisibilityBatchResultEntry{Id: e.Id})
	}
	return out, nil
}
