package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

func taskChecks() []Check {
	return []Check{
		{"standalone-tasks", "Tasks that no service owns", each((*Input).clusters, standaloneTasks)},
		{"task-protected", "Task protection that stays on", eachOf((*Input).clusters, tasks, taskProtected)},
	}
}

// standaloneTasks: a drain neither stops nor moves them.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html
func standaloneTasks(in *Input, c *inventory.Cluster) *Finding {
	var families []string
	oldest := in.Now
	for _, t := range c.Tasks {
		if t.Service() != "" || t.ContainerInstance == "" || t.DesiredStatus == "STOPPED" || strings.HasPrefix(t.StartedBy, "ecs-svc/") {
			continue
		}
		families = append(families, t.Family)
		if !t.StartedAt.IsZero() && t.StartedAt.Before(oldest) {
			oldest = t.StartedAt
		}
	}
	if len(families) == 0 {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: "cluster " + c.Name,
		Finding: fmt.Sprintf("tasks on its hosts that belong to no service: %d (%s); the oldest runs for %s", len(families),
			strings.Join(slices.Compact(slices.Sorted(slices.Values(families))), ", "), span(in.Now.Sub(oldest))),
		Impact: "a drain waits for them to end by themselves: Ebb until its deadline, managed draining up to 48h; then they are killed",
		Advice: advice.Of(advice.Say("nothing, if they end soon; a task that must not be cut off needs a deadline longer than its run time (deadline: in " +
			"Ebb's configuration), or a host without terminations")),
	}
}

// longProtection is how long a protection may still last before it counts as forgotten. The longest that can be asked for is 48 h.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html
const longProtection = 24 * time.Hour

func taskProtected(in *Input, c *inventory.Cluster, t *inventory.Task) *Finding {
	if !t.Protected || t.ProtectedUntil.IsZero() {
		return nil
	}
	var what string
	switch left := t.ProtectedUntil.Sub(in.Now); {
	case left > longProtection:
		what = "for another " + span(left)
	case left < -time.Hour:
		what = "although its protection ended " + span(-left) + " ago"
	default:
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "task " + string(t.ARN), Finding: "the task of service " + t.Service() + " is protected from scale-in " + what,
		Impact: "deployments of the service leave it on the old revision, and scale-in spares it; AWS does not document whether a drain spares it too",
		Advice: advice.Of(advice.Say("ask the owner of the task whether its work is done"), in.At.TaskUnprotected(c.Name, t.ARN.Name()).For("")),
	}
}
