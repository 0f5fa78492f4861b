package story

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// verbs are what can happen in a story: one entry each, and what an operator would call it.
var verbs = map[string]func(*run, Step) error{
	"terminate": func(r *run, s Step) error {
		return failed(r.w.TerminateInstanceInAutoScalingGroup(r.host(s.Host), s.Decrement))
	},
	"scale":         func(r *run, s Step) error { return r.w.SetDesiredCapacity(s.Group, s.Count) },
	"unhealthy":     func(r *run, s Step) error { return r.w.SetInstanceHealth(r.host(s.Host), "Unhealthy") },
	"ec2-terminate": func(r *run, s Step) error { return r.w.TerminateInstances([]string{r.host(s.Host)}) },
	"ec2-stop":      func(r *run, s Step) error { return r.w.StopInstances([]string{r.host(s.Host)}) },
	"ec2-start":     func(r *run, s Step) error { return r.w.StartInstances([]string{r.host(s.Host)}) },
	"register-again": func(r *run, s Step) error {
		return r.w.RegisterAgain(r.host(s.Host), core.Again{Cluster: s.Cluster, Connected: s.Connected, Empty: s.Empty})
	},
	"replace-root-volume": func(r *run, s Step) error { return r.w.ReplaceRootVolume(r.host(s.Host), s.Result == "failed") },
	"enter-standby": func(r *run, s Step) error {
		return failed(r.w.EnterStandby(groupOf(s), []string{r.host(s.Host)}, s.Decrement))
	},
	"exit-standby":  func(r *run, s Step) error { return failed(r.w.ExitStandby(groupOf(s), []string{r.host(s.Host)})) },
	"suspend":       func(r *run, s Step) error { return r.w.SuspendProcesses(s.Group, strings.Fields(s.Process)) },
	"resume":        func(r *run, s Step) error { return r.w.ResumeProcesses(s.Group, strings.Fields(s.Process)) },
	"disconnect":    func(r *run, s Step) error { r.w.DisconnectAgent(r.container(s)); return nil },
	"reconnect":     func(r *run, s Step) error { r.w.ReconnectAgent(r.container(s)); return nil },
	"activate":      func(r *run, s Step) error { return setState(r, s, "ACTIVE") },
	"drain-by-hand": func(r *run, s Step) error { return setState(r, s, "DRAINING") },
	"deregister":    deregister,
	"answer":        answer,
	"run-task":      runTask,
	"stop-tasks":    stopTasks,
	"update-service": func(r *run, s Step) error {
		count := &s.Count
		if s.Task != "" {
			count = nil
		}
		return failed(r.w.UpdateService(s.Cluster, s.Service, count, s.Task))
	},
	"interrupt":   interrupt,
	"rehearse":    rehearse,
	"rebalance":   func(r *run, s Step) error { return r.w.Recommend(r.host(s.Host)) },
	"health":      health,
	"no-capacity": noCapacity,
	"capacity":    func(r *run, s Step) error { return r.w.SetFargateCapacity(providerOf(s), true) },
	"delete-hook": func(r *run, s Step) error { return r.w.DeleteLifecycleHook(s.Group, s.Hook) },
	"put-hook": func(r *run, s Step) error { // changes the heartbeat timeout of a hook
		return r.w.PutLifecycleHook(s.Group, autoscaling.Hook{Name: s.Hook, Heartbeat: s.For})
	},
	"alarm":    setAlarm,
	"metric":   putMetric,
	"override": overrideBounds,
	"protect":  protect,
	"say":      say,
	"unsay":    unsay,
	"pause":    pauseScope,
	"unpause":  resumeScope,
	"send":     sendBody,
	"again":    again,
	"crash":    crash,
	"hang":     func(r *run, s Step) error { return r.each(s, func(e *ebb) { e.pause(&e.hangs, s, "hangs") }) },
	"cut-off": func(r *run, s Step) error {
		return r.each(s, func(e *ebb) { e.pause(&e.cut, s, "does not reach its journal") })
	},
}

// failed is the error of a call whose answer does not matter.
func failed[T any](_ T, err error) error { return err }

// host finds the instance that a story calls group/index: by order of launch, as the world was when the story began.
func (r *run) host(ref string) string { return cmp.Or(r.ids[ref], ref) }

// hostName is the reverse of host: what a story calls an instance.
func (r *run) hostName(id string) string { return cmp.Or(r.names[id], id) }

// container is the container instance that a step is about. Of a host that is registered several times it is the latest, unless the
// step names another.
func (r *run) container(s Step) string {
	id := r.host(s.Host)
	ins, err := r.w.DescribeInstances([]string{id})
	if err != nil || len(ins) == 0 {
		return ""
	}
	switch all := r.w.Registrations(id); {
	case s.Registration == 0:
		return ins[0].ContainerInstance
	case s.Registration > 0 && s.Registration <= len(all):
		return all[s.Registration-1]
	}
	return ""
}

func clusterOf(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) > 2 {
		return parts[len(parts)-2]
	}
	return ""
}

func setState(r *run, s Step, state string) error {
	ci := r.container(s)
	_, _, err := r.w.UpdateContainerInstancesState(clusterOf(ci), []string{ci}, state)
	return err
}

func deregister(r *run, s Step) error {
	ci := r.container(s)
	return failed(r.w.DeregisterContainerInstance(clusterOf(ci), ci, true))
}

// groupOf is the group of the host that a step is about.
func groupOf(s Step) string {
	group, _, _ := strings.Cut(s.Host, "/")
	return group
}

