// Package notice says what people are told about a drain, and to whom: a notice for each thing that a person may want to know, and the
// routes that it takes. Notices wait in the journal, in an outbox of each scope, until they have been sent.
//
// It is pure: it never sends anything, and it decides nothing about a drain.
package notice

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
)

// Event is what a notice is about.
type Event string

// The events.
const (
	Started Event = "started" // an instance leaves, and Ebb drains it
	Stuck   Event = "stuck"   // a drain waits for something that does not end by itself
	Forced  Event = "forced"  // a drain ended, and tasks were cut off or may have been
	Done    Event = "done"    // a drain ended in any other way
	LetGo   Event = "let-go"  // Ebb does nothing more about a drain, which has not ended
	Planned Event = "planned" // AWS has scheduled something for hosts or tasks; it is about no drain
	Scaled  Event = "scaled"  // the scaling of a service needs somebody, or an operator has changed its bounds; it is about no drain
	Digest  Event = "digest"  // what happened in a day; it is about no drain
	Test    Event = "test"    // an operator tries a route; it takes every route that is asked for
)

// Notice is one thing that people are told. All of it may be shown as it is: names from outside are cleaned and bounded.
type Notice struct {
	// Key names what is told. It is the same after a restart and on every route, and no other notice has it: a receiver that was told
	// twice, because Ebb died in between, can drop the second one by it.
	Key      string    `json:"key"`
	Event    Event     `json:"event"`
	At       time.Time `json:"at"`
	Drain    string    `json:"drain,omitempty"` // its key in the journal
	Cluster  string    `json:"cluster,omitempty"`
	Group    string    `json:"group,omitempty"`
	Instance string    `json:"instance,omitempty"`
	Task     string    `json:"task,omitempty"` // ARN of a task that leaves by itself
	Title    string    `json:"title"`          // one line
	Text     string    `json:"text"`           // some sentences
	Outcome  string    `json:"outcome,omitempty"`
	CutOff   []string  `json:"cut_off,omitempty"`
	Blocker  string    `json:"blocker,omitempty"` // what keeps it, in a word of ebb why
	Fix      string    `json:"fix,omitempty"`     // a command
}

// Warning reports whether somebody should look.
func (n Notice) Warning() bool { return n.Event == Forced || n.Event == Stuck || n.Event == LetGo }

// Last reports whether nothing follows that a receiver could show in its place: it is the last that people are told of a drain, or is about
// none.
func (n Notice) Last() bool { return n.Event != Started && n.Event != Stuck && n.Event != Test }

// Route is one way to people: which notices take it.
type Route struct {
	Name   string   // of the configuration; no other route has it
	Events []Event  // none: all
	Groups []string // patterns of fleet.Match; none: all
	Digest string   // the time of day, in UTC, from which its daily digest is due, like 08:00; empty: it has none
}

// Takes reports whether a notice takes the route. A digest is made for one route, whose Digest says so.
func (r Route) Takes(n Notice) bool {
	if n.Event == Digest {
		return r.Digest != ""
	}
	return (len(r.Events) == 0 || slices.Contains(r.Events, n.Event)) && r.takesGroup(n.Group)
}

func (r Route) takesGroup(group string) bool {
	return len(r.Groups) == 0 || slices.ContainsFunc(r.Groups, func(pattern string) bool { return fleet.Match(pattern, group) })
}

// How much of what is from outside a notice names.
const (
	mostNames = 20
	longName  = 200 // characters
	longText  = 600
	longFix   = 2000
)

// Of are the notices that follow from what a drain has become; began: it has begun with this decision, in a group that is not excluded. Of a
// drain that is only observed people are told nothing.
func Of(d *drain.Drain, began bool, deadline, now time.Time) []Notice {
	switch {
	case d.Observed, d.Agent, d.TaskARN() != "" && (d.Open() || !d.Final.CutsOff()): // a task on Fargate Spot leaves as it should, and often
		return nil
	case !d.Open():
		return []Notice{ended(d)}
	case began:
		return []Notice{started(d, deadline, now)}
	}
	return nil
}

