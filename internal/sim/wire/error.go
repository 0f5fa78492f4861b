package wire

import (
	"errors"
	"fmt"
	"net/http"

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

	shape string                           // the name of the error in JSON, where it differs from Code
	typed func(code, message string) error // makes the SDK's own type; nil: there is none
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
	if e.typed == nil {
		return nil
	}
	return e.typed(e.jsonName(), e.Message)
}

func (e *Error) jsonName() string {
	if e.shape != "" {
		return e.shape
	}
	return e.Code
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
	if code, ok := req.row.of.Errors.Query[r.Code]; ok {
		e.Code, e.shape = code, r.Code
	}
	e.typed = req.row.of.Errors.Typed
	return e
}
