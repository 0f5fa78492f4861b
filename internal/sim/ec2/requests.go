package ec2

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// spotStatus is the status of the request of a Spot Instance that is no longer simply fulfilled.
type spotStatus struct {
	code, action string
	since        time.Time
}

// The request and answer of DescribeSpotInstanceRequests, which finds the requests of instances by the filter instance-id.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html
type (
	// DescribeSpotInstanceRequestsInput is the request.
	DescribeSpotInstanceRequestsInput struct {
		SpotInstanceRequestIds []string
		Filters                []Filter
		MaxResults             *int32
		NextToken              *string
	}
	// DescribeSpotInstanceRequestsOutput is the answer.
	DescribeSpotInstanceRequestsOutput struct {
		Requests  []core.SpotRequest `xml:"spotInstanceRequestSet>item"`
		NextToken *string            `xml:"nextToken,omitempty"`
	}
)

func requestID(instance string) string { return "sir-" + instance[len(instance)-8:] }

// marks is how the status of a request shows the notice. Where the capacity is needed and the instance is to be terminated, it is final at
// once, although the instance runs for two minutes.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instances-request-status-lifecycle.html
func (w *EC2) marks(h *core.Instance, action string) {
	code := "marked-for-stop"
	switch {
	case action == terminate && w.SpotMarked:
		code = "marked-for-termination"
	case action == terminate:
		code = "instance-terminated-no-capacity"
	}
	at := w.Now()
	show := func() {
		if _, later := w.requests[h.ID]; !later && h.State != "terminated" {
			w.requests[h.ID] = spotStatus{code, action, at}
		}
	}
	if w.SpotStatusLate > 0 {
		w.After(w.SpotStatusLate, show)
		return
	}
	show()
}

// request is the request of a Spot Instance as it is now.
func (w *EC2) request(h *core.Instance) core.SpotRequest {
	r := core.SpotRequest{
		ID: requestID(h.ID), State: "active", Type: "one-time", Instance: h.ID, Action: terminate,
		Status: core.RequestStatus{Code: "fulfilled", Updated: h.LaunchedAt},
	}
	s, marked := w.requests[h.ID]
	switch {
	case marked:
		r.Status, r.Action = core.RequestStatus{Code: s.code, Updated: s.since}, s.action
	case h.State == "shutting-down" || h.State == "terminated":
		r.Status = core.RequestStatus{Code: "instance-terminated-by-user", Updated: h.Since}
	case h.State == "stopping" || h.State == "stopped":
		r.Status = core.RequestStatus{Code: "instance-stopped-by-user", Updated: h.Since}
	}
	switch {
	case h.State == "terminated" || r.Status.Code == "instance-terminated-no-capacity":
		r.State = "closed"
	case h.State == "stopped":
		r.State = "disabled"
	}
	return r
}

func (s api) describeRequests(c *core.Call, in *DescribeSpotInstanceRequestsInput) (*DescribeSpotInstanceRequestsOutput, error) {
	if len(in.SpotInstanceRequestIds) > 0 {
		return nil, core.Refuse("InvalidParameterValue", "The simulated cloud finds Spot requests by the filter instance-id only.")
	}
	var all []core.SpotRequest
	for _, h := range s.hosts {
		if h.Host.Spot && !s.gone(h) {
			all = append(all, s.request(h))
		}
	}
	for _, f := range in.Filters {
		if name := core.Deref(f.Name); name != "instance-id" {
			return nil, core.Refuse("InvalidParameterValue", "The filter '%s' is invalid: the simulated cloud knows instance-id", name)
		}
		all = slices.DeleteFunc(all, func(r core.SpotRequest) bool { return !slices.Contains(f.Values, r.Instance) })
	}
	p := core.Paging{Operation: "DescribeSpotInstanceRequests", Asked: in.MaxResults, Fallback: 1000, Most: 1000, Token: in.NextToken}
	all, next, ok := core.Page(c, p, all, func(r core.SpotRequest) string { return r.ID })
	if !ok {
		return nil, core.Refuse("InvalidParameterValue", "Unable to parse pagination token")
	}
	return &DescribeSpotInstanceRequestsOutput{Requests: all, NextToken: next}, nil
}
