// Package bench measures what a drain costs, for Ebb and for the home-made drainer: calls of AWS's APIs and how soon the hook is answered, in the
// simulated cloud and in virtual time; what the kernel needs of a processor; and how much memory ebb serve holds.
//
// It never speaks to AWS. Counts and virtual times are the same on every machine; the rest says what machine it was read on.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/test/rig"
)

// options are the command line.
type options struct {
	atOnce []int
	delays []time.Duration
	only   string
	hosts  int
	out    string
}

func (o *options) parse(atOnce, delays string) error {
	for s := range strings.SplitSeq(atOnce, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("-at-once: %q is no number of hosts; write it like 1,10,150", s)
		}
		o.atOnce = append(o.atOnce, n)
	}
	for s := range strings.SplitSeq(delays, ",") {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("-delays: %w; write it like 60s,300s", err)
		}
		o.delays = append(o.delays, d)
	}
	if o.only != "" && o.only != "calls" && o.only != "kernel" && o.only != "memory" {
		return fmt.Errorf("-only: %q is not known; it is calls, kernel or memory", o.only)
	}
	return nil
}

// report makes the report, section by section, and shows each as soon as it is there.
func (o *options) report() error {
	var text bytes.Buffer
	w := io.MultiWriter(os.Stdout, &text)
	fmt.Fprint(w, head)
	for _, section := range []struct {
		name string
		make func(io.Writer) error
	}{{"calls", o.calls}, {"kernel", kernelTimes}, {"memory", o.memory}} {
		if o.only != "" && o.only != section.name {
			continue
		}
		if err := section.make(w); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, text.Bytes(), 0o644)
}

const head = "# What a drain costs\n\nMade by `make bench`; do not edit. " +
	"Counts and virtual times are the same on every machine, processor times and memory are not.\n"

// kernelTimes is the section about the kernel's processor time and allocations, from the benchmarks of package kernel, and the size of
// the binary.
func kernelTimes(w io.Writer) error {
	cmd := exec.Command("go", "test", "./internal/kernel", "-run", "^$", "-bench", ".", "-benchmem", "-cpu", "1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run the benchmarks of internal/kernel: %w", err)
	}
	processor := "a processor of unknown model"
	var rows strings.Builder
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if model, ok := strings.CutPrefix(line, "cpu: "); ok {
			processor = strings.TrimSpace(model)
		} else if len(f) >= 8 && strings.HasPrefix(f[0], "Benchmark") {
			fmt.Fprintf(&rows, "| %s | %s ns | %s B | %s |\n", strings.TrimPrefix(f[0], "Benchmark"), f[2], f[4], f[6])
		}
	}
	fmt.Fprintf(w, "\n## Processor time\n\nRead on %s with %d processors, %s/%s, %s. 10,000 drains are open.\n\n"+
		"| benchmark | time | memory allocated | allocations |\n|---|--:|--:|--:|\n%s",
		processor, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), &rows)
	return binarySize(w)
}

// binarySize builds ebb as a release would be, and weighs it.
func binarySize(w io.Writer) error {
	dir, err := os.MkdirTemp("", "ebb-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := rig.Build(context.Background(), dir, []string{"-trimpath", "-ldflags=-s -w"}, "CGO_ENABLED=0")
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe binary, stripped, is %.1f MB.\n", float64(info.Size())/1e6)
	return nil
}

// What things are called in the world of the report.
const (
	cluster = "prod"
	group   = "prod-asg"
	hook    = "ebb-drain"
	queue   = "ebb"
)

// worldW is the world of the report: n hosts are to leave a group of twice as many; 4 replica tasks and 1 daemon task on each host, the
// replicas behind target groups in services of 20, and room for as many again.
func worldW(n int, delay time.Duration) sim.Spec {
	return fleetOf(max(2*n, 10), delay, 10*time.Second)
}

// fleetOf is a group of hosts whose tasks exit so long after SIGTERM.
func fleetOf(hosts int, delay, exit time.Duration) sim.Spec {
	const perHost, perService = 4, 20
	stop := exit + 20*time.Second
	w := sim.Spec{
		Seed:     1,
		Clusters: []sim.ClusterSpec{{Name: cluster}},
		Queues:   []sim.QueueSpec{{Name: queue, Redrive: "ebb-dlq"}, {Name: "ebb-dlq"}},
		TaskDefinitions: []ecs.TaskDefinition{
			{Family: "web", CPU: 200, Memory: 512, Port: 8080, Start: 10 * time.Second, Exit: exit, Stop: stop},
			{Family: "agent", CPU: 100, Memory: 128, Start: 5 * time.Second, Exit: exit, Stop: stop},
		},
		Groups: []sim.GroupSpec{{
			Name: group, Desired: hosts,
			Hooks:  []sim.HookSpec{{Name: hook, Heartbeat: 15 * time.Minute, DefaultResult: "CONTINUE", Target: queue}},
			Launch: core.HostSpec{Cluster: cluster},
		}},
		Services: []sim.ServiceSpec{{Name: "agent", Cluster: cluster, Task: "agent", Daemon: true}},
	}
	for i := range hosts * perHost / perService {
		name := fmt.Sprintf("web%d", i)
		w.TargetGroups = append(w.TargetGroups, sim.TargetGroupSpec{Name: name, Delay: delay, Check: 10 * time.Second})
		w.Services = append(w.Services, sim.ServiceSpec{Name: name, Cluster: cluster, Task: "web", Desired: perService, Min: 100, Max: 200, TargetGroup: name})
	}
	return w
}
