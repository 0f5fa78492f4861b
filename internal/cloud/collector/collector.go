// Package collector takes one wide look at clusters and groups: it asks Auto Scaling, ECS, Elastic Load Balancing, EC2, SQS and
// EventBridge for everything that why, plan and doctor judge, with many requests at a time.
//
// It never changes anything, never judges, and never takes a part that it could not read for absent.
package collector

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/ebbhq/ebb/internal/cloud"
)

// Collector takes inventories. It is safe for concurrent use.
type Collector struct {
	AutoScaling *autoscaling.Client
	ECS         *ecs.Client
	ELB         *elb.Client
	SQS         *sqs.Client
	Events      *eventbridge.Client
	STS         *sts.Client
	EC2         cloud.AskEC2
	Region      string
	Now         func() time.Time
	pauses      []time.Duration // before each further attempt at a throttled request
}

// New returns a Collector on the AWS SDK with this configuration. Each request ends after 10 s.
func New(cfg aws.Config) *Collector {
	cfg = cloud.WithTimeout(cfg)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // see try
	cfg.Logger = logging.Nop{}                                   // it would write to standard error what Unread holds
	return &Collector{
		AutoScaling: autoscaling.NewFromConfig(cfg), ECS: ecs.NewFromConfig(cfg), ELB: elb.NewFromConfig(cfg), SQS: sqs.NewFromConfig(cfg),
		Events: eventbridge.NewFromConfig(cfg), STS: sts.NewFromConfig(cfg), EC2: cloud.NewEC2(cfg).Ask, Region: cfg.Region, Now: time.Now,
		pauses: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond},
	}
}
