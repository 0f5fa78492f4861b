package diagnose_test

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// state sets the state of i-target in its group.
func state(s fleet.LifecycleState) func(*board) { return func(b *board) { b.member.State = s } }

// asked asks about something else.
func asked(target string) func(*board) { return func(b *board) { b.q.Target = target } }

// missed lets reads fail.
func missed(what ...string) func(*board) { return func(b *board) { b.miss(what...) } }

func inService(b *board) {
	b.member.State, b.host.Status, b.group.Activities = fleet.InService, fleet.Active, nil
}

// states are worlds in which the state of the group or of EC2 is the answer.
func states() []world {
	return []world{
		{"nothing takes it away", inService, []change{
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"it is of no group, and groups could not be read", func(b *board) {
				b.Groups = nil
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"it is of no group that was read, and its own could not be read", func(b *board) {
				b.Groups = nil
				b.miss("autoscaling:DescribeAutoScalingInstances")
			}},
			{"another group could not be read", missed("autoscaling:DescribeAutoScalingGroups")},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"EC2 alone knows it", func(b *board) { b.Clusters, b.Groups = nil, nil }},
			{"nobody knows it", func(b *board) { b.Clusters, b.Groups, b.Instances = nil, nil, nil }},
			{"nobody knows it, and a part could not be read", func(b *board) {
				b.Clusters, b.Groups, b.Instances = nil, nil, nil
				b.miss("ecs:ListClusters")
			}},
			{"nobody knows it, and two parts could not be read", func(b *board) {
				b.Clusters, b.Groups, b.Instances = nil, nil, nil
				b.miss("ecs:ListClusters", "ec2:DescribeInstances")
			}},
			{"its group alone knows it", func(b *board) { b.Clusters, b.Instances = nil, nil }},
			{"its cluster alone knows it", func(b *board) { b.Groups, b.Instances = nil, nil }},
			{"it is protected", func(b *board) { b.member.Protected = true }},
			{"it is protected, and in no cluster", func(b *board) { b.member.Protected, b.Clusters = true, nil }},
			{"Terminate is suspended", func(b *board) { b.group.Suspended = []string{"AZRebalance", "Terminate"} }},
			{"Launch is suspended", func(b *board) { b.group.Suspended = []string{"Launch"} }},
			{"nothing is asked about", asked("")},
			{"its container instance is asked about", asked("ci-target")},
			{"its container instance is asked about by its ARN", asked(account + "container-instance/prod/ci-target")},
			{"its task is asked about", asked("web-1")},
			{"its task is asked about by its ARN", asked(account + "task/prod/web-1")},
			{"its task is asked about, which is to stop", func(b *board) { asked("web-1")(b); b.task.DesiredStatus = fleet.Stopped }},
			{"a task is to stop", func(b *board) { b.task.DesiredStatus = fleet.Stopped }},
			{"a task of Fargate is asked about", func(b *board) { asked("web-1")(b); b.task.ContainerInstance = "" }},
			{"a task of Fargate in the first of two clusters is asked about", func(b *board) {
				asked("web-1")(b)
				b.task.ContainerInstance = ""
				b.again("other", fleet.Active)
			}},
			{"a task of Fargate is asked about, which is to stop, and protection could not be read", func(b *board) {
				asked("web-1")(b)
				b.task.ContainerInstance, b.task.DesiredStatus = "", fleet.Stopped
				b.miss("ecs:GetTaskProtection")
			}},
			{"a task is asked about whose host is not there", func(b *board) { asked("web-1")(b); b.cluster.Hosts = b.cluster.Hosts[1:] }},
			{"a task is asked about whose host could not be read", func(b *board) {
				asked("web-1")(b)
				b.cluster.Hosts = b.cluster.Hosts[1:]
				b.miss("ecs:DescribeContainerInstances of cluster prod")
			}},
			{"a task on a host without an EC2 instance", func(b *board) { asked("web-1")(b); b.host.Instance = "" }},
			{"its container instance is DRAINING", func(b *board) { b.host.Status = fleet.Draining }},
			{"its container instance is DRAINING, and it is of no group", func(b *board) { b.host.Status, b.Groups = fleet.Draining, nil }},
			{"it is drained", func(b *board) { b.host.Status = fleet.Draining; b.empty() }},
			{"it is drained, and only its cluster was read", func(b *board) {
				b.host.Status, b.q.Only = fleet.Draining, []string{"prod"}
				b.empty()
			}},
			{"it is drained, and Terminate is suspended", func(b *board) {
				b.host.Status, b.group.Suspended = fleet.Draining, []string{"Terminate"}
				b.empty()
			}},
			{"it is drained, and Quarantined", func(b *board) { b.host.Status = fleet.Draining; state("Quarantined")(b); b.empty() }},
			{"it is drained, and of no group", func(b *board) { b.host.Status, b.Groups = fleet.Draining, nil; b.empty() }},
			{"it is drained, and its task of before is asked about", func(b *board) {
				asked("web-1")(b)
				b.host.Status, b.task.LastStatus, b.task.DesiredStatus = fleet.Draining, fleet.Stopped, fleet.Stopped
			}},
			{"Standby", state(fleet.Standby)}, {"EnteringStandby", state("EnteringStandby")},
			{"Standby and drained", func(b *board) { b.host.Status = fleet.Draining; state(fleet.Standby)(b); b.empty() }},
			{"Detaching", state(fleet.Detaching)}, {"Detached", state(fleet.Detached)},
			{"Warmed:Stopped", state("Warmed:Stopped")}, {"Warmed:Pending:Wait", state(fleet.WarmedPendingWait)},
			{"Pending", state("Pending")}, {"Pending:Wait", state("Pending:Wait")}, {"Quarantined", state("Quarantined")},
			{"Terminating", state(fleet.Terminating)},
			{"Terminating without a hook", func(b *board) { state(fleet.Terminating)(b); b.group.Hooks = nil }}, {"Terminating:Wait", state(fleet.TerminatingWait)},
			{"Terminating:Proceed", state(fleet.TerminatingProceed)}, {"Terminating:Retained", state(fleet.TerminatingRetained)},
		}},
		{"its hook is not open yet", func(b *board) {
			state(fleet.Terminating)(b)
			b.group.TargetGroups = []fleet.ARN{b.tg.ARN}
			b.since(30 * time.Second)
		}, []change{
			{"the group has no load balancer", func(b *board) { b.group.TargetGroups = nil }},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"a second target group takes longer", func(b *board) {
				b.TargetGroups = append(b.TargetGroups, &inventory.TargetGroup{ARN: "slow", Name: "slow", Delay: 5 * time.Minute, DelayKnown: true})
				b.group.TargetGroups = append(b.group.TargetGroups, "slow")
			}},
			{"a second target group has no delay", func(b *board) {
				b.TargetGroups = append(b.TargetGroups, &inventory.TargetGroup{ARN: "none", Name: "none", DelayKnown: true})
				b.group.TargetGroups = append(b.group.TargetGroups, "none")
			}},
			{"there is no delay", func(b *board) { b.tg.Delay = 0 }},
			{"its delay could not be read", func(b *board) { b.tg.DelayKnown = false }},
			{"its target groups could not be read", func(b *board) {
				b.group.TargetGroups = []fleet.ARN{"arn:aws:x/one", b.tg.ARN, "arn:aws:x/two"}
				b.miss("elasticloadbalancing:DescribeTargetGroups")
			}},
			{"it has a classic load balancer", func(b *board) { b.group.ClassicBalancers = []string{"old"} }},
			{"it has two classic load balancers", func(b *board) { b.group.ClassicBalancers = []string{"old", "older"} }},
			{"EC2 says that it is shutting down", func(b *board) { b.ec2(fleet.StateShuttingDown) }},
			{"its tasks could not be read", missed("ecs:ListTasks of cluster prod")},
			{"it should have opened", func(b *board) { b.since(3 * time.Minute) }},
			{"a task is asked about", asked("web-1")},
			{"it goes back to its warm pool", state(fleet.WarmedPending)},
		}},
		{"EC2 says that it is terminated", func(b *board) { b.ec2(fleet.StateTerminated) }, []change{
			{"it is shutting down", func(b *board) { b.ec2(fleet.StateShuttingDown) }},
			{"no task is left", (*board).empty},
			{"its task has stopped", func(b *board) { b.task.LastStatus = fleet.Stopped }},
			{"a second task is there", func(b *board) { b.also("job-1", "job:1", "family:job") }},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"a second hook holds it", func(b *board) { b.hooked("flush-logs", time.Hour) }},
			{"the group has a launching hook", func(b *board) { b.hooked("warm-up", time.Hour).Transition = fleet.Launching }},
			{"its hooks could not be read", func(b *board) {
				b.group.Hooks = nil
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"hooks of another group could not be read", missed("autoscaling:DescribeLifecycleHooks of group more")},
			{"Ebb is at work", func(b *board) { b.ebb() }},
			{"Ebb is at work, and has not heard of it", func(b *board) { b.ebb().Open = false }},
			{"Ebb's journal could not be read", func(b *board) { *b.ebb() = diagnose.Ebb{Manages: true, Unread: true} }},
			{"its hook is not Ebb's", func(b *board) { b.ebb(); b.q.Hook = "other" }},
			{"it is not leaving", state(fleet.InService)},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"it is not leaving, and Ebb is at work", func(b *board) { state(fleet.InService)(b); b.ebb() }},
			{"it is not leaving, and Ebb's journal could not be read", func(b *board) {
				state(fleet.InService)(b)
				*b.ebb() = diagnose.Ebb{Manages: true, Unread: true}
			}},
			{"it is not leaving, and in no cluster", func(b *board) { state(fleet.InService)(b); b.Clusters = nil }},
			{"it is not leaving, and another group could not be read", func(b *board) {
				state(fleet.InService)(b)
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"it is not leaving, and in no cluster, and clusters could not be read", func(b *board) {
				state(fleet.InService)(b)
				b.Clusters = nil
				b.miss("ecs:ListClusters")
			}},
			{"it is of no group, and clusters could not be read", func(b *board) { b.Groups = nil; b.miss("ecs:ListClusters") }},
			{"it is not leaving, and hooks could not be read", func(b *board) {
				state(fleet.InService)(b)
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"its hook is not open yet", state(fleet.Terminating)},
			{"it is stopped", func(b *board) { b.ec2(fleet.StateStopped) }},
			{"it is stopped, and no task is left", func(b *board) { b.ec2(fleet.StateStopped); b.empty() }},
			{"it is stopped, and of no group", func(b *board) { b.ec2(fleet.StateStopped); b.Groups = nil }},
			{"it is stopped, and in no group and no cluster", func(b *board) { b.ec2(fleet.StateStopped); b.Groups, b.Clusters = nil, nil }},
			{"it is stopped, and in service", func(b *board) { b.ec2(fleet.StateStopped); state(fleet.InService)(b) }},
			{"it is stopped, and in the warm pool", func(b *board) { b.ec2(fleet.StateStopped); state("Warmed:Stopped")(b) }},
			{"it is stopped, and its group could not be read", func(b *board) {
				b.ec2(fleet.StateStopped)
				b.Groups = nil
				b.miss("autoscaling:DescribeAutoScalingInstances")
			}},
			{"it is in no group and no cluster", func(b *board) { b.Groups, b.Clusters = nil, nil }},
			{"its group could not be read", func(b *board) { b.Groups = nil; b.miss("autoscaling:DescribeAutoScalingGroups") }},
			{"it is in no group and no cluster, and groups could not be read", func(b *board) {
				b.Groups, b.Clusters = nil, nil
				b.miss("autoscaling:DescribeAutoScalingGroups")
			}},
			{"it is in no group and no cluster, and clusters could not be read", func(b *board) { b.Groups, b.Clusters = nil, nil; b.miss("ecs:ListClusters") }},
			{"it is in no group and no cluster, and only one was read", func(b *board) { b.Groups, b.Clusters, b.q.Only = nil, nil, []string{"other"} }},
			{"it is in no cluster, and clusters could not be read", func(b *board) { b.Clusters = nil; b.miss("ecs:ListClusters") }},
		}},
		{"its agent is not connected", func(b *board) { b.host.Connected = false }, []change{
			{"EC2 does not know it", func(b *board) { b.ec2("") }},
			{"EC2 could not be asked", func(b *board) { b.ec2(""); b.miss("ec2:DescribeInstances") }},
			{"EC2 could not be asked about others", missed("ec2:DescribeInstances")},
			{"Ebb is at work", func(b *board) { b.ebb() }},
			{"Ebb has seen that", func(b *board) { b.ebb().Unreached = b.q.Now.Add(-2 * time.Minute) }},
			{"Ebb is not at work", func(b *board) { b.ebb().Works = false }},
			{"Ebb is not at work, and has seen that", func(b *board) {
				b.ebb().Works = false
				b.ebb().Unreached = b.q.Now.Add(-2 * time.Minute)
			}},
			{"Ebb does not look after its group", func(b *board) { b.ebb().Manages = false }},
			{"Ebb's journal could not be read", func(b *board) { *b.ebb() = diagnose.Ebb{Manages: true, Unread: true} }},
			{"its hooks could not be read", func(b *board) {
				b.group.Hooks = nil
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"its group could not be read", func(b *board) { b.Groups = nil; b.miss("autoscaling:DescribeAutoScalingGroups") }},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"it is Windows", func(b *board) { b.host.Attributes["ecs.os-type"] = "windows" }},
			{"its system is not known", func(b *board) { b.host.Attributes = nil }},
			{"it is Bottlerocket", func(b *board) { b.host.Attributes["bottlerocket.variant"] = "aws-ecs-2" }},
			{"it is Bottlerocket by its user data", func(b *board) { b.group.UserData = "[settings.ecs]\n" }},
			{"its launch template could not be read", missed("ec2:DescribeLaunchTemplateVersions of group web-asg")},
			{"its launch configuration could not be read", missed("autoscaling:DescribeLaunchConfigurations of group web-asg")},
			{"another launch template could not be read", missed("ec2:DescribeLaunchTemplateVersions of group more")},
			{"a second hook holds it", func(b *board) { b.hooked("flush-logs", time.Hour) }},
			{"it is not leaving", inService},
			{"its hook is not open yet", state(fleet.Terminating)},
		}},
	}
}

func TestWhatTheStateOfAnInstanceSays(t *testing.T) {
	compare(t, "testdata/states.txt", states(), (*board).why)
}
