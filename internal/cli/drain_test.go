package cli

import (
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// patience is how long the scripts wait for what must become true.
const patience = 30 * time.Second

// containerInstance is that of an EC2 instance in the simulated cloud of a script.
func containerInstance(ts *testscript.TestScript, instance string) (found ecs.ContainerInstance) {
	c, _ := clouds.Load(ts.Getenv("ENDPOINT"))
	c.(simulation).Read(func(w *sim.World) {
		for _, cluster := range w.ListClusters() {
			ids, err := w.ListContainerInstances(cluster, "", "")
			ts.Check(err)
			all, _, err := w.DescribeContainerInstances(cluster, ids)
			ts.Check(err)
			for _, ci := range all {
				if ci.Instance == instance {
					found = ci
				}
			}
		}
	})
	return found
}

// is waits until the container instance of an EC2 instance has a status; with ! it must not get it in the next four seconds.
func is(ts *testscript.TestScript, not bool, args []string) {
	within := patience
	if not {
		within = 4 * time.Second
	}
	got := func() bool { return containerInstance(ts, args[0]).Status == args[1] }
	if holds := eventually(within, got); holds == not {
		ts.Fatalf("%s is %s", args[0], containerInstance(ts, args[0]).Status)
	}
}

// word looks at the attribute on the container instance of an EC2 instance.
func word(ts *testscript.TestScript, not bool, args []string) {
	value := containerInstance(ts, args[0]).Attributes[fleet.WordAttribute]
	if regexp.MustCompile(args[1]).MatchString(value) == not {
		ts.Fatalf("on %s stands %q", args[0], value)
	}
}

// await runs a program again and again until what it prints matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	pattern, last := regexp.MustCompile(args[0]), ""
	if !eventually(patience, func() bool {
		_ = ts.Exec(args[1], args[2:]...) // what it prints is what counts
		last = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return pattern.MatchString(last)
	}) {
		ts.Fatalf("no match of %q in:\n%s", args[0], last)
	}
}

func eventually(within time.Duration, what func() bool) bool {
	for began := time.Now(); time.Since(began) < within; time.Sleep(50 * time.Millisecond) {
		if what() {
			return true
		}
	}
	return false
}

// printed runs a command that was printed last, as a shell takes it: the one with that beginning, which must be the whole of its line. Its
// exit code must be the first argument.
func printed(ts *testscript.TestScript, _ bool, args []string) {
	line := ""
	for l := range strings.Lines(ts.ReadFile("stderr")) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, args[1]) {
			line = l
		}
	}
	if line == "" {
		ts.Fatalf("no command %q was printed in:\n%s", args[1], ts.ReadFile("stderr"))
	}
	ts.Logf("printed: %s", line)
	exits(ts, false, []string{args[0], "sh", "-c", line})
}
