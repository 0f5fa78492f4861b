package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plan"
)

const sec = time.Second

var unclear = &plan.Failure{Class: plan.Unclear, Message: "no answer"}

// A few drains as a whole: what is asked for and when, what is written, and how they end.
func TestWholeDrains(t *testing.T) {
	brief := managed("web", "prod")
	brief[0].Policy.Deadline = time.Minute
	play(t, []scene{
		{"a service behind a target group, and a daemon", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "web1", "dae1")
			a.services = []fleet.Service{
				{Name: "w", Cluster: "prod", LoadBalancers: []fleet.LoadBalancer{{TargetGroup: "tg", Container: "c", ContainerPort: 80}}},
				{Name: "d", Cluster: "prod", Daemon: true},
			}
			a.delays = []fleet.Delay{{In: "tg", Delay: 40 * sec}}
			a.hear(k, 0, "web", "i-1")
			a.at[20*sec] = func() {
				w := a.task("web1")
				w.DesiredStatus, w.LastStatus, w.StoppingAt = fleet.Stopped, fleet.Deactivating, t0.Add(20*sec)
			}
			a.at[65*sec] = func() { a.stop("web1") }
		}, 200 * sec, nil, `
			0.0 settle m-i-1: true
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 line web/i-1/s0 heard: Auto Scaling terminates i-1 of group web
			0.0 groups: web
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 hooks of web
			0.1 find-container-instances of prod: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.2 set-draining of prod: [ci/i-1]
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/dae1 task/web1
			10.5 record web/i-1/s0 5, left ["d/dae1 RUNNING","w/web1 RUNNING"], waiting "for 2 of 2 tasks to stop, until
			> 2026-11-21 09:30:00 UTC at the latest"
			10.5 line web/i-1/s0 waiting: 2 of 2 tasks left: d/dae1 RUNNING, w/web1 RUNNING
			10.5 services of prod: d w
			10.6 deregistration-delays of tg
			22.3 list-stopped-tasks of prod: ci/i-1
			25.4 tasks of prod: task/web1 task/dae1
			25.5 record web/i-1/s0 6, left ["d/dae1 RUNNING","w/web1 DEACTIVATING"]
			25.5 line web/i-1/s0 waiting: 2 of 2 tasks left: d/dae1 RUNNING, w/web1 DEACTIVATING
			60.0 groups: web
			60.2 container-instances of prod: ci/i-1
			61.0 tasks of prod: task/web1 task/dae1
			66.0 tasks of prod: task/web1 task/dae1
			66.1 record web/i-1/s0 7, empty_since 66.1, left ["d/dae1 RUNNING"], waiting "for 1 daemon tasks to stop"
			66.1 line web/i-1/s0 waiting: 1 of 2 tasks left: d/dae1 RUNNING
			81.0 tasks of prod: task/dae1
			96.0 tasks of prod: task/dae1
			111.0 tasks of prod: task/dae1
			120.0 groups: web
			120.2 container-instances of prod: ci/i-1
			126.0 tasks of prod: task/dae1
			141.0 tasks of prod: task/dae1
			156.0 tasks of prod: task/dae1
			171.0 tasks of prod: task/dae1
			180.0 groups: web
			180.2 container-instances of prod: ci/i-1
			186.0 tasks of prod: task/dae1
			186.1 record web/i-1/s0 8, intent {"at":186.1,"cut_off":["d/dae1 RUNNING"],"outcome":"drained","reason":"every task
			> has stopped but 1 daemon tasks, which had 2m0s more"}, waiting "for Auto Scaling to take the answer"
			186.1 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: every task has stopped but 1 daemon tasks, which had
			> 2m0s more
			186.1 answer i-1 s0
			186.2 record web/i-1/s0 9, ended 186.2, final {"at":186.2,"cut_off":["d/dae1
			> RUNNING"],"outcome":"drained","reason":"every task has stopped but 1 daemon tasks, which had 2m0s more"}, intent
			> {"at":186.1,"cut_off":["d/dae1 RUNNING"],"outcome":"drained","reason":"every task has stopped but 1 daemon tasks,
			> which had 2m0s more"}, open false, no waiting
			186.2 line web/i-1/s0 ended: drained: every task has stopped but 1 daemon tasks, which had 2m0s more; cut off: d/dae1
			> RUNNING
			in all: ended drained 1, sweeps 4, terminate-action 1
		`},
		{"cut off at the deadline, its targets first", Config{Groups: brief}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "web1")
			a.task("web1").Addresses = []fleet.Address{{Container: "c", ContainerPort: 80, HostPort: 8080}}
			a.services = []fleet.Service{
				{Name: "w", Cluster: "prod", LoadBalancers: []fleet.LoadBalancer{{TargetGroup: "tg", Container: "c", ContainerPort: 80}}},
			}
			a.health = []fleet.Health{{TargetGroup: "tg", Target: fleet.TargetID{ID: "i-1", Port: 8080}, State: "healthy"}}
			a.balanced = []fleet.TargetGroup{{ARN: "tg", VPC: "vpc-1", Type: "instance"}, {ARN: "far", VPC: "vpc-2", Type: "instance"}}
			a.takes["targets"] = 2 * sec
			a.hear(k, 0, "web", "i-1")
		}, 80 * sec, nil, `
			0.0 settle m-i-1: true
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 line web/i-1/s0 heard: Auto Scaling terminates i-1 of group web
			0.0 groups: web
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 hooks of web
			0.1 find-container-instances of prod: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.2 set-draining of prod: [ci/i-1]
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/web1
			10.5 record web/i-1/s0 5, left ["w/web1 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:01:00 UTC at
			> the latest"
			10.5 line web/i-1/s0 waiting: 1 of 1 tasks left: w/web1 RUNNING
			10.5 services of prod: w
			10.6 deregistration-delays of tg
			22.3 list-stopped-tasks of prod: ci/i-1
			25.4 tasks of prod: task/web1
			40.4 tasks of prod: task/web1
			55.4 tasks of prod: task/web1
			60.0 record web/i-1/s0 6, cutting 60
			60.0 groups: web
			60.0 instances: i-1
			60.0 targets of tg: i-1:8080
			60.1 target-groups
			60.2 container-instances of prod: ci/i-1
			60.2 registered-targets of vpc-1: tg
			62.0 deregister of tg: [{i-1 8080}]
			65.0 targets of tg: i-1:8080
			67.0 record web/i-1/s0 7, intent {"at":67,"cut_off":["w/web1 RUNNING"],"outcome":"forced","reason":"the deadline of
			> 1m0s is over; ECS had not asked 1 of its tasks to stop, most likely because their replacements do not run"}, waiting
			> "for Auto Scaling to take the answer"
			67.0 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: the deadline of 1m0s is over; ECS had not asked 1 of its
			> tasks to stop, most likely because their replacements do not run
			67.0 answer i-1 s0
			67.1 record web/i-1/s0 8, ended 67.1, final {"at":67.1,"cut_off":["w/web1 RUNNING"],"outcome":"forced","reason":"the
			> deadline of 1m0s is over; ECS had not asked 1 of its tasks to stop, most likely because their replacements do not
			> run"}, intent {"at":67,"cut_off":["w/web1 RUNNING"],"outcome":"forced","reason":"the deadline of 1m0s is over; ECS had
			> not asked 1 of its tasks to stop, most likely because their replacements do not run"}, open false, no waiting
			67.1 line web/i-1/s0 cut-off: i-1 ends with work on it, as far as is known: w/web1 RUNNING
			67.1 line web/i-1/s0 ended: forced: the deadline of 1m0s is over; ECS had not asked 1 of its tasks to stop, most
			> likely because their replacements do not run; cut off: w/web1 RUNNING
			in all: ended forced 1, sweeps 2, terminate-action 1
		`},
		{"both found waiting", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			ago := func(n int) time.Time { return t0.Add(-time.Duration(n) * sec) }
			a.activities["web"] = []fleet.Activity{
				{Instance: "i-1", Start: ago(100)}, {Instance: "i-2", Start: ago(200)}, {Instance: "i-1", Start: ago(900)},
			}
			a.takes["activities"] = 3 * sec
		}, 26 * sec, nil, `
			0.0 groups: web
			0.1 hooks of web
			0.2 record web/i-1/t20261121T090000 1, adopted true, cluster "prod", open true, waiting "to look at the group", zero
			> 0.2
			0.2 record web/i-2/t20261121T090000 1, adopted true, cluster "prod", open true, waiting "to look at the group", zero
			> 0.2
			0.2 line web/i-1/t20261121T090000 heard: found i-1 of group web waiting in its hook; no message was heard
			0.2 line web/i-2/t20261121T090000 heard: found i-2 of group web waiting in its hook; no message was heard
			0.2 group-instances: i-1 i-2
			0.3 record web/i-1/t20261121T090000 2, waiting "to find the container instance", waiting_since 0.2
			0.3 record web/i-2/t20261121T090000 2, waiting "to find the container instance", waiting_since 0.2
			0.3 activities of web: i-1 i-2
			0.3 find-container-instances of prod: i-1 i-2
			0.4 record web/i-1/t20261121T090000 3, admitted true, asked 0.4, container_instance "ci/i-1", waiting "for ECS to set
			> DRAINING"
			0.4 record web/i-2/t20261121T090000 3, admitted true, asked 0.4, container_instance "ci/i-2", waiting "for ECS to set
			> DRAINING"
			0.4 line web/i-1/t20261121T090000 draining: set i-1 DRAINING in cluster prod
			0.4 line web/i-2/t20261121T090000 draining: set i-2 DRAINING in cluster prod
			0.4 set-draining of prod: [ci/i-1 ci/i-2]
			0.5 record web/i-1/t20261121T090000 4, draining_since 0.5, waiting "to list the tasks on it", no asked
			0.5 record web/i-2/t20261121T090000 4, draining_since 0.5, waiting "to list the tasks on it", no asked
			3.3 record web/i-1/t20261121T090000 5, zero -100
			3.3 record web/i-2/t20261121T090000 5, zero -200
			10.5 list-running-tasks of prod: ci/i-1 ci/i-2
			10.6 tasks of prod: task/a1 task/a2
			10.7 record web/i-1/t20261121T090000 6, left ["a/a1 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21
			> 09:28:20 UTC at the latest"
			10.7 record web/i-2/t20261121T090000 6, left ["a/a2 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21
			> 09:26:40 UTC at the latest"
			10.7 line web/i-1/t20261121T090000 waiting: 1 of 1 tasks left: a/a1 RUNNING
			10.7 line web/i-2/t20261121T090000 waiting: 1 of 1 tasks left: a/a2 RUNNING
			10.7 services of prod: a
			22.5 list-stopped-tasks of prod: ci/i-1 ci/i-2
			25.6 tasks of prod: task/a1 task/a2
			in all: adopted 2, sweeps 1
		`},
		{"EC2 has stopped one host and knows another no more", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3"} {
				a.host(id, "web", "prod", "a"+string(id[2:]))
			}
			a.hear(k, 0, "web", "i-1", "i-2", "i-3")
			a.at[20*sec] = func() {
				for n := range 3 {
					a.instances[n].Healthy = false
				}
				a.machines["i-1"], a.machines["i-2"] = fleet.StateStopped, "none"
			}
		}, 80 * sec, []string{"instances", "answer", "ended"}, `
			0.1 find-container-instances of prod: i-1 i-2 i-3
			60.1 instances: i-1 i-2 i-3
			60.2 record web/i-1/s0 6, intent {"at":60.2,"cut_off":["a/a1 RUNNING"],"outcome":"host-gone","reason":"EC2 says that
			> the instance is stopped: nothing on it can be waited for"}, waiting "for Auto Scaling to take the answer"
			60.2 record web/i-2/s0 6, intent {"at":60.2,"cut_off":["a/a2 RUNNING"],"outcome":"host-gone","reason":"EC2 does not
			> know the instance any more"}, waiting "for Auto Scaling to take the answer"
			60.2 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: EC2 says that the instance is stopped: nothing on it can
			> be waited for
			60.2 line web/i-2/s0 answer: answer ebb-drain with CONTINUE: EC2 does not know the instance any more
			60.2 answer i-1 s0
			60.2 answer i-2 s0
			60.2 container-instances of prod: ci/i-3
			60.3 record web/i-1/s0 7, ended 60.3, final {"at":60.3,"cut_off":["a/a1 RUNNING"],"outcome":"host-gone","reason":"EC2
			> says that the instance is stopped: nothing on it can be waited for"}, intent {"at":60.2,"cut_off":["a/a1
			> RUNNING"],"outcome":"host-gone","reason":"EC2 says that the instance is stopped: nothing on it can be waited for"},
			> open false, no waiting
			60.3 record web/i-2/s0 7, ended 60.3, final {"at":60.3,"cut_off":["a/a2 RUNNING"],"outcome":"host-gone","reason":"EC2
			> does not know the instance any more"}, intent {"at":60.2,"cut_off":["a/a2
			> RUNNING"],"outcome":"host-gone","reason":"EC2 does not know the instance any more"}, open false, no waiting
			60.3 line web/i-1/s0 ended: host-gone: EC2 says that the instance is stopped: nothing on it can be waited for; cut
			> off: a/a1 RUNNING
			60.3 line web/i-2/s0 ended: host-gone: EC2 does not know the instance any more; cut off: a/a2 RUNNING
			75.1 instances: i-3
		`},
		{"no cluster knows two hosts, and does not speak of a third", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3", "i-4"} {
				a.host(id, "web", "prod")
			}
			a.containers = a.containers[2:]
			a.silent["find-container-instances i-3"] = plan.Unclear
			a.hear(k, 0, "web", "i-1", "i-2", "i-3", "i-4")
		}, 66 * sec, []string{"find", "absent", "answer", "joined"}, `
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-4/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1 i-2 i-3 i-4
			0.2 record web/i-1/s0 3, absent_since 0.1, unreached_from 0.1
			0.2 record web/i-2/s0 3, absent_since 0.1, unreached_from 0.1
			5.2 find-container-instances of prod: i-3
			15.1 find-container-instances: i-1 i-2
			15.3 find-container-instances of prod: i-3
			22.5 record web/i-4/s0 6, intent {"at":22.5,"outcome":"drained","reason":"no task was on it"}, waiting "for Auto
			> Scaling to take the answer"
			22.5 line web/i-4/s0 answer: answer ebb-drain with CONTINUE: no task was on it
			22.5 answer i-4 s0
			30.1 find-container-instances: i-1 i-2
			30.4 find-container-instances of prod: i-3
			45.1 find-container-instances: i-1 i-2
			50.5 find-container-instances of prod: i-3
			60.1 find-container-instances: i-1 i-2
			60.2 record web/i-1/s0 4, admitted true, intent {"at":60.2,"outcome":"never-joined","reason":"no cluster knows the
			> instance: two complete looks a minute apart did not find it"}, waiting "for Auto Scaling to take the answer"
			60.2 record web/i-2/s0 4, admitted true, intent {"at":60.2,"outcome":"never-joined","reason":"no cluster knows the
			> instance: two complete looks a minute apart did not find it"}, waiting "for Auto Scaling to take the answer"
			60.2 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: no cluster knows the instance: two complete looks a
			> minute apart did not find it
			60.2 line web/i-2/s0 answer: answer ebb-drain with CONTINUE: no cluster knows the instance: two complete looks a
			> minute apart did not find it
			60.2 answer i-1 s0
			60.2 answer i-2 s0
			60.3 record web/i-1/s0 5, ended 60.3, final {"at":60.3,"outcome":"never-joined","reason":"no cluster knows the
			> instance: two complete looks a minute apart did not find it"}, intent {"at":60.2,"outcome":"never-joined","reason":"no
			> cluster knows the instance: two complete looks a minute apart did not find it"}, open false, no waiting
			60.3 record web/i-2/s0 5, ended 60.3, final {"at":60.3,"outcome":"never-joined","reason":"no cluster knows the
			> instance: two complete looks a minute apart did not find it"}, intent {"at":60.2,"outcome":"never-joined","reason":"no
			> cluster knows the instance: two complete looks a minute apart did not find it"}, open false, no waiting
			60.3 line web/i-1/s0 ended: never-joined: no cluster knows the instance: two complete looks a minute apart did not
			> find it
			60.3 line web/i-2/s0 ended: never-joined: no cluster knows the instance: two complete looks a minute apart did not
			> find it
		`},
		{"ECS forgets two registrations, and does not speak of a third", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3", "i-4"} {
				a.host(id, "web", "prod", "a"+string(id[2:]))
			}
			a.hear(k, 0, "web", "i-1", "i-2", "i-3", "i-4")
			a.at[30*sec] = func() { a.containers = a.containers[2:]; a.silent["container-instances ci/i-3"] = plan.Unclear }
		}, 80 * sec, []string{"container", "absent", "unreached"}, `
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-4/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1 i-2 i-3 i-4
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 record web/i-2/s0 3, admitted true, asked 0.2, container_instance "ci/i-2", waiting "for ECS to set DRAINING"
			0.2 record web/i-3/s0 3, admitted true, asked 0.2, container_instance "ci/i-3", waiting "for ECS to set DRAINING"
			0.2 record web/i-4/s0 3, admitted true, asked 0.2, container_instance "ci/i-4", waiting "for ECS to set DRAINING"
			60.2 container-instances of prod: ci/i-1 ci/i-2 ci/i-3 ci/i-4
			60.3 record web/i-1/s0 6, absent_since 60.2, unreached_from 60.2
			60.3 record web/i-2/s0 6, absent_since 60.2, unreached_from 60.2
			65.3 container-instances of prod: ci/i-3
			75.2 find-container-instances of prod: i-1 i-2
			75.4 container-instances of prod: ci/i-3
		`},
		{"a host that is registered twice", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "b2")
			a.instances = a.instances[:1]
			a.containers[1].Instance, a.containers[1].Connected = "i-1", false
			a.hear(k, 0, "web", "i-1")
			a.at[20*sec] = func() { a.stop("a1") }
			a.at[70*sec] = func() {
				a.containers = a.containers[:1]
				a.partly, a.silent["find-container-instances i-1"] = true, plan.Unclear
			}
			a.at[90*sec] = func() { clear(a.silent) }
		}, 500 * sec, []string{"container", "absent", "registered", "list", "DRAINING", "ended"}, `
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", others
			> [{"arn":"ci/i-2","cluster":"prod"}], waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			22.3 list-stopped-tasks of prod: ci/i-1
			25.5 container-instances of prod: ci/i-1
			25.6 record web/i-1/s0 7, container_instance "ci/i-2", emptied ["ci/i-1"], waiting "to look at another registration of
			> the instance", no draining_since, no empty_since, no others
			25.6 line web/i-1/s0 registered-twice: the instance is registered more than once: after i-1, now i-2
			25.6 find-container-instances of prod: i-1
			25.7 record web/i-1/s0 8, asked 25.7, waiting "for ECS to set DRAINING"
			25.7 line web/i-1/s0 draining: set i-2 DRAINING in cluster prod
			25.8 record web/i-1/s0 9, draining_since 25.8, waiting "to list the tasks on it", no asked
			35.8 list-running-tasks of prod: ci/i-2
			40.7 find-container-instances of prod: i-1
			47.8 list-stopped-tasks of prod: ci/i-2
			55.7 find-container-instances of prod: i-1
			70.7 find-container-instances of prod: i-1
			75.8 find-container-instances of prod: i-1
			85.9 find-container-instances of prod: i-1
			101.0 find-container-instances of prod: i-1
			101.1 record web/i-1/s0 11, absent_since 101, unreached_from 101
			116.0 find-container-instances of prod: i-1
			131.0 find-container-instances of prod: i-1
			146.0 find-container-instances of prod: i-1
			161.0 find-container-instances of prod: i-1
			176.0 find-container-instances of prod: i-1
			191.0 find-container-instances of prod: i-1
			206.0 find-container-instances of prod: i-1
			221.0 find-container-instances of prod: i-1
			236.0 find-container-instances of prod: i-1
			251.0 find-container-instances of prod: i-1
			266.0 find-container-instances of prod: i-1
			281.0 find-container-instances of prod: i-1
			296.0 find-container-instances of prod: i-1
			311.0 find-container-instances of prod: i-1
			326.0 find-container-instances of prod: i-1
			341.0 find-container-instances of prod: i-1
			356.0 find-container-instances of prod: i-1
			371.0 find-container-instances of prod: i-1
			386.0 find-container-instances of prod: i-1
			401.0 find-container-instances of prod: i-1
			401.2 record web/i-1/s0 13, ended 401.2, final {"at":401.2,"cut_off":["b/b2 RUNNING"],"outcome":"lost","reason":"ECS
			> has not reached the instance for 5m0s; of its tasks none is in a target group, as far as is known"}, intent
			> {"at":401.1,"cut_off":["b/b2 RUNNING"],"outcome":"lost","reason":"ECS has not reached the instance for 5m0s; of its
			> tasks none is in a target group, as far as is known"}, open false, no waiting
			401.2 line web/i-1/s0 ended: lost: ECS has not reached the instance for 5m0s; of its tasks none is in a target group,
			> as far as is known; cut off: b/b2 RUNNING
		`},
		{"the count of a registration that was drained meanwhile", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "", "prod", "b2")
			a.containers[1].Instance, a.containers[1].Connected = "i-1", false
			a.hear(k, 0, "web", "i-1")
			a.containers[0].Running = 0
			a.at[100*sec] = func() { a.takes["container-instances"], a.takes["find-container-instances"] = 12*sec, 5*sec }
			a.at[125*sec] = func() { a.task("a1").LastStatus = fleet.Stopped }
		}, 140 * sec, []string{"instances", "absent", "registered", "list", "DRAINING", "ended"}, `
			0.1 find-container-instances of prod: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", others
			> [{"arn":"ci/i-2","cluster":"prod"}], waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			22.3 list-stopped-tasks of prod: ci/i-1
			60.2 container-instances of prod: ci/i-1
			120.2 container-instances of prod: ci/i-1
			130.5 line web/i-1/s0 registered-twice: the instance is registered more than once: after i-1, now i-2
			130.5 find-container-instances of prod: i-1
			132.2 instances: i-1
			135.5 record web/i-1/s0 7, asked 135.5, waiting "for ECS to set DRAINING"
			135.5 line web/i-1/s0 draining: set i-2 DRAINING in cluster prod
			135.6 record web/i-1/s0 8, draining_since 135.6, waiting "to list the tasks on it", no asked
		`},
		{"a host that is registered in two clusters", Config{Groups: managed("web", "")}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "", "test", "b2")
			a.containers[1].Instance, a.containers[1].Connected = "i-1", false
			a.hear(k, 0, "web", "i-1")
			a.takes["find-container-instances prod"], a.takes["find-container-instances test"] = 12*sec, 5*sec
			a.containers[0].Running = 0
			a.at[50*sec] = func() { a.containers[0].Connected = false }
			a.at[78*sec] = func() { a.task("a1").LastStatus = fleet.Stopped }
		}, 120 * sec, []string{"instances", "absent", "registered", "list", "DRAINING", "ended", "tasks of"}, `
			0.1 find-container-instances: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, cluster "prod", container_instance "ci/i-1", others
			> [{"arn":"ci/i-2","cluster":"test"}], waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/a1
			22.3 list-stopped-tasks of prod: ci/i-1
			25.4 tasks of prod: task/a1
			40.4 tasks of prod: task/a1
			55.4 tasks of prod: task/a1
			60.2 container-instances of prod: ci/i-1
			60.3 instances: i-1
			70.4 tasks of prod: task/a1
			75.2 find-container-instances of prod: i-1
			75.3 instances: i-1
			85.4 tasks of prod: task/a1
			85.5 line web/i-1/s0 registered-twice: the instance is registered more than once: after i-1, now i-2
			85.5 find-container-instances of test: i-1
			90.5 record web/i-1/s0 8, asked 90.5, unreached_from 85.5, waiting "for ECS to set DRAINING"
			90.5 line web/i-1/s0 draining: set i-2 DRAINING in cluster test
			90.5 instances: i-1
			90.6 record web/i-1/s0 9, draining_since 90.6, waiting "to list the tasks on it", no asked
			100.6 list-running-tasks of test: ci/i-2
			100.7 tasks of test: task/b2
			105.5 instances: i-1
			105.5 find-container-instances of test: i-1
			112.6 list-stopped-tasks of test: ci/i-2
			115.7 tasks of test: task/b2
		`},
		{"half of the hosts that are searched for go", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.hooks[0].Heartbeat = 30 * sec
			a.takes["find-container-instances"] = 12 * sec
			for n := range 8 {
				id := fleet.InstanceID(fmt.Sprint("i-", n))
				a.host(id, "web", "prod")
				a.hear(k, 0, "web", id)
				if n%2 == 0 {
					gone := a.at[5*sec]
					a.at[5*sec] = func() {
						a.state(id, fleet.TerminatingProceed)
						if gone != nil {
							gone()
						}
					}
				}
			}
		}, 15 * sec, []string{"find", "DRAINING", "set-"}, `
			0.1 record web/i-0/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-4/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-5/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-6/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-7/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-0 i-1 i-2 i-3 i-4 i-5 i-6 i-7
			12.1 record web/i-1/s0 3, admitted true, asked 12.1, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			12.1 record web/i-3/s0 3, admitted true, asked 12.1, container_instance "ci/i-3", waiting "for ECS to set DRAINING"
			12.1 record web/i-5/s0 3, admitted true, asked 12.1, container_instance "ci/i-5", waiting "for ECS to set DRAINING"
			12.1 record web/i-7/s0 3, admitted true, asked 12.1, container_instance "ci/i-7", waiting "for ECS to set DRAINING"
			12.1 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			12.1 line web/i-3/s0 draining: set i-3 DRAINING in cluster prod
			12.1 line web/i-5/s0 draining: set i-5 DRAINING in cluster prod
			12.1 line web/i-7/s0 draining: set i-7 DRAINING in cluster prod
			12.1 set-draining of prod: [ci/i-1 ci/i-3 ci/i-5 ci/i-7]
		`},
		{"ECS counts a task that the first list does not show", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1", "b1")
			hidden := a.tasks[1]
			a.tasks = a.tasks[:1]
			a.hear(k, 0, "web", "i-1")
			a.at[20*sec] = func() { a.stop("a1") }
			a.at[60*sec] = func() { a.tasks = append(a.tasks, hidden) }
			a.at[90*sec] = func() { a.stop("b1") }
		}, 130 * sec, nil, `
			0.0 settle m-i-1: true
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 line web/i-1/s0 heard: Auto Scaling terminates i-1 of group web
			0.0 groups: web
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 hooks of web
			0.1 find-container-instances of prod: i-1
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.2 set-draining of prod: [ci/i-1]
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/a1
			10.5 record web/i-1/s0 5, left ["a/a1 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			10.5 line web/i-1/s0 waiting: 1 of 1 tasks left: a/a1 RUNNING
			10.5 services of prod: a
			22.3 list-stopped-tasks of prod: ci/i-1
			25.4 tasks of prod: task/a1
			25.5 record web/i-1/s0 6, empty_since 25.5, waiting "for ECS to count no running task on it", no left
			25.5 line web/i-1/s0 empty: every task on it has stopped
			25.5 container-instances of prod: ci/i-1
			30.5 container-instances of prod: ci/i-1
			35.5 container-instances of prod: ci/i-1
			40.5 container-instances of prod: ci/i-1
			40.6 list-running-tasks of prod: ci/i-1
			50.7 list-stopped-tasks of prod: ci/i-1
			50.8 container-instances of prod: ci/i-1
			55.6 list-running-tasks of prod: ci/i-1
			60.0 groups: web
			65.7 list-stopped-tasks of prod: ci/i-1
			65.8 container-instances of prod: ci/i-1
			70.6 list-running-tasks of prod: ci/i-1
			70.7 record web/i-1/s0 7, waiting "for 1 of 2 tasks to stop, until 2026-11-21 09:30:00 UTC at the latest", no
			> empty_since
			70.7 tasks of prod: task/b1
			70.8 record web/i-1/s0 8, left ["b/b1 RUNNING"]
			70.8 line web/i-1/s0 waiting: 1 of 2 tasks left: b/b1 RUNNING
			70.8 services of prod: b
			80.7 list-stopped-tasks of prod: ci/i-1
			85.7 tasks of prod: task/b1
			100.7 tasks of prod: task/b1
			100.8 record web/i-1/s0 9, empty_since 100.8, waiting "for ECS to count no running task on it", no left
			100.8 line web/i-1/s0 empty: every task on it has stopped
			100.8 container-instances of prod: ci/i-1
			100.9 record web/i-1/s0 10, intent {"at":100.9,"outcome":"drained","reason":"all 2 tasks have stopped"}, waiting "for
			> Auto Scaling to take the answer"
			100.9 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: all 2 tasks have stopped
			100.9 answer i-1 s0
			101.0 record web/i-1/s0 11, ended 101, final {"at":101,"outcome":"drained","reason":"all 2 tasks have stopped"},
			> intent {"at":100.9,"outcome":"drained","reason":"all 2 tasks have stopped"}, open false, no waiting
			101.0 line web/i-1/s0 ended: drained: all 2 tasks have stopped
			120.0 groups: web
			in all: counts that disagree 5, ended drained 1, sweeps 3, terminate-action 1
		`},
		{"lists that take long, and one that does not come", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3"} {
				a.host(id, "web", "prod", "a"+string(id[2:]), "b"+string(id[2:]))
			}
			a.hooks[0].Heartbeat = 36 * sec
			a.takes["list-running-tasks"], a.takes["tasks"] = 4*sec, 12*sec
			a.silent["list-running-tasks ci/i-2"] = plan.Unclear
			a.hear(k, 0, "web", "i-1", "i-2", "i-3")
			a.at[11*sec] = func() { a.state("i-3", fleet.TerminatingProceed) }
			a.at[14500*time.Millisecond] = func() { a.state("i-1", fleet.TerminatingProceed) }
			a.at[16*sec] = func() { clear(a.silent) }
			a.at[20*sec] = func() { a.tasks = a.tasks[1:] }
		}, 70 * sec, []string{"list", "tasks", "ended", "left"}, `
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			0.3 record web/i-2/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			0.3 record web/i-3/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1 ci/i-2 ci/i-3
			12.1 record web/i-3/s0 5, doubt true, ended 12.1, final {"at":12.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting, no
			> waiting_since
			12.1 line web/i-3/s0 ended: ended-elsewhere: the hook ended without Ebb's answer; the group says that the instance is
			> Terminating:Proceed
			14.3 tasks of prod: task/a1 task/b1
			19.3 list-running-tasks of prod: ci/i-2
			23.3 tasks of prod: task/a2 task/b2
			24.1 record web/i-1/s0 5, doubt true, ended 24.1, final {"at":24.1,"cut_off":["task a1","task
			> b1"],"outcome":"ended-elsewhere","reason":"the hook ended without Ebb's answer; the group says that the instance is
			> Terminating:Proceed"}, open false, no waiting, no waiting_since
			24.1 line web/i-1/s0 ended: ended-elsewhere: the hook ended without Ebb's answer; the group says that the instance is
			> Terminating:Proceed; cut off: task a1, task b1
			33.3 list-stopped-tasks of prod: ci/i-2
			35.3 record web/i-2/s0 5, left ["a/a2 RUNNING","b/b2 RUNNING"], waiting "for 2 of 2 tasks to stop, until 2026-11-21
			> 09:30:00 UTC at the latest"
			35.3 line web/i-2/s0 waiting: 2 of 2 tasks left: a/a2 RUNNING, b/b2 RUNNING
			38.3 tasks of prod: task/a2 task/b2
			53.3 tasks of prod: task/a2 task/b2
			68.3 tasks of prod: task/a2 task/b2
		`},
	})
}

