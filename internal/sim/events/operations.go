package events

import (
	"slices"
	"strings"

	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// defaultBus checks that a request means the only bus there is.
func defaultBus(name *string) error {
	if bus := core.Deref(name); bus != "" && bus != "default" && !strings.HasSuffix(bus, ":event-bus/default") {
		return core.Refuse("ResourceNotFoundException", "Event bus %s does not exist.", bus)
	}
	return nil
}

// rule finds the rule that a request names.
func (s api) rule(name, bus *string) (*Rule, error) {
	if err := defaultBus(bus); err != nil {
		return nil, err
	}
	for _, r := range s.Rules() {
		if r.Name == *name {
			return r, nil
		}
	}
	return nil, core.Refuse("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", *name)
}

// putRule takes rules with an event pattern or a rate.
func (s api) putRule(_ *core.Call, in *eb.PutRuleInput) (*eb.PutRuleOutput, error) {
	err := defaultBus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	r := Rule{Name: *in.Name, Pattern: core.Deref(in.EventPattern), Schedule: core.Deref(in.ScheduleExpression), State: string(in.State),
		Description: core.Deref(in.Description)}
	if r.State == "" {
		r.State = string(types.RuleStateEnabled)
	}
	made, err := s.PutRule(r)
	if err != nil {
		return nil, err
	}
	return &eb.PutRuleOutput{RuleArn: &made.ARN}, nil
}

func (s api) listRules(c *core.Call, in *eb.ListRulesInput) (*eb.ListRulesOutput, error) {
	if err := defaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	var rules []*Rule
	for _, r := range s.Rules() {
		if strings.HasPrefix(r.Name, core.Deref(in.NamePrefix)) {
			rules = append(rules, r)
		}
	}
	rules, next, ok := core.Page(c, core.Paging{Operation: "ListRules", Asked: in.Limit, Fallback: 100, Most: 100, Token: in.NextToken}, rules,
		func(r *Rule) string { return r.Name })
	if !ok {
		return nil, core.Refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListRulesOutput{Rules: core.Mapped(rules, ruleOut), NextToken: next}, nil
}

func ruleOut(r *Rule) types.Rule {
	return types.Rule{
		Name: &r.Name, Arn: &r.ARN, EventPattern: core.Optional(r.Pattern), ScheduleExpression: core.Optional(r.Schedule), State: types.RuleState(r.State),
		Description:  core.Optional(r.Description),
		EventBusName: new("default"), ManagedBy: core.Optional(r.ManagedBy),
	}
}

func (s api) listRuleNames(c *core.Call, in *eb.ListRuleNamesByTargetInput) (*eb.ListRuleNamesByTargetOutput, error) {
	err := defaultBus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range s.Rules() {
		if slices.ContainsFunc(r.Targets, func(t RuleTarget) bool { return t.ARN == *in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	names, next, ok := core.Page(c, core.Paging{Operation: "ListRuleNamesByTarget", Asked: in.Limit, Fallback: 100, Most: 100,
		Token: in.NextToken}, names, core.Same)
	if !ok {
		return nil, core.Refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListRuleNamesByTargetOutput{RuleNames: core.Mapped(names, core.Same), NextToken: next}, nil
}

func (s api) describeRule(_ *core.Call, in *eb.DescribeRuleInput) (*eb.DescribeRuleOutput, error) {
	r, err := s.rule(in.Name, in.EventBusName)
	if err != nil {
		return nil, err
	}
	o := ruleOut(r)
	return &eb.DescribeRuleOutput{
		Name: o.Name, Arn: o.Arn, EventPattern: o.EventPattern, ScheduleExpression: o.ScheduleExpression, State: o.State, Description: o.Description,
		EventBusName: o.EventBusName, ManagedBy: o.ManagedBy,
	}, nil
}

func (s api) deleteRule(_ *core.Call, in *eb.DeleteRuleInput) (*eb.DeleteRuleOutput, error) {
	err := defaultBus(in.EventBusName)
	if err == nil {
		err = s.DeleteRule(*in.Name)
	}
	return &eb.DeleteRuleOutput{}, err
}

func (s api) putTargets(_ *core.Call, in *eb.PutTargetsInput) (*eb.PutTargetsOutput, error) {
	if err := defaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	targets := make([]RuleTarget, 0, len(in.Targets))
	for _, t := range in.Targets {
		if core.Deref(t.Id) == "" {
			return nil, missing("Id")
		}
		if core.Deref(t.Arn) == "" {
			return nil, missing("Arn")
		}
		targets = append(targets, RuleTarget{ID: *t.Id, ARN: *t.Arn, Input: core.Deref(t.Input), InputPath: core.Deref(t.InputPath)})
	}
	return &eb.PutTargetsOutput{FailedEntries: []types.PutTargetsResultEntry{}}, s.PutTargets(*in.Rule, targets)
}

func (s api) listTargets(c *core.Call, in *eb.ListTargetsByRuleInput) (*eb.ListTargetsByRuleOutput, error) {
	r, err := s.rule(in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "ListTargetsByRule", Asked: in.Limit, Fallback: 100, Most: 100, Token: in.NextToken}
	targets, next, ok := core.Page(c, p, r.Targets, func(t RuleTarget) string { return t.ID })
	if !ok {
		return nil, core.Refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListTargetsByRuleOutput{Targets: core.Mapped(targets, ruleTargetOut), NextToken: next}, nil
}

func ruleTargetOut(t RuleTarget) types.Target {
	return types.Target{Id: &t.ID, Arn: &t.ARN, Input: core.Optional(t.Input), InputPath: core.Optional(t.InputPath)}
}

func (s api) removeTargets(_ *core.Call, in *eb.RemoveTargetsInput) (*eb.RemoveTargetsOutput, error) {
	err := defaultBus(in.EventBusName)
	if err == nil {
		err = s.RemoveTargets(*in.Rule, in.Ids)
	}
	return &eb.RemoveTargetsOutput{FailedEntries: []types.RemoveTargetsResultEntry{}}, err
}

// putEvents puts each entry by itself: one that is refused does not keep the others back.
func (s api) putEvents(_ *core.Call, in *eb.PutEventsInput) (*eb.PutEventsOutput, error) {
	if n := len(in.Entries); n < 1 || n > 10 {
		return nil, core.Refuse("ValidationException",
			"1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10, not %d", n)
	}
	out := &eb.PutEventsOutput{}
	for _, e := range in.Entries {
		entry := s.putEvent(e)
		if entry.ErrorCode != nil {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

func (s api) putEvent(e types.PutEventsRequestEntry) types.PutEventsResultEntry {
	name := ""
	switch {
	case core.Deref(e.Source) == "":
		name = "Source"
	case core.Deref(e.DetailType) == "":
		name = "DetailType"
	case core.Deref(e.Detail) == "":
		name = "Detail"
	}
	if name != "" {
		return types.PutEventsResultEntry{ErrorCode: new("InvalidArgument"), ErrorMessage: new("Parameter " + name + " is not valid. Reason: " +
			name + " is a required argument.")}
	}
	id, err := s.PutEvent(*e.Source, *e.DetailType, e.Resources, *e.Detail)
	if err != nil {
		return types.PutEventsResultEntry{ErrorCode: new("MalformedDetail"), ErrorMessage: new(err.Error())}
	}
	return types.PutEventsResultEntry{EventId: &id}
}

func missing(member string) error { return core.Null("ValidationException", member) }

func (s api) ruleResource(name *string) []core.Resource {
	return []core.Resource{{Kind: "rule", ARN: s.ARN("events", "rule/"+core.Deref(name))}}
}
