package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// scaled is a world on Fargate with one service of 4 tasks that Application Auto Scaling scales. Each task serves 10 requests a second.
func scaled(t *testing.T, seed uint64, fine bool, change func(*Spec), policies ...appautoscaling.PolicySpec) bench {
	t.Helper()
	spec := Spec{
		Seed:            seed,
		Clusters:        []ClusterSpec{{Name: "prod", Providers: []string{"FARGATE"}}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}, Start: 23 * time.Second, Exit: 5 * time.Second}},
		Services:        []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 4, LaunchType: "FARGATE"}},
		Load:            []load.Spec{{Service: "web", Rate: 10, Fine: fine, Arrivals: load.Shape{Base: 8}}},
		Scaling:         []appautoscaling.Spec{{Service: "web", Cluster: "prod", Min: 2, Max: 20, Policies: policies}},
	}
	if change != nil {
		change(&spec)
	}
	w, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return bench{t: t, World: w}
}

// counts are the desired counts that Application Auto Scaling has set, and when the first one came.
func (b bench) counts() (all string, first time.Time) {
	var set []string
	for _, e := range b.entries(core.EntryService, func(e core.Entry) bool { return e.By == "application-autoscaling" }) {
		set = append(set, e.To)
		if first.IsZero() {
			first = e.At
		}
	}
	return strings.Join(set, " "), first
}

// TestTargetTrackingTakesAsLongAsAWSMeasured: from a step of the load to the scale-out 363 s with metrics of 60 s, and 86 s with those of 20 s, in
// the mean over when in a minute it comes and when an alarm is evaluated; and 23 s more until the tasks run.
// https://aws.amazon.com/blogs/aws/amazon-ecs-introduces-new-high-resolution-metrics-for-faster-service-auto-scaling/
func TestTargetTrackingTakesAsLongAsAWSMeasured(t *testing.T) {
	for _, c := range []struct {
		tracks string
		want   time.Duration
		within time.Duration
	}{{"cpu", 363 * time.Second, 8 * time.Second}, {"cpu-20s", 86 * time.Second, 4 * time.Second}} {
		var sum, running time.Duration
		const runs = 60
		for i := range runs {
			b := scaled(t, uint64(i+1), c.tracks == "cpu-20s", nil, appautoscaling.PolicySpec{Name: "track", Tracks: c.tracks, Target: 60})
			b.pass(10*time.Minute + time.Duration(i)*time.Second)
			begin := b.Now()
			b.must(b.SetLoad("web", load.Shape{Base: 25})) // 62.5 % of four tasks
			for range 1000 {
				b.pass(time.Second)
				if _, first := b.counts(); !first.IsZero() {
					sum += first.Sub(begin)
					break
				}
			}
			set := b.Now()
			for _, tasks, _, _ := b.Capacity("prod", "web"); tasks < 5; _, tasks, _, _ = b.Capacity("prod", "web") {
				b.pass(time.Second)
			}
			running += b.Now().Sub(set)
		}
		mean, start := sum/runs, running/runs
		if (mean - c.want).Abs() > c.within {
			t.Errorf("%s: %v in the mean, AWS has measured %v", c.tracks, mean, c.want)
		}
		if start < 22*time.Second || start > 26*time.Second {
			t.Errorf("%s: tasks run after %v, AWS has measured 23s", c.tracks, start)
		}
	}
}

// TestTargetTracking: out in proportion and within the bounds, in after a quarter of an hour, and not without data or while a deployment goes on.
func TestTargetTracking(t *testing.T) {
	b := scaled(t, 1, false, nil, appautoscaling.PolicySpec{Name: "track", Tracks: "cpu", Target: 50})
	b.must(b.SetLoad("web", load.Shape{Base: 30})) // 75 % of four tasks
	b.pass(12 * time.Minute)
	if got, _ := b.counts(); got != "6" {
		t.Errorf("from 4 at 75 %% with target 50: %s, want 6", got)
	}
	b.must(b.SetLoad("web", load.Shape{Base: 500}))
	b.pass(40 * time.Minute)
	if got, _ := b.counts(); got != "6 12 20" { // CPU says 100 % at most, so that each time only twice as many are wanted
		t.Errorf("far more: %s, want 6 12 20", got)
	}
	acts := b.ScalingActivities()
	if last := acts[len(acts)-1]; len(last.NotScaledReasons) != 1 || *last.NotScaledReasons[0].Code != "AlreadyAtMaxCapacity" {
		t.Errorf("at the maximum: %+v", last)
	}
	b.must(b.SetLoad("web", load.Shape{Base: 20}))
	b.pass(14 * time.Minute)
	if got, _ := b.counts(); got != "6 12 20" {
		t.Errorf("in before a quarter of an hour: %s", got)
	}
	b.pass(20 * time.Minute)
	if got, _ := b.counts(); got != "6 12 20 4" {
		t.Errorf("in: %s, want 4 in the end", got)
	}
}

