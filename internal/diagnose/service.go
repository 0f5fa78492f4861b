package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// lately is how old a service event may be and still describe the present: ECS tries to place at least every few minutes.
const lately = 15 * time.Minute

// services says what holds the tasks that services still want to run on the host. While the host is not DRAINING, ECS has no reason
// to move them; Plan answers what would happen then.
func (w *why) services(left []*inventory.Task) {
	if w.host.Status != fleet.Draining {
		return
	}
	result := placement.Leave(w.s, w.cluster, []fleet.InstanceID{w.instance})
	for _, f := range result.Fates {
		if f.Kind != placement.Replica || !slices.ContainsFunc(left, func(t *inventory.Task) bool { return slices.Contains(f.Tasks, t.ARN) }) {
			continue
		}
		if s := w.cluster.Service(f.Service); s != nil {
			w.service(s, f)
		} else { // nothing is known of it
			w.add(Blocker{Code: f.Reasons[0].Code, Message: f.Reasons[0].Message})
		}
	}
}

func (w *why) service(s *inventory.Service, f placement.Fate) {
	who := fmt.Sprintf("service %s keeps %s there: ", s.Name, plain.Count(len(f.Tasks), "task"))
	failing := w.failing(s)
	if failing.Code != "" {
		w.add(failing)
	}
	starting := w.replacement(s)
	comes, known := w.anyComes(s)
	if f.Verdict == placement.Stuck && comes == "" && known {
		w.stuck = append(w.stuck, f.Tasks...)
	}
	event, noPlace := unplaced(&w.known, s), w.cluster.Part != nil && len(f.Places) == 0 // as far as was read
	ends := f.Verdict != placement.Stuck && !noPlace || comes != ""
	if noPlace {
		f.Reasons[0].Message += event
	}
	for _, r := range f.Reasons {
		if r.Code == placement.Deployment && failing.Code != "" || r.Code == placement.NotHealthy && len(starting) > 0 {
			continue
		}
		b := Blocker{Code: r.Code, Message: who + r.Message, Exact: f.Verdict == placement.Stuck, Ends: ends}
		if !noPlace || event != "" {
			b.Advice = advice.Of(w.fix(s, r.Code, f)...)
		}
		w.add(b)
	}
	for _, b := range starting {
		w.add(b)
	}
	if f.Verdict <= placement.Shrinks && len(starting) == 0 && failing.Code == "" {
		w.unblocked(s, who)
	}
}

// unblocked says that nothing that was read holds tasks of a service. ECS acts on that within a minute or so. After five it is wrong to say
// so, and the service's newest event is the best that there is.
func (w *why) unblocked(s *inventory.Service, who string) {
	if w.dark {
		return
	}
	b := Blocker{Code: InProgress, Ends: true, Message: who + "nothing blocks it; ECS should start the replacement or stop the task within about a minute"}
	if since, known := w.leavingFor(); known && since > 5*time.Minute {
		b.Message = fmt.Sprintf("%snothing that was read blocks it, and yet it is there %s after the termination began", who, inventory.Span(since))
		if len(s.Events) > 0 {
			b.Message += fmt.Sprintf("; the newest event of the service, at %s: %s", w.clock(s.Events[0].At), s.Events[0].Text)
		}
		b.Advice = advice.Of(w.q.At.StoppedTasks(w.cluster.Name, s.Name).For("lists its tasks that have stopped; describe-tasks of these has their stoppedReason"))
	}
	w.add(b)
}

