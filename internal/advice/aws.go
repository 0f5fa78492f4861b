package advice

import (
	"encoding/json"
	"fmt"
	"strings"
)

// At is where commands go. Every command of the AWS CLI is made by it, so that each names its Region and endpoint.
type At struct {
	Region   string
	Endpoint string // URL for all of AWS, such as a simulated cloud; empty: AWS
}

// aws is a command of the AWS CLI, version 1 or 2: an operation, such as "ecs stop-task", and pairs of an option and its value. An option
// whose value is empty stands alone.
// https://docs.aws.amazon.com/cli/latest/reference/
func (at At) aws(operation string, pairs ...string) Command {
	c := Command{Argv: append([]string{"aws"}, strings.Fields(operation)...)}
	pairs = append(pairs, "--region", at.Region)
	if at.Endpoint != "" {
		pairs = append(pairs, "--endpoint-url", at.Endpoint)
	}
	for i := 0; i < len(pairs); i += 2 {
		switch option, value := pairs[i], pairs[i+1]; {
		case value == "":
			c.Argv = append(c.Argv, option)
		case strings.HasPrefix(value, "-"): // else it would be taken for an option
			c.Argv = append(c.Argv, option+"="+value)
		default:
			c.Argv = append(c.Argv, option, value)
		}
	}
	return c
}

// Ebb is a command of Ebb itself.
func (at At) Ebb(args ...string) Command {
	c := Command{Argv: append([]string{"ebb"}, args...)}
	c.Argv = append(c.Argv, "--region", at.Region)
	if at.Endpoint != "" {
		c.Argv = append(c.Argv, "--endpoint", at.Endpoint)
	}
	return c
}

// compact spells data in JSON; what is spelt here has nothing that JSON does not know.
func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Terminate terminates an instance through its group, which launches another.
func (at At) Terminate(id string) Command {
	return at.aws("autoscaling terminate-instance-in-auto-scaling-group", "--instance-id", id, "--no-should-decrement-desired-capacity", "").
		Costs(Destroys, "the instance, and what still runs on it unless a drainer lets it end", "it is to go, and nothing on it is needed any more")
}

// CompleteHook answers a hook with CONTINUE.
func (at At) CompleteHook(group, hook, id string) Command {
	return at.aws("autoscaling complete-lifecycle-action", "--auto-scaling-group-name", group, "--lifecycle-hook-name", hook, "--instance-id", id,
		"--lifecycle-action-result", "CONTINUE").
		Costs(Destroys, "the instance is terminated once no other hook holds it, with what still runs on it", "nothing on it is needed any more")
}

// ExitStandby puts an instance into service again.
func (at At) ExitStandby(group, id string) Command {
	return at.aws("autoscaling exit-standby", "--auto-scaling-group-name", group, "--instance-ids", id).
		Costs(Interrupts, "the work of whoever put the instance into standby", "that work is done").
		Undone(at.aws("autoscaling enter-standby", "--auto-scaling-group-name", group, "--instance-ids", id, "--should-decrement-desired-capacity", ""))
}

// Resume resumes a scaling process of a group.
func (at At) Resume(group, process string) Command {
	pairs := []string{"--auto-scaling-group-name", group, "--scaling-processes", process}
	c := at.aws("autoscaling resume-processes", pairs...).Undone(at.aws("autoscaling suspend-processes", pairs...))
	if process == "Launch" {
		return c
	}
	return c.Costs(Interrupts, "the group does at once what it has put off, which may terminate instances", "whoever suspended it agrees")
}

// Desired sets how many instances a group has, and where it has to its greatest size. Until it is set back there is one host more to pay.
func (at At) Desired(group string, from, to, most int) Command {
	set := func(n, most int) Command {
		if to > most {
			return at.aws("autoscaling update-auto-scaling-group", "--auto-scaling-group-name", group, "--desired-capacity", fmt.Sprint(n),
				"--max-size", fmt.Sprint(max(n, most)))
		}
		return at.aws("autoscaling set-desired-capacity", "--auto-scaling-group-name", group, "--desired-capacity", fmt.Sprint(n))
	}
	return set(to, most).Undone(set(from, most))
}

// ProtectNew lets a group protect the instances that it launches from scale-in.
func (at At) ProtectNew(group string) Command {
	set := func(option string) Command {
		return at.aws("autoscaling update-auto-scaling-group", "--auto-scaling-group-name", group, option, "")
	}
	return set("--new-instances-protected-from-scale-in").Undone(set("--no-new-instances-protected-from-scale-in"))
}

