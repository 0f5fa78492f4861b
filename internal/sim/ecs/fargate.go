package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// AWS's own capacity providers. onDemand is also a launch type.
const (
	onDemand = "FARGATE"
	onSpot   = "FARGATE_SPOT"
)

func isFargate(provider string) bool { return provider == onDemand || provider == onSpot }

// fargate is the place of one task on Fargate. Nobody sees what is behind it: there is a network interface in a subnet, and no instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate.html
type fargate struct {
	capacity, subnet, in string // capacity: FARGATE, FARGATE_SPOT; in: the zone of the subnet
	tasks                []*task
}

func (f *fargate) zone() string                                      { return f.in }
func (f *fargate) launchType() string                                { return onDemand }
func (f *fargate) status() string                                    { return "ACTIVE" }
func (f *fargate) provider() string                                  { return f.capacity }
func (f *fargate) attribute(string) string                           { return "" }
func (f *fargate) host() (containerInstance, instance, group string) { return "", "", "" }
func (f *fargate) running() []*task                                  { return f.tasks }
func (f *fargate) take(t *task)                                      { f.tasks = append(f.tasks, t) }
func (f *fargate) give(*task)                                        { f.tasks = nil }
func (f *fargate) do(_ *task, what func())                           { what() }
func (f *fargate) changed()                                          {}

// stopTimeout is that of containers that name none.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
func (f *fargate) stopTimeout() time.Duration { return 30 * time.Second }

// subnets are those of a VPC (empty: the default one), one in each zone.
func (w *ECS) subnets(vpc string) []string {
	return core.Mapped([]string{"a", "b", "c"}, func(zone string) string { return core.SubnetID(vpc, w.Region+zone) })
}

// fargate is the Fargate capacity that the next task wants; empty: it wants an instance.
func (want wanted) fargate() string {
	switch {
	case len(want.providers) == 0 && want.launchType == onDemand:
		return onDemand
	case len(want.providers) > 0 && isFargate(want.providers[0]):
		return want.providers[0]
	}
	return ""
}

// usesFargate reports whether tasks with this strategy, or without one with this launch type, run on Fargate.
func usesFargate(strategy []StrategyItem, launchType string) bool {
	if len(strategy) > 0 {
		return isFargate(strategy[0].Provider)
	}
	return launchType == onDemand
}

func (s *service) onFargate() bool { return usesFargate(s.Providers, s.LaunchType) }

// noCapacity is why a task does not start where Fargate has no capacity, in AWS's words.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
const noCapacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone"

// onFargate starts a task on Fargate, in the subnet that has the fewest of its kind. A task of FARGATE_SPOT never gets other capacity.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func (p *placing) onFargate(capacity string) (*task, miss) {
	if p.w.lacking[capacity] {
		return nil, miss{reason: noCapacity, fargate: capacity}
	}
	subnet := p.subnet()
	p.subnets[subnet]++
	t := p.w.newTask(p.c, &fargate{capacity: capacity, subnet: subnet, in: p.w.Subnets.ZoneOf(subnet)}, p.want)
	p.has[t.CapacityProvider]++
	return t, miss{}
}

// subnet is where the next task goes: AWS spreads over the zones as well as it can, and says no more.
func (p *placing) subnet() string {
	if p.subnets == nil {
		p.subnets = map[string]int{}
		peers := p.c.tasks
		if p.want.s != nil {
			peers = p.want.s.tasks
		}
		for _, t := range peers {
			if t.live() && t.LaunchType == onDemand && t.Group == p.want.group {
				p.subnets[t.Subnet]++
			}
		}
	}
	all := p.want.subnets
	if len(all) == 0 {
		vpc := ""
		if p.want.s != nil {
			vpc = p.want.s.VPC
		}
		all = p.w.subnets(vpc)
	}
	return slices.MinFunc(all, func(a, b string) int { return p.subnets[a] - p.subnets[b] })
}

// SetFargateCapacity says whether FARGATE or FARGATE_SPOT has capacity for further tasks; those that run go on. AWS has no such call.
func (w *ECS) SetFargateCapacity(provider string, there bool) error {
	if !isFargate(provider) {
		return core.Refuse("InvalidParameterException", "%q is not %s or %s, whose capacity is AWS's own.", provider, onDemand, onSpot)
	}
	w.lacking[provider] = !there
	text := provider + " has no capacity"
	if there {
		text = provider + " has capacity again"
	}
	w.Log(core.Entry{Kind: core.EntryNote, Text: text})
	return nil
}

// AssociateFargate makes FARGATE or FARGATE_SPOT a capacity provider of a cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html
func (w *ECS) AssociateFargate(of, provider string) error {
	c, err := w.findCluster(of)
	switch {
	case err != nil:
		return err
	case !isFargate(provider):
		return core.Refuse("InvalidParameterException", "The capacity provider %q is not %s or %s; others are those of groups.",
			provider, onDemand, onSpot)
	case slices.Contains(c.Providers, provider):
		return core.Refuse("InvalidParameterException", "The capacity provider %s is named twice.", provider)
	}
	c.Providers = append(c.Providers, provider)
	return nil
}

// fargateProviders are AWS's own capacity providers among names.
func (w *ECS) fargateProviders(names []string) []CapacityProvider {
	var all []CapacityProvider
	for _, name := range names {
		if isFargate(name) {
			all = append(all, CapacityProvider{Name: name, ARN: w.ARN("ecs", "capacity-provider/"+name)})
		}
	}
	return all
}
