package ecs

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// containerInstance is a container instance at work.
type containerInstance struct {
	ContainerInstance
	w     *ECS
	c     *cluster
	h     *core.Instance
	tasks []*task // not STOPPED
	held  []func()
	lost  bool // the agent was disconnected when its host went down
	alone bool // no agent speaks for it any more: the one that did has registered the instance anew
	port  int  // the last dynamic host port
	trail core.Trail

	attributesAt  time.Time         // when its attributes last changed
	attributesWas map[string]string // before that, for reads that lag

	number int // of its registration in the cluster
	idle   int // rises with every task that comes or goes
}

// ReservedPorts lists the host ports that are taken on every container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func ReservedPorts() []int { return []int{22, 2375, 2376, 51678, 51679} }

// Register makes an instance a container instance of its cluster. What it was before stays as it is.
func (w *ECS) Register(h *core.Instance) { w.register(h, w.cluster[h.Host.Cluster]) }

func (w *ECS) register(h *core.Instance, c *cluster) *containerInstance {
	ci := &containerInstance{w: w, c: c, h: h, port: 32767, number: len(c.instances) + len(c.inactive), ContainerInstance: ContainerInstance{
		ARN: w.ARN("ecs", "container-instance/"+c.Name+"/"+w.Hex(32)), Cluster: c.Name, Instance: h.ID, Zone: h.Zone, Connected: true,
		CPU: h.Host.CPU, Memory: h.Host.Memory, FreeCPU: h.Host.CPU, FreeMemory: h.Host.Memory, Ports: ReservedPorts(), RegisteredAt: w.Now(),
		Attributes: builtIn(h), GPUs: gpus(h), FreeGPUs: gpus(h), Interfaces: h.Host.Interfaces, AgentVersion: h.Host.AgentVersion,
	}}
	if p := w.providing[h.Group]; p != nil && slices.Contains(c.Providers, p.Name) {
		ci.CapacityProvider = p.Name
	}
	if before := w.newest(h.ID); before != nil {
		ci.port = before.port // its containers still have the ports
	}
	h.ContainerInstance = ci.ARN
	w.on[h.ID] = append(w.on[h.ID], ci)
	c.instances = append(c.instances, ci)
	w.instance[ci.ARN] = ci
	w.setInstance(ci, "ACTIVE")
	w.capacityChanged(c)
	return ci
}

// findInstance returns the container instance of an ARN or id in a cluster, or nil.
func (w *ECS) findInstance(c *cluster, id string) *containerInstance {
	ci := w.instance[id]
	if ci == nil {
		ci = w.instance[w.ARN("ecs", "container-instance/"+c.Name+"/"+id)]
	}
	if ci == nil || ci.c != c {
		return nil
	}
	return ci
}

// seeInstance copies a container instance as reads see it; false if it is not there. The counts are AWS's: by desired status
// RUNNING, so that tasks which are stopping count for nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
func (w *ECS) seeInstance(ci *containerInstance) (ContainerInstance, bool) {
	then := ci.trail.At(w.Then())
	if then.State == "" || ci.Status == "INACTIVE" && w.Now().Sub(ci.InactiveAt) > w.DescribableFor() {
		return ContainerInstance{}, false
	}
	seen := ci.ContainerInstance
	seen.Status, seen.Connected = then.State, then.Second == "connected"
	seen.Ports, seen.UDP = slices.Clone(ci.Ports), slices.Clone(ci.UDP)
	seen.GPUs, seen.FreeGPUs = slices.Clone(ci.GPUs), slices.Clone(ci.FreeGPUs)
	seen.Attributes = maps.Clone(ci.Attributes)
	if w.Then().Before(ci.attributesAt) {
		seen.Attributes = maps.Clone(ci.attributesWas)
	}
	for _, t := range ci.tasks {
		if now := t.trail.At(w.Then()); now.Second == "RUNNING" {
			if now.State == "RUNNING" {
				seen.Running++
			} else {
				seen.Pending++
			}
		}
	}
	return seen, true
}

// ListContainerInstances answers with ARNs; an empty status is every one but INACTIVE. The filter is in the cluster query
// language.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html
func (w *ECS) ListContainerInstances(cluster, status, filter string) ([]string, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	if status != "" && !slices.Contains([]string{"ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED"}, status) {
		return nil, core.Refuse("InvalidParameterException",
			"container instance status should be one of [REGISTERING, DEREGISTERING, REGISTRATION_FAILED, ACTIVE, DRAINING]")
	}
	match, err := parseFilter(filter)
	if err != nil {
		return nil, err
	}
	there := c.instances
	if w.Lagging() {
		there = slices.Concat(c.inactive, c.instances)
	}
	if w.Switches.NewestFirst {
		there = slices.Clone(there)
		slices.Reverse(there)
	}
	var arns []string
	for _, ci := range there {
		seen, ok := w.seeInstance(ci)
		if !ok || seen.Status == "INACTIVE" || status != "" && seen.Status != status {
			continue
		}
		if match(&subject{seen, ci}) {
			arns = append(arns, ci.ARN)
		}
	}
	return arns, nil
}

