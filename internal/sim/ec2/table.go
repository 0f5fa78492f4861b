package ec2

import "github.com/ebbhq/ebb/internal/sim/core"

// api are the operations of the service.
type api struct{ *EC2 }

// Service is EC2 as the wire serves it. The members are named here whose names in ec2Query are not the regular ones.
func (w *EC2) Service() core.Service {
	return core.Service{
		Name: "ec2", Protocol: core.Protocol{EC2: true, Names: core.Names{Plural: map[string]string{
			"InstanceId": "InstanceIds", "Filter": "Filters", "Value": "Values", "InstanceType": "InstanceTypes",
			"LaunchTemplateVersion": "LaunchTemplateVersions", "SubnetId": "SubnetIds",
			"SpotInstanceRequestId": "SpotInstanceRequestIds",
		}}},
		Errors: refusals(), Operations: api{w}.operations(),
	}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "RequestLimitExceeded", Message: "Request limit exceeded.", Status: 503},
		Internal:   core.Error{Code: "InternalError", Message: "We encountered an internal error. Please try again.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextToken", Message: "The token is invalid.", Status: 400},
		Missing: func(name string) error {
			return core.Refuse("MissingParameter", "The request must contain the parameter %s", name)
		},
		Own:    true,
		Denied: core.Denial{Code: "UnauthorizedOperation", Status: 403, Begin: "You are not authorized to perform this operation. "},
	}
}

// operations are the rows of all operations: instances are checked one by one; nothing that describes is.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return []core.Operation{
		core.NewOperation("DescribeInstances", s.describe, "ec2",
			core.NoNeeds, core.NoResource,
			func(in *DescribeInstancesInput) core.Entry {
				return core.Entry{Instance: core.Only(in.InstanceIds, "")}
			},
			func(in *DescribeInstancesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeSpotInstanceRequests", s.describeRequests, "ec2",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *DescribeSpotInstanceRequestsInput) *string { return in.NextToken }, core.NoBatch,
		),
		core.NewOperation("DescribeInstanceTypes", s.types, "ec2",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *DescribeInstanceTypesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeLaunchTemplateVersions", s.describeLaunchTemplateVersions, "ec2",
			core.NoNeeds, core.NoResource, core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeSubnets", s.describeSubnets, "ec2",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *DescribeSubnetsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("TerminateInstances", s.terminate, "ec2",
			func(in *TerminateInstancesInput) []core.Member { return core.Members("InstanceId", in.InstanceIds) },
			func(in *TerminateInstancesInput) []core.Resource { return s.instanceResources(in.InstanceIds) },
			func(in *TerminateInstancesInput) core.Entry {
				return core.Entry{Instance: core.Only(in.InstanceIds, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("StopInstances", s.stop, "ec2",
			func(in *StopInstancesInput) []core.Member { return core.Members("InstanceId", in.InstanceIds) },
			func(in *StopInstancesInput) []core.Resource { return s.instanceResources(in.InstanceIds) },
			func(in *StopInstancesInput) core.Entry { return core.Entry{Instance: core.Only(in.InstanceIds, "")} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("StartInstances", s.start, "ec2",
			func(in *StartInstancesInput) []core.Member { return core.Members("InstanceId", in.InstanceIds) },
			func(in *StartInstancesInput) []core.Resource { return s.instanceResources(in.InstanceIds) },
			func(in *StartInstancesInput) core.Entry { return core.Entry{Instance: core.Only(in.InstanceIds, "")} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeInstanceAttribute", s.describeAttribute, "ec2",
			func(in *DescribeInstanceAttributeInput) []core.Member {
				return core.Members("InstanceId", in.InstanceId, "Attribute", in.Attribute)
			},
			func(in *DescribeInstanceAttributeInput) []core.Resource {
				return s.instanceResources([]string{core.Deref(in.InstanceId)})
			},
			func(in *DescribeInstanceAttributeInput) core.Entry {
				return core.Entry{Instance: core.Deref(in.InstanceId)}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}
