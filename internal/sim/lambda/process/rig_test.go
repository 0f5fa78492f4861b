package process

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// rig is a world that stands still but when the test moves it, with its functions running.
type rig struct {
	*Service
	t       *testing.T
	mu      sync.Mutex
	w       *sim.World
	changed chan struct{}
	logs    journal
}

// journal is what processes have printed.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
	return j.text.Write(p)
}

// until waits until so many lines that begin with "got" are there, and returns the last.
func (j *journal) until(t *testing.T, count int) string {
	t.Helper()
	tooLong := time.After(30 * time.Second)
	for {
		j.mu.Lock()
		if j.more == nil {
			j.more = make(chan struct{})
		}
		text, more := j.text.String(), j.more
		j.mu.Unlock()
		if lines := strings.Split(text, "\ngot "); strings.HasSuffix(text, "\n") && len(lines) == count+1 {
			return lines[count]
		}
		select {
		case <-more:
		case <-tooLong:
			t.Fatalf("printed was %s", text)
		}
	}
}

// newRig runs the functions of a world: "fn" is this test binary.
func newRig(t *testing.T, change func(*sim.Spec), cfg Config) *rig {
	t.Helper()
	spec := sim.Spec{
		Switches:  core.Switches{Notify: time.Second},
		Queues:    []sim.QueueSpec{{Name: "q"}},
		Functions: []sim.FunctionSpec{{Name: "fn", Command: []string{os.Args[0]}, Env: map[string]string{"OWN": "mine"}}},
	}
	if change != nil {
		change(&spec)
	}
	w, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, w: w, changed: make(chan struct{})}
	cfg.World, cfg.Logs, cfg.Endpoint = r.world, &r.logs, "http://127.0.0.1:1"
	if r.Service, err = Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// world gives f the world, and tells those who wait that it may have changed.
func (r *rig) world(f func(*sim.World)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.w)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *rig) pass(d time.Duration) { r.world(func(w *sim.World) { w.Advance(w.Now().Add(d)) }) }

// course is what became of the invocations so far.
func course(w *sim.World) string {
	var all []string
	for _, e := range w.Record() {
		if e.Kind == core.EntryInvocation {
			all = append(all, e.To)
		}
	}
	return strings.Join(all, " ")
}

// until waits, in a world that stands still, until the invocations have gone in one of these ways.
func (r *rig) until(want ...string) {
	r.t.Helper()
	tooLong := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		r.w.Advance(r.w.Now())
		got, changed := course(r.w), r.changed
		r.mu.Unlock()
		if slices.Contains(want, got) {
			return
		}
		select {
		case <-changed:
		case <-tooLong:
			r.t.Fatalf("the invocations went\n  %s\nwant\n  %s", got, strings.Join(want, "\n  or\n  "))
		}
	}
}

// call invokes and waits for the answer.
func (r *rig) call(payload string) lambda.Answer {
	r.t.Helper()
	answers := make(chan lambda.Answer, 1)
	r.world(func(w *sim.World) {
		if _, err := w.Invoke("fn", []byte(payload), func(a lambda.Answer) { answers <- a }); err != nil {
			r.t.Error(err)
			close(answers)
		}
	})
	select {
	case a := <-answers:
		return a
	case <-time.After(30 * time.Second):
		r.t.Fatal("no answer")
		return lambda.Answer{}
	}
}