// failing describes a deployment that fails, replacements that do not start, or a deployment that is under way, from the service's own counts
// and events. Only what fails is rolled back.
func (k *known) failing(s *inventory.Service) Blocker {
	b := Blocker{Code: placement.Deployment, Exact: true, Advice: advice.Of(k.back(s)...)}
	for _, d := range s.Deployments {
		switch {
		case d.Status != "PRIMARY": // ECS has given it up: it rolls back, or something newer was deployed
		case d.Rollout == "FAILED":
			b.Message = strings.TrimSuffix(fmt.Sprintf("%s has failed: %s", what(s, d), d.RolloutReason), ": ")
			return b
		case d.Failed > 0 && d.Running < d.Desired:
			b.Message = fmt.Sprintf("%s: %s failed to start, %d of %d run%s", what(s, d), plain.Count(d.Failed, "task"), d.Running, d.Desired, k.saying(s))
			return b
		}
	}
	if text := k.saying(s); text != "" {
		b.Message = fmt.Sprintf("the replacements of service %s do not stay up%s", s.Name, text)
		return b
	}
	for _, d := range s.Deployments {
		if d.Status == "PRIMARY" && d.Rollout == "IN_PROGRESS" || d.Status == "ACTIVE" && d.Running > 0 {
			message := fmt.Sprintf("%s: %d of %d run, %d pending", phrase(what(s, d), "is under way", k.since(d.CreatedAt)), d.Running, d.Desired, d.Pending)
			return Blocker{Code: placement.Deployment, Exact: true, Ends: true, Message: message, Advice: advice.Of(advice.Say(
				"wait until it is done; roll it back only if its tasks fail"))}
		}
	}
	return Blocker{}
}

func what(s *inventory.Service, d inventory.Deployment) string {
	return fmt.Sprintf("deployment %s of service %s to %s", d.ID, s.Name, d.TaskDefinition)
}

// back are the ways out of a deployment that fails.
func (k *known) back(s *inventory.Service) []advice.Fix {
	look := k.q.At.StoppedTasks(k.cluster.Name, s.Name).For("lists its tasks that have stopped; describe-tasks of these has their stoppedReason")
	for _, d := range s.Deployments {
		if d.Status == "ACTIVE" && d.Rollout != "FAILED" && d.TaskDefinition != s.TaskDefinition {
			return []advice.Fix{k.q.At.Revision(k.cluster.Name, s.Name, d.TaskDefinition).Undone(
				k.q.At.Revision(k.cluster.Name, s.Name, s.TaskDefinition)).For("deploys the revision before again"), look}
		}
	}
	return []advice.Fix{look, advice.Say("deploy the last good revision of its task definition")}
}

// saying is what the service's newest events say about tasks that fail.
func (k *known) saying(s *inventory.Service) string {
	for _, e := range s.Events {
		if k.q.Now.Sub(e.At) > lately {
			return ""
		}
		for _, sign := range [...]string{"unable to consistently start tasks", "failed to launch a task", "(circuit breaker)",
			"tasks failed to start", "is unhealthy in", "failed container health checks"} {
			if strings.Contains(e.Text, sign) {
				return fmt.Sprintf("; its event at %s: %s", k.clock(e.At), e.Text)
			}
		}
	}
	return ""
}

// unplaced is what the service's newest events say about a task that found no place.
func unplaced(k *known, s *inventory.Service) string {
	for _, e := range s.Events {
		if k.q.Now.Sub(e.At) <= lately && strings.Contains(e.Text, "unable to place a task") {
			return fmt.Sprintf("; its event at %s: %s", k.clock(e.At), e.Text)
		}
	}
	return ""
}

// replacement describes the tasks of a service elsewhere that do not count as healthy yet: one of each kind.
func (k *known) replacement(s *inventory.Service) []Blocker {
	var all []Blocker
	more := map[Code]int{}
	for _, t := range k.cluster.Tasks {
		if t.Service() != s.Name || !t.Live() || t.DesiredStatus == fleet.Stopped || t.ContainerInstance == k.host.ARN {
			continue
		}
		b, ok := k.coming(s, t)
		if !ok {
			continue
		}
		if more[b.Code]++; more[b.Code] == 1 {
			all = append(all, b)
		}
	}
	for i := range all {
		if n := more[all[i].Code] - 1; n > 0 {
			all[i].Message += fmt.Sprintf("; the same applies to %s more", plain.Count(n, "task"))
		}
	}
	return all
}

