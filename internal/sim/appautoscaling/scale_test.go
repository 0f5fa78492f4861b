package appautoscaling

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
)

// TestPercentages: the table of the guide.
// https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
func TestPercentages(t *testing.T) {
	for _, c := range []struct{ base, percent, least, want int }{
		{10, 67, 0, 16}, {1, 67, 0, 2}, {100, 10, 0, 110}, {10, -58, 0, 5}, {1, -58, 0, 0}, {10, -67, 0, 4}, {4, 25, 2, 6}, {4, -25, 2, 2}, {0, 50, 0, 0},
	} {
		got := adjusted(types.StepScalingPolicyConfiguration{AdjustmentType: types.AdjustmentTypePercentChangeInCapacity,
			MinAdjustmentMagnitude: new(int32(c.least))}, c.percent, c.base)
		if got != c.want {
			t.Errorf("%d by %d %%: %d, want %d", c.base, c.percent, got, c.want)
		}
	}
}

// TestBounds: above the threshold the lower bound belongs to a step, below it the upper one.
func TestBounds(t *testing.T) {
	step := func(low, high float64) types.StepAdjustment {
		return types.StepAdjustment{MetricIntervalLowerBound: &low, MetricIntervalUpperBound: &high}
	}
	for _, c := range []struct {
		low, high, breach float64
		want              bool
	}{{0, 10, 0, true}, {0, 10, 10, false}, {10, 20, 10, true}, {-10, 0, 0, false}, {-10, 0, -10, false}, {-20, -10, -10, true}, {-10, 0, -0.1, true}} {
		if got := within(step(c.low, c.high), c.breach); got != c.want {
			t.Errorf("%v in %v to %v: %v", c.breach, c.low, c.high, got)
		}
	}
	one := step(0, 10)
	one.ScalingAdjustment = new(int32(1))
	two := step(11, 20)
	two.ScalingAdjustment = new(int32(2))
	for _, steps := range [][]types.StepAdjustment{nil, {{}}, {one, two}, {one, one}, {step(0, 10)}} {
		if checkSteps(types.StepScalingPolicyConfiguration{AdjustmentType: types.AdjustmentTypeExactCapacity, StepAdjustments: steps}) == nil {
			t.Errorf("%+v: want an error", steps)
		}
	}
}
