package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/traffic"
)

// vpcs are all VPCs that a part of the world names.
func (b *builder) vpcs(s Spec) error {
	for _, t := range s.TargetGroups {
		b.w.AddVPC(t.VPC)
	}
	for _, v := range s.Services {
		b.w.AddVPC(v.VPC)
	}
	for _, g := range s.Groups {
		b.w.AddVPC(g.Launch.VPC)
		for _, h := range g.Hosts {
			b.w.AddVPC(h.VPC)
		}
	}
	return nil
}

// endpoints are the target groups in which the tasks of a service are registered, by ECS or by hand.
func (b *builder) endpoints(def ecs.TaskDefinition, v ServiceSpec, service *ecs.Service) error {
	all, err := v.balancers()
	if err == nil {
		service.TargetGroups, err = b.balancers(def, all)
	}
	if err != nil {
		return err
	}
	for _, i := range v.Ingress {
		if i.Kind != "" && i.Kind != "gateway" && i.Kind != "express" {
			return fmt.Errorf("ingress: the kind is %q; it must be gateway or express", i.Kind)
		}
		entry, err := b.balancer(def, i.BalancerSpec)
		if err != nil {
			return fmt.Errorf("ingress: %w", err)
		}
		service.Ingress = append(service.Ingress, ecs.Ingress{Kind: i.Kind, ServiceTargetGroup: entry})
	}
	if service.ByHand, err = b.balancers(def, v.ByHand); err != nil {
		return fmt.Errorf("by_hand: %w", err)
	}
	if v.InAlternate && !v.blueGreen() {
		return fmt.Errorf("it is in_alternate, but has no alternate_target_group")
	}
	return nil
}

// balancers are the load balancer entries of a service, in the short form or in the long one.
func (v ServiceSpec) balancers() ([]BalancerSpec, error) {
	switch {
	case v.TargetGroup == "" && v.Alternate != "":
		return nil, fmt.Errorf("it has an alternate_target_group, but no target_group")
	case v.TargetGroup == "":
		return v.Balancers, nil
	case len(v.Balancers) > 0:
		return nil, fmt.Errorf("it has a target_group and load_balancers; name all target groups in load_balancers")
	}
	return []BalancerSpec{{TargetGroup: v.TargetGroup, Alternate: v.Alternate}}, nil
}

// clients begin when everything runs.
func (b *builder) clients(s Spec) error {
	for _, t := range s.Traffic {
		i := slices.IndexFunc(s.Services, func(v ServiceSpec) bool { return v.Name == t.Service })
		if i < 0 {
			return fmt.Errorf("traffic: there is no service %q; add it to services", t.Service)
		}
		if t.Rate <= 0 {
			return fmt.Errorf("traffic of service %q: the rate is %v requests per second; it must be more than 0", t.Service, t.Rate)
		}
		names := []string{t.TargetGroup}
		if t.TargetGroup == "" {
			all := s.Services[i].all()
			if len(all) == 0 {
				return fmt.Errorf("traffic of service %q: the service has no target group; give it one", t.Service)
			}
			names = slices.DeleteFunc([]string{all[0].TargetGroup, all[0].Alternate}, func(name string) bool { return name == "" })
		}
		arns, err := b.arns(names)
		if err != nil {
			return fmt.Errorf("traffic of service %q: %w", t.Service, err)
		}
		lasts := t.Connection
		if lasts == 0 {
			lasts = b.usually(arns[0])
		}
		b.w.AddClients(traffic.Clients{Service: t.Service, Routes: arns, Rate: t.Rate, Connection: lasts})
	}
	return nil
}

// usually is how long a request lasts, or a connection of a network load balancer, unless the world says so.
func (b *builder) usually(arn string) time.Duration {
	if tg, _ := b.w.Routes(arn); tg.Network() {
		return 30 * time.Second
	}
	return 100 * time.Millisecond
}

