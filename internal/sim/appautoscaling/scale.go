package appautoscaling

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// reaction is how long after its alarm a policy acts. With the times that the metrics of ECS take it is chosen so that a scale-out takes what
// AWS has measured: https://aws.amazon.com/blogs/aws/amazon-ecs-introduces-new-high-resolution-metrics-for-faster-service-auto-scaling/
const reaction = 5 * time.Second

// usual is the cooldown of ECS services.
const usual = 300 * time.Second

// Breached is how an alarm invokes a policy, and goes on to once a minute while its state lasts.
func (w *AppAutoScaling) Breached(policyARN string, threshold, value float64) {
	i := slices.IndexFunc(w.policies, func(p *Policy) bool { return p.ARN == policyARN })
	if i < 0 {
		return
	}
	p := w.policies[i]
	w.After(reaction, func() {
		if w.find(*p.ResourceId, *p.PolicyName) != p {
			return
		}
		if p.StepScalingPolicyConfiguration != nil {
			w.step(p, value-threshold)
		} else {
			w.track(p, value)
		}
	})
}

// situation is what a policy decides about. The base of every calculation is how many tasks run, and not how many are desired.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
type situation struct {
	*Target
	desired, running int
	deploying        bool
}

func (w *AppAutoScaling) look(p *Policy) (situation, bool) {
	t := w.target(*p.ResourceId)
	s := situation{Target: t}
	var ok bool
	s.desired, s.running, s.deploying, ok = w.others.Services.Capacity(t.Cluster, t.Service)
	return s, ok
}

// track keeps a metric at its target: more tasks in proportion at once, fewer only if all policies want fewer.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
func (w *AppAutoScaling) track(p *Policy, value float64) {
	s, ok := w.look(p)
	if !ok {
		return
	}
	c := p.TargetTrackingScalingPolicyConfiguration
	base := w.base(p, s)
	want := int(math.Ceil(float64(base)*value/(*c.TargetValue) - 1e-9))
	if value > *c.TargetValue {
		if base == 0 {
			want = 1 // of nothing there is no proportion: the smallest amount
		}
		w.out(p, s, want, cooldown(c.ScaleOutCooldown), base)
		return
	}
	p.want = want
	for _, other := range w.policies {
		tracking := other.TargetTrackingScalingPolicyConfiguration
		if *other.ResourceId != *p.ResourceId || tracking == nil || len(other.Alarms) < 2 {
			continue
		}
		if !w.others.Alarms.InAlarm(*other.Alarms[1].AlarmName) {
			return
		}
		want = max(want, other.want)
	}
	w.in(p, s, want, cooldown(c.ScaleInCooldown))
}

// base is the capacity that a policy begins from. While the cooldown of a scale-out lasts it is the one from before: what was added counts as a
// part of what is wanted now.
func (w *AppAutoScaling) base(p *Policy, s situation) int {
	if w.Now().Before(p.until) && p.out {
		return p.base
	}
	return s.running
}

func cooldown(seconds *int32) time.Duration {
	if seconds == nil {
		return usual
	}
	return time.Duration(*seconds) * time.Second
}

// step scales by the step in which the breach lies.
// https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
func (w *AppAutoScaling) step(p *Policy, breach float64) {
	s, ok := w.look(p)
	if !ok {
		return
	}
	c := p.StepScalingPolicyConfiguration
	i := slices.IndexFunc(c.StepAdjustments, func(a types.StepAdjustment) bool { return within(a, breach) })
	if i < 0 {
		return
	}
	base := w.base(p, s)
	want := adjusted(*c, int(*c.StepAdjustments[i].ScalingAdjustment), base)
	if c.AdjustmentType == types.AdjustmentTypeExactCapacity && want < s.desired || c.AdjustmentType != types.AdjustmentTypeExactCapacity && want < base {
		w.in(p, s, want, cooldown(c.Cooldown))
		return
	}
	w.out(p, s, want, cooldown(c.Cooldown), base)
}

// within reports whether a breach lies in a step: above the threshold the lower bound belongs to it, below the upper one.
func within(a types.StepAdjustment, breach float64) bool {
	low, high := math.Inf(-1), math.Inf(1)
	if a.MetricIntervalLowerBound != nil {
		low = *a.MetricIntervalLowerBound
	}
	if a.MetricIntervalUpperBound != nil {
		high = *a.MetricIntervalUpperBound
	}
	if breach >= 0 {
		return low <= breach && breach < high
	}
	return low < breach && breach <= high
}

// adjusted is the capacity after an adjustment. Percentages are rounded: more than 1 down, up to 1 to 1, down to -1 to -1, less towards zero.
func adjusted(c types.StepScalingPolicyConfiguration, by, base int) int {
	switch c.AdjustmentType {
	case types.AdjustmentTypeExactCapacity:
		return by
	case types.AdjustmentTypePercentChangeInCapacity:
		change := float64(base) * float64(by) / 100
		n := int(change)
		if n == 0 && change > 0 {
			n = 1
		} else if n == 0 && change < 0 {
			n = -1
		}
		if least := int(core.Deref(c.MinAdjustmentMagnitude)); by > 0 {
			n = max(n, least)
		} else if by < 0 {
			n = min(n, -least)
		}
		return base + n
	}
	return base + by
}

