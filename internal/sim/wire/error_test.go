package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// refusing serves calls that are all refused with the same error, which depends on nothing in a world.
func refusing(e *core.Error) http.Handler {
	s := &server{api: New(Config{World: sim.New(core.Config{})})}
	for _, known := range s.api.services {
		for _, o := range known.operations {
			o.Needs = func(any) []core.Member { return nil }
			o.Run = func(*core.Call, any) (any, error) { return nil, e }
		}
	}
	return http.HandlerFunc(s.serve)
}

// TestErrors compares what the SDK's client makes of a refusal with the same refusal on the direct face: code, message, fault and type.
func TestErrors(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := []struct {
		service string
		error   core.Error
		code    string
		typed   any // a pointer to the SDK's type of the error; nil: it has none
		call    func(context.Context, http.Handler) error
	}{
		{"autoscaling", core.Error{Code: "ValidationError", Message: "No active Lifecycle Action found with instance ID i-1", Status: 400}, "ValidationError", nil,
			func(ctx context.Context, h http.Handler) error {
				_, err := autoscaling.NewFromConfig(config(h)).CompleteLifecycleAction(ctx, &autoscaling.CompleteLifecycleActionInput{
					AutoScalingGroupName: text("g"), LifecycleHookName: text("h"), LifecycleActionResult: text("CONTINUE")})
				return err
			}},
		{"autoscaling", core.Error{Code: "ResourceContention", Message: "busy <&>", Status: 500}, "ResourceContention",
			new(*astypes.ResourceContentionFault), describeGroups},
		{"autoscaling", core.Error{Code: "Throttling", Message: "Rate exceeded", Status: 400}, "Throttling", nil, describeGroups},
		{"ecs", core.Error{Code: "ClusterNotFoundException", Message: "Cluster not found.", Status: 400}, "ClusterNotFoundException",
			new(*ecstypes.ClusterNotFoundException), listTasks},
		{"ecs", core.Error{Code: "ServerException", Message: "later", Status: 500}, "ServerException", new(*ecstypes.ServerException), listTasks},
		{"elasticloadbalancing", core.Error{Code: "TargetGroupNotFound", Message: "not found", Status: 400}, "TargetGroupNotFound",
			new(*elbtypes.TargetGroupNotFoundException),
			func(ctx context.Context, h http.Handler) error {
				_, err := elb.NewFromConfig(config(h)).DescribeTargetGroups(ctx, nil)
				return err
			}},
		{"sqs", core.Error{Code: "QueueDoesNotExist", Message: "The specified queue does not exist.", Status: 400},
			"AWS.SimpleQueueService.NonExistentQueue", new(*sqstypes.QueueDoesNotExist),
			func(ctx context.Context, h http.Handler) error {
				_, err := sqs.NewFromConfig(config(h)).ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: text("q")})
				return err
			}},
		{"sns", core.Error{Code: "NotFound", Message: "Topic does not exist", Status: 404}, "NotFound", nil,
			func(ctx context.Context, h http.Handler) error {
				_, err := sns.NewFromConfig(config(h)).ListTopics(ctx, nil)
				return err
			}},
		{"events", core.Error{Code: "ResourceNotFoundException", Message: "no rule", Status: 400}, "ResourceNotFoundException", nil,
			func(ctx context.Context, h http.Handler) error {
				_, err := eb.NewFromConfig(config(h)).ListRules(ctx, nil)
				return err
			}},
	}
	api := New(Config{World: sim.New(core.Config{})})
	for _, tt := range tests {
		t.Run(tt.service+"."+tt.error.Code, func(t *testing.T) {
			faces := map[string]error{
				"http":   tt.call(t.Context(), refusing(&tt.error)),
				"direct": refusal(Request{Service: tt.service, row: &operation{of: api.services[tt.service]}}, &tt.error),
			}
			for face, err := range faces {
				var e smithy.APIError
				if !errors.As(err, &e) {
					t.Fatalf("%s: %v is not an API error", face, err)
				}
				if e.ErrorCode() != tt.code || e.ErrorMessage() != tt.error.Message {
					t.Errorf("%s: got %s %q, want %s %q", face, e.ErrorCode(), e.ErrorMessage(), tt.code, tt.error.Message)
				}
				if tt.typed != nil && !errors.As(err, tt.typed) {
					t.Errorf("%s: %v is not a %T", face, err, tt.typed)
				}
			}
		})
	}
}

