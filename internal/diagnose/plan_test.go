package diagnose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// mixed is a host with a task of each kind, beside one with room.
func mixed() sim.Spec {
	s := base()
	s.Groups[0].Launch.CPU, s.Services[0].TargetGroup = 4096, "web-tg"
	s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "logs", CPU: 10, Memory: 10}, ecs.TaskDefinition{Family: "job", CPU: 10, Memory: 10},
		ecs.TaskDefinition{Family: "worker", CPU: 256, Memory: 256, Stop: time.Hour})
	s.Services = append(s.Services, sim.ServiceSpec{Name: "logs", Cluster: "prod", Task: "logs", Daemon: true},
		sim.ServiceSpec{Name: "worker", Cluster: "prod", Task: "worker", Desired: 2, Min: 50, Max: 100})
	return s
}

func what(f diagnose.Forecast) map[string]string {
	all := map[string]string{}
	for _, step := range f.Steps {
		all[strings.Split(step.Definition, ":")[0]] = step.Outcome
	}
	return all
}

func TestAPlanSaysWhatBecomesOfEachTask(t *testing.T) {
	s := stage(t, mixed())
	f := diagnose.Plan(s.take(), []string{s.target}, s.Now())
	if f.Verdict != "moves" || !slices.Equal(f.Instances, []string{s.target}) {
		t.Fatalf("verdict %s: %s", f.Verdict, f.Headline)
	}
	got := what(f)
	if got["web"] != diagnose.Replaced || got["worker"] != diagnose.StopsFirst || got["logs"] != diagnose.StopsLast || len(f.Steps) != 3 {
		t.Errorf("%+v", f.Steps)
	}
	for _, step := range f.Steps {
		switch step.Service {
		case "web":
			if time.Duration(step.Stop) != 2*time.Minute+30*time.Second || !slices.Equal(step.Where, []string{s.other}) {
				t.Errorf("web: %+v", step)
			}
		case "worker":
			if time.Duration(step.Stop) != time.Hour {
				t.Errorf("worker: %+v", step)
			}
		}
	}
	if time.Duration(f.Longest) != time.Hour {
		t.Errorf("longest %v", time.Duration(f.Longest))
	}
}

func TestAPlanForAStandaloneTaskSaysThatECSDoesNotMoveIt(t *testing.T) {
	spec := mixed()
	spec.Tasks = []sim.TaskSpec{{Cluster: "prod", Task: "job", Host: new(int)}}
	s := stage(t, spec)
	f := diagnose.Plan(s.take(), []string{s.target}, s.Now())
	if f.Verdict != "stuck" || what(f)["job"] != diagnose.NotTouched || !strings.Contains(f.Headline, "never moves it") {
		t.Errorf("%s: %s\n%+v", f.Verdict, f.Headline, f.Steps)
	}
}

func TestAPlanForAWholeGroupHasNoPlaceLeft(t *testing.T) {
	s := stage(t, mixed())
	f := diagnose.Plan(s.take(), []string{"web-asg"}, s.Now())
	if f.Verdict != "stuck" || len(f.Instances) != 2 || what(f)["web"] != diagnose.Stays {
		t.Fatalf("%s: %s", f.Verdict, f.Headline)
	}
	for _, step := range f.Steps {
		if step.Service == "web" && (len(step.Because) != 1 || step.Because[0].Code != placement.NoHost) {
			t.Errorf("%+v", step)
		}
	}
}

func TestAPlanForWhatIsNotThereSaysSo(t *testing.T) {
	s := stage(t, mixed())
	f := diagnose.Plan(s.take(), []string{"i-none", s.target}, s.Now())
	if f.Verdict != "unknown" || !slices.Equal(f.Missing, []string{"i-none"}) || !strings.Contains(f.Headline,
		"not found as an instance or a group, in account 111122223333 and Region eu-west-1: i-none; for the others: 3 tasks on 1 host would leave") {
		t.Errorf("%s: %s", f.Verdict, f.Headline)
	}
}

func TestAPlanNotesProtection(t *testing.T) {
	s := stage(t, mixed())
	if err := s.SetInstanceProtection("web-asg", []string{s.target}, true); err != nil {
		t.Fatal(err)
	}
	f := diagnose.Plan(s.take(), []string{s.target}, s.Now())
	if len(f.Notes) != 2 || !strings.Contains(f.Notes[1], s.target+" is protected from scale-in") {
		t.Errorf("notes %q", f.Notes)
	}
}

func TestAPlanNotesWhatCouldNotBeRead(t *testing.T) {
	s := stage(t, mixed())
	seen := s.take()
	seen.Clusters, seen.Groups, seen.Instances = nil, nil, nil
	seen.Unread = []inventory.Unread{{What: "ecs:ListClusters", Error: "AccessDeniedException: no"}}
	f := diagnose.Plan(seen, []string{s.target}, s.Now())
	if f.Verdict != "unknown" || !slices.Equal(f.Notes, []string{"ecs:ListClusters could not be read: AccessDeniedException: no"}) {
		t.Errorf("%s, notes %q", f.Verdict, f.Notes)
	}
}
