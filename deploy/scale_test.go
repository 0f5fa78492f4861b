package deploy_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/cli"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// underLoad is an account with a service on Fargate behind an Application Load Balancer. Nothing leaves; more requests come.
func underLoad(t *testing.T) *account {
	t.Helper()
	spec := sim.Spec{
		Seed:         1,
		Clusters:     []sim.ClusterSpec{{Name: "prod", Providers: []string{"FARGATE"}}},
		TargetGroups: []sim.TargetGroupSpec{{Name: "web-tg", Delay: 30 * time.Second, Check: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{
			Family: "web", Compatible: []string{"FARGATE"}, Port: 8080, Start: time.Second, Exit: time.Second,
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", LaunchType: "FARGATE", Desired: 2, TargetGroup: "web-tg"}},
		Load:     []load.Spec{{Service: "web", Cluster: "prod", TargetGroup: "web-tg", Rate: 100, Arrivals: load.Shape{Base: 10}}},
	}
	var a *account
	a = accountOf(t, spec, leaving{
		func(t *testing.T, _ *formation) string {
			t.Helper()
			a.mu.Lock()
			defer a.mu.Unlock()
			if err := a.world.SetLoad("web", load.Shape{Base: 30}); err != nil { // 900 requests a minute for each task
				t.Fatal(err)
			}
			return "web"
		},
		(*account).grown, func(string) string { return "ebb-scale-prod-web-high" }, "ecs:UpdateService",
	})
	return a
}

// grown reports whether ebb has set a higher desired count, and a message told of the alarm.
func (a *account) grown(service string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.world.Record(), func(e core.Entry) bool {
		return e.Kind == core.EntryMessage && e.To == "sent" && e.Queue == "ebb"
	}) && slices.ContainsFunc(a.world.Record(), func(e core.Entry) bool {
		return e.Kind == core.EntryService && strings.HasSuffix(e.Service, service) && e.From == "2" && e.To == "3" && e.By == "ebb"
	})
}

// TestATeamThatScalesAService: init, Ebb's stack and the service's, an alarm that Ebb hears of through the rule and answers with the rights of its role
// only, and both stacks taken out again.
func TestATeamThatScalesAService(t *testing.T) {
	for _, shape := range []string{"lambda", "service"} {
		t.Run(shape, func(t *testing.T) {
			sdkEnvironment(t, "operator")
			a, dir := underLoad(t), t.TempDir()
			args := []string{"init", "--endpoint", a.endpoint, "--region", "eu-west-1", "--scale", "prod/web", "--mail", "ops@example.com", "--shape", shape,
				"--dir", dir}
			code, out, errs := ebb(t.Context(), nil, args...)
			if code != cli.ExitOK || strings.Count(out, "cloudformation deploy ") != 2 || !strings.Contains(errs, "High of prod/web, Low of prod/web") {
				t.Fatalf("ebb init ended with %d:\n%s%s", code, out, errs)
			}
			f := a.formWritten(t, shape, dir)
			if n := f.kinds()["AutoScaling::LifecycleHook"]; n != 0 {
				t.Errorf("%d hooks", n)
			}
			may := f.checkQueue(t)
			f.checkRules(t, may)
			g := a.formScaled(t, dir)
			if !slices.ContainsFunc(may, func(p string) bool {
				ok, _ := path.Match(p, g.made["AlarmRule"].attributes["Arn"])
				return ok
			}) {
				t.Errorf("the rule %s may not send into the queue: %v", g.made["AlarmRule"].attributes["Arn"], may)
			}
			if n := g.kinds(); n["CloudWatch::Alarm"] != 2 || n["Events::Rule"] != 1 || n["SNS::Topic"]+n["SNS::Subscription"] != 2 || n["IAM::RolePolicy"] != 1 {
				t.Errorf("the service's stack has %v", n)
			}
			g.hold(t, a)
			if code, out, errs := ebb(t.Context(), nil, "doctor", "--config", filepath.Join(dir, "ebb.yaml"), "--clock", a.endpoint); code != cli.ExitOK {
				t.Errorf("ebb doctor ended with %d:\n%s%s", code, out, errs)
			}
			a.leavesWithItsRights(t, f, shape)
			sdkEnvironment(t, "operator")
			code, out, errs = ebb(t.Context(), nil, append(args, "--remove")...)
			if code != cli.ExitOK || strings.Index(out, "--stack-name ebb-scale-prod-web ") > strings.Index(out, "--stack-name ebb ") {
				t.Errorf("ebb init --remove ended with %d:\n%s%s", code, out, errs)
			}
			for _, stack := range []*formation{g, f} {
				if err := stack.remove(); err != nil {
					t.Fatal(err)
				}
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if left := len(a.world.Queues()) + len(a.world.Rules()) + len(a.world.Alarms()); left != 0 {
				t.Errorf("%d queues, rules and alarms are left", left)
			}
		})
	}
}

// formScaled makes the stack of the service by what ebb init has written, with the values filled in.
func (a *account) formScaled(t *testing.T, dir string) *formation {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "ebb-scale-prod-web-parameters.json"))
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join(dir, "ebb-scale.yaml"))
	if err != nil || string(template) != deploy.Template("scale") {
		t.Fatalf("the template is not the one in the binary: %v", err)
	}
	var written []string
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range written {
		key, value, _ := strings.Cut(p, "=")
		values[key] = value
	}
	values["High"], values["Low"] = "600", "200"
	s, err := read("scale", values)
	if err != nil {
		t.Fatal(err)
	}
	f, err := form(t.Context(), s, a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
