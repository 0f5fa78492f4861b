package kernel

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
)

// stored is the form of a record's body.
type stored struct {
	drain.Drain
	Waiting string   `json:"waiting,omitempty"`
	Known   *carried `json:"known,omitempty"`
}

// load takes up an open drain from the journal, if its scope is ours.
func (k *Kernel) load(r journal.Record) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	d := s.Drain
	man, ok := k.managed(d.Group)
	scope := man.Scope()
	if !ok { // it was when the drain began: what was begun is brought to its end
		man, scope = Managed{Match: d.Group, Cluster: d.Cluster, Policy: drain.Defaults()}, r.Scope
		if !d.Queued.IsZero() || !d.Slot.IsZero() {
			man.MaxUnavailable = MaxUnavailable{Count: 1} // it had one; which is not known any more
		}
	}
	if !k.mine(scope) {
		return nil
	}
	if o := k.open[d.Instance]; o != nil {
		return fmt.Errorf("the journal has two open drains of %s: %s and %s; two Ebbs wrote it without knowing of each other. Move the journal "+
			"away and start anew: what still waits in a hook is found again by the sweep", d.Instance, o.d.Key, d.Key)
	}
	man.Policy = k.policy(man)
	man.Policy.Skew = k.cfg.Skew
	e := &entry{d: d, man: man, scope: scope, rev: r.Rev, dirty: true}
	if k.cfg.OnePass {
		k.add(e)
		k.recall(e, s.Known)
		return nil
	}
	e.d.UnreachedFrom = time.Time{} // as seen by Ebb: while it was away it saw nothing
	e.d.Agreed = time.Time{}        // and the lists that were agreed on are made anew
	k.add(e)
	return nil
}

func (k *Kernel) record(e *entry) journal.Record {
	s := stored{Drain: e.d, Waiting: e.waiting}
	if e.d.Open() {
		s.Known = e.known
	}
	body, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of strings and times always marshals
	}
	e.rev, e.fresh = e.rev+1, false
	return journal.Record{Key: e.d.Key, Scope: e.scope, Rev: e.rev, Open: e.d.Open(), Body: body}
}

func read(r journal.Record) (stored, error) {
	var s stored
	if err := json.Unmarshal(r.Body, &s); err != nil {
		return stored{}, fmt.Errorf("read drain %s from the journal: %w", r.Key, err)
	}
	return s, nil
}

// Read reads the drain in a record.
func Read(r journal.Record) (drain.Drain, error) {
	s, err := read(r)
	return s.Drain, err
}

// Waiting reads what the drain in a record waited for when it was written.
func Waiting(r journal.Record) string {
	var s stored
	if json.Unmarshal(r.Body, &s) != nil {
		return ""
	}
	return s.Waiting
}

// Scopes are all scopes of a configuration and of the open records of an earlier one, sorted.
func Scopes(managed []Managed, open []journal.Record) []string {
	k := Kernel{cfg: Config{Groups: managed}}
	var scopes []string
	for _, m := range managed {
		scopes = append(scopes, m.Scope())
	}
	for _, r := range open {
		if slices.Contains(scopes, r.Scope) {
			continue // known already, and need not be read
		}
		if d, err := Read(r); err == nil {
			if _, ok := k.managed(d.Group); !ok {
				scopes = append(scopes, r.Scope)
			}
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}
