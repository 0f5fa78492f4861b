package model

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

func fieldOf(t reflect.Type, name string) (int, bool) {
	f, ok := t.FieldByName(name)
	if !ok {
		return 0, false
	}
	return f.Index[0], true
}

// Go reads every pattern.
func TestEveryPattern(t *testing.T) {
	n := 0
	for _, s := range read() {
		for _, shape := range s.Shapes {
			if shape.Pattern != "" {
				compiled(or(shape.Regexp, shape.Pattern))
				n++
			}
		}
	}
	if n < 30 {
		t.Errorf("there are %d patterns", n)
	}
}

func TestWhatTheModelDoesNotAllow(t *testing.T) {
	const at, null = "failed to satisfy constraint: ", "Member must not be null"
	long, id := strings.Repeat("x", 37), "i-0123456789abcdef0"
	for _, c := range []struct {
		service, operation string
		request            any
		want               []string
	}{
		{"autoscaling", "CompleteLifecycleAction", autoscaling.CompleteLifecycleActionInput{InstanceId: &id}, nil}, // what must be there is in the row
		{"autoscaling", "CompleteLifecycleAction", autoscaling.CompleteLifecycleActionInput{LifecycleActionToken: &long, InstanceId: new(id + "1")}, []string{
			"Value '" + long + "' at 'lifecycleActionToken' " + at + "Member must have length less than or equal to 36",
			"Value '" + id + "1' at 'instanceId' " + at + "Member must have length less than or equal to 19",
		}},
		{"autoscaling", "PutLifecycleHook", autoscaling.PutLifecycleHookInput{LifecycleHookName: new("a name")}, []string{
			"Value 'a name' at 'lifecycleHookName' " + at + `Member must satisfy regular expression pattern: [A-Za-z0-9\-_\/]+`,
		}},
		{"autoscaling", "DescribeAutoScalingInstances", autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{id, ""}}, []string{
			"Value '[" + id + ", ]' at 'instanceIds' " + at + "Member must satisfy constraint: [Member must have length less than or equal to 19, " +
				"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: " +
				`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*]`,
		}},
		{"autoscaling", "DescribeAutoScalingGroups", autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"\U0001F986"}}, nil},
		{"autoscaling", "UpdateAutoScalingGroup", autoscaling.UpdateAutoScalingGroupInput{LaunchTemplate: &types.LaunchTemplateSpecification{
			LaunchTemplateName: new("ab"),
		}}, []string{"Value 'ab' at 'launchTemplate.launchTemplateName' " + at + "Member must have length greater than or equal to 3"}},
		{"events", "PutTargets", eventbridge.PutTargetsInput{Rule: new("r"), Targets: []eventtypes.Target{{Id: new("1"), Arn: new("a")}, {Id: new("2 ")}}}, []string{
			"Value '2 ' at 'targets.2.member.id' " + at + `Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+`,
			"Value null at 'targets.2.member.arn' " + at + null,
		}},
		{"events", "PutTargets", eventbridge.PutTargetsInput{Targets: []eventtypes.Target{}}, []string{
			"Value at 'targets' " + at + "Member must have length greater than or equal to 1",
		}},
	} {
		v := reflect.ValueOf(c.request)
		got := Of(c.service, c.operation, v.Type(), fieldOf)(v)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %+v:\n got %q\nwant %q", c.operation, c.request, got, c.want)
		}
	}
}
