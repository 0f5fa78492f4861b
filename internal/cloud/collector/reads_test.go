package collector

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// answering is a Collector of an AWS that has one answer in JSON for each operation, and refuses all others.
func answering(answers map[string]string) (*Collector, *[]string) {
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		operation := operationOf(r, string(body))
		asked = append(asked, operation+" "+string(body))
		if answers[operation] == "" {
			refuse(w, true, operation)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, answers[operation])
	})
	return New(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: transport{handler, &sync.Mutex{}, nil}},
	}), &asked
}

// What a task needs of a host decides where its replacement finds a place: what is too little promises one that is not there.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func TestWhatATaskNeeds(t *testing.T) {
	gpu := func(n string) []ecstypes.ResourceRequirement {
		return []ecstypes.ResourceRequirement{{Type: ecstypes.ResourceTypeGpu, Value: aws.String(n)}}
	}
	two := []ecstypes.ContainerDefinition{
		{Name: aws.String("app"), Cpu: 256, Memory: aws.Int32(1024), MemoryReservation: aws.Int32(300), ResourceRequirements: gpu("1"),
			PortMappings: []ecstypes.PortMapping{{ContainerPort: aws.Int32(8080)},
				{ContainerPort: aws.Int32(53), HostPort: aws.Int32(5353), Protocol: "udp"}},
			DependsOn: []ecstypes.ContainerDependency{{ContainerName: aws.String("log"), Condition: "START"}}},
		{Name: aws.String("log"), Cpu: 128, Memory: aws.Int32(200), ResourceRequirements: gpu("2")},
	}
	containers := []inventory.Container{{Name: "app", DependsOn: []string{"log"}}, {Name: "log"}}
	udp, web := inventory.Port{Number: 5353, UDP: true}, inventory.Port{Number: 8080}
	for name, c := range map[string]struct {
		in   ecstypes.TaskDefinition
		want inventory.TaskDefinition
	}{
		"its containers": {ecstypes.TaskDefinition{},
			inventory.TaskDefinition{Network: "bridge", CPU: 384, Memory: 500, HostPorts: []inventory.Port{udp}}},
		"a size of its own": {ecstypes.TaskDefinition{NetworkMode: "awsvpc", Cpu: aws.String("1024"), Memory: aws.String("2048")},
			inventory.TaskDefinition{Network: "awsvpc", CPU: 1024, Memory: 2048}},
		"the ports of its host": {ecstypes.TaskDefinition{NetworkMode: "host"},
			inventory.TaskDefinition{Network: "host", CPU: 384, Memory: 500, HostPorts: []inventory.Port{web, udp}}},
		"attributes": {ecstypes.TaskDefinition{NetworkMode: "none", RequiresAttributes: []ecstypes.Attribute{{Name: aws.String("a")},
			{Name: aws.String("b"), Value: aws.String("x")}}}, inventory.TaskDefinition{Network: "none", CPU: 384, Memory: 500,
			HostPorts: []inventory.Port{udp}, Requires: []string{"a", "b=x"}}},
	} {
		c.in.ContainerDefinitions, c.want.Name, c.want.GPU, c.want.Containers = two, "job:1", 3, containers
		if d := cmp.Diff(&c.want, definition("job:1", &c.in)); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

func TestAServiceIsRead(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	in := ecstypes.Service{
		ServiceName: aws.String("web"), ServiceArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:service/prod/web"),
		Status:         aws.String("DRAINING"),
		TaskDefinition: aws.String("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7"), HealthCheckGracePeriodSeconds: aws.Int32(45),
		CapacityProviderStrategy: []ecstypes.CapacityProviderStrategyItem{{CapacityProvider: aws.String("spot"), Base: 1, Weight: 2}},
		PlacementConstraints: []ecstypes.PlacementConstraint{{Type: "memberOf", Expression: aws.String("attribute:tier == fast")},
			{Type: "distinctInstance"}},
		Events: []ecstypes.ServiceEvent{{CreatedAt: &at, Message: aws.String("has reached a steady state.")}},
		Deployments: []ecstypes.Deployment{{Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY"), RolloutState: "IN_PROGRESS",
			TaskDefinition: aws.String("web:7"), DesiredCount: 4, RunningCount: 1, PendingCount: 2, FailedTasks: 3, CreatedAt: &at}},
	}
	want := &inventory.Service{
		ARN: *in.ServiceArn, Status: "DRAINING", Controller: "ECS", TaskDefinition: "web:7", HealthCheckGrace: 45 * time.Second,
		Strategy:    []inventory.StrategyItem{{Provider: "spot", Base: 1, Weight: 2}},
		Constraints: []inventory.Constraint{{Type: "memberOf", Expression: "attribute:tier == fast"}, {Type: "distinctInstance"}},
		Events:      []inventory.Event{{At: at, Text: "has reached a steady state."}},
		Deployments: []inventory.Deployment{{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: "web:7", Rollout: "IN_PROGRESS", Desired: 4,
			Running: 1, Pending: 2, Failed: 3, CreatedAt: at}},
	}
	want.Name = "web"
	if d := cmp.Diff(want, readService(in)); d != "" {
		t.Error(d)
	}
	in.DeploymentController = &ecstypes.DeploymentController{Type: "CODE_DEPLOY"}
	if got := readService(in).Controller; got != "CODE_DEPLOY" {
		t.Errorf("the controller is %s", got)
	}
}

// A policy that leaves any room above the base asks for Spot capacity, also if it is one instance in a hundred.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html
func TestWhichPoliciesAskForSpot(t *testing.T) {
	for percent, want := range map[int32]bool{0: true, 1: true, 99: true, 100: false} {
		p := &astypes.MixedInstancesPolicy{InstancesDistribution: &astypes.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: &percent}}
		if got := asksForSpot(p); got != want {
			t.Errorf("with %d %% On-Demand: %v", percent, got)
		}
	}
	for _, p := range []*astypes.MixedInstancesPolicy{nil, {}, {InstancesDistribution: &astypes.InstancesDistribution{}}} {
		if asksForSpot(p) {
			t.Errorf("%+v asks for Spot capacity", p)
		}
	}
}

