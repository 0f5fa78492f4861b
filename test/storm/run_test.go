package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loopback"
)

// remains is what a run leaves behind: all that it is judged by.
type remains struct {
	o          options
	record     []core.Entry      // the cloud's own
	told       []core.Entry      // of the lives of the serves, by this program
	noted      []core.Entry      // of the notes in the journal, by its witness
	leavers    []string          // the instances that were told to leave
	names      map[string]string // of the instances of the start
	ended      []drain.Drain     // all of the journal
	open       []drain.Drain
	lines      []journal.Line
	blames     []string // what went wrong while it ran
	start, end time.Time
	quiet      time.Time // when the last blow fell; of the world
	real       time.Duration
	kills      int
	terms      int
	stops      int
	requests   int // of DynamoDB

	environments int // execution environments of the function

	refusals int // batches that the journal refused because another serve was first, as the logs say
	handed   []handOver
}

// run is a run under way: the simulated cloud in this process, and Ebb's processes.
type run struct {
	remains
	cloud *loopback.Cloud
	books *books
	ebbs  ebbs
	fates []fate   // of the serves
	draw  []string // all hosts that are to leave, in this order; leavers are those that were terminated so far
	gone  int      // how many of them have left their groups
	last  time.Time
	busy  int // invocations of the function under way
	dice  *rand.Rand
}

// ebbs are Ebb's processes in one of its shapes.
type ebbs interface {
	step(context.Context) error // what is due happens; called every few milliseconds
	end() error                 // in good order; adds to what remains
	kill()                      // those that are left
}

func (r *remains) blame(format string, args ...any) {
	r.blames = append(r.blames, fmt.Sprintf(format, args...))
}

// now is the world's time.
func (r *run) now() time.Time { return r.cloud.At(time.Now()) }

// in is when a time of the world has passed from now on.
func (r *run) in(d time.Duration) time.Time {
	return time.Now().Add(time.Duration(float64(d) / r.o.speed))
}

// calm reports whether the storm is over. A function without work cannot be struck any more.
func (r *run) calm() bool {
	return r.kills >= r.o.kills || r.o.shape == lambdaShape && r.gone == r.o.hosts
}

// killed counts a blow.
func (r *run) killed() {
	r.kills++
	r.quiet = r.now()
}

// blow makes one run. The error is about the run itself; what Ebb did wrong is in what remains.
func blow(ctx context.Context, o options) (left remains, err error) {
	began := time.Now()
	r := &run{remains: remains{o: o}, dice: rand.New(rand.NewPCG(o.seed, 1))}
	if err := os.Mkdir(o.dir, 0o755); err != nil {
		return remains{}, err
	}
	if r.books, err = openBooks(ctx, o); err != nil {
		return remains{}, err
	}
	defer r.books.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return remains{}, fmt.Errorf("listen as a simulated cloud: %w", err)
	}
	config := configuration(loopback.Endpoint(l), r.books.url, o.groups())
	spec := o.world()
	if o.shape == lambdaShape {
		spec = asFunction(spec, o.ebb, loopback.Endpoint(l), config, r.books.env)
	}
	if r.cloud, err = loopback.Serve(l, spec, o.speed); err != nil {
		return remains{}, err
	}
	defer r.cloud.Close()
	if o.shape == lambdaShape {
		r.ebbs, err = newFunction(r)
	} else {
		r.ebbs, err = newServers(r, config)
	}
	if err != nil {
		return remains{}, err
	}
	defer r.ebbs.kill()
	r.cloud.Read(func(w *sim.World) {
		r.start, r.quiet = w.Now(), w.Now()
		r.draw, r.names = leavers(w, o.hosts, r.dice)
	})
	if err = r.drain(ctx); err == nil {
		err = r.collect(ctx)
	}
	r.real = time.Since(began)
	return r.remains, err
}

// drain lets the storm blow: hosts leave and Ebb is struck, until all blows have fallen and all hosts are gone, or it has taken too long.
func (r *run) drain(ctx context.Context) error {
	const (
		peace  = 2 * time.Minute // after the last host has gone, for what is still on its way
		enough = 90 * time.Minute
	)
	trouble := r.newFault()
	for {
		if err := r.leave(); err != nil {
			return err
		}
		if err := trouble.step(ctx); err != nil {
			return err
		}
		if err := r.ebbs.step(ctx); err != nil {
			return err
		}
		r.watch()
		now := r.now()
		over := trouble.over && r.calm() && r.gone == r.o.hosts && now.Sub(r.last) > peace && now.Sub(r.quiet) > peace
		if over || now.Sub(r.quiet) > enough { // then the judge sees what is left
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// leave terminates as many hosts as fit to how far the storm is: with serves a third at once, and the last when three quarters of the blows
// have fallen.
func (r *run) leave() (err error) {
	due := r.o.hosts
	if last := r.o.kills * 3 / 4; r.o.shape == serveShape && r.kills < last {
		due = r.o.hosts/3 + r.o.hosts*2/3*r.kills/last
	}
	if had := len(r.leavers); had < due {
		r.leavers = r.draw[:due]
		r.cloud.Read(func(w *sim.World) { err = terminate(w, r.draw, had, due) })
	}
	return err
}

// watch reads the record on.
func (r *run) watch() {
	had := len(r.record)
	r.cloud.Read(func(w *sim.World) { r.record = w.Record() }) // entries that are written stay as they are
	for _, e := range r.record[had:] {
		switch {
		case e.Kind == core.EntryLifecycle && e.To == "Terminated" && slices.Contains(r.leavers, e.Instance):
			r.gone, r.last = r.gone+1, e.At
		case e.Kind != core.EntryInvocation:
		case e.To == "started":
			r.busy++
		case e.To != "throttled" && e.To != "dropped":
			r.busy--
		}
	}
}

// collect ends Ebb and gathers what remains.
func (r *run) collect(ctx context.Context) error {
	r.end = r.now()
	if err := r.ebbs.end(); err != nil {
		return err
	}
	if r.o.fault == garbageFault {
		return r.afterGarbage(ctx)
	}
	notes, err := r.books.noted()
	if err != nil {
		return fmt.Errorf("ask the journal's witness: %w", err)
	}
	r.noted, r.requests = entries(notes, r.cloud.At), r.books.requests()
	drains, lines, err := r.books.read(ctx)
	for _, d := range drains {
		r.take(d)
	}
	r.lines = lines
	return err
}
