package sim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// working is a world on Fargate with one service that has work.
func working(t *testing.T, desired int, l load.Spec) bench {
	t.Helper()
	spec := Spec{
		Clusters:        []ClusterSpec{{Name: "prod", Providers: []string{"FARGATE"}}},
		Queues:          []QueueSpec{{Name: "jobs", Visibility: 2 * time.Minute}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: 23 * time.Second, Exit: 5 * time.Second}},
		TargetGroups:    []TargetGroupSpec{{Name: "tg", Delay: 10 * time.Second, Check: 10 * time.Second}},
		Services:        []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: desired, LaunchType: "FARGATE"}},
	}
	if l.Queue == "" {
		spec.Services[0].TargetGroup = "tg"
	}
	l.Service = "web"
	spec.Load = []load.Spec{l}
	w, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return bench{t: t, World: w}
}

func (b bench) scale(desired int) {
	b.t.Helper()
	_, err := b.UpdateService("prod", "web", &desired, "")
	b.must(err)
}

func (b bench) report() load.Report {
	b.t.Helper()
	r, ok := b.LoadReport("web")
	if !ok {
		b.t.Fatal("the service has no work")
	}
	return r
}

// metric is the last value of a metric of the service's, by name and statistic.
func (b bench) metric(namespace, name, stat string, dimensions map[string]string) (float64, bool) {
	b.t.Helper()
	for back := time.Minute; back < time.Hour; back += time.Minute {
		metric, from := cloudwatch.Metric{Namespace: namespace, Name: name, Dimensions: dimensions}, b.Now().Truncate(time.Minute).Add(-back)
		if v, ok := b.Statistic(metric, stat, from, time.Minute); ok {
			return v, ok
		}
	}
	return 0, false
}

func about(got, want float64) bool { return math.Abs(got-want) < 0.01*math.Max(1, math.Abs(want)) }

// TestRequestsAreServed: two tasks that serve 10 a second each get 12, then 30, then are four: what waits, what is given up, and what metrics say.
func TestRequestsAreServed(t *testing.T) {
	b := working(t, 2, load.Spec{Rate: 10, Memory: 40, Arrivals: load.Shape{Base: 12}})
	b.pass(5 * time.Minute)
	dimensions := map[string]string{"ClusterName": "prod", "ServiceName": "web"}
	cpu, _ := b.metric("AWS/ECS", "CPUUtilization", "Average", dimensions)
	memory, _ := b.metric("AWS/ECS", "MemoryUtilization", "Maximum", dimensions)
	r := b.report()
	if !about(cpu, 60) || !about(memory, 40) || !about(r.Arrived, 3600) || !about(r.Done, 3600) || r.Unserved != 0 || r.Overload != 0 {
		t.Errorf("below what they can do: CPU %v, memory %v, %+v", cpu, memory, r)
	}
	b.must(b.SetLoad("web", load.Shape{Base: 30}))
	b.pass(5 * time.Minute)
	cpu, _ = b.metric("AWS/ECS", "CPUUtilization", "Average", dimensions)
	group := b.Loads()[0].TargetGroup
	group = group[strings.LastIndex(group, ":")+1:]
	both := map[string]string{"LoadBalancer": "app/web/50dc6c495c0c9188", "TargetGroup": group}
	perTarget, _ := b.metric("AWS/ApplicationELB", "RequestCountPerTarget", "Sum", map[string]string{"TargetGroup": group})
	took, _ := b.metric("AWS/ApplicationELB", "TargetResponseTime", "Average", both)
	all, _ := b.metric("AWS/ApplicationELB", "RequestCount", "Sum", both)
	r = b.report()
	// 10 a second more than can be done: 200 wait at most, as they are given up after 10 s.
	if !about(cpu, 100) || !about(perTarget, 900) || !about(all, 1800) || !about(took, 10.05) || !about(r.Unserved, 300*10-200) || !about(r.Waiting, 200) {
		t.Errorf("over what they can do: CPU %v, per target %v, all %v, took %v, %+v", cpu, perTarget, all, took, r)
	}
	b.scale(4)
	b.pass(40 * time.Second) // start and health check
	lost := b.report().Unserved
	b.pass(5 * time.Minute)
	if r = b.report(); r.Unserved != lost || r.Waiting != 0 {
		t.Errorf("with four: %+v", r)
	}
}

