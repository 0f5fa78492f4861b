package autoscaling

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The bounds of what requests carry, as the API's model has them.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
const (
	tokenLength   = 36
	longestID     = 19
	anyText       = `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`
	mostTerminate = 100
	mostStandby   = 20
)

// refused is the refusal of a request with members that break a constraint; nil: there are none.
func refused(broken ...string) error {
	broken = slices.DeleteFunc(broken, func(s string) bool { return s == "" })
	switch len(broken) {
	case 0:
		return nil
	case 1:
		return core.Refuse("ValidationError", "1 validation error detected: %s", broken[0])
	}
	return core.Refuse("ValidationError", "%d validation errors detected: %s", len(broken), strings.Join(broken, "; "))
}

// length says that a text is too short or too long; empty: it is neither, or not there.
func length(member string, value *string, least, most int) string {
	constraint := ""
	switch {
	case value == nil:
		return ""
	case len(*value) < least:
		constraint = fmt.Sprintf("greater than or equal to %d", least)
	case len(*value) > most:
		constraint = fmt.Sprintf("less than or equal to %d", most)
	default:
		return ""
	}
	return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must have length %s", *value, member, constraint)
}

// instanceID says that an instance id is too short or too long. Of its form Auto Scaling checks nothing: an id that cannot be is unknown.
func instanceID(value *string) string { return length("instanceId", value, 1, longestID) }

// instanceIDs is instanceID for a list. One that breaks the constraint makes the whole call fail.
func instanceIDs(values []string) string {
	if !slices.ContainsFunc(values, func(id string) bool { return len(id) < 1 || len(id) > longestID }) {
		return ""
	}
	return fmt.Sprintf("Value '[%s]' at 'instanceIds' failed to satisfy constraint: Member must satisfy constraint: "+
		"[Member must have length less than or equal to %d, Member must have length greater than or equal to 1, "+
		"Member must satisfy regular expression pattern: %s]", strings.Join(values, ", "), longestID, anyText)
}

// actionNamed checks that a request names a lifecycle action by its token, of 36 characters, or by the instance.
func actionNamed(token, instance *string) error {
	if err := refused(length("lifecycleActionToken", token, tokenLength, tokenLength), instanceID(instance)); err != nil {
		return err
	}
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
	return refused(fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %v", value, name, allowed))
}

func badToken(token *string) error {
	return core.Refuse("InvalidNextToken", "The token '%s' is invalid.", core.Deref(token))
}