// TestNoScaleInDuringADeployment: a deployment that cannot finish holds scale-in, and not scale-out.
func TestNoScaleInDuringADeployment(t *testing.T) {
	b := scaled(t, 1, false, func(s *Spec) {
		s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "bad", Compatible: []string{"FARGATE"}, Fails: true})
	}, appautoscaling.PolicySpec{Name: "track", Tracks: "cpu", Target: 60})
	_, err := b.UpdateService("prod", "web", nil, "bad")
	b.must(err)
	b.must(b.SetLoad("web", load.Shape{Base: 1}))
	b.pass(time.Hour)
	if got, _ := b.counts(); got != "" {
		t.Errorf("in during a deployment: %s", got)
	}
	b.must(b.SetLoad("web", load.Shape{Base: 30}))
	b.pass(20 * time.Minute)
	if got, _ := b.counts(); got != "5" {
		t.Errorf("out during a deployment: %s, want 5", got)
	}
}

// TestTrackingRequestsAndQueues: requests per target of the load's target group, and metric math: messages for each task that runs.
func TestTrackingRequestsAndQueues(t *testing.T) {
	b := scaled(t, 1, false, func(s *Spec) {
		s.TargetGroups = []TargetGroupSpec{{Name: "tg", Check: 5 * time.Second}}
		s.Services[0].TargetGroup, s.TaskDefinitions[0].Port = "tg", 8080
		s.Load[0].Arrivals = load.Shape{Base: 30}
	}, appautoscaling.PolicySpec{Name: "track", Tracks: "requests", Target: 300})
	b.pass(15 * time.Minute)
	if got, _ := b.counts(); got != "6" { // 1,800 a minute
		t.Errorf("requests: %q, want 6", got)
	}
	b = scaled(t, 1, false, func(s *Spec) {
		s.Queues = []QueueSpec{{Name: "jobs"}}
		s.Load[0] = load.Spec{Service: "web", Queue: "jobs", Work: time.Second, Arrivals: load.Shape{Base: 7}}
	}, appautoscaling.PolicySpec{Name: "track", Tracks: "math", Target: 100, Math: []appautoscaling.Query{
		{ID: "m1", Namespace: "AWS/SQS", Name: "ApproximateNumberOfMessagesVisible", Statistic: "Sum", Dimensions: map[string]string{"QueueName": "jobs"}},
		{ID: "m2", Namespace: "ECS/ContainerInsights", Name: "RunningTaskCount", Statistic: "Average",
			Dimensions: map[string]string{"ClusterName": "prod", "ServiceName": "web"}},
		{ID: "e1", Expression: "m1/m2"}}})
	b.pass(30 * time.Minute)
	// The backlog of steady arrivals is gone once there are tasks enough, so that backlog per task scales in as far as it can.
	if got, _ := b.counts(); !strings.HasPrefix(got, "9 11 ") || !strings.HasSuffix(got, " 2") {
		t.Errorf("messages: %q", got)
	}
}

// TestStepScaling: the alarm of the user invokes the policy each minute for as long as it lasts. In the cooldown only what is wanted beyond what was added is
// added: 2, and then of 3 only 1 more.
func TestStepScaling(t *testing.T) {
	ten, twenty, zero := 10.0, 20.0, 0.0
	b := scaled(t, 1, false, func(s *Spec) {
		s.Alarms = []cloudwatch.AlarmSpec{{Name: "jobs", Namespace: "Shop", Metric: "Jobs", Dimensions: map[string]string{"Queue": "jobs"}, Threshold: 100,
			Actions: []string{"policy:steps"}, MissingData: "notBreaching"}}
	}, appautoscaling.PolicySpec{Name: "steps", Cooldown: 10 * time.Minute, Steps: []appautoscaling.StepSpec{
		{From: &zero, To: &ten, By: 2}, {From: &ten, To: &twenty, By: 3}, {From: &twenty, By: 8}}})
	b.minutes(105, 105, 105, 115, 115, 115)
	if got, _ := b.counts(); got != "6 7" {
		t.Errorf("in the cooldown: %s, want 6 7", got)
	}
	b.minutes(50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 130, 130, 130)
	if got, _ := b.counts(); got != "6 7 15" {
		t.Errorf("after the cooldown: %s, want 15 at last", got)
	}
}

// TestPolicyAlarmIsAnAction: an alarm may name only policies that are there.
func TestPolicyAlarmIsAnAction(t *testing.T) {
	_, err := Build(Spec{Alarms: []cloudwatch.AlarmSpec{{Name: "a", Namespace: "x", Metric: "y", Actions: []string{"policy:none"}}}})
	if err == nil || !strings.Contains(err.Error(), `no scaling policy "none"`) {
		t.Error(err)
	}
}
