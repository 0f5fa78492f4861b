package kernel

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// form is what the body of a record says of itself. Bodies of hosts of the first version say neither, so that an Ebb from before there were
// kinds reads them. A new kind, or a body that must not be taken for the one before, gets a higher version; the layout of
// the store, journal.Schema, stays.
type form struct {
	Version int              `json:"v,omitempty"`    // 0: 1
	Kind    fleet.TargetKind `json:"kind,omitempty"` // empty: host
}

// newestRecord is the newest version of a record that this Ebb reads, by kind.
var newestRecord = map[fleet.TargetKind]int{fleet.Host: 4, fleet.OneTask: 2}

// wordRecord is the version of the record of a drain that an operator's word began: an Ebb from before would not see that it is taken back.
const wordRecord = 2

// noticeRecord is that of a drain with a notice of EC2: an Ebb from before would act on one that nobody has verified.
const noticeRecord = 3

// stopRecord is that of a task that Ebb stops for an operator: an Ebb from before would leave it without its targets.
const stopRecord = 2

// agentRecord is that of a drain that follows the hook of a host's agent: an Ebb from before would drain the host and answer that hook.
const agentRecord = 4

// UnknownRecord is the error of a record that a newer Ebb wrote. It stays in the journal as it is: whoever knows it goes on with it.
type UnknownRecord struct {
	Key, Scope, Kind string
	Version          int
}

// Error names the record.
func (u *UnknownRecord) Error() string {
	return fmt.Sprintf("record %s in the journal is of kind %s, version %d, which only a newer version of Ebb reads", u.Key, u.Kind, u.Version)
}

// unknown is the error of a record in a form that this Ebb does not read as a drain, or nil.
func (f form) unknown(r journal.Record) error {
	u := &UnknownRecord{Key: r.Key, Scope: r.Scope, Kind: string(cmp.Or(f.Kind, fleet.Host)), Version: cmp.Or(f.Version, 1)}
	if newest, known := newestRecord[fleet.TargetKind(u.Kind)]; known && u.Version <= newest {
		return nil
	}
	return u
}

// stored is the form of a body.
type stored struct {
	form
	drain.Drain
	Instance fleet.InstanceID `json:"instance,omitempty"` // the target, if it is a host
	TaskARN  fleet.ARN        `json:"task,omitempty"`     // the target, if it is a task
	Waiting  string           `json:"waiting,omitempty"`
	Known    *passState       `json:"known,omitempty"`
	Telling  *telling         `json:"telling,omitempty"`
}

// load takes up an open drain from the journal, if its scope is ours. Of a record that a newer Ebb wrote it keeps only what it is about:
// the store takes no second record of that.
func (k *Kernel) load(r journal.Record) error {
	s, err := read(r)
	if u, unknown := errors.AsType[*UnknownRecord](err); unknown {
		k.newer[r.Subject()] = u
		return nil
	}
	if err != nil {
		return err
	}
	d := s.Drain
	man, ok := k.cfg.managed(d.Group)
	task := d.Target.Kind == fleet.OneTask
	if task {
		man, ok = k.cfg.tasksOf(d.Cluster)
	}
	scope := man.Scope()
	if !ok && task {
		man.Policy.Observe, scope = d.Observed, r.Scope
	} else if !ok { // it was when the drain began: what was begun is brought to its end
		man, scope = unmanaged(d.Group, d.Cluster), r.Scope
		man.Policy.Observe = d.Observed
		if !d.Queued.IsZero() || !d.Slot.IsZero() {
			man.MaxUnavailable = MaxUnavailable{Count: 1} // it had one; which is not known any more
		}
	}
	if !k.cfg.mine(scope) {
		return nil
	}
	if o := k.open[d.Target]; o != nil {
		return fmt.Errorf("two open drains of %s are to be loaded: %s and %s", d.Target.ID, o.d.Key, d.Key) // see Doubled
	}
	if ok && d.ContainerInstance == "" && !task {
		d.Cluster, d.WrongCluster = man.Cluster, "" // as it is configured now
	}
	man.Policy.Skew = k.cfg.Skew
	e := &entry{d: d, man: man, scope: scope, rev: r.Rev, dirty: true}
	if s.Telling != nil {
		e.telling = *s.Telling
	}
	if task {
		begunTask(k, e)
		return nil
	}
	if k.cfg.OnePass {
		k.begun(e)
		k.recall(e, s.Known)
		return nil
	}
	e.d.UnreachedFrom = time.Time{} // as seen by Ebb: while it was away it saw nothing
	e.d.Agreed = time.Time{}        // and the lists that were agreed on are made anew
	k.begun(e)
	return nil
}

