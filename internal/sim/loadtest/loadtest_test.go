package loadtest

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// scene is a world that stands still between its changes: two hosts, a web task on each, a deregistration delay of 20 s.
type scene struct {
	t     *testing.T
	mu    sync.Mutex
	w     *sim.World
	group string
	tasks []ecs.Task
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return sceneWith(t, sim.TargetGroupSpec{})
}

// sceneWith is the same behind another target group.
func sceneWith(t *testing.T, group sim.TargetGroupSpec) *scene {
	t.Helper()
	group.Name, group.Delay = "web", 20*time.Second
	w, err := sim.Build(sim.Spec{
		Seed: 1, Clusters: []sim.ClusterSpec{{Name: "prod"}}, TargetGroups: []sim.TargetGroupSpec{group},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 80}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 2, Launch: core.HostSpec{Cluster: "prod"}}},
		Services:        []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 2, TargetGroup: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := w.DescribeTargetGroups(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, w: w, group: groups[0].ARN}
	arns, err := w.ListTasks("prod", ecs.TaskQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if s.tasks, _, err = w.DescribeTasks("prod", arns); err != nil || len(s.tasks) != 2 {
		t.Fatal(s.tasks, err)
	}
	return s
}

func (s *scene) world(f func(*sim.World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.w)
}

func (s *scene) pass(d time.Duration) {
	s.world(func(w *sim.World) { w.Advance(w.Now().Add(d)) })
}

// stop lets ECS stop a task: its target begins to deregister.
func (s *scene) stop(t ecs.Task) {
	s.t.Helper()
	s.world(func(w *sim.World) {
		if _, err := w.StopTask("prod", t.ARN, ""); err != nil {
			s.t.Fatal(err)
		}
	})
}

// ask sends a request and returns when the first byte of the answer is there.
func ask(t *testing.T, url, take string) *http.Response {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second} // so that a broken cut fails a test and does not hang it
	res, err := client.Post(url+"/?take="+take, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != whole[:1] {
		t.Fatalf("%q, %v; want the first byte", first, err)
	}
	return res
}
