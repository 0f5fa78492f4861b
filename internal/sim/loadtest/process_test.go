package loadtest

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

func TestAProcessFinishesWhatItHasBegunAndExits(t *testing.T) {
	s := newScene(t)
	told := make(chan struct{})
	p := NewProcesses(func(f func(*sim.World)) { s.world(f); close(told) }, 1)
	defer p.Close()
	task := s.tasks[0]
	p.Start(task)
	address, ok := p.Address(task.ARN)
	if !ok {
		t.Fatal("the process does not listen")
	}
	res := ask(t, "http://"+address, "300ms")
	p.Terminate(task, ecs.TaskDefinition{})
	if _, ok := p.Address(task.ARN); ok {
		t.Error("it takes new connections after SIGTERM")
	}
	select {
	case <-told:
		t.Fatal("it exited before it had answered")
	default:
	}
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != whole[1:] {
		t.Errorf("the rest of the answer is %q, %v", rest, err)
	}
	<-told
}

// TestAProcessServesAfterSIGTERM: for as long as its definition says, in the time of the world, and exits no earlier than that says.
func TestAProcessServesAfterSIGTERM(t *testing.T) {
	for name, c := range map[string]struct {
		def        ecs.TaskDefinition
		serves     bool
		stops, end time.Duration
	}{
		"a while":       {ecs.TaskDefinition{Serves: 2 * time.Second, Exit: 4 * time.Second}, true, 200 * time.Millisecond, 400 * time.Millisecond},
		"until the end": {ecs.TaskDefinition{Exit: 3 * time.Second}, true, 300 * time.Millisecond, 300 * time.Millisecond},
		"not at all":    {ecs.TaskDefinition{Serves: -1, Exit: 3 * time.Second}, false, 0, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			told := make(chan time.Time, 1)
			p := NewProcesses(func(f func(*sim.World)) { s.world(f); told <- time.Now() }, 10)
			defer p.Close()
			p.Start(s.tasks[0])
			began := time.Now()
			p.Terminate(s.tasks[0], c.def)
			p.Terminate(s.tasks[0], c.def) // once more changes nothing
			if address, ok := p.Address(s.tasks[0].ARN); ok != c.serves {
				t.Errorf("it serves %v after SIGTERM", ok)
			} else if ok {
				_ = ask(t, "http://"+address, "1ms").Body.Close()
			}
			for ok := true; ok; _, ok = p.Address(s.tasks[0].ARN) {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(began); took < c.stops {
				t.Errorf("it stopped to serve after %s, want %s", took, c.stops)
			}
			if took := (<-told).Sub(began); took < c.end {
				t.Errorf("it ended after %s, want %s", took, c.end)
			}
		})
	}
}

// TestAProcessThatIsKilledTellsNobody, whatever it was at.
func TestAProcessThatIsKilledTellsNobody(t *testing.T) {
	for name, def := range map[string]ecs.TaskDefinition{
		"while it serves": {Exit: time.Hour}, "while it waits for its end": {Serves: -1, Exit: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			p := NewProcesses(func(func(*sim.World)) { t.Error("it told") }, 1)
			p.Start(s.tasks[0])
			p.Terminate(s.tasks[0], def)
			time.Sleep(10 * time.Millisecond)
			p.Kill(s.tasks[0])
			p.Close()
		})
	}
}

func terminate(p *Processes, t ecs.Task) { p.Terminate(t, ecs.TaskDefinition{}) }

func TestAProcessThatIsKilledResetsItsConnections(t *testing.T) {
	for name, signals := range map[string][]func(*Processes, ecs.Task){
		"at once":       {(*Processes).Kill},
		"after SIGTERM": {terminate, (*Processes).Kill},
		"with the site": {func(p *Processes, _ ecs.Task) { go p.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			p := NewProcesses(func(func(*sim.World)) { t.Error("a process that is killed tells nobody") }, 1)
			p.Start(s.tasks[0])
			address, _ := p.Address(s.tasks[0].ARN)
			res := ask(t, "http://"+address, "1h")
			for _, signal := range signals {
				signal(p, s.tasks[0])
			}
			if _, err := io.ReadAll(res.Body); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v, want the connection reset", err)
			}
			p.Close()
			if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v, want connections refused", err)
			}
		})
	}
}
