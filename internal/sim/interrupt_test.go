package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
)

// told is what the record says of the interruption of a task, in order: seconds since the notice, what, and by whom. STOPPED has no time.
func (b bench) told(arn string) string {
	b.t.Helper()
	var notice time.Time
	var all []string
	for _, e := range b.Record() {
		if e.Task != arn || notice.IsZero() && e.Kind != core.EntryNotice {
			continue
		}
		what := e.To
		switch {
		case e.Kind == core.EntryNotice:
			notice = e.At
		case e.To == "STOPPED": // a second or two later
			all = append(all, e.To)
			continue
		case e.Kind == core.EntryNote:
			what = e.Text
		case e.Kind == core.EntryTarget:
			what = e.To + " by " + e.By
		}
		all = append(all, fmt.Sprintf("%.0f %s", e.At.Sub(notice).Seconds(), what))
	}
	return strings.Join(all, ", ")
}

// TestSpotOrders: what happens when a Fargate Spot task is interrupted, in each order of AWS, by the record.
func TestSpotOrders(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"promised": {func(*Spec) {}, "0 interrupted, 1 DEACTIVATING, 1 draining by ecs, 2 SIGTERM, 2 STOPPING, 7 exited, 7 DEPROVISIONING, " +
			"STOPPED, 31 unused by aws"},
		"before 2023": {func(s *Spec) { s.Switches.SpotOrder = core.SpotBefore2023 }, "0 interrupted, 0 SIGTERM, 1 DEACTIVATING, 1 STOPPING, " +
			"5 exited, 5 DEPROVISIONING, STOPPED, 7 draining by ecs, 37 unused by aws"},
		"2025": {func(s *Spec) { s.Switches.SpotOrder = core.Spot2025 }, "0 interrupted, 0 SIGTERM, 1 DEACTIVATING, 5 exited, " +
			"10 draining by ecs, 10 STOPPING, 10 DEPROVISIONING, STOPPED, 40 unused by aws"},
		"2025, later": {func(s *Spec) { s.Switches.SpotOrder, s.Switches.SpotDeregister = core.Spot2025, 20*time.Second }, "0 interrupted, " +
			"0 SIGTERM, 1 DEACTIVATING, 5 exited, 15 unhealthy by aws, 20 draining by ecs, 20 STOPPING, 20 DEPROVISIONING, STOPPED, " +
			"50 unused by aws"},
		"a process that does not exit": {func(s *Spec) { s.TaskDefinitions[0].Exit = time.Hour }, "0 interrupted, 1 DEACTIVATING, " +
			"1 draining by ecs, 2 SIGTERM, 2 STOPPING, 31 unused by aws, 120 SIGKILL, 120 DEPROVISIONING, STOPPED"},
		"a short stop timeout": {func(s *Spec) { s.TaskDefinitions[0].Exit, s.TaskDefinitions[0].Stop = time.Hour, 0 }, "0 interrupted, " +
			"1 DEACTIVATING, 1 draining by ecs, 2 SIGTERM, 2 STOPPING, 31 unused by aws, 32 SIGKILL, 32 DEPROVISIONING, STOPPED"},
		"a delay longer than the notice": {func(s *Spec) { s.TargetGroups[0].Delay = 5 * time.Minute }, "0 interrupted, 1 DEACTIVATING, " +
			"1 draining by ecs, 2 SIGTERM, 2 STOPPING, 7 exited, 7 DEPROVISIONING, STOPPED, 301 unused by aws"},
	} {
		t.Run(name, func(t *testing.T) {
			b := onFargate(t, 1, row.change)
			task := b.of("web")[0]
			b.must(b.InterruptTask("prod", task.ARN))
			b.pass(10 * time.Minute)
			if got := b.told(task.ARN); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// TestSpotTargetTakenByHand: who takes the target out before ECS does is in the record, and ECS does not wait for it.
func TestSpotTargetTakenByHand(t *testing.T) {
	b := onFargate(t, 1, func(s *Spec) { s.Switches.SpotOrder = core.Spot2025; s.TargetGroups[0].Delay = 4 * time.Second })
	task := b.of("web")[0]
	b.must(b.InterruptTask("prod", task.ARN))
	b.pass(2 * time.Second)
	b.SetCaller("lambda")
	groups, err := b.DescribeTargetGroups(nil, []string{"tg"})
	b.must(err)
	b.must(b.DeregisterTargets(groups[0].ARN, []elb.Target{{ID: task.IP, Port: 8080}}))
	b.pass(time.Minute)
	want := "0 interrupted, 0 SIGTERM, 1 DEACTIVATING, 2 draining by lambda, 5 exited, 6 unused by aws, " +
		"10 STOPPING, 10 DEPROVISIONING, STOPPED"
	if got := b.told(task.ARN); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestThreeOfTenSpotTasks are interrupted and nobody helps: the service has ten again, on Spot if it has capacity.
func TestThreeOfTenSpotTasks(t *testing.T) {
	for _, there := range []bool{true, false} {
		b := onFargate(t, 10, nil)
		b.must(b.SetFargateCapacity("FARGATE_SPOT", there))
		gone, err := b.SpotTasks("prod", "web", "")
		b.must(err)
		for _, arn := range gone[:3] {
			b.must(b.InterruptTask("prod", arn))
		}
		b.pass(2 * time.Second)
		want := 7
		if there {
			want = 10
		}
		if running, err := b.ListTasks("prod", ecs.TaskQuery{Service: "web"}); err != nil || len(running) != want {
			t.Errorf("after 2 s, capacity %v: %d are meant to run (%v)", there, len(running), err)
		}
		b.pass(2 * time.Minute)
		if got := b.by("web")["FARGATE_SPOT"]; got != want {
			t.Errorf("after two minutes, capacity %v: %d tasks", there, got)
		}
		b.must(b.SetFargateCapacity("FARGATE_SPOT", true))
		b.pass(6 * time.Minute)
		if got := b.service("web"); got.Running != 10 {
			t.Errorf("in the end %d run", got.Running)
		}
	}
}

// TestSpotEvent: the event of an interruption, as AWS documents it, and as it was seen otherwise.
func TestSpotEvent(t *testing.T) {
	notice := func(change func(*Spec)) (bench, *ecs.Task, []map[string]any) {
		b := onFargate(t, 1, func(s *Spec) { s.Switches.Notify = time.Second; change(s) })
		task := b.of("web")[0]
		b.pass(time.Second)
		b.events("")
		b.must(b.InterruptTask("prod", task.ARN))
		b.pass(1500 * time.Millisecond)
		return b, task, ofTask(b.events("ECS Task State Change"), task.ARN)
	}
	b, task, got := notice(func(*Spec) {})
	if len(got) != 1 {
		t.Fatalf("%d events of the task in the first seconds, want the notice alone", len(got))
	}
	for name, want := range map[string]any{
		"desiredStatus": "STOPPED", "lastStatus": "RUNNING", "stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.",
		"capacityProviderName": "FARGATE_SPOT", "launchType": "FARGATE", "platformVersion": "1.4.0", "group": "service:web",
		"cpu": "256", "memory": "512", "stoppedAt": nil, "containerInstanceArn": nil,
		"clusterArn": b.ARN("ecs", "cluster/prod"), "taskArn": task.ARN, "taskDefinitionArn": b.ARN("ecs", "task-definition/web:1"),
		"connectivity": "CONNECTED", "availabilityZone": "eu-west-1a", "enableExecuteCommand": false,
		"stoppingAt": core.ISOMillis(b.at(core.EntryNotice, nil)),
	} {
		if got[0][name] != want {
			t.Errorf("%s is %v, want %v", name, got[0][name], want)
		}
	}
	if at := fmt.Sprint(got[0]["attachments"]); !strings.Contains(at, "map[name:privateIPv4Address value:"+task.IP+"]") ||
		!strings.Contains(at, "type:eni") {
		t.Errorf("attachments: %s", at)
	}
	for name, row := range map[string]struct {
		change   func(*Spec)
		code     any
		provider any
	}{
		"an older stop code":   {func(s *Spec) { s.Switches.SpotStopCode = "TerminationNotice" }, "TerminationNotice", "FARGATE_SPOT"},
		"no stop code":         {func(s *Spec) { s.Switches.SpotStopCode = core.SpotNoCode }, nil, "FARGATE_SPOT"},
		"no capacity provider": {func(s *Spec) { s.Switches.SpotEventNoProvider = true }, "SpotInterruption", nil},
		"neither of both": {func(s *Spec) {
			s.Switches.SpotStopCode, s.Switches.SpotEventNoProvider = core.SpotNoCode, true
		}, nil, nil},
	} {
		_, task, got := notice(row.change)
		if len(got) != 1 || got[0]["stopCode"] != row.code || got[0]["capacityProviderName"] != row.provider ||
			task.CapacityProvider != "FARGATE_SPOT" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, _, got := notice(func(s *Spec) { s.Switches.SpotEventLost = 100 }); len(got) != 0 {
		t.Errorf("lost, and yet there is %v", got)
	}
	b, task, got = notice(func(s *Spec) { s.Switches.SpotEventLate = 20 * time.Second })
	b.pass(25 * time.Second)
	late := ofTask(b.events("ECS Task State Change"), task.ARN)
	if len(got) != 0 || len(late) == 0 || late[len(late)-1]["lastStatus"] != "RUNNING" || late[0]["lastStatus"] != "DEACTIVATING" {
		t.Errorf("late: %v, then %v", got, late)
	}
}

func ofTask(events []map[string]any, arn string) (all []map[string]any) {
	for _, e := range events {
		if e["taskArn"] == arn {
			all = append(all, e)
		}
	}
	return all
}

// TestSpotRefusals: what is not interrupted, and a task that does not run yet.
func TestSpotRefusals(t *testing.T) {
	b := onFargate(t, 1, func(s *Spec) {
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", LaunchType: "FARGATE"}, {Cluster: "prod", Task: "job", Providers: spotShare(0, 0, 1)}}
	})
	b.wantError(b.InterruptTask("none", "x"), "ClusterNotFoundException", "")
	b.wantError(b.InterruptTask("prod", "x"), "InvalidParameterException", "not found")
	all := b.Tasks("prod")
	for _, task := range all {
		if task.CapacityProvider == "" {
			b.wantError(b.InterruptTask("prod", task.ARN), "InvalidParameterException", "is not on FARGATE_SPOT")
		}
	}
	spots, err := b.SpotTasks("prod", "", "job")
	if err != nil || len(spots) != 1 {
		t.Fatalf("Spot tasks of a family: %v %v", spots, err)
	}
	b.must(b.InterruptTask("prod", spots[0]))
	b.wantError(b.InterruptTask("prod", spots[0]), "InvalidParameterException", "is stopping already")
	b.pass(time.Minute)
	b.wantCourse(core.EntryTask, isTask(spots[0]), "PROVISIONING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED")
	b.wantError(b.InterruptTask("prod", spots[0]), "InvalidParameterException", "not found")
	started, _, err := b.RunTasks("prod", ecs.TaskRun{Definition: "job", Providers: spotShare(0, 0, 1)})
	b.must(err)
	b.must(b.InterruptTask("prod", started[0].ARN))
	b.pass(time.Minute)
	b.wantCourse(core.EntryTask, isTask(started[0].ARN), "PROVISIONING DEPROVISIONING STOPPED")
	for want, s := range map[string]core.Switches{"spot_order": {SpotOrder: "never"}, "spot_stop_code": {SpotStopCode: "x"}} {
		if _, err := Build(Spec{Switches: s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestRealSpotProcess: with real processes SIGTERM and SIGKILL go to the process at the same times.
func TestRealSpotProcess(t *testing.T) {
	b := onFargate(t, 1, nil)
	rt := &calls{}
	b.UseRuntime(rt)
	task := b.of("web")[0]
	b.must(b.InterruptTask("prod", task.ARN))
	b.pass(time.Second)
	if len(rt.terminated) != 0 {
		t.Error("SIGTERM before ECS has deregistered")
	}
	b.pass(2 * time.Second)
	if len(rt.terminated) != 1 || len(rt.killed) != 0 {
		t.Errorf("after 3 s: SIGTERM to %v, SIGKILL to %v", rt.terminated, rt.killed)
	}
	b.pass(2 * time.Minute)
	if len(rt.killed) != 1 || task.LastStatus != "STOPPED" || !task.Killed {
		t.Errorf("after two minutes: SIGKILL to %v, %s", rt.killed, task.LastStatus)
	}
}
