package wire

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

func mustParse(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allowing is a policy of one statement.
func allowing(t *testing.T, rest string) *Policy {
	t.Helper()
	return mustParse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow",`+rest+`}]}`)
}

func TestParsePolicyRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{`, "read the policy"},
		{`{"Version":"2012-10-17","Statement":[]} {}`, "more after its end"},
		{`{"Version":"2012-10-17","Id":"x","Statement":[]}`, `the policy has "Id"`},
		{`{"Statement":[]}`, "Version missing"},
		{`{"Version":"2008-10-17","Statement":[]}`, `Version "2008-10-17"`},
		{`{"Version":"2012-10-17","Statement":[]}`, "no Statement"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","NotResource":"*"}}`, `statement 1 of the policy has "NotResource"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","resource":"*"}}`, `has "resource"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"ecs:*","Resource":"*"}}`, `Effect "allow"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*"}}`, "no Action"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ListTasks","Resource":"*"}}`, `Action "ListTasks"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*"}}`, "no Resource"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:*"}}`, "no ARN of six parts"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"arn:aws:ecs:${aws:RequestedRegion}:*:cluster/x"}}`,
			"no policy variables"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`,
			`the operator "Bool"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"StringEquals":{"ecs:service":"x"}}}}`,
			`the key "ecs:service"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"prod"}}}}`,
			`"prod", which is no ARN`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":[]}}}}`,
			`no text for the key "ecs:cluster"`},
	} {
		if _, err := ParsePolicy([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.text, err, c.want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"*", "", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abcb", false}, {"*b*b", "abab", true}, {"a?c", "abc", true},
		{"a?c", "ac", false}, {"a", "ab", false}, {"web-*", "web-", true}, {"**", "x", true}, {"[ab]", "a", false}, {"a*?", "a", false}, {"a*?", "ab", true},
	} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("glob(%q, %q) = %t", c.pattern, c.text, got)
		}
	}
}

func TestARNLike(t *testing.T) {
	const group = "arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:0a1b:autoScalingGroupName/web"
	for pattern, want := range map[string]bool{
		"arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/w?b": true, "arn:aws:autoscaling:*:*:*": true,
		"arn:aws:autoscaling:*:autoScalingGroup:*:autoScalingGroupName/web": false, "arn:*:*:*:web": false, // a star stays in its part
	} {
		if got := arnLike(pattern, group); got != want {
			t.Errorf("%s: %t", pattern, got)
		}
	}
}

