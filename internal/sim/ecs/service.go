package ecs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// service is an ECS service at work, or one of the task sets of a service.
type service struct {
	Service
	of         *service   // of a task set: its service
	sets       []*service // of a service with another controller than ECS: its task sets, which have all its tasks
	scale      int        // of a task set: percent of the desired count
	c          *cluster
	def        *TaskDefinition
	deployment string        // ecs-svc/..., what its tasks are started by
	deploys    []*Deployment // newest first
	tasks      []*task       // not STOPPED, in order of creation
	check      time.Time
	checking   bool          // a check is scheduled, at check
	blocked    bool          // there is no place for its tasks
	backoff    time.Duration // the last wait before trying again
	retryAt    time.Time
	steady     bool
	counts     core.Trail // of its desired count
}

// AddService makes a service. Its tasks start with Settle at once, or else as in real life. The definition must exist; target
// groups are named by ARN. It returns a copy.
func (w *ECS) AddService(spec Service) *Service {
	c := w.cluster[core.LastPart(spec.Cluster)]
	if c == nil {
		w.AddCluster(spec.Cluster)
		c = w.cluster[spec.Cluster]
	}
	s := &service{Service: spec, c: c}
	w.deploy(s)
	s.Cluster, s.Events = c.Name, nil
	s.ARN = w.ARN("ecs", "service/"+c.Name+"/"+s.Name)
	s.Status, s.CreatedAt = "ACTIVE", w.Now()
	if s.Min == 0 && s.Max == 0 {
		s.Min, s.Max = 100, 200
		if s.Daemon {
			s.Min, s.Max = 0, 100
		}
	}
	def, err := w.findDefinition(s.Definition)
	if err != nil {
		panic("sim: service " + s.Name + " needs a task definition that exists, not " + s.Definition)
	}
	s.def, s.Definition = def, definitionID(def)
	s.deploys[0].Definition = s.Definition
	if s.DistinctInstance && !s.Daemon {
		s.Constraints = append(slices.Clone(s.Constraints), Constraint{Type: "distinctInstance"})
	}
	if s.Providers, err = w.strategyFor(c, s.Providers, s.LaunchType); err == nil {
		err = w.checkServed(s)
	}
	if err != nil {
		panic("sim: service " + s.Name + ": " + err.Error())
	}
	c.services = append(c.services, s)
	s.counts.Mark(time.Time{}, strconv.Itoa(s.Desired), "")
	if !s.Daemon {
		w.Log(core.Entry{Kind: core.EntryService, Cluster: c.Name, Service: s.Name, To: strconv.Itoa(s.Desired)})
	}
	w.addSets(s)
	for _, part := range s.parts() {
		c.scheduled = append(c.scheduled, part)
		w.checkSoon(part, time.Second)
	}
	copied := w.seeService(s)
	return &copied
}

// Settle places and starts everything at once and makes all targets healthy, without moving the time: the world as it has been
// for a while.
func (w *ECS) Settle() {
	for _, c := range w.clusters {
		for _, s := range c.scheduled {
			s.blocked, s.retryAt = false, time.Time{}
			w.startMissing(s)
		}
		for _, t := range c.tasks {
			w.settleTask(t)
		}
		for _, s := range c.scheduled {
			if !s.blocked && s.allRun() {
				w.deployed(s)
			}
		}
		for _, ci := range c.instances {
			w.unprotect(ci)
			ci.trail.Settle()
		}
	}
}

func (w *ECS) settleTask(t *task) {
	if !t.live() || t.def.Fails {
		return
	}
	if t.LastStatus != "RUNNING" {
		w.runTask(t)
	}
	if t.s != nil {
		t.Healthy = true
	}
	t.trail.Settle()
}

// startMissing starts tasks until there are as many as desired or there is no place.
func (w *ECS) startMissing(s *service) {
	if s.Daemon {
		w.startDaemons(s)
		return
	}
	live := 0
	for _, t := range s.tasks {
		if t.live() {
			live++
		}
	}
	if live >= s.Desired {
		return
	}
	for p := w.placingFor(s); live < s.Desired; live++ {
		if !w.startOne(p) {
			return
		}
	}
}

// findService returns the service of a name or ARN in a cluster, or nil.
func (w *ECS) findService(c *cluster, id string) *service {
	for _, s := range c.services {
		if s.ARN == id || s.Name == id {
			return s
		}
	}
	return nil
}

