package ec2

import (
	"fmt"
	"slices"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Subnet is a subnet: there is one in each zone of each VPC.
type Subnet struct{ ID, VPC, Zone, CIDR string }

// AddVPC makes a VPC, unless it is there or has no name. core.DefaultVPC is always there.
func (w *EC2) AddVPC(id string) {
	if id != "" && !slices.Contains(w.vpcs, id) {
		w.vpcs = append(w.vpcs, id)
	}
}

// DescribeSubnets answers for ids, or for all if there are none. One unknown id fails the whole call.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (w *EC2) DescribeSubnets(ids []string) ([]Subnet, error) {
	var all []Subnet
	for i, vpc := range w.vpcs {
		for j, zone := range []string{"a", "b", "c"} {
			all = append(all, Subnet{
				ID: core.SubnetID(vpc, w.Region+zone), VPC: vpc, Zone: w.Region + zone, CIDR: fmt.Sprintf("10.%d.%d.0/18", i, 64*j),
			})
		}
	}
	if len(ids) == 0 {
		return all, nil
	}
	var found []Subnet
	for _, id := range ids {
		i := slices.IndexFunc(all, func(s Subnet) bool { return s.ID == id })
		if i < 0 {
			return nil, core.Refuse("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
		found = append(found, all[i])
	}
	return found, nil
}

// ZoneOf is the zone of a subnet; empty: there is none of that id.
func (w *EC2) ZoneOf(subnet string) string {
	found, err := w.DescribeSubnets([]string{subnet})
	if err != nil {
		return ""
	}
	return found[0].Zone
}

// The request and answer of DescribeSubnets.
type (
	// DescribeSubnetsInput is the request.
	DescribeSubnetsInput struct {
		SubnetIds  []string
		Filters    []Filter
		MaxResults *int32
		NextToken  *string
	}
	// DescribeSubnetsOutput is the answer.
	DescribeSubnetsOutput struct {
		Subnets   []describedSubnet `xml:"subnetSet>item"`
		NextToken *string           `xml:"nextToken,omitempty"`

		// Found is what is in Subnets, in the words of the simulated cloud, for those who call directly.
		Found []Subnet `xml:"-"`
	}
	describedSubnet struct {
		ID    string `xml:"subnetId"`
		VPC   string `xml:"vpcId"`
		Zone  string `xml:"availabilityZone"`
		CIDR  string `xml:"cidrBlock"`
		State string `xml:"state"`
	}
)

func (s api) describeSubnets(c *core.Call, in *DescribeSubnetsInput) (*DescribeSubnetsOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 5 || *n > 1000) {
		return nil, core.Refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *n)
	}
	all, err := s.DescribeSubnets(in.SubnetIds)
	if err != nil {
		return nil, err
	}
	for _, f := range in.Filters {
		if all, err = f.subnets(all); err != nil {
			return nil, err
		}
	}
	p := core.Paging{Operation: "DescribeSubnets", Asked: in.MaxResults, Fallback: 1000, Most: 1000, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(s Subnet) string { return s.ID })
	if !ok {
		return nil, core.Refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	return &DescribeSubnetsOutput{NextToken: next, Found: all, Subnets: core.Mapped(all, func(s Subnet) describedSubnet {
		return describedSubnet{ID: s.ID, VPC: s.VPC, Zone: s.Zone, CIDR: s.CIDR, State: "available"}
	})}, nil
}

// subnets are those that a filter lets through.
func (f Filter) subnets(all []Subnet) ([]Subnet, error) {
	of := map[string]func(Subnet) string{
		"vpc-id":            func(s Subnet) string { return s.VPC },
		"subnet-id":         func(s Subnet) string { return s.ID },
		"availability-zone": func(s Subnet) string { return s.Zone },
	}[core.Deref(f.Name)]
	if of == nil {
		return nil, core.Refuse("InvalidParameterValue",
			"The filter '%s' is invalid: the simulated cloud knows availability-zone, subnet-id and vpc-id", core.Deref(f.Name))
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Subnet) bool { return !slices.Contains(f.Values, of(s)) }), nil
}
