package wire

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// FaultKind is a way for a call to go wrong.
type FaultKind uint8

// The kinds of fault. The zero value is none.
const (
	NoFault FaultKind = iota
	// Throttle refuses the call with the service's own throttling error.
	Throttle
	// ErrorBefore answers 500; the call had no effect.
	ErrorBefore
	// ErrorAfter answers 500 although the call had its effect.
	ErrorAfter
	// TimeoutBefore gives no answer; the call had no effect. Over HTTP the connection is closed.
	TimeoutBefore
	// TimeoutAfter gives no answer although the call had its effect.
	TimeoutAfter
	// Stale answers with the world as it was Lag ago.
	Stale
	// DropPage answers 500 when the call asks for a later page of an answer.
	DropPage
	// StaleToken refuses the token of a later page, as if it were too old. No page of AWS says how long one holds.
	StaleToken
	// ItemFailure moves one item of an ECS batch call into failures, with a reason that does not mean that it is missing.
	ItemFailure
)

// Fault is what goes wrong with one call.
type Fault struct {
	Kind FaultKind
	Lag  time.Duration // of Stale
	Item int           // of ItemFailure: which item, modulo their number
}

func (f Fault) before(req Request) error {
	switch f.Kind {
	case Throttle:
		return throttled(req)
	case ErrorBefore:
		return broken(req)
	case TimeoutBefore:
		return unanswered(req)
	case DropPage:
		if req.Page {
			return broken(req)
		}
	case StaleToken:
		if req.Page {
			return staleToken(req)
		}
	}
	return nil
}

func (f Fault) after(req Request) error {
	switch f.Kind {
	case ErrorAfter:
		return broken(req)
	case TimeoutAfter:
		return unanswered(req)
	}
	return nil
}

func throttled(req Request) error {
	e := &core.Error{Code: "Throttling", Message: "Rate exceeded", Status: http.StatusBadRequest}
	switch req.Service {
	case "ecs", "events":
		e.Code = "ThrottlingException"
	case "ec2":
		e.Code, e.Message, e.Status = "RequestLimitExceeded", "Request limit exceeded.", http.StatusServiceUnavailable
	case "sqs":
		e.Code = "RequestThrottled"
	}
	return e
}

func staleToken(req Request) error {
	e := &core.Error{Code: "InvalidNextToken", Message: "The token is invalid.", Status: http.StatusBadRequest}
	if req.Service == "ecs" {
		e.Code, e.Message = "InvalidParameterException", "Invalid token."
	}
	return e
}

func broken(req Request) error {
	e := &core.Error{Code: "InternalFailure", Message: "We encountered an internal error. Please try again.", Status: http.StatusInternalServerError}
	switch req.Service {
	case "ecs":
		e.Code, e.Message = "ServerException", "Service Unavailable. Please try again later."
	case "ec2":
		e.Code = "InternalError"
	case "events":
		e.Code = "InternalException"
	}
	return e
}

// unanswered is what a client sees of a call without an answer: its own time-out.
func unanswered(req Request) error {
	return fmt.Errorf("operation error %s: %s, no answer: %w", req.Service, req.Operation, context.DeadlineExceeded)
}

// withoutItem answers a batch call as if ECS had failed on one of its items.
func withoutItem[In, Out any](f Fault, in *In, answer func(*In) (*Out, error)) (*Out, error) {
	rest := *in
	ids := batch(&rest)
	if ids == nil || len(*ids) == 0 {
		return answer(in)
	}
	i := f.Item % len(*ids)
	id := (*ids)[i]
	*ids = append(append([]string{}, (*ids)[:i]...), (*ids)[i+1:]...)
	out := new(Out)
	if len(*ids) > 0 {
		var err error
		if out, err = answer(&rest); err != nil {
			return nil, err
		}
	}
	reason, detail := "INTERNAL_ERROR", "injected by the simulated cloud"
	if failures := failuresOf(out); failures != nil {
		*failures = append(*failures, ecstypes.Failure{Arn: &id, Reason: &reason, Detail: &detail})
	}
	return out, nil
}

// batch is the list of items of an ECS batch call, nil for other calls.
func batch(in any) *[]string {
	switch in := in.(type) {
	case *ecs.DescribeClustersInput:
		return &in.Clusters
	case *ecs.DescribeContainerInstancesInput:
		return &in.ContainerInstances
	case *ecs.DescribeServicesInput:
		return &in.Services
	case *ecs.DescribeTasksInput:
		return &in.Tasks
	case *ecs.GetTaskProtectionInput:
		return &in.Tasks
	case *ecs.UpdateContainerInstancesStateInput:
		return &in.ContainerInstances
	case *ecs.UpdateTaskProtectionInput:
		return &in.Tasks
	}
	return nil
}

func failuresOf(out any) *[]ecstypes.Failure {
	switch out := out.(type) {
	case *ecs.DescribeClustersOutput:
		return &out.Failures
	case *ecs.DescribeContainerInstancesOutput:
		return &out.Failures
	case *ecs.DescribeServicesOutput:
		return &out.Failures
	case *ecs.DescribeTasksOutput:
		return &out.Failures
	case *ecs.GetTaskProtectionOutput:
		return &out.Failures
	case *ecs.UpdateContainerInstancesStateOutput:
		return &out.Failures
	case *ecs.UpdateTaskProtectionOutput:
		return &out.Failures
	}
	return nil
}
