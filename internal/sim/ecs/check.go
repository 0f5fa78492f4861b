package ecs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// CheckDefinition says what is wrong with a task definition.
func CheckDefinition(d TaskDefinition) error {
	switch d.Network {
	case "", "bridge", "host", "awsvpc":
	default:
		return fmt.Errorf("the network is %q; it must be bridge, host or awsvpc", d.Network)
	}
	if d.Reservation > d.Memory && d.Memory != 0 {
		return fmt.Errorf("the memory reservation %d is more than the memory %d; AWS wants the memory to be the larger", d.Reservation, d.Memory)
	}
	for _, c := range d.Constraints {
		if c.Type != "memberOf" {
			return fmt.Errorf("the placement constraint is of type %q; task definitions have memberOf only", c.Type)
		}
	}
	if err := checkContainers(d); err != nil {
		return err
	}
	if err := checkCompatible(d); err != nil {
		return err
	}
	for _, p := range d.Ports {
		if p.Container != "" && !d.hasContainer(p.Container) {
			return fmt.Errorf("a port belongs to the container %q, which is none of its containers", p.Container)
		}
	}
	return CheckPlacement(d.Constraints, nil)
}

// CheckPlacement refuses constraints and strategies that AWS does not know.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PlacementConstraint.html
func CheckPlacement(constraints []Constraint, strategy []PlacementStrategy) error {
	for _, c := range constraints {
		switch {
		case c.Type == "distinctInstance" && c.Expression == "":
		case c.Type == "memberOf" && c.Expression != "":
			if _, err := parseFilter(c.Expression); err != nil {
				return err
			}
		default:
			return core.Refuse("InvalidParameterException",
				"The placement constraint of type %q with the expression %q is not valid: use distinctInstance without, or memberOf with "+
					"one.", c.Type, c.Expression)
		}
	}
	for _, s := range strategy {
		attribute, ok := strings.CutPrefix(s.Field, "attribute:")
		switch {
		case s.Type == "random" && s.Field == "":
		case s.Type == "binpack" && slices.Contains([]string{"cpu", "memory"}, s.Field):
		case s.Type == "spread" && (s.Field == "instanceId" || s.Field == "host" || ok && attribute != ""):
		default:
			return core.Refuse("InvalidParameterException",
				"The placement strategy %q with the field %q is not valid: use spread by instanceId or attribute:NAME, binpack by cpu or "+
					"memory, or random.", s.Type, s.Field)
		}
	}
	return nil
}
