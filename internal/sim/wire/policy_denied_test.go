package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestDenied holds code, status and words of the refusals of each service, as the SDK reads them.
func TestDenied(t *testing.T) {
	const user, account = "User: arn:aws:iam::111122223333:user/ebb is not authorized to perform: ", ":eu-west-1:111122223333:"
	because := func(action string) string {
		return " because no identity-based policy allows the " + action + " action"
	}
	for _, c := range []struct {
		name, code, message string
		status              int
		call                func(aws.Config) error
	}{
		{"ecs on a resource", "AccessDeniedException", user + "ecs:DescribeTasks on resource: arn:aws:ecs" + account + "task/demo/x" +
			because("ecs:DescribeTasks"), 400, func(c aws.Config) error {
			_, err := ecs.NewFromConfig(c).DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: new("demo"), Tasks: []string{"x"}})
			return err
		}},
		{"ecs without a resource", "AccessDeniedException", user + "ecs:ListClusters on resource: *" + because("ecs:ListClusters"), 400, func(c aws.Config) error {
			_, err := ecs.NewFromConfig(c).ListClusters(t.Context(), &ecs.ListClustersInput{})
			return err
		}},
		{"autoscaling", "AccessDenied", user + "autoscaling:DescribeAutoScalingGroups" + because("autoscaling:DescribeAutoScalingGroups"), 403,
			func(c aws.Config) error {
				_, err := autoscaling.NewFromConfig(c).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
				return err
			}},
		{"a group that is not there", "AccessDenied", user + "autoscaling:SetDesiredCapacity on resource: arn:aws:autoscaling" + account +
			"autoScalingGroup:*:autoScalingGroupName/none" + because("autoscaling:SetDesiredCapacity"), 403, func(c aws.Config) error {
			_, err := autoscaling.NewFromConfig(c).SetDesiredCapacity(t.Context(),
				&autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: new("none"), DesiredCapacity: new(int32(1))})
			return err
		}},
		{"elasticloadbalancing", "AccessDenied", user + "elasticloadbalancing:DescribeTargetGroups" +
			because("elasticloadbalancing:DescribeTargetGroups"), 403, func(c aws.Config) error {
			_, err := elb.NewFromConfig(c).DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})
			return err
		}},
		{"a batch of sqs", "AccessDenied", user + "sqs:deletemessage on resource: arn:aws:sqs" + account + "ebb" + because("sqs:deletemessage"),
			403, func(c aws.Config) error {
				_, err := sqs.NewFromConfig(c).DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{
					QueueUrl: new("https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"), Entries: []sqstypes.DeleteMessageBatchRequestEntry{{Id: new("1"),
						ReceiptHandle: new("x")}},
				})
				return err
			}},
		{"sns", "AuthorizationError", user + "SNS:Publish on resource: arn:aws:sns" + account + "t" + because("SNS:Publish"), 403, func(c aws.Config) error {
			_, err := sns.NewFromConfig(c).Publish(t.Context(), &sns.PublishInput{TopicArn: new("arn:aws:sns" + account + "t"), Message: new("m")})
			return err
		}},
		{"events", "AccessDeniedException", user + "events:DescribeRule on resource: arn:aws:events" + account + "rule/r" +
			because("events:DescribeRule"), 400, func(c aws.Config) error {
			_, err := eb.NewFromConfig(c).DescribeRule(t.Context(), &eb.DescribeRuleInput{Name: new("r")})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := New(Config{World: sim.New(core.Config{})})
			api.Attach("ebb", allowing(t, `"Action":"s3:*","Resource":"*"`))
			err := c.call(config(api.Handler()))
			var e smithy.APIError
			if !errors.As(err, &e) || e.ErrorCode() != c.code || e.ErrorMessage() != c.message {
				t.Errorf("got %v\nwant %s: %s", err, c.code, c.message)
			}
			var status interface{ HTTPStatusCode() int }
			if !errors.As(err, &status) || status.HTTPStatusCode() != c.status {
				t.Errorf("got %v, want status %d", err, c.status)
			}
		})
	}
}

// TestDeniedEC2 reads EC2's answer as it is, because the SDK's EC2 package is for nobody; with an explicit Deny.
func TestDeniedEC2(t *testing.T) {
	api := New(Config{World: sim.New(core.Config{})})
	api.Attach("operator", mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},`+
		`{"Effect":"Deny","Action":"ec2:Terminate*","Resource":"*"}]}`))
	w := post(api.Handler(), "ec2", "", "Action=TerminateInstances&InstanceId.1=i-0a1b2c3d4e5f60718")
	want := "<Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: " +
		"arn:aws:iam::111122223333:user/operator is not authorized to perform: " +
		"ec2:TerminateInstances on resource: arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f60718 with an explicit deny in an " +
		"identity-based policy</Message>"
	if body := w.Body.String(); w.Code != 403 || !strings.Contains(body, want) {
		t.Errorf("%d %s", w.Code, body)
	}
	if w := post(api.Handler(), "ec2", "", "Action=DescribeInstances"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