func about(d *drain.Drain, e Event, at time.Time) Notice {
	name := func(s string) string { return plain.Text(s, longName) }
	return Notice{
		Key: d.Key + "/" + string(e), Event: e, At: at, Drain: d.Key, Cluster: name(d.Cluster), Group: name(d.Group),
		Instance: name(string(d.Instance())), Task: name(string(d.TaskARN())),
	}
}

// subject is what leaves, for people.
func subject(d *drain.Drain) string { return plain.Text(d.Target.Name(), longName) }

func started(d *drain.Drain, deadline, now time.Time) Notice {
	n := about(d, Started, now)
	n.Title = fmt.Sprintf("%s of %s leaves", n.Instance, n.Group)
	if d.Hook == "" && d.Noticed != "" {
		n.Text = fmt.Sprintf("EC2 says that %s. Ebb drains it, by %s at the latest.", d.Notice.Text(), clock(deadline))
		return n
	}
	does := "terminates " + n.Instance
	if d.WarmPool {
		does = "returns " + n.Instance + " to its warm pool"
	}
	n.Text = fmt.Sprintf("Auto Scaling %s. Ebb drains it, and completes its hook by %s at the latest.", does, clock(deadline))
	return n
}

func ended(d *drain.Drain) Notice {
	e := Done
	if d.Final.CutsOff() {
		e = Forced
	}
	n := about(d, e, d.Ended)
	n.Outcome = string(d.Final.Outcome)
	took := d.Ended.Sub(d.Zero).Round(time.Second)
	what := "tasks were cut off"
	if n.Task != "" {
		what = "its targets were not seen to leave in time"
	}
	if e == Done {
		n.Title = fmt.Sprintf("%s of %s: %s after %s", subject(d), plain.Text(d.Of(), longName), n.Outcome, took)
	} else {
		n.Title = fmt.Sprintf("%s of %s: %s (%s) after %s", subject(d), plain.Text(d.Of(), longName), what, n.Outcome, took)
	}
	n.Text = plain.Text(sentence(d.Final.Reason), longText)
	for _, task := range d.Final.CutOff[:min(len(d.Final.CutOff), mostNames)] {
		n.CutOff = append(n.CutOff, plain.Text(task, longName))
	}
	if more := len(d.Final.CutOff) - mostNames; more > 0 {
		n.CutOff = append(n.CutOff, fmt.Sprintf("and %d more", more))
	}
	return n
}

// Blocker is what keeps a target from leaving, as ebb why says it.
type Blocker struct {
	Code, Text string
	Fix        string // a command; empty: there is none that does no harm
}

// IsStuck is the notice that a drain waits for something that does not end by itself. Its key names the blocker: people are told of each.
func IsStuck(d *drain.Drain, b Blocker, now time.Time) Notice {
	n := about(d, Stuck, now)
	n.Key += "-" + b.Code
	n.Blocker = b.Code
	n.Title = fmt.Sprintf("%s of %s does not leave: %s", subject(d), plain.Text(d.Of(), longName), b.Code)
	n.Text, n.Fix = plain.Text(sentence(b.Text), longText), plain.Text(b.Fix, longFix)
	return n
}

// IsLetGo is the notice that Ebb does nothing more about a drain, because the journal takes no record of it. Of a drain that is only observed
// people are told nothing: false.
func IsLetGo(d *drain.Drain, why string, now time.Time) (n Notice, tell bool) {
	n = about(d, LetGo, now)
	n.Title = fmt.Sprintf("%s of %s is let go: Ebb does nothing more about it", subject(d), plain.Text(d.Of(), longName))
	then := "Its hook runs out, and what still runs is cut off then, unless somebody drains the instance and answers the hook."
	if n.Task != "" {
		then = "ECS stops the task all the same, and takes out its targets in its own time."
	}
	n.Text = plain.Text("The journal takes no record of this drain. "+then+" The journal says: "+sentence(why), longText)
	return n, !d.Observed && !d.Agent
}

