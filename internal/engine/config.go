// Package engine is the loop around the kernel. Core is the loop itself, in one thread and without a clock: it hears, lets the kernel
// decide, makes the batch durable, and only then settles messages and hands out requests. Around it are three drivers: Engine in real time
// (ebb serve), Function for one invocation at a time (ebb lambda), and package story in virtual time.
//
// It never decides anything about a drain, only one goroutine touches a Core, and it never acts for a scope whose lease it does not hold.
package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// Cloud looks and acts. Both calls end by themselves in bounded time, and their results say what failed.
type Cloud interface {
	Look(ctx context.Context, l plan.Look) plan.LookResult
	Do(ctx context.Context, a plan.Action) plan.Outcome
}

// Source hears. Run hands messages over until ctx ends; a message stays invisible to others until it is settled. Settle and LetGo only take
// note and return at once; a delete that fails is harmless, for the message comes again and is known then.
type Source interface {
	Run(ctx context.Context, hear func(context.Context, []event.Message) error) error
	Settle(id string, del bool) // deletes a message, or returns it to come again
	LetGo()                     // returns every message that is not settled
}

// Config is what an Ebb needs.
type Config struct {
	Kernel kernel.Config
	Store  journal.Store
	Cloud  Cloud
	Me     string            // name of this process among all that ever share the journal; empty: ebb
	Source Source            // nil: nothing is heard, and only the sweep finds what waits
	Now    func() time.Time  // the clock of the cloud; nil: time.Now
	Speed  float64           // of Now against real time; 0: 1
	Clock  func() time.Time  // the clock of processes, for leases and forwarded messages; nil: time.Now
	Dead   func(string) bool // reports whether the process of that name is certainly gone; nil: it is never known
	Teller Teller            // nil: nobody is told anything
	// Why says what keeps a target from leaving; a zero Answer: nothing that does not end by itself. Nil: nobody asks.
	Why    func(context.Context, kernel.Ask) (kernel.Answer, error)
	Log    *slog.Logger       // nil: nothing is logged
	OnLine func(journal.Line) // called for each line of history once it is durable; nil: nobody wants it
	Meter  Meter              // counts; nil: nobody does

	leftAlone leftAlone // shared by the cores of one process
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Speed, c.Me, c.Log = cmp.Or(c.Speed, 1), cmp.Or(c.Me, "ebb"), cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Meter == nil {
		c.Meter = unmetered{}
	}
	if c.leftAlone == nil {
		c.leftAlone = leftAlone{}
	}
	return c
}

// blocker asks Why; false: the answer is not known, and the log says so.
func (c Config) blocker(ctx context.Context, a kernel.Ask) (kernel.Answer, bool) {
	b, err := c.Why(ctx, a)
	switch {
	case err == nil:
	case a.Service != "":
		c.Log.Warn("could not find out whether tasks of a service find a place", "cluster", a.Cluster, "service", a.Service, "err", err)
	default:
		c.Log.Warn("could not find out why an instance does not leave; no notice is sent about it", "instance", a.Target.ID, "err", err)
	}
	return b, err == nil
}

// CarryOut sends one request to the cloud and waits for what comes of it.
func CarryOut(ctx context.Context, c Cloud, r plan.Request, started time.Time) plan.Done {
	done := plan.Done{Request: r, Started: started}
	if r.Action != nil {
		done.Outcome = c.Do(ctx, *r.Action)
	} else {
		done.Result = c.Look(ctx, *r.Look)
	}
	return done
}

// Name is a name for this process that no other ever has: host and number for people, something random, and where numbers are unique.
func Name() string {
	return fmt.Sprintf("%s/%d/%s/%s", hostName(), os.Getpid(), rand.Text()[:8], place())
}

func hostName() string {
	name, _ := os.Hostname() // without it the name is random all the same
	return strings.ReplaceAll(name, "/", "-")
}

// place identifies the PID name space: boot id and name space on Linux, empty elsewhere. The host is part of it, because instances that
// were copied while they ran have the same boot id.
func place() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, err2 := os.Readlink("/proc/self/ns/pid")
	if err != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "-" + strings.Trim(space, "pid:[]") + "-" + hostName()
}

// dead reports whether the process of a name has certainly ended: it ran in the PID name space of this one, and no process there has its
// PID. Then nobody needs to wait until its leases have run out, which after a crash is most of the time until Ebb goes on.
func dead(name, here string) bool {
	parts := strings.Split(name, "/")
	if here == "" || len(parts) != 4 || parts[3] != here {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// leftAlone are the keys of the open records of a newer Ebb that the log has named. The kernel leaves such records as they are.
type leftAlone map[string]bool

// warn names the records that were not named before, in one line.
func (named leftAlone) warn(log *slog.Logger, newer []*kernel.UnknownRecord) {
	var first *kernel.UnknownRecord
	n := 0
	for _, u := range newer {
		if named[u.Key] {
			continue
		}
		named[u.Key] = true
		if n++; first == nil {
			first = u
		}
	}
	if n > 0 {
		log.Warn("the journal has open records that only a newer version of ebb reads; they are left alone, "+
			"start that version to go on with them", "records", n, "first", first.Key, "scope", first.Scope, "kind", first.Kind, "version", first.Version)
	}
}
