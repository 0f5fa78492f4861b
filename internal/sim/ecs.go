package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// cluster is an ECS cluster at work.
type cluster struct {
	Cluster
	machines []*containerInstance // not INACTIVE, in order of registration
	inactive []*containerInstance
	services []*service
	tasks    []*task // in order of creation
}

// containerInstance is a container instance at work.
type containerInstance struct {
	ContainerInstance
	c     *cluster
	h     *host
	tasks []*task // not STOPPED
	held  []func()
	port  int // the last dynamic host port
	trail core.Trail

	number int // of its registration in the cluster
	idle   int // rises with every task that comes or goes
}

// ReservedPorts lists the host ports that are taken on every container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func ReservedPorts() []int { return []int{22, 2375, 2376, 51678, 51679} }

// AddCluster makes a cluster, or returns the one of that name, as a copy.
func (w *World) AddCluster(name string) *Cluster {
	c := w.cluster[name]
	if c == nil {
		c = &cluster{Cluster: Cluster{Name: name, ARN: w.ARN("ecs", "cluster/"+name)}}
		w.clusters = append(w.clusters, c)
		w.cluster[name] = c
	}
	copied := c.Cluster
	return &copied
}

// findCluster returns the cluster of a short name or ARN; empty is "default".
func (w *World) findCluster(id string) (*cluster, error) {
	if id == "" {
		id = "default"
	}
	if c := w.cluster[core.LastPart(id)]; c != nil && (id == c.Name || id == c.ARN) {
		return c, nil
	}
	return nil, core.Refuse("ClusterNotFoundException", "Cluster not found.")
}

// ListClusters answers with all cluster ARNs.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
func (w *World) ListClusters() []string {
	arns := make([]string, len(w.clusters))
	for i, c := range w.clusters {
		arns[i] = c.ARN
	}
	return arns
}

// DescribeClusters answers for short names or ARNs; none means "default".
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (w *World) DescribeClusters(ids []string) ([]Cluster, []Failure) {
	if len(ids) == 0 {
		ids = []string{"default"}
	}
	var found []Cluster
	var failures []Failure
	for _, id := range ids {
		if c, err := w.findCluster(id); err == nil {
			seen := c.Cluster
			seen.Providers, seen.DefaultStrategy = slices.Clone(c.Providers), slices.Clone(c.DefaultStrategy)
			found = append(found, seen)
			continue
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "cluster/"), Reason: "MISSING"})
	}
	return found, failures
}

// fullARN completes a short id of ECS to an ARN.
func (w *World) fullARN(id, prefix string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ARN("ecs", prefix+id)
}

// register makes a host a container instance of its cluster.
func (w *World) register(h *host) {
	c := w.cluster[h.Host.Cluster]
	ci := &containerInstance{c: c, h: h, port: 32767, number: len(c.machines) + len(c.inactive), ContainerInstance: ContainerInstance{
		ARN: w.ARN("ecs", "container-instance/"+c.Name+"/"+w.Hex(32)), Cluster: c.Name, Instance: h.ID, Zone: h.Zone, Connected: true,
		CPU: h.Host.CPU, Memory: h.Host.Memory, FreeCPU: h.Host.CPU, FreeMemory: h.Host.Memory, Ports: ReservedPorts(), RegisteredAt: w.Now(),
		Attributes: builtIn(h), GPUs: gpus(h), FreeGPUs: gpus(h), Interfaces: h.Host.Interfaces, AgentVersion: h.Host.AgentVersion,
	}}
	if h.member != nil && h.member.g.provider != nil {
		ci.CapacityProvider = h.member.g.provider.Name
	}
	h.ci, h.ContainerInstance = ci, ci.ARN
	c.machines = append(c.machines, ci)
	w.machine[ci.ARN] = ci
	w.setMachine(ci, "ACTIVE")
	w.capacityChanged(c)
}

// setMachine moves a container instance to another status.
func (w *World) setMachine(ci *containerInstance, status string) {
	w.Log(core.Entry{Kind: core.EntryContainer, Cluster: ci.Cluster, ContainerInstance: ci.ARN, Instance: ci.Instance, Group: ci.h.Group, From: ci.Status, To: status})
	ci.Status = status
	w.machineChanged(ci)
}

func (w *World) setConnected(ci *containerInstance, connected bool) {
	if ci.Connected == connected || ci.Status == "INACTIVE" {
		return
	}
	ci.Connected = connected
	from, to := "connected", "disconnected"
	if connected {
		from, to = to, from
	}
	w.Log(core.Entry{Kind: core.EntryAgent, Cluster: ci.Cluster, ContainerInstance: ci.ARN, Instance: ci.Instance, Group: ci.h.Group, From: from, To: to})
	w.machineChanged(ci)
}

func (w *World) machineChanged(ci *containerInstance) {
	ci.Version++
	connected := ""
	if ci.Connected {
		connected = "connected"
	}
	ci.trail.Mark(w.Now(), ci.Status, connected)
	w.emitMachine(ci)
}

// setInactive deregisters a container instance. Its tasks are none of ECS's any more.
func (w *World) setInactive(ci *containerInstance) {
	if ci.Status == "INACTIVE" {
		return
	}
	ci.Connected, ci.InactiveAt = false, w.Now()
	w.setMachine(ci, "INACTIVE")
	ci.c.machines = slices.DeleteFunc(ci.c.machines, func(x *containerInstance) bool { return x == ci })
	ci.c.inactive = append(ci.c.inactive, ci)
	w.capacityChanged(ci.c)
}

