package spot

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// setUp is how somebody has set up the home-made function for tasks on Fargate Spot.
type setUp struct {
	Cluster, TargetGroup string // names
	Container            string
	Port                 int32
	Throttled            int // percent of its calls of DeregisterTargets
}

// config looks up what the function's environment variables need.
func (t setUp) config(w *sim.World) (baseline.TakeOutConfig, error) {
	q, err := w.Queue("ebb")
	if err != nil {
		return baseline.TakeOutConfig{}, err
	}
	groups, err := w.DescribeTargetGroups(nil, []string{t.TargetGroup})
	if err != nil {
		return baseline.TakeOutConfig{}, err
	}
	return baseline.TakeOutConfig{
		Queue: q.URL, Cluster: w.ARN("ecs", "cluster/"+t.Cluster), TargetGroup: groups[0].ARN, Container: t.Container, Port: t.Port,
	}, nil
}

// takeOutAtHome builds a world with that function, lets something happen after a while, and works until the end, in virtual time.
func takeOutAtHome(spec sim.Spec, t setUp, happen func(*sim.World) error, after, until time.Duration) (*sim.World, error) {
	w, err := sim.Build(spec)
	if err != nil {
		return nil, err
	}
	chance := rand.New(rand.NewPCG(spec.Seed, 0))
	api := wire.New(wire.Config{World: w, Limits: wire.Limits(w), Faults: func(r wire.Request) (f wire.Fault) {
		if r.Operation == "DeregisterTargets" && chance.IntN(100) < t.Throttled {
			f.Kind = wire.Throttle
		}
		return f
	}})
	cfg, err := t.config(w)
	if err != nil {
		return nil, err
	}
	cfg.ELB, cfg.SQS = client.ELB(api), &late{SQS: client.SQS(api), w: w, chance: chance}
	f, ctx := baseline.NewTakeOut(cfg), wire.WithCaller(context.Background(), baseline.HomeMade)
	for at := w.Now().Add(after); w.Now().Before(at); {
		w.Advance(at)
	}
	if err := happen(w); err != nil {
		return nil, err
	}
	for end := w.Start().Add(until); w.Now().Before(end); {
		next, _ := f.Tick(ctx, w.Now()) // what failed is tried again
		w.Advance(next)
	}
	return w, nil
}

// late is a queue whose messages come as much later as an invocation and its call take: as long as two calls of Ebb's in stories.
type late struct {
	baseline.SQS
	w      *sim.World
	chance *rand.Rand
	held   []held
}

type held struct {
	at time.Time
	m  types.Message
}

func (l *late) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := l.SQS.ReceiveMessage(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, m := range out.Messages {
		l.held = append(l.held, held{l.w.Now().Add(l.latency() + l.latency()), m})
	}
	out.Messages = nil
	l.held = slices.DeleteFunc(l.held, func(h held) bool {
		due := !h.at.After(l.w.Now())
		if due {
			out.Messages = append(out.Messages, h.m)
		}
		return due
	})
	return out, nil
}

func (l *late) latency() time.Duration {
	if l.chance.IntN(100) < 2 {
		return time.Second + time.Duration(l.chance.Int64N(int64(4*time.Second)))
	}
	return 5*time.Millisecond + time.Duration(l.chance.Int64N(int64(145*time.Millisecond)))
}
