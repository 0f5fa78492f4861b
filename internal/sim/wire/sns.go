package wire

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

type snsOptions = func(*sns.Options)

// requireSNS refuses as SNS does.
func requireSNS(members ...member) error {
	if name := missing(members); name != "" {
		return refuse("InvalidParameter", "Invalid parameter: %s", name)
	}
	return nil
}

// CreateTopic answers for the SDK operation of this name.
func (s SNS) CreateTopic(ctx context.Context, in *sns.CreateTopicInput, _ ...snsOptions) (*sns.CreateTopicOutput, error) {
	return call(ctx, s.api, "sns", "CreateTopic", in, func(in *sns.CreateTopicInput) (*sns.CreateTopicOutput, error) {
		if err := requireSNS(member{"Topic Name", in.Name}); err != nil {
			return nil, err
		}
		return &sns.CreateTopicOutput{TopicArn: &s.api.World.CreateTopic(*in.Name).ARN}, nil
	})
}

// ListTopics answers for the SDK operation of this name.
func (s SNS) ListTopics(ctx context.Context, in *sns.ListTopicsInput, _ ...snsOptions) (*sns.ListTopicsOutput, error) {
	return call(ctx, s.api, "sns", "ListTopics", in, s.listTopics)
}

func (s SNS) listTopics(in *sns.ListTopicsInput) (*sns.ListTopicsOutput, error) {
	p := paging{operation: "ListTopics", fallback: 100, most: 100, token: in.NextToken}
	topics, next, ok := page(s.api, p, s.api.World.Topics(), func(t *sim.Topic) string { return t.ARN })
	if !ok {
		return nil, requireSNS(member{"NextToken", ""})
	}
	return &sns.ListTopicsOutput{
		Topics: mapped(topics, func(t *sim.Topic) types.Topic { return types.Topic{TopicArn: &t.ARN} }), NextToken: next,
	}, nil
}

// Subscribe answers for the SDK operation of this name.
func (s SNS) Subscribe(ctx context.Context, in *sns.SubscribeInput, _ ...snsOptions) (*sns.SubscribeOutput, error) {
	return call(ctx, s.api, "sns", "Subscribe", in, s.subscribe)
}

func (s SNS) subscribe(in *sns.SubscribeInput) (*sns.SubscribeOutput, error) {
	err := requireSNS(member{"TopicArn", in.TopicArn}, member{"Protocol", in.Protocol}, member{"Endpoint", in.Endpoint})
	if err != nil {
		return nil, err
	}
	raw := strings.EqualFold(in.Attributes["RawMessageDelivery"], "true")
	sub, err := s.api.World.Subscribe(*in.TopicArn, *in.Protocol, *in.Endpoint, raw)
	if err != nil {
		return nil, err
	}
	return &sns.SubscribeOutput{SubscriptionArn: &sub.ARN}, nil
}

// ListSubscriptionsByTopic answers for the SDK operation of this name.
func (s SNS) ListSubscriptionsByTopic(ctx context.Context, in *sns.ListSubscriptionsByTopicInput, _ ...snsOptions) (*sns.ListSubscriptionsByTopicOutput, error) {
	return call(ctx, s.api, "sns", "ListSubscriptionsByTopic", in, s.listSubscriptions)
}

func (s SNS) listSubscriptions(in *sns.ListSubscriptionsByTopicInput) (*sns.ListSubscriptionsByTopicOutput, error) {
	if err := requireSNS(member{"TopicArn", in.TopicArn}); err != nil {
		return nil, err
	}
	for _, t := range s.api.World.Topics() {
		if t.ARN != *in.TopicArn {
			continue
		}
		p := paging{operation: "ListSubscriptionsByTopic", fallback: 100, most: 100, token: in.NextToken}
		subs, next, ok := page(s.api, p, t.Subscriptions, func(sub *sim.Subscription) string { return sub.ARN })
		if !ok {
			return nil, requireSNS(member{"NextToken", ""})
		}
		return &sns.ListSubscriptionsByTopicOutput{
			Subscriptions: mapped(subs, func(sub *sim.Subscription) types.Subscription { return s.subscriptionOut(t, sub) }), NextToken: next,
		}, nil
	}
	return nil, &core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}
}

func (s SNS) subscriptionOut(t *sim.Topic, sub *sim.Subscription) types.Subscription {
	return types.Subscription{
		SubscriptionArn: &sub.ARN, TopicArn: &t.ARN, Protocol: &sub.Protocol, Endpoint: &sub.Endpoint, Owner: &s.api.Account,
	}
}

// Publish answers for the SDK operation of this name, for topics.
func (s SNS) Publish(ctx context.Context, in *sns.PublishInput, _ ...snsOptions) (*sns.PublishOutput, error) {
	return call(ctx, s.api, "sns", "Publish", in, s.publish)
}

func (s SNS) publish(in *sns.PublishInput) (*sns.PublishOutput, error) {
	topic := in.TopicArn
	if topic == nil {
		topic = in.TargetArn
	}
	if err := requireSNS(member{"TopicArn", topic}, member{"Message", in.Message}); err != nil {
		return nil, err
	}
	id, err := s.api.World.Publish(*topic, deref(in.Subject), *in.Message)
	return &sns.PublishOutput{MessageId: &id}, err
}
