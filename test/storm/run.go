package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// remains is what a run leaves behind: all that it is judged by.
type remains struct {
	groups     []group           // that are managed
	speed      float64           // of the world
	processes  int               // that share the journal; 0: a function
	record     []core.Entry      // the cloud's own
	told       []core.Entry      // of the lives of the serves, by this program
	noted      []core.Entry      // of the notes in the journal, by its witness
	leavers    []string          // the instances that must leave
	names      map[string]string // of the instances of the start
	drains     []journal.Record  // all of the journal
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

// running is a run under way.
type running struct {
	remains
	o       options
	cloud   *simulated
	config  string
	books   books
	servers []*server
	fates   []fate
	waiting []string // instances that must leave later
	gone    map[string]time.Time
	dice    *rand.Rand
}

func (r *running) blame(format string, args ...any) {
	r.blames = append(r.blames, fmt.Sprintf(format, args...))
}

// in is when a time of the world has passed from now on.
func (r *running) in(d time.Duration) time.Time { return time.Now().Add(r.cloud.lasts(d)) }

// calm reports whether the storm is over.
func (r *running) calm() bool { return r.kills >= r.o.kills }

// run makes one run. The error is about the run itself; what Ebb did wrong is in what remains.
func run(ctx context.Context, o options) (left remains, err error) {
	began := time.Now()
	r := &running{o: o, gone: map[string]time.Time{}, dice: rand.New(rand.NewPCG(o.seed, 1))}
	r.groups, r.speed, r.processes = o.groups(), o.speed, o.processes
	if r.books, err = openBooks(ctx, o); err != nil {
		return remains{}, err
	}
	defer r.books.close()
	if r.cloud, err = simulate(ctx, o); err != nil {
		return remains{}, err
	}
	defer r.cloud.kill()
	defer func() {
		for _, s := range r.servers {
			if s.child != nil {
				s.kill()
			}
		}
	}()
	if err = r.prepare(ctx); err == nil {
		err = r.blow(ctx)
	}
	if err == nil {
		err = r.collect(ctx)
	}
	r.real = time.Since(began)
	return r.remains, err
}

func (r *running) prepare(ctx context.Context) error {
	r.start, r.config = r.cloud.now(), filepath.Join(r.o.dir, "ebb.yaml")
	if err := os.WriteFile(r.config, []byte(configuration(r.cloud.endpoint, r.books.url(), r.groups)), 0o644); err != nil {
		return err
	}
	ids, names, err := r.cloud.instances(ctx)
	if err != nil {
		return err
	}
	if len(ids) < r.o.hosts {
		return fmt.Errorf("the world has %d hosts, fewer than the %d that are to leave", len(ids), r.o.hosts)
	}
	r.dice.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	r.names, r.waiting = names, ids[:r.o.hosts]
	for i := range r.o.processes {
		dice := rand.New(rand.NewPCG(r.o.seed, uint64(i)+2))
		r.servers = append(r.servers, &server{r: r, number: i + 1, lots: lots{pace: r.o.pace(), dice: dice}})
	}
	return nil
}

// blow lets the storm blow: hosts leave and serves are struck, until all blows have fallen and all hosts are gone, or it has taken too
// long.
func (r *running) blow(ctx context.Context) error {
	const (
		peace  = 2 * time.Minute // after the last host has gone, for what is still on its way
		enough = 90 * time.Minute
	)
	for tick := 0; ; tick++ {
		if err := r.leave(ctx); err != nil {
			return err
		}
		for _, s := range r.servers {
			if err := s.step(); err != nil {
				return err
			}
		}
		if tick%20 == 0 {
			last, err := r.watch(ctx)
			if err != nil {
				return err
			}
			now := r.cloud.now()
			if r.calm() && len(r.gone) == len(r.leavers) && len(r.waiting) == 0 && now.Sub(last) > peace && now.Sub(r.quiet) > peace {
				return nil
			}
			if r.calm() && now.Sub(r.quiet) > enough {
				return nil // the judge sees what is left
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.cloud.ended:
			r.cloud.close()
			return errors.Join(fmt.Errorf("the simulated cloud ended by itself; see %s", filepath.Join(r.o.dir, "sim.log")), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// leave tells as many hosts to leave as fit to how far the storm is: a third at once, the last when three quarters of the blows
// have fallen.
func (r *running) leave(ctx context.Context) error {
	if !r.calm() || r.quiet.IsZero() {
		r.quiet = r.cloud.now()
	}
	due := r.o.hosts
	if last := r.o.kills * 3 / 4; r.kills < last {
		due = r.o.hosts/3 + r.o.hosts*2/3*r.kills/last
	}
	for len(r.waiting) > 0 && len(r.leavers) < due {
		id := r.waiting[0]
		if err := r.cloud.terminate(ctx, id, r.dice.IntN(2) == 0); err != nil {
			return fmt.Errorf("terminate %s: %w", r.names[id], err)
		}
		r.waiting, r.leavers = r.waiting[1:], append(r.leavers, id)
	}
	return nil
}

// watch reads the record on, and returns when the last host left its group.
func (r *running) watch(ctx context.Context) (last time.Time, err error) {
	entries, err := r.cloud.read(ctx)
	for _, e := range entries {
		if e.Kind == core.EntryLifecycle && e.To == "Terminated" && slices.Contains(r.leavers, e.Instance) {
			r.gone[e.Instance] = e.At
		}
	}
	for _, at := range r.gone {
		if at.After(last) {
			last = at
		}
	}
	return last, err
}

// collect ends the serves and gathers what remains.
func (r *running) collect(ctx context.Context) error {
	r.end = r.cloud.now()
	for _, s := range r.servers {
		if s.child == nil {
			r.blame("%s was away at the end", s.name())
			continue
		}
		if err := s.end(); err != nil {
			r.blame("%s did not end well on SIGTERM: %v", s.name(), err)
		}
		s.child = nil
	}
	if _, err := r.watch(ctx); err != nil {
		return err
	}
	r.record = r.cloud.record
	if err := r.cloud.end(); err != nil {
		return fmt.Errorf("the simulated cloud did not end well: %w", err)
	}
	for _, s := range r.servers {
		n, err := refusals(s.log())
		if err != nil {
			return err
		}
		r.refusals += n
	}
	worked, err := readWorks(r.servers)
	if err != nil {
		return err
	}
	r.handed = handOvers(r.fates, worked)
	return r.readJournal(ctx)
}

func (r *running) readJournal(ctx context.Context) error {
	notes, err := r.books.noted()
	if err != nil {
		return fmt.Errorf("ask the journal's witness: %w", err)
	}
	r.noted, r.requests = entries(notes, r.cloud.at), r.books.requests()
	r.drains, r.lines, err = readBooks(ctx, r.books)
	return err
}
