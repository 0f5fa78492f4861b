package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

func attribute(key, value string) elbtypes.TargetGroupAttribute {
	return elbtypes.TargetGroupAttribute{Key: aws.String(key), Value: aws.String(value)}
}

func TestTheDelayOfATargetGroup(t *testing.T) {
	const delay, termination = "deregistration_delay.timeout_seconds", "deregistration_delay.connection_termination.enabled"
	for name, x := range map[string]struct {
		answer []elbtypes.TargetGroupAttribute
		delays []fleet.Delay
		closes bool
		bad    bool
	}{
		"a minute": {[]elbtypes.TargetGroupAttribute{attribute("slow_start", "0"), attribute(delay, "60")},
			[]fleet.Delay{{In: "tg", Delay: time.Minute}}, false, false},
		"none":         {[]elbtypes.TargetGroupAttribute{attribute(delay, "0"), attribute(termination, "true")}, []fleet.Delay{{In: "tg"}}, true, false},
		"not told":     {[]elbtypes.TargetGroupAttribute{attribute(termination, "false")}, nil, false, false},
		"not a number": {[]elbtypes.TargetGroupAttribute{attribute(delay, "soon")}, nil, false, true},
	} {
		c, _ := newFake(theAnswer(&elb.DescribeTargetGroupAttributesOutput{Attributes: x.answer}, nil))
		s := c.Look(t.Context(), plan.Look{Kind: plan.Delays, In: "tg"})
		diff(t, name, x.delays, s.View.Delays)
		if (s.Err != nil) != x.bad {
			t.Errorf("%s: %v", name, s.Err)
		}
		a, err := DescribeTargetGroupAttributes(t.Context(), count(new(int)), c.ELB, "tg")
		if a.ConnectionTermination != x.closes || (err != nil) != x.bad || x.bad && !strings.Contains(err.Error(), "of target group tg is no number") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	c, _ := newFake(theAnswer(nil, throttled))
	if s := c.Look(t.Context(), plan.Look{Kind: plan.Delays, In: "tg"}); s.Err == nil || s.Err.Class != plan.Throttled || s.View.Delays != nil {
		t.Errorf("throttled: %+v", s)
	}
}

func TestATargetWithoutAStateIsLeftOut(t *testing.T) {
	target := &elbtypes.TargetDescription{Id: aws.String("i-0a"), Port: aws.Int32(80)}
	health := &elbtypes.TargetHealth{State: "draining"}
	c, _ := newFake(theAnswer(&elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []elbtypes.TargetHealthDescription{
		{Target: target}, {TargetHealth: health}, {}, {Target: target, TargetHealth: health},
	}}, nil))
	found, err := DescribeTargetHealth(t.Context(), count(new(int)), c.ELB, "tg", nil)
	if err != nil || len(found) != 1 || found[0].State != "draining" || found[0].Target != (fleet.TargetID{ID: "i-0a", Port: 80}) {
		t.Errorf("%+v, %v", found, err)
	}
}

