package wire

import (
	"context"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

// The requests and answers of EC2, in the members that the simulated cloud knows. The names in XML are EC2's.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
type (
	describeInstancesInput struct {
		InstanceIds []string
		Filters     []filter
		MaxResults  *int32
		NextToken   *string
	}
	filter struct {
		Name   *string
		Values []string
	}
	changeInstancesInput struct{ InstanceIds []string }

	describeInstancesOutput struct {
		Reservations []reservation `xml:"reservationSet>item"`
		NextToken    *string       `xml:"nextToken,omitempty"`

		found []sim.Instance
	}
	reservation struct {
		ID        string        `xml:"reservationId"`
		Owner     string        `xml:"ownerId"`
		Instances []ec2Instance `xml:"instancesSet>item"`
	}
	ec2Instance struct {
		ID        string    `xml:"instanceId"`
		Image     string    `xml:"imageId"`
		Type      string    `xml:"instanceType"`
		State     ec2State  `xml:"instanceState"`
		Launched  time.Time `xml:"launchTime"`
		Zone      string    `xml:"placement>availabilityZone"`
		PrivateIP string    `xml:"privateIpAddress,omitempty"`
		Lifecycle string    `xml:"instanceLifecycle,omitempty"`
		Tags      []ec2Tag  `xml:"tagSet>item"`
	}
	ec2Tag struct {
		Key   string `xml:"key"`
		Value string `xml:"value"`
	}
	ec2State struct {
		Code int    `xml:"code"`
		Name string `xml:"name"`
	}
	changeInstancesOutput struct {
		Changes []ec2Change `xml:"instancesSet>item"`
	}
	ec2Change struct {
		ID       string   `xml:"instanceId"`
		Current  ec2State `xml:"currentState"`
		Previous ec2State `xml:"previousState"`
	}
)

// ec2Names are the members whose names in the query protocol are not the regular ones.
var ec2Names = map[string]string{"InstanceId": "InstanceIds", "Filter": "Filters", "Value": "Values", "InstanceType": "InstanceTypes", "LaunchTemplateVersion": "LaunchTemplateVersions"}

// DescribeInstances is ec2:DescribeInstances, all pages of it.
func (s EC2) DescribeInstances(ctx context.Context, ids []string) ([]sim.Instance, error) {
	in := &describeInstancesInput{InstanceIds: ids}
	var all []sim.Instance
	for {
		out, err := s.describeInstances(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.found...)
		if out.NextToken == nil {
			return all, nil
		}
		in = &describeInstancesInput{InstanceIds: ids, NextToken: out.NextToken}
	}
}

// TerminateInstances is ec2:TerminateInstances: at once, whatever lifecycle hooks there are.
func (s EC2) TerminateInstances(ctx context.Context, ids []string) error {
	_, err := s.terminateInstances(ctx, &changeInstancesInput{ids})
	return err
}

// StopInstances is ec2:StopInstances.
func (s EC2) StopInstances(ctx context.Context, ids []string) error {
	_, err := s.stopInstances(ctx, &changeInstancesInput{ids})
	return err
}

func (s EC2) describeInstances(ctx context.Context, in *describeInstancesInput, _ ...func(*struct{})) (*describeInstancesOutput, error) {
	return call(ctx, s.api, "ec2", "DescribeInstances", in, s.describe)
}

func (s EC2) terminateInstances(ctx context.Context, in *changeInstancesInput, _ ...func(*struct{})) (*changeInstancesOutput, error) {
	return call(ctx, s.api, "ec2", "TerminateInstances", in, func(in *changeInstancesInput) (*changeInstancesOutput, error) {
		return s.change(in.InstanceIds, s.api.World.TerminateInstances)
	})
}

func (s EC2) stopInstances(ctx context.Context, in *changeInstancesInput, _ ...func(*struct{})) (*changeInstancesOutput, error) {
	return call(ctx, s.api, "ec2", "StopInstances", in, func(in *changeInstancesInput) (*changeInstancesOutput, error) {
		return s.change(in.InstanceIds, s.api.World.StopInstances)
	})
}

func (s EC2) describe(in *describeInstancesInput) (*describeInstancesOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 5 || *n > 1000) {
		return nil, refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", *n)
	}
	all, err := s.api.World.DescribeInstances(in.InstanceIds)
	if err != nil {
		return nil, err
	}
	if all, err = filtered(all, in.Filters); err != nil {
		return nil, err
	}
	p := paging{"DescribeInstances", in.MaxResults, 1000, 1000, in.NextToken}
	all, next, ok := page(s.api, p, all, func(i sim.Instance) string { return i.ID })
	if !ok {
		return nil, refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	out := &describeInstancesOutput{NextToken: next, found: all}
	out.Reservations = mapped(all, func(i sim.Instance) reservation {
		return reservation{ID: "r-" + i.ID[min(2, len(i.ID)):], Owner: s.api.Account, Instances: []ec2Instance{instanceXML(i)}}
	})
	return out, nil
}

func filtered(all []sim.Instance, filters []filter) ([]sim.Instance, error) {
	for _, f := range filters {
		if name := deref(f.Name); name != "instance-state-name" && name != "instance-id" {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid: the simulated cloud knows instance-id and instance-state-name", name)
		}
		all = slices.DeleteFunc(slices.Clone(all), func(i sim.Instance) bool {
			if *f.Name == "instance-id" {
				return !slices.Contains(f.Values, i.ID)
			}
			return !slices.Contains(f.Values, i.State)
		})
	}
	return all, nil
}

func instanceXML(i sim.Instance) ec2Instance {
	out := ec2Instance{
		ID: i.ID, Image: "ami-0ebb", Type: i.Host.Type, State: stateXML(i.State), Launched: i.LaunchedAt, Zone: i.Zone, PrivateIP: i.PrivateIP,
	}
	if i.Host.Spot {
		out.Lifecycle = "spot"
	}
	if i.Group != "" {
		out.Tags = append(out.Tags, ec2Tag{"aws:autoscaling:groupName", i.Group})
	}
	return out
}

// stateXML spells an instance state with its code.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
func stateXML(name string) ec2State {
	codes := map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
	return ec2State{codes[name], name}
}

// change runs a call that changes instances and tells the states before and after it.
func (s EC2) change(ids []string, change func([]string) error) (*changeInstancesOutput, error) {
	if len(ids) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameter InstanceId")
	}
	before, err := s.api.World.DescribeInstances(ids)
	if err == nil {
		err = change(ids)
	}
	if err != nil {
		return nil, err
	}
	after, err := s.api.World.DescribeInstances(ids)
	if err != nil {
		return nil, err
	}
	out := &changeInstancesOutput{}
	for n, i := range after {
		out.Changes = append(out.Changes, ec2Change{ID: i.ID, Current: stateXML(i.State), Previous: stateXML(before[n].State)})
	}
	return out, nil
}
