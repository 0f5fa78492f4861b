package wire

import "context"

// The request and answer of DescribeLaunchTemplateVersions.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
type (
	describeTemplateInput struct {
		LaunchTemplateId       *string
		LaunchTemplateName     *string
		LaunchTemplateVersions []string
		MaxResults             *int32
		NextToken              *string
	}
	describeTemplateOutput struct {
		Versions []struct{} `xml:"launchTemplateVersionSet>item"`
	}
)

// describeTemplate finds no launch template, because the groups of the simulated cloud have launch configurations.
func (s EC2) describeTemplate(ctx context.Context, in *describeTemplateInput, _ ...func(*struct{})) (*describeTemplateOutput, error) {
	return call(ctx, s.api, "ec2", "DescribeLaunchTemplateVersions", in, func(in *describeTemplateInput) (*describeTemplateOutput, error) {
		if in.LaunchTemplateId != nil {
			return nil, refuse("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", *in.LaunchTemplateId)
		}
		return nil, refuse("InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")
	})
}
