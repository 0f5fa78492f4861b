package diagnose_test

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim/awscli"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// words lets a shell read a command line.
func words(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+line).Output()
	if err != nil {
		t.Fatalf("a shell does not read %s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// reads reports whether a command changes nothing.
func reads(argv []string) bool {
	return strings.HasPrefix(argv[2], "list-") || strings.HasPrefix(argv[2], "describe-")
}

func (s *scene) ask() diagnose.Report {
	return diagnose.Why(s.take(), diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now(), At: s.at})
}

// drainOn goes on as a drainer does: it sets the target DRAINING if nobody has, waits until no task is left, and answers its hook.
func (s *scene) drainOn(d time.Duration) {
	s.t.Helper()
	for end := s.Now().Add(d); s.Now().Before(end); s.after(15 * time.Second) {
		for _, i := range s.DescribeAutoScalingInstances([]string{s.target}) {
			if fleet.LifecycleState(i.State).Waiting() && !s.live() {
				_ = s.CompleteLifecycleAction("web-asg", "ebb-drain", "", s.target, "CONTINUE") // answered already, or by somebody else
			}
		}
	}
}

// live reports whether a task of the target has not stopped.
func (s *scene) live() bool {
	state := map[string]string{}
	for _, e := range s.Record() {
		if e.Kind == core.EntryTask && e.Instance == s.target {
			state[e.Task] = e.To
		}
	}
	for _, to := range state {
		if to != fleet.Stopped {
			return true
		}
	}
	return false
}

// lost are the tasks of the target that ended with their host.
func (s *scene) lost(since time.Time) (lost []string) {
	for _, e := range s.Record() {
		if e.Kind == core.EntryTask && e.Instance == s.target && e.At.After(since) && strings.Contains(e.Text, "host gone") {
			lost = append(lost, e.Task)
		}
	}
	return lost
}

// notRun are commands for what the simulated cloud does not have: Systems Manager. They are read by a shell only.
func notRun(argv []string) bool { return argv[0] == "ebb" || argv[1] == "ssm" }

var realCLI = flag.Bool("awscli", false, "run what is advised with the AWS CLI of this machine")

// theCLI is the AWS CLI, started once.
var theCLI = sync.OnceValue(func() *awscli.Real {
	real, err := awscli.Start()
	if err != nil {
		panic(err)
	}
	return real
})

// command runs a command line.
func (s *scene) command(argv []string) error {
	if argv[0] == "aws" && *realCLI {
		err := theCLI().Run(argv)
		if errors.Is(err, awscli.ErrNotThere) && notRun(argv) {
			return nil
		}
		return err
	}
	if notRun(argv) {
		return nil
	}
	_, err := awscli.Run(s.Services(), argv)
	return err
}

// TestEveryCommandOfWhyIsTakenAndMends runs each command in a world of its own in which why advises it. A shell reads it, the simulated cloud
// takes it, what it is for is mended once a drainer has gone on for half an hour, and no task is lost, unless it says that it destroys.
func TestEveryCommandOfWhyIsTakenAndMends(t *testing.T) {
	run := 0
	for _, c := range causes() {
		begin := func(t *testing.T) (*scene, diagnose.Report) {
			spec := base()
			if c.spec != nil {
				c.spec(&spec)
			}
			s := stage(t, spec)
			c.act(s)
			return s, s.ask()
		}
		_, first := begin(t)
		for i, f := range first.Blockers[0].All() {
			if f.Line() == "" {
				continue
			}
			run++
			t.Run(fmt.Sprintf("%s/%d", c.name, i), func(t *testing.T) {
				s, r := begin(t)
				f := r.Blockers[0].All()[i]
				argv := words(t, f.Line())
				if f.Command.Undo == f.Line() {
					t.Errorf("it changes nothing: %s", f.Line())
				}
				at := s.Now()
				if err := s.command(argv); err != nil {
					t.Fatalf("%s: %v", f.Line(), err)
				}
				if notRun(argv) {
					return
				}
				s.drainOn(30 * time.Minute)
				if lost := s.lost(at); len(lost) > 0 && f.Harm() != advice.Destroys {
					t.Errorf("%s is %s, and yet %q ended with their host", f.Line(), f.Harm(), lost)
				}
				if reads(argv) {
					return
				}
				after := s.ask()
				if len(after.Blockers) > 0 && after.Blockers[0].Code == c.want && after.State == r.State && !strings.HasPrefix(after.State, "Terminating:Proceed") {
					t.Errorf("after %s: still %s", f.Line(), after.Headline)
				}
			})
		}
	}
	t.Logf("%d commands", run)
}