// What comes of a look at what several drains share, each of them learns at once.
func TestWhatDrainsShare(t *testing.T) {
	play(t, []scene{
		{"the hooks of their group", Config{OnePass: true, Groups: managed("web", "prod", "api", "prod")}, func(a *account, k *Kernel) {
			a.group("web", "api")
			a.hooks[0].Heartbeat, a.hooks[1].Heartbeat = 170*sec, 170*sec
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.host("i-3", "api", "prod", "a3")
			a.takes["hooks web"], a.takes["hooks api"] = 3*sec, 6*sec
			a.hear(k, 0, "web", "i-1", "i-2")
			a.hear(k, 0, "api", "i-3")
		}, 20 * sec, []string{"look", "hooks of", "open false", "nothing"}, `
			0.1 hooks of api
			0.1 hooks of web
			3.1 record web/i-1/s0 5, ended 3.1, final {"at":3.1,"outcome":"refused","reason":"hook ebb-drain of group web times
			> out after 2m50s, and Ebb as a function looks once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb
			> serve"}, open false, no known, no waiting
			3.1 record web/i-2/s0 5, ended 3.1, final {"at":3.1,"outcome":"refused","reason":"hook ebb-drain of group web times
			> out after 2m50s, and Ebb as a function looks once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb
			> serve"}, open false, no known, no waiting
			3.1 line web/i-1/s0 cut-off: i-1 ends with work on it, as far as is known: nothing
			3.1 line web/i-1/s0 ended: refused: hook ebb-drain of group web times out after 2m50s, and Ebb as a function looks
			> once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb serve
			3.1 line web/i-2/s0 cut-off: i-2 ends with work on it, as far as is known: nothing
			3.1 line web/i-2/s0 ended: refused: hook ebb-drain of group web times out after 2m50s, and Ebb as a function looks
			> once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb serve
			6.1 record api/i-3/s0 5, ended 6.1, final {"at":6.1,"outcome":"refused","reason":"hook ebb-drain of group api times
			> out after 2m50s, and Ebb as a function looks once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb
			> serve"}, open false, no known, no waiting
			6.1 line api/i-3/s0 cut-off: i-3 ends with work on it, as far as is known: nothing
			6.1 line api/i-3/s0 ended: refused: hook ebb-drain of group api times out after 2m50s, and Ebb as a function looks
			> once in 1m0s: set its heartbeat time-out to 3m0s or more, or run ebb serve
		`},
		{"a service of their cluster", Config{Groups: managed("web", "prod", "api", "test")}, func(a *account, k *Kernel) {
			a.group("web", "api")
			a.host("i-1", "web", "prod", "d1")
			a.host("i-2", "web", "prod", "d2")
			a.host("i-3", "api", "test", "d3")
			a.services = []fleet.Service{{Name: "d", Cluster: "prod", Daemon: true}, {Name: "d", Cluster: "test", Daemon: true}}
			a.takes["services prod"], a.takes["services test"] = 2*sec, 4*sec
			a.hear(k, 0, "web", "i-1", "i-2")
			a.hear(k, 0, "api", "i-3")
			a.idle = true
		}, 16 * sec, []string{"services", "record", "nothing"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-2/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record api/i-3/s0 1, cluster "test", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record api/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 record web/i-2/s0 3, admitted true, asked 0.2, container_instance "ci/i-2", waiting "for ECS to set DRAINING"
			0.2 record api/i-3/s0 3, admitted true, asked 0.2, container_instance "ci/i-3", waiting "for ECS to set DRAINING"
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			0.3 record web/i-2/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			0.3 record api/i-3/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.5 record web/i-1/s0 5, left ["d/d1 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			10.5 record web/i-2/s0 5, left ["d/d2 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			10.5 record api/i-3/s0 5, left ["d/d3 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			10.5 services of prod: d
			10.5 services of test: d
			12.5 record web/i-1/s0 6, empty_since 12.5, waiting "for 1 daemon tasks to stop"
			12.5 record web/i-2/s0 6, empty_since 12.5, waiting "for 1 daemon tasks to stop"
			14.5 record api/i-3/s0 6, empty_since 14.5, waiting "for 1 daemon tasks to stop"
		`},
	})
}

// A sweep tells of the groups that this Ebb works for and of no other: who waits in them, and which of them are excluded.
func TestWhatASweepTells(t *testing.T) {
	groups := append(managed("web-*", "prod", "api", "test"), Managed{Match: "jobs", Policy: drain.Defaults()})
	held := map[string]journal.Lease{"cluster/prod": {Scope: "cluster/prod"}, "group/jobs": {Scope: "group/jobs"}}
	play(t, []scene{
		{"of groups of many kinds", Config{Groups: groups, Held: held}, func(a *account, k *Kernel) {
			a.group("other", "api", "web-1", "web-2", "jobs")
			a.host("i-0", "other", "prod", "a0")
			a.host("i-1", "api", "test", "a1")
			a.host("i-2", "web-1", "prod", "a2")
			a.host("i-3", "jobs", "batch", "a3")
			a.groups[3].Excluded = true
			a.host("i-4", "web-2", "prod", "a4")
			a.host("i-5", "web-2", "prod", "a5")
			a.host("i-6", "web-2", "prod", "a6")
			a.state("i-4", fleet.InService)
			a.state("i-6", fleet.InService)
			a.hear(k, 5*sec, "web-2", "i-4")
			a.at[100*sec] = func() { a.groups[3].Excluded = false; a.state("i-6", fleet.TerminatingWait) }
			a.hear(k, 122*sec, "web-2", "i-6")
		}, 130 * sec, []string{"groups", "hooks", "heard", "settle", "excluded"}, `
			0.0 groups
			0.1 hooks of jobs
			0.1 hooks of web-1
			0.1 hooks of web-2
			0.2 record web-2/i-5/t20261121T090000 1, adopted true, cluster "prod", ended 0.2, final
			> {"at":0.2,"outcome":"excluded","reason":"group web-2 has the tag ebb:exclude=true"}, open false, zero 0.2
			0.2 line web-1/i-2/t20261121T090000 heard: found i-2 of group web-1 waiting in its hook; no message was heard
			0.2 line jobs/i-3/t20261121T090000 heard: found i-3 of group jobs waiting in its hook; no message was heard
			0.2 line web-2/i-5/t20261121T090000 heard: found i-5 of group web-2 waiting in its hook; no message was heard
			0.2 line web-2/i-5/t20261121T090000 excluded: Ebb does not drain i-5: group web-2 has the tag ebb:exclude=true
			0.2 line web-2/i-5/t20261121T090000 ended: excluded: group web-2 has the tag ebb:exclude=true
			5.0 settle m-i-4: true group web-2 has the tag ebb:exclude=true
			5.0 record web-2/i-4/s5 1, cluster "prod", ended 5, final {"at":5,"outcome":"excluded","reason":"group web-2 has the
			> tag ebb:exclude=true"}, open false, token "s5", zero 5
			5.0 line web-2/i-4/s5 heard: Auto Scaling terminates i-4 of group web-2
			5.0 line web-2/i-4/s5 excluded: Ebb does not drain i-4: group web-2 has the tag ebb:exclude=true
			5.0 line web-2/i-4/s5 ended: excluded: group web-2 has the tag ebb:exclude=true
			60.0 groups
			120.0 groups
			120.1 line web-2/i-6/t20261121T090200 heard: found i-6 of group web-2 waiting in its hook; no message was heard
			122.0 settle m-i-6: true already draining
		`},
		{"of a group that nobody manages", Config{Groups: managed("web*", "prod")}, func(a *account, k *Kernel) {
			a.group("other", "web")
			a.host("i-0", "other", "prod", "a0")
		}, 10 * sec, nil, `
			0.0 groups
			0.1 hooks of web
			in all: sweeps 1
		`},
		{"a hook is Ebb's by its name and its transition", Config{Groups: managed("web", "prod", "api", "prod")}, func(a *account, k *Kernel) {
			a.group("web", "api")
			launch, other := a.hooks[0], a.hooks[0]
			launch.Transition, launch.Heartbeat = fleet.Launching, 60*sec
			other.Name, other.Heartbeat = "other", 60*sec
			a.hooks[0].Heartbeat = 75 * sec
			a.hooks = append([]fleet.Hook{launch, other}, a.hooks...)
			launch.Group, other.Group = "api", "api"
			a.hooks = append(a.hooks[:3], launch, other)
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "api", "prod", "a2")
		}, 60 * sec, []string{"groups", "hooks", "heard"}, `
			0.0 groups: web api
			0.1 hooks of api
			0.1 hooks of web
			0.2 line web/i-1/t20261121T090000 heard: found i-1 of group web waiting in its hook; no message was heard
			25.0 groups: web api
			50.0 groups: web api
		`},
		{"whoever left before it waited began when it was last seen to leave", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3", "i-4"} {
				a.host(id, "web", "prod")
				a.activities["web"] = append(a.activities["web"], fleet.Activity{Instance: id, Start: t0.Add(-10 * sec)})
			}
			a.state("i-1", fleet.Terminating)
			a.state("i-2", fleet.InService)
			a.state("i-3", fleet.Terminating)
			a.state("i-4", fleet.Terminating)
			a.at[10*sec] = func() {
				a.state("i-1", fleet.TerminatingWait)
				a.state("i-2", fleet.TerminatingWait)
				a.state("i-3", fleet.InService)
				a.state("i-4", fleet.InService)
			}
			a.at[2*time.Hour-10*sec] = func() { a.state("i-3", fleet.TerminatingWait) }
			a.at[2*time.Hour+10*sec] = func() { a.state("i-4", fleet.TerminatingWait) }
		}, 2*time.Hour + 70*sec, []string{"zero"}, `
			60.1 record web/i-1/t20261121T090100 1, adopted true, cluster "prod", not_before 0, open true, waiting "to look at the
			> group", zero 60.1
			60.1 record web/i-2/t20261121T090100 1, adopted true, cluster "prod", open true, waiting "to look at the group", zero
			> 60.1
			60.3 record web/i-1/t20261121T090100 3, admitted true, asked 60.3, container_instance "ci/i-1", waiting "for ECS to
			> set DRAINING", zero 0
			60.3 record web/i-2/t20261121T090100 3, admitted true, asked 60.3, container_instance "ci/i-2", waiting "for ECS to
			> set DRAINING", zero -10
			7200.1 record web/i-3/t20261121T110000 1, adopted true, cluster "prod", not_before 0, open true, waiting "to look at
			> the group", zero 7200.1
			7200.3 record web/i-3/t20261121T110000 3, admitted true, asked 7200.3, container_instance "ci/i-3", cutting 7200.3,
			> waiting "for ECS to set DRAINING", zero 0
			7260.1 record web/i-4/t20261121T110100 1, adopted true, cluster "prod", open true, waiting "to look at the group",
			> zero 7260.1
			7260.3 record web/i-4/t20261121T110100 3, admitted true, asked 7260.3, container_instance "ci/i-4", cutting 7260.3,
			> waiting "for ECS to set DRAINING", zero -10
		`},
		{"an instance that another hook holds after its drain", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.hooks[0].Heartbeat = 30 * sec
			a.host("i-1", "web", "prod")
			a.host("i-2", "web", "prod")
			a.others["i-1"], a.others["i-2"] = true, true
			a.hear(k, 0, "web", "i-1", "i-2")
			a.at[101*sec] = func() { a.state("i-1", fleet.InService) }
			a.at[121*sec] = func() { a.state("i-1", fleet.TerminatingWait) }
		}, time.Hour + 50*sec, []string{"heard", "open false"}, `
			0.0 line web/i-1/s0 heard: Auto Scaling terminates i-1 of group web
			0.0 line web/i-2/s0 heard: Auto Scaling terminates i-2 of group web
			22.6 record web/i-1/s0 7, ended 22.6, final {"at":22.6,"outcome":"drained","reason":"no task was on it"}, intent
			> {"at":22.5,"outcome":"drained","reason":"no task was on it"}, open false, no waiting
			22.6 record web/i-2/s0 7, ended 22.6, final {"at":22.6,"outcome":"drained","reason":"no task was on it"}, intent
			> {"at":22.5,"outcome":"drained","reason":"no task was on it"}, open false, no waiting
			130.1 line web/i-1/t20261121T090210 heard: found i-1 of group web waiting in its hook; no message was heard
			152.6 record web/i-1/t20261121T090210 6, ended 152.6, final {"at":152.6,"outcome":"drained","reason":"no task was on
			> it"}, intent {"at":152.5,"outcome":"drained","reason":"no task was on it"}, open false, no waiting
			3630.1 line web/i-2/t20261121T100030 heard: found i-2 of group web waiting in its hook; no message was heard
		`},
		{"a group is deleted before its hooks were seen", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod")
			a.fails["hooks"] = unclear
			a.at[21*sec] = func() { a.groups = nil; a.idle = true }
		}, 180 * sec, nil, `
			0.0 groups: web
			0.1 hooks of web
			5.2 hooks of web
			15.3 hooks of web
			21.0 nothing
			26.0 nothing
			31.0 hooks of web
			31.1 nothing
			36.1 nothing
			41.1 nothing
			46.1 nothing
			51.1 hooks of web
			51.2 nothing
			56.2 nothing
			60.0 groups: web
			60.1 nothing
			120.0 groups: web
			120.1 nothing
			180.0 groups: web
			in all: sweeps 3
		`},
	})
}

// An open drain learns from a sweep what its group says of its instance, if the sweep began after it did.
func TestASweepTellsADrain(t *testing.T) {
	play(t, []scene{
		{"a sweep that began before the message", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3"} {
				a.host(id, "web", "prod", "a"+string(id[2:]))
				a.state(id, fleet.InService)
			}
			a.instances[1].Group = ""
			a.takes["groups"], a.early["groups"] = 5*sec, true
			a.at[sec] = func() {
				for n := range 3 {
					a.instances[n].State, a.instances[n].Group = fleet.TerminatingWait, "web"
				}
				a.silent["group-instances i-1"] = plan.Unclear
			}
			a.hear(k, 2*sec, "web", "i-1", "i-2", "i-3")
			a.host("i-4", "", "prod", "a4")
			a.at[61*sec] = func() { a.instances[3].Group = "web" }
			a.hear(k, 61*sec, "web", "i-4")
		}, 76 * sec, []string{"group-instances", "record", "groups"}, `
			0.0 groups: web
			2.0 record web/i-1/s2 1, cluster "prod", open true, token "s2", waiting "to read the tags of the group", zero 2
			2.0 record web/i-2/s2 1, cluster "prod", open true, token "s2", waiting "to read the tags of the group", zero 2
			2.0 record web/i-3/s2 1, cluster "prod", open true, token "s2", waiting "to read the tags of the group", zero 2
			5.0 group-instances: i-1 i-2 i-3
			5.1 record web/i-2/s2 2, waiting "to find the container instance", waiting_since 5
			5.1 record web/i-3/s2 2, waiting "to find the container instance", waiting_since 5
			5.2 record web/i-2/s2 3, admitted true, asked 5.2, container_instance "ci/i-2", waiting "for ECS to set DRAINING"
			5.2 record web/i-3/s2 3, admitted true, asked 5.2, container_instance "ci/i-3", waiting "for ECS to set DRAINING"
			5.3 record web/i-2/s2 4, draining_since 5.3, waiting "to list the tasks on it", no asked
			5.3 record web/i-3/s2 4, draining_since 5.3, waiting "to list the tasks on it", no asked
			10.1 group-instances: i-1
			15.5 record web/i-2/s2 5, left ["a/a2 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:02 UTC at
			> the latest"
			15.5 record web/i-3/s2 5, left ["a/a3 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:02 UTC at
			> the latest"
			20.2 group-instances: i-1
			35.3 group-instances: i-1
			55.4 group-instances: i-1
			60.0 groups: web
			61.0 record web/i-4/s61 1, cluster "prod", open true, token "s61", waiting "to look at the group", zero 61
			61.0 group-instances: i-4
			61.1 record web/i-4/s61 2, waiting "to find the container instance", waiting_since 61
			61.2 record web/i-4/s61 3, admitted true, asked 61.2, container_instance "ci/i-4", waiting "for ECS to set DRAINING"
			61.3 record web/i-4/s61 4, draining_since 61.3, waiting "to list the tasks on it", no asked
			65.0 record web/i-1/s2 2, waiting "to find the container instance", waiting_since 60
			65.1 record web/i-1/s2 3, admitted true, asked 65.1, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			65.2 record web/i-1/s2 4, draining_since 65.2, waiting "to list the tasks on it", no asked
			71.5 record web/i-4/s61 5, left ["a/a4 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:31:01 UTC at
			> the latest"
			75.4 record web/i-1/s2 5, left ["a/a1 RUNNING"], waiting "for 1 of 1 tasks to stop, until 2026-11-21 09:30:02 UTC at
			> the latest"
		`},
		{"what it does not list is looked at by itself", Config{Groups: managed("web", "prod", "api", "prod")}, func(a *account, k *Kernel) {
			a.group("web", "api")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.host("i-3", "api", "prod", "a3")
			a.host("i-4", "web", "prod", "a4")
			a.hear(k, 0, "web", "i-1", "i-2")
			a.hear(k, 0, "api", "i-3")
			a.hear(k, 0, "web", "i-4")
			a.at[20*sec] = func() {
				a.state("i-1", fleet.WarmedPendingWait)
				a.state("i-4", "")
				a.groups = a.groups[:1]
			}
			a.at[30*sec] = func() { a.state("i-3", fleet.InService) }
		}, 125 * sec, []string{"group-instances", "groups", "missing", "staying", "ended"}, `
			0.0 groups: web api
			60.0 groups: web api
			60.1 group-instances: i-1 i-4
			60.2 record web/i-4/s0 6, missing_since 60.1, waiting "for the group to say that the instance is leaving; it says that
			> the instance is not in it"
			75.0 group-instances: i-3 i-4
			75.1 record api/i-3/s0 6, doubt true, staying_since 75, waiting "for the group to say that the instance is leaving; it
			> says that the instance is InService", no waiting_since
			90.0 group-instances: i-3 i-4
			105.0 group-instances: i-3 i-4
			120.0 groups: web api
			120.0 group-instances: i-3 i-4
			121.3 group-instances: i-1
		`},
		{"the message named another group", Config{Groups: managed("web", "prod", "api", "prod")}, func(a *account, k *Kernel) {
			a.group("web", "api")
			a.host("i-1", "api", "prod", "a1")
			a.state("i-1", fleet.InService)
			a.hear(k, 0, "web", "i-1")
		}, 125 * sec, []string{"group-instances", "groups", "missing", "staying", "ended"}, `
			0.0 groups: web api
			0.1 group-instances: i-1
			0.2 record web/i-1/s0 2, missing_since 0.1, waiting "for the group to say that the instance is leaving; it says that
			> the instance is not in it"
			15.1 group-instances: i-1
			30.1 group-instances: i-1
			45.1 group-instances: i-1
			60.0 groups: web api
			60.1 group-instances: i-1
			60.2 record web/i-1/s0 3, ended 60.2, final {"at":60.2,"outcome":"ended-elsewhere","reason":"the hook ended without
			> Ebb's answer; the group says that the instance is not in it"}, open false, no waiting
			60.2 line web/i-1/s0 ended: ended-elsewhere: the hook ended without Ebb's answer; the group says that the instance is
			> not in it
			120.0 groups: web api
		`},
		{"the message named a group that is not there", Config{Groups: managed("web", "prod", "api", "prod")}, func(a *account, k *Kernel) {
			a.group("api")
			a.host("i-1", "api", "prod", "a1")
			a.state("i-1", fleet.InService)
			a.hear(k, 0, "web", "i-1")
		}, 30 * sec, []string{"group-instances", "groups", "missing", "staying", "ended"}, `
			0.0 groups: web api
			0.1 group-instances: i-1
			0.2 record web/i-1/s0 2, missing_since 0.1, waiting "for the group to say that the instance is leaving; it says that
			> the instance is not in it"
			15.1 group-instances: i-1
		`},
	})
}

// Whose drain was let go while it left counts until its hook must have ended, or a sweep finds its group without it.
func TestASweepFreesTheSlotOfWhoWasLetGo(t *testing.T) {
	groups := managed("web", "prod", "api", "prod")
	groups[0].MaxUnavailable, groups[1].MaxUnavailable = MaxUnavailable{Count: 3}, MaxUnavailable{Count: 1}
	play(t, []scene{
		{"one of three is gone, and the group of another", Config{Groups: groups}, func(a *account, k *Kernel) {
			a.group("web", "api")
			a.hooks[0].Heartbeat, a.hooks[1].Heartbeat = 5*time.Minute, 5*time.Minute
			for _, id := range []fleet.InstanceID{"i-1", "i-2", "i-3", "i-4", "i-5", "i-6"} {
				a.host(id, "web", "prod", "a"+string(id[2:]))
				a.hear(k, 0, "web", id)
			}
			a.host("i-7", "api", "prod", "a7")
			a.host("i-8", "api", "prod", "a8")
			a.hear(k, 0, "api", "i-7", "i-8")
			a.at[20*sec] = func() {
				for _, key := range []string{"web/i-1/s0", "web/i-2/s0", "web/i-3/s0", "api/i-7/s0"} {
					k.LetGo(key, nil, t0.Add(20*sec))
				}
				a.state("i-2", "")
				a.groups = a.groups[:1]
			}
		}, 330 * sec, []string{"set-draining", "groups", "slot"}, `
			0.0 groups: web api
			0.2 set-draining of prod: [ci/i-1 ci/i-2 ci/i-3 ci/i-7]
			60.0 groups: web api
			60.1 set-draining of prod: [ci/i-4]
			120.0 groups: web api
			180.0 groups: web api
			240.0 groups: web api
			300.0 groups: web api
			325.3 set-draining of prod: [ci/i-5 ci/i-6 ci/i-8]
		`},
	})
}

// What is asked for is known until it has come back and nobody wants it, whatever a sweep tidies away meanwhile.
func TestASweepForgetsNothingThatIsUnderWay(t *testing.T) {
	play(t, []scene{
		{"services that two drains wait for", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1", "b1")
			a.host("i-2", "web", "prod", "c2", "d2")
			for _, name := range []string{"a", "b", "c", "d"} {
				a.services = append(a.services, fleet.Service{Name: name, Cluster: "prod"})
			}
			a.takes["services"] = 70 * sec
			a.hear(k, 0, "web", "i-1", "i-2")
		}, 720 * sec, []string{"services"}, `
			10.5 services of prod: a b c d
			610.5 services of prod: a b c d
		`},
		{"services of which two drains wait to ask again", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1", "b1")
			a.host("i-2", "web", "prod", "c2", "d2")
			a.fails["services"] = unclear
			a.hear(k, 0, "web", "i-1", "i-2")
		}, 80 * sec, []string{"services", "groups"}, `
			0.0 groups: web
			10.5 services of prod: a b c d
			15.6 services of prod: a b c d
			25.7 services of prod: a b c d
			40.8 services of prod: a b c d
			60.0 groups: web
			60.9 services of prod: a b c d
		`},
		{"a service whose drain has ended", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.services = []fleet.Service{{Name: "a", Cluster: "prod"}}
			a.takes["services"] = 200 * sec
			a.state("i-2", fleet.InService)
			a.at[125*sec] = func() { a.state("i-2", fleet.TerminatingWait) }
			a.hear(k, 0, "web", "i-1")
			a.at[30*sec] = func() { a.state("i-1", fleet.TerminatingProceed) }
			a.hear(k, 130*sec, "web", "i-2")
		}, 300 * sec, []string{"services", "groups", "ended"}, `
			0.0 groups: web
			10.5 services of prod: a
			60.0 groups: web
			60.1 record web/i-1/s0 6, doubt true, ended 60.1, final {"at":60.1,"cut_off":["a/a1
			> RUNNING"],"outcome":"ended-elsewhere","reason":"the hook ended without Ebb's answer; the group says that the instance
			> is Terminating:Proceed"}, open false, no waiting, no waiting_since
			60.1 line web/i-1/s0 ended: ended-elsewhere: the hook ended without Ebb's answer; the group says that the instance is
			> Terminating:Proceed; cut off: a/a1 RUNNING
			120.0 groups: web
			180.0 groups: web
			240.0 groups: web
			300.0 groups: web
		`},
		{"hooks that are asked for again later", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.fails["hooks"] = unclear
		}, 80 * sec, []string{"hooks", "groups"}, `
			0.0 groups: web
			0.1 hooks of web
			5.2 hooks of web
			15.3 hooks of web
			30.4 hooks of web
			50.5 hooks of web
			60.0 groups: web
			75.1 hooks of web
		`},
		{"the size of a cluster that is asked for again later", Config{InFlight: 100}, func(a *account, k *Kernel) {
			a.group("web")
			for i := range wholeFrom {
				id := fleet.InstanceID(fmt.Sprintf("i-%02d", i))
				a.host(id, "web", "prod", "a"+string(id))
				a.hear(k, 0, "web", id)
			}
			a.fails["clusters"], a.fails["list-running-tasks"] = unclear, unclear
			a.takes["list-running-tasks"] = 1300 * time.Millisecond
		}, 70 * sec, []string{"clusters", "groups", "list-"}, `
			0.0 groups: web
			10.3 clusters: prod
			10.4 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			10.4 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			10.4 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			10.4 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			16.7 clusters: prod
			16.7 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			16.7 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			16.7 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			16.7 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			28.0 clusters: prod
			28.0 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			28.0 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			28.0 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			28.0 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			29.3 line  failed: looking at list-running-tasks failed: unknown: no answer; it is tried again
			44.3 clusters: prod
			44.3 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			44.3 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			44.3 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			44.3 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
			60.0 groups: web
			65.6 clusters: prod
			65.6 list-running-tasks of prod: ci/i-00 ci/i-01 ci/i-02 ci/i-03 ci/i-04
			65.6 list-running-tasks of prod: ci/i-05 ci/i-06 ci/i-07 ci/i-08 ci/i-09
			65.6 list-running-tasks of prod: ci/i-10 ci/i-11 ci/i-12 ci/i-13 ci/i-14
			65.6 list-running-tasks of prod: ci/i-15 ci/i-16 ci/i-17 ci/i-18 ci/i-19
		`},
		{"when a place was last looked at", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.state("i-1", fleet.InService)
			a.state("i-2", fleet.InService)
			a.at[59*sec] = func() { a.state("i-1", fleet.TerminatingWait); a.state("i-2", fleet.TerminatingWait) }
			a.hear(k, 59800*time.Millisecond, "web", "i-1")
			a.hear(k, 59850*time.Millisecond, "web", "i-2")
		}, 62 * sec, []string{"instances", "groups"}, `
			0.0 groups: web
			59.8 group-instances: i-1
			59.9 find-container-instances of prod: i-1
			60.0 groups: web
			61.1 find-container-instances of prod: i-2
		`},
	})
}

// What is of no more use goes: nothing grows for ever.
func TestNothingGrowsForEver(t *testing.T) {
	k := newKernel(t, Config{Groups: managed("*", "prod")})
	a := newAccount()
	known := func() string {
		return fmt.Sprintf("%d facts, %d asks, %d owners, %d hooks, %d words, %d places, %d leaving, %d ended, %d open", len(k.facts),
			len(k.asked), len(k.ownerOf), len(k.hooked), len(k.words), len(k.spaced), len(k.leaving), len(k.recent), len(k.open))
	}
	anew := func() {
		was := *a
		*a = *newAccount()
		a.under, a.back = was.under, was.back
	}
	at := time.Duration(0)
	for n := range 6 {
		group, id := fmt.Sprint("web-", n), fleet.InstanceID(fmt.Sprint("i-", n))
		anew()
		a.group(group, "prod") // a group may have the name of a cluster
		service := string(rune('a' + n))
		a.host(id, group, "prod", service+"1")
		a.host(id+"b", group, "prod")
		a.state(id+"b", fleet.Terminating)
		old := a.containers[0] // the agent registers its host again
		a.tasks[0].Addresses = []fleet.Address{{Container: "c", ContainerPort: 80, HostPort: 80}}
		tg := fleet.ARN("tg-" + service)
		a.services = []fleet.Service{{Name: service, Cluster: "prod"}}
		a.services[0].LoadBalancers = []fleet.LoadBalancer{{TargetGroup: tg, Container: "c", ContainerPort: 80}}
		a.health = []fleet.Health{{TargetGroup: tg, Target: fleet.TargetID{ID: string(id), Port: 80}, State: "healthy"}}
		a.delays = []fleet.Delay{{In: tg, Delay: 10 * sec}}
		a.hear(k, at, group, id)
		a.at[at+30*sec] = func() {
			old.ARN, a.containers[0].Connected = "ci/again-"+fleet.ARN(id), false
			a.containers = append(a.containers, old)
		}
		a.run(t, k, at, at+40*time.Minute)
		at += time.Hour
	}
	anew()
	a.group("prod")
	a.run(t, k, at, at+49*time.Hour)
	if got, want := known(), "1 facts, 3 asks, 0 owners, 1 hooks, 0 words, 0 places, 0 leaving, 0 ended, 0 open"; got != want {
		t.Errorf("known in the end: %s, want %s", got, want)
	}
}

// For an hour after its drain an instance that waits is another hook's.
func TestForHowLongAnInstanceIsAnotherHooks(t *testing.T) {
	for after, want := range map[time.Duration]int{time.Hour: 0, time.Hour + 1: 1} {
		k, err := New(Config{Hook: "ebb-drain", Groups: managed("web", "prod")}, nil, []journal.Record{endedAt(t, "web/i-1/first", "first", t0)})
		if err != nil {
			t.Fatal(err)
		}
		a := newAccount()
		a.group("web")
		a.host("i-1", "web", "prod")
		if a.run(t, k, after, after+sec); k.Open() != want {
			t.Errorf("%s after its drain: %d drains are open, want %d", after, k.Open(), want)
		}
	}
}

// Of the registrations of a host one is drained first: that which ECS reaches before one that it does not, and that before one that is
// INACTIVE.
func TestWhichRegistrationIsDrained(t *testing.T) {
	ci := func(arn fleet.ARN, status string, connected bool) fleet.ContainerInstance {
		return fleet.ContainerInstance{ARN: arn, Cluster: "prod", Status: status, Connected: connected}
	}
	reached, other := ci("1", fleet.Active, true), ci("2", fleet.Active, true)
	away, gone := ci("3", fleet.Active, false), ci("4", fleet.Inactive, true)
	for name, x := range map[string]struct {
		begun   fleet.ARN
		emptied []fleet.ARN
		all     []fleet.ContainerInstance
		lead    fleet.ARN
		reached bool // by another
	}{
		"one that is away before one that is gone": {"", nil, []fleet.ContainerInstance{gone, away}, "3", false},
		"also if that was begun":                   {"4", nil, []fleet.ContainerInstance{gone, away}, "3", false},
		"of two alike the first":                   {"", nil, []fleet.ContainerInstance{reached, other}, "1", false},
		"of two alike that which was begun":        {"2", nil, []fleet.ContainerInstance{reached, other}, "2", false},
		"one that is done does not lead":           {"", []fleet.ARN{"1"}, []fleet.ContainerInstance{reached, gone, away}, "3", true},
		"it is reached by itself":                  {"", nil, []fleet.ContainerInstance{away, reached}, "1", false},
	} {
		d := drain.Drain{Emptied: x.emptied, Host: drain.Host{ContainerInstance: x.begun}}
		if got, ok := leading(&d, x.all); !ok || got.ARN != x.lead || got.Reached != x.reached {
			t.Errorf("%s: %s leads, reached by another: %v", name, got.ARN, got.Reached)
		}
	}
}
