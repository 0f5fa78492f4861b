package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// formation does what CloudFormation does, as far as the simulated cloud goes: it creates the resources of a stack, what they refer to
// first, and deletes them in the other order.
type formation struct {
	*stack
	ctx     context.Context
	asg     *autoscaling.Client
	sqs     *sqs.Client
	events  *eventbridge.Client
	watch   *cloudwatch.Client
	made    map[string]made
	order   []string                  // logical ids, as they were made
	rolled  map[string]map[string]any // properties of what the simulated cloud does not know, by logical id
	working map[string]bool
}

// made is a resource that is there: what Ref gives, what Fn::GetAtt gives, and how it is deleted.
type made struct {
	kind, ref  string
	attributes map[string]string
	remove     func() error
}

// beyond are the types that the simulated cloud does not know, with what Ref gives for a name, and the attributes. Another type is an
// error: it has to be made, or named here.
func beyond(kind, name string) (made, bool) {
	const at = "eu-west-1:111122223333:"
	arns := map[string]string{
		"AWS::IAM::Role": "arn:aws:iam::111122223333:role/" + name, "AWS::IAM::RolePolicy": "", "AWS::DynamoDB::Table": "arn:aws:dynamodb:" + at + "table/" + name,
		"AWS::Logs::LogGroup": "arn:aws:logs:" + at + "log-group:" + name + ":*", "AWS::Logs::MetricFilter": "",
		"AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:" + at + "alarm:" + name,
		"AWS::Lambda::Function":  "arn:aws:lambda:" + at + "function:" + name, "AWS::Lambda::EventSourceMapping": "",
		"AWS::Lambda::Permission": "", "AWS::Lambda::EventInvokeConfig": "",
		"AWS::ECS::TaskDefinition": "", "AWS::ECS::Service": "", "AWS::SNS::Topic": "", "AWS::SNS::Subscription": "",
	}
	arn, known := arns[kind]
	return made{kind: kind, ref: name, attributes: map[string]string{"Arn": arn}, remove: func() error { return nil }}, known
}

// form makes a stack in a simulated cloud. On an error, what was made until then stays.
func form(ctx context.Context, s *stack, endpoint string) (*formation, error) {
	f := begin(ctx, s, endpoint)
	for _, r := range s.resources {
		wanted, err := s.wanted(r)
		if err == nil && wanted {
			err = f.make(r.id)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// begin is a stack of which nothing is made yet.
func begin(ctx context.Context, s *stack, endpoint string) *formation {
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("operator", "none", "")}
	f := &formation{
		stack: s, ctx: ctx, asg: autoscaling.NewFromConfig(cfg), sqs: sqs.NewFromConfig(cfg), events: eventbridge.NewFromConfig(cfg),
		watch: cloudwatch.NewFromConfig(cfg), made: map[string]made{}, rolled: map[string]map[string]any{}, working: map[string]bool{},
	}
	s.of = func(id, attribute string) (any, error) {
		if err := f.make(id); err != nil {
			return nil, err
		}
		if attribute == "" {
			return f.made[id].ref, nil
		}
		v, ok := f.made[id].attributes[attribute]
		if !ok || v == "" {
			return nil, fmt.Errorf("%s has no attribute %s", id, attribute)
		}
		return v, nil
	}
	return f
}

// make makes a resource unless it is there, and before it all that it refers to or depends on.
func (f *formation) make(id string) error {
	if _, done := f.made[id]; done {
		return nil
	}
	if f.working[id] {
		return fmt.Errorf("%s refers to itself", id)
	}
	f.working[id] = true
	i := slices.IndexFunc(f.resources, func(r resource) bool { return r.id == id })
	if i < 0 {
		return fmt.Errorf("there is no resource %s", id)
	}
	r := f.resources[i]
	for _, before := range r.after {
		if err := f.make(before); err != nil {
			return err
		}
	}
	v, err := f.value(r.properties, r.loop)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	m, err := f.create(r, v.(map[string]any))
	if err != nil {
		return fmt.Errorf("make %s, a %s: %w", id, r.kind, err)
	}
	m.kind = r.kind
	f.made[id] = m
	f.order = append(f.order, id)
	return nil
}

// remove deletes the stack: what was made last goes first.
func (f *formation) remove() error {
	for _, id := range slices.Backward(f.order) {
		if err := f.made[id].remove(); err != nil {
			return fmt.Errorf("delete %s: %w", id, err)
		}
	}
	return nil
}

func (f *formation) create(r resource, properties map[string]any) (made, error) {
	switch r.kind {
	case "AWS::SQS::Queue":
		return f.queue(properties)
	case "AWS::SQS::QueuePolicy":
		return f.queuePolicy(properties)
	case "AWS::Events::Rule":
		name, given := properties["Name"].(string)
		if delete(properties, "Name"); !given {
			name = "ebb-" + r.id + "-0EXAMPLE"
		}
		return f.rule(name, properties)
	case "AWS::AutoScaling::LifecycleHook":
		return f.hook(properties)
	case "AWS::CloudWatch::Alarm":
		if properties["Namespace"] == "AWS/ApplicationELB" {
			return f.alarm(properties)
		}
	}
	name := r.id
	for _, key := range []string{"FunctionName", "TableName", "LogGroupName", "AlarmName", "RoleName"} {
		if n, ok := properties[key].(string); ok {
			name = n
			break
		}
	}
	m, known := beyond(r.kind, name)
	if !known {
		return made{}, fmt.Errorf("this reader knows no such type")
	}
	f.rolled[r.id] = properties
	return m, nil
}

// strictly decodes properties, and refuses those that the target does not have.
func strictly(properties any, into any) error {
	b, err := json.Marshal(properties)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (f *formation) queue(properties map[string]any) (made, error) {
	name := properties["QueueName"].(string)
	in := map[string]string{}
	for key, v := range properties {
		switch v := v.(type) {
		case map[string]any:
			b, err := json.Marshal(v)
			if err != nil {
				return made{}, err
			}
			in[key] = string(b)
		default:
			in[key] = fmt.Sprint(v)
		}
	}
	delete(in, "QueueName")
	delete(in, "SqsManagedSseEnabled") // encryption changes nothing that is seen here
	out, err := f.sqs.CreateQueue(f.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: in})
	if err != nil {
		return made{}, err
	}
	return made{ref: *out.QueueUrl, attributes: map[string]string{"Arn": "arn:aws:sqs:eu-west-1:111122223333:" + name, "QueueName": name}, remove: func() error {
		_, err := f.sqs.DeleteQueue(f.ctx, &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl})
		return err
	}}, nil
}

func (f *formation) queuePolicy(properties map[string]any) (made, error) {
	var p struct {
		Queues         []string
		PolicyDocument json.RawMessage
	}
	if err := strictly(properties, &p); err != nil {
		return made{}, err
	}
	set := func(policy string) error {
		for _, q := range p.Queues {
			if _, err := f.sqs.SetQueueAttributes(f.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q, Attributes: map[string]string{"Policy": policy}}); err != nil {
				return err
			}
		}
		return nil
	}
	return made{remove: func() error { return set("") }}, set(string(p.PolicyDocument))
}

