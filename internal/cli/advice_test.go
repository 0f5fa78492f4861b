package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/awscli"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loopback"
)

var realCLI = flag.Bool("awscli", false, "run what is advised with the AWS CLI of this machine")

// theCLI is the AWS CLI, started once.
var theCLI = sync.OnceValue(func() *awscli.Real {
	real, err := awscli.Start()
	if err != nil {
		panic(err)
	}
	return real
})

// account is a simulated account that the doctor examines.
type account struct {
	*loopback.Cloud
	t   *testing.T
	cfg config.Config
	ran map[string]bool // operations that were run
}

// more has faults that faulty.yaml has no room for.
const more = `
start: 2026-11-21T09:00:00Z
clusters: [{name: prod}]
queues: [{name: ebb, redrive: ebb-dlq}, {name: ebb-dlq}]
rules:
  - {name: off, pattern: '{"source":["aws.autoscaling"],"detail":{"AutoScalingGroupName":["off-asg"]}}', targets: [ebb]}
  - {name: aimless, pattern: '{"source":["aws.autoscaling"],"detail":{"AutoScalingGroupName":["aimless-asg"]}}'}
task_definitions: [{family: web, cpu: 64, memory: 64}]
groups:
  - {name: off-asg, desired: 1, launch: {cluster: prod}, hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE}]}
  - {name: aimless-asg, desired: 1, launch: {cluster: prod}, hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE}]}
  - name: two-asg
    desired: 1
    launch: {cluster: prod}
    hooks:
      - {name: ebb-drain, heartbeat: 15m, default_result: CONTINUE, target: ebb}
      - {name: old-drainer, heartbeat: 15m, default_result: CONTINUE, target: ebb}
  - {name: bare-asg, desired: 1, launch: {cluster: prod}, hooks: [{name: logs, heartbeat: 15m, default_result: CONTINUE, target: ebb}]}
  - {name: lost-asg, desired: 1, launch: {cluster: prod}}
  - {name: gone-asg, desired: 1, launch: {cluster: prod}, hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE, target: ebb}]}
capacity_providers:
  - {name: lost-cp, group: lost-asg, managed_draining: true}
services: [{name: web, cluster: prod, task: web, desired: 1}]
`

const moreConfig = `groups: [{match: "*-asg", cluster: prod}]
`

// accounts are simulated accounts with planted faults.
var accounts = map[string]func(*testing.T) account{
	"faulty": func(t *testing.T) account {
		return opened(t, filepath.Join("testdata/doctor", "faulty.yaml"), filepath.Join("testdata/doctor", "ebb.yaml"), spoil)
	},
	"more": func(t *testing.T) account {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "world.yaml"), []byte(more), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "ebb.yaml"), []byte(moreConfig), 0o600))
		return opened(t, filepath.Join(dir, "world.yaml"), filepath.Join(dir, "ebb.yaml"), spoilMore)
	},
}

// spoilMore does in the account of more what its world cannot say.
func spoilMore(t *testing.T, w *sim.World) {
	t.Helper()
	w.Advance(w.Now().Add(30 * time.Minute))
	must(t, w.DeleteLifecycleHook("lost-asg", fleet.ManagedDrainingHook))
	for _, r := range w.Rules() {
		if off := *r; off.Name == "off" {
			off.State = "DISABLED"
			_, err := w.PutRule(off)
			must(t, err)
		}
	}
	gone := w.DescribeAutoScalingGroups([]string{"gone-asg"})[0].Instances[0].ID
	arns, err := w.ListContainerInstances("prod", "", "ec2InstanceId == "+gone)
	must(t, err)
	w.DisconnectAgent(arns[0])
	must(t, w.StopInstances([]string{gone}))
	w.Advance(w.Now().Add(time.Minute))
	_, err = w.TerminateInstanceInAutoScalingGroup(gone, true)
	must(t, err)
	w.Advance(w.Now().Add(10 * time.Second))
}

