// Package appautoscaling is Application Auto Scaling in a simulated cloud, for the desired counts of ECS services: step scaling and target
// tracking. AWS does not publish how target tracking computes; this is the usual reading of it, and its times are those that AWS has measured.
//
// It never looks at a metric: alarms of CloudWatch invoke its policies.
package appautoscaling

import (
	"slices"
	"strings"
	"time"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// AppAutoScaling are the scalable targets of a world, and their policies.
type AppAutoScaling struct {
	*core.Core
	others     Others
	targets    []*Target
	policies   []*Policy
	activities []types.ScalingActivity // in the order in which they began
}

// Others are the services that it needs.
type Others struct {
	Services Services
	Alarms   Alarms
}

// Services are the services of ECS.
type Services interface {
	// Capacity is the desired count of a service, how many of its tasks run, and whether a deployment is in progress.
	Capacity(cluster, service string) (desired, running int, deploying, ok bool)
	SetDesired(cluster, service string, n int) error
}

// Alarms are the alarms of target tracking.
type Alarms interface {
	Put(Watch) (arn string, err error)
	Delete(names ...string)
	InAlarm(name string) bool
}

// Watch is an alarm that invokes a policy.
type Watch struct {
	Name, Policy string // Policy: ARN
	Queries      []Query
	Period       time.Duration
	Periods      int
	Above        bool // it goes off above the threshold; else below
	Threshold    float64
}

// Query is a metric, or an expression, of an alarm. The last one counts.
type Query struct {
	ID         string            `yaml:"id,omitempty"`
	Expression string            `yaml:"expression,omitempty"` // instead of what follows
	Namespace  string            `yaml:"namespace,omitempty"`
	Name       string            `yaml:"metric,omitempty"`
	Dimensions map[string]string `yaml:"dimensions,omitempty"`
	Statistic  string            `yaml:"statistic,omitempty"`
}

// Target is a service that may be scaled.
type Target struct {
	ARN, Resource, Cluster, Service string
	Min, Max                        int
	Suspended                       types.SuspendedState
	CreatedAt                       time.Time
}

// Policy is a scaling policy, as it was put.
type Policy struct {
	aas.PutScalingPolicyInput
	ARN       string
	Alarms    []types.Alarm // of target tracking: the high one first
	CreatedAt time.Time

	until time.Time // its cooldown lasts until then
	out   bool      // it is one after a scale-out
	base  int       // of it: the capacity from which was scaled out
	want  int       // what target tracking last wanted when it could scale in
}

// New makes Application Auto Scaling without targets.
func New(c *core.Core, others Others) *AppAutoScaling {
	return &AppAutoScaling{Core: c, others: others}
}

// ScalableTargets are the targets in the order in which they were registered.
func (w *AppAutoScaling) ScalableTargets() []*Target { return slices.Clone(w.targets) }

// ScalingPolicies are the policies in the order in which they were made.
func (w *AppAutoScaling) ScalingPolicies() []*Policy { return slices.Clone(w.policies) }

// ScalingActivities are what was done, and what was not and why, in the order in which it began.
func (w *AppAutoScaling) ScalingActivities() []types.ScalingActivity {
	return slices.Clone(w.activities)
}

func (w *AppAutoScaling) target(resource string) *Target {
	if i := slices.IndexFunc(w.targets, func(t *Target) bool { return t.Resource == resource }); i >= 0 {
		return w.targets[i]
	}
	return nil
}

// Register makes a service scalable, or changes its bounds; what is nil stays as it is. It scales nothing by itself.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (w *AppAutoScaling) Register(resource string, least, most *int32, suspended *types.SuspendedState) (*Target, error) {
	parts := strings.Split(resource, "/")
	if len(parts) != 3 || parts[0] != "service" {
		return nil, invalid("Unsupported service namespace, resource type or scalable dimension: the simulated cloud scales service/CLUSTER/SERVICE of ecs.")
	}
	if _, _, _, ok := w.others.Services.Capacity(parts[1], parts[2]); !ok {
		return nil, invalid("ECS service doesn't exist: " + resource)
	}
	t := w.target(resource)
	fresh := t == nil
	if fresh {
		if least == nil || most == nil {
			return nil, invalid("MinCapacity and MaxCapacity are required for a new scalable target.")
		}
		t = &Target{ARN: w.ARN("application-autoscaling", "scalable-target/"+w.Hex(20)), Resource: resource, Cluster: parts[1], Service: parts[2],
			CreatedAt: w.Now()}
	}
	low, high := t.Min, t.Max
	if least != nil {
		low = int(*least)
	}
	if most != nil {
		high = int(*most)
	}
	if low < 0 || low > high {
		return nil, invalid("Maximum capacity cannot be less than minimum capacity, and neither can be negative.")
	}
	t.Min, t.Max = low, high
	if suspended != nil {
		t.Suspended = *suspended
	}
	if fresh {
		w.targets = append(w.targets, t)
	}
	return t, nil
}

