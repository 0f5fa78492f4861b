package deploy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/cli"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// onFargate is an account without any Auto Scaling group: a service on FARGATE_SPOT behind a target group. When AWS interrupts one of its
// tasks, the process gets SIGTERM at once and serves for 80 s, and ECS takes the target out only after that.
func onFargate(t *testing.T, stopCode string) *account {
	t.Helper()
	spec := sim.Spec{
		Seed:         1,
		Clusters:     []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE", "FARGATE_SPOT"}}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "web-tg", Delay: 30 * time.Second, Check: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{
			Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: time.Second, Exit: 80 * time.Second, Stop: 90 * time.Second,
		}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 4, TargetGroup: "web-tg",
			Providers: []ecs.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}},
		}},
	}
	spec.Switches.SpotOrder, spec.Switches.SpotDeregister, spec.Switches.SpotStopCode = core.Spot2025, 85*time.Second, stopCode
	var a *account
	a = accountOf(t, spec, leaving{
		func(t *testing.T, _ *formation) string { t.Helper(); return a.interruptsOne(t) }, (*account).takenOut,
		func(id string) string { return "ECS stops task " + id + ` of cluster prod with notice"` }, "elasticloadbalancing:DeregisterTargets",
	})
	return a
}

// interruptsOne lets AWS take back one of the tasks that serve.
func (a *account) interruptsOne(t *testing.T) string {
	t.Helper()
	arn := ""
	a.until(t, "a task on Fargate Spot whose target is healthy", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		spots, err := a.world.SpotTasks("prod", "web", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range a.world.Record() {
			if e.Kind == core.EntryTarget && e.To == "healthy" && slices.Contains(spots, e.Task) {
				arn = e.Task
			}
		}
		return arn != ""
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.world.InterruptTask("prod", arn); err != nil {
		t.Fatal(err)
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// takenOut reports whether ebb has taken the target of a task out, by the cloud's own record, and ECS had not.
func (a *account) takenOut(task string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.world.Record() {
		if e.Kind == core.EntryTarget && e.To == "draining" && strings.HasSuffix(e.Task, "/"+task) {
			return e.By == "ebb"
		}
	}
	return false
}

// TestATeamOnFargate goes a new team's path without any group: init, the stack, doctor, a task that AWS takes back and whose target leaves by
// Ebb with the rights of its role only, whatever the event has for a stop code, and the stack taken out again.
func TestATeamOnFargate(t *testing.T) {
	for shape, code := range map[string]string{"lambda": core.SpotNoCode, "service": "TerminationNotice"} {
		t.Run(shape, func(t *testing.T) {
			sdkEnvironment(t, "operator")
			a, dir := onFargate(t, code), t.TempDir()
			args := []string{"init", "--endpoint", a.endpoint, "--region", "eu-west-1", "--cluster", "prod", "--shape", shape, "--dir", dir}
			if code, out, errs := ebb(t.Context(), nil, args...); code != cli.ExitOK {
				t.Fatalf("ebb init ended with %d:\n%s%s", code, out, errs)
			}
			f := a.formWritten(t, shape, dir)
			if n := f.kinds()["AutoScaling::LifecycleHook"]; n != 0 {
				t.Errorf("%d hooks", n)
			}
			doctor := []string{"doctor", "--config", filepath.Join(dir, "ebb.yaml"), "--clock", a.endpoint}
			if code, out, errs := ebb(t.Context(), nil, doctor...); code != cli.ExitOK {
				t.Errorf("ebb doctor ended with %d:\n%s%s", code, out, errs)
			}
			a.leavesWithItsRights(t, f, shape)
			sdkEnvironment(t, "operator")
			if code, out, errs := ebb(t.Context(), nil, append(args, "--remove")...); code != cli.ExitOK {
				t.Errorf("ebb init --remove ended with %d:\n%s%s", code, out, errs)
			}
			if err := f.remove(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWhatTheFargateSpotRuleLetsThrough: a notice with each stop code and with none, of the stack's cluster only, and nothing that ECS or
// somebody stops.
func TestWhatTheFargateSpotRuleLetsThrough(t *testing.T) {
	const clusters = "arn:aws:ecs:eu-west-1:111122223333:cluster/"
	detail := func(cluster, last, desired string, code ...string) map[string]any {
		d := map[string]any{"clusterArn": clusters + cluster, "lastStatus": last, "desiredStatus": desired}
		for _, c := range code {
			d["stopCode"] = c
		}
		return d
	}
	for shape := range modes {
		a := onFargate(t, "")
		f := a.formOn(t, shape, "Clusters", "prod", "ClusterSettings", "[{name: prod}]")
		heard := f.hears(t, a, map[string]map[string]any{
			"a notice":           detail("prod", "RUNNING", "STOPPED", "SpotInterruption"),
			"an older one":       detail("prod", "RUNNING", "STOPPED", "TerminationNotice"),
			"one without a code": detail("prod", "RUNNING", "STOPPED"),
			"a deployment":       detail("prod", "RUNNING", "STOPPED", "ServiceSchedulerInitiated"),
			"an operator":        detail("prod", "RUNNING", "STOPPED", "UserInitiated"), "one that runs": detail("prod", "RUNNING", "RUNNING"),
			"another cluster":      detail("other", "RUNNING", "STOPPED", "SpotInterruption"),
			"one that has stopped": detail("prod", "STOPPED", "STOPPED", "UserInitiated"),
		})
		if want := []string{"a notice", "an older one", "one that has stopped", "one without a code"}; !slices.Equal(heard, want) {
			t.Errorf("%s: the queue has %q, want %q", shape, heard, want)
		}
	}
}

// TestWhatTheRulesOfInstancesLetThrough: notices of Spot Instances, instances that end, and what AWS has scheduled.
func TestWhatTheRulesOfInstancesLetThrough(t *testing.T) {
	ec2 := func(kind string, more ...string) map[string]any {
		d := map[string]any{"of": [2]string{"aws.ec2", kind}}
		for i := 0; i < len(more); i += 2 {
			d[more[i]] = more[i+1]
		}
		return d
	}
	health := func(service, category string) map[string]any {
		return map[string]any{"of": [2]string{"aws.health", "AWS Health Event"}, "service": service, "eventTypeCategory": category}
	}
	const changed = "EC2 Instance State-change Notification"
	for shape := range modes {
		a, f := formed(t, shape)
		heard := f.hears(t, a, map[string]map[string]any{
			"an interruption": ec2("EC2 Spot Instance Interruption Warning", "instance-action", "stop"), "a risk": ec2("EC2 Instance Rebalance Recommendation"),
			"one that runs": ec2(changed, "state", "running"), "one that stops": ec2(changed, "state", "stopping"), "one that has": ec2(changed, "state", "stopped"),
			"one that is terminated": ec2(changed, "state", "shutting-down"), "another event of EC2": ec2("EBS Snapshot Notification"),
			"maintenance": health("EC2", "scheduledChange"), "a retirement": health("ECS", "scheduledChange"), "an outage": health("EC2", "issue"),
			"another service": health("RDS", "scheduledChange"),
		})
		want := []string{"a retirement", "a risk", "an interruption", "maintenance", "one that is terminated", "one that stops"}
		if !slices.Equal(heard, want) {
			t.Errorf("%s: the queue has %q, want %q", shape, heard, want)
		}
	}
}

// formOn makes a stack of a shape, in which what is not given has its default.
func (a *account) formOn(t *testing.T, shape string, given ...string) *formation {
	t.Helper()
	p := parameters(shape)
	for _, name := range []string{"Groups", "Clusters", "GroupSettings"} {
		delete(p, name)
	}
	for i := 0; i < len(given); i += 2 {
		p[given[i]] = given[i+1]
	}
	s, err := read(shape, p)
	if err != nil {
		t.Fatal(err)
	}
	f, err := form(t.Context(), s, a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// hears is which of some events of tasks come into the queue, by name and sorted. ECS emits them all at once.
func (f *formation) hears(t *testing.T, a *account, events map[string]map[string]any) (names []string) {
	t.Helper()
	a.mu.Lock()
	for name, detail := range events {
		detail["taskArn"] = name
		source, kind := "aws.ecs", "ECS Task State Change"
		if of, ok := detail["of"].([2]string); ok {
			source, kind = of[0], of[1]
		}
		a.world.Events.Emit(core.Entry{}, source, kind, nil, detail)
	}
	a.mu.Unlock()
	url := f.made["Queue"].ref
	for { // until nothing comes for 20 s of the cloud's time
		out, err := f.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			slices.Sort(names)
			return names
		}
		for _, m := range out.Messages {
			for name := range events {
				if strings.Contains(*m.Body, `"`+name+`"`) {
					names = append(names, name)
				}
			}
		}
	}
}

// TestWithoutGroups: what is made for each group, and what hears of instances, is not made, and the configuration has the cluster alone.
func TestWithoutGroups(t *testing.T) {
	for shape := range modes {
		a := onFargate(t, "")
		f := a.formOn(t, shape, "Clusters", "prod", "ClusterSettings", "[{name: prod, mode: observe}]")
		rules := map[string]int{"lambda": 3 + 1, "service": 3}[shape]
		if n := f.kinds(); n["AutoScaling::LifecycleHook"] != 0 || n["IAM::RolePolicy"] != 2 || n["Events::Rule"] != rules {
			t.Errorf("%s: %v", shape, n)
		}
		f.checkRules(t, f.checkQueue(t))
		c := f.configuration(t)
		if len(c.Groups) != 0 || len(c.Clusters) != 1 || c.Clusters[0].Name != "prod" || c.Clusters[0].Mode != "observe" {
			t.Errorf("%s: %+v", shape, c)
		}
	}
}
