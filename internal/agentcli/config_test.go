package agentcli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/steps"
)

func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What the documents and the package show is a configuration.
func TestWhatIsShownCanBeUsed(t *testing.T) {
	var shown []string
	for _, doc := range []string{"agent.md", "agent-steps.md"} {
		text, err := os.ReadFile("../../docs/reference/" + doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], "steps:") {
				shown = append(shown, block[1])
			}
		}
	}
	if len(shown) < 7 {
		t.Fatalf("only %d configurations are shown", len(shown))
	}
	packaged, err := os.ReadFile("../../deploy/agent/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(shown, string(packaged)) {
		if s, err := read(written(t, text)); err != nil || len(s.plan.Steps) == 0 {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
}

// A mistake has its line, and says what may be written.
func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"hook: x":    "there is no step",
		"stepps: []": "stepps",
		"deadline: 50h\nsteps: [{name: a, command: [b]}]":               "it may be 1m to 48h",
		"steps: [{command: [b]}]":                                       "the step has no name",
		"steps: [{name: a}]":                                            "does not say what to do",
		"steps: [{name: a, command: [b]}, {name: a, command: [c]}]":     "another step has the name",
		"steps: [{name: a, command: [b], when: later}]":                 "it may be always, terminate, spot",
		"steps: [{name: a, command: [b], on_failure: panic}]":           "it may be continue, stop, hold",
		"steps: [{name: a, command: [b], timeout: 72h}]":                "which is how long AWS keeps a hook open",
		"steps: [{name: a, command: [b], retries: -1}]":                 "it may be 0 to 100",
		"steps: [{name: a, command: [b], tmeout: 1s}]":                  "tmeout",
		"report: [{queue: a, s3: b}]\nsteps: [{name: a, command: [b]}]": "has 2 of the keys",
	} {
		if _, err := read(written(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestWhatAStepIs(t *testing.T) {
	s, err := read(written(t, `
steps:
  - {name: a, command: [b]}
  - {name: z, zabbix: {url: "http://127.0.0.1:5480/api_jsonrpc.php", token: "env:T"}}
  - {name: once, zabbix: {url: "http://127.0.0.1:5480/api_jsonrpc.php", token: "env:T"}, retries: 0}
  - {name: c, command: [d], timeout: 10s, retries: 2, on_failure: hold, when: [spot, launch], early: true, priority: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	a, c := s.plan.Steps[0], s.plan.Steps[3]
	if z, once := s.plan.Steps[1], s.plan.Steps[2]; z.Retries != 2 || once.Retries != 0 || a.Retries != 0 { // it answers 500 twice, and then well
		t.Errorf("retries %d of zabbix, %d where none are wanted, %d of a command", z.Retries, once.Retries, a.Retries)
	}
	if a.Timeout != 5*time.Minute || !a.Runs(steps.Terminate) || !a.Runs(steps.Shutdown) || a.Runs(steps.Launch) || a.OnFailure != steps.Continue {
		t.Errorf("%+v", a)
	}
	if c.Timeout != 10*time.Second || c.Retries != 2 || c.OnFailure != steps.Hold || !c.Runs(steps.Launch) || c.Runs(steps.Terminate) ||
		!c.Early || c.Priority != 1 {
		t.Errorf("%+v", c)
	}
}
