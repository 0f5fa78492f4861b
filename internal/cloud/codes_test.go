package cloud

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/plan"
)

// What passes is not taken for what stays: an Ebb that took throttling for a refusal would give a drain up, and one that took a refusal for
// throttling would wait for ever.
func TestEveryCodeHasItsClass(t *testing.T) {
	for class, codes := range map[plan.Class][]string{
		plan.Gone: {"ClusterNotFoundException", "ServiceNotFoundException", "TargetGroupNotFound",
			"InvalidInstanceID.NotFound", "ServiceNotActiveException"},
		plan.Denied: {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException", "InvalidClientTokenId",
			"ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature",
			"MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure", "RequestExpired",
			"OptInRequired", "BlockedException"},
		plan.Throttled: {"Throttling", "ThrottlingException", "ThrottledException", "RateExceeded", "RequestLimitExceeded", "RequestThrottled",
			"RequestThrottledException", "TooManyRequestsException", "SlowDown", "EC2ThrottledException"},
		plan.Conflict: {"ResourceContention", "ResourceContentionFault", "UpdateInProgressException", "ScalingActivityInProgress",
			"ResourceInUse", "ResourceInUseException"},
		plan.Invalid: {"ValidationError", "ValidationException", "InvalidParameterException", "InvalidParameterValue",
			"InvalidInstanceID.Malformed", "MissingParameter", "MalformedQueryString", "ClientException", "UnsupportedFeatureException"},
		plan.Unclear: {"InternalFailure", "InternalError", "ServerException", "ServiceUnavailable", "Unavailable", "RequestTimeout",
			"", "SomethingNew"},
	} {
		for _, code := range codes {
			if got := Classify(&smithy.GenericAPIError{Code: code, Message: "it is so"}); got.Class != class || got.Code != code {
				t.Errorf("%q is of class %q with code %q, want %q", code, got.Class, got.Code, class)
			}
		}
	}
}

// The tag may stand anywhere among those of a group.
func TestATagThatExcludesAGroupStandsAnywhere(t *testing.T) {
	tags := []string{"Name", "ebb:exclude", "team"}
	for range tags {
		g := astypes.AutoScalingGroup{}
		for _, key := range tags {
			g.Tags = append(g.Tags, astypes.TagDescription{Key: aws.String(key), Value: aws.String("true")})
		}
		if !ReadGroup(g).Excluded {
			t.Errorf("the tags %v do not exclude it", tags)
		}
		tags = append(tags[1:], tags[0])
	}
}

// Only what AWS says that it retains is retained.
func TestWhatAGroupRetains(t *testing.T) {
	of := func(action astypes.RetentionAction) *astypes.InstanceLifecyclePolicy {
		return &astypes.InstanceLifecyclePolicy{RetentionTriggers: &astypes.RetentionTriggers{TerminateHookAbandon: action}}
	}
	for name, c := range map[string]struct {
		policy *astypes.InstanceLifecyclePolicy
		want   bool
	}{
		"no policy": {nil, false}, "no triggers": {&astypes.InstanceLifecyclePolicy{}, false}, "nothing said": {of(""), false},
		"terminate": {of(astypes.RetentionActionTerminate), false}, "retain": {of(astypes.RetentionActionRetain), true},
	} {
		if got := ReadGroup(astypes.AutoScalingGroup{InstanceLifecyclePolicy: c.policy}).Retains; got != c.want {
			t.Errorf("%s: retains %v", name, got)
		}
	}
}

// A launch is no termination, whatever its description says besides.
func TestWhatTerminates(t *testing.T) {
	for description, want := range map[string]int{
		"Terminating EC2 instance: i-0a1b2c3d": 1, "Terminating EC2 instance: i-0a1b2c3d - Waiting For ELB Connection Draining.": 1,
		"Launching a new EC2 instance: i-0a1b2c3d": 0, "Launching a new EC2 instance. Status Reason: Terminating i-0a1b2c3d": 0,
		"Moving EC2 instance to Standby: i-0a1b2c3d": 0, "Terminating EC2 instance: none": 0, "": 0,
	} {
		if got := ReadTerminations(astypes.Activity{Description: aws.String(description)}); len(got) != want {
			t.Errorf("%q: %v", description, got)
		}
	}
}