// opened is a simulated account of a world file, in which something was done.
func opened(t *testing.T, world, configuration string, do func(*testing.T, *sim.World)) account {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none",
	} {
		t.Setenv(name, value)
	}
	spec, err := worldSpec(world)
	must(t, err)
	s, err := startSim(spec, "127.0.0.1:0", 0)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	cfg, err := config.Load(configuration, func(string) string { return "" },
		map[string]string{"endpoint": s.Endpoint, "region": "eu-west-1", "queue": s.Endpoint + "/111122223333/ebb"})
	must(t, err)
	s.Read(func(w *sim.World) { do(t, w) })
	return account{Cloud: s, t: t, cfg: cfg, ran: map[string]bool{}}
}

func (a account) examine() []doctor.Finding {
	a.t.Helper()
	seen, err := look(a.t.Context(), a.cfg, collector.Scope{}, a.API.World.Now, nil)
	must(a.t, err)
	return doctor.Examine(&doctor.Input{
		Inventory: &seen, Everything: true, Ebb: settingsOf(a.cfg), At: advice.At{Region: "eu-west-1", Endpoint: a.Endpoint}, Now: seen.At,
	})
}

// find is the finding of a check about a subject. URLs of queues have the port of their cloud.
func (a account) find(check, subject string) *doctor.Finding {
	for _, f := range a.examine() {
		if f.Check == check && a.subject(f) == subject {
			return &f
		}
	}
	return nil
}

func (a account) subject(f doctor.Finding) string {
	return strings.ReplaceAll(f.Subject, a.Endpoint, "endpoint")
}

// shell lets a shell read a command line.
func shell(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+line).Output()
	must(t, err)
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// stays says why a finding is there after its commands were run.
var stays = map[string]string{
	"lifetime-protected": "the cloud has no refresh that acts", "refresh-waits": "the same", "managed-hook-missing": "the cloud does not change providers",
	"waiting": "ebb why says what to do", "two-drainers": "which of them is to go is for a person to say",
	"dead-letters": "what was read comes back", "nobody-drains": "ebb init writes files", "unheard": "ebb init writes files",
}

// TestEveryCommandOfDoctorIsTakenAndMends runs the commands of each finding, in their order, in an account of its own. A shell reads them, the
// simulated cloud takes them, the finding is gone, and no task is lost. What destroys is run by itself.
func TestEveryCommandOfDoctorIsTakenAndMends(t *testing.T) {
	run, ran := 0, map[string]bool{}
	for _, name := range []string{"faulty", "more"} {
		run += runAll(t, accounts[name], ran)
	}
	t.Logf("%d commands", run)
	for _, op := range []string{
		"autoscaling terminate-instance-in-auto-scaling-group", "autoscaling complete-lifecycle-action", "autoscaling resume-processes",
		"autoscaling set-desired-capacity", "autoscaling set-instance-protection", "autoscaling put-lifecycle-hook",
		"autoscaling delete-lifecycle-hook", "autoscaling describe-lifecycle-hooks", "autoscaling describe-auto-scaling-groups",
		"autoscaling cancel-instance-refresh", "autoscaling start-instance-refresh", "ecs update-container-instances-state",
		"ecs update-service", "ecs update-task-protection", "ecs update-capacity-provider",
		"elbv2 modify-target-group-attributes", "sqs set-queue-attributes", "sqs create-queue", "sqs receive-message", "sqs start-message-move-task",
		"sqs purge-queue", "events enable-rule", "events put-rule", "events put-targets",
	} {
		if !ran[op] {
			t.Errorf("no world makes the doctor advise %s", op)
		}
	}
}

