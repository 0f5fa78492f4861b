package ecs

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// quiet takes no events.
type quiet struct{}

func (quiet) Wants(string, string) bool                                          { return false }
func (quiet) Emit(core.Entry, string, string, []string, any)                     {}
func (quiet) EmitAfter(time.Duration, core.Entry, string, string, []string, any) {}
func (quiet) EnsureRule(string, string, string)                                  {}

// TestTaskNeedsNoContainerInstance: a task runs and stops at a place that is none.
func TestTaskNeedsNoContainerInstance(t *testing.T) {
	w := New(core.New(core.Config{}), Others{Bus: quiet{}})
	w.AddCluster("prod")
	w.AddTaskDefinition(TaskDefinition{Family: "job", Network: "awsvpc", Exit: time.Second})
	def, err := w.findDefinition("job")
	if err != nil {
		t.Fatal(err)
	}
	at := &fargate{capacity: onDemand, in: "eu-west-1a"}
	task := w.newTask(w.cluster["prod"], at, wanted{def: def, group: "family:job", providers: []string{"FARGATE"}})
	w.Advance(w.Now().Add(time.Minute))
	if task.LastStatus != "RUNNING" || task.IP == "" || task.ContainerInstance != "" || task.CapacityProvider != "FARGATE" {
		t.Fatalf("after a minute: %+v", task.Task)
	}
	if arns, err := w.ListTasks("prod", TaskQuery{}); err != nil || len(arns) != 1 {
		t.Errorf("listed: %v %v", arns, err)
	}
	if _, err := w.StopTask("prod", task.ARN, ""); err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Now().Add(time.Minute))
	if task.LastStatus != "STOPPED" || len(at.tasks) != 0 {
		t.Errorf("after its stop: %+v", task.Task)
	}
}