// checkSteps checks the steps of a policy: they neither overlap nor leave a gap.
func checkSteps(c types.StepScalingPolicyConfiguration) error {
	if len(c.StepAdjustments) == 0 || len(c.StepAdjustments) > 20 || !slices.Contains(c.AdjustmentType.Values(), c.AdjustmentType) {
		return invalid("A step policy needs an AdjustmentType and 1 to 20 StepAdjustments.")
	}
	steps := slices.Clone(c.StepAdjustments)
	slices.SortStableFunc(steps, func(a, b types.StepAdjustment) int {
		low := func(s types.StepAdjustment) float64 {
			if s.MetricIntervalLowerBound == nil {
				return math.Inf(-1)
			}
			return *s.MetricIntervalLowerBound
		}
		switch {
		case low(a) < low(b):
			return -1
		case low(a) > low(b):
			return 1
		}
		return 0
	})
	for i, s := range steps {
		low, high := s.MetricIntervalLowerBound, s.MetricIntervalUpperBound
		switch {
		case s.ScalingAdjustment == nil, low == nil && high == nil, low != nil && high != nil && *low >= *high:
			return invalid("A step needs a ScalingAdjustment, and bounds of which the lower one is less than the upper one.")
		case i > 0 && (low == nil || steps[i-1].MetricIntervalUpperBound == nil || *steps[i-1].MetricIntervalUpperBound != *low):
			return invalid("There must be no gap and no overlap between the steps.")
		}
	}
	return nil
}

// out scales out. In its cooldown that goes on as far as more is wanted than was added already.
func (w *AppAutoScaling) out(p *Policy, s situation, want int, rest time.Duration, base int) {
	if core.Deref(s.Suspended.DynamicScalingOutSuspended) {
		return
	}
	limited := max(min(want, s.Max), s.Min)
	if limited <= s.desired {
		w.refused(p, s, either(want > s.desired || s.desired >= s.Max, "AlreadyAtMaxCapacity", "AlreadyAtDesiredCapacity"))
		return
	}
	if w.set(p, s, limited) {
		p.until, p.out, p.base = w.Now().Add(rest), true, base
	}
}

// in scales in: not in a cooldown, and not while a deployment is in progress.
func (w *AppAutoScaling) in(p *Policy, s situation, want int, rest time.Duration) {
	for _, other := range w.policies { // whichever policy has scaled
		if *other.ResourceId == *p.ResourceId && w.Now().Before(other.until) {
			return
		}
	}
	if s.deploying || core.Deref(s.Suspended.DynamicScalingInSuspended) {
		return
	}
	limited := max(min(want, s.Max), s.Min)
	if limited >= s.desired {
		w.refused(p, s, either(want < s.desired || s.desired <= s.Min, "AlreadyAtMinCapacity", "AlreadyAtDesiredCapacity"))
		return
	}
	if w.set(p, s, limited) {
		p.until, p.out = w.Now().Add(rest), false
	}
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// set sets the desired count, and notes that.
func (w *AppAutoScaling) set(p *Policy, s situation, n int) bool {
	a := w.activity(p, s)
	a.Description = new(fmt.Sprintf("Setting desired count to %d.", n))
	var err error
	w.As("application-autoscaling", func() { err = w.others.Services.SetDesired(s.Cluster, s.Service, n) })
	if err != nil {
		a.StatusCode, a.StatusMessage = types.ScalingActivityStatusCodeFailed, new("Failed to set desired count to "+fmt.Sprint(n)+". Reason: "+err.Error())
	} else {
		a.StatusMessage = new(fmt.Sprintf("Successfully set desired count to %d. Change successfully fulfilled by ecs.", n))
	}
	w.activities = append(w.activities, a)
	return err == nil
}

func (w *AppAutoScaling) activity(p *Policy, s situation) types.ScalingActivity {
	return types.ScalingActivity{
		ActivityId: new(w.UUID()), ResourceId: &s.Resource, ServiceNamespace: types.ServiceNamespaceEcs,
		ScalableDimension: types.ScalableDimensionECSServiceDesiredCount, StartTime: new(w.Now()), EndTime: new(w.Now()),
		StatusCode: types.ScalingActivityStatusCodeSuccessful, Cause: new("monitor alarm triggered policy " + *p.PolicyName),
	}
}

// refused notes once why a policy does not scale, until it does or says something else.
func (w *AppAutoScaling) refused(p *Policy, s situation, code string) {
	for _, a := range slices.Backward(w.activities) {
		if *a.ResourceId != s.Resource {
			continue
		}
		if len(a.NotScaledReasons) == 1 && *a.NotScaledReasons[0].Code == code {
			return
		}
		break
	}
	a := w.activity(p, s)
	a.Description = new("Attempting to scale due to alarm triggered")
	reason := types.NotScaledReason{Code: &code, CurrentCapacity: new(int32(s.desired)), MinCapacity: new(int32(s.Min)), MaxCapacity: new(int32(s.Max))}
	a.NotScaledReasons = []types.NotScaledReason{reason}
	w.activities = append(w.activities, a)
}
