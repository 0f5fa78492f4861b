// Package events is Amazon EventBridge in a simulated cloud: rules on the default bus, with patterns and schedules.
//
// It never keeps an event: what no rule matches is gone.
package events

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Events are the rules of a world.
type Events struct {
	*core.Core
	post  Post
	rules []*rule
}

// Post sends to the targets of rules.
type Post interface {
	Send(arn, subject, body string, about core.Entry)
}

// New makes EventBridge without rules.
func New(c *core.Core, post Post) *Events { return &Events{Core: c, post: post} }

// rule is a rule with its pattern and schedule parsed.
type rule struct {
	Rule
	pattern   pattern       // nil: none
	every     time.Duration // 0: no schedule
	scheduled int           // how often its schedule was set
}

// busEvent is an event as EventBridge sends it.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type busEvent struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// EnsureRule makes a rule of another service of AWS, if there is none of that name. Where its events go is the service's own and not shown.
func (w *Events) EnsureRule(name, pattern, managedBy string) {
	if w.findRule(name) != nil {
		return
	}
	if _, err := w.PutRule(Rule{Name: name, ManagedBy: managedBy, Pattern: pattern}); err != nil {
		panic(err) // the pattern is a constant
	}
}

// PutRule makes or changes a rule on the default bus, with a pattern, a schedule or both, and returns a copy. An empty state is ENABLED.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func (w *Events) PutRule(spec Rule) (*Rule, error) {
	if spec.Name == "" {
		return nil, core.Refuse("ValidationException", "1 validation error detected: Value at 'name' failed to satisfy constraint: Member must not be null")
	}
	p, every, err := when(spec)
	if err != nil {
		return nil, err
	}
	if spec.State == "" {
		spec.State = "ENABLED"
	}
	r := w.findRule(spec.Name)
	if r == nil {
		r = &rule{}
		w.rules = append(w.rules, r)
	} else {
		spec.Targets = r.Targets
	}
	anew := r.every != every
	r.Rule, r.pattern, r.every = spec, p, every
	r.ARN = w.ARN("events", "rule/"+r.Name)
	if anew {
		w.schedule(r)
	}
	c := r.Rule
	return &c, nil
}

// when reads what makes a rule run.
func when(spec Rule) (p pattern, every time.Duration, err error) {
	if spec.Pattern == "" && spec.Schedule == "" {
		return nil, 0, core.Refuse("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if spec.Pattern != "" {
		p, err = parsePattern(spec.Pattern)
	}
	if err == nil && spec.Schedule != "" {
		every, err = parseRate(spec.Schedule)
	}
	return p, every, err
}

// Rules returns copies of the rules, in the order in which they were made.
func (w *Events) Rules() []*Rule {
	all := make([]*Rule, len(w.rules))
	for i, r := range w.rules {
		c := r.Rule
		c.Targets = slices.Clone(c.Targets)
		all[i] = &c
	}
	return all
}

func (w *Events) findRule(name string) *rule {
	for _, r := range w.rules {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func (w *Events) mustFindRule(name string) (*rule, error) {
	if r := w.findRule(name); r != nil {
		return r, nil
	}
	return nil, core.Refuse("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", name)
}

// PutTargets adds targets to a rule, or changes those with the same id.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func (w *Events) PutTargets(ruleName string, targets []RuleTarget) error {
	r, err := w.mustFindRule(ruleName)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if i := slices.IndexFunc(r.Targets, func(x RuleTarget) bool { return x.ID == t.ID }); i >= 0 {
			r.Targets[i] = t
			continue
		}
		if len(r.Targets) == 5 {
			return core.Refuse("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		r.Targets = append(r.Targets, t)
	}
	return nil
}

// RemoveTargets removes targets from a rule by their ids.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html
func (w *Events) RemoveTargets(ruleName string, ids []string) error {
	r, err := w.mustFindRule(ruleName)
	if err != nil {
		return err
	}
	r.Targets = slices.DeleteFunc(r.Targets, func(t RuleTarget) bool { return slices.Contains(ids, t.ID) })
	return nil
}

// DeleteRule removes a rule that has no targets; an unknown one is no error.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html
func (w *Events) DeleteRule(name string) error {
	r := w.findRule(name)
	if r == nil {
		return nil
	}
	if len(r.Targets) > 0 {
		return core.Refuse("ValidationException", "Rule can't be deleted since it has targets.")
	}
	w.rules = slices.DeleteFunc(w.rules, func(x *rule) bool { return x == r })
	return nil
}

// PutEvent puts an event on the default bus, where rules pick it up at once, and returns its id. The detail is a JSON object.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (w *Events) PutEvent(source, detailType string, resources []string, detail string) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(detail), &object); err != nil || object == nil {
		return "", core.Refuse("MalformedDetail", "Detail is malformed.")
	}
	return w.putEvent(source, detailType, w.Now(), resources, detail, core.Entry{}), nil
}

// Wants reports whether a rule could match events of the source and type, so that nobody spells events that nobody reads.
func (w *Events) Wants(source, detailType string) bool {
	for _, r := range w.rules {
		if r.State == "ENABLED" && r.pattern != nil && len(r.Targets) > 0 && r.pattern.allows("source", source) && r.pattern.allows("detail-type", detailType) {
			return true
		}
	}
	return false
}

// Emit puts an event of another service of AWS on the bus, after the usual delay of notifications, and with their luck.
func (w *Events) Emit(about core.Entry, source, detailType string, resources []string, detail any) {
	w.EmitAfter(0, about, source, detailType, resources, detail)
}

// EmitAfter is Emit for an event that is of now, and comes so much later than others.
func (w *Events) EmitAfter(d time.Duration, about core.Entry, source, detailType string, resources []string, detail any) {
	at, text := w.Now(), core.JSON(detail)
	send := func() { w.Deliver(about, func() { w.putEvent(source, detailType, at, resources, text, about) }) }
	if d > 0 {
		w.After(d, send)
		return
	}
	send()
}

func (w *Events) putEvent(source, detailType string, at time.Time, resources []string, detail string, about core.Entry) string {
	if !w.Wants(source, detailType) {
		return w.UUID()
	}
	body, fields := w.spell(source, detailType, at, resources, detail)
	for _, r := range w.rules {
		if r.State != "ENABLED" || r.pattern == nil || !r.pattern.matches(fields) {
			continue
		}
		for _, t := range r.Targets {
			w.post.Send(t.ARN, "", targetInput(t, body, fields), about)
		}
	}
	id, _ := fields["id"].(string)
	return id
}

// spell writes an event, and reads it as patterns and input paths do. The detail is a JSON object.
func (w *Events) spell(source, detailType string, at time.Time, resources []string, detail string) (body string, fields map[string]any) {
	body = core.JSON(busEvent{
		Version: "0", ID: w.UUID(), DetailType: detailType, Source: source, Account: w.Account, Time: core.ISO(at), Region: w.Region,
		Resources: append([]string{}, resources...), Detail: json.RawMessage(detail),
	})
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		panic("sim: an event that cannot be read: " + err.Error())
	}
	return body, fields
}

// targetInput is what a target of a rule gets: the event, a part of it, or a constant.
func targetInput(t RuleTarget, body string, fields map[string]any) string {
	if t.Input != "" {
		return t.Input
	}
	path, ok := strings.CutPrefix(t.InputPath, "$.")
	if !ok {
		return body
	}
	var value any = fields
	for part := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[part]
	}
	return core.JSON(value)
}
