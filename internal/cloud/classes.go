package cloud

import (
	"context"
	"errors"
	"net"
	"path"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/plan"
)

// class is one row of the table of classes: an error code as AWS spells it, and what its message must contain.
type class struct {
	code    string // a * stands for any text
	message string // found in the message, any case; empty: any message
	class   plan.Class
}

// classes is read from the top; the first row that fits counts. What fits none is unclear: the request may have had its effect.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
var classes = []class{
	// A finished, expired or unknown lifecycle action has no error code of its own.
	{"ValidationError", "No active Lifecycle Action found", plan.Gone},
	{"ValidationError", "not found", plan.Gone},
	{"*NotFound", "", plan.Gone},
	{"*NotFoundException", "", plan.Gone},
	{"ServiceNotActiveException", "", plan.Gone},

	{"AccessDenied*", "", plan.Denied},
	{"UnauthorizedOperation", "", plan.Denied},
	{"UnrecognizedClient*", "", plan.Denied},
	{"InvalidClientTokenId", "", plan.Denied},
	{"ExpiredToken*", "", plan.Denied},
	{"SignatureDoesNotMatch", "", plan.Denied},
	{"InvalidSignature*", "", plan.Denied},
	{"IncompleteSignature*", "", plan.Denied},
	{"MissingAuthenticationToken*", "", plan.Denied},
	{"AuthFailure", "", plan.Denied},
	{"RequestExpired", "", plan.Denied}, // the clock of this host is wrong
	{"OptInRequired", "", plan.Denied},
	{"BlockedException", "", plan.Denied},

	// RateExceeded is not in the SDK's own list of throttling codes.
	{"Throttl*", "", plan.Throttled},
	{"RateExceeded", "", plan.Throttled},
	{"RequestLimitExceeded", "", plan.Throttled},
	{"RequestThrottled*", "", plan.Throttled},
	{"TooManyRequests*", "", plan.Throttled},
	{"SlowDown", "", plan.Throttled},
	{"EC2ThrottledException", "", plan.Throttled},

	{"ResourceContention*", "", plan.Conflict},
	{"UpdateInProgress*", "", plan.Conflict},
	{"ScalingActivityInProgress*", "", plan.Conflict},
	{"ResourceInUse*", "", plan.Conflict},

	{"Validation*", "", plan.Invalid},
	{"Invalid*", "", plan.Invalid},
	{"Missing*", "", plan.Invalid},
	{"Malformed*", "", plan.Invalid},
	{"ClientException", "", plan.Invalid},
	{"UnsupportedFeatureException", "", plan.Invalid},
}

// Classify says what an error of an AWS call means for the next decision. It returns nil for nil.
func Classify(err error) *plan.Failure {
	var api smithy.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api):
		code, message := api.ErrorCode(), api.ErrorMessage()
		return &plan.Failure{Class: classOf(code, message), Code: code, Message: message}
	case noCredentials(err):
		return &plan.Failure{Class: plan.Denied, Message: err.Error()}
	}
	return &plan.Failure{Class: plan.Unclear, Message: err.Error()}
}

func classOf(code, message string) plan.Class {
	for _, c := range classes {
		matched, _ := path.Match(c.code, code) // the patterns of the table are well-formed
		if matched && strings.Contains(strings.ToLower(message), strings.ToLower(c.message)) {
			return c.class
		}
	}
	return plan.Unclear
}

// noCredentials reports whether the SDK could not sign because it has no credentials. It has no type for that. A source of
// credentials that timed out is not a lack of them: asking again may help.
func noCredentials(err error) bool {
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &netErr) && netErr.Timeout() {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "get credentials") || strings.Contains(text, "retrieve credentials") ||
		strings.Contains(text, "refresh cached credentials")
}