func TestAQueueIsRead(t *testing.T) {
	const arn = "arn:aws:sqs:eu-west-1:111122223333:"
	for _, receives := range []string{`5`, `"5"`} { // as the API has it, and as the AWS CLI's examples write it
		var q inventory.Queue
		err := attributes(&q, map[string]string{"QueueArn": arn + "ebb", "Policy": "{}", "VisibilityTimeout": "30",
			"MessageRetentionPeriod": "345600", "ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "9",
			"RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `dead","maxReceiveCount":` + receives + `}`})
		want := inventory.Queue{ARN: arn + "ebb", Policy: "{}", Visibility: 30 * time.Second, Retention: 96 * time.Hour, Visible: 7,
			Redrive: arn + "dead", MaxReceives: 5}
		if d := cmp.Diff(want, q); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	}
}

// Only AWS's own word for it makes a queue absent. One that may not be read may be there: doctor would advise to create it.
func TestAQueueThatCannotBeReadIsNotAbsent(t *testing.T) {
	code := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	for _, err := range []error{code("AWS.SimpleQueueService.NonExistentQueue"), code("QueueDoesNotExist"),
		code("com.amazonaws.sqs#QueueDoesNotExist")} {
		if !noSuchQueue(err) {
			t.Errorf("%v: the queue is there", err)
		}
	}
	for _, err := range []error{code("AccessDenied"), code("KMS.AccessDeniedException"), code("RequestThrottled"), code(""),
		errors.New("no such host")} {
		if noSuchQueue(err) {
			t.Errorf("%v: there is no such queue", err)
		}
	}
	s, asked := answering(nil)
	l := s.newLook()
	q := l.queueByARN(t.Context(), "arn:aws:sqs:eu-west-1:444455556666:ebb")
	if q.Absent || len(l.unread) != 1 || !strings.HasPrefix(l.unread[0].What, "sqs:GetQueueUrl of queue arn:") {
		t.Errorf("%+v, unread %+v", q, l.unread)
	}
	if len(*asked) != 1 || !strings.Contains((*asked)[0], "444455556666") { // whose queue it is, or AWS looks in this account
		t.Errorf("asked %q", *asked)
	}
	q = l.queueByARN(t.Context(), "arn:aws:sqs:us-east-1:111122223333:ebb")
	if q.Absent || q.URL != "" || len(l.unread) != 2 || !strings.Contains(l.unread[1].Error, "another Region") || len(*asked) != 1 {
		t.Errorf("%+v, unread %+v, asked %q", q, l.unread, *asked)
	}
}

// A rule without a source may match any event. A state that AWS adds is no reason to think that a rule is off.
func TestRulesAreRead(t *testing.T) {
	s, _ := answering(map[string]string{
		"ListRules": `{"Rules":[
			{"Name":"all","Arn":"arn:all","State":"ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS","EventPattern":"{\"detail-type\":[\"x\"]}"},
			{"Name":"off","Arn":"arn:off","State":"DISABLED","EventPattern":"{\"source\":[\"aws.autoscaling\"]}","ManagedBy":"ecs.amazonaws.com"},
			{"Name":"shop","Arn":"arn:shop","State":"ENABLED","EventPattern":"{\"source\":[\"shop\"]}"},
			{"Name":"clock","Arn":"arn:clock","State":"ENABLED","ScheduleExpression":"rate(1 minute)"}]}`,
		"ListTargetsByRule": `{"Targets":[{"Id":"1","Arn":"arn:q"},{"Id":"2","Arn":"arn:r","RoleArn":"arn:role"}]}`,
	})
	want := []inventory.Rule{
		{Name: "all", ARN: "arn:all", Enabled: true, Pattern: `{"detail-type":["x"]}`, Targets: []string{"arn:q", "arn:r"},
			WithRole: []string{"arn:r"}},
		{Name: "off", ARN: "arn:off", Pattern: `{"source":["aws.autoscaling"]}`, Targets: []string{"arn:q", "arn:r"}, WithRole: []string{"arn:r"},
			ManagedBy: "ecs.amazonaws.com"},
	}
	if d := cmp.Diff(want, s.newLook().rules(t.Context(), func(string) bool { return true })); d != "" {
		t.Error(d)
	}
}

// A failure that is no MISSING leaves something unknown.
func TestAFailureIsUnread(t *testing.T) {
	l := (&Collector{}).newLook()
	l.failures("ecs:DescribeTasks of cluster prod", []ecstypes.Failure{{Arn: aws.String("a"), Reason: aws.String("MISSING")},
		{Arn: aws.String("b"), Reason: aws.String("THROTTLED"), Detail: aws.String("later")}})
	if len(l.unread) != 1 || l.unread[0].Error != "b: THROTTLED later" {
		t.Errorf("unread %+v", l.unread)
	}
}

// What is asked for at the same time comes in the order in which it was asked for.
func TestAnswersKeepTheirOrder(t *testing.T) {
	ids := strings.Split("abcdefghij", "")
	got := inChunks(ids, 3, func(chunk []string) []string {
		time.Sleep(time.Duration('j'-chunk[0][0]) * time.Millisecond) // the first answer comes last
		return chunk
	})
	if !slices.Equal(got, ids) {
		t.Errorf("got %q", got)
	}
}

// Throttling is waited for as often as there are pauses, also on the last try.
func TestThrottlingIsWaitedFor(t *testing.T) {
	for busy, want := range map[int]bool{0: true, 4: true, 5: false} {
		s := &Collector{pauses: make([]time.Duration, 4)}
		sent := 0
		err := s.newLook().try(t.Context(), func() error {
			if sent++; sent > busy {
				return nil
			}
			return &smithy.GenericAPIError{Code: "RateExceeded"}
		})
		if (err == nil) != want || sent != min(busy+1, 5) {
			t.Errorf("throttled %d times: sent %d times, %v", busy, sent, err)
		}
	}
}

// The queues that hooks and rules send to, and the target groups of services and of groups themselves.
func TestWhatElseIsToBeRead(t *testing.T) {
	const queue, topic = "arn:aws:sqs:eu-west-1:111122223333:", "arn:aws:sns:eu-west-1:111122223333:topic"
	groups := []*inventory.Group{{Hooks: []fleet.Hook{{Target: queue + "hook"}, {Target: topic}, {}}, TargetGroups: []fleet.ARN{"group"}}}
	rules := []inventory.Rule{{Targets: []string{queue + "rule", topic, queue + "hook"}}}
	if got := queueARNs(groups, rules); !slices.Equal(got, []string{queue + "hook", queue + "rule"}) {
		t.Errorf("queues %q", got)
	}
	v := &inventory.Service{}
	v.LoadBalancers = []fleet.LoadBalancer{{TargetGroup: "service"}, {}}
	f := found{clusters: []*inventory.Cluster{{Services: []*inventory.Service{v}}}, groups: groups}
	if got := f.targetGroups(); !slices.Equal(got, []string{"group", "service"}) {
		t.Errorf("target groups %q", got)
	}
}