func (f *formation) rule(name string, properties map[string]any) (made, error) {
	var p struct {
		Description        string
		EventPattern       json.RawMessage
		ScheduleExpression *string
		Targets            []struct{ Id, Arn string }
	}
	if err := strictly(properties, &p); err != nil {
		return made{}, err
	}
	in := &eventbridge.PutRuleInput{Name: &name, Description: &p.Description, ScheduleExpression: p.ScheduleExpression}
	if p.EventPattern != nil {
		in.EventPattern = aws.String(string(p.EventPattern))
	}
	out, err := f.events.PutRule(f.ctx, in)
	if err != nil {
		return made{}, err
	}
	var targets []ebtypes.Target
	var ids []string
	for _, t := range p.Targets {
		targets, ids = append(targets, ebtypes.Target{Id: &t.Id, Arn: &t.Arn}), append(ids, t.Id)
	}
	_, err = f.events.PutTargets(f.ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: targets})
	return made{ref: name, attributes: map[string]string{"Arn": *out.RuleArn}, remove: func() error {
		if _, err := f.events.RemoveTargets(f.ctx, &eventbridge.RemoveTargetsInput{Rule: &name, Ids: ids}); err != nil {
			return err
		}
		_, err := f.events.DeleteRule(f.ctx, &eventbridge.DeleteRuleInput{Name: &name})
		return err
	}}, err
}

// alarm is an alarm with numbers as CloudFormation takes them, which may be texts.
func (f *formation) alarm(properties map[string]any) (made, error) {
	var in cloudwatch.PutMetricAlarmInput
	rest := maps.Clone(properties)
	numbers := map[string]int64{}
	for _, key := range []string{"Period", "EvaluationPeriods", "Threshold"} {
		n, err := strconv.ParseInt(fmt.Sprint(properties[key]), 10, 32)
		if err != nil {
			return made{}, err
		}
		numbers[key] = n
		delete(rest, key)
	}
	if err := strictly(rest, &in); err != nil {
		return made{}, err
	}
	in.Period, in.EvaluationPeriods, in.Threshold = aws.Int32(int32(numbers["Period"])), aws.Int32(int32(numbers["EvaluationPeriods"])),
		aws.Float64(float64(numbers["Threshold"]))
	_, err := f.watch.PutMetricAlarm(f.ctx, &in)
	return made{ref: *in.AlarmName, remove: func() error {
		_, err := f.watch.DeleteAlarms(f.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{*in.AlarmName}})
		return err
	}}, err
}

func (f *formation) hook(properties map[string]any) (made, error) {
	seconds, err := strconv.Atoi(fmt.Sprint(properties["HeartbeatTimeout"]))
	if err != nil {
		return made{}, err
	}
	var in autoscaling.PutLifecycleHookInput
	rest := maps.Clone(properties)
	delete(rest, "HeartbeatTimeout")
	if err := strictly(rest, &in); err != nil {
		return made{}, err
	}
	in.HeartbeatTimeout = aws.Int32(int32(seconds))
	_, err = f.asg.PutLifecycleHook(f.ctx, &in)
	return made{ref: *in.LifecycleHookName, remove: func() error {
		_, err := f.asg.DeleteLifecycleHook(f.ctx, &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: in.AutoScalingGroupName,
			LifecycleHookName: in.LifecycleHookName})
		return err
	}}, err
}
