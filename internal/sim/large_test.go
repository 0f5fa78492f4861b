package sim

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// large is a world of 3,000 hosts and 30,000 tasks.
func large() Spec {
	s := Spec{
		Clusters:     []ClusterSpec{{Name: "big"}},
		TargetGroups: []TargetGroupSpec{{Name: "web", Delay: 5 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 128, Memory: 256, Port: 8080}, {Family: "worker", CPU: 128, Memory: 256},
		},
		Services: []ServiceSpec{
			{Name: "web", Cluster: "big", Task: "web", Desired: 6000, TargetGroup: "web"}, {Name: "worker", Cluster: "big", Task: "worker", Desired: 21000},
			{Name: "agent", Cluster: "big", Task: "worker", Daemon: true},
		},
	}
	for _, name := range []string{"a", "b", "c"} {
		s.Groups = append(s.Groups, GroupSpec{Name: name, Desired: 1000, Launch: core.HostSpec{Cluster: "big", CPU: 4096, Memory: 15000}})
	}
	return s
}

// TestLargeWorldStands keeps the building of a world from growing with the square of its hosts or tasks: that
// took more than five minutes. The limit leaves room for a busy machine.
func TestLargeWorldStands(t *testing.T) {
	began := time.Now()
	w, err := Build(large())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 100*time.Second {
		t.Errorf("3,000 hosts and 30,000 tasks took %v", took)
	}
	tasks, err := w.ListTasks("big", ecs.TaskQuery{})
	if err != nil || len(tasks) != 30_000 {
		t.Errorf("%d tasks run, not 30,000; %v", len(tasks), err)
	}
}
