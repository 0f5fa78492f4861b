// Package answers measures what the answers of ebb why, plan and doctor cost: calls of AWS's APIs, how long they take under AWS's published
// limits, and how large they are, for clusters of ten to ten thousand hosts.
//
// It never speaks to AWS. Reading is in virtual time: each call takes 50 ms, and the simulated cloud throttles as AWS documents it.
package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// latency is how long a call takes.
const latency = 50 * time.Millisecond

// crowd is a cluster of hosts with ten tasks each: nine of services of at most 300 tasks behind target groups, and a daemon's. A host has
// room for ten tasks more, and the first host is DRAINING in its hook, just when ECS has begun to replace its tasks.
func crowd(t testing.TB, hosts int) (w *sim.World, target string) {
	t.Helper()
	services := max(9, hosts*9/300)
	spec := sim.Spec{
		Seed:     1,
		Clusters: []sim.ClusterSpec{{Name: "prod"}},
		Groups: []sim.GroupSpec{{
			Name: "prod-asg", Desired: hosts, Launch: core.HostSpec{Cluster: "prod"},
			Hooks: []sim.HookSpec{{Name: "ebb-drain", Heartbeat: time.Hour, Target: "ebb"}},
		}},
		Queues: []sim.QueueSpec{{Name: "ebb"}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 90, Memory: 128, Port: 8080, Start: 10 * time.Second, Exit: 10 * time.Second, Stop: 30 * time.Second},
			{Family: "agent", CPU: 50, Memory: 64, Start: 5 * time.Second, Exit: 5 * time.Second, Stop: 30 * time.Second},
		},
		Services: []sim.ServiceSpec{{Name: "agent", Cluster: "prod", Task: "agent", Daemon: true}},
	}
	for i := range services {
		name := fmt.Sprintf("web%d", i)
		spec.TargetGroups = append(spec.TargetGroups, sim.TargetGroupSpec{Name: name, Delay: time.Minute, Check: 10 * time.Second})
		spec.Services = append(spec.Services, sim.ServiceSpec{
			Name: name, Cluster: "prod", Task: "web", Desired: hosts * 9 / services, Min: 100, Max: 200, TargetGroup: name,
		})
	}
	w, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Now().Add(5 * time.Minute))
	target = w.DescribeAutoScalingGroups([]string{"prod-asg"})[0].Instances[0].ID
	if _, err := w.TerminateInstanceInAutoScalingGroup(target, true); err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Now().Add(5 * time.Second))
	arns, err := w.ListContainerInstances("prod", "", "ec2InstanceId == "+target)
	if err == nil {
		_, _, err = w.UpdateContainerInstancesState("prod", arns, "DRAINING")
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Now().Add(time.Second))
	return w, target
}

// line is a transport to a world that takes its time, and lets the world go on meanwhile.
type line struct {
	mu      sync.Mutex
	w       *sim.World
	api     *wire.API
	began   time.Time // of the transport
	from    time.Time // of the world
	refused int       // throttled
	calls   int
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(latency)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.Advance(l.from.Add(time.Since(l.began)))
	rec := httptest.NewRecorder()
	l.api.Handler().ServeHTTP(rec, r)
	l.calls++
	if rec.Code >= 400 && (bytes.Contains(rec.Body.Bytes(), []byte("Throttl")) || bytes.Contains(rec.Body.Bytes(), []byte("RateExceeded"))) {
		l.refused++
	}
	return rec.Result(), nil
}

// figures are what one answer cost.
type figures struct {
	calls, throttled, unread int
	read, judged             time.Duration // virtual, and on this machine
	size                     int           // of the answer in JSON
	memory                   uint64        // allocated for the answer, without what was read
	says                     string
}

// look reads a scope of a world and judges it.
func look(t *testing.T, w *sim.World, scope collector.Scope, judge func(*inventory.Inventory) (answer any, says string)) (f figures) {
	t.Helper()
	var seen inventory.Inventory
	synctest.Test(t, func(t *testing.T) {
		l := &line{w: w, api: wire.New(wire.Config{World: w, Limits: wire.Limits(w)}), began: time.Now(), from: w.Now()}
		s := collector.New(aws.Config{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
			HTTPClient: &http.Client{Transport: l},
		})
		s.Now = w.Now
		began := time.Now()
		var err error
		if seen, err = s.Take(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
		f.calls, f.throttled, f.read, f.unread = l.calls, l.refused, time.Since(began), len(seen.Unread)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	answer, says := judge(&seen)
	out, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f.judged, f.size, f.says = time.Since(began), len(out), says
	runtime.ReadMemStats(&after)
	f.memory = after.TotalAlloc - before.TotalAlloc
	return f
}

func why(t *testing.T, w *sim.World, target string) figures {
	return look(t, w, collector.Scope{
		Instance: target, Target: target, Silent: true,
		Enough: func(c *inventory.Cluster) bool { return placement.Enough(c, c.Hosts[0].Instance) },
	}, func(seen *inventory.Inventory) (any, string) {
		r := diagnose.Why(seen, diagnose.Question{Target: target, Hook: "ebb-drain", At: advice.At{Region: "eu-west-1"}, Alone: true, Now: seen.At})
		return r, r.Headline
	})
}

func plan(t *testing.T, w *sim.World, n int) figures {
	var targets []string
	for _, i := range w.DescribeAutoScalingGroups([]string{"prod-asg"})[0].Instances[1 : n+1] {
		targets = append(targets, i.ID)
	}
	return look(t, w, collector.Scope{Silent: true}, func(seen *inventory.Inventory) (any, string) {
		f := diagnose.Plan(seen, targets, seen.At)
		return f, f.Headline
	})
}

func examine(t *testing.T, w *sim.World) figures {
	return look(t, w, collector.Scope{}, func(seen *inventory.Inventory) (any, string) {
		found := doctor.Examine(&doctor.Input{Inventory: seen, Everything: true, At: advice.At{Region: "eu-west-1"}, Now: seen.At})
		return found, fmt.Sprint(len(found))
	})
}

// An answer about one target is there within five seconds and 60 calls, however large its cluster is, and the plan of a hundred hosts is no
// larger than a megabyte.
func TestLargeClusters(t *testing.T) {
	w, target := crowd(t, 3000)
	f := why(t, w, target)
	if f.calls > 60 || f.read > 5*time.Second || f.throttled > 0 || f.unread > 0 || f.size > 100_000 {
		t.Errorf("why: %+v", f)
	}
	w, _ = crowd(t, 500)
	if f := plan(t, w, 100); f.size > 1_000_000 || f.throttled > 0 || f.unread > 0 {
		t.Errorf("plan: %+v", f)
	}
	if f := examine(t, w); f.throttled > 0 || f.unread > 0 {
		t.Errorf("doctor: %+v", f)
	}
}