// DescribeContainerInstances answers for up to 100 ARNs or ids; unknown ones are failures with the reason MISSING.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html
func (w *ECS) DescribeContainerInstances(cluster string, ids []string) ([]ContainerInstance, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch("Container instances", ids, 100); err != nil {
		return nil, nil, err
	}
	var found []ContainerInstance
	var failures []Failure
	for _, id := range ids {
		if ci := w.findInstance(c, id); ci != nil {
			if seen, ok := w.seeInstance(ci); ok {
				found = append(found, seen)
				continue
			}
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "container-instance/"+c.Name+"/"), Reason: "MISSING"})
	}
	return found, failures, nil
}

func checkBatch(what string, ids []string, most int) error {
	switch {
	case len(ids) == 0:
		return core.Refuse("InvalidParameterException", "%s cannot be empty.", what)
	case len(ids) > most:
		return core.Refuse("InvalidParameterException", "%s can have at most %d items.", what, most)
	}
	return nil
}

// UpdateContainerInstancesState sets up to 10 container instances ACTIVE or DRAINING. DRAINING stops the pending service tasks at
// once and lets the services replace the running ones; standalone tasks are not touched.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html
func (w *ECS) UpdateContainerInstancesState(cluster string, ids []string, status string) ([]ContainerInstance, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch("instanceIds", ids, 10); err != nil {
		return nil, nil, err
	}
	if status != "ACTIVE" && status != "DRAINING" {
		return nil, nil, core.Refuse("InvalidParameterException", "Container instance status should be one of [ACTIVE, DRAINING].")
	}
	var done []ContainerInstance
	var failures []Failure
	for _, id := range ids {
		ci := w.findInstance(c, id)
		switch {
		case ci == nil:
			failures = append(failures, Failure{ARN: w.fullARN(id, "container-instance/"+c.Name+"/"), Reason: "MISSING"})
			continue
		case ci.Status == "INACTIVE":
			failures = append(failures, Failure{ARN: ci.ARN, Reason: "INACTIVE"})
			continue
		case ci.Status != status:
			w.setInstance(ci, status)
			w.drainingChanged(ci)
		}
		seen, _ := w.seeFresh(ci)
		done = append(done, seen)
	}
	return done, failures, nil
}

// seeFresh is seeInstance without lag: what a write answers with.
func (w *ECS) seeFresh(ci *containerInstance) (seen ContainerInstance, ok bool) {
	w.Fresh(func() { seen, ok = w.seeInstance(ci) })
	return seen, ok
}

// drainingChanged is what the scheduler does as soon as an instance starts or ends to drain.
func (w *ECS) drainingChanged(ci *containerInstance) {
	if ci.Status == "ACTIVE" {
		w.capacityChanged(ci.c)
	}
	for _, s := range ci.c.scheduled {
		if s.Daemon {
			w.checkSoon(s, 0)
		}
	}
	for _, t := range slices.Clone(ci.tasks) {
		if t.s == nil {
			continue
		}
		w.checkSoon(t.s, 0)
		if ci.Status == "DRAINING" && t.DesiredStatus == "RUNNING" && t.LastStatus != "RUNNING" && !t.Daemon {
			w.stopTask(t, "ServiceSchedulerInitiated", "Task stopped during instance draining")
		}
	}
}

// DeregisterContainerInstance takes a container instance out of its cluster; with running tasks it needs force, and the tasks go on
// unseen.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func (w *ECS) DeregisterContainerInstance(cluster, id string, force bool) (ContainerInstance, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return ContainerInstance{}, err
	}
	ci := w.findInstance(c, id)
	if ci == nil || ci.Status == "INACTIVE" {
		return ContainerInstance{}, core.Refuse("InvalidParameterException", "Referenced container instance %s not found.", id)
	}
	for _, t := range ci.tasks {
		if t.DesiredStatus == "RUNNING" && !force {
			return ContainerInstance{}, core.Refuse("InvalidParameterException", "Found running tasks on the instance.")
		}
	}
	for _, t := range slices.Clone(ci.tasks) {
		w.orphan(t)
	}
	w.setInactive(ci)
	seen, _ := w.seeFresh(ci)
	return seen, nil
}

// capacityChanged lets services try again that found no place, and daemon services look at the instances.
func (w *ECS) capacityChanged(c *cluster) {
	for _, s := range c.scheduled {
		if s.blocked && !s.onFargate() {
			s.blocked, s.backoff, s.retryAt = false, 0, time.Time{}
			w.checkSoon(s, time.Second)
		}
		if s.Daemon {
			w.checkSoon(s, time.Second)
		}
	}
}