func answer(r *run, s Step) error {
	return r.w.CompleteLifecycleAction(groupOf(s), s.Hook, "", r.host(s.Host), cmp.Or(s.Result, "CONTINUE"))
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
	if s.Service != "" {
		body = strings.ReplaceAll(body, "$TASK", spotTask(r, s))
	}
	if n, ok := strings.CutPrefix(body, "garbage "); ok {
		size, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("send: %q is not a size", n)
		}
		body = strings.Repeat("\x01{[", size/3)
	}
	return failed(r.w.SendMessage(s.Queue, body, nil, 0))
}

// spotTask is the newest task on Fargate Spot of the service of a step, or one that there is not.
func spotTask(r *run, s Step) string {
	all, err := r.w.SpotTasks(s.Cluster, s.Service, "")
	if err != nil || len(all) == 0 {
		return r.w.ARN("ecs", "task/"+s.Cluster+"/0123456789abcdef0123456789abcdef")
	}
	return all[len(all)-1]
}

// again delivers a copy of the latest message that Ebb received about a host.
func again(r *run, s Step) error {
	body, ok := r.bodies[r.host(s.Host)]
	if !ok {
		return fmt.Errorf("again: Ebb has received no message about %s yet", s.Host)
	}
	return failed(r.w.SendMessage(s.Queue, body, nil, 0))
}

// doStep carries out one step as the operator that the world's record names.
func (r *run) doStep(s Step) {
	r.w.SetCaller("operator")
	r.tell("operator", s.Host, stepText(s))
	s.Hook, s.Queue = cmp.Or(s.Hook, r.s.Ebb.hook()), cmp.Or(s.Queue, r.s.Ebb.queue())
	if err := verbs[s.Do](r, s); err != nil {
		r.tell("operator", s.Host, s.Do+" was refused: "+err.Error())
	}
}

func stepText(s Step) string {
	words := []string{s.Do}
	for _, w := range []string{s.Group, s.Cluster, s.Service, s.Task, s.Hook, s.Result, s.Process, s.Provider} {
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
func crash(r *run, s Step) error {
	if r.fn == nil {
		return r.each(s, func(e *ebb) { e.crash("by hand", s.For) })
	}
	for _, i := range slices.Clone(r.fn.busy) {
		i.kill("by hand")
	}
	return nil
}

// pauseScope pauses the scope that a step names, or all of them, as ebb pause does.
func pauseScope(r *run, s Step) error {
	p := kernel.Pause{By: "operator@story", Message: s.Body, Since: r.w.Now(), Until: r.w.Now().Add(cmp.Or(s.For, time.Hour))}
	r.cover["pause"]++
	return r.write(func(open []journal.Record) journal.Batch {
		scopes := r.scopes(s, open)
		r.resumed(scopes)
		for _, scope := range scopes {
			r.pauses = append(r.pauses, Pause{scope, p.Since, p.Until})
		}
		return p.Begin(open, scopes)
	})
}

// resumeScope resumes them, as ebb resume does.
func resumeScope(r *run, s Step) error {
	return r.write(func(open []journal.Record) journal.Batch {
		scopes := r.scopes(s, open)
		r.resumed(scopes)
		b, _ := kernel.Resume(open, scopes, "operator@story", r.w.Now())
		return b
	})
}

// resumed tells the judge that the pauses of some scopes are over.
func (r *run) resumed(scopes []string) {
	for i, p := range r.pauses {
		if slices.Contains(scopes, p.Scope) {
			r.pauses[i].Until = earliest(p.Until, r.w.Now())
		}
	}
}

// scopes are the scope that a step names, or all of them.
func (r *run) scopes(s Step, open []journal.Record) []string {
	if s.Scope != "" {
		return []string{s.Scope}
	}
	return kernel.Scopes(r.kernelConfig().Groups, open)
}

// write writes into the journal what follows from its open records, as the command line does.
func (r *run) write(batch func(open []journal.Record) journal.Batch) error {
	ctx := context.Background()
	open, err := r.store.Open(ctx)
	if err != nil {
		return err
	}
	b := batch(open)
	for _, l := range b.Lines {
		r.tell(l.Kind, "", l.Text)
	}
	return r.store.Write(ctx, b)
}

// each does something with the Ebb that a step is about.
func (r *run) each(s Step, do func(*ebb)) error {
	if len(r.ebbs) == 0 {
		return fmt.Errorf("%s: Ebb is a function here, and each invocation is a process of its own; use crash", s.Do)
	}
	do(r.ebbs[max(min(s.Ebb, len(r.ebbs))-1, 0)])
	return nil
}

// pause lets a process do nothing until a time that it does not know of, as one that is stopped and continued, or keeps it from its journal
// until then, while it still reaches AWS. The judge is told that it can do nothing meanwhile.
func (e *ebb) pause(until *time.Time, s Step, how string) {
	if e.core == nil {
		return
	}
	*until = latest(*until, e.w.Now().Add(s.For))
	e.lastFault = *until
	e.cover[s.Do]++
	e.tell(e.name, "", fmt.Sprintf("%s for %s", how, s.For))
	e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "paused"})
	life := e.life
	e.later(*until, func() {
		if now := e.w.Now(); life == e.life && !e.hangs.After(now) && !e.cut.After(now) {
			e.w.Log(core.Entry{Kind: core.EntryController, By: e.name, To: "resumed"})
		}
	})
}
