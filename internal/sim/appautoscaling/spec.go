package appautoscaling

import (
	"fmt"
	"maps"
	"slices"
	"time"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Spec is a scalable target and its policies.
type Spec struct {
	Service  string       `yaml:"service,omitempty"`
	Cluster  string       `yaml:"cluster,omitempty"`
	Min      int          `yaml:"min,omitempty"`
	Max      int          `yaml:"max,omitempty"`
	Policies []PolicySpec `yaml:"policies,omitempty"`
}

// PolicySpec is a policy: of target tracking if it has a target, else of step scaling. An alarm invokes one of the latter with the action
// policy:NAME.
type PolicySpec struct {
	Name string `yaml:"name,omitempty"`

	Tracks      string        `yaml:"tracks,omitempty"` // cpu, memory, cpu-20s, memory-20s, requests (per target), or math
	Label       string        `yaml:"label,omitempty"`  // of requests: app/NAME/ID/targetgroup/NAME/ID; empty: where the load of the service comes through
	Math        []Query       `yaml:"math,omitempty"`   // the last one counts
	Target      float64       `yaml:"target,omitempty"`
	OutCooldown time.Duration `yaml:"out_cooldown,omitempty"` // 0: 5m
	InCooldown  time.Duration `yaml:"in_cooldown,omitempty"`  // 0: 5m
	NoScaleIn   bool          `yaml:"no_scale_in,omitempty"`

	Adjustment string        `yaml:"adjustment,omitempty"` // of steps: count (default), percent, exact
	Magnitude  int           `yaml:"magnitude,omitempty"`  // of percent: so many tasks at least
	Cooldown   time.Duration `yaml:"cooldown,omitempty"`   // of steps; 0: 5m
	Steps      []StepSpec    `yaml:"steps,omitempty"`
}

// StepSpec is one step. Its bounds are relative to the threshold of the alarm; one may be open.
type StepSpec struct {
	From *float64 `yaml:"from,omitempty"`
	To   *float64 `yaml:"to,omitempty"`
	By   int      `yaml:"by,omitempty"`
}

// AddScaling registers a target and makes its policies.
func (w *AppAutoScaling) AddScaling(s Spec) error {
	resource := "service/" + s.Cluster + "/" + s.Service
	if _, err := w.Register(resource, new(int32(s.Min)), new(int32(s.Max)), nil); err != nil {
		return err
	}
	for _, p := range s.Policies {
		in := aas.PutScalingPolicyInput{PolicyName: &p.Name, ResourceId: &resource}
		if p.Target != 0 {
			in.TargetTrackingScalingPolicyConfiguration = p.tracking()
		} else {
			in.StepScalingPolicyConfiguration = p.stepping()
		}
		if p.Name == "" || w.find(resource, p.Name) != nil {
			return fmt.Errorf("policy %q: every policy needs a name of its own", p.Name)
		}
		if _, err := w.PutPolicy(in); err != nil {
			return fmt.Errorf("policy %q: %w", p.Name, err)
		}
	}
	return nil
}

// PolicyARN is the ARN of the policy of a name; false if there is none, or more than one.
func (w *AppAutoScaling) PolicyARN(name string) (string, bool) {
	found := slices.DeleteFunc(w.ScalingPolicies(), func(p *Policy) bool { return *p.PolicyName != name })
	if len(found) != 1 {
		return "", false
	}
	return found[0].ARN, true
}

var predefined = map[string]string{
	"cpu": "ECSServiceAverageCPUUtilization", "cpu-20s": "ECSServiceAverageCPUUtilizationHighResolution", "memory": "ECSServiceAverageMemoryUtilization",
	"memory-20s": "ECSServiceAverageMemoryUtilizationHighResolution", "requests": "ALBRequestCountPerTarget",
}

func (p PolicySpec) tracking() *types.TargetTrackingScalingPolicyConfiguration {
	c := &types.TargetTrackingScalingPolicyConfiguration{TargetValue: &p.Target, DisableScaleIn: &p.NoScaleIn, ScaleOutCooldown: seconds(p.OutCooldown),
		ScaleInCooldown: seconds(p.InCooldown)}
	if p.Tracks != "math" {
		c.PredefinedMetricSpecification = &types.PredefinedMetricSpecification{PredefinedMetricType: types.MetricType(predefined[p.Tracks]),
			ResourceLabel: core.Optional(p.Label)}
		return c
	}
	c.CustomizedMetricSpecification = &types.CustomizedMetricSpecification{}
	for i, q := range p.Math {
		m := types.TargetTrackingMetricDataQuery{Id: &q.ID, Expression: core.Optional(q.Expression), ReturnData: new(i == len(p.Math)-1)}
		if q.Expression == "" {
			m.MetricStat = &types.TargetTrackingMetricStat{Metric: &types.TargetTrackingMetric{Namespace: &q.Namespace, MetricName: &q.Name}, Stat: &q.Statistic}
		}
		for _, name := range slices.Sorted(maps.Keys(q.Dimensions)) {
			d := types.TargetTrackingMetricDimension{Name: &name, Value: new(q.Dimensions[name])}
			m.MetricStat.Metric.Dimensions = append(m.MetricStat.Metric.Dimensions, d)
		}
		c.CustomizedMetricSpecification.Metrics = append(c.CustomizedMetricSpecification.Metrics, m)
	}
	return c
}

func seconds(d time.Duration) *int32 {
	if d == 0 {
		return nil
	}
	return new(core.Seconds(d))
}

func (p PolicySpec) stepping() *types.StepScalingPolicyConfiguration {
	kinds := map[string]types.AdjustmentType{"": types.AdjustmentTypeChangeInCapacity, "count": types.AdjustmentTypeChangeInCapacity,
		"percent": types.AdjustmentTypePercentChangeInCapacity, "exact": types.AdjustmentTypeExactCapacity}
	return &types.StepScalingPolicyConfiguration{
		AdjustmentType: kinds[p.Adjustment], Cooldown: seconds(p.Cooldown), MinAdjustmentMagnitude: new(int32(p.Magnitude)),
		StepAdjustments: core.Mapped(p.Steps, func(s StepSpec) types.StepAdjustment {
			return types.StepAdjustment{MetricIntervalLowerBound: s.From, MetricIntervalUpperBound: s.To, ScalingAdjustment: new(int32(s.By))}
		}),
	}
}
