package sim

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
	"github.com/ebbhq/ebb/internal/sim/events"
)

// A group retains what was abandoned, and nothing else.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-lifecycle-policy.html
func TestWhatWasAnsweredIsNotRetained(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Groups[0].Retain = true })
	b.terminate(0)
	b.pass(5 * time.Second)
	b.must(b.CompleteLifecycleAction("web-asg", "drain", "", b.id(0), "CONTINUE"))
	b.wantState(0, "Terminating:Proceed")
	b.pass(time.Minute)
	b.wantState(0, "gone")
}

// The hook opens when the last load balancer of the group has let the instance go, in whatever order they are named.
func TestTheLongestDelayOfAGroupCounts(t *testing.T) {
	for _, order := range [][]string{{"short", "long"}, {"long", "short"}} {
		b := small(t, 1, func(s *Spec) {
			addBalancer(s, "short", 10*time.Second)
			addBalancer(s, "long", 100*time.Second)
			s.Groups[0].TargetGroups = order
		})
		b.terminate(0)
		b.pass(100 * time.Second)
		b.wantState(0, "Terminating")
		b.pass(time.Second)
		b.wantState(0, "Terminating:Wait")
	}
}

// The counts of a service follow the desired status: a task that is stopping counts for nothing, long before it has stopped.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
func TestTheCountsOfAServiceLieToo(t *testing.T) {
	b := small(t, 1, web(2, 0, 100))
	b.drain(0)
	b.pass(5 * time.Second)
	if on := b.on(0); len(on) != 2 || on[0].LastStatus != "DEACTIVATING" {
		t.Fatalf("%+v, want two tasks that are stopping", on)
	}
	if v := b.service("web"); v.Running != 0 || v.Pending != 0 || v.Deployments[0].Running != 0 {
		t.Errorf("%d run and %d are pending, of the deployment %d run; want none", v.Running, v.Pending, v.Deployments[0].Running)
	}
}

// The task of a daemon stops after those of replica services. ECS never stops a standalone task, so the daemon does not wait for one.
func TestADaemonDoesNotWaitForAStandaloneTask(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "agent"})
		addService(s, ServiceSpec{Name: "agent", Task: "agent", Daemon: true})
	})
	_, err := b.RunTaskOn("prod", "job", b.containerInstance(0), "somebody")
	b.must(err)
	b.pass(time.Minute)
	b.drain(0)
	b.pass(5 * time.Minute)
	if on := b.on(0); len(on) != 1 || on[0].Service != "" || on[0].LastStatus != "RUNNING" {
		t.Errorf("%+v, want the standalone task alone", on)
	}
}

// A task is found in its own cluster only, also by its ARN.
func TestATaskOfAnotherClusterIsMissing(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		web(1, 100, 200)(s)
		s.Clusters = append(s.Clusters, ClusterSpec{Name: "other"})
	})
	task := b.Tasks("prod")[0]
	found, failures, err := b.DescribeTasks("other", []string{task.ARN})
	if err != nil || len(found) != 0 || len(failures) != 1 || failures[0].Reason != "MISSING" {
		t.Errorf("%+v %+v %v, want that it is missing", found, failures, err)
	}
	_, err = b.StopTask("other", task.ARN, "")
	b.wantError(err, "InvalidParameterException", "The referenced task was not found.")
	if !task.Process || task.DesiredStatus != "RUNNING" {
		t.Errorf("%+v, want that it runs", task)
	}
}

// The 12 hours for which a message can be hidden begin anew with each receive.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
func TestTwelveHoursBeginWithEachReceive(t *testing.T) {
	b := small(t, 1, nil)
	b.send("q", "hi")
	b.receive("q", 1)
	b.pass(2 * time.Hour)
	m := b.receive("q", 1)[0]
	b.pass(10 * time.Second)
	b.must(b.ChangeMessageVisibility("q", m.Handle, 12*time.Hour-10*time.Second))
	b.wantError(b.ChangeMessageVisibility("q", m.Handle, 12*time.Hour-9*time.Second), "InvalidParameterValue", "beyond the limit")
}

// The delay of a queue is for what AWS delivers, too.
func TestTheDelayOfAQueueIsForEverybody(t *testing.T) {
	b := small(t, 1, func(s *Spec) { s.Queues[0].Delay = time.Minute })
	_, err := b.PutRule(events.Rule{Name: "all", Pattern: `{"source":["mine"]}`})
	b.must(err)
	b.must(b.PutTargets("all", []events.RuleTarget{{ID: "q", ARN: "arn:aws:sqs:eu-west-1:111122223333:q"}}))
	_, err = b.PutEvent("mine", "any", nil, "{}")
	b.must(err)
	b.pass(59 * time.Second)
	if got := b.receive("q", 10); len(got) != 0 {
		t.Errorf("received before its delay: %+v", got)
	}
	b.pass(2 * time.Second)
	if got := b.receive("q", 10); len(got) != 1 {
		t.Errorf("%d messages are there after the delay, want one", len(got))
	}
}

// A target reads draining for the whole delay, whether or not there are connections, and also if it is deregistered once more meanwhile.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
func TestATargetDrainsForTheWholeDelay(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		addBalancer(s, "tg", 100*time.Second)
		s.Groups[0].TargetGroups = []string{"tg"}
	})
	found, err := b.DescribeTargetGroups(nil, []string{"tg"})
	b.must(err)
	target := elb.Target{ID: b.id(0)}
	for after, want := range []string{"draining", "draining", "draining", "unused"} {
		if after < 2 {
			b.must(b.DeregisterTargets(found[0].ARN, []elb.Target{target}))
		}
		b.pass([]time.Duration{50 * time.Second, 40 * time.Second, 9 * time.Second, 2 * time.Second}[after])
		health, err := b.DescribeTargetHealth(found[0].ARN, []elb.Target{target})
		if err != nil || len(health) != 1 || health[0].State != want {
			t.Errorf("step %d: %+v, %v; want %s", after, health, err, want)
		}
	}
}

// A message is worked on until it is visible again: only then has it been received too often.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
func TestWhatIsWorkedOnIsNotMoved(t *testing.T) {
	b := small(t, 1, func(s *Spec) {
		s.Queues = []QueueSpec{{Name: "q", Redrive: "dlq", MaxReceives: 1, Visibility: 10 * time.Second}, {Name: "dlq"}}
	})
	b.send("q", "slow")
	m := b.receive("q", 1)[0]
	b.pass(9 * time.Second)
	if got := b.receive("q", 1); len(got) != 0 || len(b.receive("dlq", 1)) != 0 {
		t.Errorf("it is seen or moved while it is worked on: %+v", got)
	}
	b.must(b.ChangeMessageVisibility("q", m.Handle, time.Minute))
	b.must(b.DeleteMessage("q", m.Handle))
	b.pass(2 * time.Minute)
	if got := append(b.receive("q", 1), b.receive("dlq", 1)...); len(got) != 0 {
		t.Errorf("it came again after it was deleted: %+v", got)
	}
}