func invalid(message string) error { return core.Refuse("ValidationException", "%s", message) }

func notFound(what string) error { return core.Refuse("ObjectNotFoundException", "%s", what) }

// Deregister removes a scalable target with its policies.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
func (w *AppAutoScaling) Deregister(resource string) error {
	if w.target(resource) == nil {
		return notFound("No scalable target found for service namespace: ecs, resource ID: " + resource)
	}
	for _, p := range w.ScalingPolicies() {
		if *p.ResourceId == resource {
			w.remove(p)
		}
	}
	w.targets = slices.DeleteFunc(w.targets, func(t *Target) bool { return t.Resource == resource })
	return nil
}

// remove removes a policy with its alarms.
func (w *AppAutoScaling) remove(p *Policy) {
	for _, a := range p.Alarms {
		w.others.Alarms.Delete(*a.AlarmName)
	}
	w.policies = slices.DeleteFunc(w.policies, func(other *Policy) bool { return other == p })
}

func (w *AppAutoScaling) find(resource, name string) *Policy {
	if i := slices.IndexFunc(w.policies, func(p *Policy) bool { return *p.ResourceId == resource && *p.PolicyName == name }); i >= 0 {
		return w.policies[i]
	}
	return nil
}

// PutPolicy makes or changes a policy. Of target tracking it makes the alarms too; those of step scaling are the user's.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
func (w *AppAutoScaling) PutPolicy(in aas.PutScalingPolicyInput) (*Policy, error) {
	if w.target(*in.ResourceId) == nil {
		return nil, notFound("No scalable target registered for service namespace: ecs, resource ID: " + *in.ResourceId)
	}
	step, tracking := in.StepScalingPolicyConfiguration, in.TargetTrackingScalingPolicyConfiguration
	switch {
	case in.PredictiveScalingPolicyConfiguration != nil:
		return nil, invalid("The simulated cloud has no predictive scaling.")
	case (step == nil) == (tracking == nil):
		return nil, invalid("A policy needs either a StepScalingPolicyConfiguration or a TargetTrackingScalingPolicyConfiguration.")
	case step != nil:
		if err := checkSteps(*step); err != nil {
			return nil, err
		}
	}
	p := &Policy{PutScalingPolicyInput: in, CreatedAt: w.Now()}
	old := w.find(*in.ResourceId, *in.PolicyName)
	if old != nil {
		p.ARN = old.ARN
	} else {
		p.ARN = w.ARN("autoscaling", "scalingPolicy:"+w.UUID()+":resource/ecs/"+*in.ResourceId+":policyName/"+*in.PolicyName)
	}
	if tracking != nil {
		if err := w.watch(p); err != nil {
			return nil, err
		}
	}
	if old != nil {
		w.remove(old)
	}
	w.policies = append(w.policies, p)
	return p, nil
}