// TestQuietServiceHasNoRequestMetrics: a load balancer without requests publishes nothing, and a service without tasks no CPU.
func TestQuietServiceHasNoRequestMetrics(t *testing.T) {
	b := working(t, 0, load.Spec{Rate: 10})
	b.pass(10 * time.Minute)
	if v, ok := b.metric("AWS/ECS", "CPUUtilization", "Average", map[string]string{"ClusterName": "prod", "ServiceName": "web"}); ok {
		t.Errorf("CPU %v without tasks", v)
	}
	if v, ok := b.metric("ECS/ContainerInsights", "RunningTaskCount", "Average", map[string]string{"ClusterName": "prod", "ServiceName": "web"}); !ok || v != 0 {
		t.Errorf("running %v %v", v, ok)
	}
	b.must(b.SetLoad("web", load.Shape{Base: 5}))
	b.pass(time.Minute)
	if r := b.report(); !about(r.Unserved, r.Arrived) || r.Arrived == 0 {
		t.Errorf("nobody serves: %+v", r)
	}
}

// queued is what GetQueueAttributes says of the queue.
func (b bench) queued() string {
	b.t.Helper()
	q, err := b.Queue("jobs")
	b.must(err)
	visible, hidden, _ := b.Count(q)
	return fmt.Sprintf("%d+%d", visible, hidden)
}

// TestOneLongMessage: f11. One message that takes 12 minutes: nothing can be seen in the queue, but one is in flight. A task that is stopped
// in the middle gives it back after the visibility timeout.
func TestOneLongMessage(t *testing.T) {
	b := working(t, 1, load.Spec{Queue: "jobs", Work: 12 * time.Minute})
	b.pass(time.Second)
	b.must(b.AddWork("web", 1))
	b.pass(2 * time.Second)
	if got := b.queued(); got != "0+1" {
		t.Errorf("taken: %s", got)
	}
	b.pass(12 * time.Minute)
	if got, r := b.queued(), b.report(); got != "0+0" || r.Done != 1 || r.Cut != 0 {
		t.Errorf("done: %s %+v", got, r)
	}
	b.must(b.AddWork("web", 1))
	b.pass(5 * time.Minute)
	b.scale(0)
	b.pass(30 * time.Second)
	if got, r := b.queued(), b.report(); got != "0+1" || r.Cut != 1 {
		t.Errorf("the task was stopped: %s %+v", got, r)
	}
	b.pass(2 * time.Minute)
	if got := b.queued(); got != "1+0" {
		t.Errorf("after the visibility timeout: %s", got)
	}
	b.scale(1)
	b.pass(14 * time.Minute)
	if got, r := b.queued(), b.report(); got != "0+0" || r.Done != 2 || r.Late != 0 || r.Arrived != 2 {
		t.Errorf("in the end: %s %+v", got, r)
	}
}

// TestProtectedTasksStay: of three tasks the busy one is not taken by a scale-in, and goes when its work is done.
func TestProtectedTasksStay(t *testing.T) {
	for _, protects := range []bool{true, false} {
		cut := 0.0
		for wait := range 3 { // whichever of the three is busy
			b := working(t, 3, load.Spec{Queue: "jobs", Work: 10 * time.Minute, Protects: protects})
			b.pass(time.Duration(wait+1) * time.Second)
			b.must(b.AddWork("web", 1))
			b.pass(2 * time.Second)
			b.scale(0)
			b.pass(time.Minute)
			running := len(b.Processes("prod", "web"))
			if want := map[bool]int{true: 1, false: 0}[protects]; running != want {
				t.Errorf("protects %v: %d tasks run, want %d", protects, running, want)
			}
			b.pass(12 * time.Minute)
			cut += b.report().Cut
			if n := len(b.Processes("prod", "web")); n != 0 {
				t.Errorf("protects %v: %d tasks run in the end", protects, n)
			}
		}
		if (cut == 0) != protects {
			t.Errorf("protects %v: %v messages were cut off", protects, cut)
		}
	}
}