// Unprotect lets scale-in take an instance.
func (at At) Unprotect(group, id string) Command {
	set := func(option string) Command {
		return at.aws("autoscaling set-instance-protection", "--auto-scaling-group-name", group, "--instance-ids", id, option, "")
	}
	return set("--no-protected-from-scale-in").Undone(set("--protected-from-scale-in")).
		Costs(Interrupts, "scale-in may take the instance at once", "nothing on it needs the protection")
}

// PutHook changes settings of a hook, or puts it on the group: pairs of an option and its value.
func (at At) PutHook(group, hook string, settings ...string) Command {
	return at.aws("autoscaling put-lifecycle-hook", append([]string{"--auto-scaling-group-name", group, "--lifecycle-hook-name", hook}, settings...)...)
}

// DeleteHook deletes a hook. Auto Scaling first completes what waits in it with CONTINUE.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
func (at At) DeleteHook(group, hook string) Command {
	return at.aws("autoscaling delete-lifecycle-hook", "--auto-scaling-group-name", group, "--lifecycle-hook-name", hook).
		Costs(Destroys, "deleting a hook completes its open actions: an instance that waits in it is terminated with what still runs on it, unless "+
			"another hook holds it", "no instance waits in it")
}

// Hooks lists the hooks of a group.
func (at At) Hooks(group string) Command {
	return at.aws("autoscaling describe-lifecycle-hooks", "--auto-scaling-group-name", group)
}

// Groups lists the names of all groups.
func (at At) Groups() Command {
	return at.aws("autoscaling describe-auto-scaling-groups", "--query", "AutoScalingGroups[].AutoScalingGroupName")
}

// CancelRefresh ends an instance refresh.
func (at At) CancelRefresh(group string) Command {
	return at.aws("autoscaling cancel-instance-refresh", "--auto-scaling-group-name", group).
		Costs(Interrupts, "instances that the refresh has not replaced stay as they are", "")
}

// StartRefresh replaces the instances of a group whether they are protected or not.
func (at At) StartRefresh(group string) Command {
	return at.aws("autoscaling start-instance-refresh", "--auto-scaling-group-name", group, "--preferences", `{"ScaleInProtectedInstances":"Refresh"}`).
		Costs(Interrupts, "every instance is replaced, protected or not, each after its terminating hooks", "the group has a drainer").
		Undone(at.CancelRefresh(group))
}

// SetState sets a container instance ACTIVE or DRAINING.
func (at At) SetState(cluster, host, status string) Command {
	set := func(status string) Command {
		return at.aws("ecs update-container-instances-state", "--cluster", cluster, "--container-instances", host, "--status", status)
	}
	other := map[string]string{"ACTIVE": "DRAINING", "DRAINING": "ACTIVE"}[status]
	return set(status).Undone(set(other))
}

// StopTask stops a task.
func (at At) StopTask(cluster, task string) Command {
	return at.aws("ecs stop-task", "--cluster", cluster, "--task", task).
		Costs(Destroys, "the work that the task has not finished", "its work is done, or can be done again")
}

// Deregister makes ECS forget a container instance, whether tasks run on it or not.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterContainerInstance.html
func (at At) Deregister(cluster, host string) Command {
	return at.aws("ecs deregister-container-instance", "--cluster", cluster, "--container-instance", host, "--force", "").
		Costs(Destroys, "ECS gives up the tasks on it, and starts others although these may still run; the host cannot come back", "the host is lost for good")
}

// Percents sets the bounds within which a service may have tasks.
func (at At) Percents(cluster, service string, least, most, wasLeast, wasMost int) Command {
	set := func(least, most int) Command {
		return at.aws("ecs update-service", "--cluster", cluster, "--service", service, "--deployment-configuration",
			fmt.Sprintf("minimumHealthyPercent=%d,maximumPercent=%d", least, most))
	}
	return set(least, most).Undone(set(wasLeast, wasMost))
}

// Revision deploys a revision of a service's task definition.
func (at At) Revision(cluster, service, definition string) Command {
	return at.aws("ecs update-service", "--cluster", cluster, "--service", service, "--task-definition", definition).
		Costs(Interrupts, "the deployment that is under way is replaced by another one", "the newest revision does not work")
}

