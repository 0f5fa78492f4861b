package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/iam"
)

// parameters are those of a shape, in which all that has no default is given.
func parameters(shape string) map[string]string {
	if shape == "scale" {
		return map[string]string{"Cluster": "demo", "Service": "web", "TargetGroup": "targetgroup/web-tg/0123456789abcdef", "High": "600", "Low": "200"}
	}
	p := map[string]string{
		"Groups": "demo-asg, batch-asg", "Clusters": "demo, batch",
		"GroupSettings": "[{match: demo-asg, cluster: demo, deadline: 20m}, {match: batch-asg, cluster: batch}]",
	}
	if shape == "lambda" {
		p["CodeBucket"], p["CodeKey"] = "code", "ebb-lambda-arm64.zip"
	} else {
		p["ControlCluster"], p["Image"], p["Subnets"], p["SecurityGroups"] = "control", "ebb:dev", "subnet-0abc,subnet-0def", "sg-0abc"
	}
	return p
}

// formed is a stack of a shape in a new account.
func formed(t *testing.T, shape string, more ...string) (*account, *formation) {
	t.Helper()
	a := newAccount(t)
	p := parameters(shape)
	for i := 0; i < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	s, err := read(shape, p)
	if err != nil {
		t.Fatal(err)
	}
	f, err := form(t.Context(), s, a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return a, f
}

// kinds counts the resources by type.
func (f *formation) kinds() map[string]int {
	n := map[string]int{}
	for _, m := range f.made {
		n[strings.TrimPrefix(m.kind, "AWS::")]++
	}
	return n
}

func TestResources(t *testing.T) {
	both := map[string]int{
		"SQS::Queue": 2, "SQS::QueuePolicy": 1, "DynamoDB::Table": 1, "AutoScaling::LifecycleHook": 2, "IAM::RolePolicy": 1 + 2 + 2,
		"Logs::LogGroup": 1, "Logs::MetricFilter": 3, "CloudWatch::Alarm": 5,
	}
	for shape, more := range map[string]map[string]int{
		"lambda": {
			"IAM::Role": 1, "Events::Rule": 4 + 2*2 + 1, "Lambda::Function": 1, "Lambda::EventSourceMapping": 1, "Lambda::Permission": 1, "Lambda::EventInvokeConfig": 1,
		},
		"service": {"IAM::Role": 2, "Events::Rule": 4 + 2*2, "ECS::TaskDefinition": 1, "ECS::Service": 1},
	} {
		t.Run(shape, func(t *testing.T) {
			_, f := formed(t, shape)
			want := maps.Clone(both)
			maps.Copy(want, more)
			if got := f.kinds(); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			f.checkRules(t, f.checkQueue(t))
			for _, group := range []string{"demo-asg", "batch-asg"} {
				h := f.hooksOf(t, group)
				if len(h) != 1 || *h[0].LifecycleHookName != "ebb-drain" || *h[0].HeartbeatTimeout != 900 || *h[0].DefaultResult != "CONTINUE" ||
					h[0].NotificationTargetARN != nil {
					t.Errorf("hooks of %s: %+v", group, h)
				}
			}
			if err := f.remove(); err != nil {
				t.Fatal(err)
			}
			if n := len(f.hooksOf(t, "demo-asg")) + len(f.hooksOf(t, "batch-asg")); n != 0 {
				t.Errorf("%d hooks are left", n)
			}
		})
	}
}

func (f *formation) hooksOf(t *testing.T, group string) []astypes.LifecycleHook {
	t.Helper()
	out, err := f.asg.DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &group})
	if err != nil {
		t.Fatal(err)
	}
	return out.LifecycleHooks
}

