package sns

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func missing(name string) error {
	return core.Refuse("InvalidParameter", "Invalid parameter: %s", name)
}

func (s api) createTopic(_ *core.Call, in *sns.CreateTopicInput) (*sns.CreateTopicOutput, error) {
	return &sns.CreateTopicOutput{TopicArn: &s.CreateTopic(*in.Name).ARN}, nil
}

func (s api) listTopics(c *core.Call, in *sns.ListTopicsInput) (*sns.ListTopicsOutput, error) {
	p := core.Paging{Operation: "ListTopics", Fallback: 100, Most: 100, Token: in.NextToken}
	topics, next, ok := core.Page(c, p, s.Topics(), func(t *Topic) string { return t.ARN })
	if !ok {
		return nil, missing("NextToken")
	}
	return &sns.ListTopicsOutput{
		Topics: core.Mapped(topics, func(t *Topic) types.Topic { return types.Topic{TopicArn: &t.ARN} }), NextToken: next,
	}, nil
}

func (s api) subscribe(_ *core.Call, in *sns.SubscribeInput) (*sns.SubscribeOutput, error) {
	raw := strings.EqualFold(in.Attributes["RawMessageDelivery"], "true")
	sub, err := s.Subscribe(*in.TopicArn, *in.Protocol, *in.Endpoint, raw)
	if err != nil {
		return nil, err
	}
	return &sns.SubscribeOutput{SubscriptionArn: &sub.ARN}, nil
}

func (s api) listSubscriptions(c *core.Call, in *sns.ListSubscriptionsByTopicInput) (*sns.ListSubscriptionsByTopicOutput, error) {
	for _, t := range s.Topics() {
		if t.ARN != *in.TopicArn {
			continue
		}
		p := core.Paging{Operation: "ListSubscriptionsByTopic", Fallback: 100, Most: 100, Token: in.NextToken}
		subs, next, ok := core.Page(c, p, t.Subscriptions, func(sub *Subscription) string { return sub.ARN })
		if !ok {
			return nil, missing("NextToken")
		}
		return &sns.ListSubscriptionsByTopicOutput{
			Subscriptions: core.Mapped(subs, func(sub *Subscription) types.Subscription { return s.subscriptionOut(t, sub) }), NextToken: next,
		}, nil
	}
	return nil, &core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
}

func (s api) subscriptionOut(t *Topic, sub *Subscription) types.Subscription {
	return types.Subscription{
		SubscriptionArn: &sub.ARN, TopicArn: &t.ARN, Protocol: &sub.Protocol, Endpoint: &sub.Endpoint, Owner: &s.Account,
	}
}

func (s api) publish(_ *core.Call, in *sns.PublishInput) (*sns.PublishOutput, error) {
	id, err := s.Publish(*topicOf(in), core.Deref(in.Subject), *in.Message)
	return &sns.PublishOutput{MessageId: &id}, err
}

// topicOf is the topic that a message is for: the simulated cloud publishes to nothing else.
func topicOf(in *sns.PublishInput) *string {
	if in.TopicArn == nil {
		return in.TargetArn
	}
	return in.TopicArn
}

func topicResource(arn string) []core.Resource { return []core.Resource{{Kind: "topic", ARN: arn}} }
