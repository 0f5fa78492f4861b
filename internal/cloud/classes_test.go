package cloud

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/plan"
)

func TestClassify(t *testing.T) {
	code := func(code, message string) error { return &smithy.GenericAPIError{Code: code, Message: message} }
	noCreds := "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found"
	for _, c := range []struct {
		err  error
		want plan.Class
	}{
		{code("ValidationError", "No active Lifecycle Action found with token bcd2f1b8-9a78-44d3-8a7a-4dd07d7cf635"), plan.Gone},
		{code("ValidationError", "AutoScalingGroup name not found - no such group: web-asg"), plan.Gone},
		{code("ValidationError", "Value 61 at 'heartbeatTimeout' failed to satisfy constraint"), plan.Invalid},
		{code("InvalidInstanceID.NotFound", "The instance ID 'i-0a' does not exist"), plan.Gone},
		{&ecstypes.ClusterNotFoundException{Message: aws.String("Cluster not found.")}, plan.Gone},
		{&elbtypes.TargetGroupNotFoundException{}, plan.Gone},
		{code("AccessDenied", "User is not authorized"), plan.Denied},
		{&ecstypes.AccessDeniedException{}, plan.Denied},
		{code("UnauthorizedOperation", ""), plan.Denied},
		{code("UnrecognizedClientException", ""), plan.Denied},
		{code("ExpiredToken", ""), plan.Denied},
		{code("ExpiredTokenException", ""), plan.Denied},
		{code("SignatureDoesNotMatch", ""), plan.Denied},
		{code("InvalidSignatureException", ""), plan.Denied},
		{code("InvalidClientTokenId", ""), plan.Denied},
		{errors.New(noCreds), plan.Denied},
		{fmt.Errorf("%s: %w", noCreds, context.DeadlineExceeded), plan.Unclear},
		{code("Throttling", "Rate exceeded"), plan.Throttled},
		{code("ThrottlingException", "Rate exceeded"), plan.Throttled},
		{code("RequestLimitExceeded", ""), plan.Throttled},
		{code("RateExceeded", ""), plan.Throttled},
		{code("TooManyRequestsException", ""), plan.Throttled},
		{&astypes.ResourceContentionFault{}, plan.Conflict},
		{&astypes.ScalingActivityInProgressFault{}, plan.Conflict},
		{&ecstypes.UpdateInProgressException{}, plan.Conflict},
		{&ecstypes.InvalidParameterException{}, plan.Invalid},
		{&ecstypes.ClientException{}, plan.Invalid},
		{&ecstypes.ServerException{}, plan.Unclear},
		{code("InternalFailure", ""), plan.Unclear},
		{code("ServiceUnavailable", ""), plan.Unclear},
		{context.DeadlineExceeded, plan.Unclear},
		{errors.New("read tcp: connection reset by peer"), plan.Unclear},
	} {
		wrapped := fmt.Errorf("operation error: %w", c.err)
		if got := Classify(wrapped); got.Class != c.want {
			t.Errorf("%v is of class %q, want %q", c.err, got.Class, c.want)
		}
	}
	if f := Classify(nil); f != nil {
		t.Errorf("no error is %v", f)
	}
}
