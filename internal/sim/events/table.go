package events

import (
	"slices"

	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *Events }

// Service is EventBridge as the wire serves it.
func (w *Events) Service() core.Service {
	names := core.Names{Members: map[string]string{ // what events share with ECS is spelled as there
		"CapacityProviderStrategyItem.CapacityProvider": "capacityProvider",
		"CapacityProviderStrategyItem.Base":             "base",
		"CapacityProviderStrategyItem.Weight":           "weight",
		"NetworkConfiguration.AwsvpcConfiguration":      "awsvpcConfiguration",
		"PlacementConstraint.Expression":                "expression",
		"PlacementConstraint.Type":                      "type",
		"PlacementStrategy.Field":                       "field",
		"PlacementStrategy.Type":                        "type",
	}}
	return core.Service{Name: "events", Protocol: core.Protocol{JSON: "1.1", Names: names}, Errors: refusals(), Operations: api{w}.operations()}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalException", Message: "We encountered an internal error. Please try again.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextToken", Message: "The token is invalid.", Status: 400},
		Missing:    missing,
		Denied:     core.Denial{Code: "AccessDeniedException", Status: 400, Star: true},
	}
}

// operations are the rows of all operations. Rules are those of the default bus; what lists rules is not checked against one.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.ruleOps(), s.targetOps(), s.eventOps())
}

func (s api) ruleOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutRule", s.putRule, "events",
			func(in *eb.PutRuleInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *eb.PutRuleInput) []core.Resource { return s.ruleResource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListRules", s.listRules, "events",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *eb.ListRulesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DescribeRule", s.describeRule, "events",
			func(in *eb.DescribeRuleInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *eb.DescribeRuleInput) []core.Resource { return s.ruleResource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteRule", s.deleteRule, "events",
			func(in *eb.DeleteRuleInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *eb.DeleteRuleInput) []core.Resource { return s.ruleResource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) targetOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutTargets", s.putTargets, "events",
			func(in *eb.PutTargetsInput) []core.Member {
				return core.Members("Rule", in.Rule, "Targets", in.Targets)
			},
			func(in *eb.PutTargetsInput) []core.Resource { return s.ruleResource(in.Rule) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListTargetsByRule", s.listTargets, "events",
			func(in *eb.ListTargetsByRuleInput) []core.Member { return core.Members("Rule", in.Rule) },
			func(in *eb.ListTargetsByRuleInput) []core.Resource { return s.ruleResource(in.Rule) },
			core.NoSubject,
			func(in *eb.ListTargetsByRuleInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("ListRuleNamesByTarget", s.listRuleNames, "events",
			func(in *eb.ListRuleNamesByTargetInput) []core.Member {
				return core.Members("TargetArn", in.TargetArn)
			},
			core.NoResource, core.NoSubject,
			func(in *eb.ListRuleNamesByTargetInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("RemoveTargets", s.removeTargets, "events",
			func(in *eb.RemoveTargetsInput) []core.Member {
				return core.Members("Rule", in.Rule, "Ids", in.Ids)
			},
			func(in *eb.RemoveTargetsInput) []core.Resource { return s.ruleResource(in.Rule) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) eventOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutEvents", s.putEvents, "events",
			core.NoNeeds,
			func(in *eb.PutEventsInput) []core.Resource {
				return []core.Resource{{Kind: "event-bus", ARN: s.ARN("events", "event-bus/default")}}
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}
