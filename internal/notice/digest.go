package notice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
)

// Digests is the scope in which it is kept, among the messages that are forwarded, which digests were put into the outbox. No scope of drains
// has that name.
const Digests = "digests"

// How a digest is made.
const (
	digestLines = 20 // with its title
	// digestOutcomes is how many lines the outcomes have; those that are over share the last.
	digestOutcomes = 9
	digestLine     = 130 // characters: all of them fit into one block of Slack
	// digestAfter is how long after its time a digest is made: what had ended by then is in the journal, also from an Ebb whose clock lags.
	digestAfter = time.Minute
	// digestFor is how long a digest is made up for by an Ebb that was away.
	digestFor = 12 * time.Hour
	// A digest tells what happened since the one before: oneDay without one, and at most twoDays.
	oneDay  = 24 * time.Hour
	twoDays = 48 * time.Hour
)

// Due says until when the digest of a route tells that is due; false: none is.
func (r Route) Due(now time.Time) (until time.Time, due bool) {
	clock, err := time.Parse("15:04", r.Digest)
	if err != nil {
		return until, false
	}
	ready := now.UTC().Add(-digestAfter)
	until = ready.Truncate(oneDay).Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute)
	if until.After(ready) {
		until = until.Add(-oneDay)
	}
	return until, ready.Sub(until) < digestFor
}

// Mark is what is kept of the digest of a route that tells until a time. It names the digest: it is the same after a restart, and in every
// Ebb.
func (r Route) Mark(until time.Time) journal.Forwarded {
	return journal.Forwarded{Scope: Digests, ID: "digest/" + until.UTC().Format("2006-01-02") + "/" + r.Name, Sent: until}
}

// Since says from when a digest of a route tells, by the marks of earlier ones, and which of those are of no use once it is kept. Made: it
// was put into the outbox before.
func (r Route) Since(marks []journal.Forwarded, until time.Time) (since time.Time, old []journal.Forwarded, made bool) {
	since = until.Add(-oneDay)
	var last time.Time
	for _, m := range marks {
		switch {
		case m.Same(r.Mark(until)):
			made = true
		case strings.HasSuffix(m.ID, "/"+r.Name):
			old = append(old, m)
			if m.Sent.After(last) && m.Sent.Before(until) {
				last = m.Sent
			}
		}
	}
	if most := until.Add(-twoDays); !last.IsZero() && last.Before(most) {
		since = most
	} else if !last.IsZero() {
		since = last
	}
	return since, old, made
}

// Day is what the journal says of a time, for a digest.
type Day struct {
	Since, Until time.Time
	Ended        []drain.Drain       // those that ended then
	Open         []drain.Drain       // those that are open now, whenever they began
	Stuck        map[string][]string // what people were told then to keep a drain, in words of ebb why, by the key of the drain
	Pauses       []string            // those that last, as people read them
	SetAside     int                 // how often the journal refused something then
	More         bool                // there was more than is counted here
}