// IsScheduled is the notice of what AWS has scheduled for a group, or for tasks of a cluster. Its key is of what it says.
func IsScheduled(id, group, cluster, code, text string, now time.Time) Notice {
	name := func(s string) string { return plain.Text(s, longName) }
	n := Notice{Key: "planned/" + id, Event: Planned, At: now, Group: name(group), Cluster: name(cluster)}
	n.Title = "AWS has scheduled " + name(code) + " for " + cmp.Or(n.Group, n.Cluster)
	n.Text = plain.Text(sentence(text), longText)
	return n
}

// IsScaled is the notice of what has become of the scaling of a service: what in a few words, and why. id tells it from what was told before.
func IsScaled(id, cluster, service, what, why string, now time.Time) Notice {
	name := func(s string) string { return plain.Text(s, longName) }
	n := Notice{Key: "scaled/" + id, Event: Scaled, At: now, Cluster: name(cluster)}
	n.Title = name(cluster) + "/" + name(service) + ": " + plain.Text(what, longName)
	n.Text = plain.Text(sentence(why), longText)
	return n
}

// sentence is a text with an upper-case letter and a full stop.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// outbox is what the scope of the notices of a scope begins with. No scope of drains does.
const outbox = "outbox/"

// Outbox is where the notices of a scope wait in the journal, among the messages that are forwarded.
func Outbox(scope string) string { return outbox + scope }

// Messages is where the names are kept of the messages that receivers show of the drains of a scope, until those have ended.
func Messages(scope string) string { return "shown/" + scope }

// Message is where the name of the message is kept that a receiver shows of the drain of an entry; its body is the name.
func Message(f journal.Forwarded, n Notice) journal.Forwarded {
	route, _, _ := strings.Cut(f.ID, separator)
	return journal.Forwarded{Scope: Messages(strings.TrimPrefix(f.Scope, outbox)), ID: route + separator + n.Drain, Sent: n.At}
}

// IsOutbox reports whether a scope of forwarded messages is an outbox.
func IsOutbox(scope string) bool { return strings.HasPrefix(scope, outbox) }

// Put are the entries of an outbox for a notice: one for each route that it takes.
func Put(n Notice, scope string, routes []Route) []journal.Forwarded {
	var all []journal.Forwarded
	for _, r := range routes {
		if !r.Takes(n) {
			continue
		}
		body, err := json.Marshal(n)
		if err != nil {
			panic(err) // a struct of strings and times always marshals
		}
		all = append(all, journal.Forwarded{Scope: Outbox(scope), ID: r.Name + separator + n.Key, Body: string(body), Sent: n.At})
	}
	return all
}

// separator stands between the name of a route and a key; no name of a route has it.
const separator = "|"

// Drain is the key of the drain that an entry of an outbox is about; empty for another message.
func Drain(f journal.Forwarded) string {
	_, key, ok := strings.Cut(f.ID, separator)
	if i := strings.LastIndexByte(key, '/'); ok && i >= 0 && IsOutbox(f.Scope) {
		return key[:i]
	}
	return ""
}

// Read is the route and the notice of an entry.
func Read(f journal.Forwarded) (route string, n Notice, err error) {
	route, key, ok := strings.Cut(f.ID, separator)
	if err = json.Unmarshal([]byte(f.Body), &n); err == nil && (!ok || key != n.Key) {
		err = fmt.Errorf("its key is %q", cmp.Or(n.Key, "missing"))
	}
	if err != nil {
		return "", Notice{}, fmt.Errorf("read notice %s of %s in the journal: %w", plain.Text(f.ID, plain.Short), plain.Text(f.Scope, plain.Short), err)
	}
	return route, n, nil
}
