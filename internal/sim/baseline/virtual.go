package baseline

import (
	"context"
	"fmt"
	"time"

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
	var all []*Drainer
	for _, g := range spec.Groups {
		q, err := w.Queue(g.Hooks[0].Target)
		if err != nil {
			return Drained{}, err
		}
		all = append(all, New(Config{
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
