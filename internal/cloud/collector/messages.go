package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/inventory"
)

// queues reads queues by URL and by ARN, and the dead-letter queues behind them.
func (l *look) queues(ctx context.Context, urls, arns []string) []inventory.Queue {
	out := parallel(unique(urls), func(url string) inventory.Queue { return l.queue(ctx, inventory.Queue{URL: url}) })
	for range 2 { // the queues, then their dead-letter queues
		arns = slices.DeleteFunc(unique(arns), func(arn string) bool {
			return slices.ContainsFunc(out, func(q inventory.Queue) bool { return q.ARN == arn })
		})
		out = append(out, parallel(arns, func(arn string) inventory.Queue { return l.queueByARN(ctx, arn) })...)
		arns = nil
		for _, q := range out {
			arns = append(arns, q.Redrive)
		}
	}
	return out
}

// queueByARN finds the URL of a queue: arn:aws:sqs:REGION:ACCOUNT:NAME.
func (l *look) queueByARN(ctx context.Context, arn string) inventory.Queue {
	q := inventory.Queue{ARN: arn}
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[3] != l.Region {
		l.missed("sqs:GetQueueUrl of queue "+arn, "the queue is in another Region than this inventory")
		return q
	}
	in := &sqs.GetQueueUrlInput{QueueName: aws.String(parts[5]), QueueOwnerAWSAccountId: aws.String(parts[4])}
	out, err := cloud.Ask(ctx, l.try, l.SQS.GetQueueUrl, in)
	if err == nil {
		q.URL = aws.ToString(out.QueueUrl)
	} else if q.Absent = noSuchQueue(err); !q.Absent {
		l.note("sqs:GetQueueUrl of queue "+arn, err)
	}
	if q.URL == "" {
		return q
	}
	return l.queue(ctx, q)
}

// queue reads the attributes of a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (l *look) queue(ctx context.Context, q inventory.Queue) inventory.Queue {
	all := []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}
	in := &sqs.GetQueueAttributesInput{QueueUrl: aws.String(q.URL), AttributeNames: all}
	out, err := cloud.Ask(ctx, l.try, l.SQS.GetQueueAttributes, in)
	if err == nil {
		err = attributes(&q, out.Attributes)
	} else if q.Absent = noSuchQueue(err); q.Absent {
		return q
	}
	l.note("sqs:GetQueueAttributes of queue "+q.URL, err)
	return q
}

// noSuchQueue knows both spellings of the code: SQS has the old one in the query protocol's header.
func noSuchQueue(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (strings.HasSuffix(api.ErrorCode(), "NonExistentQueue") || strings.HasSuffix(api.ErrorCode(), "QueueDoesNotExist"))
}

func attributes(q *inventory.Queue, in map[string]string) error {
	var bad error
	count := func(name sqstypes.QueueAttributeName) int {
		n, err := strconv.Atoi(in[string(name)])
		if err != nil {
			bad = fmt.Errorf("attribute %s is %q, not a number", name, in[string(name)])
		}
		return n
	}
	q.ARN, q.Policy = in[string(sqstypes.QueueAttributeNameQueueArn)], in[string(sqstypes.QueueAttributeNamePolicy)]
	q.Visibility = time.Duration(count(sqstypes.QueueAttributeNameVisibilityTimeout)) * time.Second
	q.Retention = time.Duration(count(sqstypes.QueueAttributeNameMessageRetentionPeriod)) * time.Second
	q.Visible = count(sqstypes.QueueAttributeNameApproximateNumberOfMessages)
	q.Redrive, q.MaxReceives = redrive(in[string(sqstypes.QueueAttributeNameRedrivePolicy)])
	return bad
}

// redrive reads a redrive policy. maxReceiveCount is a number or, as the AWS CLI examples write it, a string.
func redrive(policy string) (string, int) {
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Max    json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return "", 0
	}
	n, _ := strconv.Atoi(strings.Trim(string(p.Max), `"`)) // not a number: unknown, which is 0
	return p.Target, n
}

// concerns reports whether a rule may be about one of the groups: its pattern does not name only others.
func concerns(pattern string, groups []*inventory.Group) bool {
	var p struct {
		Detail struct{ AutoScalingGroupName []any }
	}
	if json.Unmarshal([]byte(pattern), &p) != nil || len(p.Detail.AutoScalingGroupName) == 0 {
		return true
	}
	return slices.ContainsFunc(p.Detail.AutoScalingGroupName, func(one any) bool {
		name, exact := one.(string)
		return !exact || slices.ContainsFunc(groups, func(g *inventory.Group) bool { return g.Name == name })
	})
}

// rules reads the rules of the default bus that may match an event of Auto Scaling, and of these the wanted: others are not asked for their
// targets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (l *look) rules(ctx context.Context, wanted func(pattern string) bool) []inventory.Rule {
	in := &eventbridge.ListRulesInput{}
	rules := list(ctx, l, "events:ListRules", l.Events.ListRules, in, &in.NextToken,
		func(page *eventbridge.ListRulesOutput) ([]ebtypes.Rule, *string) { return page.Rules, page.NextToken })
	rules = slices.DeleteFunc(rules, func(r ebtypes.Rule) bool {
		pattern := aws.ToString(r.EventPattern)
		return !strings.Contains(pattern, "autoscaling") && (pattern == "" || strings.Contains(pattern, `"source"`)) || !wanted(pattern)
	})
	return parallel(rules, func(r ebtypes.Rule) inventory.Rule { return l.rule(ctx, r) })
}

func (l *look) rule(ctx context.Context, r ebtypes.Rule) inventory.Rule {
	out := inventory.Rule{
		Name: aws.ToString(r.Name), ARN: aws.ToString(r.Arn), Pattern: aws.ToString(r.EventPattern),
		Enabled: r.State != ebtypes.RuleStateDisabled, ManagedBy: aws.ToString(r.ManagedBy),
	}
	in := &eventbridge.ListTargetsByRuleInput{Rule: r.Name}
	targets := list(ctx, l, "events:ListTargetsByRule of rule "+out.Name, l.Events.ListTargetsByRule, in, &in.NextToken,
		func(page *eventbridge.ListTargetsByRuleOutput) ([]ebtypes.Target, *string) {
			return page.Targets, page.NextToken
		})
	for _, t := range targets {
		out.Targets = append(out.Targets, aws.ToString(t.Arn))
		if aws.ToString(t.RoleArn) != "" {
			out.WithRole = append(out.WithRole, aws.ToString(t.Arn))
		}
	}
	return out
}
