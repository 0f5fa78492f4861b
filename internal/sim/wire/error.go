package wire

import (
	"errors"
	"fmt"
	"net/http"

	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Error is an answer by which AWS refuses a call. It is a smithy.APIError, and unwraps to the SDK's own type where Ebb or its
// users tell errors apart by type, so that code which classifies SDK errors works the same without HTTP.
type Error struct {
	Service   string
	Operation string
	Code      string // as the SDK's ErrorCode() says it
	Message   string
	Status    int // HTTP status

	shape string // the name of the error in JSON, where it differs from Code
}

var _ smithy.APIError = (*Error)(nil)

// Error spells the error as the SDK does.
func (e *Error) Error() string {
	return fmt.Sprintf("operation error %s: %s, https response error StatusCode: %d, api error %s: %s", e.Service, e.Operation, e.Status, e.Code, e.Message)
}

// ErrorCode is AWS's error code.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorMessage is AWS's text.
func (e *Error) ErrorMessage() string { return e.Message }

// ErrorFault says whose fault it was, by the status.
func (e *Error) ErrorFault() smithy.ErrorFault {
	if e.Status >= http.StatusInternalServerError {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// HTTPStatusCode is the status, for retryers.
func (e *Error) HTTPStatusCode() int { return e.Status }

// Unwrap is the SDK's own type of the error, if it has one.
func (e *Error) Unwrap() error {
	m := &e.Message
	switch e.Service + "." + e.jsonName() {
	case "autoscaling.ResourceContention":
		return &astypes.ResourceContentionFault{Message: m}
	case "autoscaling.ScalingActivityInProgress":
		return &astypes.ScalingActivityInProgressFault{Message: m}
	case "ecs.ClientException":
		return &ecstypes.ClientException{Message: m}
	case "ecs.ClusterNotFoundException":
		return &ecstypes.ClusterNotFoundException{Message: m}
	case "ecs.InvalidParameterException":
		return &ecstypes.InvalidParameterException{Message: m}
	case "ecs.ServerException":
		return &ecstypes.ServerException{Message: m}
	case "ecs.ServiceNotFoundException":
		return &ecstypes.ServiceNotFoundException{Message: m}
	case "elasticloadbalancing.TargetGroupNotFound":
		return &elbtypes.TargetGroupNotFoundException{Message: m}
	case "sqs.QueueDoesNotExist":
		return &sqstypes.QueueDoesNotExist{Message: m}
	case "sqs.ReceiptHandleIsInvalid":
		return &sqstypes.ReceiptHandleIsInvalid{Message: m}
	}
	return nil
}

func (e *Error) jsonName() string {
	if e.shape != "" {
		return e.shape
	}
	return e.Code
}

// queryCodes are the SQS errors whose code in the query protocol, and so in ErrorCode(), differs from the name of the error in JSON.
// The JSON answer carries it in the header x-amzn-query-error.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
var queryCodes = map[string]string{
	"QueueDoesNotExist":              "AWS.SimpleQueueService.NonExistentQueue",
	"QueueNameExists":                "QueueAlreadyExists",
	"MessageNotInflight":             "AWS.SimpleQueueService.MessageNotInflight",
	"EmptyBatchRequest":              "AWS.SimpleQueueService.EmptyBatchRequest",
	"TooManyEntriesInBatchRequest":   "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	"BatchEntryIdsNotDistinct":       "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	"InvalidBatchEntryId":            "AWS.SimpleQueueService.InvalidBatchEntryId",
	"BatchRequestTooLong":            "AWS.SimpleQueueService.BatchRequestTooLong",
	"PurgeQueueInProgress":           "AWS.SimpleQueueService.PurgeQueueInProgress",
	"UnsupportedOperation":           "AWS.SimpleQueueService.UnsupportedOperation",
	"InvalidParameterValueException": "InvalidParameterValue",
	"AccessDeniedException":          "AccessDenied",
}

// sorry makes the error of a call from what its answer says.
func (a *API) sorry(req Request, err error) error {
	var own *Error
	var refused *core.Error
	switch {
	case errors.As(err, &own):
		own.Service, own.Operation = req.Service, req.Operation
		return own
	case errors.As(err, &refused):
		return refusal(req, refused)
	}
	return err
}

func refusal(req Request, r *core.Error) *Error {
	e := &Error{Service: req.Service, Operation: req.Operation, Code: r.Code, Message: r.Message, Status: r.Status}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
	}
	if code, ok := queryCodes[r.Code]; ok && req.Service == "sqs" {
		e.Code, e.shape = code, r.Code
	}
	return e
}

// refuse is an answer by which AWS refuses a call, with status 400.
func refuse(code, format string, args ...any) error {
	return &core.Error{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}
