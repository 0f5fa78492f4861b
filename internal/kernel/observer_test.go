package kernel

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Why looks fail is written down once, at once when a person must mend it, and otherwise when it does not pass by itself.
func TestWhyLooksFailIsWrittenOnce(t *testing.T) {
	fails := func(a *account, after time.Duration, class plan.Class, message string) {
		a.at[after] = func() {
			delete(a.fails, "groups")
			if class != plan.OK {
				a.fails["groups"] = &plan.Failure{Class: class, Message: message}
			}
		}
	}
	play(t, []scene{
		{"denied, for two reasons, and once more", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			fails(a, 0, plan.Denied, "no right")
			fails(a, 22*sec, plan.Denied, "no account")
			fails(a, 60*sec, plan.OK, "")
			fails(a, 80*sec, plan.Denied, "no account")
		}, 200 * sec, []string{"groups", "failed"}, `
			0.0 groups: web
			0.1 line  failed: looking at groups failed: denied: no right; it is tried again
			5.1 groups: web
			15.2 groups: web
			30.3 groups: web
			30.4 line  failed: looking at groups failed: denied: no account; it is tried again
			50.4 groups: web
			70.5 groups: web
			130.5 groups: web
			130.6 line  failed: looking at groups failed: denied: no account; it is tried again
			135.6 groups: web
			145.7 groups: web
			160.8 groups: web
			180.9 groups: web
		`},
		{"invalid, then gone", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			fails(a, 0, plan.Invalid, "not so")
			fails(a, 20*sec, plan.Gone, "not there")
			fails(a, 40*sec, plan.Unclear, "no answer")
			fails(a, 60*sec, plan.OK, "")
		}, 70 * sec, []string{"groups", "failed"}, `
			0.0 groups: web
			0.1 line  failed: looking at groups failed: invalid: not so; it is tried again
			5.1 groups: web
			15.2 groups: web
			30.3 groups: web
			30.4 line  failed: looking at groups failed: gone: not there; it is tried again
			50.4 groups: web
		`},
		{"no answer, for long", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			fails(a, 0, plan.Unclear, "no answer")
			fails(a, 50*sec, plan.OK, "")
			fails(a, 70*sec, plan.Unclear, "no answer")
			fails(a, 100*sec, plan.Throttled, "too many")
		}, 420 * sec, []string{"groups", "failed"}, `
			0.0 groups: web
			5.1 groups: web
			15.2 groups: web
			30.3 groups: web
			50.4 groups: web
			110.4 groups: web
			115.5 groups: web
			125.6 groups: web
			140.7 groups: web
			160.8 groups: web
			180.9 groups: web
			201.0 groups: web
			221.1 groups: web
			241.2 groups: web
			261.3 groups: web
			281.4 groups: web
			301.5 groups: web
			301.6 line  failed: looking at groups failed: throttled: too many; it is tried again
			321.6 groups: web
			341.7 groups: web
			361.8 groups: web
			381.9 groups: web
			402.0 groups: web
		`},
		{"of one instance, denied", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod")
			a.host("i-2", "web", "prod")
			a.host("i-3", "web", "prod")
			a.silent["find-container-instances i-2"] = plan.Denied
			a.silent["find-container-instances i-3"] = plan.Denied
			a.hear(k, 0, "web", "i-1", "i-2", "i-3")
			a.at[16*sec] = func() { delete(a.silent, "find-container-instances i-2") }
		}, 20 * sec, nil, `
			0.0 settle m-i-1: true
			0.0 settle m-i-2: true
			0.0 settle m-i-3: true
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-2/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-3/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 line web/i-1/s0 heard: Auto Scaling terminates i-1 of group web
			0.0 line web/i-2/s0 heard: Auto Scaling terminates i-2 of group web
			0.0 line web/i-3/s0 heard: Auto Scaling terminates i-3 of group web
			0.0 groups: web
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 hooks of web
			0.1 find-container-instances of prod: i-1 i-2 i-3
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 line  failed: looking at find-container-instances failed: denied: no word; it is tried again
			0.2 line web/i-1/s0 draining: set i-1 DRAINING in cluster prod
			0.2 set-draining of prod: [ci/i-1]
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			5.2 find-container-instances of prod: i-2 i-3
			10.3 list-running-tasks of prod: ci/i-1
			10.4 record web/i-1/s0 5, empty_since 10.4, waiting "to list the tasks on it once more"
			15.3 find-container-instances of prod: i-2 i-3
			in all: sweeps 1, terminate-action 3
		`},
		{"denied for one of its instances", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod")
			a.host("i-2", "web", "prod")
			a.silent["find-container-instances i-2"] = plan.Denied
			a.hear(k, 0, "web", "i-1", "i-2")
		}, 20 * sec, []string{"find", "failed", "waiting"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-2/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1 i-2
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.2 line  failed: looking at find-container-instances failed: denied: no word; it is tried again
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			5.2 find-container-instances of prod: i-2
			10.4 record web/i-1/s0 5, empty_since 10.4, waiting "to list the tasks on it once more"
			15.3 find-container-instances of prod: i-2
		`},
	})
}

// What a look did not say stays as it was, and is asked again after 5, 10, 15 and then every 20 s.
func TestWhatALookDidNotSay(t *testing.T) {
	play(t, []scene{
		{"every look at the tasks fails, then one is not described", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1", "b1")
			a.hear(k, 0, "web", "i-1")
			a.fails["tasks"] = unclear
			a.at[20*sec] = func() { delete(a.fails, "tasks") }
			a.at[32*sec] = func() { a.fails["tasks"] = unclear }
			a.at[62*sec] = func() { delete(a.fails, "tasks"); a.silent["tasks task/b1"] = plan.Unclear }
			a.at[90*sec] = func() { a.stop("a1", "b1") }
			a.at[110*sec] = func() { delete(a.silent, "tasks task/b1") }
		}, 200 * sec, []string{"tasks", "record", "ended"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/a1 task/b1
			15.5 tasks of prod: task/a1 task/b1
			22.3 list-stopped-tasks of prod: ci/i-1
			25.6 tasks of prod: task/a1 task/b1
			25.7 record web/i-1/s0 5, left ["a/a1 RUNNING","b/b1 RUNNING"], waiting "for 2 of 2 tasks to stop, until 2026-11-21
			> 09:30:00 UTC at the latest"
			25.7 line web/i-1/s0 waiting: 2 of 2 tasks left: a/a1 RUNNING, b/b1 RUNNING
			40.6 tasks of prod: task/a1 task/b1
			45.7 tasks of prod: task/a1 task/b1
			55.8 tasks of prod: task/a1 task/b1
			70.9 tasks of prod: task/a1 task/b1
			85.9 tasks of prod: task/a1
			91.0 tasks of prod: task/b1
			100.9 tasks of prod: task/a1
			101.0 record web/i-1/s0 6, left ["b/b1 RUNNING"], waiting "for 1 of 2 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			101.0 line web/i-1/s0 waiting: 1 of 2 tasks left: b/b1 RUNNING
			111.1 tasks of prod: task/b1
			111.2 record web/i-1/s0 7, empty_since 111.2, waiting "for ECS to count no running task on it", no left
			111.3 record web/i-1/s0 8, intent {"at":111.3,"outcome":"drained","reason":"all 2 tasks have stopped"}, waiting "for
			> Auto Scaling to take the answer"
			111.3 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: all 2 tasks have stopped
			111.4 record web/i-1/s0 9, ended 111.4, final {"at":111.4,"outcome":"drained","reason":"all 2 tasks have stopped"},
			> intent {"at":111.3,"outcome":"drained","reason":"all 2 tasks have stopped"}, open false, no waiting
			111.4 line web/i-1/s0 ended: drained: all 2 tasks have stopped
		`},
		{"no look at the container instances succeeds", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "a1")
			a.fails["find-container-instances"], a.fails["instances"], a.fails["group-instances"] = unclear, unclear, unclear
			a.hear(k, 0, "web", "i-1")
		}, 400 * sec, []string{"instances", "record", "ended"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1
			5.2 find-container-instances of prod: i-1
			15.3 find-container-instances of prod: i-1
			30.4 find-container-instances of prod: i-1
			50.5 find-container-instances of prod: i-1
			60.0 instances: i-1
			65.1 instances: i-1
			70.6 find-container-instances of prod: i-1
			75.2 instances: i-1
			90.3 instances: i-1
			90.7 find-container-instances of prod: i-1
			110.4 instances: i-1
			110.8 find-container-instances of prod: i-1
			130.5 instances: i-1
			130.9 find-container-instances of prod: i-1
			150.6 instances: i-1
			151.0 find-container-instances of prod: i-1
			170.7 instances: i-1
			171.1 find-container-instances of prod: i-1
			190.8 instances: i-1
			191.2 find-container-instances of prod: i-1
			191.3 line  failed: looking at find-container-instances failed: unknown: no answer; it is tried again
			210.9 instances: i-1
			211.3 find-container-instances of prod: i-1
			231.0 instances: i-1
			231.4 find-container-instances of prod: i-1
			251.1 instances: i-1
			251.2 line  failed: looking at instances failed: unknown: no answer; it is tried again
			251.5 find-container-instances of prod: i-1
			271.2 instances: i-1
			271.6 find-container-instances of prod: i-1
			291.3 instances: i-1
			291.7 find-container-instances of prod: i-1
			311.4 instances: i-1
			311.8 find-container-instances of prod: i-1
			331.5 instances: i-1
			331.9 find-container-instances of prod: i-1
			351.6 instances: i-1
			352.0 find-container-instances of prod: i-1
			371.7 instances: i-1
			372.1 find-container-instances of prod: i-1
			391.8 instances: i-1
			392.2 find-container-instances of prod: i-1
		`},
		{"tasks that AWS knows no more, and one that it does not speak of", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.host("i-1", "web", "prod", "d1", "a1", "b1", "c1")
			a.hear(k, 0, "web", "i-1")
			a.at[20*sec] = func() { a.stop("d1", "a1", "b1"); a.tasks = a.tasks[3:]; a.silent["tasks task/b1"] = plan.Unclear }
			a.at[60*sec] = func() { a.stop("c1") }
			a.at[80*sec] = func() { clear(a.silent) }
		}, 130 * sec, []string{"tasks", "record", "ended"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.2 record web/i-1/s0 3, admitted true, asked 0.2, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			0.3 record web/i-1/s0 4, draining_since 0.3, waiting "to list the tasks on it", no asked
			10.3 list-running-tasks of prod: ci/i-1
			10.4 tasks of prod: task/a1 task/b1 task/c1 task/d1
			10.5 record web/i-1/s0 5, left ["a/a1 RUNNING","b/b1 RUNNING","c/c1 RUNNING","d/d1 RUNNING"], waiting "for 4 of 4
			> tasks to stop, until 2026-11-21 09:30:00 UTC at the latest"
			10.5 line web/i-1/s0 waiting: 4 of 4 tasks left: a/a1 RUNNING, b/b1 RUNNING, c/c1 RUNNING, d/d1 RUNNING
			22.3 list-stopped-tasks of prod: ci/i-1
			25.4 tasks of prod: task/a1 task/b1 task/c1 task/d1
			25.5 record web/i-1/s0 6, left ["b/b1 RUNNING","c/c1 RUNNING"], waiting "for 2 of 4 tasks to stop, until 2026-11-21
			> 09:30:00 UTC at the latest"
			25.5 line web/i-1/s0 waiting: 2 of 4 tasks left: b/b1 RUNNING, c/c1 RUNNING
			30.5 tasks of prod: task/b1
			40.4 tasks of prod: task/c1
			41.6 tasks of prod: task/b1
			55.4 tasks of prod: task/c1
			56.7 tasks of prod: task/b1
			70.4 tasks of prod: task/c1
			70.5 record web/i-1/s0 7, left ["b/b1 RUNNING"], waiting "for 1 of 4 tasks to stop, until 2026-11-21 09:30:00 UTC at
			> the latest"
			70.5 line web/i-1/s0 waiting: 1 of 4 tasks left: b/b1 RUNNING
			76.8 tasks of prod: task/b1
			96.9 tasks of prod: task/b1
			97.0 record web/i-1/s0 8, empty_since 97, intent {"at":97,"outcome":"drained","reason":"all 4 tasks have stopped"},
			> waiting "for Auto Scaling to take the answer", no left
			97.0 line web/i-1/s0 answer: answer ebb-drain with CONTINUE: all 4 tasks have stopped
			97.1 record web/i-1/s0 9, ended 97.1, final {"at":97.1,"outcome":"drained","reason":"all 4 tasks have stopped"},
			> intent {"at":97,"outcome":"drained","reason":"all 4 tasks have stopped"}, open false, no waiting
			97.1 line web/i-1/s0 ended: drained: all 4 tasks have stopped
		`},
	})
}

