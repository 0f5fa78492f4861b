package vpclattice

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The requests; where their fields are found is what the protocol restJson1 says. The SDK's package takes 44 s to compile.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_Operations.html
type (
	// ListTargetsInput is the request of ListTargets.
	ListTargetsInput struct {
		TargetGroupIdentifier string `path:"id"`
		MaxResults            string `query:"maxResults"`
		NextToken             string `query:"nextToken"`
		Body                  []byte `body:""` // TargetsIn, or nothing
	}
	// DeregisterTargetsInput is the request of DeregisterTargets.
	DeregisterTargetsInput struct {
		TargetGroupIdentifier string `path:"id"`
		Body                  []byte `body:""` // TargetsIn
	}
	// ListTargetGroupsInput is the request of ListTargetGroups.
	ListTargetGroupsInput struct {
		VpcIdentifier string `query:"vpcIdentifier"`
		MaxResults    string `query:"maxResults"`
		NextToken     string `query:"nextToken"`
	}
	// TargetsIn are the targets that a request names.
	TargetsIn struct {
		Targets []TargetOut `json:"targets"`
	}
)

// The answers.
type (
	// TargetOut is a target, with its state where a list shows it.
	TargetOut struct {
		ID         string `json:"id"`
		Port       int    `json:"port,omitempty"`
		Status     string `json:"status,omitempty"`     // INITIAL, HEALTHY, UNHEALTHY, DRAINING, UNUSED
		ReasonCode string `json:"reasonCode,omitempty"` // of what is not healthy
	}
	// ListTargetsOutput is the answer of ListTargets.
	ListTargetsOutput struct {
		Items     []TargetOut `json:"items"`
		NextToken string      `json:"nextToken,omitempty"`
	}
	// DeregisterTargetsOutput is the answer of DeregisterTargets.
	DeregisterTargetsOutput struct {
		Successful   []TargetOut     `json:"successful"`
		Unsuccessful []TargetFailure `json:"unsuccessful"`
	}
	// TargetFailure is a target for which a call did not do what it was asked to.
	TargetFailure struct {
		ID             string `json:"id"`
		Port           int    `json:"port,omitempty"`
		FailureCode    string `json:"failureCode"`
		FailureMessage string `json:"failureMessage"`
	}
	// ListTargetGroupsOutput is the answer of ListTargetGroups.
	ListTargetGroupsOutput struct {
		Items     []TargetGroupOut `json:"items"`
		NextToken string           `json:"nextToken,omitempty"`
	}
	// TargetGroupOut is a target group.
	TargetGroupOut struct {
		ARN    string `json:"arn"`
		ID     string `json:"id"`
		Name   string `json:"name"`
		Port   int    `json:"port"`
		Status string `json:"status"`
		Type   string `json:"type"`
		VPC    string `json:"vpcIdentifier"`
	}
)

// Service is VPC Lattice as the wire serves it. What is about one target group is checked against it.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonvpclattice.html
func (w *Lattice) Service() core.Service {
	return core.Service{
		Name: "vpc-lattice", Protocol: core.Protocol{REST: true},
		Errors: core.Errors{
			Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 429},
			Internal:   core.Error{Code: "InternalServerException", Message: "Internal server error", Status: 500},
			StaleToken: core.Error{Code: "ValidationException", Message: "The token is invalid.", Status: 400},
			Missing:    func(member string) error { return core.Null("ValidationException", member) },
			Denied:     core.Denial{Code: "AccessDeniedException", Status: 403},
		},
		Operations: []core.Operation{
			core.NewOperation("ListTargets", w.listTargets, "vpc-lattice",
				func(in *ListTargetsInput) []core.Member {
					return core.Members("targetGroupIdentifier", in.TargetGroupIdentifier)
				},
				func(in *ListTargetsInput) []core.Resource { return w.resource(in.TargetGroupIdentifier) },
				func(in *ListTargetsInput) core.Entry { return core.Entry{TargetGroup: in.TargetGroupIdentifier} },
				func(in *ListTargetsInput) *string { return core.Optional(in.NextToken) },
				core.NoBatch,
			).At("POST /targetgroups/{id}/listtargets"),
			core.NewOperation("DeregisterTargets", w.deregisterTargets, "vpc-lattice",
				func(in *DeregisterTargetsInput) []core.Member {
					return core.Members("targetGroupIdentifier", in.TargetGroupIdentifier)
				},
				func(in *DeregisterTargetsInput) []core.Resource { return w.resource(in.TargetGroupIdentifier) },
				func(in *DeregisterTargetsInput) core.Entry { return core.Entry{TargetGroup: in.TargetGroupIdentifier} },
				core.NotPaged, core.NoBatch,
			).At("POST /targetgroups/{id}/deregistertargets"),
			core.NewOperation("ListTargetGroups", w.listTargetGroups, "vpc-lattice",
				core.NoNeeds, core.NoResource, core.NoSubject,
				func(in *ListTargetGroupsInput) *string { return core.Optional(in.NextToken) },
				core.NoBatch,
			).At("GET /targetgroups"),
		},
	}
}

