package wire

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// GetCallerIdentity answers for the SDK operation of this name.
func (s STS) GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, _ ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return call(ctx, s.api, "sts", "GetCallerIdentity", in, func(*sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
		name := callerOf(ctx)
		return &sts.GetCallerIdentityOutput{
			Account: &s.api.Account, Arn: new(s.api.userARN(name)), UserId: &name,
		}, nil
	})
}