// TestDecide holds what IAM's evaluation says about one action on one resource.
func TestDecide(t *testing.T) {
	const arn = "arn:aws:ecs:eu-west-1:111122223333:"
	keys := map[string]string{clusterKey: arn + "cluster/prod", "aws:resourcetag/team": "Web"}
	for _, c := range []struct {
		name, statement string
		want            string
	}{
		{"allowed", `{"Effect":"Allow","Action":"ecs:DescribeTasks","Resource":"*"}`, allow},
		{"by a list", `{"Effect":"Allow","Action":["x:y","ecs:DescribeTasks"],"Resource":["` + arn + `task/dev/*","` + arn + `task/prod/*"]}`, allow},
		{"by patterns", `{"Effect":"Allow","Action":"ecs:Describe*","Resource":"arn:aws:ecs:*:*:task/p?od/*"}`, allow},
		{"actions have no case", `{"Effect":"Allow","Action":"ECS:describetasks","Resource":"*"}`, allow},
		{"everything", `{"Effect":"Allow","Action":"*","Resource":"*"}`, allow},
		{"another action", `{"Effect":"Allow","Action":"ecs:DescribeTask","Resource":"*"}`, ""},
		{"another service", `{"Effect":"Allow","Action":"ec*s:DescribeTasks","Resource":"arn:aws:ec2:*:*:task/*"}`, ""},
		{"another cluster", `{"Effect":"Allow","Action":"ecs:*","Resource":"` + arn + `task/dev/*"}`, ""},
		{"a Deny wins", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ecs:*","Resource":"*"}`, deny},
		{"also before", `{"Effect":"Deny","Action":"ecs:*","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"}`, deny},
		{"a Deny that does not fit", `{"Effect":"Allow","Action":"*","Resource":"*"},` +
			`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}}`, allow},
		{"the key", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"ecs:cluster":"` + arn + `cluster/pr*"}}}`, allow},
		{"another value of the key", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"` + arn + `cluster/dev"}}}`, ""},
		{"any value will do", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":["` + arn + `cluster/dev","` +
			arn + `cluster/prod"]}}}`, allow},
		{"every condition must hold", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"` + arn +
			`cluster/prod"},"StringEquals":{"aws:ResourceTag/team":"Db"}}}`, ""},
		{"keys have no case, values have", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"AWS:resourceTag/Team":"Web"}}}`, allow},
		{"StringEquals knows no star", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"W*"}}}`, ""},
		{"StringLike does", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/team":"W*"}}}`, allow},
		{"a key that is not there", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:ResourceTag/other":"*"}}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustParse(t, `{"Version":"2012-10-17","Statement":[`+c.statement+`]}`)
			if _, got := decide([]*Policy{p}, "ecs:DescribeTasks", core.Resource{Kind: "task", ARN: arn + "task/prod/0a1b", Keys: keys}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	other := allowing(t, `"Action":"ecs:ListClusters","Resource":"*"`)
	if by, got := decide([]*Policy{other, allowing(t, `"Action":"ecs:DescribeTasks","Resource":"*"`)}, "ecs:DescribeTasks",
		core.Resource{ARN: "*"}); got != allow || by != "S" {
		t.Errorf("a second policy counts too: got %q by %q", got, by)
	}
}

// TestChecks holds who is asked about, and what is recorded.
func TestChecks(t *testing.T) {
	world, err := sim.Build(sim.Demo())
	if err != nil {
		t.Fatal(err)
	}
	api := New(Config{World: world})
	api.Attach("ebb", allowing(t, `"Action":["ecs:ListTasks","ecs:DescribeContainerInstances"],"Resource":"*",`+
		`"Condition":{"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/demo"}}`))
	ctx := WithCaller(t.Context(), "ebb")
	for _, err := range []error{
		failure(Call[ecs.ListTasksOutput](t.Context(), api, &ecs.ListTasksInput{Cluster: new("none")})), // nobody's policy
		failure(Call[sts.GetCallerIdentityOutput](ctx, api, &sts.GetCallerIdentityInput{})),
		failure(Call[ecs.ListTasksOutput](ctx, api, &ecs.ListTasksInput{Cluster: new("demo")})),
		failure(Call[ecs.ListTasksOutput](ctx, api, &ecs.ListTasksInput{Cluster: new("arn:aws:ecs:eu-west-1:111122223333:cluster/demo")})),
		failure(Call[ecs.ListTasksOutput](ctx, api, &ecs.ListTasksInput{Cluster: new("other")})),
		failure(Call[ecs.DescribeContainerInstancesOutput](ctx, api, &ecs.DescribeContainerInstancesInput{Cluster: new("demo"),
			ContainerInstances: []string{"a", "b"}})),
	} {
		if err != nil {
			t.Log(err)
		}
	}
	const cluster, other, host = "arn:aws:ecs:eu-west-1:111122223333:cluster/demo", "arn:aws:ecs:eu-west-1:111122223333:cluster/other",
		"arn:aws:ecs:eu-west-1:111122223333:container-instance/demo/*"
	want := map[Check]int{
		{"ebb", "ecs:ListTasks", "*", cluster, "*", true, "S"}:                                    2,
		{"ebb", "ecs:ListTasks", "*", other, "*", false, ""}:                                      1,
		{"ebb", "ecs:DescribeContainerInstances", "container-instance", cluster, host, true, "S"}: 2,
	}
	if got := api.Checks(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func failure(_ any, err error) error { return err }

// TestTagsOfGroups holds that a condition on a tag sees the tags of the group that a call names.
func TestTagsOfGroups(t *testing.T) {
	spec := sim.Demo()
	spec.Groups[0].Tags = map[string]string{"Ebb": "yes"}
	for key, want := range map[string]bool{"aws:ResourceTag/Ebb": true, "autoscaling:ResourceTag/Ebb": true, "aws:ResourceTag/other": false} {
		world, err := sim.Build(spec)
		if err != nil {
			t.Fatal(err)
		}
		group := world.DescribeAutoScalingGroups(nil)[0]
		api := New(Config{World: world})
		api.Attach("ebb", allowing(t, `"Action":"autoscaling:*","Resource":"arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/demo-*",`+
			`"Condition":{"StringEquals":{"`+key+`":"yes"}}`))
		ctx := WithCaller(t.Context(), "ebb")
		_, err = Call[autoscaling.SetInstanceProtectionOutput](ctx, api, &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: &group.Name, InstanceIds: []string{group.Instances[0].ID}, ProtectedFromScaleIn: new(true),
		})
		if (err == nil) != want {
			t.Errorf("with a condition on %s: %v", key, err)
		}
		_, err = Call[autoscaling.TerminateInstanceInAutoScalingGroupOutput](ctx, api,
			&autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &group.Instances[0].ID, ShouldDecrementDesiredCapacity: new(false)})
		if err != nil == want {
			t.Errorf("with a condition on %s, by the instance: %v", key, err)
		}
	}
}

// TestKinds holds what each operation is checked against to the Service Authorization Reference, as copied here in September 2026. A new operation
// must be looked up there. ListTasks is the one with a container instance; sqs:ListQueues has no resource there, and one in its refusal.
func TestKinds(t *testing.T) {
	const reference = `
		* autoscaling: DescribeAutoScalingGroups DescribeAutoScalingInstances DescribeLifecycleHooks DescribeLifecycleHookTypes DescribeScalingActivities
		* autoscaling: DescribeLaunchConfigurations DescribeInstanceRefreshes
		autoScalingGroup autoscaling: PutLifecycleHook DeleteLifecycleHook CompleteLifecycleAction RecordLifecycleActionHeartbeat
		autoScalingGroup autoscaling: EnterStandby ExitStandby SuspendProcesses ResumeProcesses
		autoScalingGroup autoscaling: TerminateInstanceInAutoScalingGroup SetDesiredCapacity UpdateAutoScalingGroup SetInstanceProtection SetInstanceHealth
		* ecs: ListClusters DescribeTaskDefinition
		*+ ecs: ListServices
		cluster ecs: DescribeClusters ListContainerInstances DeregisterContainerInstance ListAttributes
		container-instance+ ecs: DescribeContainerInstances UpdateContainerInstancesState ListTasks PutAttributes DeleteAttributes
		task+ ecs: DescribeTasks StopTask GetTaskProtection UpdateTaskProtection
		task ecs: TagResource
		service+ ecs: DescribeServices UpdateService
		task-set+ ecs: DescribeTaskSets
		service-revision ecs: DescribeServiceRevisions
		task-definition+ ecs: RunTask
		capacity-provider ecs: DescribeCapacityProviders
		scalable-target application-autoscaling: RegisterScalableTarget DeregisterScalableTarget PutScalingPolicy DeleteScalingPolicy
		* application-autoscaling: DescribeScalableTargets DescribeScalingPolicies DescribeScalingActivities
		* cloudwatch: PutMetricData GetMetricData ListAlarmMuteRules
		alarm cloudwatch: PutMetricAlarm PutCompositeAlarm DescribeAlarms DeleteAlarms SetAlarmState EnableAlarmActions DisableAlarmActions
		alarm-mute-rule cloudwatch: PutAlarmMuteRule GetAlarmMuteRule DeleteAlarmMuteRule
		* elasticloadbalancing: DescribeTargetGroups DescribeTargetGroupAttributes DescribeTargetHealth
		targetgroup elasticloadbalancing: ModifyTargetGroupAttributes RegisterTargets DeregisterTargets
		* ec2: DescribeInstances DescribeInstanceTypes DescribeLaunchTemplateVersions DescribeSubnets DescribeSpotInstanceRequests
		instance ec2: TerminateInstances StopInstances StartInstances DescribeInstanceAttribute
		* sqs: ListQueues
		queue sqs: CreateQueue GetQueueUrl GetQueueAttributes SetQueueAttributes DeleteQueue PurgeQueue SendMessage SendMessageBatch ReceiveMessage
		queue sqs: DeleteMessage DeleteMessageBatch ChangeMessageVisibility ChangeMessageVisibilityBatch
		* sns: ListTopics
		topic sns: CreateTopic Subscribe ListSubscriptionsByTopic Publish
		* events: ListRules ListRuleNamesByTarget
		rule events: PutRule DescribeRule DeleteRule PutTargets ListTargetsByRule RemoveTargets
		event-bus events: PutEvents
		unchecked sts: GetCallerIdentity
		parameter ssm: GetParameter PutParameter DeleteParameter
		secret secretsmanager: GetSecretValue CreateSecret PutSecretValue DeleteSecret
		service servicediscovery: DeregisterInstance GetInstance ListInstances GetService
		* servicediscovery: DiscoverInstances GetOperation
		targetgroup vpc-lattice: ListTargets DeregisterTargets
		* vpc-lattice: ListTargetGroups
		function lambda: Invoke GetFunction
		* lambda: ListFunctions ListEventSourceMappings`
	want := map[string]string{}
	for line := range strings.Lines(reference) {
		if words := strings.Fields(line); len(words) > 0 {
			for _, name := range words[2:] {
				want[strings.TrimSuffix(words[1], ":")+"."+name] = words[0]
			}
		}
	}
	api := New(Config{World: sim.New(core.Config{})})
	got := map[string]string{}
	for _, s := range api.services {
		for name, o := range s.operations {
			in, key := o.Input(), s.Name+"."+name
			fill(reflect.ValueOf(in), 0)
			all := o.Resource(in)
			if len(all) == 0 {
				got[key] = "unchecked"
			}
			for _, r := range all {
				got[key] = r.Kind
				if r.Keys[clusterKey] != "" {
					got[key] += "+"
				}
				if r.Kind != "*" && r.Kind != "targetgroup" && !(r.Kind == "topic" && name != "CreateTopic") && !strings.HasPrefix(r.ARN,
					"arn:aws:"+s.Name+":eu-west-1:111122223333:") {
					t.Errorf("%s: ARN %s", key, r.ARN)
				}
			}
		}
	}
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s: checked against %q, the reference says %q", key, got[key], want[key])
		}
	}
	for key := range got {
		if want[key] == "" {
			t.Errorf("%s is not in the table of this test: look it up in the Service Authorization Reference", key)
		}
	}
}
