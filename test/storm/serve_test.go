package storm

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/test/rig"
)

// servers are the places of all ebb serve of a run.
type servers []*server

// server is one place in which an ebb serve runs, one life after another.
type server struct {
	*child // nil while away
	r      *run
	config string
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

// newServers makes the places; the lives begin with the first step.
func newServers(r *run, config string) (all servers, err error) {
	file := filepath.Join(r.o.dir, "ebb.yaml")
	for i := range r.o.processes {
		dice := rand.New(rand.NewPCG(r.o.seed, uint64(i)+2))
		all = append(all, &server{r: r, config: file, number: i + 1, lots: lots{pace: r.o.pace(), dice: dice}})
	}
	return all, os.WriteFile(file, []byte(config), 0o644)
}

func (all servers) step(context.Context) error {
	for _, s := range all {
		if err := s.step(); err != nil {
			return err
		}
	}
	return nil
}

// end ends the serves and reads their logs: who worked for what, and how often another had changed the journal first.
func (all servers) end() error {
	var worked []fate
	for _, s := range all {
		if s.child == nil {
			s.r.blame("%s was away at the end", s.name())
		} else if err := s.end(); err != nil {
			s.r.blame("%s did not end well on SIGTERM: %v", s.name(), err)
		}
		s.child = nil
		log, err := os.ReadFile(s.log())
		if err != nil {
			return err
		}
		s.r.refusals += bytes.Count(log, []byte("another ebb serve writes the same journal"))
		worked = append(worked, worksIn(s.number, log)...)
	}
	r := all[0].r
	r.handed = handOvers(append(worked, r.fates...))
	for _, h := range r.handed {
		if h.took > mostHandOver {
			r.blame("%s went on for %s with %s only after %s", h.to, h.from, h.scope, h.took.Round(time.Millisecond))
		}
	}
	r.watch() // they have called AWS until now
	return nil
}

func (all servers) kill() {
	for _, s := range all {
		if s.child != nil {
			s.child.kill()
		}
	}
}

// name is what this life is called in the cloud's record: its access key, of which DynamoDB Local takes none with a hyphen.
func (s *server) name() string { return fmt.Sprintf("ebb%dx%d", s.number, s.lives) }

// log is where all its lives write.
func (s *server) log() string { return filepath.Join(s.r.o.dir, fmt.Sprintf("serve-%d.log", s.number)) }

// step lets happen to the server what is due.
func (s *server) step() error {
	if s.child != nil && s.gone() {
		s.endedItself()
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
		s.happened("resumed")
		return err
	case ending:
		s.r.blame("%s did not end within %s of SIGTERM", s.name(), patience)
		s.kill()
		s.leave()
	}
	return nil
}

// begin starts the next life.
func (s *server) begin() error {
	s.lives++
	s.began = time.Now()
	s.happened("started")
	c, err := start(s.r.o, s.name(), s.log(), s.r.o.apart(), s.r.books.env, "serve", "--config", s.config, "--clock", s.r.cloud.Endpoint)
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
	s.happened(string(s.fate.deed))
	switch s.fate.deed {
	case ended:
		s.r.terms++
		s.state, s.due = ending, time.Now().Add(patience)
		return s.signal(syscall.SIGTERM)
	case paused:
		s.r.stops++
		s.state, s.due = asleep, s.r.in(s.fate.away)
		return s.signal(syscall.SIGSTOP)
	}
	s.kill()
	s.r.killed()
	s.leave()
	return nil
}

// leave begins the time between two lives.
func (s *server) leave() { s.child, s.state, s.due = nil, away, s.r.in(s.fate.away) }

// young is how long a process may take, on a busy machine, until it hears signals: one that SIGTERM finds before that dies of it, and has
// begun nothing yet.
const young = 3 * time.Second

// endedItself is the end of a process that this program did not kill. Only one that was told to end may do so.
func (s *server) endedItself() {
	switch {
	case s.state != ending:
		s.happened("ended")
		s.r.blame("%s ended by itself: %v", s.name(), s.err)
	case s.err != nil && !(time.Since(s.began) < young && s.err.Error() == "signal: terminated"):
		s.r.blame("%s did not end well on SIGTERM: %v", s.name(), s.err)
	}
	s.leave()
}

// happened notes what happens to this life, in real time and in the evidence. The judge sees by the first call that a life has started.
func (s *server) happened(what string) {
	now := time.Now()
	s.r.fates = append(s.r.fates, fate{at: now, server: s.number, life: s.name(), what: what})
	if what != "started" {
		s.r.told = append(s.r.told, core.Entry{At: s.r.cloud.At(now), Kind: core.EntryController, By: s.name(), To: what})
	}
}

// child is a process that this program has started. All are started by the main goroutine, on its locked thread.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	err   error         // how, after that
}

// start runs ebb with arguments, under a name that the simulated cloud writes into its record. What it prints is added to a file. It
// gets an environment of its own. Apart, it sees no process but its own, as on a host of its own.
func start(o options, name, log string, apart bool, env []string, args ...string) (*child, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has it open as well
	c := &child{cmd: exec.Command(o.ebb, args...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = f, f, alone(apart)
	c.cmd.Env = append(rig.Caller(name), env...)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ebb %s: %w", args[0], err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// signal sends a signal to the child's process group.
func (c *child) signal(s syscall.Signal) error { return syscall.Kill(-c.cmd.Process.Pid, s) }

// gone reports whether the child has ended.
func (c *child) gone() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// kill ends the child at once and waits until it is gone.
func (c *child) kill() {
	if !c.gone() {
		_ = c.signal(syscall.SIGKILL) // it may have ended by itself
		<-c.ended
	}
}

// end asks the child to end and waits for that. The error says that it did not, or not well.
func (c *child) end() error {
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.ended:
		return c.err
	case <-time.After(patience):
		c.kill()
		return fmt.Errorf("it did not end within %s of SIGTERM", patience)
	}
}

// patience is how long a child may take to end on SIGTERM.
const patience = 15 * time.Second