// TestQueueIsWorkedOff: 30 messages a second for ten minutes, of which four tasks do 20: the rest waits, is late, and is worked off.
func TestQueueIsWorkedOff(t *testing.T) {
	b := working(t, 4, load.Spec{Queue: "jobs", Work: 200 * time.Millisecond, Arrivals: load.Shape{Parts: []load.Part{{By: 30, For: 10 * time.Minute}}}})
	b.pass(10 * time.Minute)
	r := b.report()
	if r.Arrived != 18000 || math.Abs(r.Waiting-6000) > 40 || r.InFlight != 20 || r.Oldest < 195*time.Second || r.Oldest > 205*time.Second {
		t.Errorf("after ten minutes: %+v", r)
	}
	visible, _ := b.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", map[string]string{"QueueName": "jobs"})
	if visible < 5000 || visible > 6000 {
		t.Errorf("the metric says %v, as it was a minute ago or two", visible)
	}
	b.pass(6 * time.Minute)
	if r = b.report(); r.Done != 18000 || r.Waiting != 0 || r.InFlight != 0 || r.Late < 10000 || r.Worst < 295*time.Second || r.Worst > 305*time.Second {
		t.Errorf("in the end: %+v", r)
	}
	minutes := b.LoadMinutes("web")
	if len(minutes) != 16 || !about(minutes[3].Arrived, 30) || !about(minutes[3].Capacity, 20) || minutes[12].Arrived != 0 || minutes[3].Tasks != 4 {
		t.Errorf("%d minutes: %+v", len(minutes), minutes)
	}
}

// TestQueueCountsMayBeLate: for a minute the counts do not know of messages, whoever has sent them.
func TestQueueCountsMayBeLate(t *testing.T) {
	b := working(t, 0, load.Spec{Queue: "jobs", Work: time.Second})
	b.Switches.QueueLate = time.Minute
	b.must(b.AddWork("web", 5))
	b.send("jobs", "hello")
	b.pass(50 * time.Second)
	if got := b.queued(); got != "0+0" {
		t.Errorf("after 50 s: %s", got)
	}
	b.pass(20 * time.Second)
	if got := b.queued(); got != "6+0" {
		t.Errorf("after 70 s: %s", got)
	}
}

// TestQueueMetricsWhileActive: as long as tasks ask for messages a queue has metrics, and six hours after that.
func TestQueueMetricsWhileActive(t *testing.T) {
	b := working(t, 1, load.Spec{Queue: "jobs", Work: time.Second})
	b.must(b.AddWork("web", 1))
	b.pass(10 * time.Minute)
	dimensions := map[string]string{"QueueName": "jobs"}
	if v, ok := b.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dimensions); !ok || v != 0 {
		t.Errorf("an empty queue that was used: %v %v", v, ok)
	}
	b.pass(8 * time.Hour)
	if _, ok := b.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dimensions); !ok {
		t.Error("a task asks for messages, and there is no metric")
	}
	b.scale(0)
	b.pass(8 * time.Hour)
	if v, ok := b.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dimensions); ok {
		t.Errorf("eight hours later there is a value: %v", v)
	}
}

// TestLoadIsTheSame: two worlds of one spec end in the same record and the same report, however often somebody looks.
func TestLoadIsTheSame(t *testing.T) {
	var want string
	for _, every := range []time.Duration{time.Minute, 7 * time.Second} {
		b := working(t, 3, load.Spec{Queue: "jobs", Work: 1500 * time.Millisecond, Concurrency: 2, Arrivals: load.Shape{Name: "flash", Peak: 6, Seed: 1}})
		for range int(21 * time.Minute / every) {
			b.pass(every)
			b.report()
		}
		got := core.JSON(b.Record()) + core.JSON(b.LoadMinutes("web")) + fmt.Sprintf("%+v", b.report())
		if want == "" {
			want = got
		}
		if got != want {
			t.Error("the work differs when somebody looks more often")
		}
	}
}

// TestBadLoads: what a world refuses.
func TestBadLoads(t *testing.T) {
	for _, l := range []load.Spec{{}, {Rate: -1}, {Queue: "none", Work: time.Second}, {Queue: "jobs"}, {Queue: "jobs", Work: time.Second, Rate: 1},
		{Rate: 1, Work: time.Second}, {Rate: 1, TargetGroup: "none"}, {Rate: 1, Arrivals: load.Shape{Base: math.NaN()}}, {Rate: 1, Service: "none"},
		{Rate: 1, Arrivals: load.Shape{Name: "none"}}, {Rate: 1, Arrivals: load.Shape{CSV: "x"}}, {Rate: 1, Arrivals: load.Shape{Name: "flash", CSV: "0,1\n1,2"}}} {
		if l.Service == "" {
			l.Service = "web"
		}
		_, err := Build(Spec{Clusters: []ClusterSpec{{Name: "c", Providers: []string{"FARGATE"}}}, Queues: []QueueSpec{{Name: "jobs"}},
			TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}}},
			Services:        []ServiceSpec{{Name: "web", Cluster: "c", Task: "web", LaunchType: "FARGATE"}}, Load: []load.Spec{l}})
		if err == nil {
			t.Errorf("%+v: want an error", l)
		}
	}
}
