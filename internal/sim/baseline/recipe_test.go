package baseline

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// The recipe takes one step for each change of an alarm's state, however long that lasts, and stays within its bounds.
func TestTheRecipeTakesAStepForEachIncident(t *testing.T) {
	w, err := sim.Build(sim.Spec{
		Clusters:        []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE"}}},
		Queues:          []sim.QueueSpec{{Name: "ebb"}},
		Topics:          []sim.TopicSpec{{Name: "alarms", Subscriptions: []sim.SubscriptionSpec{{Queue: "ebb"}}}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Compatible: []string{"FARGATE"}}},
		Services:        []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", LaunchType: "FARGATE", Desired: 2}},
		Alarms: []cloudwatch.AlarmSpec{
			{Name: "high", Namespace: "Shop", Metric: "Load", Threshold: 1, MissingData: "ignore", Actions: []string{"alarms"}, OKActions: []string{"alarms"}},
			{Name: "low", Namespace: "Shop", Metric: "Load", Threshold: 1, MissingData: "ignore", Actions: []string{"alarms"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := w.Queue("ebb")
	if err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: w})
	r := NewRecipe(RecipeConfig{
		ECS: client.ECS(api), SQS: client.SQS(api), Queue: q.URL, Cluster: "prod", Service: "web", Out: "high", In: "low", Min: 2, Max: 3,
	})
	for i, step := range []struct {
		alarm, state string
		want         int
	}{{"high", "ALARM", 3}, {"high", "OK", 3}, {"high", "ALARM", 3}, {"low", "ALARM", 2}, {"low", "OK", 2}, {"low", "ALARM", 2}} {
		if err := w.SetAlarmState(step.alarm, step.state, "the test says so", ""); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			w.Advance(w.Now().Add(time.Second))
			if _, err := r.Tick(t.Context(), w.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if desired, _, _, _ := w.Capacity("prod", "web"); desired != step.want {
			t.Errorf("step %d: %s is %s, and %d tasks are wanted, not %d", i, step.alarm, step.state, desired, step.want)
		}
	}
}