// Several clusters, of which one was deleted since and one does not answer: what was found is seen, and the rest is not known.
func TestAContainerInstanceIsLookedForInEveryCluster(t *testing.T) {
	found := func(in *ecs.DescribeContainerInstancesInput) *ecs.DescribeContainerInstancesOutput {
		out := &ecs.DescribeContainerInstancesOutput{}
		for _, arn := range in.ContainerInstances {
			id := "i-" + arn[strings.LastIndexByte(arn, '/')+1:]
			out.ContainerInstances = append(out.ContainerInstances, ecstypes.ContainerInstance{ContainerInstanceArn: aws.String(arn), Ec2InstanceId: aws.String(id)})
		}
		return out
	}
	answer := func(bad map[string]error, most int) func(any) (any, error) {
		return func(in any) (any, error) {
			switch in := in.(type) {
			case *ecs.ListClustersInput:
				return &ecs.ListClustersOutput{ClusterArns: []string{"gone", "first", "last"}}, bad["list"]
			case *ecs.ListContainerInstancesInput:
				out := &ecs.ListContainerInstancesOutput{}
				if *in.Cluster == "last" {
					for i := range most {
						out.ContainerInstanceArns = append(out.ContainerInstanceArns, fmt.Sprintf("ci/last/%08d", i))
					}
				}
				return out, bad[*in.Cluster]
			case *ecs.DescribeContainerInstancesInput:
				if slices.Contains(in.ContainerInstances, "ci/last/00000000") && bad["describe"] != nil {
					return nil, bad["describe"]
				}
				return found(in), nil
			}
			return nil, errBroken
		}
	}
	look := func(bad map[string]error, most int, ids ...string) plan.LookResult {
		c, _ := newFake(answer(bad, most))
		return c.Look(t.Context(), plan.LookFor(plan.FindContainerInstances, "", ids...))
	}
	gone := map[string]error{"gone": noCluster}
	if s := look(gone, 1, "i-00000000", "i-00000001"); s.Err != nil || len(s.Failed) != 0 || len(s.View.ContainerInstances) != 1 {
		t.Errorf("one was deleted: %+v", s)
	}
	bad := map[string]error{"gone": noCluster, "first": throttled}
	s := look(bad, 1, "i-00000000", "i-00000001")
	if s.Err != nil || len(s.View.ContainerInstances) != 1 {
		t.Errorf("one does not answer: %+v", s)
	}
	diff(t, "what is not known then", []string{"i-00000001"}, failedIDs(t, s.Failed, plan.Throttled))
	if s := look(map[string]error{"list": throttled}, 1, "i-00000000"); s.Err == nil || s.Err.Class != plan.Throttled {
		t.Errorf("the clusters cannot be listed: %+v", s)
	}
	s = look(map[string]error{"gone": noCluster, "describe": throttled}, plan.MaxDescribeECS+1, "i-00000000", "i-00000100")
	if s.Err != nil || len(s.View.ContainerInstances) != 1 || s.View.ContainerInstances[0].Instance != "i-00000100" {
		t.Errorf("one part cannot be described: %+v", s)
	}
	diff(t, "what is not known then", []string{"i-00000000"}, failedIDs(t, s.Failed, plan.Throttled))
	c, f := newFake(answer(nil, 0))
	if s := c.Look(t.Context(), plan.LookFor(plan.FindContainerInstances, "", "not an id")); s.Err != nil || len(f.asked) != 0 {
		t.Errorf("nobody can have it: %+v after %d calls", s, len(f.asked))
	}
	_, err := ListContainerInstances(t.Context(), count(new(int)), c.ECS, "prod", nil)
	if err != nil || f.asked[0].(*ecs.ListContainerInstancesInput).Filter != nil {
		t.Errorf("all are listed with the filter %v, error %v", f.asked[0], err)
	}
}

func TestPagesOfTheListOfAClusterAreKeptWhenTheNextOneFails(t *testing.T) {
	n := 0
	c, _ := newFake(func(any) (any, error) {
		if n++; n == 3 {
			return nil, throttled
		}
		return &ecs.ListTasksOutput{TaskArns: []string{fmt.Sprint("a", n), fmt.Sprint("b", n)}, NextToken: aws.String(fmt.Sprint("t", n))}, nil
	})
	s := c.Look(t.Context(), plan.LookFor(plan.ListCluster, "prod", "RUNNING"))
	if s.Err != nil || len(s.View.Listed) != 4 || s.View.Next != "t2" || s.Calls != 3 {
		t.Errorf("%+v", s)
	}
	n = 2
	if s := c.Look(t.Context(), plan.LookFor(plan.ListCluster, "prod", "RUNNING")); s.Err == nil || s.Err.Class != plan.Throttled || s.Calls != 1 {
		t.Errorf("the first one fails: %+v", s)
	}
}