// About is the digest of a day for a route: at most twenty lines with its title. It counts the groups that the route takes. Its time is the
// end of the day, so that every Ebb makes the same of it.
func (r Route) About(d Day) Notice {
	d = r.only(d)
	n := Notice{Key: r.Mark(d.Until).ID, Event: Digest, At: d.Until}
	var lines []string
	for _, o := range drain.Outcomes() {
		if line := endings(d.Ended, o); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > digestOutcomes {
		lines = append(lines[:digestOutcomes-1], strings.Join(lines[digestOutcomes-1:], "; "))
	}
	lines = append(lines, d.rest()...)
	open := slices.DeleteFunc(slices.Clone(d.Open), func(o drain.Drain) bool { return o.Observed })
	if len(lines)+len(open) == 0 {
		n.Title = fmt.Sprintf("Digest: no instance left from %s to %s", minute(d.Since), minute(d.Until))
		return n
	}
	acted := slices.DeleteFunc(slices.Clone(d.Ended), aside)
	n.Title = fmt.Sprintf("Digest of %s: %s ended, %d open", d.Until.UTC().Format("2006-01-02"), plain.Count(len(acted), "drain"), len(open))
	lines = slices.Insert(lines, 0, fmt.Sprintf("From %s to %s:", minute(d.Since), minute(d.Until)))
	lines = append(lines, d.open(open, digestLines-1-len(lines))...)
	for i, line := range lines {
		lines[i] = plain.Text(line, digestLine)
	}
	n.Text = strings.Join(lines, "\n")
	return n
}

// only is what a day has of the groups that the route takes.
func (r Route) only(d Day) Day {
	other := func(of drain.Drain) bool { return !r.takesGroup(of.Group) }
	d.Ended, d.Open = slices.DeleteFunc(slices.Clone(d.Ended), other), slices.DeleteFunc(slices.Clone(d.Open), other)
	d.Stuck = maps.Clone(d.Stuck)
	maps.DeleteFunc(d.Stuck, func(key string, _ []string) bool {
		subject := journal.Record{Key: key}.Subject()
		return !r.takesGroup(subject[:max(0, strings.LastIndexByte(subject, '/'))])
	})
	return d
}

// aside reports whether Ebb did nothing about a drain.
func aside(d drain.Drain) bool { return d.Observed || d.Final.Outcome == drain.Excluded }

// endings is the line of the drains with an outcome; empty: there is none.
func endings(all []drain.Drain, o drain.Outcome) string {
	n, cut := 0, 0
	for _, d := range all {
		if !aside(d) && d.Final.Outcome == o {
			n++
			cut += len(d.Final.CutOff)
		}
	}
	switch {
	case n == 0:
		return ""
	case cut == 0:
		return fmt.Sprintf("%s: %d", o, n)
	}
	return fmt.Sprintf("%s: %d, with %s cut off", o, n, plain.Count(cut, "task"))
}

// rest are the lines about the longest drain, what was stuck, and what Ebb was kept from; those that there is something to say of.
func (d Day) rest() (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	acted := slices.DeleteFunc(slices.Clone(d.Ended), aside)
	if len(acted) > 0 {
		l := slices.MaxFunc(acted, func(a, b drain.Drain) int { return cmp.Compare(a.Ended.Sub(a.Zero), b.Ended.Sub(b.Zero)) })
		say("The longest took %s: %s of %s, %s.", l.Ended.Sub(l.Zero).Round(time.Second), l.Target.Name(), l.Of(), l.Final.Outcome)
	}
	stuck, excluded, observed := map[string]int{}, map[string]int{}, map[string]int{}
	for _, codes := range d.Stuck { //ebb:any-order sums
		for _, code := range codes {
			stuck[code]++
		}
	}
	for _, e := range slices.Concat(d.Ended, d.Open) {
		switch {
		case e.Observed:
			observed[e.Group]++
		case !e.Open() && e.Final.Outcome == drain.Excluded:
			excluded[e.Group]++
		}
	}
	for _, of := range []struct {
		what  string
		names map[string]int
	}{{"People were told what kept drains", stuck}, {"Left alone, because their groups are excluded", excluded}, {"Only observed", observed}} {
		if len(of.names) > 0 {
			say("%s: %s.", of.what, counts(of.names))
		}
	}
	if len(d.Pauses) > 0 {
		say("%s.", strings.Join(d.Pauses, "; "))
	}
	if d.SetAside > 0 {
		say("The journal refused something for good: %s; see ebb status.", plain.Count(d.SetAside, "time"))
	}
	if d.More {
		say("There was more than is counted here: see ebb history.")
	}
	return lines
}

// open are the lines about what goes on, the oldest first, as many as there is room for.
func (d Day) open(all []drain.Drain, room int) (lines []string) {
	slices.SortStableFunc(all, func(a, b drain.Drain) int { return cmp.Or(a.Zero.Compare(b.Zero), strings.Compare(a.Key, b.Key)) })
	for i, o := range all {
		if left := len(all) - i; i == room-1 && left > 1 {
			return append(lines, fmt.Sprintf("and %d more are open.", left))
		}
		line := fmt.Sprintf("Open: %s of %s, since %s", o.Target.Name(), o.Of(), minute(o.Zero))
		if codes := d.Stuck[o.Key]; len(codes) > 0 {
			line += ", kept by " + strings.Join(codes, ", ")
		}
		lines = append(lines, line+".")
	}
	return lines
}

// counts are names with their numbers, the highest first.
func counts(of map[string]int) string {
	names := slices.Sorted(maps.Keys(of))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(of[b], of[a]) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, of[name])
	}
	return strings.Join(names, ", ")
}

func minute(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }
