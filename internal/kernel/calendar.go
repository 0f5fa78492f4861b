package kernel

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plain"
)

// What AWS has scheduled is a calendar and nothing more: people are told, and nothing is drained for it.

// Calendar is the scope of the forwarded messages that are the calendar. Their IDs are of what they say, and their bodies Scheduled.
const Calendar = "calendar"

// ScheduledLine is the kind of the line that says what AWS has scheduled.
const ScheduledLine = "scheduled"

// Scheduled is one thing that AWS will do to instances of one group, or to tasks on Fargate of one cluster.
type Scheduled struct {
	Code    string    `json:"code"`
	Starts  time.Time `json:"starts,omitzero"` // zero: AWS does not say
	Group   string    `json:"group,omitempty"`
	Cluster string    `json:"cluster,omitempty"`
	What    []string  `json:"what"` // instance ids, or tasks and services
	Omitted int       `json:"omitted,omitempty"`
}

// mostScheduled is how many instances or tasks one entry of the calendar names.
const mostScheduled = 50

// ReadScheduled reads an entry of the calendar; what is none is left out: false.
func ReadScheduled(f journal.Forwarded) (s Scheduled, ok bool) {
	return s, f.Scope == Calendar && json.Unmarshal([]byte(f.Body), &s) == nil
}

// Past reports whether an entry of the calendar is of no more use: it lies a week back, or was noted half a year ago.
func (s Scheduled) Past(noted, now time.Time) bool {
	if s.Starts.IsZero() {
		return now.Sub(noted) > 180*24*time.Hour
	}
	return now.Sub(s.Starts) > 7*24*time.Hour
}

// Text says what is scheduled, for people.
func (s Scheduled) Text() string {
	when, whose := "at a time that it does not say", "group "+s.Group
	if !s.Starts.IsZero() {
		when = "for " + s.Starts.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if s.Group == "" {
		whose = "cluster " + s.Cluster
	}
	more := ""
	if s.Omitted > 0 {
		more = fmt.Sprintf(" and %d more", s.Omitted)
	}
	return "AWS has scheduled " + s.Code + " " + when + ": " + strings.Join(s.What, ", ") + more + " of " + whose
}

// schedule notes what AWS has scheduled for what Ebb manages. It is not ok while it is not known in which groups the instances are.
func schedule(k *Kernel, u unplaced, now time.Time) (ack bool, why string, ok bool) {
	c := u.Event.Change
	sweeps := k.cfg.Held == nil || len(k.cfg.Held) > 0
	if c.Service == "EC2" && k.cfg.Sweeps() {
		switch {
		case !sweeps:
			return u.Noted || forwardToAll(k, u.Heard), "noted for the Ebbs that work for groups", true
		case !k.swept.After(u.at):
			return false, "", false
		}
	}
	var entries []Scheduled
	var elsewhere []string // scopes of other Ebbs
	for _, entity := range c.Entities {
		s, scope := k.scheduledFor(entity)
		switch {
		case scope == "":
			continue
		case !k.cfg.mine(scope):
			if !u.Noted && !slices.Contains(elsewhere, scope) {
				elsewhere = append(elsewhere, scope)
				forward(k, u.Heard, scope)
			}
			continue
		}
		i := slices.IndexFunc(entries, func(o Scheduled) bool { return o.Group == s.Group && o.Cluster == s.Cluster })
		if i < 0 {
			i = len(entries)
			s.Code, s.Starts = c.Code, c.Starts
			entries = append(entries, s)
		}
		if len(entries[i].What) < mostScheduled {
			entries[i].What = append(entries[i].What, plain.Text(entity, 300))
		} else {
			entries[i].Omitted++
		}
	}
	if len(entries)+len(elsewhere) == 0 {
		k.Counts["foreign"]++
		return u.Noted || !k.cfg.LeaveForeign, "it is about nothing that is managed here", true
	}
	for _, s := range entries {
		note(k, s, now)
	}
	return true, "", true
}

// scheduledFor is whose an entity of a scheduled change is, and the scope of that; empty: it is nobody's here.
func (o *observer) scheduledFor(entity string) (s Scheduled, scope string) {
	if group, known := o.groupOf[fleet.HostTarget(fleet.InstanceID(entity))]; known {
		man, _ := o.cfg.managed(group)
		return Scheduled{Group: group}, man.Scope()
	}
	cluster, _, ofService := strings.Cut(entity, "|")
	if parts := strings.Split(entity, "/"); !ofService && len(parts) == 3 { // the ARN of a task, or of a service
		cluster = parts[1]
	}
	man, ok := o.cfg.tasksOf(cluster)
	if !ok {
		return s, ""
	}
	return Scheduled{Cluster: cluster}, man.Scope()
}

// note writes an entry into the calendar and tells people, once in the life of this kernel.
func note(k *Kernel, s Scheduled, now time.Time) {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of strings and times always marshals
	}
	id := fmt.Sprintf("%x", sha256.Sum256(body))[:16]
	if k.noted[id] {
		return
	}
	k.noted[id] = true
	man, _ := k.cfg.managed(s.Group)
	if s.Group == "" {
		man, _ = k.cfg.tasksOf(s.Cluster)
	}
	k.forwarded = append(k.forwarded, journal.Forwarded{Scope: Calendar, ID: id, Body: string(body), Sent: now})
	k.lines = append(k.lines, journal.Line{At: now, Kind: ScheduledLine, Text: s.Text(), Data: body})
	n := notice.IsScheduled(id, s.Group, s.Cluster, s.Code, s.Text(), now)
	k.forwarded = append(k.forwarded, notice.Put(n, man.Scope(), k.cfg.Routes)...)
}
