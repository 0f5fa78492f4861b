// Package ec2 is Amazon EC2 in a simulated cloud: instances and their states.
//
// It never knows why an instance is there: Auto Scaling launches it, and those who live on it are told what becomes of it.
package ec2

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// EC2 are the instances of a world.
type EC2 struct {
	*core.Core
	bus      Bus
	observer Observer
	hosts    []*core.Instance
	host     map[string]*core.Instance // by id

	warned, recommended map[string]bool       // Spot Instances that got notice, or a recommendation, by id
	requests            map[string]spotStatus // of the Spot Instances whose requests are not simply fulfilled, by id
	vpcs                []string
}

// Bus takes the events of EC2.
type Bus interface {
	Wants(source, detailType string) bool
	Emit(about core.Entry, source, detailType string, resources []string, detail any)
}

// Observer is told what becomes of instances, at once.
type Observer interface {
	Down(*core.Instance)        // everything on it is dead
	Stopping(*core.Instance)    // it was stopped, and is down
	Terminated(*core.Instance)  // EC2 has terminated it
	Ended(*core.Instance)       // somebody has stopped or terminated it directly
	Started(*core.Instance)     // it runs again after it was stopped
	Warned(*core.Instance)      // EC2 takes its Spot capacity back in two minutes
	Recommended(*core.Instance) // it is a Spot Instance at risk
	Replaced(*core.Instance)    // it restarts with a new root volume: everything on it is dead, and what was on the old volume is gone
}

// New makes EC2 without instances.
func New(c *core.Core, bus Bus, observer Observer) *EC2 {
	return &EC2{
		Core: c, bus: bus, observer: observer, host: map[string]*core.Instance{},
		warned: map[string]bool{}, recommended: map[string]bool{}, requests: map[string]spotStatus{}, vpcs: []string{core.DefaultVPC},
	}
}

// Find returns the instance of an id, or nil.
func (w *EC2) Find(id string) *core.Instance { return w.host[id] }

// Instances returns the live instances, in order of launch, terminated ones too.
func (w *EC2) Instances() []*core.Instance { return slices.Clone(w.hosts) }

// Launch makes an instance in state pending.
func (w *EC2) Launch(spec core.HostSpec, group, zone string) *core.Instance {
	n := len(w.hosts) + 1
	h := &core.Instance{
		ID: "i-0" + w.Hex(16), Zone: zone, State: "pending", Group: group, Host: spec,
		PrivateIP: "10.0." + strconv.Itoa(n/250) + "." + strconv.Itoa(n%250+1), LaunchedAt: w.Now(), Since: w.Now(),
	}
	w.hosts = append(w.hosts, h)
	w.host[h.ID] = h
	w.Log(core.Entry{Kind: core.EntryInstance, Instance: h.ID, Group: group, To: "pending"})
	return h
}

// setHost moves an instance to another EC2 state.
func (w *EC2) setHost(h *core.Instance, state string) {
	w.Log(core.Entry{Kind: core.EntryInstance, Instance: h.ID, Group: h.Group, ContainerInstance: h.ContainerInstance, From: h.State, To: state})
	h.State, h.Since = state, w.Now()
	w.emit(h)
}

// gone reports whether EC2 no longer describes the instance.
func (w *EC2) gone(h *core.Instance) bool {
	return h.State == "terminated" && w.Now().Sub(h.Since) > w.DescribableFor()
}

// DescribeInstances answers for the ids, or for all instances if there are none. One unknown id fails the whole call; a
// terminated instance stays for about an hour.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (w *EC2) DescribeInstances(ids []string) ([]core.Instance, error) {
	if len(ids) == 0 {
		var all []core.Instance
		for _, h := range w.hosts {
			if !w.gone(h) {
				all = append(all, *h)
			}
		}
		return all, nil
	}
	hosts, err := w.findHosts(ids)
	if err != nil {
		return nil, err
	}
	found := make([]core.Instance, len(hosts))
	for i, h := range hosts {
		found[i] = *h
	}
	return found, nil
}

// InstanceType is an EC2 instance type, as far as the world knows it.
type InstanceType struct {
	Name       string
	Interfaces int // network interfaces, the primary one included; 0: the world does not say
}

