package ecs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// stoppedFor is how long stopped tasks stay visible.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html
const stoppedFor = time.Hour

// AddTaskDefinition registers a revision and returns family:revision.
func (w *ECS) AddTaskDefinition(d TaskDefinition) string {
	d.Revision = len(w.families[d.Family]) + 1
	if slices.Contains(d.Compatible, onDemand) {
		d.forFargate()
	}
	if d.CPU == 0 {
		d.CPU = 256
	}
	if d.Memory == 0 {
		d.Memory = 256
	}
	if d.Network == "" {
		d.Network = "bridge"
	}
	if d.Start == 0 {
		d.Start = 5 * time.Second
	}
	d.AgentStop = d.Stop == 0
	d.TaskSize = d.TaskSize || len(d.Containers) > 0
	w.families[d.Family] = append(w.families[d.Family], &d)
	return definitionID(&d)
}

// findDefinition returns the task definition of a family, family:revision or ARN; a family alone is its latest revision.
func (w *ECS) findDefinition(id string) (*TaskDefinition, error) {
	if strings.HasPrefix(id, "arn:") {
		id = id[strings.LastIndexByte(id, '/')+1:]
	}
	family, revision, found := strings.Cut(id, ":")
	all := w.families[family]
	n := len(all)
	if found {
		n, _ = strconv.Atoi(revision)
	}
	if n < 1 || n > len(all) {
		return nil, core.Refuse("ClientException", "Unable to describe task definition.")
	}
	return all[n-1], nil
}

// DescribeTaskDefinition answers for a family, family:revision or ARN.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
func (w *ECS) DescribeTaskDefinition(id string) (TaskDefinition, error) {
	def, err := w.findDefinition(id)
	if err != nil {
		return TaskDefinition{}, err
	}
	return *def, nil
}

// findTask returns the task of an ARN or id in a cluster, or nil.
func (w *ECS) findTask(c *cluster, id string) *task {
	t := w.tasks[id]
	if t == nil {
		t = w.tasks[w.ARN("ecs", "task/"+c.Name+"/"+id)]
	}
	if t == nil || t.c != c {
		return nil
	}
	return t
}

// Tasks returns the live tasks of a cluster, in order of creation, stopped ones too.
func (w *ECS) Tasks(cluster string) []*Task {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil
	}
	all := make([]*Task, len(c.tasks))
	for i, t := range c.tasks {
		all[i] = &t.Task
	}
	return all
}

// seeTask copies a task as reads see it; false if it is not there.
func (w *ECS) seeTask(t *task) (Task, bool) {
	if t.LastStatus == "STOPPED" && w.Now().Sub(t.StoppedAt) > stoppedFor {
		return Task{}, false
	}
	then := t.trail.At(w.Then())
	if then.State == "" {
		return Task{}, false
	}
	seen := t.Task
	seen.Protected = w.protected(t)
	if then.State == seen.LastStatus && then.Second == seen.DesiredStatus {
		return seen, true
	}
	seen.LastStatus, seen.DesiredStatus = then.State, then.Second
	for _, at := range []*time.Time{&seen.StartedAt, &seen.StoppingAt, &seen.StoppedAt, &seen.PullStartedAt, &seen.PullStoppedAt, &seen.ExecutionStopped} {
		if at.After(w.Then()) {
			*at = time.Time{}
		}
	}
	if then.Second == "RUNNING" {
		seen.StopCode, seen.StoppedReason = "", ""
	}
	return seen, true
}

// ListTasks answers with ARNs. Without a desired status only tasks that are meant to run are listed: those that are stopping must
// be asked for with STOPPED.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (w *ECS) ListTasks(cluster string, q TaskQuery) ([]string, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	switch q.DesiredStatus {
	case "":
		q.DesiredStatus = "RUNNING"
	case "RUNNING", "PENDING", "STOPPED":
	default:
		return nil, core.Refuse("InvalidParameterException", "desiredStatus should be one of [RUNNING, PENDING, STOPPED]")
	}
	if q.ContainerInstance != "" {
		ci := w.findInstance(c, q.ContainerInstance)
		if ci == nil {
			return nil, core.Refuse("InvalidParameterException", "Container instance not found: %s", q.ContainerInstance)
		}
		q.ContainerInstance = ci.ARN
	}
	if q.Service != "" && w.findService(c, q.Service) == nil {
		return nil, core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	var arns []string
	for _, t := range c.tasks {
		if !q.fits(t) {
			continue
		}
		if seen, ok := w.seeTask(t); ok && seen.DesiredStatus == q.DesiredStatus {
			arns = append(arns, t.ARN)
		}
	}
	return arns, nil
}

