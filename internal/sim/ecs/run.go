package ecs

import "github.com/ebbhq/ebb/internal/sim/core"

// RunTask starts up to 10 standalone tasks where there is place; see RunTasks.
func (w *ECS) RunTask(cluster, definition, startedBy string, count int) ([]Task, []Failure, error) {
	return w.RunTasks(cluster, TaskRun{Definition: definition, StartedBy: startedBy, Count: count})
}

// RunTasks starts up to 10 standalone tasks; those for which there is no place are failures that name the instance which comes
// closest. With a capacity provider strategy a task that has no place is a failure too, where AWS would let it wait for the group
// to grow.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
func (w *ECS) RunTasks(cluster string, run TaskRun) ([]Task, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if run.Count == 0 {
		run.Count = 1
	}
	if run.Count < 1 || run.Count > 10 {
		return nil, nil, core.Refuse("InvalidParameterException", "count should be between 1 and 10.")
	}
	def, err := w.findDefinition(run.Definition)
	if err != nil {
		return nil, nil, core.Refuse("ClientException", "TaskDefinition not found.")
	}
	strategy, err := w.strategyFor(c, run.Providers, run.LaunchType)
	if err == nil {
		err = CheckPlacement(run.Constraints, run.Placement)
	}
	if err == nil && usesFargate(strategy, run.LaunchType) {
		err = w.checkFargate(def, run.Constraints, run.Placement, run.Subnets)
	}
	if err != nil {
		return nil, nil, err
	}
	p := w.placing(c, standalone(def, run), strategy)
	var started []Task
	var failures []Failure
	for range run.Count {
		t, why := p.start()
		if t == nil {
			failures = append(failures, why.asFailure())
			continue
		}
		started = append(started, t.Task)
	}
	return started, failures, nil
}

func standalone(def *TaskDefinition, run TaskRun) wanted {
	want := wanted{
		def: def, group: run.Group, startedBy: run.StartedBy, placement: run.Placement, launchType: run.LaunchType, subnets: run.Subnets,
	}
	want.constraints = append(want.constraints, def.Constraints...)
	want.constraints = append(want.constraints, run.Constraints...)
	if want.group == "" {
		want.group = "family:" + def.Family
	}
	return want
}

func (m miss) asFailure() Failure {
	f := Failure{Reason: m.reason}
	if m.ci != nil {
		f.ARN = m.ci.ARN
	}
	return f
}

// RunTaskOn starts one standalone task on a given container instance (ARN or id), for the building of worlds.
func (w *ECS) RunTaskOn(cluster, definition, containerInstance, startedBy string) (Task, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return Task{}, err
	}
	def, err := w.findDefinition(definition)
	if err != nil {
		return Task{}, err
	}
	ci := w.findInstance(c, containerInstance)
	if ci == nil {
		return Task{}, core.Refuse("InvalidParameterException", "Container instance not found: %s", containerInstance)
	}
	if why := misfit(ci, def); why.reason != "" {
		return Task{}, core.Refuse("InvalidParameterException", "the task %s does not fit on %s: %s", definition, ci.Instance, why.reason)
	}
	return w.newTask(c, ci, standalone(def, TaskRun{StartedBy: startedBy})).Task, nil
}
