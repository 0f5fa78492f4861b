package demo

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
	"github.com/ebbhq/ebb/internal/sim/standin"
)

// hostPlot: one of three hosts leaves, with logs that are not delivered yet and a monitoring that watches it.
func hostPlot() *plot {
	p := scaleInPlot()
	p.name, p.about = "host", "one of three hosts leaves, with logs and a monitoring of it"
	p.intro = "Three hosts run an application that writes 50 numbered lines a second to Fluentd, which sends them on each 30 s, and are watched by " +
		"Zabbix, which calls somebody when a host does not answer for 3 s. One host leaves, in three clouds at the same time: without help; with the " +
		"script that cron starts on each host, which reads a queue that all hosts share; with ebb-agent on each host. The application, Fluentd and " +
		"Zabbix are stand-ins, each a process of its own. You are told what happens to the host in Ebb's cloud."
	p.sides, p.leaving, p.begins = []string{"no help", "script of cron", "ebb-agent"}, 1, "terminated one of three hosts"
	p.rows, p.notes, p.figures = hostRows, "", []figure{
		{"lines written", func(r Result) string { return fmt.Sprint(r.Requests) }},
		{"lost", func(r Result) string { return fmt.Sprint(r.Failed) }},
		{"alerts", func(r Result) string { return fmt.Sprint(*cmp.Or(r.Alerts, new(int))) }},
		{"host gone", func(r Result) string { return fmt.Sprintf("%.1f s", r.GoneAfter) }},
		{"AWS calls", func(r Result) string { return fmt.Sprint(r.Calls) }},
	}
	p.moral = "%d lines were lost without help, and somebody was called; %d with the script, which signals Fluentd and waits for nothing; %d with " +
		"ebb-agent, which stops the application, shows that the buffers are empty, and only then answers its hook." +
		"\n\ndocs/reference/agent.md says how it is set up."
	p.world = func() sim.Spec {
		return sim.Spec{
			Seed: 1, Start: time.Now().UTC().Truncate(time.Millisecond),
			Queues: []sim.QueueSpec{{Name: "ebb", Visibility: 7 * time.Second}},
			Groups: []sim.GroupSpec{{Name: "demo-asg", Max: 3, Desired: 3}},
		}
	}
	p.hooks = map[string][]sim.HookSpec{
		"homemade": {{Name: "drain", Heartbeat: 900 * time.Second, DefaultResult: "CONTINUE", Target: "ebb"}},
		"ebb":      {{Name: drain.AgentHook, Heartbeat: time.Minute, DefaultResult: "CONTINUE"}},
	}
	p.leave = func(w *sim.World) error {
		_, err := w.TerminateInstanceInAutoScalingGroup(w.DescribeAutoScalingGroups(nil)[0].Instances[0].ID, true)
		return err
	}
	p.open, p.homemade = openHosts, cronOnHosts
	p.managed = kernel.Managed{Match: "demo-asg", Policy: drain.Defaults(), Agent: true}
	return p
}

// hosts are the hosts of a story, with what runs on them.
type hosts struct {
	dir      string
	watchers *standin.Watchers
	all      map[string]*standin.Host // by instance
	stop     context.CancelFunc
	ended    sync.WaitGroup
}

func openHosts(s *side) (_ service, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "linux" {
		return nil, errors.New("the hosts of this story are processes with ebb-agent beside them, which runs on Linux only")
	}
	h := &hosts{all: map[string]*standin.Host{}}
	var ctx context.Context
	ctx, h.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	if h.dir, err = os.MkdirTemp("", "ebb-demo-"); err != nil {
		return nil, err
	}
	if h.watchers, err = standin.Watch(); err != nil {
		return nil, err
	}
	var ids []string
	s.Read(func(w *sim.World) {
		for _, i := range w.DescribeAutoScalingGroups(nil)[0].Instances {
			ids = append(ids, i.ID)
		}
	})
	for _, id := range ids {
		if h.all[id], err = standin.StartHost(id, h.dir, h.watchers, program, "stand-in"); err != nil {
			return nil, err
		}
	}
	h.ended.Go(func() { h.endWithEC2(ctx, s) })
	return h, nil
}

