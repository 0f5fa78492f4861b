package kernel

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/plan"
)

// WordID is the ID of a forwarded message that says only that an operator's word has changed in a scope: Ebb looks at once. Its body is a
// Remark, or empty.
const WordID = "word"

// Remark is what an operator says to a word for people: an attribute has no room for it.
type Remark struct {
	Instance fleet.InstanceID `json:"instance"`
	Cluster  string           `json:"cluster"`
	By       string           `json:"by"` // user@host
	Message  string           `json:"message,omitempty"`
}

// Say is the message that makes whoever works for a scope look at an operator's word. Who hears it cleans and shortens its texts: one that
// is cut twice says wrongly how much is left out.
func (r Remark) Say(scope string, now time.Time) journal.Forwarded {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // a struct of strings always marshals
	}
	return journal.Forwarded{Scope: scope, ID: WordID + "-" + string(r.Instance), Body: string(body), Sent: now}
}

// IsWord reports whether a forwarded message is one of a Remark.
func IsWord(f journal.Forwarded) bool { return strings.HasPrefix(f.ID, WordID+"-") }

// How often Ebb looks for operators' words in the clusters that it is configured for: seldom while drains are open, so that a word costs
// the drains next to it nothing. An Ebb that was sent a Remark looks at once.
const (
	wordsEvery = time.Minute
	wordsBusy  = 10 * time.Minute
)

// said is what is known of operators' words.
type said struct {
	clusters []string             // of the configuration, whose scopes are its own
	looked   map[string]time.Time // by cluster: when they were last looked for with success
	now      map[string]string    // clusters to look at now, and the scope in which that was said
	found    map[fleet.Target]wordOn
	remarks  map[fleet.InstanceID]Remark
	bad      map[string]map[fleet.InstanceID]string // by cluster: what stands there and is none, as the last look saw it
}

// wordOn is a container instance on which a word stands, and the scope in which it is obeyed.
type wordOn struct {
	fleet.ContainerInstance
	scope string
}

func newSaid(cfg *Config) said {
	var clusters []string
	for _, m := range cfg.Groups {
		if m.Cluster != "" && cfg.mine(m.Scope()) && !slices.Contains(clusters, m.Cluster) {
			clusters = append(clusters, m.Cluster)
		}
	}
	return said{
		clusters: clusters,
		looked:   map[string]time.Time{}, now: map[string]string{}, found: map[fleet.Target]wordOn{},
		remarks: map[fleet.InstanceID]Remark{}, bad: map[string]map[fleet.InstanceID]string{},
	}
}

// HearWord takes in that an operator's word has changed.
func (k *Kernel) HearWord(f journal.Forwarded) {
	var r Remark
	if json.Unmarshal([]byte(f.Body), &r) == nil && r.Instance != "" && r.Cluster != "" {
		k.said.now[r.Cluster] = f.Scope
		r.By, r.Message = plain.Text(r.By, 100), plain.Text(r.Message, 200)
		if r.By != "" { // not only seen by another Ebb
			k.said.remarks[r.Instance] = r
		}
	}
	if e := k.open[fleet.HostTarget(r.Instance)]; e != nil {
		if r.Message != "" { // a look has found the word before
			k.line(f.Sent, e.d.Key, "word", "an operator, "+r.By+", says: "+r.Message)
		}
		delete(k.said.remarks, r.Instance)
		unknown[fleet.ContainerInstance](k.facts, containerOf(e.d.Target)) // it is looked at again
		e.dirty = true
	}
}

// hearRehearsal lets a message in by which an operator rehearses that EC2 takes an instance back: his word about that stands in AWS, and is looked for
// at once.
func hearRehearsal(k *Kernel, h Heard) (ack bool, why string) {
	cluster := h.Event.Cluster
	man, ok := k.cfg.tasksOf(cluster)
	switch {
	case !ok:
		k.Counts["foreign"]++
		return h.Noted || !k.cfg.LeaveForeign, "cluster " + cluster + " is not managed here"
	case !k.cfg.mine(man.Scope()):
		return forward(k, h, man.Scope()), "noted for the Ebb that works for " + man.Scope()
	}
	k.said.now[cluster] = man.Scope()
	return true, "a rehearsal; what an operator has said of the instance is looked at"
}