// checkQueue returns the patterns of the rules that may send into the queue.
func (f *formation) checkQueue(t *testing.T) []string {
	t.Helper()
	url, err := f.named("Queue", nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(url.(string)),
		AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	if a := out.Attributes; a["VisibilityTimeout"] != "180" || !strings.Contains(a["RedrivePolicy"], "ebb-dead-letters") {
		t.Errorf("queue: %v", a)
	}
	var policy struct {
		Statement []struct {
			Condition struct {
				StringEquals map[string]string
				ArnLike      map[string][]string
			}
		}
	}
	if err := json.Unmarshal([]byte(out.Attributes["Policy"]), &policy); err != nil {
		t.Fatal(err)
	}
	c := policy.Statement[0].Condition
	if c.StringEquals["aws:SourceAccount"] != "111122223333" || len(c.ArnLike["aws:SourceArn"]) == 0 {
		t.Errorf("the queue's policy: %+v", policy)
	}
	return c.ArnLike["aws:SourceArn"]
}

// checkRules holds that each rule has one target: the queue, into which it may send, or for the clock the function.
func (f *formation) checkRules(t *testing.T, maySend []string) {
	t.Helper()
	rules, err := f.events.ListRules(t.Context(), &eventbridge.ListRulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules.Rules {
		want := "arn:aws:sqs:eu-west-1:111122223333:ebb"
		if aws.ToString(r.ScheduleExpression) == "rate(1 minute)" {
			want = "arn:aws:lambda:eu-west-1:111122223333:function:ebb"
		}
		out, err := f.events.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: r.Name})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Targets) != 1 || *out.Targets[0].Arn != want {
			t.Errorf("targets of %s: %+v", *r.Name, out.Targets)
		}
		may := slices.ContainsFunc(maySend, func(p string) bool { ok, _ := path.Match(p, *r.Arn); return ok })
		if may != strings.Contains(want, ":sqs:") {
			t.Errorf("rule %s may send into the queue: %v", *r.Arn, may)
		}
	}
	if n := f.kinds()["Events::Rule"]; n != len(rules.Rules) {
		t.Errorf("%d rules are there, of %d", len(rules.Rules), n)
	}
}

// TestTheHookGoesFirst: a hook depends on all that hears it, so that CloudFormation makes it last and deletes it first. Only the hook is made here:
// what is there then is what it depends on.
func TestTheHookGoesFirst(t *testing.T) {
	for shape, hears := range map[string][]string{
		"lambda": {"Function", "QueueMapping", "ClockRule", "ClockPermission", "RolePolicy"}, "service": {"Service", "TaskDefinition", "RolePolicy"},
	} {
		s, err := read(shape, parameters(shape))
		if err != nil {
			t.Fatal(err)
		}
		f := begin(t.Context(), s, newAccount(t).endpoint)
		if err := f.make("Hookdemoasg"); err != nil {
			t.Fatal(err)
		}
		for _, id := range append(hears, "Queue", "QueuePolicy", "LifecycleRule", "JournalTable") {
			if !slices.Contains(f.order, id) {
				t.Errorf("%s: the hook does not depend on %s", shape, id)
			}
		}
	}
}

// TestRolesAreWhatIAMSays compares what the policies of a role come to, for two groups and two clusters, with ebb iam's policy for them.
func TestRolesAreWhatIAMSays(t *testing.T) {
	for shape, mode := range modes {
		holdsRoles(t, shape, mode, iam.Notices{})
		holdsRoles(t, shape, mode, iam.Notices{Topics: []string{topic}, Why: true}, "NoticeTopic", topic)
	}
}

const topic = "arn:aws:sns:eu-west-1:111122223333:ops"

// holdsRoles holds the role of a stack to what ebb iam says for it.
func holdsRoles(t *testing.T, shape string, mode iam.Mode, notices iam.Notices, more ...string) {
	t.Helper()
	_, f := formed(t, shape, more...)
	scope := iam.Scope{
		Notices:   notices,
		Partition: "aws", Region: "eu-west-1", Account: "111122223333", Clusters: []string{"demo", "batch"}, Groups: []string{"demo-asg", "batch-asg"},
		Queue: "arn:aws:sqs:eu-west-1:111122223333:ebb", Table: "arn:aws:dynamodb:eu-west-1:111122223333:table/ebb",
	}
	if shape == "lambda" {
		scope.LogGroup = "/aws/lambda/ebb"
	}
	want := map[string]iam.Statement{}
	for _, s := range iam.Policy(mode, scope).Statement {
		want[s.Sid] = s
	}
	got, size := f.statements(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: ebb iam (-) and the template (+) differ:\n%s", shape, diff)
	}
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	if per := size["Group"] / 2; size[""]+size["Cluster"]/2+15*per > 10240 {
		t.Errorf("%s: the policies of a cluster with 15 groups have more than the 10,240 characters that a role takes: %v", shape, size)
	}
}

// statements are those of Ebb's role, the policies of groups and clusters laid together by Sid, and how long they are.
func (f *formation) statements(t *testing.T) (all map[string]iam.Statement, size map[string]int) {
	t.Helper()
	all, size = map[string]iam.Statement{}, map[string]int{}
	for _, id := range f.order {
		if f.made[id].kind != "AWS::IAM::RolePolicy" {
			continue
		}
		if f.rolled[id]["RoleName"] != "Role" {
			t.Errorf("%s is of role %v", id, f.rolled[id]["RoleName"])
		}
		var d iam.Document
		if err := strictly(f.rolled[id]["PolicyDocument"], &d); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		each, _, _ := strings.Cut(id, "Policy")
		size[map[string]string{"Group": "Group", "Cluster": "Cluster", "NoticeCluster": "Cluster"}[each]] += len(b)
		for _, s := range d.Statement {
			if have, ok := all[s.Sid]; ok {
				s.Resource = unite(have.Resource, s.Resource)
				for operator, keys := range s.Condition {
					for key, values := range keys {
						keys[key] = unite(have.Condition[operator][key], values)
					}
				}
			}
			all[s.Sid] = s
		}
	}
	return all, size
}