// runAll runs the commands of every finding in accounts like one, and returns how many there were.
func runAll(t *testing.T, make func(*testing.T) account, ran map[string]bool) (run int) {
	first := make(t)
	for _, planted := range first.examine() {
		subject := first.subject(planted)
		for part, fixes := range map[string]func(*doctor.Finding) []advice.Fix{
			"fix":  func(f *doctor.Finding) []advice.Fix { return f.Fix },
			"last": func(f *doctor.Finding) []advice.Fix { return f.Last },
		} {
			if !commanded(fixes(&planted)) {
				continue
			}
			t.Run(fmt.Sprintf("%s %s %s", planted.Check, subject, part), func(t *testing.T) {
				a := make(t)
				a.ran = ran
				f := a.find(planted.Check, subject)
				began, writes := len(a.API.World.Record()), false
				for _, fix := range fixes(f) {
					if line := fix.Line(); line != "" {
						if fix.Command.Undo == line {
							t.Errorf("it changes nothing: %s", line)
						}
						run++
						writes = a.run(shell(t, line)) || writes
					}
				}
				a.Read(func(w *sim.World) {
					w.Advance(w.Now().Add(10 * time.Minute))
					for _, e := range w.Record()[began:] {
						if part == "fix" && e.Kind == core.EntryTask && strings.Contains(e.Text, "host gone") {
							t.Errorf("task %s ended with its host %s", e.Task, e.Instance)
						}
					}
				})
				if _, known := stays[f.Check]; writes && part == "fix" && !known && a.find(f.Check, subject) != nil {
					t.Errorf("it is still found after\n%s", f.Text("  "))
				}
			})
		}
	}
	return run
}

func commanded(fixes []advice.Fix) bool {
	for _, f := range fixes {
		if f.Line() != "" {
			return true
		}
	}
	return false
}

// run runs a command line, and reports whether it changes anything. Commands of Ebb itself have tests of their own: here their flags are read.
func (a account) run(argv []string) (writes bool) {
	a.t.Helper()
	if argv[0] == "ebb" {
		c, rest, err := newRoot(Process{}).Find(argv[1:])
		must(a.t, err)
		must(a.t, c.ParseFlags(rest))
		return false
	}
	a.ran[argv[1]+" "+argv[2]] = true
	if *realCLI {
		if err := theCLI().Run(argv); err != nil && !(errors.Is(err, awscli.ErrNotThere) && unknown(argv)) {
			a.t.Errorf("%q: %v", argv, err)
		}
		return !onlyReads(argv)
	}
	if unknown(argv) {
		return false
	}
	a.Read(func(w *sim.World) {
		if _, err := awscli.Run(w.Services(), argv); err != nil {
			a.t.Errorf("%q: %v", argv, err)
		}
	})
	return !onlyReads(argv)
}

func onlyReads(argv []string) bool {
	return strings.HasPrefix(argv[2], "list-") || strings.HasPrefix(argv[2], "describe-") || argv[2] == "receive-message"
}

// unknown reports whether the simulated cloud does not have an operation; a shell has read it at least.
func unknown(argv []string) bool {
	return argv[1] == "cloudformation" || argv[1] == "dynamodb" || strings.HasSuffix(argv[2], "-instance-refresh") ||
		argv[2] == "update-capacity-provider" || argv[2] == "start-message-move-task" || argv[2] == "enable-rule"
}

// TestWhatInitPrintsIsAScriptThatRuns runs what ebb init prints to put Ebb up, and then what it prints to take it down.
func TestWhatInitPrintsIsAScriptThatRuns(t *testing.T) {
	a := accounts["more"](t)
	dir := t.TempDir()
	for _, c := range []struct {
		args          []string
		rules, queues int
	}{{nil, 7, 4}, {[]string{"--remove", "--force"}, 3, 2}, {[]string{"--shape", "lambda", "--yes"}, 3, 2}} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"init", "--endpoint", a.Endpoint, "--region", "eu-west-1", "--group", "lost-asg", "--group", "gone-asg", "--dir", dir, "--name",
			"ebb-two", "--shape", "serve"}, c.args...)
		if code := Main(t.Context(), args, Process{Stdout: &stdout, Stderr: &stderr, Env: func(string) string { return "" }}); code != ExitOK {
			t.Fatalf("ebb %q: %d\n%s", args, code, stderr.String())
		}
		for line := range strings.Lines(stdout.String()) {
			if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
				a.run(shell(t, line))
			}
		}
		a.Read(func(w *sim.World) {
			if rules, queues := len(w.Rules()), len(w.Queues()); rules != c.rules || queues != c.queues {
				t.Errorf("after ebb init %q there are %d rules and %d queues", c.args, rules, queues)
			}
		})
	}
}
