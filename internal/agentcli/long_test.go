//go:build long

package agentcli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/loopback"
)

var idle = flag.Duration("idle", 10*time.Minute, "how long the agent does nothing while its memory and processor time are measured")

func simulated(t *testing.T, hosts int) (*loopback.Cloud, []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := loopback.Serve(l, sim.Spec{
		Queues: []sim.QueueSpec{{Name: "shared", Visibility: 30 * time.Second, Redrive: "dead", MaxReceives: 100}, {Name: "dead"}},
		Groups: []sim.GroupSpec{{Name: "web", Desired: hosts, Max: hosts, Hooks: []sim.HookSpec{
			{Name: "ebb-host", Heartbeat: 15 * time.Minute, DefaultResult: "CONTINUE", Target: "shared"},
		}}},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	var ids []string
	cloud.Read(func(w *sim.World) {
		w.Settle()
		for _, in := range w.DescribeAutoScalingInstances(nil) {
			ids = append(ids, in.ID)
		}
	})
	return cloud, ids
}

// TestLongSharedQueue: twenty hosts hear from one queue, and all of them leave at once.
func TestLongSharedQueue(t *testing.T) {
	const hosts = 20
	cloud, ids := simulated(t, hosts)
	cfg := aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "none", ""), BaseEndpoint: aws.String(cloud.Endpoint),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	start, woken := time.Now(), make(chan time.Duration, 1000)
	var all sync.WaitGroup
	for _, id := range ids {
		var once sync.Once
		all.Go(func() {
			hearQueue(ctx, cfg, cloud.Endpoint+"/111122223333/shared", fleet.InstanceID(id), func(context.Context) {
				once.Do(func() { woken <- time.Since(start) })
			}, slog.New(slog.DiscardHandler))
		})
	}
	time.Sleep(3 * time.Second)
	start = time.Now()
	cloud.Read(func(w *sim.World) {
		if err := w.SetDesiredCapacity("web", 0); err != nil {
			t.Error(err)
		}
	})
	var slowest time.Duration
	served := 0
	for served < hosts && ctx.Err() == nil {
		select {
		case d := <-woken:
			slowest = max(slowest, d)
			served++
		case <-ctx.Done():
		}
	}
	stop()
	all.Wait()
	dead, most := 0, 0
	cloud.Read(func(w *sim.World) {
		if q, err := w.Queue("dead"); err == nil {
			dead = len(q.Messages)
		}
		received := map[string]int{}
		for _, e := range w.Record() {
			if e.To == "received" {
				received[e.Message]++
				most = max(most, received[e.Message])
			}
		}
	})
	fmt.Printf("| %d | %d | %.0f s | %d | %d |\n", hosts, served, slowest.Seconds(), most, dead)
	if served < hosts || slowest > time.Minute || dead > 0 {
		t.Errorf("%d of %d served, the slowest after %s; %d in the dead-letter queue", served, hosts, slowest, dead)
	}
}

// TestLongIdle: the memory and the processor time of an agent that has nothing to do.
func TestLongIdle(t *testing.T) {
	cloud, ids := simulated(t, 1)
	imds, err := cloud.Metadata(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "ebb-agent")
	build := exec.Command("go", "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", program, "../../cmd/ebb-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config := written(t, fmt.Sprintf("region: eu-west-1\nendpoint: %s\nimds: %s\nstate: %s\nsteps: [{name: bye, command: [logger, bye]}]\n",
		cloud.Endpoint, imds, filepath.Join(dir, "state")))
	c := exec.Command(program, "run", "-c", config)
	c.Env = []string{"AWS_ACCESS_KEY_ID=ebb", "AWS_SECRET_ACCESS_KEY=none"}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	ticks := func() int {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(string(b)[strings.LastIndexByte(string(b), ')')+2:])
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		return user + system
	}
	time.Sleep(10 * time.Second) // it has started
	before := ticks()
	time.Sleep(*idle)
	used := time.Duration(ticks()-before) * 10 * time.Millisecond // USER_HZ is 100
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	kb := map[string]int{}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 {
			kb[f[0]], _ = strconv.Atoi(f[1])
		}
	}
	share := 100 * used.Seconds() / idle.Seconds()
	fmt.Printf("| ebb-agent | %.1f MB | %.1f MB | %.3f %% |\n", float64(kb["VmRSS:"])/1024, float64(kb["VmHWM:"])/1024, share)
	if kb["VmRSS:"] > 20<<10 || share > 0.1 {
		t.Errorf("resident %d kB, processor %.3f %%", kb["VmRSS:"], share)
	}
}
