package doctor

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// verdict says whether a pattern matches an event of which not every field is known.
type verdict int

const (
	no verdict = iota
	maybe
	yes
)

// matches judges an EventBridge rule's pattern on the event of a hook's terminating action, as far as that is known beforehand. Filters
// that are not understood, and fields that the event has but that are not known, are a maybe.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (in *Input) matches(r inventory.Rule, g *inventory.Group, h fleet.Hook) verdict {
	return lets(in, r, "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", string(g.ARN), map[string]any{
		"AutoScalingGroupName": g.Name, "LifecycleHookName": h.Name, "LifecycleTransition": fleet.TerminatingTransit,
		"Origin": "AutoScalingGroup", "Destination": "EC2",
	})
}

// lets judges a rule's pattern on an event of which some is known. An empty resource is not.
func lets(in *Input, r inventory.Rule, source, detailType, resource string, detail map[string]any) verdict {
	var p map[string]any
	if json.Unmarshal([]byte(r.Pattern), &p) != nil {
		return maybe
	}
	event := map[string]any{
		"version": "0", "source": source, "detail-type": detailType, "account": in.Inventory.Account, "region": in.Inventory.Region, "detail": detail,
	}
	if resource != "" {
		event["resources"] = resource
	}
	return object(p, event)
}

func object(pattern, event map[string]any) verdict {
	all := yes
	for _, key := range slices.Sorted(maps.Keys(pattern)) {
		value, known := event[key]
		if !known { // also $or
			all = min(all, maybe)
			continue
		}
		all = min(all, field(pattern[key], value))
	}
	return all
}

func field(pattern, value any) verdict {
	switch p := pattern.(type) {
	case map[string]any:
		if inner, ok := value.(map[string]any); ok {
			return object(p, inner)
		}
		return no
	case []any:
		text, ok := value.(string)
		if !ok {
			return maybe
		}
		best := no
		for _, alternative := range p {
			best = max(best, one(alternative, text))
		}
		return best
	}
	return maybe
}

// one judges one alternative of a field.
func one(alternative any, text string) verdict {
	filter, ok := alternative.(map[string]any)
	if !ok {
		return is(alternative == text)
	}
	if except, ok := filter["anything-but"]; ok {
		return anythingBut(except, text)
	}
	if exists, ok := filter["exists"].(bool); ok {
		return is(exists)
	}
	for _, test := range []struct {
		name string
		fits func(string, string) bool
	}{{"prefix", strings.HasPrefix}, {"suffix", strings.HasSuffix}, {"equals-ignore-case", strings.EqualFold}} {
		if s, ok := filter[test.name].(string); ok {
			return is(test.fits(text, s))
		}
	}
	return maybe
}

func anythingBut(except any, text string) verdict {
	switch e := except.(type) {
	case string:
		return is(e != text)
	case []any:
		return is(!slices.Contains(e, any(text)))
	}
	return maybe
}

func is(b bool) verdict {
	if b {
		return yes
	}
	return no
}
