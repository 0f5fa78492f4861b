package ecs

import (
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// task is an ECS task at work.
type task struct {
	Task
	c           *cluster
	at          place
	s           *service // nil: standalone
	def         *TaskDefinition
	targets     []core.Target
	byHand      []core.Target // what is registered without ECS
	w           *ECS
	interrupted bool          // Spot capacity is taken back
	retiring    bool          // its platform on Fargate is retired
	again       bool          // ECS is about to register it again
	alternate   bool          // it belongs to the alternate target groups of its service
	within      time.Duration // its processes are killed so long after SIGTERM, whatever their stop timeouts are
	freed       bool          // what it has counts as free
	waits       bool          // for what a task has that still stops
	turn        int           // rises when its course changes, so that what was scheduled before does not apply
	trail       core.Trail
}

// About is the task and where it is.
func (t *task) About() core.Entry {
	return core.Entry{Task: t.ARN, Service: t.Service, Cluster: t.Cluster, ContainerInstance: t.ContainerInstance, Instance: t.Instance}
}

// Answers reports whether the process of the task answers health checks.
func (t *task) Answers() bool { return t.Process }

// Forget takes a registration from the task.
func (t *task) Forget(target core.Target) {
	t.targets = slices.DeleteFunc(t.targets, func(x core.Target) bool { return x == target })
}

// live reports whether the task is meant to run.
func (t *task) live() bool { return t.DesiredStatus == "RUNNING" }

// protected reports whether scale-in protection is on, by a call or because the task has work that it protects.
func (w *ECS) protected(t *task) bool {
	return t.Protected && w.Now().Before(t.ProtectedUntil) || w.Work != nil && w.Work.Busy(t.ARN)
}

// newTask starts a task at a place.
func (w *ECS) newTask(c *cluster, at place, want wanted) *task {
	def, s := want.def, want.s
	containerInstance, instance, _ := at.host()
	t := &task{w: w, c: c, at: at, s: s, def: def, Task: Task{
		ARN: w.ARN("ecs", "task/"+c.Name+"/"+w.Hex(32)), Cluster: c.Name, ContainerInstance: containerInstance, Instance: instance,
		Definition: definitionID(def), Group: want.group, StartedBy: want.startedBy, DesiredStatus: "RUNNING", CPU: def.CPU, Memory: def.Memory,
		ContainerPort: def.Port, HealthCheck: def.HealthCheck, CreatedAt: w.Now(), LaunchType: at.launchType(), Zone: at.zone(),
	}}
	if len(def.Containers) > 0 {
		t.Containers = def.stops(at.stopTimeout())
	}
	if s != nil {
		t.Service, t.Daemon, t.alternate = s.Name, s.Daemon, s.InAlternate
		s.tasks = append(s.tasks, t)
	}
	if len(want.providers) > 0 {
		t.CapacityProvider = at.provider()
	}
	if def.Network == "awsvpc" {
		w.networks++
		t.IP = "10.1." + strconv.Itoa(w.networks/250) + "." + strconv.Itoa(w.networks%250+1)
		t.Subnet = subnetOf(at, s)
		if s != nil && s.IPv6 {
			t.IPv6 = "2600:1f18::" + strconv.FormatInt(int64(w.networks), 16)
		}
	}
	w.tasks[t.ARN] = t
	c.tasks = append(c.tasks, t)
	at.take(t)
	w.startTask(t)
	return t
}

func definitionID(def *TaskDefinition) string { return def.Family + ":" + strconv.Itoa(def.Revision) }

// setTask moves a task to another last status.
func (w *ECS) setTask(t *task, status, text string) {
	w.logTask(t, t.LastStatus, status, text)
	t.LastStatus = status
	t.clock(w.Now())
	w.taskChanged(t)
}

func (w *ECS) logTask(t *task, from, to, text string) {
	_, _, group := t.at.host()
	w.Log(core.Entry{
		Kind: core.EntryTask, Task: t.ARN, Cluster: t.Cluster, ContainerInstance: t.ContainerInstance, Instance: t.Instance, Group: group,
		Service: t.Service, Daemon: t.Daemon, From: from, To: to, Text: text,
	})
}

// taskChanged notes the state for lagging reads, and tells those who listen and the scheduler.
func (w *ECS) taskChanged(t *task) {
	w.changed(t, w.emitTask)
}

// changed is taskChanged with another way to tell.
func (w *ECS) changed(t *task, tell func(*task)) {
	t.Version++
	t.trail.Mark(w.Now(), t.LastStatus, t.DesiredStatus)
	tell(t)
	t.at.changed()
	if t.s != nil {
		w.checkSoon(t.s, time.Second)
	}
}

// step schedules the next change of a task, which does not happen if its course changes before. What the agent must do or
// report waits until the agent is connected.
func (w *ECS) step(t *task, d time.Duration, f func()) {
	turn := t.turn
	w.After(d, func() {
		if t.turn == turn {
			t.at.do(t, f)
		}
	})
}

// startTask takes a task from placement to RUNNING.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func (w *ECS) startTask(t *task) {
	first := "PENDING"
	if t.def.Network == "awsvpc" {
		first = "PROVISIONING"
		w.step(t, t.def.Start/4, func() { w.setTask(t, "PENDING", "") })
	}
	t.waits = w.overBooked(t)
	w.setTask(t, first, "")
	w.begin(t)
}

