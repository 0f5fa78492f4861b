package ecs

import "slices"

// deploy makes a new deployment of a service the primary one; the others stay ACTIVE as long as they have tasks.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
func (w *ECS) deploy(s *service) {
	s.deployment = "ecs-svc/" + w.Hex(16)
	for _, d := range s.deploys {
		d.Status, d.Desired = "ACTIVE", 0
	}
	s.deploys = slices.Insert(s.deploys, 0, &Deployment{
		ID: s.deployment, Status: "PRIMARY", Definition: s.Definition, CreatedAt: w.Now(), UpdatedAt: w.Now(),
		Rollout: "IN_PROGRESS", RolloutReason: "ECS deployment " + s.deployment + " in progress.", InAlternate: s.InAlternate,
	})
}

// deployed is when the primary deployment has all its tasks.
func (w *ECS) deployed(s *service) {
	if d := s.deploys[0]; d.Rollout == "IN_PROGRESS" {
		d.Rollout, d.RolloutReason, d.UpdatedAt = "COMPLETED", "ECS deployment "+d.ID+" completed.", w.Now()
	}
}

// allRun reports whether all tasks of a service run, of the primary deployment and no other.
func (s *service) allRun() bool {
	return !slices.ContainsFunc(s.tasks, func(t *task) bool { return t.LastStatus != "RUNNING" || t.StartedBy != s.deployment })
}

// deploymentFailing counts a task that did not start. The circuit breaker fails a deployment after as many as half of the desired
// tasks, from 3 to 200.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func (w *ECS) deploymentFailing(t *task) {
	d := t.s.deploys[0]
	if t.StartedBy != d.ID {
		return
	}
	d.Failed, d.UpdatedAt = d.Failed+1, w.Now()
	if t.s.CircuitBreaker && d.Rollout == "IN_PROGRESS" && d.Failed >= min(max(3, (t.s.Desired+1)/2), 200) {
		d.Rollout, d.RolloutReason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
		w.say(t.s, "(deployment "+d.ID+") deployment failed: tasks failed to start.")
	}
}

// failed reports whether the circuit breaker has ended the deployment, so that none of its tasks starts any more.
func (s *service) failed() bool { return s.deploys[0].Rollout == "FAILED" }

// seeDeployments copies the deployments with their counts; those that have gone are forgotten.
func (s *service) seeDeployments() []Deployment {
	var seen []Deployment
	for _, d := range s.deploys {
		c := *d
		for _, t := range s.tasks {
			switch {
			case t.StartedBy != d.ID || !t.live():
			case t.LastStatus == "RUNNING":
				c.Running++
			default:
				c.Pending++
			}
		}
		if c.Status == "PRIMARY" {
			c.Desired = s.Desired
		} else if c.Running+c.Pending == 0 {
			continue
		}
		seen = append(seen, c)
	}
	return seen
}
