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

	"github.com/ebbhq/ebb/internal/inventory"
)

// queues reads queues by URL and by ARN, and the dead-letter queues behind them.
func (l *look) queues(ctx context.Context, urls, arns []string) []inventory.Queue {
	urls = unique(urls)
	named := make([]inventory.Queue, len(urls))
	each(urls, func(i int, url string) { named[i] = l.queue(ctx, inventory.Queue{URL: url}) })
	out := named
	for range 2 { // the queues, then their dead-letter queues
		arns = slices.DeleteFunc(unique(arns), func(arn string) bool {
			return slices.ContainsFunc(out, func(q inventory.Queue) bool { return q.ARN == arn })
		})
		more := make([]inventory.Queue, len(arns))
		each(arns, func(i int, arn string) { more[i] = l.queueByARN(ctx, arn) })
		out = append(out, more...)
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
	l.read("sqs:GetQueueUrl of queue "+arn, func() error {
		out, err := ask(ctx, l, l.SQS.GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: aws.String(parts[5]), QueueOwnerAWSAccountId: aws.String(parts[4])})
		if noSuchQueue(err) {
			q.Absent = true
			return nil
		}
		if err != nil {
			return err
		}
		q.URL = aws.ToString(out.QueueUrl)
		return nil
	})
	if q.URL == "" {
		return q
	}
	return l.queue(ctx, q)
}

// queue reads the attributes of a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (l *look) queue(ctx context.Context, q inventory.Queue) inventory.Queue {
	l.read("sqs:GetQueueAttributes of queue "+q.URL, func() error {
		out, err := ask(ctx, l, l.SQS.GetQueueAttributes, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(q.URL), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
		})
		if noSuchQueue(err) {
			q.Absent = true
			return nil
		}
		if err != nil {
			return err
		}
		return attributes(&q, out.Attributes)
	})
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
	q.Visible, q.InFlight = count(sqstypes.QueueAttributeNameApproximateNumberOfMessages), count(sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
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

// rules reads the rules of the default bus that may match an event of Auto Scaling: others are not asked for their targets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (l *look) rules(ctx context.Context) []inventory.Rule {
	var out []inventory.Rule
	l.read("events:ListRules", func() error {
		return pages(func(token *string) (*string, error) {
			page, err := ask(ctx, l, l.Events.ListRules, &eventbridge.ListRulesInput{NextToken: token})
			if err != nil {
				return nil, err
			}
			for _, r := range page.Rules {
				if pattern := aws.ToString(r.EventPattern); strings.Contains(pattern, "autoscaling") || pattern != "" && !strings.Contains(pattern, `"source"`) {
					out = append(out, inventory.Rule{
						Name: aws.ToString(r.Name), ARN: aws.ToString(r.Arn), Pattern: pattern,
						Enabled: r.State != ebtypes.RuleStateDisabled, ManagedBy: aws.ToString(r.ManagedBy),
					})
				}
			}
			return page.NextToken, nil
		})
	})
	each(out, func(i int, r inventory.Rule) {
		l.read("events:ListTargetsByRule of rule "+r.Name, func() error { return l.ruleTargets(ctx, &out[i]) })
	})
	return out
}

func (l *look) ruleTargets(ctx context.Context, r *inventory.Rule) error {
	return pages(func(token *string) (*string, error) {
		out, err := ask(ctx, l, l.Events.ListTargetsByRule, &eventbridge.ListTargetsByRuleInput{Rule: aws.String(r.Name), NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, t := range out.Targets {
			r.Targets = append(r.Targets, aws.ToString(t.Arn))
			if aws.ToString(t.RoleArn) != "" {
				r.WithRole = append(r.WithRole, aws.ToString(t.Arn))
			}
		}
		return out.NextToken, nil
	})
}
