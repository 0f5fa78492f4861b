package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// forFargate fills what a task definition for Fargate leaves out.
func (d *TaskDefinition) forFargate() {
	d.TaskSize = true
	if d.Network == "" {
		d.Network = "awsvpc"
	}
	if d.CPU == 0 {
		d.CPU = 256
	}
	if d.Memory == 0 {
		d.Memory = 512
	}
}

// fargateSizes are the amounts of memory, in MiB, that go with so many CPU units: from, to, and the step between.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
var fargateSizes = map[int][3]int{
	512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
	8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

func isFargateSize(cpu, memory int) bool {
	if cpu == 256 {
		return memory == 512 || memory == 1024 || memory == 2048
	}
	s, ok := fargateSizes[cpu]
	return ok && memory >= s[0] && memory <= s[1] && memory%s[2] == 0
}

// The stop timeouts that Fargate allows.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const (
	leastStop = 2 * time.Second
	mostStop  = 120 * time.Second
)

// fitsFargate says why a task definition cannot run on Fargate, as RegisterTaskDefinition refuses it.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func (d *TaskDefinition) fitsFargate() error {
	switch {
	case d.Network != "awsvpc":
		return core.Refuse("ClientException", "Fargate only supports network mode 'awsvpc'.")
	case !d.TaskSize:
		return core.Refuse("ClientException", "Fargate requires that 'cpu' be defined at the task level.")
	case !isFargateSize(d.CPU, d.Memory):
		return core.Refuse("ClientException", "No Fargate configuration exists for given values: %d CPU, %d memory.", d.CPU, d.Memory)
	case d.GPU > 0:
		return core.Refuse("ClientException", "GPUs are not supported on Fargate.")
	case len(d.Constraints) > 0:
		return core.Refuse("ClientException", "Placement constraints are not supported for tasks on Fargate.")
	}
	for _, c := range d.all() {
		if c.Stop != 0 && (c.Stop < leastStop || c.Stop > mostStop) {
			return core.Refuse("ClientException", "The stop timeout of container %s is %v: the valid values for Fargate are 2-120 seconds.",
				c.Name, c.Stop)
		}
	}
	for _, p := range d.PortMappings() {
		if p.HostPort != p.Port {
			return core.Refuse("ClientException", "When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
		}
	}
	return nil
}

// checkCompatible says what is wrong with a task definition that names what it is compatible with.
func checkCompatible(d TaskDefinition) error {
	for _, name := range d.Compatible {
		if name != "EC2" && name != onDemand {
			return core.Refuse("ClientException", "The compatibility %q must be EC2 or FARGATE.", name)
		}
	}
	if !slices.Contains(d.Compatible, onDemand) {
		return nil
	}
	d.forFargate()
	d.AgentStop = d.Stop == 0
	return d.fitsFargate()
}

// checkFargate says why tasks of a definition cannot be run on Fargate in this way.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func (w *ECS) checkFargate(def *TaskDefinition, constraints []Constraint, placement []PlacementStrategy, subnets []string) error {
	const code = "InvalidParameterException"
	switch {
	case def.fitsFargate() != nil:
		return core.Refuse(code, "Task definition does not support launch_type FARGATE.")
	case len(constraints) > 0:
		return core.Refuse(code, "Placement constraints are not supported with FARGATE launch type.")
	case len(placement) > 0:
		return core.Refuse(code, "Placement strategies are not supported with FARGATE launch type.")
	}
	for _, id := range subnets {
		if w.Subnets.ZoneOf(id) == "" {
			return core.Refuse(code, "The subnet ID '%s' does not exist", id)
		}
	}
	return nil
}

// CheckService says why a service cannot be made: its strategy, its placement, or what Fargate does not allow.
func (w *ECS) CheckService(spec Service) error {
	c, err := w.findCluster(spec.Cluster)
	if err != nil {
		return err
	}
	s := &service{Service: spec, c: c}
	if s.def, err = w.findDefinition(spec.Definition); err != nil {
		return err
	}
	if s.Providers, err = w.strategyFor(c, s.Providers, s.LaunchType); err != nil {
		return err
	}
	return w.checkServed(s)
}

// checkServed is CheckService once the strategy is known.
func (w *ECS) checkServed(s *service) error {
	if s.LaunchType != "" && s.LaunchType != "EC2" && s.LaunchType != onDemand {
		return core.Refuse("InvalidParameterException", "The launch type %q must be EC2 or FARGATE.", s.LaunchType)
	}
	if err := CheckPlacement(s.Constraints, s.Placement); err != nil || !s.onFargate() {
		return err
	}
	if s.Daemon {
		return core.Refuse("InvalidParameterException", "Tasks on Fargate do not support the DAEMON scheduling strategy.")
	}
	for _, set := range s.TaskSets {
		def, err := w.findDefinition(set.Definition)
		if err != nil {
			return err
		}
		if err := w.checkFargate(def, nil, nil, nil); err != nil {
			return err
		}
	}
	return w.checkFargate(s.def, s.Constraints, s.Placement, s.Subnets)
}