// coming says what a task still lacks to count as healthy.
func (k *known) coming(s *inventory.Service, t *inventory.Task) (Blocker, bool) {
	task := "task " + t.ARN.Name()
	if on := k.hostOf(t); on != "" {
		task += " on " + string(on)
	}
	name := fmt.Sprintf("a replacement of service %s (%s)", s.Name, task)
	switch {
	case t.LastStatus == "RUNNING":
		return k.health(s, t, name)
	case !t.PullStartedAt.IsZero():
		return Blocker{Code: PullingImage, Exact: true, Ends: true, Message: phrase(name, "is", t.LastStatus,
			"and has been pulling its image", k.since(t.PullStartedAt))}, true
	}
	return Blocker{Code: ReplacementNew, Exact: true, Ends: true, Message: phrase(name, "is", t.LastStatus, k.since(t.CreatedAt), "and not RUNNING yet")}, true
}

// health says why a task that runs may not count as healthy: its container's health check, the grace of its load balancer, or the
// 40 s that ECS waits where there is neither.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func (k *known) health(s *inventory.Service, t *inventory.Task, name string) (Blocker, bool) {
	b := Blocker{Code: NotYetHealthy, Exact: true, Ends: true}
	def := k.cluster.TaskDefinition(t.Family)
	checked := def != nil && slices.ContainsFunc(def.Containers, func(c inventory.Container) bool { return c.HealthCheck })
	switch age := k.q.Now.Sub(t.StartedAt); {
	case t.HealthStatus == "UNHEALTHY", checked && t.HealthStatus != "HEALTHY":
		b.Message = phrase(name, "runs", k.since(t.StartedAt), "and its container health check says", t.HealthStatus)
	case len(s.LoadBalancers) > 0:
		state := k.targetState(s, t)
		if state == "" || state == "healthy" {
			return b, false
		}
		b.Message = phrase(name, "runs", k.since(t.StartedAt), "and its target is", state)
		if s.HealthCheckGrace > age {
			b.Message += fmt.Sprintf("; its health check grace period lasts until %s", k.when(t.StartedAt.Add(s.HealthCheckGrace)))
		}
	case def != nil && !checked && age < 40*time.Second:
		b.Until = t.StartedAt.Add(40 * time.Second)
		b.Message = fmt.Sprintf("%s; without a health check ECS counts it as healthy 40 s after its start: at %s",
			phrase(name, "runs", k.since(t.StartedAt)), k.when(b.Until))
	default:
		return b, false
	}
	return b, true
}

// targetState is the state of the first target of a task that is not healthy, with its reason; empty if none is known.
func (k *known) targetState(s *inventory.Service, t *inventory.Task) string {
	state := ""
	for _, lb := range s.LoadBalancers {
		tg := k.s.TargetGroup(lb.TargetGroup)
		if tg == nil {
			continue
		}
		for _, h := range tg.Targets {
			if !k.isTarget(t, lb, tg, h) {
				continue
			}
			if h.State != "healthy" {
				return strings.TrimSpace(h.State+" "+h.Reason) + " in target group " + tg.Name
			}
			state = h.State
		}
	}
	return state
}

func (k *known) isTarget(t *inventory.Task, lb fleet.LoadBalancer, tg *inventory.TargetGroup, h fleet.Health) bool {
	for _, a := range t.Addresses {
		switch {
		case tg.Type == "ip": // of an address of its own ECS names no port
			if h.Target.ID == a.IP && h.Target.Port == lb.ContainerPort {
				return true
			}
		case a.ContainerPort == lb.ContainerPort && h.Target.Port == a.HostPort && h.Target.ID == string(k.hostOf(t)):
			return true
		}
	}
	return false
}

func (k *known) hostOf(t *inventory.Task) fleet.InstanceID {
	if h := k.cluster.HostOf(t); h != nil {
		return h.Instance
	}
	return ""
}
