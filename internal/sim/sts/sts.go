// Package sts is AWS STS in a simulated cloud: it says who calls.
//
// It never gives credentials out.
package sts

import (
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// STS knows the callers of a world.
type STS struct{ *core.Core }

// New makes STS.
func New(c *core.Core) *STS { return &STS{c} }

// Service is STS as the wire serves it. GetCallerIdentity is answered even to who is denied it:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (w *STS) Service() core.Service {
	return core.Service{
		Name: "sts", Protocol: core.Protocol{Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}, Errors: refusals(),
		Operations: []core.Operation{
			core.NewOperation("GetCallerIdentity", w.getCallerIdentity, "sts",
				core.NoNeeds,
				core.Unchecked,
				core.NoSubject,
				core.NotPaged,
				core.NoBatch,
			),
		},
	}
}

func (w *STS) getCallerIdentity(c *core.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: &w.Account, Arn: new(w.UserARN(c.Caller)), UserId: &c.Caller}, nil
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "Throttling", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalFailure", Message: "We encountered an internal error. Please try again.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextToken", Message: "The token is invalid.", Status: 400},
		Missing:    func(name string) error { return core.Refuse("ValidationError", "%s is missing", name) },
		Denied:     core.Denial{Code: "AccessDenied", Status: 403},
	}
}
