package diagnose_test

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

// began sets since when i-target leaves.
func began(d time.Duration) func(*board) { return func(b *board) { b.since(d) } }

// said are lines of Ebb's journal.
func said(kinds ...string) func(*board) {
	return func(b *board) {
		b.q.Lines = []diagnose.Line{}
		for i, k := range kinds {
			at := b.q.Now.Add(time.Duration(i-len(kinds)) * time.Minute)
			b.q.Lines = append(b.q.Lines, diagnose.Line{At: at, Kind: k, Text: "it has " + k})
		}
	}
}

// waiting are worlds in which who drains the instance, or which hook holds it, is the answer.
func waiting() []world {
	active := func(b *board) { b.host.Status = fleet.Active }
	balanced := func(ago time.Duration) func(*board) {
		return func(b *board) {
			b.TargetGroups = append(b.TargetGroups, &inventory.TargetGroup{ARN: "slow", Delay: 5 * time.Minute, DelayKnown: true})
			b.group.TargetGroups = []fleet.ARN{"gone", "slow", b.tg.ARN}
			b.since(ago)
		}
	}
	return []world{
		{"it is not DRAINING", active, []change{
			{"its termination has just begun", began(0)},
			{"since nearly two minutes", began(2*time.Minute - time.Second)},
			{"since two minutes", began(2 * time.Minute)},
			{"its own load balancers took five minutes, and two have passed since then", balanced(7 * time.Minute)},
			{"its own load balancers took five minutes, and nearly two have passed since then", balanced(7*time.Minute - time.Second)},
			{"its classic load balancer took a time that is not known", func(b *board) { b.group.ClassicBalancers = []string{"old"} }},
			{"its own load balancers took a time that is not known", func(b *board) {
				balanced(7*time.Minute - time.Second)(b)
				b.TargetGroups[1].DelayKnown = false
			}},
			{"by AWS's clock it begins in a minute", began(-time.Minute)},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"since when could not be read", func(b *board) {
				b.group.Activities = nil
				b.miss("autoscaling:DescribeScalingActivities of group web-asg")
			}},
			{"since when another leaves could not be read", missed("autoscaling:DescribeScalingActivities of group more")},
			{"its hooks could not be read", func(b *board) {
				b.group.Hooks = nil
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"the group has no hook", func(b *board) { b.group.Hooks = nil }},
			{"the group has no hook, and it has just begun", func(b *board) { b.group.Hooks = nil; b.since(0) }},
			{"the group has two hooks", func(b *board) { b.hooked("flush-logs", time.Hour).Target = account + "logs" }},
			{"the termination has just begun, and the group has two hooks", func(b *board) { b.hooked("flush-logs", time.Hour); b.since(0) }},
			{"it has a capacity provider", func(b *board) {
				b.host.CapacityProvider = "cp"
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "cp", Group: "web-asg"}}
			}},
			{"ECS manages its draining", func(b *board) {
				b.host.CapacityProvider = "cp"
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedDraining: true}}
			}},
			{"ECS manages its draining, and not that of others", func(b *board) {
				b.host.CapacityProvider = "cp"
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "far", Group: "far"}, {Name: "cp", Group: "web-asg", ManagedDraining: true}}
			}},
			{"ECS manages the draining of others", func(b *board) {
				b.cluster.CapacityProviders = []inventory.CapacityProvider{{Name: "cp", Group: "web-asg", ManagedDraining: true}}
			}},
			{"its capacity provider could not be read", func(b *board) {
				b.host.CapacityProvider = "cp"
				b.miss("ecs:DescribeCapacityProviders of cluster prod")
			}},
			{"it has no capacity provider, and these could not be read", missed("ecs:DescribeCapacityProviders of cluster prod")},
			{"it is registering", func(b *board) { b.host.Status = "REGISTERING" }},
			{"it has failed to register", func(b *board) { b.host.Status = fleet.RegistrationFailed }},
			{"its task is asked about", asked("web-1")},
			{"its task is asked about, which is to stop", func(b *board) { asked("web-1")(b); b.task.DesiredStatus = fleet.Stopped }},
			{"another task than that which is to stop is asked about", func(b *board) {
				asked("web-1")(b)
				b.also("job-1", "job:1", "family:job").DesiredStatus = fleet.Stopped
			}},
			{"a job is on it", func(b *board) { b.also("job-1", "job:1", "family:job") }},
			{"no task is on it", (*board).empty},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"its tasks could not be read", missed("ecs:ListTasks of cluster prod")},
			{"its tasks could not be read, and clusters neither", missed("ecs:ListTasks of cluster prod", "ecs:ListClusters")},
			{"its tasks could not be read, and it is registered twice", func(b *board) {
				b.miss("ecs:ListTasks of cluster prod")
				b.again("old", fleet.Active)
			}},
		}},
		{"it is not DRAINING, and Ebb is at work", func(b *board) { active(b); b.ebb() }, []change{
			{"its termination has just begun", began(0)},
			{"since nearly four minutes", began(4*time.Minute - time.Second)},
			{"since four minutes", began(4 * time.Minute)},
			{"its own load balancers took five minutes, and four have passed since then", balanced(9 * time.Minute)},
			{"its own load balancers took five minutes, and nearly four have passed since then", balanced(9*time.Minute - time.Second)},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"it waits for its turn", func(b *board) { e := b.ebb(); e.Queued, e.Limit, e.Waiting = true, "25%", "for its turn" }},
			{"its traffic leaves first", func(b *board) {
				e := b.ebb()
				e.Traffic, e.Waiting = true, "for room in target group web-tg"
			}},
			{"it may have to wait", func(b *board) { b.ebb().Limit = "1" }},
			{"it may have to wait, since a minute", func(b *board) { b.ebb().Limit = "1"; b.since(time.Minute) }},
			{"no Ebb is at work", func(b *board) { b.ebb().Works, b.ebb().Seen = false, b.q.Now.Add(-time.Hour) }},
			{"no Ebb is at work since two days", func(b *board) { b.ebb().Works, b.ebb().Seen = false, b.q.Now.Add(-48*time.Hour) }},
			{"the Ebb at work has no name", func(b *board) { b.ebb().Who = "" }},
			{"no Ebb has ever worked", func(b *board) { b.ebb().Works, b.ebb().Who = false, "" }},
			{"Ebb does not look after the group", func(b *board) { b.ebb().Manages = false }},
			{"no Ebb is at work, and it was to wait for its turn", func(b *board) {
				e := b.ebb()
				e.Works, e.Queued, e.Limit = false, true, "1"
			}},
			{"Ebb's journal could not be read", func(b *board) { *b.ebb() = diagnose.Ebb{Manages: true, Unread: true} }},
			{"Ebb's journal could not be read, and it does not look after the group", func(b *board) { *b.ebb() = diagnose.Ebb{Unread: true} }},
			{"Ebb has another cluster for it", func(b *board) { b.ebb().Cluster, b.ebb().Deadline = "other", b.q.Now.Add(time.Hour) }},
			{"Ebb has this cluster for it", func(b *board) { b.ebb().Cluster = "prod" }},
			{"an Ebb that is not at work has another cluster for it", func(b *board) { b.ebb().Cluster, b.ebb().Works = "other", false }},
			{"Ebb's hook is not on the group", func(b *board) { b.q.Hook = "other" }},
			{"its hook is not open yet, and Ebb has another cluster for it", func(b *board) {
				state(fleet.Terminating)(b)
				b.ebb().Cluster = "other"
			}},
		}},
		{"no task is left", (*board).empty, []change{
			{"since ten seconds", began(10 * time.Second)},
			{"since when is not known", func(b *board) { b.group.Activities = nil }},
			{"since when could not be read", func(b *board) {
				b.group.Activities = nil
				b.miss("autoscaling:DescribeScalingActivities of group web-asg")
			}},
			{"its task is stopped", func(b *board) { b.also("web-0", "web:7", "service:web").LastStatus = fleet.Stopped }},
			{"the group has two hooks", func(b *board) { b.hooked("flush-logs", time.Hour) }},
			{"the group has two hooks, since two and a half hours less a second", func(b *board) {
				b.hooked("flush-logs", time.Hour)
				b.since(150*time.Minute - time.Second)
			}},
			{"the group has two hooks, since two and a half hours", func(b *board) {
				b.hooked("flush-logs", time.Hour)
				b.since(150 * time.Minute)
			}},
			{"the group has two hooks, since when is not known", func(b *board) { b.hooked("flush-logs", time.Hour); b.group.Activities = nil }},
			{"the second hook is for launches", func(b *board) { b.hooked("warm-up", time.Hour).Transition = fleet.Launching }},
			{"the group has ECS's hook too", func(b *board) { b.hooked(fleet.ManagedDrainingHook, time.Hour) }},
			{"the group has no hook", func(b *board) { b.group.Hooks = nil }},
			{"its hooks could not be read", func(b *board) {
				b.group.Hooks = nil
				b.miss("autoscaling:DescribeLifecycleHooks of group web-asg")
			}},
			{"the hook is not Ebb's", func(b *board) { b.q.Hook = "" }},
			{"Ebb answers another hook", func(b *board) { b.q.Hook = "other" }},
			{"Ebb answers another hook, since long", func(b *board) { b.q.Hook = "other"; b.since(3 * time.Hour) }},
			{"EC2 could not be asked", func(b *board) { b.ec2(""); b.miss("ec2:DescribeInstances") }},
			{"EC2 does not know it", func(b *board) { b.ec2("") }},
			{"the hook has no known limits", func(b *board) { b.group.Hooks[0].Global, b.group.Hooks[0].Heartbeat = 0, 0 }},
			{"the first of two hooks has no known limit", func(b *board) { b.group.Hooks[0].Global = 0; b.hooked("flush-logs", time.Hour) }},
			{"its heartbeat was over ten seconds ago", func(b *board) { b.group.Hooks[0].Heartbeat = 10*time.Minute - 10*time.Second }},
			{"its heartbeat was over fifteen seconds ago", func(b *board) { b.group.Hooks[0].Heartbeat = 10*time.Minute - 15*time.Second }},
			{"its heartbeat was over sixteen seconds ago", func(b *board) { b.group.Hooks[0].Heartbeat = 10*time.Minute - 16*time.Second }},
			{"only its cluster was read", func(b *board) { b.q.Only = []string{"prod"} }},
			{"hosts of another cluster could not be read", missed("ecs:ListContainerInstances of cluster other")},
			{"another cluster could not be read", missed("ecs:DescribeClusters of cluster other")},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"it is in no cluster, and only one was read", func(b *board) { b.Clusters, b.q.Only = nil, []string{"other"} }},
			{"it is in no cluster, and only two were read", func(b *board) { b.Clusters, b.q.Only = nil, []string{"one", "two"} }},
			{"it is in no cluster, and since when it leaves is not known", func(b *board) { b.Clusters, b.group.Activities = nil, nil }},
			{"it is of no group", func(b *board) { b.Groups = nil }},
			{"its hook is not open yet", state(fleet.Terminating)},
			{"Ebb's journal says nothing", said()},
			{"Ebb's journal says nothing, and it is in service", func(b *board) { said()(b); state(fleet.InService)(b) }},
			{"Ebb's journal says nothing, and it is of no group", func(b *board) { said()(b); b.Groups = nil }},
			{"Ebb's journal has three lines", said("heard", "drained", "waited")},
			{"Ebb's journal has four lines", said("heard", "drained", "waited", "rested")},
			{"Ebb's journal says that it has ended", said("heard", "ended")},
			{"Ebb's journal says that it had ended before it began to leave", func(b *board) { said("ended")(b); b.since(30 * time.Second) }},
			{"Ebb's journal says that it has ended, and since when it leaves is not known", func(b *board) { said("ended")(b); b.group.Activities = nil }},
			{"Ebb's journal says that it has ended, and there is another hook", func(b *board) {
				said("ended")(b)
				b.hooked("flush-logs", time.Hour)
			}},
			{"Ebb's journal says that it has ended, and there are two other hooks", func(b *board) {
				said("ended")(b)
				b.hooked("flush-logs", time.Hour)
				b.hooked("snapshot", 30*time.Minute)
			}},
		}},
		{"no task is left, and Ebb is at work", func(b *board) { b.empty(); b.ebb().Empty = b.q.Now.Add(-time.Minute) }, []change{
			{"since when no task is left is not known", func(b *board) { b.ebb().Empty = time.Time{} }},
			{"nearly since the grace is over and four minutes more", func(b *board) {
				b.ebb().Empty = b.q.Now.Add(time.Second - 6*time.Minute)
			}},
			{"since the grace is over and four minutes more", func(b *board) { b.ebb().Empty = b.q.Now.Add(-6 * time.Minute) }},
			{"Ebb has a deadline", func(b *board) { b.ebb().Deadline = b.q.Now.Add(time.Hour) }},
			{"Ebb has not heard of it", func(b *board) { b.ebb().Open = false }},
			{"Ebb has not heard of it since nearly four minutes", func(b *board) { b.ebb().Open = false; b.since(4*time.Minute - time.Second) }},
			{"Ebb has not heard of it, and its own load balancers took five minutes", func(b *board) { b.ebb().Open = false; balanced(8 * time.Minute)(b) }},
			{"Ebb has not heard of it since four minutes", func(b *board) { b.ebb().Open = false; b.since(4 * time.Minute) }},
			{"Ebb has not heard of it, and since when it leaves is not known", func(b *board) { b.ebb().Open, b.group.Activities = false, nil }},
			{"Ebb has not heard of it, and there is another hook", func(b *board) { b.ebb().Open = false; b.hooked("flush-logs", time.Hour) }},
			{"no Ebb is at work", func(b *board) { b.ebb().Works = false }},
			{"no Ebb is at work, and there is another hook", func(b *board) { b.ebb().Works = false; b.hooked("flush-logs", time.Hour) }},
			{"Ebb does not look after the group, and there is another hook", func(b *board) {
				b.ebb().Manages = false
				b.hooked("flush-logs", time.Hour)
			}},
			{"there is another hook", func(b *board) { b.hooked("flush-logs", time.Hour) }},
			{"there is another hook since long", func(b *board) { b.hooked("flush-logs", time.Hour); b.since(3 * time.Hour) }},
			{"Ebb's journal could not be read", func(b *board) { *b.ebb() = diagnose.Ebb{Manages: true, Unread: true} }},
			{"Ebb's journal could not be read, and there is another hook", func(b *board) {
				*b.ebb() = diagnose.Ebb{Manages: true, Unread: true}
				b.hooked("flush-logs", time.Hour)
			}},
			{"Ebb has answered", said("ended")},
			{"Ebb has answered, and there is another hook", func(b *board) { said("ended")(b); b.hooked("flush-logs", time.Hour) }},
			{"it is in no cluster", func(b *board) { b.Clusters = nil }},
			{"it is in no cluster, and Ebb has a deadline", func(b *board) { b.Clusters, b.ebb().Deadline = nil, b.q.Now.Add(time.Hour) }},
			{"it is in no cluster, and Ebb has another one for it", func(b *board) { b.Clusters, b.ebb().Cluster = nil, "other" }},
			{"it is in no cluster, and Ebb has answered", func(b *board) { said("ended")(b); b.Clusters = nil }},
			{"Ebb has another cluster for it", func(b *board) { b.ebb().Cluster = "other" }},
			{"EC2 could not be asked", func(b *board) { b.ec2(""); b.miss("ec2:DescribeInstances") }},
		}},
		{"a task is left, and Ebb is at work", func(b *board) { b.ebb().Deadline = b.q.Now.Add(30 * time.Minute) }, []change{
			{"Ebb has no open drain", func(b *board) { b.ebb().Open = false }},
			{"Ebb has no deadline", func(b *board) { b.ebb().Deadline = time.Time{} }},
			{"no Ebb is at work", func(b *board) { b.ebb().Works = false }},
			{"there is another hook", func(b *board) { b.hooked("flush-logs", time.Hour) }},
			{"it is past its hooks", state(fleet.TerminatingProceed)},
			{"there is another hook since two hours", func(b *board) { b.hooked("flush-logs", time.Hour); b.since(2 * time.Hour) }},
			{"its hook ends with its deadline", func(b *board) { b.hooked("flush-logs", 40*time.Minute) }},
			{"its hook ends with its deadline, and it has answered", func(b *board) { said("ended")(b) }},
		}},
		{"it is registered twice", func(b *board) { b.again("old", fleet.Active) }, []change{
			{"the second one is away", func(b *board) { b.Clusters[1].Hosts[0].Connected = false }},
			{"the first one is away", func(b *board) { b.host.Connected = false }},
			{"both have no task", (*board).empty},
			{"both have no task, and Ebb is at work", func(b *board) { b.empty(); b.ebb() }},
			{"both have no task, and Ebb is at work, which has not heard of it", func(b *board) { b.empty(); b.ebb().Open = false }},
			{"both have no task, and the first one is away", func(b *board) { b.empty(); b.host.Connected = false }},
			{"both have no task, and both are away", func(b *board) {
				b.empty()
				b.host.Connected, b.Clusters[1].Hosts[0].Connected = false, false
			}},
			{"the second one has the task", func(b *board) {
				b.empty()
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
			}},
			{"the second one has a task that has stopped", func(b *board) {
				b.empty()
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
				b.Clusters[1].Tasks[0].LastStatus, b.host.Connected = fleet.Stopped, false
			}},
			{"the second one has the task, and is away", func(b *board) {
				b.empty()
				b.Clusters[1].Hosts[0].Connected = false
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
			}},
			{"the first one has no task, and the second one has one that has stopped and is away", func(b *board) {
				b.empty()
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
				b.Clusters[1].Tasks[0].LastStatus, b.Clusters[1].Hosts[0].Connected = fleet.Stopped, false
			}},
			{"the second one comes first, and the one with tasks is away", func(b *board) {
				b.Clusters[0], b.Clusters[1] = b.Clusters[1], b.Clusters[0]
				b.host.Connected = false
			}},
			{"both have tasks", func(b *board) {
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0]),
					b.running("job-2", "job:1", "family:job", b.Clusters[1].Hosts[0])}
			}},
			{"both have tasks, and the first one is away", func(b *board) {
				b.host.Connected = false
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
			}},
			{"the second one is asked about", asked("ci-target")},
			{"the second one is asked about by its ARN", asked(account + "container-instance/old/ci-target")},
			{"a task on the second one is asked about", func(b *board) {
				asked("job-1")(b)
				b.Clusters[1].Tasks = []*inventory.Task{b.running("job-1", "job:1", "family:job", b.Clusters[1].Hosts[0])}
			}},
			{"both have no task, and the first one is asked about by its ARN", func(b *board) {
				b.empty()
				asked(account + "container-instance/prod/ci-target")(b)
			}},
			{"both are ACTIVE", active},
			{"tasks of the second could not be read", missed("ecs:ListTasks of cluster old")},
			{"tasks and services of both could not be read", func(b *board) {
				b.miss("ecs:DescribeServices of cluster prod", "ecs:ListTasks of cluster prod")
				b.miss("ecs:DescribeServices of cluster old", "ecs:ListTasks of cluster old")
			}},
			{"tasks of a third could not be read", missed("ecs:ListTasks of cluster third")},
			{"hosts of a third could not be read", missed("ecs:ListContainerInstances of cluster third")},
			{"hosts of a third could not be read, and no task is left", func(b *board) {
				b.empty()
				b.miss("ecs:ListContainerInstances of cluster third")
			}},
		}},
	}
}

func TestWhoDrainsAnInstanceAndWhatHoldsIt(t *testing.T) {
	compare(t, "testdata/hooks.txt", waiting(), (*board).why)
}
