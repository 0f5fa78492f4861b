package spot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/test/rig"
)

// A cell over real connections: tasks are processes, requests go through a load balancer on loopback, Ebb is ebb serve.

const (
	// made is how many requests a second, of real time, each cloud of a cell gets: what a small machine has time for, three times.
	made   = 100.0
	warmUp = 5 * time.Second // of the world, with requests, until the tasks are interrupted
	calm   = 3 * time.Second // of the world, with requests, after the last old task has gone and no request goes to one
	// tooSlow is how late, in the time of the world, all but one in a hundred of the answers may be. With a machine that is slower the
	// counts are the machine's.
	tooSlow = time.Second
	limit   = 3 * time.Minute // for one cell, of real time
)

// seen is what came of a cell over connections.
type seen struct {
	loadtest.Tally
	lost   loadtest.Lost
	weight float64 // for so many requests of the world does each one stand that was made
}

func (s seen) failed() float64 { return float64(s.Failed) * s.weight }

// stage is one of the clouds of a cell.
type stage struct {
	*loopback.Cloud
	site   *loadtest.Site
	client *loadtest.Client
	queue  string
	group  string // ARN
	work   context.CancelFunc
	worked sync.WaitGroup
	err    error // why its drainer ended
}

// overConnections plays a cell three times side by side: alone, with the home-made function, and with Ebb. The world goes at a speed.
func (c cell) overConnections(ctx context.Context, program, dir string, speed float64) (all [ebb + 1]seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stages []*stage
	var clients []*loadtest.Client
	defer func() {
		for _, s := range stages {
			s.close()
		}
	}()
	for by := range all {
		s, err := c.stage(ctx, who(by), program, filepath.Join(dir, fmt.Sprint(by)), speed)
		if err != nil {
			return all, err
		}
		stages, clients = append(stages, s), append(clients, s.client)
	}
	enough := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		loadtest.Load{Evenly: true, PerSecond: made, Quick: scaled(lasts, speed)}.Run(ctx, enough, clients...)
	})
	err = play(ctx, stages, speed)
	close(enough)
	load.Wait()
	for i, s := range stages {
		all[i] = seen{Tally: s.client.Tally(), lost: s.site.Lost(), weight: rate / made * speed}
		err = errors.Join(err, s.err)
	}
	return all, err
}

// scaled is how long a duration of the world takes.
func scaled(d time.Duration, speed float64) time.Duration { return time.Duration(float64(d) / speed) }

// play interrupts the tasks after the warm-up, and waits until nothing more can fail.
func play(ctx context.Context, stages []*stage, speed float64) (err error) {
	pause := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the tasks to leave: %w", context.Cause(ctx))
		case <-time.After(scaled(d, speed)):
			return nil
		}
	}
	for by := stages[ebb]; !by.listens(); {
		if err := pause(100 * time.Millisecond); err != nil || by.err != nil {
			return errors.Join(err, by.err)
		}
	}
	if err := pause(warmUp); err != nil {
		return err
	}
	for _, s := range stages {
		s.Read(func(w *sim.World) { err = errors.Join(err, interrupt(w)) })
	}
	for err == nil {
		if !slices.ContainsFunc(stages, func(s *stage) bool { return !s.left() }) {
			return pause(calm)
		}
		err = pause(500 * time.Millisecond)
	}
	return err
}

// stage lets the cloud of a cell begin, with a drainer.
func (c cell) stage(ctx context.Context, by who, program, dir string, speed float64) (*stage, error) {
	spec := c.scenario(1).World
	spec.Traffic = nil
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stage{}
	if s.Cloud, err = loopback.Serve(l, spec, speed); err != nil {
		return nil, err
	}
	var env baseline.TakeOutConfig
	s.Read(func(w *sim.World) { env, err = c.atHome().config(w) })
	if err == nil {
		s.queue, s.group = env.Queue, env.TargetGroup
		s.site, err = loadtest.Open(s.Read, speed, s.group, 0)
	}
	if err != nil {
		s.Cloud.Close()
		return nil, err
	}
	s.client = s.site.Client()
	ctx, s.work = context.WithCancel(ctx)
	switch by {
	case homeMade:
		s.worked.Go(func() { s.takeOut(ctx, env, speed) })
	case ebb:
		s.worked.Go(func() { s.err = s.serve(ctx, program, dir) })
	}
	return s, nil
}

func (s *stage) close() {
	s.work()
	s.worked.Wait()
	s.client.Close()
	s.Cloud.Close()
	s.site.Close()
}

// takeOut is the home-made function at work, with the real AWS SDK.
func (s *stage) takeOut(ctx context.Context, env baseline.TakeOutConfig, speed float64) {
	f := baseline.NewTakeOut(env.Connect(aws.Config{
		Region: "eu-west-1", BaseEndpoint: &s.Endpoint, HTTPClient: awshttp.NewBuildableClient(),
		Credentials: credentials.NewStaticCredentialsProvider(baseline.HomeMade, "none", ""),
	}))
	for ctx.Err() == nil {
		now := s.At(time.Now())
		next, _ := f.Tick(ctx, now) // what failed is tried again
		select {
		case <-ctx.Done():
		case <-time.After(scaled(next.Sub(now), speed)):
		}
	}
}

// serve is ebb serve at work, until ctx ends.
func (s *stage) serve(ctx context.Context, program, dir string) error {
	config, log := filepath.Join(dir, "ebb.yaml"), filepath.Join(dir, "ebb.log")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("queue: %s\nendpoint: %s\nregion: eu-west-1\nclusters: [{name: prod}]\n", s.queue, s.Endpoint)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, program, "serve", "--config", config, "--clock", s.Endpoint)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, rig.Caller("ebb")
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	said, _ := os.ReadFile(log)
	return fmt.Errorf("ebb serve has ended: %w\n%s", err, said)
}

// listens reports whether an Ebb has begun to poll the queue.
func (s *stage) listens() (yes bool) {
	s.Read(func(w *sim.World) {
		for _, e := range w.Record() {
			yes = yes || e.Kind == core.EntryCall && e.Text == "sqs.ReceiveMessage"
		}
	})
	return yes
}

// left reports whether the interrupted tasks have stopped, no request goes to one any more, and their replacements are healthy.
func (s *stage) left() (yes bool) {
	s.Read(func(w *sim.World) {
		stopped, out := 0, 0
		for _, e := range w.Record() {
			switch {
			case e.Kind == core.EntryTask && e.To == "STOPPED":
				stopped++
			case e.Kind == core.EntryTarget && e.To == "draining":
				out++
			}
		}
		_, targets := w.Routes(s.group)
		healthy, routed := 0, false
		for _, t := range targets {
			if t.State == "healthy" {
				healthy++
			} else {
				routed = routed || w.Now().Before(t.RoutedUntil)
			}
		}
		yes = stopped >= interrupted && out >= interrupted && healthy >= tasks && !routed
	})
	return yes
}
