package cloud

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// EC2 asks EC2 by hand. The SDK's EC2 package takes minutes and gigabytes to compile, for a few operations.
type EC2 struct {
	cfg   aws.Config
	count Count // nil: nobody counts
}

// NewEC2 returns an EC2 that asks with this configuration. It needs an HTTP client, credentials and a Region in it.
func NewEC2(cfg aws.Config) EC2 { return EC2{cfg: cfg} }

// ec2Version is the version of the EC2 query API.
const ec2Version = "2016-11-15"

// DescribeInstances sends one signed request and reads all pages.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (e EC2) DescribeInstances(ctx context.Context, ids []string) ([]plan.InstanceStatus, error) {
	form := url.Values{}
	for i, id := range ids {
		form.Set("InstanceId."+strconv.Itoa(i+1), id)
	}
	found, err := AllEC2(ctx, count(new(int)), e.Ask, "DescribeInstances", form, func(page *InstancesPage) ([]InstanceXML, string) {
		return page.Items, page.Next
	})
	if err != nil {
		return nil, err
	}
	return Convert(found, func(i InstanceXML) plan.InstanceStatus {
		return plan.InstanceStatus{ID: fleet.InstanceID(i.ID), State: fleet.InstanceState(i.State), VPC: i.VPC}
	}), nil
}

// DescribeSubnets sends one signed request.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
func (e EC2) DescribeSubnets(ctx context.Context, ids []string) ([]plan.SubnetIn, error) {
	return DescribeSubnetsOf(ctx, count(new(int)), e.Ask, ids)
}

// DescribeSubnetsOf is that operation, sent in a way and by a client of the caller's.
func DescribeSubnetsOf(ctx context.Context, send Send, ask AskEC2, ids []string) ([]plan.SubnetIn, error) {
	form := url.Values{}
	for i, id := range ids {
		form.Set("SubnetId."+strconv.Itoa(i+1), id)
	}
	return AllEC2(ctx, send, ask, "DescribeSubnets", form, func(page *subnetsPage) ([]plan.SubnetIn, string) {
		return Convert(page.Items, func(s subnetXML) plan.SubnetIn { return plan.SubnetIn{Subnet: s.ID, VPC: s.VPC} }), page.Next
	})
}

type subnetsPage struct {
	XMLName xml.Name    `xml:"DescribeSubnetsResponse"`
	Next    string      `xml:"nextToken"`
	Items   []subnetXML `xml:"subnetSet>item"`
}

type subnetXML struct {
	ID  string `xml:"subnetId"`
	VPC string `xml:"vpcId"`
}

// DescribeSpotInstanceRequests sends one signed request and reads all pages.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html
func (e EC2) DescribeSpotInstanceRequests(ctx context.Context, ids []string) ([]plan.SpotStatus, error) {
	form := url.Values{"Filter.1.Name": {"instance-id"}}
	for i, id := range ids {
		form.Set("Filter.1.Value."+strconv.Itoa(i+1), id)
	}
	return AllEC2(ctx, count(new(int)), e.Ask, "DescribeSpotInstanceRequests", form, func(page *requestsPage) ([]plan.SpotStatus, string) {
		return Convert(page.Items, func(r requestXML) plan.SpotStatus {
			since, _ := time.Parse(time.RFC3339, r.Updated) // zero: unknown
			return plan.SpotStatus{
				Instance: fleet.InstanceID(r.Instance), SpotRequest: fleet.SpotRequest{Code: r.Code, Action: r.Action, Since: since},
			}
		}), page.Next
	})
}

// requestsPage is one page of EC2's answer to DescribeSpotInstanceRequests.
type requestsPage struct {
	XMLName xml.Name     `xml:"DescribeSpotInstanceRequestsResponse"`
	Next    string       `xml:"nextToken"`
	Items   []requestXML `xml:"spotInstanceRequestSet>item"`
}

type requestXML struct {
	Instance string `xml:"instanceId"`
	Code     string `xml:"status>code"`
	Updated  string `xml:"status>updateTime"`
	Action   string `xml:"instanceInterruptionBehavior"`
}

// InstancesPage is one page of EC2's answer to DescribeInstances.
type InstancesPage struct {
	XMLName xml.Name      `xml:"DescribeInstancesResponse"`
	Next    string        `xml:"nextToken"`
	Items   []InstanceXML `xml:"reservationSet>item>instancesSet>item"`
}

// InstanceXML is an instance as EC2 describes it.
type InstanceXML struct {
	ID        string `xml:"instanceId"`
	State     string `xml:"instanceState>name"`
	VPC       string `xml:"vpcId"`
	Launched  string `xml:"launchTime"`
	Lifecycle string `xml:"instanceLifecycle"` // spot, scheduled, capacity-block; empty: On-Demand
}

// AskEC2 sends one request of the EC2 query API, whose Action is the operation, and returns the XML of a good answer.
type AskEC2 func(ctx context.Context, form url.Values) ([]byte, error)

// AllEC2 reads every page of an operation, whose other parameters are in the form. XML of another kind than a page is an error.
func AllEC2[P, T any](
	ctx context.Context, send Send, ask AskEC2, action string, form url.Values, read func(*P) ([]T, string),
) ([]T, error) {
	var all []T
	form.Set("Action", action)
	err := Pages(func(token *string) (*string, error) {
		if token != nil {
			form.Set("NextToken", *token)
		}
		var body []byte
		err := send(ctx, func() (err error) {
			body, err = ask(ctx, form)
			return err
		})
		if err != nil {
			return nil, err
		}
		var page P
		if err := xml.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("read the answer of EC2 %s: %w", action, err)
		}
		items, next := read(&page)
		all = append(all, items...)
		return &next, nil
	})
	return all, err
}

// Ask sends one signed request, whose Action is the operation, and returns the body of a good answer.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
func (e EC2) Ask(ctx context.Context, form url.Values) ([]byte, error) {
	form.Set("Version", ec2Version)
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	body, err := post(ctx, e.cfg, "ec2", "", header, []byte(form.Encode()), ec2Error)
	e.count.tell("EC2", form.Get("Action"), err)
	if err != nil {
		return nil, fmt.Errorf("EC2 %s: %w", form.Get("Action"), err)
	}
	return body, nil
}

// ec2Error reads EC2's own form of error, which differs from that of the other query services.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
func ec2Error(res *http.Response, body []byte) error {
	var answer struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil || answer.Code == "" {
		return fmt.Errorf("HTTP status %d without an error that can be read", res.StatusCode)
	}
	return &smithy.GenericAPIError{Code: answer.Code, Message: answer.Message}
}
