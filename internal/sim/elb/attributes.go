package elb

import (
	"slices"
	"strconv"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// attribute is a row: an attribute of a target group that the simulated cloud obeys.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
type attribute struct {
	key     string
	network bool // of network load balancers only
	get     func(g *TargetGroup) string
	set     func(g *TargetGroup, value string) bool // false: it cannot have that value
}

func attributes() []attribute {
	const (
		routing = "target_group_health.unhealthy_state_routing.minimum_healthy_targets."
		sick    = "target_health_state.unhealthy."
	)
	return []attribute{
		seconds("deregistration_delay.timeout_seconds", false, 3600, func(g *TargetGroup) *time.Duration { return &g.Delay }),
		boolean("deregistration_delay.connection_termination.enabled", false, func(g *TargetGroup) *bool { return &g.ConnectionTermination }),
		boolean(sick+"connection_termination.enabled", true, func(g *TargetGroup) *bool { return &g.KeepUnhealthy }),
		seconds(sick+"draining_interval_seconds", true, 360000, func(g *TargetGroup) *time.Duration { return &g.UnhealthyDraining }),
		number(routing+"count", 1, 1, 1<<30, func(g *TargetGroup) *int { return &g.LeastHealthy }),
		number(routing+"percentage", 0, 1, 100, func(g *TargetGroup) *int { return &g.LeastPercent }),
	}
}

func seconds(key string, network bool, most int, of func(*TargetGroup) *time.Duration) attribute {
	return attribute{
		key: key, network: network,
		get: func(g *TargetGroup) string { return strconv.Itoa(int(*of(g) / time.Second)) },
		set: func(g *TargetGroup, value string) bool {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > most {
				return false
			}
			*of(g) = time.Duration(n) * time.Second
			return true
		},
	}
}

// boolean is an attribute of network load balancers, or its opposite.
func boolean(key string, opposite bool, of func(*TargetGroup) *bool) attribute {
	return attribute{
		key: key, network: true,
		get: func(g *TargetGroup) string { return strconv.FormatBool(*of(g) != opposite) },
		set: func(g *TargetGroup, value string) bool {
			*of(g) = (value == "true") != opposite
			return value == "true" || value == "false"
		},
	}
}

// number is a whole number, or off; zero means fallback, and is off if that is zero.
func number(key string, fallback, least, most int, of func(*TargetGroup) *int) attribute {
	return attribute{
		key: key,
		get: func(g *TargetGroup) string {
			switch n := *of(g); {
			case n != 0:
				return strconv.Itoa(n)
			case fallback != 0:
				return strconv.Itoa(fallback)
			}
			return "off"
		},
		set: func(g *TargetGroup, value string) bool {
			n, err := strconv.Atoi(value)
			off := value == "off" && fallback == 0
			if !off && (err != nil || n < least || n > most) {
				return false
			}
			*of(g) = n
			return true
		},
	}
}

func (s api) attributes(_ *core.Call, in *elb.DescribeTargetGroupAttributesInput) (*elb.DescribeTargetGroupAttributesOutput, error) {
	g, err := s.named(in.TargetGroupArn)
	return &elb.DescribeTargetGroupAttributesOutput{Attributes: attributesOut(g)}, err
}

func attributesOut(g TargetGroup) []types.TargetGroupAttribute {
	var all []types.TargetGroupAttribute
	for _, a := range attributes() {
		if !a.network || g.Network() {
			all = append(all, types.TargetGroupAttribute{Key: &a.key, Value: new(a.get(&g))})
		}
	}
	return all
}

// modify changes attributes that the simulated cloud obeys: all of a request, or none if one is refused.
func (s api) modify(_ *core.Call, in *elb.ModifyTargetGroupAttributesInput) (*elb.ModifyTargetGroupAttributesOutput, error) {
	tg, err := s.findTargetGroup(*in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	changed := tg.TargetGroup
	for _, wanted := range in.Attributes {
		if err := changed.modify(core.Deref(wanted.Key), core.Deref(wanted.Value)); err != nil {
			return nil, err
		}
	}
	s.Changing()
	tg.TargetGroup = changed
	return &elb.ModifyTargetGroupAttributesOutput{Attributes: attributesOut(changed)}, nil
}

func (g *TargetGroup) modify(key, value string) error {
	known := attributes()
	i := slices.IndexFunc(known, func(a attribute) bool { return a.key == key && (!a.network || g.Network()) })
	if i < 0 {
		return core.Refuse("InvalidConfigurationRequest", "Target group attribute key '%s' is not recognized: the simulated cloud knows %s", key,
			strings.Join(core.Mapped(known, func(a attribute) string { return a.key }), ", "))
	}
	if !known[i].set(g, value) {
		return core.Refuse("ValidationError", "'%s' is not a valid value of the target group attribute '%s'", value, key)
	}
	return nil
}
