package ecs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Attribute is a custom or built-in attribute of a container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html
type Attribute struct {
	Name, Value string
	Target      string // the container instance: ARN or id
}

// builtIn are the attributes that ECS and its agent give an instance; there are more. An instance without a limit of network
// interfaces has a trunk.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
func builtIn(h *core.Instance) map[string]string {
	all := map[string]string{
		"ecs.availability-zone": h.Zone, "ecs.instance-type": h.Host.Type, "ecs.os-type": "linux", "ecs.cpu-architecture": "x86_64",
		"ecs.ami-id": "ami-0ebb", "ecs.vpc-id": core.DefaultVPC, "ecs.subnet-id": "subnet-" + h.Zone,
		"ecs.capability.task-eni": "", "com.amazonaws.ecs.capability.docker-remote-api.1.21": "",
	}
	if h.Host.Interfaces == 0 {
		all["ecs.awsvpc-trunk-id"] = "eni-" + strings.TrimPrefix(h.ID, "i-")
	}
	maps.Copy(all, h.Host.Attributes)
	return all
}

// gpus names the devices of an instance.
func gpus(h *core.Instance) []string {
	var all []string
	for i := range h.Host.GPU {
		all = append(all, "GPU-"+strings.TrimPrefix(h.ID, "i-")+"-"+strconv.Itoa(i))
	}
	return all
}

// PutAttributes sets up to 10 custom attributes of container instances.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
func (w *ECS) PutAttributes(cluster string, attributes []Attribute) error {
	return w.eachAttribute(cluster, attributes, func(ci *containerInstance, a Attribute) { ci.Attributes[a.Name] = a.Value })
}

// DeleteAttributes removes up to 10 custom attributes of container instances; the value does not matter.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAttributes.html
func (w *ECS) DeleteAttributes(cluster string, attributes []Attribute) error {
	return w.eachAttribute(cluster, attributes, func(ci *containerInstance, a Attribute) { delete(ci.Attributes, a.Name) })
}

func (w *ECS) eachAttribute(cluster string, attributes []Attribute, change func(*containerInstance, Attribute)) error {
	c, err := w.findCluster(cluster)
	if err != nil {
		return err
	}
	if n := len(attributes); n < 1 || n > 10 {
		return core.Refuse("InvalidParameterException", "Attributes must have 1 to 10 items, not %d.", n)
	}
	for _, a := range attributes {
		if ci := w.findInstance(c, a.Target); ci == nil || ci.Status == "INACTIVE" {
			return core.Refuse("TargetNotFoundException", "The specified target %s wasn't found.", a.Target)
		}
		if a.Name == "" || strings.HasPrefix(a.Name, "ecs.") {
			return core.Refuse("InvalidParameterException", "The attribute name %q cannot be changed: names that start with ecs. are reserved.", a.Name)
		}
	}
	for _, a := range attributes {
		ci := w.findInstance(c, a.Target)
		if !ci.attributesAt.Equal(w.Now()) {
			ci.attributesWas, ci.attributesAt = maps.Clone(ci.Attributes), w.Now()
		}
		change(ci, a)
		w.instanceChanged(ci)
	}
	w.capacityChanged(c)
	return nil
}

// ListAttributes answers with the attributes of all container instances; name and value (empty: any) narrow it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAttributes.html
func (w *ECS) ListAttributes(cluster, name, value string) ([]Attribute, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	var found []Attribute
	for _, ci := range c.instances {
		for _, key := range slices.Sorted(maps.Keys(ci.Attributes)) {
			if (name == "" || key == name) && (value == "" || ci.Attributes[key] == value) {
				found = append(found, Attribute{Name: key, Value: ci.Attributes[key], Target: ci.ARN})
			}
		}
	}
	return found, nil
}