func TestSizesOfClusters(t *testing.T) {
	c, _ := newFake(theAnswer(&ecs.DescribeClustersOutput{
		Clusters: []ecstypes.Cluster{
			{ClusterArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:cluster/prod"), RunningTasksCount: 3, PendingTasksCount: 1},
			{ClusterArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:cluster/test"), RunningTasksCount: 5},
		},
		Failures: []ecstypes.Failure{{Arn: aws.String("arn:aws:ecs:eu-west-1:111122223333:cluster/late"), Reason: aws.String("SERVER")}},
	}, nil))
	s := c.Look(t.Context(), plan.LookFor(plan.Clusters, "", "prod", "arn:aws:ecs:eu-west-1:111122223333:cluster/test", "late"))
	diff(t, "clusters", []fleet.Cluster{
		{Name: "prod", Running: 3, Pending: 1}, {Name: "arn:aws:ecs:eu-west-1:111122223333:cluster/test", Running: 5},
	}, s.View.Clusters)
	if len(s.Failed) != 1 || s.Failed[0].ID != "late" {
		t.Errorf("failed %+v", s.Failed)
	}
}

func TestATaskThatAWSCouldNotSpeakOfIsNotKnown(t *testing.T) {
	c, _ := newFake(theAnswer(&ecs.DescribeTasksOutput{Failures: []ecstypes.Failure{{Arn: aws.String("arn:1"), Reason: aws.String("SERVER")}}}, nil))
	if s := c.Look(t.Context(), plan.LookFor(plan.Tasks, "prod", "arn:1")); len(s.Failed) != 1 || s.Failed[0].ID != "arn:1" {
		t.Errorf("%+v", s)
	}
}

// The activities of a group are read until all wanted instances are found.
func TestActivitiesAreReadUntilAllAreFound(t *testing.T) {
	page := func(id, next string) *autoscaling.DescribeScalingActivitiesOutput {
		return &autoscaling.DescribeScalingActivitiesOutput{
			Activities: []astypes.Activity{
				{Description: aws.String("Launching a new EC2 instance: i-0000000f")}, {Description: aws.String("Terminating EC2 instance: " + id)},
				{Description: aws.String("Terminating everything")},
			}, NextToken: aws.String(next),
		}
	}
	for name, x := range map[string]struct {
		wanted []string
		calls  int
	}{
		"the first":  {[]string{"i-0000000a"}, 1},
		"two":        {[]string{"i-0000000a", "i-0000000b"}, 2},
		"the second": {[]string{"i-0000000b"}, 2},
		"neither":    {[]string{"i-0000000c", "i-0000000a"}, 3},
		"all":        {nil, 3},
	} {
		n := 0
		c, _ := newFake(func(any) (any, error) {
			n++
			return page([]string{"i-0000000a", "i-0000000b", "i-0000000d"}[n-1], []string{"t1", "t2", ""}[n-1]), nil
		})
		s := c.Look(t.Context(), plan.LookFor(plan.Activities, "web", x.wanted...))
		if s.Err != nil || s.Calls != x.calls || len(s.View.Activities) != x.calls {
			t.Errorf("%s: %+v, want %d calls with an activity each", name, s, x.calls)
		}
	}
}

func TestWhatGroupsSay(t *testing.T) {
	policy := func(a astypes.RetentionAction) *astypes.InstanceLifecyclePolicy {
		return &astypes.InstanceLifecyclePolicy{RetentionTriggers: &astypes.RetentionTriggers{TerminateHookAbandon: a}}
	}
	for want, policies := range map[bool][]*astypes.InstanceLifecyclePolicy{
		true: {policy(astypes.RetentionActionRetain)}, false: {nil, {}, policy(astypes.RetentionActionTerminate)},
	} {
		for _, p := range policies {
			if retains(p) != want {
				t.Errorf("%+v: %t", p, !want)
			}
		}
	}
	for status, want := range map[string]bool{"Healthy": true, "HEALTHY": true, "Unhealthy": false, "": false} {
		if healthy(aws.String(status)) != want {
			t.Errorf("%q: %t", status, !want)
		}
	}
	n := 0
	c, _ := newFake(func(any) (any, error) {
		if n++; n == 2 {
			return nil, throttled
		}
		return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []astypes.AutoScalingGroup{{}}, NextToken: aws.String("t")}, nil
	})
	if s := c.Look(t.Context(), plan.Look{Kind: plan.Groups}); s.Err == nil || len(s.View.Groups) != 0 {
		t.Errorf("some pages are taken for all: %+v", s)
	}
}

func TestEveryAddressAndLoadBalancer(t *testing.T) {
	port := func(n int32) *int32 { return &n }
	bound := []ecstypes.NetworkBinding{{ContainerPort: port(80), HostPort: port(32768)}}
	task := ecstypes.Task{Containers: []ecstypes.Container{
		{Name: aws.String("a"), NetworkBindings: bound},
		{Name: aws.String("b"), NetworkInterfaces: []ecstypes.NetworkInterface{{PrivateIpv4Address: aws.String("10.0.0.1")}}},
	}}
	diff(t, "addresses", []fleet.Address{{Container: "a", ContainerPort: 80, HostPort: 32768}, {Container: "b", IP: "10.0.0.1"}}, addresses(task))
	s := ReadService(ecstypes.Service{LoadBalancers: []ecstypes.LoadBalancer{{TargetGroupArn: aws.String("a")}, {TargetGroupArn: aws.String("b")}}})
	diff(t, "load balancers", []fleet.LoadBalancer{{TargetGroup: "a"}, {TargetGroup: "b"}}, s.LoadBalancers)
}

func TestWhoLacksCredentials(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("operation error: get identity: get credentials: none"):            true,
		errors.New("failed to retrieve credentials"):                                  true,
		errors.New("failed to refresh cached credentials, no EC2 IMDS role found"):    true,
		errors.New("connection reset by peer"):                                        false,
		fmt.Errorf("get credentials: %w", context.DeadlineExceeded):                   false,
		fmt.Errorf("get credentials: %w", context.Canceled):                           false,
		fmt.Errorf("get credentials: %w", os.ErrDeadlineExceeded):                     false,
		fmt.Errorf("get credentials: %w", &http.MaxBytesError{}):                      true,
		fmt.Errorf("get credentials: %w", netError{errors.New("connection refused")}): true,
	} {
		if got := noCredentials(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
	for want, f := range map[string]*plan.Failure{"no answer": {Message: "no answer"}, "Throttling: slow down": {Code: "Throttling", Message: "slow down"}} {
		if got := Reason(f); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// netError is an error of the network that is no time-out.
type netError struct{ error }

func (netError) Timeout() bool   { return false }
func (netError) Temporary() bool { return false }

func TestErrorsOfEC2(t *testing.T) {
	const good = `<Response><Errors><Error><Code>Busy</Code><Message>later</Message></Error></Errors></Response>`
	var api smithy.APIError
	if err := ec2Error(&http.Response{StatusCode: 503}, []byte(good)); !errors.As(err, &api) || api.ErrorCode() != "Busy" || api.ErrorMessage() != "later" {
		t.Errorf("got %v", err)
	}
	for _, body := range []string{"", "<html>", "<Response></Response>", `<Response><Errors><Error><Code>Busy</Code>`} {
		if err := ec2Error(&http.Response{StatusCode: 503}, []byte(body)); err == nil || err.Error() != "HTTP status 503 without an error that can be read" {
			t.Errorf("%q: %v", body, err)
		}
	}
	for err, want := range map[error]int{
		&smithy.GenericAPIError{Code: "InvalidInstanceID.NotFound", Message: "'i-0000000a, i-0000000b' do not exist"}: 2,
		&smithy.GenericAPIError{Code: "UnauthorizedOperation", Message: "you may not see i-0000000a"}:                 0,
		errors.New("i-0000000a"): 0,
	} {
		if got := unknownIDs(err); len(got) != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestACallEndsInTime(t *testing.T) {
	for name, client := range map[string]aws.HTTPClient{"none": nil, "the SDK's": awshttp.NewBuildableClient()} {
		got := WithTimeout(aws.Config{HTTPClient: client}).HTTPClient.(*awshttp.BuildableClient).GetTimeout()
		if got != 10*time.Second {
			t.Errorf("%s: %s", name, got)
		}
	}
	if WithTimeout(aws.Config{HTTPClient: http.DefaultClient}).HTTPClient != http.DefaultClient {
		t.Error("a client of somebody else is replaced")
	}
}

// What is not asked for is what the environment says.
func TestTheEnvironmentCounts(t *testing.T) {
	alone(t)
	credentials(t)
	t.Setenv("AWS_REGION", "eu-central-1")
	cfg, err := AWSConfig(t.Context(), Options{})
	if err != nil || cfg.Region != "eu-central-1" || cfg.BaseEndpoint != nil {
		t.Errorf("region %q, endpoint %v, %v", cfg.Region, cfg.BaseEndpoint, err)
	}
	cfg, err = AWSConfig(t.Context(), Options{Region: "eu-west-1", Endpoint: "http://127.0.0.1:1"})
	if err != nil || cfg.Region != "eu-west-1" || aws.ToString(cfg.BaseEndpoint) != "http://127.0.0.1:1" {
		t.Errorf("region %q, endpoint %v, %v", cfg.Region, cfg.BaseEndpoint, err)
	}
}
