package collector

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// maxEC2 is how many instances or types one request names. A filter may have 200 values.
const maxEC2 = 100

// query sends one request and reads its XML into answer.
func (l *look) query(ctx context.Context, action string, form url.Values, answer any) error {
	form.Set("Action", action)
	var body []byte
	err := l.try(ctx, func() (err error) {
		body, err = l.EC2(ctx, form)
		return err
	})
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("read the answer of EC2 %s: %w", action, err)
	}
	return nil
}

// instances reads instances as EC2 sees them. It asks with a filter, which leaves out ids that EC2 does not know: named as ids they
// would fail the request.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (l *look) instances(ctx context.Context, ids []string) []inventory.Instance {
	chunks := slices.Collect(slices.Chunk(ids, maxEC2))
	found := make([][]inventory.Instance, len(chunks))
	each(chunks, func(i int, chunk []string) {
		l.read("ec2:DescribeInstances", func() error {
			form := url.Values{"Filter.1.Name": {"instance-id"}}
			for n, id := range chunk {
				form.Set("Filter.1.Value."+strconv.Itoa(n+1), id)
			}
			return pages(func(token *string) (*string, error) {
				if token != nil {
					form.Set("NextToken", *token)
				}
				var page instancesPage
				err := l.query(ctx, "DescribeInstances", form, &page)
				for _, m := range page.Items {
					found[i] = append(found[i], m.instance())
				}
				return &page.Next, err
			})
		})
	})
	return slices.Concat(found...)
}

type instancesPage struct {
	XMLName xml.Name      `xml:"DescribeInstancesResponse"`
	Next    string        `xml:"nextToken"`
	Items   []instanceXML `xml:"reservationSet>item>instancesSet>item"`
}

type instanceXML struct {
	ID        string `xml:"instanceId"`
	State     string `xml:"instanceState>name"`
	Type      string `xml:"instanceType"`
	Zone      string `xml:"placement>availabilityZone"`
	Launched  string `xml:"launchTime"`
	Lifecycle string `xml:"instanceLifecycle"` // spot, scheduled, capacity-block; empty: On-Demand
}

func (i instanceXML) instance() inventory.Instance {
	launched, _ := time.Parse(time.RFC3339, i.Launched) // zero: unknown
	return inventory.Instance{
		ID: fleet.InstanceID(i.ID), State: fleet.InstanceState(i.State), Type: i.Type, Zone: i.Zone, Launched: launched, Spot: i.Lifecycle == "spot",
	}
}

// interfaces fills in how many network interfaces the types of the hosts can have.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
func (l *look) interfaces(ctx context.Context, clusters []inventory.Cluster) {
	var types []string
	for _, c := range clusters {
		for _, h := range c.Hosts {
			types = append(types, h.Type)
		}
	}
	limits := map[string]int{}
	for chunk := range slices.Chunk(unique(types), maxEC2) {
		l.read("ec2:DescribeInstanceTypes", func() error { return l.instanceTypes(ctx, chunk, limits) })
	}
	for _, c := range clusters {
		for i := range c.Hosts {
			c.Hosts[i].Interfaces = limits[c.Hosts[i].Type]
		}
	}
}

func (l *look) instanceTypes(ctx context.Context, types []string, limits map[string]int) error {
	form := url.Values{}
	for n, t := range types {
		form.Set("InstanceType."+strconv.Itoa(n+1), t)
	}
	return pages(func(token *string) (*string, error) {
		if token != nil {
			form.Set("NextToken", *token)
		}
		var page struct {
			XMLName xml.Name `xml:"DescribeInstanceTypesResponse"`
			Next    string   `xml:"nextToken"`
			Items   []struct {
				Type       string `xml:"instanceType"`
				Interfaces int    `xml:"networkInfo>maximumNetworkInterfaces"`
			} `xml:"instanceTypeSet>item"`
		}
		err := l.query(ctx, "DescribeInstanceTypes", form, &page)
		for _, i := range page.Items {
			limits[i.Type] = i.Interfaces
		}
		return &page.Next, err
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
	var answer struct {
		XMLName xml.Name `xml:"DescribeLaunchTemplateVersionsResponse"`
		Items   []struct {
			UserData string `xml:"launchTemplateData>userData"`
			Market   string `xml:"launchTemplateData>instanceMarketOptions>marketType"`
		} `xml:"launchTemplateVersionSet>item"`
	}
	if err := l.query(ctx, "DescribeLaunchTemplateVersions", form, &answer); err != nil {
		return err
	}
	if len(answer.Items) == 0 {
		return errors.New("there is no version " + version + " of the launch template")
	}
	g.Spot = g.Spot || answer.Items[0].Market == "spot"
	return userData(answer.Items[0].UserData, g)
}
