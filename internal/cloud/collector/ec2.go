package collector

import (
	"context"
	"encoding/xml"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plan"
)

// maxEC2 is how many instances or types one request names. A filter may have 200 values.
const maxEC2 = 100

// instances reads instances as EC2 sees them. It asks with a filter, which leaves out ids that EC2 does not know: named as ids they
// would fail the request.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (l *look) instances(ctx context.Context, ids []string) []*inventory.Instance {
	return inChunks(ids, maxEC2, func(chunk []string) []*inventory.Instance {
		form := url.Values{"Filter.1.Name": {"instance-id"}}
		for n, id := range chunk {
			form.Set("Filter.1.Value."+strconv.Itoa(n+1), id)
		}
		return read(l, "ec2:DescribeInstances", func() ([]*inventory.Instance, error) {
			return cloud.AllEC2(ctx, l.try, l.EC2, "DescribeInstances", form, func(page *cloud.InstancesPage) ([]*inventory.Instance, string) {
				return cloud.Convert(page.Items, instance), page.Next
			})
		})
	})
}

func instance(i cloud.InstanceXML) *inventory.Instance {
	launched, _ := time.Parse(time.RFC3339, i.Launched) // zero: unknown
	return &inventory.Instance{
		ID: fleet.InstanceID(i.ID), State: fleet.InstanceState(i.State), Launched: launched, Spot: i.Lifecycle == "spot", VPC: i.VPC,
	}
}

// subnets are the VPCs of subnets.
func subnets(ctx context.Context, l *look, ids []string) map[string]string {
	vpcs := map[string]string{}
	for _, s := range inChunks(ids, maxEC2, func(chunk []string) []plan.SubnetIn {
		return read(l, "ec2:DescribeSubnets", func() ([]plan.SubnetIn, error) { return cloud.DescribeSubnetsOf(ctx, l.try, l.EC2, chunk) })
	}) {
		vpcs[s.Subnet] = s.VPC
	}
	return vpcs
}

// interfaces fills in how many network interfaces the types of the hosts can have.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
func (l *look) interfaces(ctx context.Context, clusters []*inventory.Cluster) {
	var types []string
	for _, c := range clusters {
		for _, h := range c.Hosts {
			types = append(types, h.Type)
		}
	}
	limits := map[string]int{}
	for _, t := range l.instanceTypes(ctx, unique(types)) {
		limits[t.Type] = t.Interfaces
	}
	for _, c := range clusters {
		for _, h := range c.Hosts {
			h.Interfaces = limits[h.Type]
		}
	}
}

type typesPage struct {
	XMLName xml.Name  `xml:"DescribeInstanceTypesResponse"`
	Next    string    `xml:"nextToken"`
	Items   []typeXML `xml:"instanceTypeSet>item"`
}

type typeXML struct {
	Type       string `xml:"instanceType"`
	Interfaces int    `xml:"networkInfo>maximumNetworkInterfaces"`
}

func (l *look) instanceTypes(ctx context.Context, types []string) []typeXML {
	return inChunks(types, maxEC2, func(chunk []string) []typeXML {
		form := url.Values{}
		for n, t := range chunk {
			form.Set("InstanceType."+strconv.Itoa(n+1), t)
		}
		return read(l, "ec2:DescribeInstanceTypes", func() ([]typeXML, error) {
			return cloud.AllEC2(ctx, l.try, l.EC2, "DescribeInstanceTypes", form,
				func(page *typesPage) ([]typeXML, string) { return page.Items, page.Next })
		})
	})
}

// launchTemplate reads the version of a launch template that a group names; without one it is the default version.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
func (l *look) launchTemplate(ctx context.Context, t *astypes.LaunchTemplateSpecification, g *inventory.Group) error {
	version := aws.ToString(t.Version)
	if version == "" {
		version = "$Default"
	}
	form := url.Values{"LaunchTemplateVersion.1": {version}}
	if t.LaunchTemplateId != nil {
		form.Set("LaunchTemplateId", *t.LaunchTemplateId)
	} else {
		form.Set("LaunchTemplateName", aws.ToString(t.LaunchTemplateName))
	}
	found, err := cloud.AllEC2(ctx, l.try, l.EC2, "DescribeLaunchTemplateVersions", form,
		func(page *templatesPage) ([]templateXML, string) { return page.Items, page.Next })
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("there is no version " + version + " of the launch template")
	}
	g.Spot = g.Spot || found[0].Market == "spot"
	return userData(found[0].UserData, g)
}

type templatesPage struct {
	XMLName xml.Name      `xml:"DescribeLaunchTemplateVersionsResponse"`
	Next    string        `xml:"nextToken"`
	Items   []templateXML `xml:"launchTemplateVersionSet>item"`
}

type templateXML struct {
	UserData string `xml:"launchTemplateData>userData"`
	Market   string `xml:"launchTemplateData>instanceMarketOptions>marketType"`
}
