package cli

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// examined is what the doctor finds in a simulated account over the wire, after something was done in it.
func examined(t *testing.T, world, configuration string, do func(*testing.T, *sim.World)) []doctor.Finding {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none",
	} {
		t.Setenv(name, value)
	}
	spec, err := worldSpec(filepath.Join("testdata/doctor", world))
	if err != nil {
		t.Fatal(err)
	}
	s, err := startSim(spec, "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	over := map[string]string{"endpoint": s.Endpoint, "region": "eu-west-1", "queue": s.Endpoint + "/111122223333/ebb"}
	file := ""
	if configuration != "" {
		file = filepath.Join("testdata/doctor", configuration)
	} else {
		delete(over, "queue")
	}
	cfg, err := config.Load(file, func(string) string { return "" }, over)
	if err != nil {
		t.Fatal(err)
	}
	s.Read(func(w *sim.World) { do(t, w) })
	seen, err := look(t.Context(), cfg, collector.Scope{}, s.API.World.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Examine(&doctor.Input{Inventory: &seen, Everything: true, Ebb: settingsOf(cfg), Now: seen.At})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spoil does what a world file cannot: it lets time pass, and does by hand what people do.
func spoil(t *testing.T, w *sim.World) {
	t.Helper()
	w.Advance(w.Now().Add(30 * time.Minute))
	group := func(name string) autoscaling.Group { return w.DescribeAutoScalingGroups([]string{name})[0] }
	must(t, w.DeleteQueue("gone"))
	_, err := w.SendMessage("ebb-dlq", "what is this?", nil, 0)
	must(t, err)
	must(t, w.PutLifecycleHook("managed-asg", autoscaling.Hook{Name: "ecs-managed-draining-termination-hook", Heartbeat: time.Minute, DefaultResult: "CONTINUE"}))
	web := group("web-asg").Instances
	for _, i := range web[:1] {
		_, err := w.TerminateInstanceInAutoScalingGroup(i.ID, false)
		must(t, err)
	}
	w.Advance(w.Now().Add(time.Minute))
	must(t, w.CompleteLifecycleAction("web-asg", "logs", "", web[0].ID, "ABANDON")) // the group retains it
	_, err = w.TerminateInstanceInAutoScalingGroup(web[1].ID, false)
	must(t, err)
	w.Advance(w.Now().Add(10 * time.Second))
	naked := group("naked-asg").Instances
	arns, err := w.ListContainerInstances("shop", "", "ec2InstanceId == "+naked[0].ID)
	must(t, err)
	_, _, err = w.UpdateContainerInstancesState("shop", arns, "DRAINING")
	must(t, err)
	must(t, w.StopInstances([]string{naked[1].ID}))
	w.Advance(w.Now().Add(20 * time.Second))
	tasks, err := w.ListTasks("shop", ecs.TaskQuery{Service: "stuck"})
	must(t, err)
	_, _, err = w.UpdateTaskProtection("shop", tasks[:1], true, 48*time.Hour)
	must(t, err)
}

func TestDoctorFindsWhatIsPlanted(t *testing.T) {
	found := map[string][]string{}
	for _, f := range examined(t, "faulty.yaml", "ebb.yaml", spoil) {
		found[f.Check] = append(found[f.Check], f.Subject)
		t.Logf("%s %s %s: %s", f.Severity, f.Check, f.Subject, f.Finding)
	}
	for check, subject := range map[string]string{
		"nobody-drains":        "group naked-asg",
		"suspended":            "group naked-asg",
		"spot-unheard":         "group naked-asg",
		"spot-delay":           "service stuck in cluster shop",
		"never-drains":         "service stuck in cluster shop",
		"stops-all":            "service net in cluster shop",
		"long-delay":           "target group slow-tg",
		"nlb-delay":            "target group net-tg",
		"abandon":              "group web-asg",
		"hook-runs-out":        "group web-asg",
		"queue-gone":           "group web-asg",
		"wrong-cluster":        "group web-asg",
		"hook-short":           "group web-asg",
		"deadline-short":       "group web-asg",
		"matches-no-group":     "Ebb's configuration",
		"two-drainers":         "group managed-asg",
		"managed-hook-edited":  "group managed-asg",
		"refresh-waits":        "group managed-asg",
		"lifetime-protected":   "group managed-asg",
		"rule-matches-nothing": "rule old-group",
		"standalone-tasks":     "cluster shop",
		"no-place":             "cluster tight",
	} {
		if !slices.Contains(found[check], subject) {
			t.Errorf("%s does not name %s: %v", check, subject, found[check])
		}
	}
	for _, check := range []string{ // what they name has an id or a port in its name
		"unheard", "queue-policy", "no-redrive", "queue-settings", "dead-letters", "retained", "waiting", "draining-in-service", "ghost",
		"never-joined", "protection-stuck", "task-protected",
	} {
		if len(found[check]) == 0 {
			t.Errorf("%s found nothing", check)
		}
	}
	if left := found["unread"]; len(left) > 0 {
		t.Errorf("unread: %v", left)
	}
}

func TestDoctorFindsNothingInWellKeptAccounts(t *testing.T) {
	later := func(_ *testing.T, w *sim.World) { w.Advance(w.Now().Add(time.Hour)) }
	for world, configuration := range map[string]string{"clean-ebb.yaml": "clean-ebb-config.yaml", "clean-managed.yaml": ""} {
		t.Run(world, func(t *testing.T) {
			for _, f := range examined(t, world, configuration, later) {
				t.Errorf("found %+v", f)
			}
		})
	}
}
