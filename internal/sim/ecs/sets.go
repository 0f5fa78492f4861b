package ecs

import (
	"slices"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// addSets makes the task sets of a service whose deployments CodeDeploy or somebody else controls. The first one is primary. ECS keeps as
// many tasks of each running as it is scaled to, and replaces those on DRAINING instances by 100 and 200 percent, whatever the service
// says.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (w *ECS) addSets(s *service) {
	if s.Controller == "" || s.Controller == "ECS" {
		return
	}
	if len(s.TaskSets) == 0 {
		s.TaskSets = []TaskSet{{Definition: s.Definition, TargetGroups: s.TargetGroups, Scale: 100}}
	}
	for _, spec := range s.TaskSets {
		set := &service{Service: s.Service, c: s.c, of: s, scale: spec.Scale}
		set.Min, set.Max, set.CircuitBreaker, set.TaskSets = 100, 200, false, nil
		set.TargetGroups = spec.TargetGroups
		def, err := w.findDefinition(spec.Definition)
		if err != nil {
			panic("sim: a task set of service " + s.Name + " needs a task definition that exists, not " + spec.Definition)
		}
		set.def, set.Definition = def, definitionID(def)
		w.deploy(set)
		s.sets = append(s.sets, set)
	}
	s.scaleSets()
}

// parts are what the scheduler looks at: the task sets of a service, or the service.
func (s *service) parts() []*service {
	if len(s.sets) > 0 {
		return s.sets
	}
	return []*service{s}
}

// scaleSets gives each task set its share of the desired count, rounded up.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html
func (s *service) scaleSets() {
	for _, set := range s.sets {
		set.Desired = (s.Desired*set.scale + 99) / 100
	}
}

// seeSets copies the task sets of a service with their counts.
func (w *ECS) seeSets(s *service) []TaskSet {
	var seen []TaskSet
	for i, set := range s.sets {
		one := TaskSet{
			ID: set.deployment, ARN: w.ARN("ecs", "task-set/"+s.c.Name+"/"+s.Name+"/"+set.deployment), Definition: set.Definition, Status: "ACTIVE",
			TargetGroups: slices.Clone(set.TargetGroups), Scale: set.scale, Desired: set.Desired, CreatedAt: s.CreatedAt,
		}
		if i == 0 {
			one.Status = "PRIMARY"
		}
		one.Running, one.Pending = set.count()
		one.Steady = one.Running == one.Desired && one.Pending == 0
		seen = append(seen, one)
	}
	return seen
}

// DescribeTaskSets answers for ids or ARNs of task sets of a service, or for all if there are none; unknown ones are failures with the
// reason MISSING.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskSets.html
func (w *ECS) DescribeTaskSets(cluster, id string, ids []string) (Service, []TaskSet, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return Service{}, nil, nil, err
	}
	s := w.findService(c, id)
	if s == nil {
		return Service{}, nil, nil, core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	of, all := w.seeService(s), w.seeSets(s)
	if len(ids) == 0 {
		return of, all, nil, nil
	}
	var found []TaskSet
	var failures []Failure
	for _, id := range ids {
		if i := slices.IndexFunc(all, func(set TaskSet) bool { return set.ID == id || set.ARN == id }); i >= 0 {
			found = append(found, all[i])
			continue
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "task-set/"+c.Name+"/"+s.Name+"/"), Reason: "MISSING"})
	}
	return of, found, failures, nil
}

// groupOf is the target group in which the tasks of a service are registered now: with blue/green deployments one of two.
func (t ServiceTargetGroup) groupOf(alternate bool) string {
	if alternate && t.Alternate != "" {
		return t.Alternate
	}
	return t.ARN
}

// otherGroups lets the tasks of a new deployment be registered with the other target groups, where there are two: when it is over,
// production traffic goes there. Until then ECS replaces the tasks here as in a rolling deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html
func (s *service) otherGroups() {
	two := slices.ContainsFunc(slices.Concat(s.TargetGroups, s.Lattice), func(t ServiceTargetGroup) bool { return t.Alternate != "" }) ||
		slices.ContainsFunc(s.Ingress, func(i Ingress) bool { return i.Alternate != "" })
	s.InAlternate = !s.InAlternate && two
}