// seeService copies a service with its counts.
func (w *ECS) seeService(s *service) Service {
	seen := s.Service
	seen.Events = newestEvents(s.Events)
	seen.Lattice, seen.Names = slices.Clone(s.Lattice), slices.Clone(s.Names)
	seen.TargetGroups, seen.Ingress, seen.ByHand = slices.Clone(s.TargetGroups), slices.Clone(s.Ingress), slices.Clone(s.ByHand)
	seen.Constraints, seen.Placement, seen.Providers = slices.Clone(s.Constraints), slices.Clone(s.Placement), slices.Clone(s.Providers)
	seen.Deployments = s.seeDeployments()
	if then, err := strconv.Atoi(s.counts.At(w.Then()).State); err == nil && !s.Daemon {
		seen.Desired = then
	}
	seen.Running, seen.Pending = 0, 0
	for _, part := range s.parts() {
		running, pending := part.count()
		seen.Running, seen.Pending = seen.Running+running, seen.Pending+pending
	}
	if seen.TaskSets = w.seeSets(s); len(s.sets) > 0 {
		seen.Deployments = nil
	}
	return seen
}

// count counts the tasks that are meant to run.
func (s *service) count() (running, pending int) {
	for _, t := range s.tasks {
		switch {
		case !t.live():
		case t.LastStatus == "RUNNING":
			running++
		default:
			pending++
		}
	}
	return running, pending
}

// newestEvents copies up to 100 events, newest first, as AWS shows them.
func newestEvents(events []ServiceEvent) []ServiceEvent {
	shown := slices.Clone(events[max(0, len(events)-100):])
	slices.Reverse(shown)
	return shown
}

// ListServices answers with ARNs.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
func (w *ECS) ListServices(cluster string) ([]string, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, s := range c.services {
		arns = append(arns, s.ARN)
	}
	return arns, nil
}

// DescribeServices answers for up to 10 names or ARNs; unknown ones are failures with the reason MISSING.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
func (w *ECS) DescribeServices(cluster string, ids []string) ([]Service, []Failure, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, nil, err
	}
	if err := checkBatch("Services", ids, 10); err != nil {
		return nil, nil, err
	}
	var found []Service
	var failures []Failure
	for _, id := range ids {
		if s := w.findService(c, id); s != nil {
			found = append(found, w.seeService(s))
			continue
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "service/"+c.Name+"/"), Reason: "MISSING"})
	}
	return found, failures, nil
}

// UpdateService changes the desired count (nil: as it is) and the task definition (empty: as it is), which starts a rolling
// deployment if it is another one.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (w *ECS) UpdateService(cluster, id string, desired *int, definition string) (Service, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return Service{}, err
	}
	s := w.findService(c, id)
	if s == nil {
		return Service{}, core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	if desired != nil && s.Daemon {
		return Service{}, core.Refuse("InvalidParameterException", "The daemon scheduling strategy does not support a desired count.")
	}
	if desired != nil && *desired < 0 {
		return Service{}, core.Refuse("InvalidParameterException", "desiredCount cannot be negative.")
	}
	if definition != "" {
		def, err := w.findDefinition(definition)
		if err != nil {
			return Service{}, core.Refuse("ClientException", "TaskDefinition not found.")
		}
		if len(s.sets) > 0 {
			return Service{}, core.Refuse("InvalidParameterException",
				"Unable to update task definition on services with a %s deployment controller.", s.Controller)
		}
		if def != s.def {
			s.def, s.Definition = def, definitionID(def)
			s.otherGroups()
			w.deploy(s)
		}
	}
	if desired != nil {
		w.Log(core.Entry{
			Kind: core.EntryService, Cluster: c.Name, Service: s.Name, From: strconv.Itoa(s.Desired), To: strconv.Itoa(*desired),
		})
		s.Desired = *desired
		s.counts.Mark(w.Now(), strconv.Itoa(s.Desired), "")
		s.scaleSets()
	}
	w.checkAnew(s)
	return w.seeService(s), nil
}

// SetHealthyPercents changes the minimum and the maximum percent of a service; nil leaves one as it is. It starts no deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (w *ECS) SetHealthyPercents(cluster, id string, least, most *int) error {
	c, err := w.findCluster(cluster)
	if err != nil {
		return err
	}
	s := w.findService(c, id)
	if s == nil {
		return core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	low, high := s.Min, s.Max
	if least != nil {
		low = *least
	}
	if most != nil {
		high = *most
	}
	if low < 0 || high < 0 {
		return core.Refuse("InvalidParameterException", "minimumHealthyPercent and maximumPercent cannot be negative.")
	}
	s.Min, s.Max = low, high
	w.checkAnew(s)
	return nil
}

// say adds a line to the service's events; the same line again only moves its time.
func (w *ECS) say(s *service, parts ...string) {
	text := "(service " + s.Name + ") " + strings.Join(parts, "")
	if s.of != nil {
		text = "(service " + s.Name + ", taskSet " + s.deployment + ") " + strings.Join(parts, "")
		s = s.of
	}
	if n := len(s.Events); n > 0 && s.Events[n-1].Text == text {
		s.Events[n-1].At = w.Now()
		return
	}
	s.Events = append(s.Events, ServiceEvent{At: w.Now(), Text: text})
}