// DisconnectAgent cuts the agent of a container instance (ARN or id) off; tasks there go on, but ECS neither hears of them nor
// reaches them.
func (w *World) DisconnectAgent(containerInstance string) {
	if ci := w.findMachineAnywhere(containerInstance); ci != nil {
		w.setConnected(ci, false)
	}
}

// ReconnectAgent lets the agent back, if its host still runs; what waited for it happens now.
func (w *World) ReconnectAgent(containerInstance string) {
	ci := w.findMachineAnywhere(containerInstance)
	if ci == nil || !ci.h.alive() || ci.Connected {
		return
	}
	w.setConnected(ci, true)
	held := ci.held
	ci.held = nil
	for _, f := range held {
		f()
	}
	w.capacityChanged(ci.c)
}

func (w *World) findMachineAnywhere(id string) *containerInstance {
	if ci := w.machine[id]; ci != nil {
		return ci
	}
	for _, c := range w.clusters {
		if ci := w.machine[w.ARN("ecs", "container-instance/"+c.Name+"/"+id)]; ci != nil {
			return ci
		}
	}
	return nil
}

// findMachine returns the container instance of an ARN or id in a cluster, or nil.
func (w *World) findMachine(c *cluster, id string) *containerInstance {
	ci := w.machine[id]
	if ci == nil {
		ci = w.machine[w.ARN("ecs", "container-instance/"+c.Name+"/"+id)]
	}
	if ci == nil || ci.c != c {
		return nil
	}
	return ci
}

// seeMachine copies a container instance as reads see it; false if it is not there. The counts are AWS's: by desired status
// RUNNING, so that tasks which are stopping count for nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerInstance.html
func (w *World) seeMachine(ci *containerInstance) (ContainerInstance, bool) {
	then := ci.trail.At(w.Then())
	if then.State == "" || ci.Status == "INACTIVE" && w.Now().Sub(ci.InactiveAt) > w.inactiveFor() {
		return ContainerInstance{}, false
	}
	seen := ci.ContainerInstance
	seen.Status, seen.Connected = then.State, then.Second == "connected"
	seen.Ports, seen.UDP = slices.Clone(ci.Ports), slices.Clone(ci.UDP)
	seen.GPUs, seen.FreeGPUs = slices.Clone(ci.GPUs), slices.Clone(ci.FreeGPUs)
	seen.Attributes = maps.Clone(ci.Attributes)
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
func (w *World) ListContainerInstances(cluster, status, filter string) ([]string, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	if status != "" && !slices.Contains([]string{"ACTIVE", "DRAINING", "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED"}, status) {
		return nil, core.Refuse("InvalidParameterException", "container instance status should be one of [REGISTERING, DEREGISTERING, REGISTRATION_FAILED, ACTIVE, DRAINING]")
	}
	match, err := parseFilter(filter)
	if err != nil {
		return nil, err
	}
	there := c.machines
	if w.Lagging() {
		there = slices.Concat(c.inactive, c.machines)
	}
	var arns []string
	for _, ci := range there {
		seen, ok := w.seeMachine(ci)
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
func (w *World) DescribeContainerInstances(cluster string, ids []string) ([]ContainerInstance, []Failure, error) {
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
		if ci := w.findMachine(c, id); ci != nil {
			if seen, ok := w.seeMachine(ci); ok {
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
func (w *World) UpdateContainerInstancesState(cluster string, ids []string, status string) ([]ContainerInstance, []Failure, error) {
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
		ci := w.findMachine(c, id)
		switch {
		case ci == nil:
			failures = append(failures, Failure{ARN: w.fullARN(id, "container-instance/"+c.Name+"/"), Reason: "MISSING"})
			continue
		case ci.Status == "INACTIVE":
			failures = append(failures, Failure{ARN: ci.ARN, Reason: "INACTIVE"})
			continue
		case ci.Status != status:
			w.setMachine(ci, status)
			w.drainingChanged(ci)
		}
		seen, _ := w.seeFresh(ci)
		done = append(done, seen)
	}
	return done, failures, nil
}

// seeFresh is seeMachine without lag: what a write answers with.
func (w *World) seeFresh(ci *containerInstance) (seen ContainerInstance, ok bool) {
	w.Fresh(func() { seen, ok = w.seeMachine(ci) })
	return seen, ok
}

// drainingChanged is what the scheduler does as soon as an instance starts or ends to drain.
func (w *World) drainingChanged(ci *containerInstance) {
	if ci.Status == "ACTIVE" {
		w.capacityChanged(ci.c)
	}
	for _, s := range ci.c.services {
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
func (w *World) DeregisterContainerInstance(cluster, id string, force bool) (ContainerInstance, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return ContainerInstance{}, err
	}
	ci := w.findMachine(c, id)
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
func (w *World) capacityChanged(c *cluster) {
	for _, s := range c.services {
		if s.blocked {
			s.blocked, s.backoff, s.retryAt = false, 0, time.Time{}
			w.checkSoon(s, time.Second)
		}
		if s.Daemon {
			w.checkSoon(s, time.Second)
		}
	}
}
