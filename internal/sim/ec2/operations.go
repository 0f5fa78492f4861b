package ec2

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The requests and answers of EC2, in the members that the simulated cloud knows. The names in XML are EC2's.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
type (
	// DescribeInstancesInput is the request of DescribeInstances.
	DescribeInstancesInput struct {
		InstanceIds []string
		Filters     []Filter
		MaxResults  *int32
		NextToken   *string
	}
	// Filter narrows the answer.
	Filter struct {
		Name   *string
		Values []string
	}
	// TerminateInstancesInput is the request of TerminateInstances.
	TerminateInstancesInput struct{ InstanceIds []string }
	// StopInstancesInput is the request of StopInstances.
	StopInstancesInput struct{ InstanceIds []string }
	// StartInstancesInput is the request of StartInstances.
	StartInstancesInput struct{ InstanceIds []string }

	// DescribeInstancesOutput is the answer of DescribeInstances.
	DescribeInstancesOutput struct {
		Reservations []reservation `xml:"reservationSet>item"`
		NextToken    *string       `xml:"nextToken,omitempty"`

		// Found is what is in Reservations, in the words of the simulated cloud, for those who call directly.
		Found []core.Instance `xml:"-"`
	}
	reservation struct {
		ID        string      `xml:"reservationId"`
		Owner     string      `xml:"ownerId"`
		Instances []described `xml:"instancesSet>item"`
	}
	described struct {
		ID        string    `xml:"instanceId"`
		Image     string    `xml:"imageId"`
		Type      string    `xml:"instanceType"`
		State     state     `xml:"instanceState"`
		Launched  time.Time `xml:"launchTime"`
		Zone      string    `xml:"placement>availabilityZone"`
		PrivateIP string    `xml:"privateIpAddress,omitempty"`
		VPC       string    `xml:"vpcId"`
		Subnet    string    `xml:"subnetId"`
		Lifecycle string    `xml:"instanceLifecycle,omitempty"`
		Request   string    `xml:"spotInstanceRequestId,omitempty"`
		Tags      []tag     `xml:"tagSet>item"`
	}
	tag struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	}
	state struct {
		Code int    `xml:"code"`
		Name string `xml:"name"`
	}
	// ChangeInstancesOutput is the answer of TerminateInstances, StopInstances and StartInstances.
	ChangeInstancesOutput struct {
		Changes []change `xml:"instancesSet>item"`
	}
	change struct {
		ID       string `xml:"instanceId"`
		Current  state  `xml:"currentState"`
		Previous state  `xml:"previousState"`
	}
)

func (s api) terminate(_ *core.Call, in *TerminateInstancesInput) (*ChangeInstancesOutput, error) {
	return s.change(in.InstanceIds, s.TerminateInstances)
}

func (s api) stop(_ *core.Call, in *StopInstancesInput) (*ChangeInstancesOutput, error) {
	return s.change(in.InstanceIds, s.StopInstances)
}

func (s api) start(_ *core.Call, in *StartInstancesInput) (*ChangeInstancesOutput, error) {
	return s.change(in.InstanceIds, s.StartInstances)
}

func (s api) describe(c *core.Call, in *DescribeInstancesInput) (*DescribeInstancesOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 5 || *n > 1000) {
		return nil, core.Refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *n)
	}
	all, err := s.DescribeInstances(in.InstanceIds)
	if err != nil {
		return nil, err
	}
	if all, err = filtered(all, in.Filters); err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "DescribeInstances", Asked: in.MaxResults, Fallback: 1000, Most: 1000, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(i core.Instance) string { return i.ID })
	if !ok {
		return nil, core.Refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	out := &DescribeInstancesOutput{NextToken: next, Found: all}
	out.Reservations = core.Mapped(all, func(i core.Instance) reservation {
		return reservation{ID: "r-" + i.ID[min(2, len(i.ID)):], Owner: s.Account, Instances: []described{instanceXML(i)}}
	})
	return out, nil
}

func filtered(all []core.Instance, filters []Filter) ([]core.Instance, error) {
	for _, f := range filters {
		if name := core.Deref(f.Name); name != "instance-state-name" && name != "instance-id" {
			return nil, core.Refuse("InvalidParameterValue", "The filter '%s' is invalid: the simulated cloud knows instance-id and instance-state-name", name)
		}
		all = slices.DeleteFunc(slices.Clone(all), func(i core.Instance) bool {
			if *f.Name == "instance-id" {
				return !slices.Contains(f.Values, i.ID)
			}
			return !slices.Contains(f.Values, i.State)
		})
	}
	return all, nil
}

func instanceXML(i core.Instance) described {
	out := described{
		ID: i.ID, Image: "ami-0ebb", Type: i.Host.Type, State: stateXML(i.State), Launched: i.LaunchedAt, Zone: i.Zone, PrivateIP: i.PrivateIP,
		VPC: i.Host.VPC, Subnet: core.SubnetID(i.Host.VPC, i.Zone),
	}
	if i.Host.Spot {
		out.Lifecycle, out.Request = "spot", requestID(i.ID)
	}
	if i.Group != "" {
		out.Tags = append(out.Tags, tag{"aws:autoscaling:groupName", i.Group})
	}
	return out
}

// stateXML spells an instance state with its code.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
func stateXML(name string) state {
	codes := map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
	return state{codes[name], name}
}

// change runs a call that changes instances and tells the states before and after it.
func (s api) change(ids []string, do func([]string) error) (*ChangeInstancesOutput, error) {
	before, err := s.DescribeInstances(ids)
	if err == nil {
		err = do(ids)
	}
	if err != nil {
		return nil, err
	}
	after, err := s.DescribeInstances(ids)
	if err != nil {
		return nil, err
	}
	out := &ChangeInstancesOutput{}
	for n, i := range after {
		out.Changes = append(out.Changes, change{ID: i.ID, Current: stateXML(i.State), Previous: stateXML(before[n].State)})
	}
	return out, nil
}

func (s api) instanceResources(ids []string) []core.Resource {
	return core.Mapped(ids, func(id string) core.Resource {
		return core.Resource{Kind: "instance", ARN: s.ARN("ec2", "instance/"+id), Pattern: s.ARN("ec2", "instance/*")}
	})
}