// DescribeInstanceTypes answers for the named types, or for all that instances have. The number of interfaces is what the first instance
// of the type says; that of m7i.large, which all instances are without another type, is AWS's. One unknown name fails the whole call.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
func (w *EC2) DescribeInstanceTypes(names []string) ([]InstanceType, error) {
	var known []InstanceType
	for _, h := range w.hosts {
		i := slices.IndexFunc(known, func(t InstanceType) bool { return t.Name == h.Host.Type })
		if i < 0 {
			known = append(known, InstanceType{Name: h.Host.Type})
			i = len(known) - 1
		}
		if known[i].Interfaces == 0 {
			known[i].Interfaces = h.Host.Interfaces
		}
	}
	for i := range known {
		if known[i].Name == "m7i.large" && known[i].Interfaces == 0 {
			known[i].Interfaces = 3
		}
	}
	if len(names) == 0 {
		return known, nil
	}
	var found []InstanceType
	var unknown []string
	for _, name := range names {
		i := slices.IndexFunc(known, func(t InstanceType) bool { return t.Name == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		found = append(found, known[i])
	}
	if len(unknown) > 0 {
		return nil, core.Refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	return found, nil
}

func (w *EC2) findHosts(ids []string) ([]*core.Instance, error) {
	var hosts []*core.Instance
	var unknown []string
	for _, id := range ids {
		if !core.IsInstanceID(id) {
			return nil, core.Refuse("InvalidInstanceID.Malformed", "Invalid id: %q", id)
		}
		h := w.host[id]
		if h == nil || w.gone(h) {
			unknown = append(unknown, id)
			continue
		}
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	switch len(unknown) {
	case 0:
		return hosts, nil
	case 1:
		return nil, core.Refuse("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", unknown[0])
	}
	return nil, core.Refuse("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", strings.Join(unknown, ", "))
}

// TerminateInstances ends instances directly. No lifecycle hook and no scale-in protection holds it: the processes die now and
// the group notices later.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
func (w *EC2) TerminateInstances(ids []string) error {
	hosts, err := w.findHosts(ids)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.State == "shutting-down" || h.State == "terminated" {
			continue
		}
		w.ShutDown(h)
		w.observer.Ended(h)
	}
	return nil
}

// StopInstances stops instances directly; hooks do not hold it. The container instance of a stopped instance stays ACTIVE.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
func (w *EC2) StopInstances(ids []string) error {
	hosts, err := w.findHosts(ids)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.State == "shutting-down" || h.State == "terminated" {
			return core.Refuse("IncorrectInstanceState", "This instance '%s' is not in a state from which it can be stopped.", h.ID)
		}
	}
	for _, h := range hosts {
		if !h.Alive() {
			continue
		}
		w.stop(h)
	}
	return nil
}

// stop stops an instance that runs.
func (w *EC2) stop(h *core.Instance) {
	w.setHost(h, "stopping")
	w.observer.Down(h)
	w.After(w.Between(5*time.Second, 15*time.Second), func() {
		if h.State == "stopping" {
			w.setHost(h, "stopped")
		}
	})
	w.observer.Stopping(h)
	w.observer.Ended(h)
}

// StartInstances starts instances that are stopped.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
func (w *EC2) StartInstances(ids []string) error {
	hosts, err := w.findHosts(ids)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if !h.Alive() && h.State != "stopped" {
			return core.Refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be started.", h.ID)
		}
	}
	for _, h := range hosts {
		if h.State != "stopped" {
			continue
		}
		w.setHost(h, "pending")
		w.After(h.Host.Boot, func() {
			if h.State == "pending" {
				delete(w.requests, h.ID)
				w.setHost(h, "running")
				w.observer.Started(h)
			}
		})
	}
	return nil
}

// NewRootVolume restarts an instance with a new root volume. All the while EC2 says that it runs.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html
func (w *EC2) NewRootVolume(h *core.Instance) {
	w.Log(core.Entry{Kind: core.EntryNote, Instance: h.ID, Group: h.Group, ContainerInstance: h.ContainerInstance,
		Text: "restarts with a new root volume"})
	w.observer.Replaced(h)
}

// Run is the end of a boot.
func (w *EC2) Run(h *core.Instance) { w.setHost(h, "running") }

// ShutDown starts the termination of an instance, however it came about.
func (w *EC2) ShutDown(h *core.Instance) {
	wasAlive := h.Alive()
	w.setHost(h, "shutting-down")
	if wasAlive {
		w.observer.Down(h)
	}
	w.After(w.Between(5*time.Second, 15*time.Second), func() {
		w.setHost(h, "terminated")
		w.observer.Terminated(h)
	})
}

// emit tells EventBridge about a new state of an instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
func (w *EC2) emit(h *core.Instance) {
	w.tell("EC2 Instance State-change Notification", w.ARN("ec2", "instance/"+h.ID), map[string]any{"instance-id": h.ID, "state": h.State})
}