// all are the target groups in which the tasks of a service are registered, whoever does that, those that the service names first.
func (v ServiceSpec) all() []BalancerSpec {
	all, _ := v.balancers()
	for _, t := range v.TaskSets {
		all = append(all, t.balancers()...)
	}
	for _, i := range v.Ingress {
		all = append(all, i.BalancerSpec)
	}
	return append(all, v.ByHand...)
}

// blueGreen reports whether the tasks of a service are in one of two target groups.
func (v ServiceSpec) blueGreen() bool {
	return v.Alternate != "" || slices.ContainsFunc(v.Balancers, func(x BalancerSpec) bool { return x.Alternate != "" }) ||
		slices.ContainsFunc(v.Ingress, func(i IngressSpec) bool { return i.Alternate != "" })
}

func (t TaskSetSpec) balancers() []BalancerSpec {
	if t.TargetGroup != "" {
		return append([]BalancerSpec{{TargetGroup: t.TargetGroup}}, t.Balancers...)
	}
	return t.Balancers
}

func (b *builder) balancers(def ecs.TaskDefinition, all []BalancerSpec) ([]ecs.ServiceTargetGroup, error) {
	var entries []ecs.ServiceTargetGroup
	for _, x := range all {
		entry, err := b.balancer(def, x)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// balancer is one load balancer entry, with the container and the port that a task is registered with.
func (b *builder) balancer(def ecs.TaskDefinition, x BalancerSpec) (entry ecs.ServiceTargetGroup, err error) {
	ports := def.PortMappings()
	if len(ports) == 0 {
		return entry, fmt.Errorf("it has a target group, but its task definition %q has no port; give it one", def.Family)
	}
	if entry.Container, entry.Port = x.Container, x.Port; entry.Container == "" {
		entry.Container = def.Family
	}
	i := slices.IndexFunc(ports, func(p ecs.Port) bool {
		owner := p.Container
		if owner == "" {
			owner = def.Family
		}
		return owner == entry.Container && !p.UDP && (p.Port == x.Port || x.Port == 0)
	})
	if i < 0 {
		return entry, fmt.Errorf("its target group %q wants port %d of the container %q, which task definition %q does not have; add it to ports",
			x.TargetGroup, x.Port, entry.Container, def.Family)
	}
	entry.Port = ports[i].Port
	if entry.ARN, err = b.fitting(def, x.TargetGroup); err == nil && x.Alternate != "" {
		entry.Alternate, err = b.fitting(def, x.Alternate)
	}
	return entry, err
}

// fitting is the ARN of a target group for the tasks of a definition.
func (b *builder) fitting(def ecs.TaskDefinition, name string) (string, error) {
	arn, ok := b.targetGroups[name]
	if !ok {
		return "", fmt.Errorf("there is no target group %q; add it to target_groups", name)
	}
	groups, err := b.w.DescribeTargetGroups([]string{arn}, nil)
	if err != nil {
		return "", err
	}
	if ip := groups[0].Type == "ip"; ip != def.OwnAddress() {
		return "", fmt.Errorf("target group %q does not fit: tasks with network awsvpc need type ip, all others type instance", name)
	}
	return arn, nil
}

// usedByAWSVPC reports whether a service or task set with tasks of network awsvpc uses the target group.
func (s Spec) usedByAWSVPC(targetGroup string) bool {
	awsvpc := func(family string, all ...BalancerSpec) bool {
		return slices.ContainsFunc(all, func(x BalancerSpec) bool { return x.TargetGroup == targetGroup || x.Alternate == targetGroup }) &&
			slices.ContainsFunc(s.TaskDefinitions, func(d ecs.TaskDefinition) bool { return d.Family == family && d.OwnAddress() })
	}
	return slices.ContainsFunc(s.Services, func(v ServiceSpec) bool {
		all := slices.Concat(v.Balancers, v.ByHand, []BalancerSpec{{TargetGroup: v.TargetGroup, Alternate: v.Alternate}})
		for _, i := range v.Ingress {
			all = append(all, i.BalancerSpec)
		}
		return awsvpc(v.Task, all...) ||
			slices.ContainsFunc(v.TaskSets, func(t TaskSetSpec) bool { return awsvpc(t.Task, t.balancers()...) })
	})
}
