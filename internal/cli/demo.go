package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// demoLimit is how long the demonstration may take before it gives up.
const demoLimit = 60 * time.Second

func newDemo(p Process) *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Watch one instance leave a simulated cluster, in real time", Args: noArgs,
		Long: `Demo starts the simulated cloud on loopback and the real controller with the real AWS SDK, in one process, terminates one instance of
an Auto Scaling group, and tells line by line what happens until the instance is gone. It needs no account and takes less than a minute.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), p) },
	}
}

// narrator tells the demonstration as it unfolds: lines from the journal and from the world's record, in the order they come.
type narrator struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

func (t *narrator) say(kind, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%5.1fs  %-9s %s\n", time.Since(t.start).Seconds(), kind, text)
}

func demo(ctx context.Context, p Process) error {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	s, err := startSim(ctx, sim.Demo(), "127.0.0.1:0", 1)
	if err != nil {
		return err
	}
	defer s.close()
	say := &narrator{w: p.Stdout, start: time.Now()}
	fmt.Fprintf(p.Stdout, "A cluster of four instances, the services web and api on it, a terminating lifecycle hook - simulated at %s.\n"+
		"The controller is the real one, with the real AWS SDK. Now Auto Scaling is told to terminate one instance.\n\n", s.endpoint)

	var ended sync.WaitGroup
	defer ended.Wait()
	run, stop := context.WithCancel(ctx)
	defer stop()
	e, err := demoEngine(run, s, say)
	if err != nil {
		return err
	}
	ended.Go(func() { _ = e.Run(run) }) // it ends with run
	victim, seen, err := terminateOne(s)
	if err != nil {
		return err
	}
	say.say("you", "terminate "+victim)
	if err := watch(run, s, victim, seen, say); err != nil {
		return err
	}
	return s.summary(p.Stdout, victim)
}

// demoEngine is the controller as ebb serve wires it, but with its journal in memory.
func demoEngine(ctx context.Context, s *simulation, say *narrator) (*engine.Engine, error) {
	now, speed, err := clockAt(ctx, s.endpoint)
	if err != nil {
		return nil, err
	}
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(s.endpoint), HTTPClient: awshttp.NewBuildableClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ebb", SecretAccessKey: "none"}, nil
		}),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	var url string
	s.read(func(w *sim.World) { url = s.queueURL(s.mainQueue(w)) })
	queue := sqs.New(sqs.NewClient(cfg), sqs.Config{URL: url, Wait: 20 * time.Second})
	if _, err := queue.Check(ctx); err != nil {
		return nil, err
	}
	policy := drain.Defaults()
	return engine.New(engine.Config{
		Kernel: kernel.Config{Hook: "ebb-drain", Redrive: true, Groups: []kernel.Managed{{Match: "demo-asg", Cluster: "demo", Policy: policy}}},
		Store:  memory.New(), Cloud: cloud.FromConfig(cfg), Source: newFeed(queue, logger(Process{Stderr: io.Discard}, "error", "text")),
		Now: now, Speed: speed, Tell: func(l journal.Line) { say.say(l.Kind, l.Text) },
	}), nil
}

// terminateOne takes an instance out of the group, and says how much of the world's record is older than that.
func terminateOne(s *simulation) (victim string, seen int, err error) {
	s.read(func(w *sim.World) {
		w.SetCaller("you")
		seen = len(w.Record())
		victim = w.DescribeAutoScalingGroups([]string{"demo-asg"})[0].Instances[1].ID
		_, err = w.TerminateInstanceInAutoScalingGroup(victim, true)
	})
	return victim, seen, err
}

// watch tells what AWS does to the instance and its tasks until it is gone.
func watch(ctx context.Context, s *simulation, victim string, told int, say *narrator) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var fresh []sim.Entry
		s.read(func(w *sim.World) {
			rec := w.Record()
			fresh = append(fresh, rec[told:]...)
			told = len(rec)
		})
		for _, e := range fresh {
			if text := demoLine(e, victim); text != "" {
				say.say("aws", text)
			}
			if e.Kind == sim.EntryInstance && e.Instance == victim && e.To == "terminated" {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("the instance was not gone after %s; this machine may be very slow", demoLimit)
			}
			return errors.New("interrupted")
		}
	}
}

func demoLine(e sim.Entry, victim string) string {
	if e.Instance != victim {
		return ""
	}
	switch e.Kind {
	case sim.EntryLifecycle:
		return "the group says " + e.To
	case sim.EntryHook:
		if e.To == "heartbeat" {
			return "heartbeat: the hook's time-out starts anew"
		}
		return "hook " + e.Hook + " " + e.To
	case sim.EntryContainer:
		return "the container instance is " + e.To
	case sim.EntryTask:
		if e.From != "" {
			return fmt.Sprintf("a task of %s is %s", e.Service, e.To)
		}
	case sim.EntryInstance:
		return "EC2 says " + e.To
	}
	return ""
}

// summary says what was lost and what it cost, from the world's own record.
func (s *simulation) summary(w io.Writer, victim string) error {
	killed, tasks := map[string]bool{}, map[string]bool{}
	s.read(func(world *sim.World) {
		for _, e := range world.Record() {
			if e.Kind == sim.EntryTask && e.Instance == victim {
				tasks[e.Task] = true
				if strings.Contains(e.Text, "killed") {
					killed[e.Task] = true
				}
			}
		}
	})
	calls := 0
	for op, n := range s.api.CountsBy("ebb") {
		if op != "sqs.ReceiveMessage" {
			calls += n
		}
	}
	if len(killed) > 0 {
		return fmt.Errorf("%d tasks on %s were killed; that must not happen", len(killed), victim)
	}
	_, err := fmt.Fprintf(w, "\n%s is gone. %d tasks stopped by themselves first, none was killed; %d AWS calls.\n\nNext: ebb sim gives you the same cloud for your own aws command; ebb serve --help the controller.\n",
		victim, len(tasks), calls)
	return err
}
