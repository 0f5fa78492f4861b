package sqs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *SQS }

// Service is SQS as the wire serves it.
func (w *SQS) Service() core.Service {
	s := api{w}
	return core.Service{
		Name: "sqs", Protocol: core.Protocol{
			JSON: "1.0", Prefix: "com.amazonaws.sqs#", Namespace: "http://queue.amazonaws.com/doc/2012-11-05/", Flat: true, Names: names(),
		},
		Errors:     refusals(),
		Action:     func(operation string) string { return strings.TrimSuffix(operation, "Batch") }, // the batches have no action of their own
		Operations: s.operations(),
	}
}

// operations are the rows of all operations: all is checked against the queue. AWS's refusal of ListQueues names the ARN of a queue without a name.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.queueOps(), s.attributeOps(), s.messageOps(), s.batchOps())
}

func (s api) queueOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("CreateQueue", s.createQueue, "sqs",
			func(in *sqs.CreateQueueInput) []core.Member { return core.Members("QueueName", in.QueueName) },
			func(in *sqs.CreateQueueInput) []core.Resource { return s.queueResource(core.Deref(in.QueueName)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteQueue", s.deleteQueue, "sqs",
			func(in *sqs.DeleteQueueInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.DeleteQueueInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("PurgeQueue", s.purgeQueue, "sqs",
			func(in *sqs.PurgeQueueInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.PurgeQueueInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListQueues", s.listQueues, "sqs",
			core.NoNeeds,
			func(*sqs.ListQueuesInput) []core.Resource { return []core.Resource{{Kind: "*", ARN: s.ARN("sqs", "")}} },
			core.NoSubject,
			func(in *sqs.ListQueuesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("GetQueueUrl", s.getQueueURL, "sqs",
			func(in *sqs.GetQueueUrlInput) []core.Member { return core.Members("QueueName", in.QueueName) },
			func(in *sqs.GetQueueUrlInput) []core.Resource { return s.queueResource(core.Deref(in.QueueName)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) attributeOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("GetQueueAttributes", s.getQueueAttributes, "sqs",
			func(in *sqs.GetQueueAttributesInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.GetQueueAttributesInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("SetQueueAttributes", s.setQueueAttributes, "sqs",
			func(in *sqs.SetQueueAttributesInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.SetQueueAttributesInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) messageOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("SendMessage", s.sendMessage, "sqs",
			func(in *sqs.SendMessageInput) []core.Member {
				return core.Members("QueueUrl", in.QueueUrl, "MessageBody", in.MessageBody)
			},
			func(in *sqs.SendMessageInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			func(in *sqs.SendMessageInput) core.Entry { return core.Entry{Queue: queueName(in.QueueUrl)} },
			core.NotPaged, core.NoBatch,
		),
		core.Polling(core.NewOperation("ReceiveMessage", s.receive, "sqs",
			func(in *sqs.ReceiveMessageInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.ReceiveMessageInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			func(in *sqs.ReceiveMessageInput) core.Entry { return core.Entry{Queue: queueName(in.QueueUrl)} },
			core.NotPaged, core.NoBatch,
		), s.patience),
		core.NewOperation("DeleteMessage", s.deleteMessage, "sqs",
			func(in *sqs.DeleteMessageInput) []core.Member {
				return core.Members("QueueUrl", in.QueueUrl, "ReceiptHandle", in.ReceiptHandle)
			},
			func(in *sqs.DeleteMessageInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			func(in *sqs.DeleteMessageInput) core.Entry { return core.Entry{Queue: queueName(in.QueueUrl)} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ChangeMessageVisibility", s.changeMessageVisibility, "sqs",
			func(in *sqs.ChangeMessageVisibilityInput) []core.Member {
				return core.Members("QueueUrl", in.QueueUrl, "ReceiptHandle", in.ReceiptHandle)
			},
			func(in *sqs.ChangeMessageVisibilityInput) []core.Resource {
				return s.queueResource(queueName(in.QueueUrl))
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) batchOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("SendMessageBatch", s.sendBatch, "sqs",
			func(in *sqs.SendMessageBatchInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.SendMessageBatchInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteMessageBatch", s.deleteBatch, "sqs",
			func(in *sqs.DeleteMessageBatchInput) []core.Member { return core.Members("QueueUrl", in.QueueUrl) },
			func(in *sqs.DeleteMessageBatchInput) []core.Resource { return s.queueResource(queueName(in.QueueUrl)) },
			func(in *sqs.DeleteMessageBatchInput) core.Entry { return core.Entry{Queue: queueName(in.QueueUrl)} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ChangeMessageVisibilityBatch", s.changeBatch, "sqs",
			func(in *sqs.ChangeMessageVisibilityBatchInput) []core.Member {
				return core.Members("QueueUrl", in.QueueUrl)
			},
			func(in *sqs.ChangeMessageVisibilityBatchInput) []core.Resource {
				return s.queueResource(queueName(in.QueueUrl))
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}