// wordClusters are the clusters that it is configured for, and whose scopes are its own, and those in which an operator has said something.
func (o *observer) wordClusters() []string {
	all := o.said.clusters
	for _, cluster := range slices.Sorted(maps.Keys(o.said.now)) { // of groups that are configured without a cluster
		if !slices.Contains(all, cluster) {
			all = append(slices.Clip(all), cluster)
		}
	}
	return all
}

func wordsIn(cluster string) plan.Subject { return plan.Subject{Kind: plan.Words, In: cluster} }

// wordsDue is when to look for operators' words in a cluster. A pass has no memory: while drains are open, one in ten looks.
func (o *observer) wordsDue(cluster string, now time.Time) time.Time {
	a := o.ask(wordsIn(cluster))
	every := wordsEvery
	if len(o.sorted) > 0 {
		every = wordsBusy
	}
	due := o.said.looked[cluster].Add(every)
	switch {
	case a.flying:
		return now.Add(time.Hour) // its result wakes the kernel
	case o.said.now[cluster] != "":
		due = now
	case len(o.sorted) > 0 && o.said.looked[cluster].IsZero():
		due = cmp.Or(o.began, now).Add(wordsBusy)
		if o.cfg.OnePass && now.Minute()%10 == 0 {
			due = now
		}
	}
	return drain.Later(due, a.again())
}

// wordLooks asks for the operators' words that are due.
func (o *observer) wordLooks(now time.Time) []dueLook {
	var looks []dueLook
	for _, cluster := range o.wordClusters() {
		if due := o.wordsDue(cluster, now); !due.After(now) {
			looks = append(looks, dueLook{plan.LookAt(wordsIn(cluster)), due})
		}
	}
	return looks
}

// sawWords takes in where operators' words stand. Who drains already sees that by itself.
func sawWords(o *observer, a answer) {
	o.said.looked[a.In] = a.Started
	scope := cmp.Or(o.said.now[a.In], clusterScope(a.In))
	delete(o.said.now, a.In)
	bad := map[fleet.InstanceID]string{}
	for _, ci := range a.Result.View.ContainerInstances {
		switch {
		case ci.Word != fleet.Word{}:
			o.said.found[fleet.HostTarget(ci.Instance)] = wordOn{ci, scope}
		case ci.BadWord != "":
			bad[ci.Instance] = ci.BadWord
			if o.said.bad[a.In][ci.Instance] == ci.BadWord {
				continue
			}
			o.line(a.now, "", "failed", "the attribute "+fleet.WordAttribute+" of "+ci.ARN.Name()+" in cluster "+ci.Cluster+
				" cannot be read, so that the instance is not drained: "+ci.BadWord)
		}
	}
	o.said.bad[a.In] = bad
}

// obey opens drains for the instances on which an operator's word stands. One whose deadline is over has been obeyed, or came too late.
// Of which group an instance is, and so how it may leave, only a sweep tells: before one nothing begins. What stands on an instance of a
// group for which another Ebb works is forwarded.
func obey(k *Kernel, now time.Time) {
	if !k.Swept() && k.cfg.Sweeps() {
		return
	}
	byID := func(a, b fleet.Target) int { return strings.Compare(a.ID, b.ID) }
	for _, t := range slices.SortedFunc(maps.Keys(k.said.found), byID) {
		ci := k.said.found[t]
		if _, open := k.open[t]; open || k.recent[t].obeyed(ci.Word) || !now.Before(ci.Word.Deadline) || asideOf(k, t) {
			continue
		}
		if man, ok := k.cfg.managed(k.groupOf[t]); ok && !k.cfg.mine(man.Scope()) {
			seen := Remark{Instance: ci.Instance, Cluster: ci.Cluster}.Say(man.Scope(), now)
			seen.ID += "-seen" // beside what an operator says, which has a message for people
			k.forwarded = append(k.forwarded, seen)
			continue
		}
		k.Counts["words"]++
		begunByWord(k, ci, k.groupOf[t], now)
	}
	clear(k.said.found)
}

