package collector

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/inventory"
)

// templateAnswer is an answer as AWS gives it, as far as it matters.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
func templateAnswer(data string) string {
	return `<DescribeLaunchTemplateVersionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>65cadec1</requestId>` +
		`<launchTemplateVersionSet>` + data +
		`</launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>`
}

func TestALaunchTemplateIsRead(t *testing.T) {
	const script = "#!/bin/bash\necho ECS_CLUSTER=prod >> /etc/ecs/ecs.config\n"
	spot := "<item><launchTemplateId>lt-0123456789abcdef0</launchTemplateId><versionNumber>3</versionNumber><launchTemplateData>" +
		"<instanceType>m7i.large</instanceType>" +
		"<instanceMarketOptions><marketType>spot</marketType></instanceMarketOptions><userData>" +
		base64.StdEncoding.EncodeToString([]byte(script)) + "</userData></launchTemplateData></item>"
	for _, c := range []struct {
		name     string
		template astypes.LaunchTemplateSpecification
		answer   string
		asked    url.Values
		want     inventory.Group
		fails    string
	}{
		{
			"by id, a version", astypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-0123456789abcdef0"),
				LaunchTemplateName: aws.String("web"), Version: aws.String("3")}, spot,
			url.Values{"LaunchTemplateId": {"lt-0123456789abcdef0"}, "LaunchTemplateVersion.1": {"3"}}, inventory.Group{Spot: true, UserData: script,
				UserDataKnown: true}, "",
		},
		{
			"by name, without a version", astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web")}, "<item><launchTemplateData/></item>",
			url.Values{"LaunchTemplateName": {"web"}, "LaunchTemplateVersion.1": {"$Default"}}, inventory.Group{UserDataKnown: true}, "",
		},
		{
			"no such version", astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("9")}, "",
			url.Values{"LaunchTemplateName": {"web"}, "LaunchTemplateVersion.1": {"9"}}, inventory.Group{}, "there is no version 9",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked url.Values
			s := &Collector{EC2: func(_ context.Context, form url.Values) ([]byte, error) {
				asked = form
				return []byte(templateAnswer(c.answer)), nil
			}}
			var g inventory.Group
			err := s.newLook().launchTemplate(t.Context(), &c.template, &g)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("error %v", err)
			}
			c.asked.Set("Action", "DescribeLaunchTemplateVersions")
			if asked.Encode() != c.asked.Encode() {
				t.Errorf("asked %v, want %v", asked, c.asked)
			}
			if g.Spot != c.want.Spot || g.UserData != c.want.UserData || g.UserDataKnown != c.want.UserDataKnown {
				t.Errorf("group %+v, want %+v", g, c.want)
			}
		})
	}
}
