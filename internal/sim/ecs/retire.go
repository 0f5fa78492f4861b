package ecs

import (
	"regexp"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// spotDraining is how the user data of an instance lets its agent drain when EC2 gives notice. It is off unless it is set.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html
var spotDraining = regexp.MustCompile(`ECS_ENABLE_SPOT_INSTANCE_DRAINING=["']?(true|1)\b`)

// agentAsks is how often the agent looks for a notice.
const agentAsks = time.Second

// Warned lets the agent of a Spot Instance that got notice set it DRAINING, if it is configured so.
func (w *ECS) Warned(h *core.Instance) {
	if !spotDraining.MatchString(h.Host.UserData) {
		return
	}
	for _, ci := range w.on[h.ID] {
		w.After(agentAsks, func() {
			if ci.Connected && ci.Status == "ACTIVE" {
				w.As("agent", func() {
					w.setInstance(ci, "DRAINING")
					w.drainingChanged(ci)
				})
			}
		})
	}
}

// maintained is AWS's reason for the stop of a task on Fargate whose platform is retired.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html
const maintained = "ECS is performing maintenance on the underlying infrastructure hosting the task"

// FargateTasks are the tasks on Fargate that are meant to run, by ARN in order of creation: of a service, of a family, or all.
func (w *ECS) FargateTasks(cluster, service, family string) ([]string, error) {
	return w.tasksThat(cluster, TaskQuery{Service: service, Family: family, LaunchType: onDemand}, func(*task) bool { return true })
}

func (w *ECS) tasksThat(cluster string, q TaskQuery, also func(*task) bool) ([]string, error) {
	c, err := w.findCluster(cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, t := range c.tasks {
		if t.live() && q.fits(t) && also(t) {
			arns = append(arns, t.ARN)
		}
	}
	return arns, nil
}

// RetireTasks ends tasks on Fargate because their platform is retired: those of services are replaced as their percents allow, others stop.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html
func (w *ECS) RetireTasks(arns []string) {
	for _, arn := range arns {
		t := w.tasks[arn]
		switch {
		case t == nil || !t.live():
		case t.s == nil:
			w.stopTask(t, "", maintained)
		default:
			t.retiring = true
			w.checkSoon(t.s, 0)
		}
	}
}
