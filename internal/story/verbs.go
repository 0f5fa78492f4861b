package story

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// verbs are what can happen in a story: one entry each, and what an operator would call it.
var verbs = map[string]func(*run, Step) error{
	"terminate":      terminate,
	"scale":          func(r *run, s Step) error { return r.w.SetDesiredCapacity(s.Group, s.Count) },
	"unhealthy":      func(r *run, s Step) error { return r.w.SetInstanceHealth(r.host(s.Host), "Unhealthy") },
	"ec2-terminate":  func(r *run, s Step) error { return r.w.TerminateInstances([]string{r.host(s.Host)}) },
	"ec2-stop":       func(r *run, s Step) error { return r.w.StopInstances([]string{r.host(s.Host)}) },
	"disconnect":     func(r *run, s Step) error { r.w.DisconnectAgent(r.container(s.Host)); return nil },
	"reconnect":      func(r *run, s Step) error { r.w.ReconnectAgent(r.container(s.Host)); return nil },
	"activate":       func(r *run, s Step) error { return setState(r, s, "ACTIVE") },
	"drain-by-hand":  func(r *run, s Step) error { return setState(r, s, "DRAINING") },
	"deregister":     deregister,
	"answer":         answer,
	"run-task":       runTask,
	"stop-tasks":     stopTasks,
	"update-service": updateService,
	"delete-hook":    func(r *run, s Step) error { return r.w.DeleteLifecycleHook(s.Group, or(s.Hook, r.s.Ebb.hook())) },
	"put-hook":       putHook,
	"protect":        protect,
	"send":           sendBody,
	"again":          again,
	"crash":          func(r *run, s Step) error { r.crash(s); return nil },
	"hang":           func(r *run, s Step) error { return r.each(s, func(e *ebb) { e.hang(s.For) }) },
	"cut-off":        func(r *run, s Step) error { return r.each(s, func(e *ebb) { e.cutFor(s.For) }) },
}

func verbNames() []string {
	var n []string
	for v := range verbs {
		n = append(n, v)
	}
	sort.Strings(n)
	return n
}

// host finds the instance that a story calls group/index: by order of launch, as the world was when the story began.
func (r *run) host(ref string) string {
	group, n, _ := strings.Cut(ref, "/")
	i, err := strconv.Atoi(n)
	if hosts := r.hosts[group]; err == nil && i >= 0 && i < len(hosts) {
		return hosts[i]
	}
	return ref
}

// hostName is the reverse of host: what a story calls an instance.
func (r *run) hostName(id string) string {
	if n, ok := r.names[id]; ok {
		return n
	}
	return id
}

func (r *run) container(ref string) string {
	ins, err := r.w.DescribeInstances([]string{r.host(ref)})
	if err != nil || len(ins) == 0 {
		return ""
	}
	return ins[0].ContainerInstance
}

func (r *run) clusterOf(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) > 2 {
		return parts[len(parts)-2]
	}
	return ""
}

func terminate(r *run, s Step) error {
	_, err := r.w.TerminateInstanceInAutoScalingGroup(r.host(s.Host), s.Decrement)
	return err
}

func setState(r *run, s Step, state string) error {
	ci := r.container(s.Host)
	_, _, err := r.w.UpdateContainerInstancesState(r.clusterOf(ci), []string{ci}, state)
	return err
}

func deregister(r *run, s Step) error {
	ci := r.container(s.Host)
	_, err := r.w.DeregisterContainerInstance(r.clusterOf(ci), ci, true)
	return err
}

func answer(r *run, s Step) error {
	group, _, _ := strings.Cut(s.Host, "/")
	return r.w.CompleteLifecycleAction(group, or(s.Hook, r.s.Ebb.hook()), "", r.host(s.Host), or(s.Result, "CONTINUE"))
}

func runTask(r *run, s Step) error {
	_, failures, err := r.w.RunTask(s.Cluster, s.Task, "story", max(s.Count, 1))
	if err == nil && len(failures) > 0 {
		return fmt.Errorf("run task %s: %s", s.Task, failures[0].Reason)
	}
	return err
}

func stopTasks(r *run, s Step) error {
	ids, err := r.w.ListTasks(s.Cluster, ecs.TaskQuery{Family: s.Task, Service: s.Service})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := r.w.StopTask(s.Cluster, id, "by hand"); err != nil {
			return err
		}
	}
	return nil
}

