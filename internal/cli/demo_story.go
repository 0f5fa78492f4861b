package cli

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/baseline"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/loadtest"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// The size of the demonstration's world.
const (
	demoHosts   = 10
	demoLeaving = 5
	demoTasks   = 20
)

// demoKind is one way to let hosts leave.
type demoKind struct {
	name  string // also the name under which its drainer calls AWS
	hooks []sim.HookSpec
	work  func(context.Context, *demoStory, *screen) error // what drains, until the context ends
}

// demoKinds are the stories. Each drainer has the hook that it comes with: the home-made one sends no heartbeats, so the sample that
// it copies gives it 900 s.
var demoKinds = []demoKind{
	{name: "none", work: func(context.Context, *demoStory, *screen) error { return nil }},
	{name: "homemade", hooks: []sim.HookSpec{{Name: "drain", Heartbeat: 900 * time.Second, DefaultResult: "ABANDON", Target: "ebb"}}, work: homemadeWork},
	{name: "ebb", hooks: []sim.HookSpec{{Name: "ebb-drain", Heartbeat: 30 * time.Second, DefaultResult: "CONTINUE", Target: "ebb"}}, work: ebbWork},
}

// demoWorld is the world of all three stories but for the hooks. The settings are as short as makes sense. The deregistration delay must
// be longer than the load balancer takes to obey (4 s) and the slowest answer takes (3 s) together: else the load balancer itself cuts
// requests, whoever drains. The 8 s above that are for a machine that has other things to do.
func demoWorld(hooks []sim.HookSpec) sim.Spec {
	return sim.Spec{
		Seed: 1, Start: time.Now().UTC().Truncate(time.Millisecond),
		Switches:        core.Switches{Propagation: 4 * time.Second},
		Clusters:        []sim.ClusterSpec{{Name: "demo"}},
		Queues:          []sim.QueueSpec{{Name: "ebb", Redrive: "ebb-dlq", MaxReceives: 5}, {Name: "ebb-dlq", Retention: 14 * 24 * time.Hour}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "web-tg", Delay: 15 * time.Second, Check: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", CPU: 256, Memory: 512, Port: 8080, Start: 3 * time.Second}},
		Groups: []sim.GroupSpec{{
			Name: "demo-asg", Min: 1, Max: demoHosts, Desired: demoHosts, Hooks: hooks, Launch: core.HostSpec{Cluster: "demo", Boot: 10 * time.Second},
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "demo", Task: "web", Desired: demoTasks, Min: 100, Max: 200, TargetGroup: "web-tg"}},
	}
}

// demoStory is one story at work.
type demoStory struct {
	demoKind
	simulation
	site   *loadtest.Site
	client *loadtest.Client
	began  time.Time // when the hosts were told to leave, in the world's time
}

func openStory(k demoKind) (*demoStory, error) {
	cloud, err := startSim(demoWorld(k.hooks), "127.0.0.1:0", 1)
	if err != nil {
		return nil, err
	}
	var balanced string
	cloud.Read(func(w *sim.World) {
		groups, _ := w.DescribeTargetGroups(nil, nil) // all there are: demoWorld has one
		balanced = groups[0].ARN
	})
	site, err := loadtest.Open(cloud.Read, 1, balanced)
	if err != nil {
		cloud.Close()
		return nil, err
	}
	return &demoStory{demoKind: k, simulation: cloud, site: site, client: site.Client()}, nil
}

func (s *demoStory) close() {
	s.client.Close()
	s.simulation.Close()
	s.site.Close()
}

// scaleIn lets the hosts leave.
func (s *demoStory) scaleIn() (err error) {
	s.Read(func(w *sim.World) {
		w.SetCaller("you")
		s.began = w.Now()
		err = w.SetDesiredCapacity("demo-asg", demoHosts-demoLeaving)
	})
	return err
}

func (s *demoStory) queue() string { return s.queueURL("ebb") }

// awsConfig lets the real AWS SDK talk to the story's cloud, under the name of its drainer.
func (s *demoStory) awsConfig() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(s.Endpoint), HTTPClient: awshttp.NewBuildableClient(),
		Credentials: credentials.NewStaticCredentialsProvider(s.name, "none", ""),
	}
}

// homemadeWork is the drainer that people write themselves.
func homemadeWork(ctx context.Context, s *demoStory, out *screen) error {
	d := baseline.FromConfig(s.awsConfig(), s.queue(), "demo")
	for ctx.Err() == nil {
		next, err := d.Tick(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			out.say(s.name, err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
	return nil
}

// ebbWork is the controller as ebb serve wires it, but with its journal in memory.
func ebbWork(ctx context.Context, s *demoStory, out *screen) error {
	cfg := s.awsConfig()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	queue := sqs.New(sqs.NewClient(cfg), sqs.Config{URL: s.queue(), Wait: 20 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if _, err := queue.Check(ctx); err != nil {
		return fmt.Errorf("check the queue: %w", err)
	}
	n := &narrator{s: s, out: out, said: map[string]bool{}}
	e := engine.New(engine.Config{
		Kernel: kernel.Config{Hook: "ebb-drain", Redrive: true, Groups: []kernel.Managed{{Match: "demo-asg", Cluster: "demo", Policy: drain.Defaults()}}},
		Store:  memory.New(), Cloud: cloud.FromConfig(cfg), Source: queue, OnLine: n.journal,
	})
	ctx, end := context.WithCancel(ctx)
	var told sync.WaitGroup
	defer told.Wait()
	defer end()
	told.Go(func() { n.watch(ctx) })
	return e.Run(ctx)
}
