package elb

import (
	"slices"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *ELB }

// Service is Elastic Load Balancing as the wire serves it.
func (w *ELB) Service() core.Service {
	return core.Service{
		Name: "elasticloadbalancing", Protocol: core.Protocol{Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"}, Errors: refusals(),
		Operations: api{w}.operations(),
	}
}

func refusals() core.Errors {
	e := core.Refusals(missing, core.Denial{Code: "AccessDenied", Status: 403})
	e.Typed = func(code, message string) error {
		if code == "TargetGroupNotFound" {
			return &types.TargetGroupNotFoundException{Message: &message}
		}
		return nil
	}
	return e
}

// operations are the rows of all operations: what acts is checked against the target group; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.groupOps(), s.targetOps())
}

func (s api) groupOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("DescribeTargetGroups", s.describeGroups, "elasticloadbalancing",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *elb.DescribeTargetGroupsInput) *string { return in.Marker },
			core.NoBatch,
		),
		core.NewOperation("DescribeTargetGroupAttributes", s.attributes, "elasticloadbalancing",
			func(in *elb.DescribeTargetGroupAttributesInput) []core.Member {
				return core.Members("TargetGroupArn", in.TargetGroupArn)
			},
			core.NoResource, core.NoSubject,
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ModifyTargetGroupAttributes", s.modify, "elasticloadbalancing",
			func(in *elb.ModifyTargetGroupAttributesInput) []core.Member {
				return core.Members("TargetGroupArn", in.TargetGroupArn, "Attributes", in.Attributes)
			},
			func(in *elb.ModifyTargetGroupAttributesInput) []core.Resource {
				return targetGroupResource(in.TargetGroupArn)
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) targetOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("DescribeTargetHealth", s.describeHealth, "elasticloadbalancing",
			func(in *elb.DescribeTargetHealthInput) []core.Member {
				return core.Members("TargetGroupArn", in.TargetGroupArn)
			},
			core.NoResource,
			func(in *elb.DescribeTargetHealthInput) core.Entry {
				return core.Entry{TargetGroup: core.Deref(in.TargetGroupArn)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("RegisterTargets", s.register, "elasticloadbalancing",
			func(in *elb.RegisterTargetsInput) []core.Member {
				return core.Members("TargetGroupArn", in.TargetGroupArn, "Targets", in.Targets)
			},
			func(in *elb.RegisterTargetsInput) []core.Resource { return targetGroupResource(in.TargetGroupArn) },
			func(in *elb.RegisterTargetsInput) core.Entry {
				return core.Entry{TargetGroup: core.Deref(in.TargetGroupArn)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeregisterTargets", s.deregister, "elasticloadbalancing",
			func(in *elb.DeregisterTargetsInput) []core.Member {
				return core.Members("TargetGroupArn", in.TargetGroupArn, "Targets", in.Targets)
			},
			func(in *elb.DeregisterTargetsInput) []core.Resource { return targetGroupResource(in.TargetGroupArn) },
			func(in *elb.DeregisterTargetsInput) core.Entry {
				return core.Entry{TargetGroup: core.Deref(in.TargetGroupArn)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}
