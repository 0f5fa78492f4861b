package deploy_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/cli"
)

// TestTheNewUsersPath goes from nothing to a drained instance and back: init, the stack, doctor, a termination that Ebb drains with the rights of its
// role only, and the stack taken out again with nothing left. The shape serve goes this way in test/init.sh.
func TestTheNewUsersPath(t *testing.T) {
	for _, shape := range []string{"service", "lambda"} {
		t.Run(shape, func(t *testing.T) {
			sdkEnvironment(t, "operator")
			a, dir := newAccount(t), t.TempDir()
			args := []string{"init", "--endpoint", a.endpoint, "--region", "eu-west-1", "--group", "demo-asg", "--group", "batch-asg", "--shape", shape, "--dir", dir,
				"--notice-topic", topic, "--emf"}
			a.mu.Lock()
			a.world.CreateTopic("ops")
			a.mu.Unlock()
			if code, out, errs := ebb(t.Context(), nil, args...); code != cli.ExitOK || !strings.Contains(out,
				"aws cloudformation deploy ") || !strings.Contains(out, " --region eu-west-1 --endpoint-url "+a.endpoint) {
				t.Fatalf("ebb init ended with %d:\n%s%s", code, out, errs)
			}
			f := a.formWritten(t, shape, dir)
			if code, out, errs := ebb(t.Context(), nil, "doctor", "--config", filepath.Join(dir, "ebb.yaml"), "--clock", a.endpoint); code != cli.ExitOK {
				t.Errorf("ebb doctor ended with %d:\n%s%s", code, out, errs)
			}
			a.leavesWithItsRights(t, f, shape)
			if n := a.api.CountsBy("ebb")["sns.Publish"]; n < 2 {
				t.Errorf("people were told %d times that an instance leaves and has left", n)
			}
			sdkEnvironment(t, "operator")
			code, out, errs := ebb(t.Context(), nil, append(args, "--remove")...)
			if code != cli.ExitOK || !strings.Contains(out, "cloudformation delete-stack --stack-name ebb --region eu-west-1 ") {
				t.Errorf("ebb init --remove ended with %d:\n%s%s", code, out, errs)
			}
			if err := f.remove(); err != nil {
				t.Fatal(err)
			}
			a.nothingIsLeft(t, f)
		})
	}
}

// leavesWithItsRights lets one leave, and Ebb do its part with what the template gives its program, and with the rights of its role and no other.
// The journal is in memory: the table is for the tests with DynamoDB Local.
func (a *account) leavesWithItsRights(t *testing.T, f *formation, shape string) {
	t.Helper()
	sdkEnvironment(t, "ebb")
	f.hold(t, a)
	if shape == "lambda" {
		fn, log := f.function(t), &printed{}
		a.functionDrainsOne(t, f, fn, f.inProcess(t, a, fn, log), log)
	} else {
		env := f.environment(t)
		env["EBB_ENDPOINT"], env["EBB_JOURNAL"] = a.endpoint, "memory:"
		a.drainsOne(t, f, env)
	}
	a.checkRights(t)
}

func (a *account) nothingIsLeft(t *testing.T, f *formation) {
	t.Helper()
	if n := len(f.hooksOf(t, "demo-asg")) + len(f.hooksOf(t, "batch-asg")); n != 0 {
		t.Errorf("%d hooks are left", n)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if left := len(a.world.Queues()) + len(a.world.Rules()); left != 0 {
		t.Errorf("%d queues and rules are left", left)
	}
}

// formWritten makes the stack of the template and parameters that ebb init has written; what was left to the user is filled in.
func (a *account) formWritten(t *testing.T, shape, dir string) *formation {
	t.Helper()
	template, err := os.ReadFile(filepath.Join(dir, "ebb-"+shape+".yaml"))
	if err != nil || string(template) != deploy.Template(shape) {
		t.Fatalf("the template is not the one in the binary: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ebb-parameters.json"))
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range written {
		key, value, _ := strings.Cut(p, "=")
		if slices.Contains(deploy.Yours(shape), key) {
			value = cmp.Or(value, parameters(shape)[key])
		}
		values[key] = value
	}
	s, err := read(shape, values)
	if err != nil {
		t.Fatal(err)
	}
	f, err := form(t.Context(), s, a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestYours holds the list of what the user fills in against the templates: all that has no default, and that ebb init does not know.
func TestYours(t *testing.T) {
	for _, shape := range []string{"lambda", "service", "scale"} {
		s, err := read(shape, parameters(shape))
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range s.Parameters {
			known := slices.Contains([]string{"Clusters", "Cluster", "Service", "TargetGroup"}, name)
			if yours := p.Default == nil && !known; yours != slices.Contains(deploy.Yours(shape), name) {
				t.Errorf("%s: is %s the user's to fill in? %v", shape, name, yours)
			}
		}
	}
}
