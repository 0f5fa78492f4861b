package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// host is an EC2 instance and what lives on it.
type host struct {
	Instance
	member    *groupInstance
	ci        *containerInstance
	connected bool // whether the agent was connected when the host went down
}

// alive reports whether processes on the host run.
func (h *host) alive() bool { return h.State == "pending" || h.State == "running" }

// newHost makes an instance in state pending.
func (w *World) newHost(spec HostSpec, group, zone string) *host {
	n := len(w.hosts) + 1
	h := &host{Instance: Instance{
		ID: "i-0" + w.Hex(16), Zone: zone, State: "pending", Group: group, Host: spec,
		PrivateIP: "10.0." + strconv.Itoa(n/250) + "." + strconv.Itoa(n%250+1), LaunchedAt: w.Now(), Since: w.Now(),
	}}
	w.hosts = append(w.hosts, h)
	w.host[h.ID] = h
	w.Log(core.Entry{Kind: core.EntryInstance, Instance: h.ID, Group: group, To: "pending"})
	return h
}

// setHost moves an instance to another EC2 state.
func (w *World) setHost(h *host, state string) {
	w.Log(core.Entry{Kind: core.EntryInstance, Instance: h.ID, Group: h.Group, ContainerInstance: h.ContainerInstance, From: h.State, To: state})
	h.State, h.Since = state, w.Now()
	w.emitInstance(h)
}

// gone reports whether EC2 no longer describes the instance.
func (w *World) gone(h *host) bool {
	return h.State == "terminated" && w.Now().Sub(h.Since) > w.inactiveFor()
}

func (w *World) inactiveFor() time.Duration {
	if w.Switches.InactiveFor > 0 {
		return w.Switches.InactiveFor
	}
	return time.Hour
}

// DescribeInstances answers for the ids, or for all instances if there are none. One unknown id fails the whole call; a
// terminated instance stays for about an hour.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func (w *World) DescribeInstances(ids []string) ([]Instance, error) {
	if len(ids) == 0 {
		var all []Instance
		for _, h := range w.hosts {
			if !w.gone(h) {
				all = append(all, h.Instance)
			}
		}
		return all, nil
	}
	hosts, err := w.findHosts(ids)
	if err != nil {
		return nil, err
	}
	found := make([]Instance, len(hosts))
	for i, h := range hosts {
		found[i] = h.Instance
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
func (w *World) DescribeInstanceTypes(names []string) ([]InstanceType, error) {
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

func (w *World) findHosts(ids []string) ([]*host, error) {
	var hosts []*host
	var unknown []string
	for _, id := range ids {
		if !strings.HasPrefix(id, "i-") {
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
func (w *World) TerminateInstances(ids []string) error {
	hosts, err := w.findHosts(ids)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.State == "shutting-down" || h.State == "terminated" {
			continue
		}
		w.shutDown(h)
		w.noticeLater(h)
	}
	return nil
}

// StopInstances stops instances directly; hooks do not hold it. The container instance of a stopped instance stays ACTIVE.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
func (w *World) StopInstances(ids []string) error {
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
		if !h.alive() {
			continue
		}
		w.setHost(h, "stopping")
		w.hostDown(h)
		h.connected = false // so that a later termination leaves a ghost
		w.After(w.Between(5*time.Second, 15*time.Second), func() {
			if h.State == "stopping" {
				w.setHost(h, "stopped")
			}
		})
		w.After(30*time.Second, func() { w.hostTasksStopped(h) })
		w.noticeLater(h)
	}
	return nil
}

// shutDown starts the termination of an instance in EC2, however it came about.
func (w *World) shutDown(h *host) {
	wasAlive := h.alive()
	w.setHost(h, "shutting-down")
	if wasAlive {
		w.hostDown(h)
	}
	w.After(w.Between(5*time.Second, 15*time.Second), func() {
		w.setHost(h, "terminated")
		w.hostTerminated(h)
	})
}

// hostDown is the moment at which everything on a host is dead.
func (w *World) hostDown(h *host) {
	w.targetsOfHostDie(h)
	ci := h.ci
	if ci == nil {
		return
	}
	h.connected = ci.Connected
	for _, t := range ci.tasks {
		w.taskDies(t)
	}
	w.After(w.Between(2*time.Second, 5*time.Second), func() {
		if !h.alive() {
			w.setConnected(ci, false)
		}
	})
}

// hostTerminated is what others make of an instance that EC2 has terminated: its group lets it go, and ECS deregisters its
// container instance, but only if the agent was connected when it went down; otherwise a ghost stays.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func (w *World) hostTerminated(h *host) {
	if h.member != nil && h.member.State == "Terminating:Proceed" {
		w.leave(h.member, "Successful")
	}
	if h.ci == nil {
		return
	}
	if h.connected {
		w.After(w.Between(2*time.Second, 20*time.Second), func() {
			w.hostTasksStopped(h)
			w.setInactive(h.ci)
		})
		return
	}
	w.After(ghostFor, func() { w.hostTasksStopped(h) })
}

// ghostFor is how long ECS takes the tasks of a dead host for running when it had lost the agent before.
const ghostFor = 15 * time.Minute

// hostTasksStopped is when ECS notices that the tasks of a dead host are dead.
func (w *World) hostTasksStopped(h *host) {
	if h.ci == nil || h.alive() {
		return
	}
	for _, t := range slices.Clone(h.ci.tasks) {
		w.taskLost(t, "Host EC2 (instance "+h.ID+") stopped/terminated.")
	}
}
