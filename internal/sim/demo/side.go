package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// side is a demonstration with one drainer, at work.
type side struct {
	name string // of the drainer, under which it also calls AWS
	plot *plot
	*loopback.Cloud
	group   string // ARN of the target group; empty: there is none
	site    *loadtest.Site
	client  *loadtest.Client
	service service
	began   time.Time // when something began to leave, in the world's time
	seen    []string  // hosts that were there, in the order of their rows
	minutes []minute  // of a story about load
}

// service is what is used while something leaves, and counts what its users lose.
type service interface {
	Tally() loadtest.Tally
	Close()
}

// drainers are who drains, from the least to Ebb.
func drainers() []string { return []string{"none", "homemade", "ebb"} }

func open(name string, plot *plot) (*side, error) {
	spec := plot.world()
	for i := range spec.Groups {
		spec.Groups[i].Hooks = plot.hooks[name]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cloud, err := loopback.Serve(l, spec, plot.speed)
	if err != nil {
		return nil, err
	}
	s := &side{name: name, plot: plot, Cloud: cloud}
	if plot.open != nil {
		if s.service, err = plot.open(s); err != nil {
			cloud.Close()
		}
		return s, err
	}
	cloud.Read(func(w *sim.World) {
		groups, _ := w.DescribeTargetGroups(nil, nil) // all there are: each world of a demonstration has one
		s.group = groups[0].ARN
	})
	if s.site, err = loadtest.Open(cloud.Read, plot.speed, s.group, plot.atOnce); err != nil {
		cloud.Close()
		return nil, err
	}
	s.client = s.site.Client()
	s.client.Late = plot.late
	s.service = s.client
	return s, nil
}

// work drains until ctx ends.
func (s *side) work(ctx context.Context, out *Screen) error {
	switch s.name {
	case "homemade":
		return s.plot.homemade(ctx, s, out)
	case "ebb":
		if h, has := s.service.(*hosts); has {
			if err := h.agents(s, out); err != nil {
				return err
			}
		}
		return ebbWork(ctx, s, out)
	}
	return nil
}

func (s *side) close() {
	s.service.Close()
	s.Cloud.Close()
	if s.site != nil {
		s.site.Close()
	}
}

// leave lets something leave.
func (s *side) leave() (err error) {
	s.Read(func(w *sim.World) {
		w.SetCaller("you")
		s.began = w.Now()
		err = s.plot.leave(w)
	})
	return err
}

// now is the world's time.
func (s *side) now() time.Time { return s.At(time.Now()) }

func (s *side) queue() string { return s.QueueURL("ebb") }

// awsConfig lets the real AWS SDK talk to the story's cloud, under the name of its drainer.
func (s *side) awsConfig() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(s.Endpoint), HTTPClient: awshttp.NewBuildableClient(),
		Credentials: credentials.NewStaticCredentialsProvider(s.name, "none", ""),
	}
}

// homemadeHosts is the drainer of hosts that people write themselves.
func homemadeHosts(ctx context.Context, s *side, out *Screen) error {
	return s.homemade(ctx, out, baseline.FromConfig(s.awsConfig(), s.queue(), "demo").Tick)
}

// homemadeTasks is the function for tasks on Fargate Spot that people write themselves.
func homemadeTasks(ctx context.Context, s *side, out *Screen) error {
	env := baseline.TakeOutConfig{Queue: s.queue(), TargetGroup: s.group, Container: "web", Port: 8080}
	s.Read(func(w *sim.World) { env.Cluster = w.ARN("ecs", "cluster/demo") })
	return s.homemade(ctx, out, baseline.NewTakeOut(env.Connect(s.awsConfig())).Tick)
}

// homemade lets a home-made drainer work.
func (s *side) homemade(ctx context.Context, out *Screen, tick func(context.Context, time.Time) (time.Time, error)) error {
	for ctx.Err() == nil {
		now := s.now()
		next, err := tick(ctx, now)
		if err != nil && ctx.Err() == nil {
			out.say(s.name, err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(float64(next.Sub(now)) / s.plot.speed)):
		}
	}
	return nil
}

// ebbWork is the controller as ebb serve wires it, but with its journal in memory.
func ebbWork(ctx context.Context, s *side, out *Screen) error {
	cfg := s.awsConfig()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	queue := sqs.New(sqs.NewClient(cfg), sqs.Config{URL: s.queue(), Wait: 20 * time.Second, Speed: s.plot.speed, Log: slog.New(slog.DiscardHandler)})
	if _, err := queue.Check(ctx); err != nil {
		return fmt.Errorf("check the queue: %w", err)
	}
	n := &narrator{s: s, out: out, said: map[string]bool{}}
	e := engine.New(engine.Config{
		Kernel: kernel.Config{Hook: "ebb-drain", Redrive: true, Groups: []kernel.Managed{s.plot.managed}},
		Store:  memory.New(), Cloud: cloud.FromConfig(cfg), Source: queue, OnLine: n.journal, Now: s.now, Speed: s.plot.speed,
	})
	ctx, end := context.WithCancel(ctx)
	var told sync.WaitGroup
	defer told.Wait()
	defer end()
	told.Go(func() { n.watch(ctx) })
	return e.Run(ctx)
}
