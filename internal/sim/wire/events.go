package wire

import (
	"context"
	"slices"
	"strings"

	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/ebbhq/ebb/internal/sim"
)

type eventsOptions = func(*eb.Options)

// defaultBus checks that a request means the only bus there is.
func defaultBus(name *string) error {
	if bus := deref(name); bus != "" && bus != "default" && !strings.HasSuffix(bus, ":event-bus/default") {
		return refuse("ResourceNotFoundException", "Event bus %s does not exist.", bus)
	}
	return nil
}

// rule finds the rule that a request names.
func (s Events) rule(name, bus *string) (*sim.Rule, error) {
	if err := requireEvents(member{"Name", name}); err != nil {
		return nil, err
	}
	if err := defaultBus(bus); err != nil {
		return nil, err
	}
	for _, r := range s.api.World.Rules() {
		if r.Name == *name {
			return r, nil
		}
	}
	return nil, refuse("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", *name)
}

// PutRule answers for the SDK operation of this name, for rules with an event pattern or a rate.
func (s Events) PutRule(ctx context.Context, in *eb.PutRuleInput, _ ...eventsOptions) (*eb.PutRuleOutput, error) {
	return call(ctx, s.api, "events", "PutRule", in, s.putRule)
}

func (s Events) putRule(in *eb.PutRuleInput) (*eb.PutRuleOutput, error) {
	err := requireEvents(member{"Name", in.Name})
	if err == nil {
		err = defaultBus(in.EventBusName)
	}
	if err != nil {
		return nil, err
	}
	r := sim.Rule{Name: *in.Name, Pattern: deref(in.EventPattern), Schedule: deref(in.ScheduleExpression), State: string(in.State), Description: deref(in.Description)}
	if r.State == "" {
		r.State = string(types.RuleStateEnabled)
	}
	made, err := s.api.World.PutRule(r)
	if err != nil {
		return nil, err
	}
	return &eb.PutRuleOutput{RuleArn: &made.ARN}, nil
}

// ListRules answers for the SDK operation of this name.
func (s Events) ListRules(ctx context.Context, in *eb.ListRulesInput, _ ...eventsOptions) (*eb.ListRulesOutput, error) {
	return call(ctx, s.api, "events", "ListRules", in, s.listRules)
}

