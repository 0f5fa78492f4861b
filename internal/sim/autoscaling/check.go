package autoscaling

import (
	"slices"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// How many instances one call may name.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html
const (
	mostTerminate = 100
	mostStandby   = 20
)

// actionNamed checks that a request names a lifecycle action by its token, or by the instance. Of the form of an instance id Auto Scaling checks
// nothing: one that cannot be is unknown.
func actionNamed(token, instance *string) error {
	if token == nil && instance == nil {
		return core.Refuse("ValidationError", "Either lifecycleActionToken or instanceId must be specified.")
	}
	return nil
}

// inRange checks a number as Auto Scaling does.
func inRange(name string, n *int32, low, high int32) error {
	if n == nil || *n >= low && *n <= high {
		return nil
	}
	return core.Refuse("ValidationError", "%s must be between %d and %d (inclusive), not %d.", name, low, high, *n)
}

// oneOf checks an enumeration as Auto Scaling does.
func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return core.Refuse("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value "+
		"set: %v", value, name, allowed)
}

func badToken(token *string) error {
	return core.Refuse("InvalidNextToken", "The token '%s' is invalid.", core.Deref(token))
}
