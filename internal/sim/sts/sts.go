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
		Name: "sts", Protocol: core.Protocol{Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"},
		Errors: core.Refusals(missing, core.Denial{Code: "AccessDenied", Status: 403}),
		Operations: []core.Operation{
			core.NewOperation("GetCallerIdentity", w.getCallerIdentity, "sts",
				core.NoNeeds, core.Unchecked,
				core.NoSubject, core.NotPaged, core.NoBatch,
			),
		},
	}
}

func missing(member string) error { return core.Null("ValidationError", member) }

func (w *STS) getCallerIdentity(c *core.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: &w.Account, Arn: new(w.UserARN(c.Caller)), UserId: &c.Caller}, nil
}
