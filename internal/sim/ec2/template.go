package ec2

import "github.com/ebbhq/ebb/internal/sim/core"

// The request and answer of DescribeLaunchTemplateVersions.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
type (
	// DescribeLaunchTemplateVersionsInput is the request.
	DescribeLaunchTemplateVersionsInput struct {
		LaunchTemplateId       *string
		LaunchTemplateName     *string
		LaunchTemplateVersions []string
		MaxResults             *int32
		NextToken              *string
	}
	// DescribeLaunchTemplateVersionsOutput is the answer.
	DescribeLaunchTemplateVersionsOutput struct {
		Versions []struct{} `xml:"launchTemplateVersionSet>item"`
	}
)

// describeTemplate finds no launch template, because the groups of the simulated cloud have launch configurations.
func (s api) describeLaunchTemplateVersions(_ *core.Call, in *DescribeLaunchTemplateVersionsInput) (*DescribeLaunchTemplateVersionsOutput, error) {
	if in.LaunchTemplateId != nil {
		return nil, core.Refuse("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", *in.LaunchTemplateId)
	}
	return nil, core.Refuse("InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")
}
