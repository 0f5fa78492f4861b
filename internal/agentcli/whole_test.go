package agentcli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loopback"
)

// output is what a command writes, from several goroutines.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// A host of a simulated group leaves, with a real agent on it: it hears of that from the metadata service, does its steps, answers its hook,
// and sends the controller what it did. Stopped before, it answers nothing.
func TestAHostLeaves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := loopback.Serve(l, sim.Spec{
		Queues: []sim.QueueSpec{{Name: "ebb"}},
		Groups: []sim.GroupSpec{{Name: "web", Desired: 1, Hooks: []sim.HookSpec{{Name: "ebb-host", Heartbeat: time.Minute, DefaultResult: "CONTINUE"}}}},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	var id, queue string
	cloud.Read(func(w *sim.World) {
		w.Settle()
		id = w.DescribeAutoScalingInstances(nil)[0].ID
		q, err := w.Queue("ebb")
		if err != nil {
			t.Fatal(err)
		}
		queue = cloud.Endpoint + q.URL[strings.LastIndex(q.URL, "/111122223333/"):]
	})
	imds, err := cloud.Metadata(id)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := written(t, fmt.Sprintf(`
region: eu-west-1
endpoint: %s
imds: %s
state: %s
report: [{queue: %q}]
steps:
  - {name: first, command: {shell: "echo $EBB_CAUSE >> %s/did"}}
  - {name: breaks, command: {shell: "echo no such thing; exit 7"}}
  - {name: last, command: [sleep, "2"]}
`, cloud.Endpoint, imds, filepath.Join(dir, "state"), queue, dir))
	env := map[string]string{"AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none", "PATH": os.Getenv("PATH")}
	log := &output{}
	p := Process{Stdout: log, Stderr: log, Env: func(k string) string { return env[k] }}
	if code := Main(t.Context(), []string{"check", "-c", config}, p); code != 0 {
		t.Fatalf("check ends with %d:\n%s", code, log)
	}
	run := func(until func() bool) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() { ended <- Main(ctx, []string{"run", "-c", config}, p) }()
		for end := time.Now().Add(90 * time.Second); !until(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("it did not come so far:\n%s", log)
				break
			}
		}
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the agent ends with %d:\n%s", code, log)
		}
	}
	did := func() string { b, _ := os.ReadFile(filepath.Join(dir, "did")); return string(b) }
	answered := func() (result string) {
		cloud.Read(func(w *sim.World) {
			for _, e := range w.Record() {
				if e.Kind == core.EntryHook && (e.To == "CONTINUE" || e.To == "ABANDON" || e.To == "expired") {
					result = e.To
				}
			}
		})
		return result
	}
	cloud.Read(func(w *sim.World) {
		if _, err := w.TerminateInstanceInAutoScalingGroup(id, false); err != nil {
			t.Fatal(err)
		}
	})
	run(func() bool { return did() != "" }) // it is stopped in the middle
	if r := answered(); r != "" {
		t.Errorf("an agent that was stopped has answered %s", r)
	}
	run(func() bool { return answered() != "" })
	if r := answered(); r != "CONTINUE" || did() != "terminate\n" {
		t.Errorf("the hook was answered %q, and the first step did %q:\n%s", r, did(), log)
	}
	status := &output{}
	if code := Main(t.Context(), []string{"status", "-c", config}, Process{Stdout: status, Stderr: status, Env: p.Env}); code != 0 ||
		!strings.Contains(status.String(), "no such thing") || !strings.Contains(status.String(), "CONTINUE: every step has ended") {
		t.Errorf("status ends with %d:\n%s", code, status)
	}
	cloud.Read(func(w *sim.World) {
		q, _ := w.Queue("ebb")
		sent := ""
		for _, m := range q.Messages {
			sent += m.Body
		}
		if !strings.Contains(sent, "ebb-host-steps") || !strings.Contains(sent, "every step has ended") {
			t.Errorf("the controller's queue has %q", sent)
		}
	})
}
