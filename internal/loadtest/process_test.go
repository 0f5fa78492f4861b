package loadtest

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

func TestAProcessFinishesWhatItHasBegunAndExits(t *testing.T) {
	s := newScene(t)
	told := make(chan struct{})
	p := NewProcesses(func(f func(*sim.World)) { s.world(f); close(told) })
	defer p.Close()
	task := s.tasks[0]
	p.Start(task)
	address, ok := p.Address(task.ARN)
	if !ok {
		t.Fatal("the process does not listen")
	}
	res := ask(t, "http://"+address, "300ms")
	p.Terminate(task)
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

func TestAProcessThatIsKilledResetsItsConnections(t *testing.T) {
	for name, signals := range map[string][]func(*Processes, ecs.Task){
		"at once":       {(*Processes).Kill},
		"after SIGTERM": {(*Processes).Terminate, (*Processes).Kill},
		"with the site": {func(p *Processes, _ ecs.Task) { go p.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			p := NewProcesses(func(func(*sim.World)) { t.Error("a process that is killed tells nobody") })
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
