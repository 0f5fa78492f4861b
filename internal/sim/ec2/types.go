package ec2

import "github.com/ebbhq/ebb/internal/sim/core"

// The request and answer of DescribeInstanceTypes, of which the simulated cloud knows the number of network interfaces.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
type (
	// DescribeInstanceTypesInput is the request.
	DescribeInstanceTypesInput struct {
		InstanceTypes []string
		MaxResults    *int32
		NextToken     *string
	}
	// DescribeInstanceTypesOutput is the answer.
	DescribeInstanceTypesOutput struct {
		Types     []describedType `xml:"instanceTypeSet>item"`
		NextToken *string         `xml:"nextToken,omitempty"`

		// Found is what is in Types, in the words of the simulated cloud, for those who call directly.
		Found []InstanceType `xml:"-"`
	}
	describedType struct {
		Name    string       `xml:"instanceType"`
		Network *networkInfo `xml:"networkInfo"`
	}
	networkInfo struct {
		Interfaces int `xml:"maximumNetworkInterfaces"`
	}
)

func (s api) types(c *core.Call, in *DescribeInstanceTypesInput) (*DescribeInstanceTypesOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 5 || *n > 100 || len(in.InstanceTypes) > 0) {
		return nil, core.Refuse("InvalidParameterValue",
			"Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 100, and no instance types.", *n)
	}
	if len(in.InstanceTypes) > 100 {
		return nil, core.Refuse("InvalidParameterValue", "The maximum number of instance types is 100.")
	}
	all, err := s.DescribeInstanceTypes(in.InstanceTypes)
	if err != nil {
		return nil, err
	}
	all, next, ok := core.Page(c, core.Paging{Operation: "DescribeInstanceTypes", Asked: in.MaxResults, Fallback: 100, Most: 100,
		Token: in.NextToken}, all, func(t InstanceType) string { return t.Name })
	if !ok {
		return nil, core.Refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	return &DescribeInstanceTypesOutput{Types: core.Mapped(all, typeXML), NextToken: next, Found: all}, nil
}

func typeXML(t InstanceType) describedType {
	out := describedType{Name: t.Name}
	if t.Interfaces > 0 {
		out.Network = &networkInfo{t.Interfaces}
	}
	return out
}
