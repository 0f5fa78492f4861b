package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// spots is a group of n Spot Instances with the hook "drain", a service of as many tasks, and a queue that gets the events of EC2 and
// Health.
func spots(t *testing.T, n int, change func(*Spec)) bench {
	t.Helper()
	return small(t, n, func(s *Spec) {
		s.Groups[0].Launch.Spot = true
		s.Switches.Notify = time.Second
		s.Rules = []RuleSpec{{Name: "notices", Pattern: `{"source":["aws.ec2","aws.health"]}`, Targets: []string{"q"}}}
		addService(s, ServiceSpec{Name: "web", Task: "job", Desired: n})
		if change != nil {
			change(s)
		}
	})
}

// bodies are the events of a type in the queue, as they would be received.
func (b bench) bodies(detailType string) (all []map[string]any) {
	b.t.Helper()
	for {
		got, err := b.ReceiveMessage("q", 10, nil)
		b.must(err)
		if len(got) == 0 {
			return all
		}
		for _, m := range got {
			var e map[string]any
			b.must(json.Unmarshal([]byte(m.Body), &e))
			b.must(b.DeleteMessage("q", m.Handle))
			if e["detail-type"] == detailType {
				all = append(all, e)
			}
		}
	}
}

// ended says when an instance left a state of EC2, counted from its notice.
func (b bench) ended(i int, state string) time.Duration {
	b.t.Helper()
	notice := b.at(core.EntryNotice, func(e core.Entry) bool { return e.Instance == b.id(i) && e.To == core.NoticeInterrupted })
	return b.at(core.EntryInstance, func(e core.Entry) bool { return e.Instance == b.id(i) && e.To == state }).Sub(notice)
}