func (s Events) listRules(in *eb.ListRulesInput) (*eb.ListRulesOutput, error) {
	if err := defaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	var rules []*sim.Rule
	for _, r := range s.api.World.Rules() {
		if strings.HasPrefix(r.Name, deref(in.NamePrefix)) {
			rules = append(rules, r)
		}
	}
	rules, next, ok := page(s.api, paging{"ListRules", in.Limit, 100, 100, in.NextToken}, rules, func(r *sim.Rule) string { return r.Name })
	if !ok {
		return nil, refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListRulesOutput{Rules: mapped(rules, ruleOut), NextToken: next}, nil
}

func ruleOut(r *sim.Rule) types.Rule {
	return types.Rule{
		Name: &r.Name, Arn: &r.ARN, EventPattern: optional(r.Pattern), ScheduleExpression: optional(r.Schedule), State: types.RuleState(r.State),
		Description:  optional(r.Description),
		EventBusName: new("default"), ManagedBy: optional(r.ManagedBy),
	}
}

// ListRuleNamesByTarget answers for the SDK operation of this name.
func (s Events) ListRuleNamesByTarget(ctx context.Context, in *eb.ListRuleNamesByTargetInput, _ ...eventsOptions) (*eb.ListRuleNamesByTargetOutput, error) {
	return call(ctx, s.api, "events", "ListRuleNamesByTarget", in, s.listRuleNames)
}

func (s Events) listRuleNames(in *eb.ListRuleNamesByTargetInput) (*eb.ListRuleNamesByTargetOutput, error) {
	err := requireEvents(member{"TargetArn", in.TargetArn})
	if err == nil {
		err = defaultBus(in.EventBusName)
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range s.api.World.Rules() {
		if slices.ContainsFunc(r.Targets, func(t sim.RuleTarget) bool { return t.ARN == *in.TargetArn }) {
			names = append(names, r.Name)
		}
	}
	names, next, ok := page(s.api, paging{"ListRuleNamesByTarget", in.Limit, 100, 100, in.NextToken}, names, same)
	if !ok {
		return nil, refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListRuleNamesByTargetOutput{RuleNames: mapped(names, same), NextToken: next}, nil
}

// DescribeRule answers for the SDK operation of this name.
func (s Events) DescribeRule(ctx context.Context, in *eb.DescribeRuleInput, _ ...eventsOptions) (*eb.DescribeRuleOutput, error) {
	return call(ctx, s.api, "events", "DescribeRule", in, s.describeRule)
}

func (s Events) describeRule(in *eb.DescribeRuleInput) (*eb.DescribeRuleOutput, error) {
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

// DeleteRule answers for the SDK operation of this name.
func (s Events) DeleteRule(ctx context.Context, in *eb.DeleteRuleInput, _ ...eventsOptions) (*eb.DeleteRuleOutput, error) {
	return call(ctx, s.api, "events", "DeleteRule", in, s.deleteRule)
}

func (s Events) deleteRule(in *eb.DeleteRuleInput) (*eb.DeleteRuleOutput, error) {
	err := requireEvents(member{"Name", in.Name})
	if err == nil {
		err = defaultBus(in.EventBusName)
	}
	if err == nil {
		err = s.api.World.DeleteRule(*in.Name)
	}
	return &eb.DeleteRuleOutput{}, err
}

// PutTargets answers for the SDK operation of this name.
func (s Events) PutTargets(ctx context.Context, in *eb.PutTargetsInput, _ ...eventsOptions) (*eb.PutTargetsOutput, error) {
	return call(ctx, s.api, "events", "PutTargets", in, s.putTargets)
}

func (s Events) putTargets(in *eb.PutTargetsInput) (*eb.PutTargetsOutput, error) {
	if err := requireEvents(member{"Rule", in.Rule}, member{"Targets", in.Targets}); err != nil {
		return nil, err
	}
	if err := defaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	targets := make([]sim.RuleTarget, 0, len(in.Targets))
	for _, t := range in.Targets {
		if err := requireEvents(member{"Id", t.Id}, member{"Arn", t.Arn}); err != nil {
			return nil, err
		}
		targets = append(targets, sim.RuleTarget{ID: *t.Id, ARN: *t.Arn, Input: deref(t.Input), InputPath: deref(t.InputPath)})
	}
	return &eb.PutTargetsOutput{FailedEntries: []types.PutTargetsResultEntry{}}, s.api.World.PutTargets(*in.Rule, targets)
}

// ListTargetsByRule answers for the SDK operation of this name.
func (s Events) ListTargetsByRule(ctx context.Context, in *eb.ListTargetsByRuleInput, _ ...eventsOptions) (*eb.ListTargetsByRuleOutput, error) {
	return call(ctx, s.api, "events", "ListTargetsByRule", in, s.listTargets)
}

func (s Events) listTargets(in *eb.ListTargetsByRuleInput) (*eb.ListTargetsByRuleOutput, error) {
	r, err := s.rule(in.Rule, in.EventBusName)
	if err != nil {
		return nil, err
	}
	p := paging{"ListTargetsByRule", in.Limit, 100, 100, in.NextToken}
	targets, next, ok := page(s.api, p, r.Targets, func(t sim.RuleTarget) string { return t.ID })
	if !ok {
		return nil, refuse("ValidationException", "Invalid token.")
	}
	return &eb.ListTargetsByRuleOutput{Targets: mapped(targets, ruleTargetOut), NextToken: next}, nil
}

func ruleTargetOut(t sim.RuleTarget) types.Target {
	return types.Target{Id: &t.ID, Arn: &t.ARN, Input: optional(t.Input), InputPath: optional(t.InputPath)}
}

// RemoveTargets answers for the SDK operation of this name.
func (s Events) RemoveTargets(ctx context.Context, in *eb.RemoveTargetsInput, _ ...eventsOptions) (*eb.RemoveTargetsOutput, error) {
	return call(ctx, s.api, "events", "RemoveTargets", in, s.removeTargets)
}

func (s Events) removeTargets(in *eb.RemoveTargetsInput) (*eb.RemoveTargetsOutput, error) {
	err := requireEvents(member{"Rule", in.Rule}, member{"Ids", in.Ids})
	if err == nil {
		err = defaultBus(in.EventBusName)
	}
	if err == nil {
		err = s.api.World.RemoveTargets(*in.Rule, in.Ids)
	}
	return &eb.RemoveTargetsOutput{FailedEntries: []types.RemoveTargetsResultEntry{}}, err
}

// PutEvents answers for the SDK operation of this name. An entry that is refused does not keep the others back.
func (s Events) PutEvents(ctx context.Context, in *eb.PutEventsInput, _ ...eventsOptions) (*eb.PutEventsOutput, error) {
	return call(ctx, s.api, "events", "PutEvents", in, s.putEvents)
}

func (s Events) putEvents(in *eb.PutEventsInput) (*eb.PutEventsOutput, error) {
	if n := len(in.Entries); n < 1 || n > 10 {
		return nil, refuse("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10, not %d", n)
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

func (s Events) putEvent(e types.PutEventsRequestEntry) types.PutEventsResultEntry {
	if name := missing([]member{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}}); name != "" {
		return types.PutEventsResultEntry{ErrorCode: new("InvalidArgument"), ErrorMessage: new("Parameter " + name + " is not valid. Reason: " + name + " is a required argument.")}
	}
	id, err := s.api.World.PutEvent(*e.Source, *e.DetailType, e.Resources, *e.Detail)
	if err != nil {
		return types.PutEventsResultEntry{ErrorCode: new("MalformedDetail"), ErrorMessage: new(err.Error())}
	}
	return types.PutEventsResultEntry{EventId: &id}
}