func unite(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// environment is what the template gives the program.
func (f *formation) environment(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	if function, ok := f.rolled["Function"]; ok {
		for key, v := range function["Environment"].(map[string]any)["Variables"].(map[string]any) {
			env[key] = v.(string)
		}
		return env
	}
	container := f.rolled["TaskDefinition"]["ContainerDefinitions"].([]any)[0].(map[string]any)
	if fmt.Sprint(container["Command"]) != "[serve]" {
		t.Errorf("command: %v", container["Command"])
	}
	for _, v := range container["Environment"].([]any) {
		pair := v.(map[string]any)
		env[pair["Name"].(string)] = pair["Value"].(string)
	}
	return env
}

// configuration is what the program reads, with all that ebb serve needs.
func (f *formation) configuration(t *testing.T) config.Config {
	t.Helper()
	env := f.environment(t)
	c, err := config.Load("", func(name string) string { return env[name] }, nil)
	if err == nil {
		err = c.Serves()
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, env["EBB_CONFIG_TEXT"])
	}
	return c
}

func TestConfiguration(t *testing.T) {
	for shape := range modes {
		a, f := formed(t, shape, "Table", "journal-1", "CreateTable", "false")
		c := f.configuration(t)
		if c.Queue != a.endpoint+"/111122223333/ebb" || c.Journal != "dynamodb://journal-1" || c.LogFormat != "json" || len(c.Groups) != 2 ||
			c.Groups[0].Cluster != "demo" || c.Groups[0].Deadline != 20*time.Minute || c.Groups[1].Match != "batch-asg" || len(c.Clusters) != 0 {
			t.Errorf("%s: %+v", shape, c)
		}
		if n := f.kinds()["DynamoDB::Table"]; n != 0 {
			t.Errorf("%s: made %d tables", shape, n)
		}
	}
}

// TestNoticesAndMetrics: the parameters become what the configuration says of them, and without them nobody is told and nothing is measured.
func TestNoticesAndMetrics(t *testing.T) {
	for _, tt := range []struct {
		given    []string
		want     []config.Notify
		metrics  string
		policies int
	}{
		{nil, nil, "", 5},
		{[]string{"Metrics", "true"}, nil, config.EMF, 5},
		{[]string{"NoticeDigest", "08:00"}, nil, "", 5},
		{[]string{"NoticeTopic", topic}, []config.Notify{{Name: "sns", SNS: topic}}, "", 8},
		{[]string{"NoticeTopic", topic, "NoticeDigest", "08:00", "Metrics", "true"}, []config.Notify{{Name: "sns", SNS: topic, Digest: "08:00"}}, config.EMF, 8},
	} {
		for shape := range modes {
			_, f := formed(t, shape, tt.given...)
			env := f.environment(t)
			c, err := config.Load("", func(name string) string { return env[name] }, nil)
			if err != nil {
				t.Fatalf("%s with %q: %v in\n%s", shape, tt.given, err, env["EBB_CONFIG_TEXT"])
			}
			if diff := cmp.Diff(tt.want, c.Notify); diff != "" || c.Metrics != tt.metrics || f.kinds()["IAM::RolePolicy"] != tt.policies {
				t.Errorf("%s with %q: metrics %q, %d policies, notify (-want +got)\n%s", shape, tt.given, c.Metrics, f.kinds()["IAM::RolePolicy"], diff)
			}
		}
	}
}

// TestTimesOfADigest: the template takes the times that the configuration takes, and none.
func TestTimesOfADigest(t *testing.T) {
	for shape := range modes {
		s, err := read(shape, parameters(shape))
		if err != nil {
			t.Fatal(err)
		}
		allowed := regexp.MustCompile("^(?:" + s.Parameters["NoticeDigest"].AllowedPattern + ")$")
		for _, at := range []string{"", "00:00", "08:00", "19:30", "23:59", "8:00", "24:00", "08:60", "08:00:00", "x08:00"} {
			_, err := config.Load("", func(name string) string {
				return map[string]string{"EBB_CONFIG_TEXT": "notify: [{sns: " + topic + ", digest: \"" + at + "\"}]"}[name]
			}, nil)
			if allowed.MatchString(at) != (err == nil || at == "") {
				t.Errorf("%s: the template takes %q: %t; the configuration says %v", shape, at, allowed.MatchString(at), err)
			}
		}
	}
}