// asideOf reports whether a record of the target is not this Ebb's to write.
func asideOf(k *Kernel, t fleet.Target) bool {
	is := func(subject string) bool { return strings.HasSuffix(subject, "/"+t.ID) }
	for s := range k.newer { //ebb:any-order one is enough
		if is(s) {
			return true
		}
	}
	for s := range k.aside { //ebb:any-order one is enough
		if is(s) {
			return true
		}
	}
	return false
}

// byWord is the drain of a container instance on which an operator's word stands.
func byWord(ci fleet.ContainerInstance, group string, now time.Time) drain.Drain {
	d := drain.Drain{
		Target: fleet.HostTarget(ci.Instance), Heard: now, Zero: now, Hold: drain.Hold{Group: group}, Said: drain.Said{Word: ci.Word},
	}
	d.Cluster, d.ContainerInstance = ci.Cluster, ci.ARN
	d.Key = cmp.Or(group, ci.Cluster) + "/" + d.Target.ID + "/w" + now.UTC().Format("20060102T150405")
	return d
}

// ByWord is the record of a drain that an operator's word begins, for an Ebb that has no journal but one of its own, and no groups.
func ByWord(ci fleet.ContainerInstance, now time.Time) journal.Record {
	return recordOf(&entry{d: byWord(ci, "", now), scope: clusterScope(ci.Cluster)})
}

// begunByWord opens the drain that an operator asks for. Group is that of the instance, if a sweep has found it in a managed one.
func begunByWord(k *Kernel, ci wordOn, group string, now time.Time) {
	man, ok := k.cfg.managed(group)
	if ok {
		ci.scope = man.Scope() // who works for the group knows how many of it may leave
	} else {
		group, man = "", unmanaged("", ci.Cluster)
	}
	man.Policy.Skew = k.cfg.Skew
	if ci.Word.Rehearses() && !man.Rehearsals {
		k.Counts["refused rehearsals"]++
		return
	}
	d := byWord(ci.ContainerInstance, group, now)
	d.Key = k.recent[d.Target].unused(d.Key)
	k.begun(&entry{d: d, man: man, scope: ci.scope, since: now, dirty: true, fresh: true})
	text := "an operator lets " + d.Target.ID + " leave cluster " + ci.Cluster + ": " + drain.WordText(ci.Word)
	if r, said := k.said.remarks[ci.Instance]; said {
		text += "; by " + r.By
		if r.Message != "" {
			text += ": " + r.Message
		}
		delete(k.said.remarks, ci.Instance)
	}
	k.line(now, d.Key, "heard", text)
}

// unmanaged is how a drain goes whose group is not managed: as that of a group without a policy of its own.
func unmanaged(group, cluster string) Managed {
	return Managed{Match: group, Cluster: cluster, Policy: drain.Defaults()}
}

// takeOver gives a drain that an operator's word or a notice of EC2 began the hook that holds its instance from now on: Auto Scaling has
// decided, and the word changes nothing more. It is for a managed group that no operator has excluded.
func takeOver(k *Kernel, e *entry, man Managed, hold drain.Hold, zero, now time.Time) {
	if zero.IsZero() || zero.After(now) {
		zero = now
	}
	e.d.Hold, e.d.Zero, e.d.Doubt, e.d.Cutting, e.d.Intent = hold, zero, now.Sub(zero) > doubtful, time.Time{}, nil
	e.dirty, e.fresh = true, true
	e.man = man
	e.man.Policy.Skew = k.cfg.Skew
	if k.cfg.OnePass {
		e.man.Policy.Tick = Tick
	}
	e.few = man.MaxUnavailable != MaxUnavailable{}
	text := ""
	if e.d.Word != (fleet.Word{}) {
		text = ", and not the operator's deadline"
	}
	k.line(now, e.d.Key, "heard", "Auto Scaling terminates "+e.d.Target.ID+" of group "+hold.Group+" too: from here on its hook counts"+text)
}
