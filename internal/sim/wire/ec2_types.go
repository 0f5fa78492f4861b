package wire

import (
	"context"

	"github.com/ebbhq/ebb/internal/sim"
)

// The request and answer of DescribeInstanceTypes, of which the simulated cloud knows the number of network interfaces.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
type (
	describeTypesInput struct {
		InstanceTypes []string
		MaxResults    *int32
		NextToken     *string
	}
	describeTypesOutput struct {
		Types     []ec2Type `xml:"instanceTypeSet>item"`
		NextToken *string   `xml:"nextToken,omitempty"`

		found []sim.InstanceType
	}
	ec2Type struct {
		Name    string      `xml:"instanceType"`
		Network *ec2Network `xml:"networkInfo"`
	}
	ec2Network struct {
		Interfaces int `xml:"maximumNetworkInterfaces"`
	}
)

// DescribeInstanceTypes is ec2:DescribeInstanceTypes for up to 100 types.
func (s EC2) DescribeInstanceTypes(ctx context.Context, names []string) ([]sim.InstanceType, error) {
	out, err := s.describeTypes(ctx, &describeTypesInput{InstanceTypes: names})
	if err != nil {
		return nil, err
	}
	return out.found, nil
}

func (s EC2) describeTypes(ctx context.Context, in *describeTypesInput, _ ...func(*struct{})) (*describeTypesOutput, error) {
	return call(ctx, s.api, "ec2", "DescribeInstanceTypes", in, s.types)
}

func (s EC2) types(in *describeTypesInput) (*describeTypesOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 5 || *n > 100 || len(in.InstanceTypes) > 0) {
		return nil, refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 100, and no instance types.", *n)
	}
	if len(in.InstanceTypes) > 100 {
		return nil, refuse("InvalidParameterValue", "The maximum number of instance types is 100.")
	}
	all, err := s.api.World.DescribeInstanceTypes(in.InstanceTypes)
	if err != nil {
		return nil, err
	}
	all, next, ok := page(s.api, paging{"DescribeInstanceTypes", in.MaxResults, 100, 100, in.NextToken}, all, func(t sim.InstanceType) string { return t.Name })
	if !ok {
		return nil, refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	return &describeTypesOutput{Types: mapped(all, typeXML), NextToken: next, found: all}, nil
}

func typeXML(t sim.InstanceType) ec2Type {
	out := ec2Type{Name: t.Name}
	if t.Interfaces > 0 {
		out.Network = &ec2Network{t.Interfaces}
	}
	return out
}
