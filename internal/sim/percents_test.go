package sim

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// TestHealthyPercentsLetADrainGoOn: with 100 and 100 percent nothing moves; with leave to start another first, it does.
func TestHealthyPercentsLetADrainGoOn(t *testing.T) {
	b := small(t, 2, func(s *Spec) {
		s.Services = []ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 2, Min: 100, Max: 100}}
	})
	b.pass(2 * time.Minute)
	arns, err := b.ListContainerInstances("prod", "", "ec2InstanceId == "+b.id(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.UpdateContainerInstancesState("prod", arns, "DRAINING"); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		tasks, err := b.ListTasks("prod", ecs.TaskQuery{ContainerInstance: arns[0]})
		if err != nil {
			t.Fatal(err)
		}
		return len(tasks)
	}
	if b.pass(time.Hour); left() == 0 {
		t.Fatal("tasks moved, although 100 and 100 percent let none")
	}
	most := 200
	if err := b.SetHealthyPercents("prod", "web", nil, &most); err != nil {
		t.Fatal(err)
	}
	if b.pass(10 * time.Minute); left() > 0 {
		t.Errorf("%d tasks have not moved", left())
	}
	least := -1
	if err := b.SetHealthyPercents("prod", "web", &least, nil); err == nil {
		t.Error("a negative percent was taken")
	}
	if err := b.SetHealthyPercents("prod", "none", nil, &most); err == nil {
		t.Error("a service that is not there was changed")
	}
}
