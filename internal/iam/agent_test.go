package iam_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/steps"
)

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Load() (steps.State, error) { return steps.State{}, nil }
func (nowhere) Save(steps.State) error     { return nil }

// longStep takes long enough for a heartbeat: a second, which is a minute of the world.
type longStep struct{}

func (longStep) Run(ctx context.Context, s steps.Start, _ map[string]string) steps.End {
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return steps.End{Step: s.Step, Attempt: s.Attempt, At: s.Until, Outcome: steps.OK}
}

// leaving is what the agent of a container instance does when it leaves: the agent's own code, against the simulated cloud, at a minute a
// second. It ends when the hook is answered, or when it is clear that it will not be.
func leaving(t *testing.T, policies ...*wire.Policy) map[wire.Check]int {
	t.Helper()
	const speed = 60
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	world, err := loopback.Serve(l, sim.Spec{
		Clusters: []sim.ClusterSpec{{Name: "prod"}}, Queues: []sim.QueueSpec{{Name: "ebb"}},
		Groups: []sim.GroupSpec{{
			Name: "web-0", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}, Hooks: []sim.HookSpec{{Name: "ebb-host", Heartbeat: 90 * time.Second}},
		}},
	}, speed)
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	for _, p := range policies {
		world.API.Attach("ebb", p)
	}
	var id string
	world.Read(func(w *sim.World) {
		w.Settle()
		in := w.DescribeAutoScalingInstances(nil)[0]
		id = in.ID
		_, _, err = w.UpdateContainerInstancesState("prod", []string{w.Find(id).ContainerInstance}, "DRAINING")
		if _, failed := w.TerminateInstanceInAutoScalingGroup(id, false); failed != nil {
			err = failed
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	imds, err := world.Metadata(id)
	if err != nil {
		t.Fatal(err)
	}
	cfg := aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String(world.Endpoint),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	log, sent := slog.New(slog.DiscardHandler), make(chan bool, 1)
	report := func(ctx context.Context, _ agent.Transcript, body []byte) error {
		_, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: aws.String(world.Endpoint + "/111122223333/ebb"), MessageBody: aws.String(string(body)),
		})
		select {
		case sent <- true:
		default:
		}
		return err
	}
	a := agent.New(agent.Config{
		Plan: steps.Plan{
			Instance: fleet.InstanceID(id), Hook: "ebb-host", Deadline: 10 * time.Minute, ECS: true,
			Steps: []steps.Step{{Name: "work", Timeout: 5 * time.Minute, OnFailure: steps.Continue}},
		},
		IMDS: agent.NewIMDS(imds), ECS: &agent.Introspection{URL: imds}, Store: nowhere{}, Runner: longStep{}, Every: 20 * time.Millisecond, Log: log,
		Cloud:   cloud.New(cloud.Clients{AutoScaling: autoscaling.NewFromConfig(cfg), ECS: ecs.NewFromConfig(cfg)}),
		Reports: &agent.Reports{Instance: id, Log: log, Receivers: []agent.Receiver{{Name: "queue", Each: true, Send: report}}},
		Now:     func() time.Time { return world.At(time.Now()) },
	})
	ctx, stop := context.WithTimeout(t.Context(), 6*time.Second)
	defer stop()
	ended := make(chan bool)
	go func() { a.Run(ctx); close(ended) }()
	for done := false; !done && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		world.Read(func(w *sim.World) {
			for _, e := range w.Record() {
				done = done || e.Kind == core.EntryHook && e.To == "CONTINUE"
			}
		})
	}
	select {
	case <-sent:
	case <-ctx.Done():
	}
	stop()
	<-ended
	return world.API.Checks()
}
