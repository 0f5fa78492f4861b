package ec2

import (
	"encoding/base64"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The request and answer of DescribeInstanceAttribute, of which the simulated cloud knows the user data.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
type (
	// DescribeInstanceAttributeInput is the request.
	DescribeInstanceAttributeInput struct {
		InstanceId *string
		Attribute  *string
	}
	// DescribeInstanceAttributeOutput is the answer.
	DescribeInstanceAttributeOutput struct {
		InstanceID string    `xml:"instanceId"`
		UserData   attribute `xml:"userData"` // base64; without a value: there is none
	}
	attribute struct {
		Value string `xml:"value,omitempty"`
	}
)

func (s api) describeAttribute(_ *core.Call, in *DescribeInstanceAttributeInput) (*DescribeInstanceAttributeOutput, error) {
	if *in.Attribute != "userData" {
		return nil, core.Refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. The simulated cloud knows userData.",
			*in.Attribute)
	}
	found, err := s.DescribeInstances([]string{*in.InstanceId})
	if err != nil {
		return nil, err
	}
	data := base64.StdEncoding.EncodeToString([]byte(found[0].Host.UserData))
	return &DescribeInstanceAttributeOutput{InstanceID: found[0].ID, UserData: attribute{data}}, nil
}