func (w *Lattice) resource(id string) []core.Resource {
	arn := id
	if !strings.HasPrefix(arn, "arn:") {
		arn = w.ARN("vpc-lattice", "targetgroup/"+id)
	}
	return []core.Resource{{Kind: "targetgroup", ARN: arn, Pattern: arn[:strings.LastIndexByte(arn, '/')+1] + "*"}}
}

func invalid(format string, args ...any) error {
	return core.Refuse("ValidationException", format, args...)
}

// targetsIn reads the body of a request, which may be empty where none is needed.
func targetsIn(g *group, body []byte, least int) ([]TargetOut, error) {
	var in TargetsIn
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, invalid("The request body is not valid JSON")
		}
	}
	if n := len(in.Targets); n < least || n > 100 {
		return nil, invalid("targets must have from %d to 100 members, not %d", least, n)
	}
	for i := range in.Targets {
		if in.Targets[i].Port == 0 {
			in.Targets[i].Port = g.Port
		}
	}
	return in.Targets, nil
}

// paging reads how a list is to be cut.
func paging(operation, size, token string) (core.Paging, error) {
	p := core.Paging{Operation: operation, Fallback: 100, Most: 100, Token: core.Optional(token)}
	if size == "" {
		return p, nil
	}
	n, err := strconv.ParseInt(size, 10, 32)
	if err != nil || n < 1 || n > 100 {
		return p, invalid("maxResults must be between 1 and 100 (inclusive), not %s", url.QueryEscape(size))
	}
	p.Asked = new(int32(n))
	return p, nil
}

// listTargets answers for the targets that the request names, or for all; one that is named and not registered is UNUSED.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ListTargets.html
func (w *Lattice) listTargets(c *core.Call, in *ListTargetsInput) (*core.RESTAnswer, error) {
	g, err := w.find(in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	asked, err := targetsIn(g, in.Body, 0)
	if err != nil {
		return nil, err
	}
	p, err := paging("ListTargets", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	all := core.Mapped(g.targets, targetOut)
	if len(asked) > 0 {
		all = core.Mapped(asked, func(a TargetOut) TargetOut {
			if t := g.find(a.ID, a.Port); t != nil {
				return targetOut(t)
			}
			return TargetOut{ID: a.ID, Port: a.Port, Status: "UNUSED", ReasonCode: "TARGET_NOT_REGISTERED"}
		})
	}
	all, next, ok := core.Page(c, p, all, func(t TargetOut) string { return t.ID + ":" + strconv.Itoa(t.Port) })
	if !ok {
		return nil, invalid("The token is invalid.")
	}
	return &core.RESTAnswer{Status: 200, Body: ListTargetsOutput{Items: all, NextToken: core.Deref(next)}}, nil
}

func targetOut(t *target) TargetOut {
	out := TargetOut{ID: t.ID, Port: t.Port, Status: strings.ToUpper(t.State)}
	switch t.State {
	case "draining":
		out.ReasonCode = "TARGET_DEREGISTRATION_IN_PROGRESS"
	case "unhealthy":
		out.ReasonCode = "HEALTH_CHECK_FAILED"
	}
	return out
}

// deregisterTargets begins the deregistration of up to 100 targets. AWS says nothing of one that is not registered: here it is successful,
// as with Elastic Load Balancing.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_DeregisterTargets.html
func (w *Lattice) deregisterTargets(_ *core.Call, in *DeregisterTargetsInput) (*core.RESTAnswer, error) {
	g, err := w.find(in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	asked, err := targetsIn(g, in.Body, 1)
	if err != nil {
		return nil, err
	}
	for _, a := range asked {
		if t := g.find(a.ID, a.Port); t != nil {
			w.deregister(t)
		}
	}
	out := DeregisterTargetsOutput{Unsuccessful: []TargetFailure{}}
	out.Successful = core.Mapped(asked, func(a TargetOut) TargetOut { return TargetOut{ID: a.ID, Port: a.Port} })
	return &core.RESTAnswer{Status: 200, Body: out}, nil
}

// listTargetGroups answers for a VPC, or for all.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_ListTargetGroups.html
func (w *Lattice) listTargetGroups(c *core.Call, in *ListTargetGroupsInput) (*core.RESTAnswer, error) {
	p, err := paging("ListTargetGroups", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	var all []TargetGroupOut
	for _, g := range w.groups {
		if in.VpcIdentifier == "" || in.VpcIdentifier == g.VPC {
			all = append(all, TargetGroupOut{ARN: g.ARN, ID: g.ID, Name: g.Name, Port: g.Port, Status: "ACTIVE", Type: g.Type, VPC: g.VPC})
		}
	}
	all, next, ok := core.Page(c, p, all, func(g TargetGroupOut) string { return g.ID })
	if !ok {
		return nil, invalid("The token is invalid.")
	}
	return &core.RESTAnswer{Status: 200, Body: ListTargetGroupsOutput{Items: all, NextToken: core.Deref(next)}}, nil
}
