package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/cli"
)

// TestTheNewUsersPath goes from nothing to a drained instance and back: init, the stack, doctor, serve, a termination, and the stack taken
// out again with no hook left.
func TestTheNewUsersPath(t *testing.T) {
	sdkEnvironment(t)
	a, dir := newAccount(t), t.TempDir()
	env := map[string]string{"EBB_JOURNAL": "memory:"}
	args := []string{"init", "--endpoint", a.endpoint, "--region", "eu-west-1", "--group", "demo-asg", "--group", "batch-asg", "--shape", "service", "--dir", dir}
	if code, out, errs := ebb(t.Context(), env, args...); code != cli.ExitOK || !strings.Contains(out, "aws --region eu-west-1 --endpoint-url "+a.endpoint+" cloudformation deploy") {
		t.Fatalf("ebb init ended with %d:\n%s%s", code, out, errs)
	}
	f := a.formWritten(t, dir)
	ours := filepath.Join(dir, "ebb.yaml")
	if code, out, errs := ebb(t.Context(), env, "doctor", "--config", ours, "--clock", a.endpoint); code != cli.ExitOK {
		t.Errorf("ebb doctor ended with %d:\n%s%s", code, out, errs)
	}
	a.drainsOne(t, f, env, "--config", ours)
	code, out, errs := ebb(t.Context(), env, append(args, "--remove")...)
	if code != cli.ExitOK || !strings.Contains(out, "cloudformation delete-stack --stack-name ebb\n") {
		t.Errorf("ebb init --remove ended with %d:\n%s%s", code, out, errs)
	}
	if err := f.remove(); err != nil {
		t.Fatal(err)
	}
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
func (a *account) formWritten(t *testing.T, dir string) *formation {
	t.Helper()
	template, err := os.ReadFile(filepath.Join(dir, "ebb-service.yaml"))
	if err != nil || string(template) != deploy.Template("service") {
		t.Fatalf("the template is not the one in the binary: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ebb-parameters.json"))
	if err != nil {
		t.Fatal(err)
	}
	var written []struct{ ParameterKey, ParameterValue string }
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range written {
		values[p.ParameterKey] = p.ParameterValue
		if p.ParameterValue == "" {
			values[p.ParameterKey] = parameters("service")[p.ParameterKey]
		}
	}
	s, err := read("service", values)
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
	for shape := range modes {
		s, err := read(shape, parameters(shape))
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range s.Parameters {
			known := slices.Contains([]string{"Groups", "Clusters", "GroupSettings"}, name)
			if yours := p.Default == nil && !known; yours != slices.Contains(deploy.Yours(shape), name) {
				t.Errorf("%s: is %s the user's to fill in? %v", shape, name, yours)
			}
		}
	}
}
