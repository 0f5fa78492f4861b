package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/baseline"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// HomeMade is the name of the home-made drainer in the record.
const HomeMade = "home-made"

const (
	patience  = 2 * time.Hour    // until the last hook is answered
	afterward = 10 * time.Minute // for tasks that are killed with their host
)

// Drained is what came of it.
type Drained struct {
	Start       time.Time
	Record      []core.Entry
	Invocations int // of the Lambda that the drainer imitates
}

// DrainAtHome builds a world with a home-made drainer for each group, which hears the queue of the group's hook. It lets hosts leave and
// works until no hook holds any of them, in virtual time. Calls that are throttled fail, and the drainer tries again at its own pace, as
// its models do.
func DrainAtHome(spec sim.Spec, leave func(*sim.World) (hosts int, err error)) (Drained, error) {
	w, err := sim.Build(spec)
	if err != nil {
		return Drained{}, err
	}
	api := wire.New(wire.Config{World: w, Limits: wire.Limits(w)})
	var all []*baseline.Drainer
	for _, g := range spec.Groups {
		q, err := w.Queue(g.Hooks[0].Target)
		if err != nil {
			return Drained{}, err
		}
		all = append(all, baseline.New(baseline.Config{
			ECS: client.ECS(api), AutoScaling: client.AutoScaling(api), SQS: client.SQS(api), Queue: q.URL, Cluster: g.Launch.Cluster,
		}))
	}
	r := Drained{Start: w.Now()}
	hosts, err := leave(w)
	if err != nil {
		return Drained{}, err
	}
	ctx := wire.WithCaller(context.Background(), HomeMade)
	over := map[string]bool{}
	for seen := 0; len(over) < hosts; {
		if w.Now().After(r.Start.Add(patience)) {
			return Drained{}, fmt.Errorf("the home-made drainer let %d of %d hosts go within %s", len(over), hosts, patience)
		}
		next := w.Now().Add(time.Minute)
		for _, d := range all {
			if at, _ := d.Tick(ctx, w.Now()); at.Before(next) { // what failed is in the record
				next = at
			}
		}
		w.Advance(next)
		for _, e := range w.Record()[seen:] {
			if e.Kind == core.EntryHook && (e.To == "CONTINUE" || e.To == "expired") {
				over[e.Instance] = true
			}
		}
		seen = len(w.Record())
	}
	w.Advance(w.Now().Add(afterward))
	r.Record = w.Record()
	for _, d := range all {
		r.Invocations += d.Invocations()
	}
	return r, nil
}

// TakeOut is how somebody has set up the home-made function for tasks on Fargate Spot.
type TakeOut struct {
	Cluster, TargetGroup string // names
	Container            string
	Port                 int32
	Throttled            int // percent of its calls of DeregisterTargets
}

// Config looks up what the function's environment variables need.
func (t TakeOut) Config(w *sim.World) (baseline.TakeOutConfig, error) {
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

// TakeOutAtHome builds a world with that function, lets something happen after a while, and works until the end, in virtual time.
func TakeOutAtHome(spec sim.Spec, t TakeOut, happen func(*sim.World) error, after, until time.Duration) (*sim.World, error) {
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
	cfg, err := t.Config(w)
	if err != nil {
		return nil, err
	}
	cfg.ELB, cfg.SQS = client.ELB(api), &late{SQS: client.SQS(api), w: w, chance: chance}
	f, ctx := baseline.NewTakeOut(cfg), wire.WithCaller(context.Background(), HomeMade)
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
