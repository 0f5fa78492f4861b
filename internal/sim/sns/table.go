package sns

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *SNS }

// Service is SNS as the wire serves it.
func (w *SNS) Service() core.Service {
	inCapitals := func(action string) string { return "SNS" + strings.TrimPrefix(action, "sns") }
	errors := core.Refusals(missing, core.Denial{Code: "AuthorizationError", Status: 403, Action: inCapitals})
	errors.Invalid = "InvalidParameter"
	return core.Service{
		Name: "sns", Protocol: core.Protocol{Namespace: "http://sns.amazonaws.com/doc/2010-03-31/"}, Operations: api{w}.operations(),
		Errors: errors,
	}
}

// operations are the rows of all operations: all but ListTopics is checked against the topic.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return []core.Operation{
		core.NewOperation("CreateTopic", s.createTopic, "sns",
			func(in *sns.CreateTopicInput) []core.Member { return core.Members("Topic Name", in.Name) },
			func(in *sns.CreateTopicInput) []core.Resource {
				return topicResource(s.ARN("sns", core.Deref(in.Name)))
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListTopics", s.listTopics, "sns",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *sns.ListTopicsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("Subscribe", s.subscribe, "sns",
			func(in *sns.SubscribeInput) []core.Member {
				return core.Members("TopicArn", in.TopicArn, "Protocol", in.Protocol, "Endpoint", in.Endpoint)
			},
			func(in *sns.SubscribeInput) []core.Resource { return topicResource(core.Deref(in.TopicArn)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListSubscriptionsByTopic", s.listSubscriptions, "sns",
			func(in *sns.ListSubscriptionsByTopicInput) []core.Member {
				return core.Members("TopicArn", in.TopicArn)
			},
			func(in *sns.ListSubscriptionsByTopicInput) []core.Resource {
				return topicResource(core.Deref(in.TopicArn))
			},
			core.NoSubject,
			func(in *sns.ListSubscriptionsByTopicInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("Publish", s.publish, "sns",
			func(in *sns.PublishInput) []core.Member {
				return core.Members("TopicArn", topicOf(in), "Message", in.Message)
			},
			func(in *sns.PublishInput) []core.Resource { return topicResource(core.Deref(in.TopicArn)) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}
