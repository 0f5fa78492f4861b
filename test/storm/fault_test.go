package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// The faults: what else goes wrong in a run, beside or instead of kills.
const (
	poisonFault   = "poison"   // messages that no journal can keep, again and again
	largeFault    = "large"    // hosts with so many tasks of so long a name that a record of them all would be too large
	garbageFault  = "garbage"  // the journal's file is overwritten with garbage
	awayFault     = "away"     // nothing can be written for five minutes, and each try waits; a table does not answer at all
	fullFault     = "full"     // nothing can be written for five minutes: no room
	readonlyFault = "readonly" // the same, because the file is read-only
)

var faults = []string{poisonFault, largeFault, garbageFault, awayFault, fullFault, readonlyFault}

const (
	faultAfter = time.Minute // since the first host left, in the world's time
	faultFor   = 5 * time.Minute
	// faultBeat is the timeout of all hooks in a run with a fault: shorter than the fault.
	faultBeat = 3 * time.Minute
)

// fault is a fault under way.
type fault struct {
	r        *run
	from, to time.Time // in the world's time
	begun    bool
	over     bool
	next     time.Time // poison: when there is more
	undo     func() error
}

func (r *run) newFault() *fault {
	if r.o.fault == "" {
		return &fault{over: true}
	}
	from := r.now().Add(faultAfter)
	return &fault{r: r, from: from, to: from.Add(faultFor)}
}

// step lets happen what is due.
func (f *fault) step(ctx context.Context) error {
	if f.over {
		return nil
	}
	now := f.r.now()
	f.r.quiet = now // what is promised in time counts from the end of the fault
	switch {
	case now.Before(f.from):
	case !now.Before(f.to):
		f.over = true
		if f.undo != nil {
			return f.undo()
		}
	case f.r.o.fault == poisonFault:
		if now.Before(f.next) {
			return nil
		}
		f.next = now.Add(5 * time.Second)
		return f.r.poison()
	case !f.begun:
		f.begun = true
		undo, err := f.r.books.spoilFor(ctx, f.r.o.fault)
		f.undo = undo
		return err
	}
	return nil
}

// poison sends messages that are none, and one that is too large to be forwarded, about an instance that there is not.
func (r *run) poison() (err error) {
	action := func(group, instance, token, more string) string {
		return fmt.Sprintf(`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":%q,"LifecycleHookName":%q,`+
			`"EC2InstanceId":%q,"LifecycleActionToken":%q,"NotificationMetadata":%q}`, group, hook, instance, token, more)
	}
	long := strings.Repeat("x", 3000)
	bodies := []string{
		strings.Repeat("<x>", 24_000),
		action("web-asg", "i-"+strings.Repeat("0", 3000), "", ""),
		action("web-asg"+long, stranger, "", ""),
		action("web-asg", stranger, long, strings.Repeat("<", 40_000)),
		`{"LifecycleTransition":` + strings.Repeat("[", 50_000),
		action("web-asg", "i-0\u0000\u202e\u001b[31m", "", ""),
	}
	r.cloud.Read(func(w *sim.World) {
		for _, b := range bodies {
			if _, bad := w.SendMessage("ebb", b, nil, 0); bad != nil {
				err = errors.Join(err, fmt.Errorf("send poison: %w", bad))
			}
		}
	})
	return err
}

// stranger is the instance of a poisonous message that is well formed: there is none.
const stranger = "i-0ffffffffffffffff"

// crowd puts many tasks with long names on the hosts.
func crowd(w sim.Spec, hosts int) sim.Spec {
	family := "job-" + strings.Repeat("n", 246)
	w.TaskDefinitions = append(w.TaskDefinitions, ecs.TaskDefinition{Family: family, CPU: 4, Memory: 4, Run: 6 * time.Minute})
	w.Tasks = append(w.Tasks, sim.TaskSpec{Cluster: w.Clusters[0].Name, Task: family, Count: 170 * hosts})
	return w
}

// spoilFor breaks a journal; the function that it returns mends it, nil: it stays as it is.
func (b *books) spoilFor(ctx context.Context, how string) (undo func() error, err error) {
	switch {
	case how == largeFault:
		return nil, nil
	case b.down != nil:
		b.down.Store(true)
		return func() error { b.down.Store(false); return nil }, nil
	case how == awayFault:
		c, err := b.witness.Conn(ctx)
		if err == nil {
			_, err = c.ExecContext(ctx, "BEGIN IMMEDIATE")
		}
		return func() error {
			_, err := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			return errors.Join(err, c.Close())
		}, err
	case how == garbageFault:
		return nil, b.spoil(ctx)
	}
	why := map[string]string{fullFault: "database or disk is full", readonlyFault: "attempt to write a readonly database"}[how]
	tables := []string{"record", "line", "lease", "note"}
	var make, drop strings.Builder
	for _, t := range tables {
		for _, op := range []string{"INSERT", "UPDATE", "DELETE"} {
			fmt.Fprintf(&make, "CREATE TRIGGER storm_%s_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, '%s'); END;", t, op, op, t, why)
			fmt.Fprintf(&drop, "DROP TRIGGER storm_%s_%s;", t, op)
		}
	}
	if _, err := b.witness.ExecContext(ctx, "BEGIN IMMEDIATE;"+make.String()+"COMMIT"); err != nil {
		return nil, fmt.Errorf("break the journal: %w", err)
	}
	return func() error {
		_, err := b.witness.ExecContext(context.WithoutCancel(ctx), "BEGIN IMMEDIATE;"+drop.String()+"COMMIT")
		return err
	}, nil
}

// spoil overwrites the file with garbage. What was in it is lost to this program too.
func (b *books) spoil(ctx context.Context) error {
	if _, err := b.witness.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	noise := make([]byte, info.Size()-100) // the header stays
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.UintN(256))
	}
	_, err = f.WriteAt(noise, 100)
	return errors.Join(err, b.witness.Close(), b.Close())
}

// afterGarbage judges a run in which the journal was lost: by the cloud's own record, and by what is in the new journal.
func (r *run) afterGarbage(ctx context.Context) error {
	kept, err := filepath.Glob(r.books.path + ".damaged-*")
	if err != nil || len(kept) == 0 {
		r.blame("the damaged journal was not kept aside: %v", err)
	}
	s, err := sqlite.OpenReader(r.books.path)
	if err != nil {
		return err
	}
	defer s.Close()
	open, err := s.Open(ctx)
	if len(open) > 0 {
		r.blame("%d drains are open in the new journal at the end", len(open))
	}
	return err
}

// faultFits refuses what cannot be done.
func (o options) faultFits() error {
	if o.fault == "" {
		return nil
	}
	if !slices.Contains(faults, o.fault) || o.shape != serveShape {
		return fmt.Errorf("-fault is %q; it is one of %s, with -shape serve", o.fault, strings.Join(faults, ", "))
	}
	if o.journal == dynamodbJournal && o.fault != poisonFault && o.fault != largeFault && o.fault != awayFault {
		return fmt.Errorf("-fault %s is about a file, and not about -journal dynamodb", o.fault)
	}
	return nil
}