// A new drain of the same instance knows nothing of the one before, and a look that began before it says nothing about it.
func TestALookFromAnEarlierLife(t *testing.T) {
	play(t, []scene{
		{"container instances that were searched for before", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.hooks[0].Heartbeat = 30 * sec
			a.host("i-1", "web", "prod", "a1")
			a.takes["find-container-instances"], a.early["find-container-instances"] = 14*sec, true
			a.host("i-2", "web", "prod", "a2")
			a.host("i-3", "web", "prod", "a3")
			joins := a.containers[2]
			a.containers = a.containers[:2]
			a.hear(k, 0, "web", "i-1", "i-2", "i-3")
			a.at[5*sec] = func() {
				for n := range 3 {
					a.instances[n].State = fleet.TerminatingProceed
				}
			}
			a.at[11*sec] = func() {
				a.containers = append(a.containers, joins)
				a.state("i-1", fleet.TerminatingWait)
				a.state("i-3", fleet.TerminatingWait)
			}
			a.hear(k, 12*sec, "web", "i-1", "i-3")
		}, 30 * sec, []string{"find", "record"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-2/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-3/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 record web/i-1/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-2/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 record web/i-3/s0 2, waiting "to find the container instance", waiting_since 0
			0.1 find-container-instances of prod: i-1 i-2 i-3
			10.1 record web/i-1/s0 3, doubt true, ended 10.1, final {"at":10.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting, no
			> waiting_since
			10.1 record web/i-2/s0 3, doubt true, ended 10.1, final {"at":10.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting, no
			> waiting_since
			10.1 record web/i-3/s0 3, doubt true, ended 10.1, final {"at":10.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting, no
			> waiting_since
			12.0 record web/i-1/s12 1, cluster "prod", open true, token "s12", waiting "to look at the group", zero 12
			12.0 record web/i-3/s12 1, cluster "prod", open true, token "s12", waiting "to look at the group", zero 12
			12.1 record web/i-1/s12 2, waiting "to find the container instance", waiting_since 12
			12.1 record web/i-3/s12 2, waiting "to find the container instance", waiting_since 12
			12.1 find-container-instances of prod: i-1 i-3
			14.1 find-container-instances of prod: i-1 i-3
			26.1 record web/i-1/s12 3, admitted true, asked 26.1, container_instance "ci/i-1", waiting "for ECS to set DRAINING"
			26.1 record web/i-3/s12 3, admitted true, asked 26.1, container_instance "ci/i-3", waiting "for ECS to set DRAINING"
			26.2 record web/i-1/s12 4, draining_since 26.2, waiting "to list the tasks on it", no asked
			26.2 record web/i-3/s12 4, draining_since 26.2, waiting "to list the tasks on it", no asked
		`},
		{"a group that was asked before", Config{}, func(a *account, k *Kernel) {
			a.group("web")
			a.hooks[0].Heartbeat = 30 * sec
			a.host("i-1", "web", "prod", "a1")
			a.host("i-2", "web", "prod", "a2")
			a.state("i-1", fleet.WarmedPendingWait)
			a.state("i-2", fleet.WarmedPendingWait)
			a.takes["group-instances"], a.early["group-instances"] = 14*sec, true
			a.hear(k, 0, "web", "i-1", "i-2")
			a.at[5*sec] = func() { a.state("i-1", fleet.TerminatingProceed); a.state("i-2", fleet.TerminatingProceed) }
			a.at[11*sec] = func() { a.state("i-1", fleet.InService) }
			a.hear(k, 12*sec, "web", "i-1")
		}, 30 * sec, []string{"group-instances", "record"}, `
			0.0 record web/i-1/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.0 record web/i-2/s0 1, cluster "prod", open true, token "s0", waiting "to read the tags of the group", zero 0
			0.1 group-instances: i-1 i-2
			10.1 record web/i-1/s0 2, doubt true, ended 10.1, final {"at":10.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting
			10.1 record web/i-2/s0 2, doubt true, ended 10.1, final {"at":10.1,"outcome":"ended-elsewhere","reason":"the hook
			> ended without Ebb's answer; the group says that the instance is Terminating:Proceed"}, open false, no waiting
			12.0 record web/i-1/s12 1, cluster "prod", open true, token "s12", waiting "to look at the group", zero 12
			12.0 group-instances: i-1
			14.1 group-instances: i-1
			20.1 record web/i-1/s12 2, doubt true, staying_since 20, waiting "for the group to say that the instance is leaving;
			> it says that the instance is InService"
		`},
	})
}

// DescribeTasks returns a fresh copy of each string, for tens of thousands of tasks: those that are the same are kept once.
func TestTasksShareTheirStrings(t *testing.T) {
	a := newAccount()
	a.group("web")
	a.host("i-1", "web", "prod", "a1", "a2")
	k := newKernel(t, Config{})
	a.hear(k, 0, "web", "i-1")
	a.at[5*sec] = func() {
		for n := range a.tasks {
			x := &a.tasks[n]
			x.Cluster, x.Family, x.Group = strings.Clone("prod"), strings.Clone("a:1"), strings.Clone("service:a")
			x.ContainerInstance, x.StoppedReason = fleet.ARN(strings.Clone("ci/i-1")), strings.Clone("scaling")
			x.LastStatus, x.DesiredStatus = strings.Clone("RUNNING"), strings.Clone("RUNNING")
		}
	}
	a.run(t, k, 0, 30*sec)
	texts := func(n int) []string {
		x := k.sorted[0].tasks[n].Value
		return []string{x.Cluster, x.Family, x.Group, x.StoppedReason, string(x.ContainerInstance), x.LastStatus, x.DesiredStatus}
	}
	one, other := texts(0), texts(1)
	for i := range one {
		if one[i] == "" || one[i] != other[i] || unsafe.StringData(one[i]) != unsafe.StringData(other[i]) {
			t.Errorf("%q and %q are not one string", one[i], other[i])
		}
	}
}