// StoppedTasks lists the tasks of a service that have stopped.
func (at At) StoppedTasks(cluster, service string) Command {
	return at.aws("ecs list-tasks", "--cluster", cluster, "--service-name", service, "--desired-status", "STOPPED")
}

// TaskUnprotected ends the scale-in protection of a task.
func (at At) TaskUnprotected(cluster, task string) Command {
	return at.aws("ecs update-task-protection", "--cluster", cluster, "--tasks", task, "--no-protection-enabled", "").
		Costs(Destroys, "the work for which the task protected itself: it may be stopped at once", "its work is done").
		Undone(at.aws("ecs update-task-protection", "--cluster", cluster, "--tasks", task, "--protection-enabled", ""))
}

// PutAttribute gives a host an attribute. The values are in JSON, because the short form of the AWS CLI knows no commas in them.
func (at At) PutAttribute(cluster, host, name, value string) Command {
	attribute := map[string]string{"name": name, "targetType": "container-instance", "targetId": host}
	undo := at.aws("ecs delete-attributes", "--cluster", cluster, "--attributes", compact([]any{attribute}))
	given := map[string]string{"name": name, "targetType": "container-instance", "targetId": host}
	if value != "" {
		given["value"] = value
	}
	return at.aws("ecs put-attributes", "--cluster", cluster, "--attributes", compact([]any{given})).Undone(undo)
}

// HostsThat lists the hosts of a cluster that meet an expression of the cluster query language.
func (at At) HostsThat(cluster, expression string) Command {
	return at.aws("ecs list-container-instances", "--cluster", cluster, "--filter", expression)
}

// ManagedDraining turns ECS's managed draining of a capacity provider on or off.
func (at At) ManagedDraining(provider string, on bool) Command {
	set := func(value string) Command {
		return at.aws("ecs update-capacity-provider", "--name", provider, "--auto-scaling-group-provider", "managedDraining="+value)
	}
	if on {
		return set("ENABLED").Undone(set("DISABLED"))
	}
	return set("DISABLED").Undone(set("ENABLED")).
		Costs(Interrupts, "AWS does not document what becomes of a drain that ECS has begun", "no instance of the group waits in a hook")
}

// Delay sets the deregistration delay of a target group.
func (at At) Delay(targetGroup string, seconds, was int) Command {
	set := func(n int) Command {
		return at.aws("elbv2 modify-target-group-attributes", "--target-group-arn", targetGroup, "--attributes",
			fmt.Sprintf("Key=deregistration_delay.timeout_seconds,Value=%d", n))
	}
	c := set(seconds).Undone(set(was))
	if seconds < was {
		return c.Costs(Interrupts, fmt.Sprintf("requests that take longer than %d s are cut off when their target leaves", seconds), "no request takes that long")
	}
	return c
}

// Deploy deploys a stack from files.
func (at At) Deploy(stack, template, parameters string) Command {
	c := at.aws("cloudformation deploy", "--stack-name", stack, "--template-file", template, "--parameter-overrides", "file://"+parameters)
	c.Argv = append(c.Argv, "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
	return c
}

// DeleteStack deletes a stack.
func (at At) DeleteStack(stack string) Command {
	return at.aws("cloudformation delete-stack", "--stack-name", stack).
		Costs(Destroys, "what the stack made, and its hooks: an instance that waits in one is terminated", "no instance waits in a hook")
}

// StackDeleted waits until a stack has been deleted.
func (at At) StackDeleted(stack string) Command {
	return at.aws("cloudformation wait stack-delete-complete", "--stack-name", stack)
}

// DeleteTable deletes a table of DynamoDB.
func (at At) DeleteTable(name string) Command {
	return at.aws("dynamodb delete-table", "--table-name", name).Costs(Destroys, "the journal with its history", "nobody needs the history any more")
}

// Shell runs a line on an instance, as far as the Systems Manager knows the instance.
func (at At) Shell(id, line string) Command {
	return at.aws("ssm send-command", "--instance-ids", id, "--document-name", "AWS-RunShellScript", "--parameters",
		compact(map[string][]string{"commands": {line}}))
}

// KillTask kills the containers of a task on its host: the agent labels them with the task's ARN.
func (at At) KillTask(id, task string) Command {
	return at.Shell(id, "docker kill $(docker ps -q --filter label=com.amazonaws.ecs.task-arn="+Quote(task)+")").
		Costs(Destroys, "what the task still does", "its stop timeout is over")
}
