// Package demo plays demonstrations: something leaves, at the same time in three clouds on this machine, without help, with what people write
// themselves, and with Ebb; and it counts what is lost under real traffic.
//
// It never speaks to AWS, and its figures are never better than what was measured.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
)

const (
	// limit is how long a demonstration may take before it gives up. It takes a minute.
	limit = 2 * time.Minute
	// warmUp is how long the requests go before something leaves.
	warmUp = 3 * time.Second
)

// users are what the users of each story do: 200 requests a second that do not wait for each other, every twentieth of them slow.
var users = loadtest.Load{Seed: 1, PerSecond: 200, SlowPercent: 5, Quick: 5 * time.Millisecond, Slow: 3 * time.Second}

// Names are the stories that can be played.
func Names() []string { return core.Mapped(plots(), func(p *plot) string { return p.name }) }

// About says in a line each what can be played.
func About() string {
	var b strings.Builder
	for _, p := range plots() {
		fmt.Fprintf(&b, "  %-13s %s\n", p.name, p.about)
	}
	return b.String()
}

// Show is a demonstration: one story, played three times side by side.
type Show struct {
	screen *Screen
	plot   *plot
	sides  []*side
	start  time.Time
	pulse  pulse

	lost   [][]int       // what each side had lost, in the last frames
	said   string        // the last line, where there is no board
	saidAt time.Duration // by the screen's clock
}

// Play plays the story of that name, one of Names, until all that leaves is gone in each cloud and every request is answered. The clouds
// run until Close.
func Play(ctx context.Context, name string, screen *Screen) (*Show, error) {
	all := plots()
	i := slices.IndexFunc(all, func(p *plot) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no story %q; use %s", name, strings.Join(Names(), ", "))
	}
	s := &Show{screen: screen, plot: all[i]}
	err := s.run(ctx)
	screen.end()
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (d *Show) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d.start = time.Now()
	d.screen.clock = func() time.Duration { return time.Duration(float64(time.Since(d.start)) * d.plot.speed) }
	d.screen.text(d.plot.intro)
	var work, load sync.WaitGroup
	defer work.Wait()
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work.Go(func() { d.pulse.beat(run) })
	var clients []*loadtest.Client
	for _, name := range drainers() {
		s, err := open(name, d.plot)
		if err != nil {
			return fmt.Errorf("start the cloud of %s: %w", name, err)
		}
		d.sides = append(d.sides, s)
		if s.client != nil {
			clients = append(clients, s.client)
		}
		work.Go(func() {
			if err := s.work(run, d.screen); err != nil {
				stop(err)
			}
		})
	}
	enough := make(chan struct{})
	if len(clients) > 0 {
		load.Go(func() { d.plot.load.Run(run, enough, clients...) })
	}
	if err := d.watch(run); err != nil {
		stop(err)
	}
	close(enough)
	load.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &SlowError{fmt.Sprintf("after %s not every %s was gone", limit, d.plot.what)}
	case ctx.Err() != nil:
		return errors.New("interrupted")
	}
	return context.Cause(run)
}

// Close ends the clouds.
func (d *Show) Close() {
	for _, s := range d.sides {
		s.close()
	}
}

const (
	frame   = 250 * time.Millisecond // so often the board is drawn
	recent  = 2 * time.Second        // so long what was lost stands beside its number
	silence = 3 * time.Second        // without a board: a line at least so often
)

// watch lets something leave after the warm-up, and shows how the sides stand until all is over.
func (d *Show) watch(ctx context.Context) error {
	var left time.Time // when something began to leave
	for tick := time.Tick(frame); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
		}
		if left.IsZero() && time.Since(d.start) >= warmUp {
			left = time.Now()
			for _, s := range d.sides {
				if err := s.leave(); err != nil {
					return err
				}
			}
			d.screen.say("you", d.plot.begins)
		}
		results := d.Results()
		d.draw(results)
		if !left.IsZero() && d.over(time.Since(left), results) {
			return nil
		}
	}
}

// over reports whether there is nothing more to see, so long after something began to leave.
func (d *Show) over(since time.Duration, results []Result) bool {
	if d.plot.lasts > 0 {
		return since >= d.plot.lasts
	}
	return !slices.ContainsFunc(results, func(r Result) bool { return r.gone < d.plot.leaving || r.routed })
}

// draw draws the board, or where there is none writes a line when there is something new, and once in a while.
func (d *Show) draw(results []Result) {
	lost := core.Mapped(results, func(r Result) int { return r.Failed })
	if d.lost = append(d.lost, lost); len(d.lost) > 1+int(recent/frame) {
		d.lost = d.lost[1:]
	}
	fresh := make([]int, len(lost))
	for i := range lost {
		fresh[i] = lost[i] - d.lost[0][i]
	}
	at := d.screen.clock()
	if board := d.screen.board(d.plot, at, results, fresh); d.screen.live(len(board)) {
		d.screen.show(board)
		return
	}
	line := plain(at, results)
	if d.said == "" {
		d.screen.line(plainHead(d.plot))
	}
	since := at - d.saidAt
	if d.said == "" || since >= silence || since >= time.Second && line[clockWide:] != d.said[clockWide:] {
		d.screen.line(line)
		d.said, d.saidAt = line, at
	}
}

// Results are the figures of the three sides, Ebb's last.
func (d *Show) Results() []Result { return core.Mapped(d.sides, (*side).result) }

// Keep leaves Ebb's cloud running until ctx ends, and says what can be done with it.
func (d *Show) Keep(ctx context.Context, w io.Writer) {
	last := len(d.sides) - 1
	for _, s := range d.sides[:last] {
		s.close()
	}
	d.sides = d.sides[last:]
	if site := d.sides[0].site; site != nil {
		fmt.Fprintf(w, "\nThe service answers at %s; the controller of the demo has ended.\n", site.URL)
	}
	d.sides[0].Greet(w)
	<-ctx.Done()
}