// overBooked reports whether what a task needs was given to it while another that stops still has it.
func (w *ECS) overBooked(t *task) bool {
	ci, ok := t.at.(*containerInstance)
	return ok && w.Switches.StoppingFree && ci.overBooked()
}

// begin lets the agent start a task, once those that stop have given back what it needs.
func (w *ECS) begin(t *task) {
	if t.waits = w.overBooked(t); t.waits {
		w.step(t, 2*time.Second, func() { w.begin(t) })
		return
	}
	w.step(t, t.def.Start/2, func() { w.setTask(t, "ACTIVATING", "") })
	w.step(t, t.def.Start, func() {
		if t.def.Fails {
			w.failTask(t)
			return
		}
		w.runTask(t)
	})
}

// runTask is the moment at which a task's containers run: its targets are registered.
func (w *ECS) runTask(t *task) {
	t.turn++
	t.StartedAt = w.Now()
	w.setTask(t, "RUNNING", "")
	if t.s != nil {
		w.registerTask(t)
		if len(t.targets) == 0 {
			w.step(t, healthyAfter, func() {
				t.Healthy = true
				w.checkSoon(t.s, 0)
			})
		}
	}
	w.startProcess(t)
}

// healthyAfter is how long the scheduler waits after RUNNING before it counts a task without health check and load balancer.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
const healthyAfter = 40 * time.Second

// TargetChanged follows the health of a task's targets; the last one gone lets a stop go on.
func (t *task) TargetChanged() {
	w := t.w
	if t.LastStatus == "RUNNING" && t.live() {
		healthy := len(t.targets) > 0
		for _, target := range t.targets {
			healthy = healthy && target.Health() == "healthy"
		}
		if healthy != t.Healthy {
			t.Healthy = healthy
			w.checkSoon(t.s, 0)
		}
		w.registerAgain(t)
	}
	if t.LastStatus == "DEACTIVATING" && len(t.targets) == 0 && !t.interrupted {
		t.at.do(t, func() { w.stopping(t) })
	}
}

// stopTask begins to stop a task: its targets are deregistered and gone first, then it gets SIGTERM.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/load-balancer-connection-draining.html
func (w *ECS) stopTask(t *task, code, reason string) {
	if !t.live() || t.LastStatus == "STOPPED" {
		return
	}
	w.Changing()
	t.turn++
	t.DesiredStatus, t.StopCode, t.StoppedReason, t.StoppingAt, t.Healthy = "STOPPED", code, reason, w.Now(), false
	if ci, ok := t.at.(*containerInstance); ok && w.Switches.StoppingFree {
		ci.free(t)
	}
	if t.LastStatus != "RUNNING" {
		w.taskChanged(t)
		w.step(t, 0, func() { w.deprovision(t) })
		return
	}
	w.setTask(t, "DEACTIVATING", code)
	if w.Switches.SigtermFirst && t.Process {
		if t.LaunchType != onDemand { // there it is always told
			w.Log(core.Entry{Kind: core.EntryNote, Task: t.ARN, Cluster: t.Cluster, ContainerInstance: t.ContainerInstance, Instance: t.Instance,
				Service: t.Service, Text: core.NoteSIGTERM})
		}
		w.sigterm(t, forever)
	}
	w.deregister(t)
	if len(t.targets) == 0 {
		w.step(t, 0, func() { w.stopping(t) })
	}
}

