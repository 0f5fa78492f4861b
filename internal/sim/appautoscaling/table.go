package appautoscaling

import (
	"slices"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *AppAutoScaling }

// Service is Application Auto Scaling as the wire serves it.
func (w *AppAutoScaling) Service() core.Service {
	return core.Service{
		Name: "application-autoscaling", Protocol: core.Protocol{JSON: "1.1"}, Errors: refusals(), Operations: api{w}.operations(),
	}
}

func refusals() core.Errors {
	missing := func(member string) error { return core.Null("ValidationException", member) }
	e := core.Refusals(missing, core.Denial{Code: "AccessDeniedException", Status: 400, Star: true})
	e.Throttled = core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400}
	e.Internal = core.Error{Code: "InternalServiceException", Message: "An internal error has occurred.", Status: 500}
	e.StaleToken = core.Error{Code: "InvalidNextTokenException", Message: "The NextToken value is invalid.", Status: 400}
	return e
}

// operations are the rows of all operations: what changes something is checked against the scalable target.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsapplicationautoscaling.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation { return slices.Concat(s.targetOps(), s.policyOps()) }

func needed(namespace types.ServiceNamespace, more ...any) []core.Member {
	return append(core.Members("ServiceNamespace", namespace), core.Members(more...)...)
}

func (s api) targetOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("RegisterScalableTarget", s.register, "application-autoscaling",
			func(in *aas.RegisterScalableTargetInput) []core.Member {
				return needed(in.ServiceNamespace, "ResourceId", in.ResourceId, "ScalableDimension", in.ScalableDimension)
			},
			func(in *aas.RegisterScalableTargetInput) []core.Resource { return s.resource(in.ResourceId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeregisterScalableTarget", s.deregister, "application-autoscaling",
			func(in *aas.DeregisterScalableTargetInput) []core.Member {
				return needed(in.ServiceNamespace, "ResourceId", in.ResourceId, "ScalableDimension", in.ScalableDimension)
			},
			func(in *aas.DeregisterScalableTargetInput) []core.Resource { return s.resource(in.ResourceId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeScalableTargets", s.describeTargets, "application-autoscaling",
			func(in *aas.DescribeScalableTargetsInput) []core.Member { return needed(in.ServiceNamespace) },
			core.NoResource, core.NoSubject,
			func(in *aas.DescribeScalableTargetsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeScalingActivities", s.describeActivities, "application-autoscaling",
			func(in *aas.DescribeScalingActivitiesInput) []core.Member { return needed(in.ServiceNamespace) },
			core.NoResource, core.NoSubject,
			func(in *aas.DescribeScalingActivitiesInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

func (s api) policyOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutScalingPolicy", s.putPolicy, "application-autoscaling",
			func(in *aas.PutScalingPolicyInput) []core.Member {
				return needed(in.ServiceNamespace, "PolicyName", in.PolicyName, "ResourceId", in.ResourceId, "ScalableDimension", in.ScalableDimension)
			},
			func(in *aas.PutScalingPolicyInput) []core.Resource { return s.resource(in.ResourceId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteScalingPolicy", s.deletePolicy, "application-autoscaling",
			func(in *aas.DeleteScalingPolicyInput) []core.Member {
				return needed(in.ServiceNamespace, "PolicyName", in.PolicyName, "ResourceId", in.ResourceId, "ScalableDimension", in.ScalableDimension)
			},
			func(in *aas.DeleteScalingPolicyInput) []core.Resource { return s.resource(in.ResourceId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeScalingPolicies", s.describePolicies, "application-autoscaling",
			func(in *aas.DescribeScalingPoliciesInput) []core.Member { return needed(in.ServiceNamespace) },
			core.NoResource, core.NoSubject,
			func(in *aas.DescribeScalingPoliciesInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

// resource is a scalable target, or what one that is to be made may be.
func (s api) resource(id *string) []core.Resource {
	arn := s.ARN("application-autoscaling", "scalable-target/*")
	if t := s.target(core.Deref(id)); t != nil {
		arn = t.ARN
	}
	return []core.Resource{{Kind: "scalable-target", ARN: arn}}
}
