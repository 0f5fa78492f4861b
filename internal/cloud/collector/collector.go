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
	pace        pace
}

// New returns a Collector on the AWS SDK with this configuration. Each request ends after 10 s.
func New(cfg aws.Config) *Collector {
	cfg = cloud.WithTimeout(cfg)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // see try
	cfg.Logger = logging.Nop{}                                   // it would write to standard error what Unread holds
	s := &Collector{Region: cfg.Region, Now: time.Now}
	s.EC2 = s.pace.pacedEC2(cloud.NewEC2(cfg).Ask)
	cfg = s.pace.paced(cfg)
	s.AutoScaling, s.ECS, s.ELB = autoscaling.NewFromConfig(cfg), ecs.NewFromConfig(cfg), elb.NewFromConfig(cfg)
	s.SQS, s.Events, s.STS = sqs.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg), sts.NewFromConfig(cfg)
	for pause := 200 * time.Millisecond; pause < time.Minute; pause *= 2 { // all that others leave, for half a minute or more
		s.pauses = append(s.pauses, min(pause, 10*time.Second))
	}
	return s
}
