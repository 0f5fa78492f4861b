// Package ecs is Amazon ECS in a simulated cloud: clusters, container instances, tasks and services. Its scheduler places, replaces and stops tasks
// under minimum and maximum percent; managed draining and managed termination protection are part of it, managed scaling is shown only.
//
// It shares no code with Ebb's placement: each judges the other. It never runs a process: without a Runtime processes are modelled.
package ecs

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// ECS are the clusters of a world.
type ECS struct {
	*core.Core
	Others
	runtime   Runtime // nil: processes are modelled
	clusters  []*cluster
	providers []*CapacityProvider
	providing map[string]*CapacityProvider // by group
	cluster   map[string]*cluster
	instance  map[string]*containerInstance // by ARN
	on        map[string]*containerInstance // by EC2 instance
	tasks     map[string]*task              // by ARN
	families  map[string][]*TaskDefinition  // revisions in order
	networks  int                           // addresses given to awsvpc tasks
	runs      map[string][]string           // tasks by the client token of the RunTask that started them
}

// Others are the services that ECS needs.
type Others struct {
	Groups  Groups
	Targets Targets
	Bus     Bus
}

// Groups are the Auto Scaling groups of container instances, for capacity providers and managed draining.
type Groups interface {
	Launching(group string) (arn, cluster string, protectNew bool, err error)
	EnsureHook(group, name string, heartbeat time.Duration, result string)
	Waits(group, hook, token string) bool // whether the action of a hook is open
	RecordLifecycleActionHeartbeat(group, hook, token, instance string) error
	CompleteLifecycleAction(group, hook, token, instance, result string) error
	Protect(instance string, on bool)
	IsInService(instance string) bool
}

// Targets are the target groups of services.
type Targets interface {
	RegisterTask(targetGroup string, at core.Address, owner core.TargetOwner) core.Target // nil: there is no such target group
}

// Bus takes the events of ECS, and the rule that it makes.
type Bus interface {
	Wants(source, detailType string) bool
	Emit(about core.Entry, source, detailType string, resources []string, detail any)
	EnsureRule(name, pattern, managedBy string)
}

// New makes ECS without clusters.
func New(c *core.Core, others Others) *ECS {
	return &ECS{
		Core: c, Others: others, providing: map[string]*CapacityProvider{}, cluster: map[string]*cluster{}, instance: map[string]*containerInstance{},
		on: map[string]*containerInstance{}, tasks: map[string]*task{}, families: map[string][]*TaskDefinition{}, runs: map[string][]string{},
	}
}

// cluster is an ECS cluster at work.
type cluster struct {
	Cluster
	instances []*containerInstance // not INACTIVE, in order of registration
	inactive  []*containerInstance
	services  []*service
	tasks     []*task // in order of creation
}

// containerInstance is a container instance at work.
type containerInstance struct {
	ContainerInstance
	c     *cluster
	h     *core.Instance
	tasks []*task // not STOPPED
	held  []func()
	lost  bool // the agent was disconnected when its host went down
	port  int  // the last dynamic host port
	trail core.Trail

	number int // of its registration in the cluster
	idle   int // rises with every task that comes or goes
}

// ReservedPorts lists the host ports that are taken on every container instance.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func ReservedPorts() []int { return []int{22, 2375, 2376, 51678, 51679} }

// AddCluster makes a cluster, or returns the one of that name, as a copy.
func (w *ECS) AddCluster(name string) *Cluster {
	c := w.cluster[name]
	if c == nil {
		c = &cluster{Cluster: Cluster{Name: name, ARN: w.ARN("ecs", "cluster/"+name)}}
		w.clusters = append(w.clusters, c)
		w.cluster[name] = c
	}
	copied := c.Cluster
	return &copied
}

// EnsureCluster makes a cluster if there is none of that name.
func (w *ECS) EnsureCluster(name string) { w.AddCluster(name) }

// SetDefaultStrategy sets the capacity provider strategy of those that name neither a launch type nor a strategy.
func (w *ECS) SetDefaultStrategy(cluster string, strategy []StrategyItem) {
	w.cluster[cluster].DefaultStrategy = strategy
}

// findCluster returns the cluster of a short name or ARN; empty is "default".
func (w *ECS) findCluster(id string) (*cluster, error) {
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
func (w *ECS) ListClusters() []string {
	arns := make([]string, len(w.clusters))
	for i, c := range w.clusters {
		arns[i] = c.ARN
	}
	return arns
}

// DescribeClusters answers for short names or ARNs; none means "default".
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (w *ECS) DescribeClusters(ids []string) ([]Cluster, []Failure) {
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
func (w *ECS) fullARN(id, prefix string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ARN("ecs", prefix+id)
}

// Register makes an instance a container instance of its cluster.
func (w *ECS) Register(h *core.Instance) {
	c := w.cluster[h.Host.Cluster]
	ci := &containerInstance{c: c, h: h, port: 32767, number: len(c.instances) + len(c.inactive), ContainerInstance: ContainerInstance{
		ARN: w.ARN("ecs", "container-instance/"+c.Name+"/"+w.Hex(32)), Cluster: c.Name, Instance: h.ID, Zone: h.Zone, Connected: true,
		CPU: h.Host.CPU, Memory: h.Host.Memory, FreeCPU: h.Host.CPU, FreeMemory: h.Host.Memory, Ports: ReservedPorts(), RegisteredAt: w.Now(),
		Attributes: builtIn(h), GPUs: gpus(h), FreeGPUs: gpus(h), Interfaces: h.Host.Interfaces, AgentVersion: h.Host.AgentVersion,
	}}
	if p := w.providing[h.Group]; p != nil {
		ci.CapacityProvider = p.Name
	}
	h.ContainerInstance = ci.ARN
	w.on[h.ID] = ci
	c.instances = append(c.instances, ci)
	w.instance[ci.ARN] = ci
	w.setInstance(ci, "ACTIVE")
	w.capacityChanged(c)
}

// DisconnectAgent cuts the agent of a container instance (ARN or id) off; tasks there go on, but ECS neither hears of them nor
// reaches them.
func (w *ECS) DisconnectAgent(containerInstance string) {
	if ci := w.findInstanceAnywhere(containerInstance); ci != nil {
		w.setConnected(ci, false)
	}
}

// ReconnectAgent lets the agent back, if its host still runs; what waited for it happens now.
func (w *ECS) ReconnectAgent(containerInstance string) {
	ci := w.findInstanceAnywhere(containerInstance)
	if ci == nil || !ci.h.Alive() || ci.Connected {
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

func (w *ECS) findInstanceAnywhere(id string) *containerInstance {
	if ci := w.instance[id]; ci != nil {
		return ci
	}
	for _, c := range w.clusters {
		if ci := w.instance[w.ARN("ecs", "container-instance/"+c.Name+"/"+id)]; ci != nil {
			return ci
		}
	}
	return nil
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
		return nil, core.Refuse("InvalidParameterException", "container instance status should be one of [REGISTERING, DEREGISTERING, REGISTRATION_FAILED, ACTIVE, DRAINING]")
	}
	match, err := parseFilter(filter)
	if err != nil {
		return nil, err
	}
	there := c.instances
	if w.Lagging() {
		there = slices.Concat(c.inactive, c.instances)
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