func (q *TaskQuery) fits(t *task) bool {
	return (q.ContainerInstance == "" || t.ContainerInstance == q.ContainerInstance) &&
		(q.Service == "" || t.Service == core.LastPart(q.Service)) &&
		(q.Family == "" || t.def.Family == q.Family) &&
		(q.StartedBy == "" || t.StartedBy == q.StartedBy) && (q.LaunchType == "" || t.LaunchType == q.LaunchType)
}

// DescribeTasks answers for up to 100 ARNs or ids; unknown ones are failures with the reason MISSING.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (w *ECS) DescribeTasks(cluster string, ids []string) ([]Task, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch("Tasks", ids, 100); err != nil {
		return nil, nil, err
	}
	var found []Task
	var failures []Failure
	for _, id := range ids {
		if t := w.findTask(c, id); t != nil {
			if seen, ok := w.seeTask(t); ok {
				found = append(found, seen)
				continue
			}
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "task/"+c.Name+"/"), Reason: "MISSING"})
	}
	return found, failures, nil
}

// StopTask begins to stop a task: targets first, then SIGTERM, then SIGKILL at the stop timeout. It deletes the tags of the task.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
func (w *ECS) StopTask(cluster, id, reason string) (Task, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return Task{}, err
	}
	t := w.findTask(c, id)
	if t == nil {
		return Task{}, core.Refuse("InvalidParameterException", "The referenced task was not found.")
	}
	if reason == "" {
		reason = "Task stopped by user"
	}
	t.Tags = nil
	w.stopTask(t, "UserInitiated", reason)
	return t.Task, nil
}

// TagTask gives a task tags beside those that it has. Other resources have none in the simulated cloud.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html
func (w *ECS) TagTask(arn string, tags map[string]string) error {
	t := w.tasks[arn]
	if t == nil {
		return core.Refuse("InvalidParameterException", "The simulated cloud tags tasks only, and knows no task %s.", arn)
	}
	all := map[string]string{} // what was seen of the task before keeps its own
	maps.Copy(all, t.Tags)
	maps.Copy(all, tags)
	t.Tags = all
	return nil
}

// GetTaskProtection answers for up to 100 service tasks; standalone ones are failures with the reason TASK_NOT_VALID.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html
func (w *ECS) GetTaskProtection(cluster string, ids []string) ([]Task, []Failure, error) {
	tasks, failures, err := w.DescribeTasks(cluster, ids)
	var found []Task
	for _, t := range tasks {
		if t.Service == "" {
			failures = append(failures, Failure{ARN: t.ARN, Reason: "TASK_NOT_VALID"})
			continue
		}
		found = append(found, t)
	}
	return found, failures, err
}

// UpdateTaskProtection protects up to 10 service tasks from scale-in and deployments for a time (0: 2 h), or no longer.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html
func (w *ECS) UpdateTaskProtection(cluster string, ids []string, on bool, expires time.Duration) ([]Task, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch("Tasks", ids, 10); err != nil {
		return nil, nil, err
	}
	if expires == 0 {
		expires = 120 * time.Minute
	}
	if expires < time.Minute || expires > 2880*time.Minute {
		return nil, nil, core.Refuse("InvalidParameterException", "expiresInMinutes should be between 1 and 2880.")
	}
	var done []Task
	var failures []Failure
	for _, id := range ids {
		t := w.findTask(c, id)
		switch {
		case t == nil || t.LastStatus == "STOPPED":
			failures = append(failures, Failure{ARN: w.fullARN(id, "task/"+c.Name+"/"), Reason: "MISSING"})
			continue
		case t.s == nil:
			failures = append(failures, Failure{ARN: t.ARN, Reason: "TASK_NOT_VALID"})
			continue
		}
		t.Protected, t.ProtectedUntil = on, time.Time{}
		if on {
			t.ProtectedUntil = w.Now().Add(expires)
			w.At(t.ProtectedUntil, func() { w.checkSoon(t.s, 0) })
		}
		w.checkSoon(t.s, 0)
		done = append(done, t.Task)
	}
	return done, failures, nil
}

// newestFirst copies tasks that are in order of creation.
func newestFirst(tasks []*task) []*task {
	sorted := slices.Clone(tasks)
	slices.Reverse(sorted)
	return sorted
}