// TestSpotInstanceIsTerminated: two minutes after the notice, whatever the group thinks; its hook opens when the instance has gone.
func TestSpotInstanceIsTerminated(t *testing.T) {
	b := spots(t, 3, nil)
	b.must(b.Interrupt(b.id(0), ""))
	b.pass(119 * time.Second)
	if warnings := b.bodies("EC2 Spot Instance Interruption Warning"); len(warnings) != 1 ||
		fmt.Sprint(warnings[0]["detail"]) != "map[instance-action:terminate instance-id:"+b.id(0)+"]" ||
		fmt.Sprint(warnings[0]["resources"]) != "[arn:aws:ec2:eu-west-1a:instance/"+b.id(0)+"]" || warnings[0]["source"] != "aws.ec2" {
		t.Errorf("warnings: %v", warnings)
	}
	if b.Instances()[0].State != "running" || len(b.live(0)) == 0 || b.state(0) != "InService" {
		t.Errorf("a second before: EC2 %s, %d tasks, group %s", b.Instances()[0].State, len(b.live(0)), b.state(0))
	}
	b.pass(20 * time.Second)
	if got := b.ended(0, "shutting-down"); got != 2*time.Minute {
		t.Errorf("ended %v after the notice", got)
	}
	var states []string
	for _, e := range b.bodies("EC2 Instance State-change Notification") {
		states = append(states, fmt.Sprint(e["detail"].(map[string]any)["state"]))
	}
	if strings.Join(states, " ") != "shutting-down terminated" {
		t.Errorf("states told: %v", states)
	}
	b.pass(80 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.pass(3 * time.Minute)
	b.wantState(0, "gone")
	if group := b.DescribeAutoScalingGroups([]string{"web-asg"})[0]; len(group.Instances) != 3 || b.service("web").Running != 3 {
		t.Errorf("in the end %d instances and %d tasks", len(group.Instances), b.service("web").Running)
	}
}

// TestSpotInstanceIsStopped: stopping comes two minutes after the notice, hibernation at once.
func TestSpotInstanceIsStopped(t *testing.T) {
	for action, after := range map[string]time.Duration{"stop": 2 * time.Minute, "hibernate": 0} {
		b := spots(t, 2, nil)
		b.must(b.Interrupt(b.id(0), action))
		b.pass(10 * time.Minute)
		if got := b.ended(0, "stopping"); got != after {
			t.Errorf("%s: after %v, want %v", action, got, after)
		}
		b.ended(0, "stopped")
	}
}

func TestSpotInstanceRefusals(t *testing.T) {
	b := small(t, 2, func(s *Spec) { s.Groups[0].Hosts = []core.HostSpec{{Spot: true}} })
	b.wantError(b.Interrupt(b.id(1), ""), "UnsupportedOperation", "is no Spot Instance")
	b.wantError(b.Recommend(b.id(1)), "UnsupportedOperation", "is no Spot Instance")
	b.wantError(b.Interrupt(b.id(0), "reboot"), "InvalidParameterValue", "must be terminate, stop or hibernate")
	b.wantError(b.Interrupt("i-00000000000000000", ""), "InvalidInstanceID.NotFound", "")
	b.must(b.Interrupt(b.id(0), ""))
	b.wantError(b.Interrupt(b.id(0), ""), "IncorrectInstanceState", "has its interruption notice already")
	b.pass(3 * time.Minute)
	b.wantError(b.Interrupt(b.id(0), ""), "IncorrectInstanceState", "is terminated")
}

// TestAgentDrainsOnSpotNotice: if its user data says so, the agent sets the container instance DRAINING.
func TestAgentDrainsOnSpotNotice(t *testing.T) {
	for data, want := range map[string]string{"echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config": "DRAINING", "": "ACTIVE",
		"ECS_ENABLE_SPOT_INSTANCE_DRAINING=false": "ACTIVE"} {
		b := spots(t, 2, func(s *Spec) { s.Groups[0].Launch.UserData = data })
		b.must(b.Interrupt(b.id(0), ""))
		b.pass(2 * time.Second)
		if got := b.host(0).Status; got != want {
			t.Errorf("user data %q: %s, want %s", data, got, want)
		}
	}
}

// TestCapacityRebalancing: with it, a recommendation replaces the instance first, and a notice opens the hook at once.
func TestCapacityRebalancing(t *testing.T) {
	on := func(s *Spec) { s.Groups[0].Rebalance = true }
	b := spots(t, 2, on)
	b.must(b.Recommend(b.id(0)))
	b.pass(10 * time.Second)
	if told := b.bodies("EC2 Instance Rebalance Recommendation"); len(told) != 1 ||
		fmt.Sprint(told[0]["resources"]) != "["+b.ARN("ec2", "instance/"+b.id(0))+"]" ||
		fmt.Sprint(told[0]["detail"]) != "map[instance-id:"+b.id(0)+"]" {
		t.Errorf("recommendations: %v", told)
	}
	b.wantState(0, "InService")
	b.wantState(2, "Pending")
	b.pass(20 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b = spots(t, 2, on)
	b.must(b.Interrupt(b.id(0), ""))
	b.pass(5 * time.Second)
	b.wantState(0, "Terminating:Wait")
	b.wantState(2, "Pending")
	b = spots(t, 2, nil)
	b.must(b.Recommend(b.id(0)))
	b.must(b.Interrupt(b.id(0), ""))
	b.pass(time.Minute)
	b.wantState(0, "InService")
	if n := len(b.bodies("EC2 Instance Rebalance Recommendation")); n != 1 || len(b.Instances()) != 2 {
		t.Errorf("without Capacity Rebalancing: %d recommendations, %d instances", n, len(b.Instances()))
	}
}

// TestHealthOfInstances: the event of a scheduled change, and what comes of it.
func TestHealthOfInstances(t *testing.T) {
	b := spots(t, 2, nil)
	b.must(b.ScheduleChange(b.id(0), "", 30*time.Minute))
	b.must(b.ScheduleChange(b.id(1), "reboot", 30*time.Minute))
	b.wantError(b.ScheduleChange(b.id(1), "x", 0), "InvalidParameterValue", "must be retirement, reboot or network")
	b.pass(10 * time.Second)
	told := b.bodies("AWS Health Event")
	if len(told) != 2 {
		t.Fatalf("%d events", len(told))
	}
	d := told[0]["detail"].(map[string]any)
	for name, want := range map[string]any{
		"service": "EC2", "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "eventTypeCategory": "scheduledChange",
		"statusCode": "upcoming", "eventScopeCode": "ACCOUNT_SPECIFIC", "startTime": "Sat, 21 Nov 2026 09:30:00 GMT",
		"lastUpdatedTime": "Sat, 21 Nov 2026 09:00:00 GMT",
		"eventRegion":     "eu-west-1", "affectedAccount": "111122223333", "page": "1", "totalPages": "1", "backupEvent": "false",
	} {
		if d[name] != want {
			t.Errorf("%s is %v, want %v", name, d[name], want)
		}
	}
	got := fmt.Sprint(d["affectedEntities"])
	if got != "[map[entityValue:"+b.id(0)+" lastUpdatedTime:Sat, 21 Nov 2026 09:00:00 GMT status:PENDING]]" ||
		fmt.Sprint(told[0]["resources"]) != "["+b.id(0)+"]" || told[0]["source"] != "aws.health" {
		t.Errorf("entities: %s, resources %v", got, told[0]["resources"])
	}
	if code := told[1]["detail"].(map[string]any)["eventTypeCode"]; code != "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED" {
		t.Errorf("of a reboot: %v", code)
	}
	b.pass(29 * time.Minute)
	if b.Instances()[0].State != "running" {
		t.Error("it was stopped too early")
	}
	b.pass(2 * time.Minute)
	if a, c := b.Instances()[0].State, b.Instances()[1].State; a != "stopped" || c != "running" {
		t.Errorf("after the retirement %s, after the reboot %s", a, c)
	}
}

// TestFargateRetirement: service tasks are replaced, standalone ones stop, and what started since stays.
func TestFargateRetirement(t *testing.T) {
	b := onFargate(t, 3, func(s *Spec) {
		s.Switches.Notify = time.Second
		s.Rules[0].Pattern = `{"source":["aws.health"]}`
		s.Tasks = []TaskSpec{{Cluster: "prod", Task: "job", LaunchType: "FARGATE"}}
	})
	old := ids(copies(b.of("web")))
	b.must(b.RetireFargate("prod", "web", "", time.Hour))
	b.must(b.RetireFargate("prod", "", "job", time.Hour))
	b.wantError(b.RetireFargate("prod", "", "none", 0), "InvalidParameterException", "No such task")
	b.pass(10 * time.Second)
	told := b.bodies("AWS Health Event")
	if len(told) != 2 || fmt.Sprint(told[0]["resources"]) != "[prod|web]" ||
		!strings.Contains(fmt.Sprint(told[1]["resources"]), ":task/prod/") ||
		told[0]["detail"].(map[string]any)["eventTypeCode"] != "AWS_ECS_TASK_PATCHING_RETIREMENT" {
		t.Errorf("events: %v", told)
	}
	b.pass(59 * time.Minute)
	if now := ids(copies(b.of("web"))); fmt.Sprint(now) != fmt.Sprint(old) {
		t.Error("tasks were retired too early")
	}
	b.pass(10 * time.Minute)
	now := b.of("web")
	for _, task := range now {
		for _, arn := range old {
			if task.ARN == arn {
				t.Errorf("%s is still there", arn)
			}
		}
	}
	for _, task := range b.Tasks("prod") {
		if task.LastStatus == "STOPPED" &&
			task.StoppedReason != "ECS is performing maintenance on the underlying infrastructure hosting the task" {
			t.Errorf("stopped because %q", task.StoppedReason)
		}
	}
	if len(now) != 3 || len(b.of("")) != 0 {
		t.Errorf("%d tasks of the service, %d standalone ones", len(now), len(b.of("")))
	}
}
