package story

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// untouched is a world whose group Ebb does not manage, so that only what the story says happens there.
const untouched = `
world:
  clusters: [{name: prod}, {name: other}]
  queues: [{name: ebb}]
  task_definitions: [{family: web, start: 5s, exit: 5s}]
  groups:
    - {name: web-asg, desired: 3, suspended: [HealthCheck], launch: {cluster: prod, boot: 1m}}
  services: [{name: web, cluster: prod, task: web, desired: 3}]
ebb: {groups: [{match: none, cluster: prod}]}
at:
`

// course is the states of a kind that the record tells of the first host after the start.
func course(res Result, kind core.EntryKind) string {
	instance, states := "", []string{}
	for _, e := range res.Record {
		switch {
		case e.Kind == core.EntryInstance && instance == "":
			instance = e.Instance
		case e.Kind == kind && e.Instance == instance && e.At.After(res.Record[0].At):
			states = append(states, e.To)
		}
	}
	return strings.Join(states, " ")
}

// TestWordsOfTheCloud: what each verb makes of a host.
func TestWordsOfTheCloud(t *testing.T) {
	for _, c := range []struct {
		steps string
		kind  core.EntryKind
		want  string
	}{
		{"- {at: 1m, do: register-again, host: web-asg/0}", core.EntryContainer, "ACTIVE"},
		{"- {at: 1m, do: register-again, host: web-asg/0}", core.EntryAgent, "disconnected"},
		{"- {at: 1m, do: register-again, host: web-asg/0, connected: true, cluster: other}", core.EntryAgent, ""},
		{"- {at: 1m, do: register-again, host: web-asg/0, empty: true}", core.EntryTask, "STOPPED PENDING ACTIVATING RUNNING"},
		{"- {at: 1m, do: register-again, host: web-asg/0, connected: true}\n- {at: 2m, do: disconnect, host: web-asg/0, registration: 1}\n" +
			"- {at: 3m, do: drain-by-hand, host: web-asg/0}\n- {at: 4m, do: deregister, host: web-asg/0, registration: 1}", core.EntryContainer,
			"ACTIVE DRAINING INACTIVE"},
		{"- {at: 1m, do: replace-root-volume, host: web-asg/0}", core.EntryLifecycle,
			"ReplacingRootVolume ReplacingRootVolume:Proceed RootVolumeReplaced Pending InService"},
		{"- {at: 1m, do: replace-root-volume, host: web-asg/0, result: failed}", core.EntryLifecycle,
			"ReplacingRootVolume ReplacingRootVolume:Proceed Terminating Terminating:Proceed Terminated"},
		{"- {at: 1m, do: enter-standby, host: web-asg/0, decrement: true}\n- {at: 5m, do: exit-standby, host: web-asg/0}", core.EntryLifecycle,
			"EnteringStandby Standby Pending InService"},
		{"- {at: 1m, do: ec2-stop, host: web-asg/0}\n- {at: 5m, do: ec2-start, host: web-asg/0}", core.EntryInstance,
			"stopping stopped pending running"},
		{"- {at: 1m, do: suspend, group: web-asg, process: Terminate Launch}\n- {at: 2m, do: scale, group: web-asg, count: 0}\n" +
			"- {at: 9m, do: resume, group: web-asg}\n- {at: 19m, do: scale, group: web-asg, count: 0}", core.EntryLifecycle,
			"Terminating Terminating:Proceed Terminated"},
	} {
		s, err := Parse([]byte(untouched + c.steps + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := Run(s)
		if err != nil || len(res.Violations) > 0 {
			t.Fatalf("%s: %v %v", c.steps, res.Violations, err)
		}
		if i := slices.IndexFunc(res.Lines, func(l Line) bool { return strings.Contains(l.Text, "refused") }); i >= 0 {
			t.Errorf("%s: %s", c.steps, res.Lines[i].Text)
		}
		if got := course(res, c.kind); got != c.want {
			t.Errorf("%s: %q, want %q", c.steps, got, c.want)
		}
	}
}

// TestJudgeOfSeveralRegistrations: a host is reached as long as ECS reaches one of its registrations, a task can land on it as long as one of
// these is ACTIVE, and the tasks of all of them count.
func TestJudgeOfSeveralRegistrations(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	entry := func(minutes int, kind core.EntryKind, ci, from, to string) core.Entry {
		return core.Entry{At: start.Add(time.Duration(minutes) * time.Minute), Kind: kind, Group: "web", Hook: "ebb-drain", Instance: "i-1",
			ContainerInstance: ci, From: from, To: to, By: "aws"}
	}
	by := func(e core.Entry, name string) core.Entry { e.By = name; return e }
	task := entry(0, core.EntryTask, "old", "", "RUNNING")
	task.Task = "t"
	looked := by(entry(0, core.EntryCall, "", "", "ok"), "ebb")
	looked.Text = "ecs.ListTasks"
	begin := []core.Entry{
		by(entry(0, core.EntryController, "", "", "started"), "ebb"), looked, entry(0, core.EntryContainer, "old", "", "ACTIVE"),
	}
	with := slices.Concat(begin, []core.Entry{task})
	again := []core.Entry{entry(1, core.EntryContainer, "new", "", "ACTIVE"), entry(1, core.EntryAgent, "old", "connected", "disconnected")}
	opened := entry(2, core.EntryHook, "", "", "opened")
	draining := entry(3, core.EntryContainer, "new", "ACTIVE", "DRAINING")
	lost := entry(3, core.EntryAgent, "new", "connected", "disconnected")
	answered, late := by(entry(5, core.EntryHook, "", "", "CONTINUE"), "ebb"), by(entry(9, core.EntryHook, "", "", "CONTINUE"), "ebb")
	for name, c := range map[string]struct {
		record []core.Entry
		want   string
	}{
		"no task is left":                      {slices.Concat(begin, again, []core.Entry{opened, draining, answered}), ""},
		"the old one has a task":               {slices.Concat(with, again, []core.Entry{opened, draining, answered}), "had not stopped"},
		"the old one has a task, all are lost": {slices.Concat(with, again, []core.Entry{opened, draining, lost, late}), ""},
		"the new one is still ACTIVE":          {slices.Concat(begin, again, []core.Entry{opened, answered}), "was ACTIVE"},
		"only the old one is ACTIVE, without an agent": {slices.Concat(begin, again, []core.Entry{opened, draining,
			entry(4, core.EntryAgent, "old", "disconnected", "disconnected"), answered}), ""},
	} {
		var text []string
		for _, v := range Judge(Evidence{
			Ebb: Ebb{Groups: []Group{{Match: "web"}}}, Record: c.record, Start: start, End: start.Add(11 * time.Minute),
		}) {
			text = append(text, v.String())
		}
		if got := strings.Join(text, "; "); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}
