package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/loopback"
)

// patience is how long the scripts wait for what must become true.
const patience = 30 * time.Second

// containerInstance is that of an EC2 instance in the simulated cloud of a script.
func containerInstance(ts *testscript.TestScript, instance string) (found ecs.ContainerInstance) {
	c, _ := clouds.Load(ts.Getenv("ENDPOINT"))
	c.(*loopback.Cloud).Read(func(w *sim.World) {
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
	pattern, last := regexp.MustCompile("(?m)"+args[0]), ""
	if !eventually(patience, func() bool {
		_ = ts.Exec(args[1], args[2:]...) // what it prints is what counts
		last = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return pattern.MatchString(last)
	}) {
		ts.Fatalf("no match of %q in:\n%s", args[0], last)
	}
}

func eventually(within time.Duration, what func() bool) bool {
	for began := time.Now(); time.Since(began) < within; time.Sleep(100 * time.Millisecond) {
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

func TestAMessageIsOneLineThatCanBeSeen(t *testing.T) {
	for message, ok := range map[string]bool{
		"": true, "disk errors": true, strings.Repeat("ä", 200): true,
		strings.Repeat("ä", 201): false, "two\nlines": false, "\x1b[2J": false, "\xff": false,
	} {
		f := drainFlags{late: "leave", deadline: time.Hour, message: message}
		if err := f.check(); (err == nil) != ok {
			t.Errorf("%q: %v", message, err)
		}
	}
}

func TestWhatCannotBeDrainedIsRefused(t *testing.T) {
	host := func(status string) *inventory.Host {
		return &inventory.Host{ContainerInstance: fleet.ContainerInstance{
			Instance: "i-1", Status: status, ARN: "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/c1",
		}}
	}
	group := func(state fleet.LifecycleState) inventory.Inventory {
		g := inventory.Group{}
		g.Name, g.Instances = "web", []fleet.GroupInstance{{ID: "i-1", State: state}}
		return inventory.Inventory{Groups: []*inventory.Group{&g}}
	}
	denied := inventory.Inventory{Unread: []inventory.Unread{{}}}
	for _, c := range []struct {
		name string
		seen inventory.Inventory
		host *inventory.Host
		f    drainFlags
		want string
	}{
		{"in service", group(fleet.InService), host(fleet.Active), drainFlags{terminate: true}, ""},
		{"draining", group(fleet.InService), host(fleet.Draining), drainFlags{terminate: true}, ""},
		{"no group", inventory.Inventory{}, host(fleet.Active), drainFlags{}, ""},
		{"no group to terminate it", inventory.Inventory{}, host(fleet.Active), drainFlags{terminate: true}, "i-1 is in no Auto Scaling group, so nothing can"},
		{"group not read", denied, host(fleet.Active), drainFlags{terminate: true}, "it is not known in which Auto Scaling group i-1 is"},
		{"registering", group(fleet.InService), host("REGISTERING"), drainFlags{}, "container instance c1 of i-1 is REGISTERING, and can be drained once"},
		{"deregistering", group(fleet.InService), host("DEREGISTERING"), drainFlags{}, "container instance c1 of i-1 is DEREGISTERING"},
		{"leaves", group(fleet.TerminatingWait), host(fleet.Active), drainFlags{},
			"i-1 leaves already: group web says Terminating:Wait; what it waits for says: ebb why i-1"},
		{"warm", group("Warmed:Stopped"), host(fleet.Active), drainFlags{}, "i-1 leaves already"},
	} {
		err := c.f.refuse(&c.seen, c.host, func(words []string, _ ...string) string { return "ebb " + strings.Join(words, " ") })
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestWhoWorksIsWhoHeldTheLeasesLately(t *testing.T) {
	now := time.Now()
	held := func(scope, holder string, ago time.Duration) journal.Lease {
		return journal.Lease{Scope: scope, Holder: holder, At: now.Add(-ago)}
	}
	table := config.Config{Journal: "dynamodb://ebb"}
	for _, c := range []struct {
		name   string
		cfg    config.Config
		leases []journal.Lease
		want   string
	}{
		{"nobody ever", config.Config{}, nil, ""},
		{"one", config.Config{}, []journal.Lease{held("cluster/a", "vm/1/x", time.Second), held("cluster/b", "vm/1/x", time.Second)}, "vm/1"},
		{"of another scope", config.Config{}, []journal.Lease{held("cluster/a", "vm/1/x", time.Second), held("cluster/c", "vm/1/x", time.Second)}, ""},
		{"long ago", config.Config{}, []journal.Lease{held("cluster/a", "vm/1/x", time.Hour), held("cluster/b", "vm/1/x", time.Hour)}, ""},
		{"given up", config.Config{}, []journal.Lease{held("cluster/a", "", time.Second), held("cluster/b", "", time.Second)}, ""},
		{"a function between passes", table, []journal.Lease{held("cluster/a", "", time.Minute), held("cluster/b", "", time.Minute)},
			"the Ebb of the journal dynamodb://ebb"},
		{"a function that ran long ago", table, []journal.Lease{held("cluster/a", "", time.Hour), held("cluster/b", "", time.Hour)}, ""},
	} {
		o := order{cfg: c.cfg, now: func() time.Time { return now }, scopes: []string{"cluster/a", "cluster/b"}}
		if got := o.worker(slices.Clone(c.leases)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The policy in the documentation is the one that the scripts run under, and the table has each way in which a drain ends.
func TestTheDocumentsSayWhatIsTested(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	script := read("testdata/script/drain-needs-read-only-and-a-few-calls-more.txtar")
	_, policy, _ := strings.Cut(script, "-- drain.json --\n")
	policy, _, _ = strings.Cut(policy, "-- no-end.json --\n")
	if policy == "" || !strings.Contains(read("../../docs/reference/iam.md"), "```json\n"+policy+"```\n") {
		t.Errorf("docs/reference/iam.md does not have the policy of the script:\n%s", policy)
	}
	table := read("../../docs/reference/journal.md")
	for _, o := range drain.Outcomes() {
		if !strings.Contains(table, "\n| `"+string(o)+"` | ") {
			t.Errorf("docs/reference/journal.md does not say what %s means", o)
		}
	}
	verbs := read("../../docs/reference/drain.md")
	commands := newRoot(Process{}).Commands()
	for _, verb := range []string{"drain", "cancel", "pause", "resume", "protect", "scale", "roll"} {
		there := "no"
		if slices.ContainsFunc(commands, func(c *cobra.Command) bool { return c.Name() == verb }) {
			there = "yes"
		}
		if !regexp.MustCompile("\n\\| `" + verb + "[^`]*` \\| " + there + " \\| ").MatchString(verbs) {
			t.Errorf("docs/reference/drain.md does not say that there is %s: %s", verb, there)
		}
	}
}

func TestADrainWithoutAGroupIsShown(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 15, 2, 0, time.UTC)
	d := drain.Drain{Target: fleet.HostTarget("i-1"), Heard: at, Said: drain.Said{Word: fleet.Word{
		Deadline: at.Add(time.Hour), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "operator",
	}}}
	var open, over strings.Builder
	writeStatus(&open, []statusLine{lineOf(d, "for its tasks", config.Config{})}, func(t time.Time) string { return t.Format("15:04:05") })
	if want := "i-1\t-\topen\t09:15:02\t10:15:02\tebb drain: waits for its tasks\n"; !strings.HasSuffix(open.String(), want) {
		t.Errorf("%q", open.String())
	}
	d.Hook = "ebb-drain" // Auto Scaling has decided: its hook's deadline counts, which nobody knows without a configuration
	if l := lineOf(d, "", config.Config{}); !l.Deadline.IsZero() || l.Word != d.Word {
		t.Errorf("%+v", l)
	}
	d.Hook, d.Ended, d.Final = "", at, &drain.Answer{At: at, Outcome: drain.Overdue, Reason: "it is over"}
	err := writeEnded(&over, []endedLine{endedOf("prod/i-1/w", d)})
	if want := "i-1       -      overdue  0s    ebb drain: it is over"; err != nil || !strings.Contains(over.String(), want) {
		t.Errorf("%v %q", err, over.String())
	}
}
