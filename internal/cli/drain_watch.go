package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

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
	aws    aws.Config // of ebb rehearse
	now    func() time.Time
	speed  float64
	remark kernel.Remark
	hosts  []fleet.ContainerInstance
	scopes []string                                    // of Ebb's work, one for each host
	again  []string                                    // the words of the command that goes on
	line   func(words []string, more ...string) string // makes a command line of ebb

	store journal.Store // of the Ebb that works; nil: none does, as far as is known
	works string        // who that is
	gone  bool          // it works no more

	journal bool           // there is one to read, or ought to be
	pauses  []kernel.Pause // in it
	open    []journal.Record
}

// meet finds the Ebb that works for the clusters. It refuses where an operator has paused one of them, and where nobody would do the work.
func (o *order) meet(ctx context.Context, detach bool) error {
	if err := o.find(ctx); err != nil {
		return err
	}
	for _, pause := range o.pauses {
		if slices.Contains(o.scopes, pause.Scope) && o.now().Before(pause.Until) {
			return errors.Join(fmt.Errorf("%s is %s; end the pause first: %s", pause.Scope, pause, o.line([]string{"resume", pause.Scope})), o.close())
		}
	}
	switch {
	case o.store != nil || !detach:
	case o.journal:
		return fmt.Errorf("no ebb serve works for the cluster as far as the journal %s shows, so nobody would carry it out; leave out --detach, "+
			"or start ebb serve", o.cfg.Journal)
	default:
		fmt.Fprintln(o.p.Stderr, "whether an ebb serve works for this cluster is not known without its journal (--config or --journal): one that "+
			"does sees within ten minutes what you ask for")
	}
	return nil
}

// find looks into the journal, if there is one, for who works and what is paused.
func (o *order) find(ctx context.Context) error {
	file := o.cfg.JournalFile()
	if _, err := os.Stat(file); o.cfg.JournalTable() == "" && (file == "" || errors.Is(err, fs.ErrNotExist)) {
		o.journal = file != "" // no ebb serve has made it yet
		return nil
	}
	store, err := steeredJournal(ctx, o.p, o.cfg)
	if err != nil {
		return err
	}
	leases, err := store.Leases(ctx)
	open, unread := store.Open(ctx)
	if err = errors.Join(err, unread); err != nil {
		return errors.Join(err, store.Close())
	}
	o.journal, o.open, o.pauses = true, open, kernel.Pauses(open)
	if o.works = o.worker(leases); o.works == "" {
		return store.Close()
	}
	o.store = store
	return nil
}

// worker is who works for all clusters, as the leases say. Between two passes of a function nobody holds them; a function needs a table.
func (o *order) worker(leases []journal.Lease) (works string) {
	for _, scope := range o.scopes {
		at := slices.IndexFunc(leases, func(l journal.Lease) bool { return l.Scope == scope })
		if at < 0 || time.Since(leases[at].At) >= lately && o.now().Sub(leases[at].At) >= lately {
			return ""
		}
		switch works = who(leases[at].Holder); {
		case leases[at].Holder != "":
		case o.cfg.JournalTable() == "":
			return ""
		default:
			works = "the Ebb of the journal " + o.cfg.Journal
		}
	}
	return works
}

func (o *order) close() (err error) {
	if o.store != nil {
		err = o.store.Close() // what was written is durable
		o.store = nil
	}
	return err
}

// carryOut puts the word on every host, and sees to it that it is obeyed.
func (o *order) carryOut(ctx context.Context, w fleet.Word, detach bool) error {
	for i := range o.hosts {
		if err := o.say(ctx, i, w); err != nil {
			if took := o.takeBack(func(h fleet.ContainerInstance) bool { return h.Word == w }); took != "" {
				err = fmt.Errorf("%w\nsome have been asked for already; to take that back:\n  %s", err, took)
			}
			return err
		}
	}
	if detach {
		fmt.Fprintf(o.p.Stderr, "asked for. To take it back:\n  %s\n", o.takeBack(func(fleet.ContainerInstance) bool { return true }))
		return nil
	}
	store := o.store
	if store != nil {
		fmt.Fprintf(o.p.Stderr, "%s carries it out; this command only watches\n", o.works)
	} else {
		if o.remark.Message != "" {
			fmt.Fprintln(o.p.Stderr, "the message is kept nowhere: only the journal of an ebb serve keeps it (--config or --journal)")
		}
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
			Kernel: kernel.Config{Hook: o.cfg.Hook, TrafficFirst: trafficFirst(o.cfg)}, Store: own, Cloud: o.cloud, Me: engine.Name(), Now: o.now, Speed: o.speed,
			Log: logger(o.p, "error", "text"),
		})
		go func() { _ = e.Run(work) }() // without a store that fails it ends with its context
		store = own
	}
	return o.watch(ctx, store)
}

