package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

// order is what an operator asks of some container instances, and who carries it out: the Ebb whose journal this is, or this process.
type order struct {
	cfg    config.Config
	p      Process
	cloud  *cloud.Cloud
	now    func() time.Time
	speed  float64
	remark kernel.Remark
	hosts  []fleet.ContainerInstance
	scopes []string // of Ebb's work, one for each host
	again  string   // the command that goes on
	cancel []string // those that take it back, one for each host

	store journal.Store // of the Ebb that works; nil: none does, as far as is known
	works string        // who that is
}

// meet finds the Ebb that works for the clusters. It refuses where an operator has paused one of them.
func (o *order) meet(ctx context.Context, detach bool) error {
	var store journal.Store
	err := error(errNoJournal)
	if file := o.cfg.JournalFile(); file != "" || o.cfg.JournalTable() != "" {
		if _, gone := os.Stat(file); file == "" || gone == nil {
			store, err = steeredJournal(ctx, o.p, o.cfg)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, errNoJournal) && detach:
		fmt.Fprintln(o.p.Stderr, "whether an ebb serve works for this cluster is not known without its journal (--config or --journal): one that "+
			"does sees within ten minutes what you ask for")
		return nil
	case errors.Is(err, errNoJournal):
		return nil
	default:
		return err
	}
	holder, err := o.holder(ctx, store)
	if err != nil || holder == "" {
		err = errors.Join(err, store.Close())
		if err == nil && detach {
			err = errors.New("no ebb serve works for the cluster, as the journal says, so nobody would carry it out; leave out --detach, or " +
				"start ebb serve")
		}
		return err
	}
	o.store, o.works = store, holder
	return nil
}

// holder is who works for all clusters; empty: nobody has been seen lately.
func (o *order) holder(ctx context.Context, store journal.Store) (holder string, err error) {
	leases, err := store.Leases(ctx)
	if err != nil {
		return "", err
	}
	open, err := store.Open(ctx)
	if err != nil {
		return "", err
	}
	for i, scope := range o.scopes {
		h := o.hosts[i]
		for _, pause := range kernel.Pauses(open) {
			if pause.Scope == scope && o.now().Before(pause.Until) {
				return "", fmt.Errorf("%s is %s; end the pause first: ebb resume %s", scope, pause, h.Cluster)
			}
		}
		at := slices.IndexFunc(leases, func(l journal.Lease) bool { return l.Scope == scope })
		if at < 0 || leases[at].Holder == "" || time.Since(leases[at].At) >= lately && o.now().Sub(leases[at].At) >= lately {
			return "", nil
		}
		holder = leases[at].Holder
	}
	return who(holder), nil
}

func (o *order) close() {
	if o.store != nil {
		_ = o.store.Close() // what was written is durable
	}
}

// carryOut puts the word on every host, and sees to it that it is obeyed.
func (o *order) carryOut(ctx context.Context, w fleet.Word, detach bool) error {
	for i := range o.hosts {
		h := &o.hosts[i]
		if err := o.cloud.Say(ctx, *h, w); err != nil {
			return fmt.Errorf("put the attribute %s on container instance %s in cluster %s: %w; ebb drain needs ecs:PutAttributes there, see "+
				"docs/reference/iam.md", fleet.WordAttribute, h.ARN.Name(), h.Cluster, err)
		}
		h.Word = w
		if o.store == nil {
			continue
		}
		r := o.remark
		r.Instance, r.Cluster = h.Instance, h.Cluster
		if err := o.store.Write(ctx, journal.Batch{Forwarded: []journal.Forwarded{r.Say(o.scopes[i], o.now())}}); err != nil {
			return fmt.Errorf("tell %s in the journal: %w; it sees the word within ten minutes all the same", o.works, err)
		}
	}
	if detach {
		fmt.Fprintf(o.p.Stderr, "asked for; to take it back: %s\n", strings.Join(o.cancel, "; "))
		return nil
	}
	store := o.store
	if store != nil {
		fmt.Fprintf(o.p.Stderr, "%s carries it out; this command only watches\n", o.works)
	} else {
		own := memory.New()
		var b journal.Batch
		for _, h := range o.hosts {
			b.Records = append(b.Records, kernel.ByWord(h, o.now()))
		}
		if err := own.Write(ctx, b); err != nil {
			return err
		}
		work, stop := context.WithCancel(ctx)
		defer stop()
		e := engine.New(engine.Config{
			Kernel: kernel.Config{Hook: o.cfg.Hook}, Store: own, Cloud: o.cloud, Me: engine.Name(), Now: o.now, Speed: o.speed,
			Log: logger(o.p, "error", "text"),
		})
		go func() { _ = e.Run(work) }() // without a store that fails it ends with its context
		store = own
	}
	return o.watch(ctx, store)
}

