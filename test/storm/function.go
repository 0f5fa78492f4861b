package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda/process"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// function is the name of the Lambda function, which is what its processes are called in the record.
const function = "ebb"

// invoked is a run of the function: the simulated cloud in this process, and the function's processes.
type invoked struct {
	remains
	o        options
	mu       sync.Mutex // guards the world
	world    *sim.World
	service  *process.Service
	books    books
	dice     *rand.Rand
	clock    time.Time            // when the world's clock began to go
	seen     int                  // entries of the record
	busy     int                  // invocations under way
	gone     map[string]time.Time // leavers, since when
	strike   time.Time            // when the next blow falls, in real time
	aimed    bool                 // something was busy when it was due
	released map[string]int64     // the last holder that has let go of a lease, by scope
}

// runFunction makes one run with a Lambda function. The error is about the run itself.
func runFunction(ctx context.Context, o options) (left remains, err error) {
	r := &invoked{o: o, gone: map[string]time.Time{}, dice: rand.New(rand.NewPCG(o.seed, 1)), released: map[string]int64{}}
	r.groups, r.speed = functionGroups(), o.speed
	if r.books, err = openBooks(ctx, o); err != nil {
		return remains{}, err
	}
	defer r.books.close()
	logs, err := os.Create(filepath.Join(o.dir, "function.log"))
	if err != nil {
		return remains{}, err
	}
	defer logs.Close()
	stop, err := r.begin(logs)
	if err != nil {
		return remains{}, err
	}
	defer stop()
	if err = r.blow(ctx); err != nil {
		return remains{}, err
	}
	stop()
	r.real = time.Since(r.clock)
	err = r.collect(ctx)
	return r.remains, err
}

// begin lets the world go and its function run. What it returns ends both, and may be called twice.
func (r *invoked) begin(logs io.Writer) (stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as a simulated cloud: %w", err)
	}
	endpoint := "http://" + l.Addr().String()
	spec := functionWorld(r.o.seed, r.o.hosts, "")
	env := map[string]string{"EBB_CONFIG_TEXT": configuration(endpoint, r.books.url(), r.groups), "EBB_CLOCK": endpoint, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull}
	for _, v := range r.books.env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	asFunction(&spec, r.o.ebb, env)
	if r.world, err = sim.Build(spec); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	r.start = r.world.Now()
	api := wire.New(wire.Config{World: r.world, Lock: &r.mu, Limits: wire.Limits(r.world)})
	clock := wire.NewClock(api, r.o.speed)
	r.clock = time.Now()
	server := &http.Server{Handler: api.Handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { clock.Run(ctx) })
	both.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	r.service, err = process.Start(process.Config{World: r.look, Endpoint: endpoint, Speed: r.o.speed, Logs: logs})
	return sync.OnceFunc(func() {
		if r.service != nil {
			r.service.Close()
		}
		cancel()
		_ = server.Close()
		both.Wait()
	}), err
}

// look gives f the world between two of its changes.
func (r *invoked) look(f func(*sim.World)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.world)
}

// blow lets all hosts leave at once, and strikes until all blows have fallen or all hosts are gone.
func (r *invoked) blow(ctx context.Context) error {
	const (
		peace  = 2 * time.Minute // after the last host has gone, for what is still on its way
		enough = 60 * time.Minute
	)
	var err error
	r.look(func(w *sim.World) {
		r.quiet, r.names = w.Now(), namesOf(w)
		r.leavers, err = leaveAtOnce(w, r.o.hosts, r.dice)
	})
	if err != nil {
		return err
	}
	r.strike = r.next()
	for tick := 0; ; tick++ {
		last, now := r.watch()
		if tick%25 == 0 {
			if _, err := r.spared(ctx); err != nil { // sees who lets go
				return err
			}
		}
		over := len(r.gone) == len(r.leavers)
		if r.kills < r.o.kills && !over {
			if err := r.hit(ctx); err != nil {
				return err
			}
		}
		if over && now.Sub(last) > peace || now.Sub(r.start) > enough { // the judge sees what is left
			r.end = now
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// next is when the next blow falls: within 20 s of the world.
func (r *invoked) next() time.Time {
	return time.Now().Add(time.Duration(r.dice.Float64() * 20 / r.o.speed * float64(time.Second)))
}

// hit kills a busy process when it is time, somewhere in its work and not always at its beginning.
func (r *invoked) hit(ctx context.Context) error {
	const work = 1500 * time.Millisecond // how long an invocation takes with many drains, about
	switch {
	case time.Now().Before(r.strike):
		return nil
	case !r.aimed && r.busy > 0:
		r.aimed, r.strike = true, time.Now().Add(time.Duration(r.dice.Int64N(int64(work))))
		return nil
	case !r.aimed:
		return nil
	}
	r.aimed = false
	if spared, err := r.spared(ctx); spared || err != nil || !r.service.Kill(function) {
		return err
	}
	r.kills++
	r.look(func(w *sim.World) { r.quiet = w.Now() })
	r.strike = r.next()
	return nil
}

// mostInARow is how many processes that hold a lease are killed one after the other. The lease of each counts for another minute, and then it
// may be one more until the clock invokes the function; all that must be less than two thirds of the hooks' heartbeat timeout.
const mostInARow = 2

// spared reports whether the function needs a while without blows, because those who held some lease were killed, one after the other.
func (r *invoked) spared(ctx context.Context) (bool, error) {
	all, err := r.books.store().Leases(ctx)
	if err != nil {
		return false, fmt.Errorf("read the leases: %w", err)
	}
	spared := false
	for _, l := range all {
		if l.Holder == "" {
			r.released[l.Scope] = l.Fence
		}
		spared = spared || l.Fence-r.released[l.Scope] > mostInARow
	}
	return spared, nil
}

// watch reads the record on, and returns when the last host left its group, and the time.
func (r *invoked) watch() (last, now time.Time) {
	r.look(func(w *sim.World) { r.record, now = w.Record(), w.Now() }) // entries that are written stay as they are
	leaver := map[string]bool{}
	for _, id := range r.leavers {
		leaver[id] = true
	}
	for _, e := range r.record[r.seen:] {
		switch {
		case e.Kind == core.EntryLifecycle && e.To == "Terminated" && leaver[e.Instance]:
			r.gone[e.Instance] = e.At
		case e.Kind == core.EntryInvocation && e.To == "started":
			r.busy++
		case e.Kind == core.EntryInvocation && e.To != "throttled" && e.To != "dropped":
			r.busy--
		}
	}
	r.seen = len(r.record)
	for _, at := range r.gone {
		if at.After(last) {
			last = at
		}
	}
	return last, now
}

// collect gathers what remains.
func (r *invoked) collect(ctx context.Context) error {
	notes, err := r.books.noted()
	if err != nil {
		return fmt.Errorf("ask the journal's witness: %w", err)
	}
	r.environments = r.service.Counts(function).Environments
	r.requests = r.books.requests()
	r.noted = entries(notes, func(at time.Time) time.Time {
		return r.start.Add(time.Duration(float64(at.Sub(r.clock)) * r.speed))
	})
	r.drains, r.lines, err = readBooks(ctx, r.books)
	return err
}
