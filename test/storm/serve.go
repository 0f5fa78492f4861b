package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// server is one place in which an ebb serve runs, one life after another.
type server struct {
	*child // nil while away
	r      *running
	number int
	lives  int
	lots   lots
	fate   lot // of this life
	state  state
	began  time.Time // this life
	due    time.Time // when the next thing happens to it
}

type state int

const (
	away state = iota
	serving
	asleep
	ending
)

// name is what this life is called in the cloud's record: its access key, of which DynamoDB Local takes none with a hyphen.
func (s *server) name() string { return fmt.Sprintf("ebb%dx%d", s.number, s.lives) }

// log is where all its lives write.
func (s *server) log() string { return filepath.Join(s.r.o.dir, fmt.Sprintf("serve-%d.log", s.number)) }

// step lets happen to the server what is due.
func (s *server) step() error {
	if s.child != nil {
		select {
		case err := <-s.ended:
			s.close()
			return s.gone(err)
		default:
		}
	}
	if time.Now().Before(s.due) {
		return nil
	}
	switch s.state {
	case away:
		return s.begin()
	case serving:
		if !s.r.calm() {
			return s.strike()
		}
	case asleep:
		s.state, s.due = serving, s.r.in(s.lots.longLife)
		s.fate = s.lots.draw()
		err := s.signal(syscall.SIGCONT)
		s.tell("resumed")
		return err
	case ending:
		s.r.blame("%s did not end within 15 s of SIGTERM", s.name())
		s.kill()
		return s.leave()
	}
	return nil
}

// begin starts the next life.
func (s *server) begin() error {
	s.lives++
	s.began = time.Now()
	s.happened("started")
	c, err := start(s.r.o, s.name(), s.log(), s.r.o.apart(), s.r.books.env(), "serve", "--config", s.r.config, "--clock", s.r.cloud.endpoint)
	if err != nil {
		return err
	}
	s.child, s.state, s.fate = c, serving, s.lots.draw()
	s.due = s.r.in(s.fate.after)
	return nil
}

// strike does what this life is fated to.
func (s *server) strike() error {
	if age := time.Since(s.began); s.fate.deed == ended && s.r.o.apart() && age < young {
		s.due = s.began.Add(young) // the first process of a name space does not get a signal that it does not listen to
		return nil
	}
	s.tell(map[deed]string{killed: "crashed", ended: "ended", paused: "paused"}[s.fate.deed])
	switch s.fate.deed {
	case ended:
		s.r.terms++
		s.state, s.due = ending, time.Now().Add(15*time.Second)
		return s.signal(syscall.SIGTERM)
	case paused:
		s.r.stops++
		s.state, s.due = asleep, s.r.in(s.fate.away)
		return s.signal(syscall.SIGSTOP)
	}
	s.r.kills++
	s.kill()
	return s.leave()
}

// leave begins the time between two lives.
func (s *server) leave() error {
	s.child, s.state, s.due = nil, away, s.r.in(s.fate.away)
	return nil
}

// young is how long a process may take, on a busy machine, until it hears signals: one that SIGTERM finds before that dies of it, and has
// begun nothing yet.
const young = 3 * time.Second

// gone is the end of a process that this program did not kill. Only a process that got SIGTERM may end.
func (s *server) gone(err error) error {
	switch {
	case s.state != ending:
		s.tell("ended")
		s.r.blame("%s ended by itself: %v", s.name(), err)
	case err != nil && !(time.Since(s.began) < young && err.Error() == "signal: terminated"):
		s.r.blame("%s did not end well on SIGTERM: %v", s.name(), err)
	}
	return s.leave()
}

// tell adds to the evidence what the world cannot know.
func (s *server) tell(what string) {
	s.happened(what)
	s.r.told = append(s.r.told, core.Entry{At: s.r.cloud.now(), Kind: core.EntryController, By: s.name(), To: what})
}

// happened notes what happens to this life in real time.
func (s *server) happened(what string) {
	s.r.fates = append(s.r.fates, fate{at: time.Now(), server: s.number, life: s.name(), what: what})
}