func describeGroups(ctx context.Context, h http.Handler) error {
	_, err := autoscaling.NewFromConfig(config(h)).DescribeAutoScalingGroups(ctx, nil)
	return err
}

func listTasks(ctx context.Context, h http.Handler) error {
	_, err := ecs.NewFromConfig(config(h)).ListTasks(ctx, nil)
	return err
}

func TestErrorShapes(t *testing.T) {
	h := New(Config{World: sim.New(core.Config{}), Strict: true}).Handler()
	tests := []struct {
		name, service, target, body string
		status                      int
		contains                    []string
	}{
		{"unknown query operation", "autoscaling", "", "Action=CreateAutoScalingGroup&Version=2011-01-01", 400,
			[]string{"<Code>InvalidAction</Code>", "CompleteLifecycleAction"}},
		{"unknown ec2 operation", "ec2", "", "Action=RunInstances", 400, []string{"<Response><Errors><Error><Code>InvalidAction</Code>",
			"<RequestID>", "StopInstances"}},
		{"unknown json operation", "ecs", "AmazonEC2ContainerServiceV20141113.CreateCluster", "{}", 400,
			[]string{`"__type":"UnknownOperationException"`, "ListTasks"}},
		{"unknown service", "s3", "", "", 400, []string{"InvalidAction", "no service"}},
		{"not json", "ecs", "AmazonEC2ContainerServiceV20141113.ListTasks", "{", 400, []string{`"__type":"SerializationException"`}},
		{"two json values", "ecs", "AmazonEC2ContainerServiceV20141113.ListTasks", "{}{}", 400, []string{`SerializationException`}},
		{"wrong json type", "ecs", "AmazonEC2ContainerServiceV20141113.DescribeTasks", `{"tasks":"x"}`, 400, []string{"SerializationException", "must be a list"}},
		{"null", "ecs", "AmazonEC2ContainerServiceV20141113.DescribeTasks", `null`, 400, []string{"SerializationException"}},
		{"number too large", "ecs", "AmazonEC2ContainerServiceV20141113.ListTasks", `{"maxResults":99999999999}`, 400, []string{"SerializationException"}},
		{"unknown member", "ecs", "AmazonEC2ContainerServiceV20141113.ListTasks", `{"Cluster":"demo"}`, 400, []string{"SerializationException",
			`no member \"Cluster\"`}},
		{"sqs", "sqs", "AmazonSQS.ReceiveMessage", `{"QueueUrl":1}`, 400, []string{`com.amazonaws.sqs#SerializationException`}},
		{"not a form", "autoscaling", "", "Action=DescribeAutoScalingGroups&%zz", 400, []string{"Error"}},
		{"value and structure", "autoscaling", "", "Action=DescribeAutoScalingGroups&Filters=1&Filters.member.1.Name=x", 400,
			[]string{"<Code>MalformedQueryString</Code>"}},
		{"number", "autoscaling", "", "Action=DescribeAutoScalingGroups&MaxRecords=many", 400, []string{"MalformedQueryString", "whole number"}},
		{"list key", "autoscaling", "", "Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.x=1", 400, []string{"MalformedQueryString"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := post(h, tt.service, tt.target, tt.body)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			for _, part := range tt.contains {
				if !strings.Contains(w.Body.String(), part) {
					t.Errorf("%q is not in %s", part, w.Body)
				}
			}
		})
	}
}
