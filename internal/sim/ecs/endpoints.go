package ecs

import (
	"slices"
	"strconv"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The endpoints of a task: where it is registered, by ECS or by somebody else.

// registerTask registers a task with the target groups of its service: those that DescribeServices names, and those that ECS manages itself.
// What somebody registers by hand has it behind it too, but ECS knows nothing of that.
func (w *ECS) registerTask(t *task) {
	for _, entry := range t.s.TargetGroups {
		t.register(w, entry)
	}
	for _, ingress := range t.s.Ingress {
		t.register(w, ingress.ServiceTargetGroup)
	}
	for _, entry := range t.s.Lattice {
		if target := w.Lattice.RegisterTask(entry.groupOf(t.alternate), t.address(entry.Port), t); target != nil {
			t.targets = append(t.targets, target)
		}
	}
	w.nameTask(t)
	w.As(operator, func() {
		for _, entry := range t.s.ByHand {
			if target := w.Targets.RegisterTask(entry.ARN, t.address(entry.Port), byHand{t}); target != nil {
				t.byHand = append(t.byHand, target)
			}
		}
	})
}

// nameTask makes a task an instance of the services of Cloud Map of its service.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
func (w *ECS) nameTask(t *task) {
	for _, entry := range t.s.Names {
		at := t.address(entry.Port)
		if ci, ok := t.at.(*containerInstance); ok && at.IP == "" {
			at.IP, at.Port = ci.h.PrivateIP, at.HostPort
		}
		attributes := map[string]string{
			"AWS_INSTANCE_IPV4": at.IP, "AVAILABILITY_ZONE": t.at.zone(), "REGION": w.Region, "ECS_CLUSTER_NAME": t.c.Name,
			"ECS_SERVICE_NAME": t.Service, "ECS_TASK_DEFINITION_FAMILY": t.def.Family, "AWS_INIT_HEALTH_STATUS": "HEALTHY",
		}
		if entry.Port != 0 {
			attributes["AWS_INSTANCE_PORT"] = strconv.Itoa(at.Port)
		}
		w.Names.RegisterTask(entry.ARN, t.About(), at.IP, at.Port, attributes)
	}
}

// unnameTask takes a task out of Cloud Map. Nothing waits for clients that still know its address.
func (w *ECS) unnameTask(t *task) {
	if t.s == nil {
		return
	}
	for _, entry := range t.s.Names {
		w.Names.DeregisterTask(entry.ARN, t.ARN)
	}
}

// operator is who registers targets by hand, in the record.
const operator = "operator"

func (t *task) register(w *ECS, entry ServiceTargetGroup) {
	if target := w.Targets.RegisterTask(entry.groupOf(t.alternate), t.address(entry.Port), t); target != nil {
		t.targets = append(t.targets, target)
	}
}

// registerAgain is ECS that finds a running task not registered, or draining, in a target group of its service.
func (w *ECS) registerAgain(t *task) {
	out := func(target core.Target) bool { return target.Health() == "draining" }
	if w.Switches.RegistersAgain == 0 || t.again || t.s == nil || len(t.targets) == len(t.s.TargetGroups) && !slices.ContainsFunc(t.targets, out) {
		return
	}
	t.again = true
	w.step(t, w.Switches.RegistersAgain, func() {
		for _, entry := range t.s.TargetGroups {
			target := w.Targets.RegisterTask(entry.groupOf(t.alternate), t.address(entry.Port), t)
			if target != nil && !slices.Contains(t.targets, target) {
				t.targets = append(t.targets, target)
			}
		}
		t.again = false
		w.registerAgain(t)
	})
}

// address is where one of the ports of a task is reached; 0: its first one.
func (t *task) address(port int) core.Address {
	at := core.Address{Instance: t.Instance, HostPort: t.HostPort, IP: t.IP, IPv6: t.IPv6, Port: t.ContainerPort}
	if port == 0 || port == t.ContainerPort {
		return at
	}
	at.Port = port
	if i := slices.IndexFunc(t.Bindings, func(p Port) bool { return p.Port == port && !p.UDP }); i >= 0 {
		at.HostPort = t.Bindings[i].HostPort
	}
	return at
}

// unanswered is when nothing answers behind what was registered by hand any more: its health checks fail.
func (t *task) unanswered() {
	for _, target := range t.byHand {
		target.Dies()
	}
}

// byHand is a task as the owner of targets that somebody else than ECS has registered. It answers their health checks and nothing more.
type byHand struct{ t *task }

func (b byHand) About() core.Entry { return b.t.About() }
func (b byHand) Answers() bool     { return b.t.Process }
func (b byHand) TargetChanged()    {}
func (b byHand) Forget(target core.Target) {
	b.t.byHand = slices.DeleteFunc(b.t.byHand, func(x core.Target) bool { return x == target })
}

// subnetOf is the subnet of a task of a service, or of none: that of its host, or of its place on Fargate, in the VPC of the service.
func subnetOf(at place, s *service) string {
	if f, ok := at.(*fargate); ok {
		return f.subnet
	}
	vpc := ""
	if s != nil {
		vpc = s.VPC
	}
	if ci, ok := at.(*containerInstance); ok {
		vpc = ci.h.Host.VPC
	}
	return core.SubnetID(vpc, at.zone())
}