// endWithEC2 ends what runs on a host when EC2 ends the host.
func (h *hosts) endWithEC2(ctx context.Context, s *side) {
	for ctx.Err() == nil {
		var gone []string
		s.Read(func(w *sim.World) {
			for id := range h.all { //ebb:any-order a set
				if i := w.Find(id); i == nil || fleet.InstanceState(i.State).Gone() {
					gone = append(gone, id)
				}
			}
		})
		for _, id := range gone {
			h.all[id].Kill()
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Tally counts lines of logs.
func (h *hosts) Tally() loadtest.Tally {
	t := loadtest.Tally{ByKind: map[string]int{}}
	for _, one := range h.all { //ebb:any-order a sum
		wrote, lost := one.Lines()
		t.Requests, t.Failed = t.Requests+wrote, t.Failed+lost
	}
	if t.Failed > 0 {
		t.ByKind["lost with the host"] = t.Failed
	}
	return t
}

// Close ends all processes and removes what they wrote.
func (h *hosts) Close() {
	h.stop()
	for _, one := range h.all { //ebb:any-order each is ended
		one.Kill()
	}
	h.ended.Wait()
	if h.watchers != nil {
		h.watchers.Close()
	}
	_ = os.RemoveAll(h.dir) // in the directory for what is temporary
}

// cronOnHosts is what people write themselves. Cron starts it once a minute, and the queue hides a message for 30 s; here it is 5 s and 7 s, so
// that you need not wait. The clocks of the hosts differ, or the same host would take the message each time.
func cronOnHosts(ctx context.Context, s *side, out *Screen) error {
	var scripts sync.WaitGroup
	defer scripts.Wait()
	h, cfg := s.service.(*hosts), s.awsConfig()
	for i, id := range slices.Sorted(maps.Keys(h.all)) {
		one := h.all[id]
		script := baseline.OnHost(cfg, s.queue(), id,
			func() error { return one.Signal("fluentd", syscall.SIGUSR1) },
			func() error { return one.Signal("monitored", syscall.SIGTERM) },
			func() error { h.watchers.Forget(id); return nil },
		)
		scripts.Go(func() {
			const every = 5 * time.Second
			for wait := time.Duration(i) * every / 3; ; wait = every {
				select {
				case <-ctx.Done():
					return
				case <-time.After(wait):
				}
				if _, err := script.Tick(ctx); err != nil && ctx.Err() == nil {
					out.say(s.name, err.Error())
				}
			}
		})
	}
	return nil
}

// agentYAML is the configuration of the agent on a host.
const agentYAML = `region: eu-west-1
endpoint: %s
imds: %s
state: %s
report: [{queue: %q}]
steps:
  - name: application
    signal: {pid_file: %s, wait: true}
    timeout: 20s
  - name: logs
    fluentd: {rpc: %q, monitor: %q}
    timeout: 30s
  - name: monitoring
    zabbix: {url: %s/api_jsonrpc.php, token: env:ZABBIX_TOKEN, host: %s}
    timeout: 10s
`

// agents starts ebb-agent on each host: this program is that one too. What the agent of the victim logs is told.
func (h *hosts) agents(s *side, out *Screen) error {
	program, err := os.Executable()
	for id, one := range h.all { //ebb:any-order each has its own
		imds, bad := s.Metadata(id)
		file := filepath.Join(one.Dir, "agent.yaml")
		config := fmt.Sprintf(agentYAML, s.Endpoint, imds, filepath.Join(one.Dir, "state"), s.queue(), one.PIDFile("app"), one.Fluentd, one.Fluentd,
			h.watchers.URL, id)
		if err = errors.Join(err, bad, os.WriteFile(file, []byte(config), 0o600)); err != nil {
			return fmt.Errorf("configure the agent of %s: %w", id, err)
		}
		c := exec.Command(program, "agent", "run", "-c", file)
		// It must not take this machine's shutdown for its own.
		c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=ebb", "AWS_SECRET_ACCESS_KEY=none", "ZABBIX_TOKEN=demo",
			"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent")
		log, bad := c.StderrPipe()
		if err = errors.Join(bad, one.Begin(c)); err != nil {
			return fmt.Errorf("start ebb-agent on %s: %w", id, err)
		}
		h.ended.Go(func() { tellAgent(log, out) })
	}
	return nil
}

// tellAgent shows what an agent does once its host leaves: the others' hosts stay, so they have nothing to tell.
func tellAgent(log io.Reader, out *Screen) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		_, text, found := strings.Cut(lines.Text(), `level=INFO msg="`)
		if text, _, _ = strings.Cut(text, `"`); found && text != "the agent works" {
			out.say("agent", text)
		}
	}
}