// say puts the word on one host, and tells whoever works for its cluster.
func (o *order) say(ctx context.Context, i int, w fleet.Word) error {
	h := &o.hosts[i]
	if err := o.cloud.Say(ctx, *h, w); err != nil {
		return fmt.Errorf("put the attribute %s on container instance %s in cluster %s: %w; ebb drain needs ecs:PutAttributes there, see "+
			"docs/reference/iam.md", fleet.WordAttribute, h.ARN.Name(), h.Cluster, err)
	}
	h.Word = w
	if o.store == nil {
		return nil
	}
	r := o.remark
	r.Instance, r.Cluster = h.Instance, h.Cluster
	if err := o.store.Write(ctx, journal.Batch{Forwarded: []journal.Forwarded{r.Say(o.scopes[i], o.now())}}); err != nil {
		return fmt.Errorf("tell %s in the journal: %w; it sees the word within ten minutes all the same", o.works, err)
	}
	return nil
}

// takeBack is the command that takes back what was asked of some hosts; empty: there are none.
func (o *order) takeBack(which func(fleet.ContainerInstance) bool) string {
	words := []string{"cancel"}
	for _, h := range o.hosts {
		if which(h) {
			words = append(words, string(h.Instance))
		}
	}
	if len(words) == 1 {
		return ""
	}
	return o.line(words)
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
		if err == nil && left > 0 && store == o.store {
			err = o.alone(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return o.interrupted(all)
		case err != nil:
			return fmt.Errorf("read the journal: %w; %s goes on with what was asked for. To watch it again:\n  %s", err, o.works, o.line(o.again))
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

// alone says once if nobody works for the hosts any more, as the journal says.
func (o *order) alone(ctx context.Context) error {
	leases, err := o.store.Leases(ctx)
	if err != nil {
		return err
	}
	was := o.gone
	if o.gone = o.worker(leases) == ""; o.gone && !was {
		fmt.Fprintf(o.p.Stderr, "%s works for it no more, and nobody else does: start ebb serve. What was asked for stands in AWS\n", o.works)
	}
	return nil
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
			ours := d.Key == s.key || s.key == "" && (d.Word == h.Word || d.Open()) // another command may have changed the word
			if err != nil || d.Instance() != h.Instance || !ours {
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
	open := func(h fleet.ContainerInstance) bool { return all[h.Instance].final == nil }
	var b strings.Builder
	b.WriteString("interrupted")
	for _, h := range o.hosts {
		if !open(h) {
			continue
		}
		fmt.Fprintf(&b, "\n%s stays as it is, DRAINING if it was set so, with the attribute %s on it.", h.Instance, fleet.WordAttribute)
		switch {
		case o.gone:
			b.WriteString(" An ebb serve that is started goes on with it.")
			continue
		case o.store != nil:
			fmt.Fprintf(&b, " %s goes on with it.", o.works)
			continue
		}
		b.WriteString(" Nobody waits for its tasks any more, unless an ebb serve works for its cluster")
		if h.Word.End != fleet.EndKeep {
			b.WriteString("; nobody terminates it when it is drained")
		}
		if h.Word.Late == fleet.LateTerminate {
			b.WriteString(", nor at " + h.Word.Deadline.Format("15:04:05 UTC"))
		}
		b.WriteString(".")
	}
	fmt.Fprintf(&b, "\nto go on:\n  %s\nto take it back:\n  %s", o.line(o.again), o.takeBack(open))
	return errors.New(b.String())
}

// ended is nil if every host was drained.
func (o *order) ended(all map[fleet.InstanceID]*progress) error {
	var bad []string
	for _, h := range o.hosts {
		f := all[h.Instance].final
		if f.Outcome != drain.Drained || f.Stays {
			bad = append(bad, fmt.Sprintf("%s: %s: %s", h.Instance, f.Outcome, f.Reason))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s did not end as asked for: %s", len(bad), plain.Count(len(o.hosts), "container instance"), strings.Join(bad, "; "))
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
