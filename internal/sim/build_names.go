package sim

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/servicediscovery"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// names makes the services of Cloud Map and the target groups of VPC Lattice.
func (b *builder) names(s Spec) error {
	for _, r := range s.Registries {
		b.registries[r.Name] = b.w.AddRegistry(servicediscovery.Service{Name: r.Name, Namespace: r.Namespace, TTL: r.TTL, SRV: r.SRV})
	}
	for _, g := range s.Lattice {
		if g.Type != "" && g.Type != "IP" && g.Type != "INSTANCE" {
			return fmt.Errorf("lattice %q: the type is %q; it must be IP or INSTANCE", g.Name, g.Type)
		}
		b.w.AddVPC(g.VPC)
		b.lattice[g.Name] = b.w.AddLatticeGroup(vpclattice.TargetGroup{
			Name: g.Name, Type: g.Type, VPC: g.VPC, Port: g.Port, Delay: g.Delay, Check: g.Check,
		})
	}
	return nil
}

// named are the services of Cloud Map in which the tasks of a service are registered.
func (b *builder) named(def ecs.TaskDefinition, all []NamedSpec) ([]ecs.ServiceTargetGroup, error) {
	var entries []ecs.ServiceTargetGroup
	for _, x := range all {
		entry := ecs.ServiceTargetGroup{}
		if x.Port != 0 || def.Network != "awsvpc" {
			var err error
			if entry, err = containerPort(def, BalancerSpec{TargetGroup: x.Registry, Container: x.Container, Port: x.Port}); err != nil {
				return nil, err
			}
		}
		arn, ok := b.registries[x.Registry]
		if !ok {
			return nil, fmt.Errorf("there is no registry %q; add it to registries", x.Registry)
		}
		entry.ARN = arn
		entries = append(entries, entry)
	}
	return entries, nil
}

// latticed are the target groups of VPC Lattice in which the tasks of a service are registered.
func (b *builder) latticed(def ecs.TaskDefinition, all []BalancerSpec) ([]ecs.ServiceTargetGroup, error) {
	var entries []ecs.ServiceTargetGroup
	for _, x := range all {
		entry, err := containerPort(def, x)
		if err != nil {
			return nil, err
		}
		if entry.ARN, err = b.lattices(def, x.TargetGroup); err == nil && x.Alternate != "" {
			entry.Alternate, err = b.lattices(def, x.Alternate)
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// lattices is the ARN of a target group of VPC Lattice for the tasks of a definition.
func (b *builder) lattices(def ecs.TaskDefinition, name string) (string, error) {
	g, ok := b.lattice[name]
	switch {
	case !ok:
		return "", fmt.Errorf("there is no target group %q; add it to lattice", name)
	case (g.Type == "IP") != (def.Network == "awsvpc"):
		return "", fmt.Errorf("target group %q does not fit: tasks with network awsvpc need type IP, all others type INSTANCE", name)
	}
	return g.ARN, nil
}
