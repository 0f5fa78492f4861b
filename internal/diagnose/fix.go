package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// The commands are of AWS CLI version 2.
// https://docs.aws.amazon.com/cli/latest/reference/

func command(format string, args ...any) Fix { return Fix{Command: fmt.Sprintf(format, args...)} }

func (p *place) stopTask(t *inventory.Task) Fix {
	return command("aws ecs stop-task --cluster %s --task %s", p.cluster.Name, t.ARN.Name())
}

func (p *place) setState(status string) Fix {
	return command("aws ecs update-container-instances-state --cluster %s --container-instances %s --status %s", p.cluster.Name, p.host.ARN.Name(), status)
}

// onHost runs a command on the host, as far as the Systems Manager knows it.
func (p *place) onHost(line string) Fix {
	return command(`aws ssm send-command --instance-ids %s --document-name AWS-RunShellScript --parameters 'commands=["%s"]'`, p.instance, line)
}

// kill ends the containers of a task: the agent labels them with its ARN.
func (p *place) kill(t *inventory.Task) Fix {
	return p.onHost(fmt.Sprintf("docker kill $(docker ps -q --filter label=com.amazonaws.ecs.task-arn=%s)", t.ARN))
}

func (p *place) deregister() Fix {
	return command("aws ecs deregister-container-instance --cluster %s --container-instance %s --force", p.cluster.Name, p.host.ARN.Name())
}

func (p *place) percents(service string, least, most int) Fix {
	return command("aws ecs update-service --cluster %s --service %s --deployment-configuration minimumHealthyPercent=%d,maximumPercent=%d",
		p.cluster.Name, service, least, most)
}

// complete answers a hook.
func (p *place) complete(hook string) Fix {
	return command("aws autoscaling complete-lifecycle-action --auto-scaling-group-name %s --lifecycle-hook-name %s --instance-id %s "+
		"--lifecycle-action-result CONTINUE",
		p.group.Name, hook, p.instance)
}

func terminate(id fleet.InstanceID) Fix {
	return command("aws autoscaling terminate-instance-in-auto-scaling-group --instance-id %s --no-should-decrement-desired-capacity", id)
}

func shorterDelay(tg fleet.ARN) Fix {
	return command("aws elbv2 modify-target-group-attributes --target-group-arn %s --attributes "+
		"Key=deregistration_delay.timeout_seconds,Value=30", tg).
		but("for the next time: AWS does not document that it shortens a delay that has begun")
}

// addHost launches one host more in the group of the target, or in the first group that a service's capacity providers name.
func (k *known) addHost(g *inventory.Group) []Fix {
	if g == nil {
		return []Fix{{Note: "add a host to cluster " + k.cluster.Name}}
	}
	if n := g.Desired + 1; n > g.Max {
		return []Fix{command("aws autoscaling update-auto-scaling-group --auto-scaling-group-name %s --desired-capacity %d --max-size %d", g.Name, n, n)}
	}
	return []Fix{command("aws autoscaling set-desired-capacity --auto-scaling-group-name %s --desired-capacity %d", g.Name, g.Desired+1)}
}

// clock spells a time as on a clock, with the date if that is not today's.
func (k *known) clock(t time.Time) string {
	t = t.UTC()
	if y, d := t.YearDay(), k.q.Now.UTC().YearDay(); y != d {
		return t.Format("2006-01-02 15:04:05 UTC")
	}
	return t.Format("15:04:05 UTC")
}

// span spells how long it is from one time to another; clocks that differ make it nothing, never less.
func span(from, to time.Time) string { return inventory.Span(max(0, to.Sub(from))) }

// phrase joins what is not empty.
func phrase(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