// watch makes the alarms of target tracking: above the target for three periods, and a tenth below it for a quarter of an hour.
// Users have read that off the alarms: https://github.com/aws/containers-roadmap/issues/1208
func (w *AppAutoScaling) watch(p *Policy) error {
	c := p.TargetTrackingScalingPolicyConfiguration
	if c.TargetValue == nil || *c.TargetValue <= 0 {
		return invalid("TargetValue must be a positive number.")
	}
	queries, period, err := measured(*c, w.target(*p.ResourceId))
	if err != nil {
		return err
	}
	high := Watch{Queries: queries, Period: period, Periods: 3, Above: true, Threshold: *c.TargetValue}
	low := Watch{Queries: queries, Period: period, Periods: int(15 * time.Minute / period), Threshold: 0.9 * *c.TargetValue}
	for i, a := range []Watch{high, low} {
		if i == 1 && core.Deref(c.DisableScaleIn) {
			break
		}
		a.Name, a.Policy = "TargetTracking-"+*p.ResourceId+"-"+[]string{"AlarmHigh", "AlarmLow"}[i]+"-"+w.UUID(), p.ARN
		arn, err := w.others.Alarms.Put(a)
		if err != nil {
			return err
		}
		p.Alarms = append(p.Alarms, types.Alarm{AlarmName: &a.Name, AlarmARN: &arn})
	}
	return nil
}

// measured is the metric of target tracking. Those of high resolution are for CPU and memory of ECS only; all others are tracked by the minute.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/target-tracking-faster-auto-scaling.html
func measured(c types.TargetTrackingScalingPolicyConfiguration, t *Target) ([]Query, time.Duration, error) {
	if own := c.CustomizedMetricSpecification; own != nil {
		return customized(*own)
	}
	if c.PredefinedMetricSpecification == nil {
		return nil, 0, invalid("Target tracking needs a PredefinedMetricSpecification or a CustomizedMetricSpecification.")
	}
	name, fine := strings.CutSuffix(string(c.PredefinedMetricSpecification.PredefinedMetricType), "HighResolution")
	period := time.Minute
	if fine {
		period = 20 * time.Second
	}
	q := Query{ID: "m1", Namespace: "AWS/ECS", Statistic: "Average", Dimensions: map[string]string{"ClusterName": t.Cluster, "ServiceName": t.Service}}
	_, group, _ := strings.Cut(core.Deref(c.PredefinedMetricSpecification.ResourceLabel), "/targetgroup/")
	switch {
	case name == "ECSServiceAverageCPUUtilization":
		q.Name = "CPUUtilization"
	case name == "ECSServiceAverageMemoryUtilization":
		q.Name = "MemoryUtilization"
	case name == "ALBRequestCountPerTarget" && !fine && group != "":
		q = Query{ID: "m1", Namespace: "AWS/ApplicationELB", Name: name[len("ALB"):], Statistic: "Sum",
			Dimensions: map[string]string{"TargetGroup": "targetgroup/" + group}}
	default:
		return nil, 0, invalid("PredefinedMetricType " + name + " is not one of ECS, or its ResourceLabel is not app/NAME/ID/targetgroup/NAME/ID.")
	}
	return []Query{q}, period, nil
}

func customized(c types.CustomizedMetricSpecification) ([]Query, time.Duration, error) {
	if c.MetricName != nil {
		q := Query{ID: "m1", Namespace: core.Deref(c.Namespace), Name: *c.MetricName, Statistic: string(c.Statistic), Dimensions: map[string]string{}}
		for _, d := range c.Dimensions {
			q.Dimensions[core.Deref(d.Name)] = core.Deref(d.Value)
		}
		return []Query{q}, time.Minute, nil
	}
	var all []Query
	var counts Query
	for _, m := range c.Metrics {
		q := Query{ID: core.Deref(m.Id), Expression: core.Deref(m.Expression), Dimensions: map[string]string{}}
		if s := m.MetricStat; s != nil && s.Metric != nil {
			q.Namespace, q.Name, q.Statistic = core.Deref(s.Metric.Namespace), core.Deref(s.Metric.MetricName), core.Deref(s.Stat)
			for _, d := range s.Metric.Dimensions {
				q.Dimensions[core.Deref(d.Name)] = core.Deref(d.Value)
			}
		}
		if m.ReturnData == nil || *m.ReturnData {
			counts = q
			continue
		}
		all = append(all, q)
	}
	if counts.ID == "" {
		return nil, 0, invalid("One of the metrics of a CustomizedMetricSpecification must return data.")
	}
	return append(all, counts), time.Minute, nil
}