// recordOf is the record of a drain, of the revision after the last.
func recordOf(e *entry) journal.Record {
	s := stored{Drain: e.d, Instance: e.d.Instance(), TaskARN: e.d.TaskARN(), Waiting: e.waiting}
	if e.d.Target.Kind != fleet.Host {
		s.Kind = e.d.Target.Kind
	}
	if e.d.Word != (fleet.Word{}) {
		s.Version = wordRecord
	}
	if e.d.Noticed != "" {
		s.Version = noticeRecord
	}
	if e.d.Rehearsed || !e.d.StopBy.IsZero() {
		s.Version = stopRecord
	}
	if e.d.Agent {
		s.Version = agentRecord
	}
	if e.d.Open() {
		s.Known = e.state
		if t := e.telling; !t.Moved.IsZero() || !t.Asked.IsZero() {
			s.Telling = &t
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of strings and times always marshals
	}
	e.rev, e.fresh = e.rev+1, false
	return journal.Record{Key: e.d.Key, Scope: e.scope, Rev: e.rev, Open: e.d.Open(), Body: body}
}

// What is left of a record that a journal refused: names, and bytes of a text.
const (
	boundedNames = 10
	boundedText  = 500
)

// Bounded is a short form of a record that the journal refused: it names less, and remembers of a pass only what its size allows. The drain
// can be ended from it all the same. The error says that it cannot be read.
func Bounded(r journal.Record) (journal.Record, error) {
	s, err := read(r)
	if err != nil {
		return r, err
	}
	s.Left, s.Lost, s.Would, s.Waiting = someNames(s.Left), someNames(s.Lost), someNames(s.Would), shortText(s.Waiting)
	for _, a := range []**drain.Answer{&s.Intent, &s.Final} {
		if *a != nil {
			short := **a
			short.CutOff, short.Reason = someNames(short.CutOff), shortText(short.Reason)
			*a = &short
		}
	}
	if s.Known != nil && len(s.Known.Live)+len(s.Known.Done) > journal.MaxBody/200 {
		s.Known = &passState{Beaten: s.Known.Beaten, Looked: s.Known.Looked} // the lists are made anew, and tell the rest
	}
	s.Taken = s.Taken[:min(len(s.Taken), boundedNames)] // the rest is taken again
	r.Body, err = json.Marshal(s)
	return r, err
}

// Doubled are the keys of the open drains of an instance that has a newer one. Only Ebbs that do not know of each other, or something else
// than Ebb, write such records: a store takes no second open record of an instance under the same group.
func Doubled(open []journal.Record) map[string]bool {
	instance := func(r journal.Record) string { return r.Subject()[strings.LastIndexByte(r.Subject(), '/')+1:] }
	records := map[string]int{} // by instance; most have one, which need not be read for this
	for _, r := range open {
		records[instance(r)]++
	}
	doubled, newest := map[string]bool{}, map[fleet.Target]drain.Drain{}
	for _, r := range open {
		if records[instance(r)] == 1 {
			continue
		}
		s, err := read(r)
		if err != nil {
			continue
		}
		older, is := newest[s.Target]
		if is && older.Heard.After(s.Heard) {
			doubled[s.Key] = true
			continue
		}
		if is {
			doubled[older.Key] = true
		}
		newest[s.Target] = s.Drain
	}
	return doubled
}

var errDoubled = errors.New("the same instance has a newer open drain")

// Unread is what to write in place of an open record that cannot be worked with, because something else than Ebb has made what nobody can
// read of it, or because it is doubled: its end, and a line with what it was. The error is why; without one there is nothing to write.
func Unread(r journal.Record, doubled bool, now time.Time) (ended journal.Record, line journal.Line, err error) {
	_, err = read(r)
	if err == nil && doubled {
		err = errDoubled
	}
	if _, unknown := errors.AsType[*UnknownRecord](err); err == nil || unknown {
		return r, line, nil
	}
	group, instance := "", r.Subject()
	if i := strings.LastIndexByte(instance, '/'); i >= 0 {
		group, instance = instance[:i], instance[i+1:]
	}
	d := drain.Drain{Key: r.Key, Target: fleet.HostTarget(fleet.InstanceID(instance)), Heard: now, Zero: now, Hold: drain.Hold{Group: group}, Ended: now}
	what, reason := "a record that cannot be read", "its record in the journal could not be read; if the instance still waits in "+
		"its hook, the sweep finds it and drains it anew"
	if errors.Is(err, errDoubled) {
		what, reason = "a record", "the journal has a newer open drain of the same instance, which goes on"
	}
	d.Final = &drain.Answer{At: now, Outcome: drain.Unreadable, Reason: reason}
	line = journal.Line{
		At: now, Key: r.Key, Kind: journal.SetAside, Text: "set aside " + what + ": " + shortText(err.Error()),
		Data: r.Body[:min(len(r.Body), keptBody)],
	}
	return recordOf(&entry{d: d, scope: r.Scope, rev: r.Rev}), line, err
}

// someNames are the first of some names, and how many there are beside them.
func someNames(names []string) []string {
	if len(names) > boundedNames {
		names = append(slices.Clone(names[:boundedNames]), fmt.Sprintf("and %d more", len(names)-boundedNames))
	}
	short := make([]string, 0, len(names))
	for _, n := range names {
		short = append(short, shortText(n))
	}
	return short
}

func shortText(s string) string {
	if len(s) <= boundedText {
		return s
	}
	return strings.ToValidUTF8(s[:boundedText], "") + "..."
}

func read(r journal.Record) (stored, error) {
	var s stored
	err := json.Unmarshal(r.Body, &s)
	if err != nil {
		s = stored{}
		_ = json.Unmarshal(r.Body, &s.form) // the body of another kind need not fit, but it says what it is
	}
	if unknown := s.unknown(r); unknown != nil {
		return stored{}, unknown
	}
	if err != nil {
		return stored{}, fmt.Errorf("read drain %s from the journal: %w", r.Key, err)
	}
	if s.Target = fleet.HostTarget(s.Instance); s.Kind == fleet.OneTask {
		s.Target = fleet.TaskTarget(s.Cluster, s.TaskARN)
	}
	return s, nil
}

// Read reads the drain in a record. The error is an *UnknownRecord if a newer Ebb wrote it.
func Read(r journal.Record) (drain.Drain, error) {
	s, err := read(r)
	return s.Drain, err
}

// Waiting reads what the drain in a record waited for when it was written.
func Waiting(r journal.Record) string {
	s, _ := read(r)
	return s.Waiting
}

// Scopes are all scopes of a configuration and of the open drains of an earlier one, sorted. Those of records that a newer Ebb wrote are
// not among them: their leases are for an Ebb that reads them.
func Scopes(managed []Managed, open []journal.Record) []string {
	cfg := Config{Groups: managed}
	var scopes []string
	for _, m := range managed {
		scopes = append(scopes, m.Scope())
	}
	for _, r := range open {
		if slices.Contains(scopes, r.Scope) {
			continue // known already, and need not be read
		}
		if _, count := ReadCount(r); count { // what was raised is put back
			scopes = append(scopes, r.Scope)
		}
		if d, err := Read(r); err == nil {
			if _, ok := cfg.managed(d.Group); !ok {
				scopes = append(scopes, r.Scope)
			}
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}