// stopping is the moment of SIGTERM; the process exits, or is killed at the stop timeout.
func (w *ECS) stopping(t *task) {
	if t.LastStatus != "DEACTIVATING" {
		return
	}
	w.setTask(t, "STOPPING", t.StopCode)
	if !t.Process {
		w.step(t, 0, func() { w.deprovision(t) })
		return
	}
	if w.Switches.SigtermFirst {
		return // exit is under way
	}
	w.sigterm(t, forever)
}

// exit is the end of a task's process after SIGTERM, or after SIGKILL if it took too long.
func (w *ECS) exit(t *task, killed bool) {
	w.Changing()
	t.Process, t.Killed = false, killed
	t.unanswered()
	if killed {
		w.note(t, core.NoteSIGKILL)
	} else {
		w.note(t, core.NoteExited)
	}
	if t.interrupted {
		for _, target := range t.targets {
			target.Dies()
		}
	}
	if t.LastStatus == "STOPPING" {
		w.deprovision(t)
	}
}

// deprovision is the short last part of a stop.
func (w *ECS) deprovision(t *task) {
	w.Changing()
	t.Process = false
	t.unanswered()
	w.setTask(t, "DEPROVISIONING", killedText(t))
	w.step(t, w.Between(time.Second, 2*time.Second), func() { w.stopped(t) })
}

func killedText(t *task) string {
	if t.Killed {
		return t.StopCode + " killed"
	}
	return t.StopCode
}

// stopped is the end of a task. Targets that it still has are deregistered.
func (w *ECS) stopped(t *task) {
	t.turn++
	t.StoppedAt = w.Now()
	if t.s != nil {
		t.s.tasks = slices.DeleteFunc(t.s.tasks, func(x *task) bool { return x == t })
	}
	t.at.give(t)
	w.setTask(t, "STOPPED", killedText(t))
	w.deregister(t)
	w.capacityFreed(t)
}

// capacityFreed lets others use what a stopped task had: services without a place, and daemon tasks that wait to be the last.
func (w *ECS) capacityFreed(t *task) {
	w.capacityChanged(t.c)
	if t.at.status() != "DRAINING" {
		return
	}
	for _, other := range t.at.running() {
		if other.Daemon {
			w.checkSoon(other.s, 0)
		}
	}
}

// failTask is the end of a task that cannot start.
func (w *ECS) failTask(t *task) {
	t.turn++
	t.DesiredStatus, t.StopCode, t.StoppingAt = "STOPPED", "TaskFailedToStart", w.Now()
	t.StoppedReason = "CannotPullContainerError: pull image manifest has been retried 5 time(s): image not found"
	if t.s != nil {
		w.deploymentFailing(t)
		w.backOff(t.s)
	}
	w.deprovision(t)
}

// taskDies is the sudden end of a task's process with its host. ECS does not know yet.
func (w *ECS) taskDies(t *task) {
	t.turn++
	if !t.Process {
		return
	}
	w.killProcess(t)
	w.logTask(t, t.LastStatus, t.LastStatus, "killed: host gone")
	for _, target := range t.targets {
		target.Dies()
	}
	t.unanswered()
}

// taskLost is when ECS gives up a task whose host is gone.
func (w *ECS) taskLost(t *task, reason string) {
	if t.LastStatus == "STOPPED" {
		return
	}
	if t.live() {
		t.StoppingAt = w.Now()
	}
	t.DesiredStatus, t.StoppedReason, t.Healthy = "STOPPED", reason, false
	w.stopped(t)
}

// orphan lets ECS forget a task whose container instance was deregistered by force: the process goes on, its targets go.
func (w *ECS) orphan(t *task) {
	t.DesiredStatus, t.StoppedReason, t.StoppingAt, t.Healthy = "STOPPED", "Container instance deregistered by force; the containers still run.", w.Now(), false
	w.stopped(t)
}