func updateService(r *run, s Step) error {
	_, err := r.w.UpdateService(s.Cluster, s.Service, &s.Count, "")
	return err
}

// putHook changes the heartbeat timeout of a hook.
func putHook(r *run, s Step) error {
	return r.w.PutLifecycleHook(s.Group, autoscaling.Hook{Name: or(s.Hook, r.s.Ebb.hook()), Heartbeat: s.For})
}

// protect sets scale-in protection on the tasks of a service, for as long as the step says.
func protect(r *run, s Step) error {
	ids, err := r.w.ListTasks(s.Cluster, ecs.TaskQuery{Service: s.Service})
	if err != nil || len(ids) == 0 {
		return err
	}
	_, _, err = r.w.UpdateTaskProtection(s.Cluster, ids[:min(len(ids), 10)], true, s.For)
	return err
}

func sendBody(r *run, s Step) error {
	body := strings.ReplaceAll(s.Body, "$HOST", r.host(s.Host))
	if n, ok := strings.CutPrefix(body, "garbage "); ok {
		size, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("send: %q is not a size", n)
		}
		body = strings.Repeat("\x01{[", size/3)
	}
	_, err := r.w.SendMessage(or(s.Queue, r.s.Ebb.queue()), body, nil, 0)
	return err
}

// again delivers a copy of the latest message that Ebb received about a host.
func again(r *run, s Step) error {
	body, ok := r.bodies[r.host(s.Host)]
	if !ok {
		return fmt.Errorf("again: Ebb has received no message about %s yet", s.Host)
	}
	_, err := r.w.SendMessage(or(s.Queue, r.s.Ebb.queue()), body, nil, 0)
	return err
}

// doStep carries out one step as the operator that the world's record names.
func (r *run) doStep(s Step) {
	r.w.SetCaller("operator")
	r.tell("operator", s.Host, stepText(s))
	if err := verbs[s.Do](r, s); err != nil {
		r.tell("operator", s.Host, s.Do+" was refused: "+err.Error())
		r.refused++
	}
}

func stepText(s Step) string {
	words := []string{s.Do}
	for _, w := range []string{s.Group, s.Cluster, s.Service, s.Task, s.Hook, s.Result} {
		if w != "" {
			words = append(words, w)
		}
	}
	if s.Count > 0 || s.Do == "scale" || s.Do == "update-service" {
		words = append(words, strconv.Itoa(s.Count))
	}
	if s.For > 0 {
		words = append(words, "for "+s.For.Round(time.Second).String())
	}
	return strings.Join(words, " ")
}

// crash kills the Ebb that a step is about, or every invocation that is under way.
func (r *run) crash(s Step) {
	if r.fn != nil {
		for _, i := range slices.Clone(r.fn.busy) {
			i.kill("by hand")
		}
		return
	}
	_ = r.each(s, func(e *ebb) { e.crash("by hand", s.For) })
}

// each does something with the Ebb that a step is about.
func (r *run) each(s Step, do func(*ebb)) error {
	if len(r.ebbs) == 0 {
		return fmt.Errorf("%s: Ebb is a function here, and each invocation is a process of its own; use crash", s.Do)
	}
	do(r.ebbs[max(min(s.Ebb, len(r.ebbs))-1, 0)])
	return nil
}

// hang lets a process do nothing for a while and not notice, as one that is stopped and continued.
func (e *ebb) hang(d time.Duration) {
	if e.core == nil {
		return
	}
	e.hangs = later(e.hangs, e.w.Now().Add(d))
	e.lastFault = e.hangs
	e.cover["hang"]++
	e.tell(e.name, "", fmt.Sprintf("hangs for %s", d))
	e.pausedUntil(e.hangs)
}

// pausedUntil tells the judge that it can do nothing until then.
func (e *ebb) pausedUntil(at time.Time) {
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "paused"})
	life := e.life
	e.later(at, func() {
		if now := e.w.Now(); life == e.life && !e.hangs.After(now) && !e.cut.After(now) {
			e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "resumed"})
		}
	})
}

// cutFor keeps a process from its journal for a while; AWS it still reaches.
func (e *ebb) cutFor(d time.Duration) {
	if e.core == nil {
		return
	}
	e.cut = later(e.cut, e.w.Now().Add(d))
	e.lastFault = e.cut
	e.cover["cut-off"]++
	e.tell(e.name, "", fmt.Sprintf("does not reach its journal for %s", d))
	e.pausedUntil(e.cut)
}