// progress is what was shown of one host.
type progress struct {
	key   string
	after int64
	final *drain.Answer
}

// watch shows what the journal says of the hosts, until all have ended.
func (o *order) watch(ctx context.Context, store journal.Store) error {
	all := map[fleet.InstanceID]*progress{}
	for _, h := range o.hosts {
		all[h.Instance] = &progress{}
	}
	for {
		left, err := o.show(ctx, store, all)
		switch {
		case ctx.Err() != nil:
			return o.interrupted(all)
		case err != nil:
			return fmt.Errorf("read the journal: %w; the drain goes on: %s", err, o.again)
		case left == 0:
			return o.ended(all)
		}
		select {
		case <-ctx.Done():
			return o.interrupted(all)
		case <-time.After(time.Second):
		}
	}
}

// show shows what is new, and says how many have not ended.
func (o *order) show(ctx context.Context, store journal.Store, all map[fleet.InstanceID]*progress) (left int, err error) {
	open, err := store.Open(ctx)
	if err != nil {
		return 0, err
	}
	recent, err := store.Recent(ctx, 200)
	if err != nil {
		return 0, err
	}
	for _, h := range o.hosts {
		s := all[h.Instance]
		if s.final != nil {
			continue
		}
		for _, r := range slices.Concat(recent, open) {
			d, err := kernel.Read(r)
			if err != nil || d.Instance() != h.Instance || d.Word != h.Word {
				continue
			}
			s.key = d.Key
			if !d.Open() {
				s.final = d.Final
			}
		}
		if s.key != "" {
			lines, err := store.History(ctx, journal.Query{Key: s.key, After: s.after})
			if err != nil {
				return 0, err
			}
			for _, l := range lines {
				s.after = max(s.after, l.Seq)
				fmt.Fprintf(o.p.Stdout, "%s  %s  %s\n", l.At.UTC().Format("15:04:05"), h.Instance, plain.Text(l.Text, plain.Long))
			}
		}
		if s.final == nil {
			left++
		}
	}
	return left, nil
}

// interrupted says what will no longer happen.
func (o *order) interrupted(all map[fleet.InstanceID]*progress) error {
	var b strings.Builder
	b.WriteString("interrupted")
	for i, h := range o.hosts {
		if all[h.Instance].final != nil {
			continue
		}
		fmt.Fprintf(&b, "\n%s stays as it is, DRAINING if it was set so, with the word on it.", h.Instance)
		if o.store != nil {
			fmt.Fprintf(&b, " %s goes on with it.", o.works)
		} else {
			b.WriteString(" Nobody waits for its tasks any more, unless an ebb serve works for its cluster")
			if h.Word.End != fleet.EndKeep {
				b.WriteString("; it is not terminated when it is drained")
			}
			if h.Word.Late == fleet.LateTerminate {
				b.WriteString(", nor at " + h.Word.Deadline.Format("15:04:05 UTC"))
			}
			b.WriteString(".")
		}
		fmt.Fprintf(&b, "\n  to go on:        %s\n  to take it back: %s", o.again, o.cancel[i])
	}
	return errors.New(b.String())
}

// ended is nil if every host was drained.
func (o *order) ended(all map[fleet.InstanceID]*progress) error {
	var bad []string
	for _, h := range o.hosts {
		f := all[h.Instance].final
		if f.Outcome != drain.Drained || strings.Contains(f.Reason, drain.NotTerminated) {
			bad = append(bad, fmt.Sprintf("%s: %s: %s", h.Instance, f.Outcome, f.Reason))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s did not end as asked for: %s", len(bad), count(len(o.hosts), "container instance"), strings.Join(bad, "; "))
}

// add adds a host, and the scope in which an Ebb works for it.
func (o *order) add(seen *inventory.Inventory, h *inventory.Host) {
	scope := kernel.Managed{Cluster: h.Cluster}.Scope()
	if g, _ := seen.Member(h.Instance); g != nil {
		if man, ok := o.cfg.Group(g.Name); ok && man.Cluster == "" {
			scope = kernel.Managed{Match: man.Match}.Scope()
		}
	}
	o.hosts, o.scopes = append(o.hosts, h.ContainerInstance), append(o.scopes, scope)
}
