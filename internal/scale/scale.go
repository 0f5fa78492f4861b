// Package scale decides what the desired count of an ECS service is to be: from CloudWatch alarms, from the backlog of a queue, or from a
// metric that the tasks share, within bounds.
//
// It is pure. It never reads from AWS and never sets a count: Decide says what the count is to be, and whoever calls it writes that through
// the ledger of package desired. It knows nothing of hosts.
//
// The rules:
//
//   - What is known changes a count; what is not known never shrinks one.
//   - Every reason to grow is enough. All reasons must agree before a service shrinks.
//   - A step is taken once for each change of an alarm's state, and again each Repeat while the state holds. The state is what CloudWatch
//     says now; a message about an alarm only makes Ebb look at it.
//   - A count is never set below the minimum or above the maximum, and never in small steps on the way to a bound.
//   - What somebody else has set stands, unless it is outside the bounds, or lower than what Ebb had set while the load still asks for more.
package scale

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Policy says how one service is scaled.
type Policy struct {
	Min, Max int
	Alarms   []Rule
	Queue    *Queue
	Tracking *Tracking
	Windows  []Window

	// OutCooldown is how long after a step of an alarm the next one waits, and InCooldown how long after any change a service may not shrink.
	OutCooldown, InCooldown time.Duration
	Repeat                  time.Duration // a step of an alarm is taken again while its state holds; 0: it is not
	Window                  time.Duration // for so long every look must have asked for less, before a queue or a metric shrinks a service
	Observe                 bool          // what would be done is said, and nothing is done
}

// Defaults is the policy of which nothing was set: the cooldowns and the window of Application Auto Scaling for ECS, with a shorter wait
// between two steps out.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
func Defaults() Policy {
	return Policy{OutCooldown: time.Minute, InCooldown: 5 * time.Minute, Repeat: time.Minute, Window: 5 * time.Minute}
}

// Idle is the default of InCooldown and Window where tasks protect themselves while they work, so that idle ones alone are taken away: no message is
// late for it, and it costs less (docs/scaling.md).
const Idle = time.Minute

// StartLimit is how long a step of an alarm waits for the tasks of the step before. One that never starts must not hold all others for ever.
const StartLimit = 5 * time.Minute

// Seen is what is known of a service and of its load.
type Seen struct {
	Desired  fleet.Fact[int]           // the count without what is raised for hosts that leave
	Service  fleet.Fact[fleet.Service] // when it was last described
	Alarms   map[string]fleet.Fact[fleet.Alarm]
	Queue    fleet.Fact[fleet.Backlog]
	Deleted  fleet.Fact[fleet.Datapoint] // how many messages were deleted from the queue in a minute
	Tracking fleet.Fact[fleet.Datapoint]
	Other    fleet.Fact[fleet.Scaler] // Application Auto Scaling, on the same service
	Leaving  int                      // tasks of it that are on hosts that drain
	Paused   string                   // by whom and until when; empty: it is not
	Override Override
}

// Override is an operator's word about the bounds, for a while.
type Override struct {
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`
}

// Memory is what is remembered of one service between decisions. The zero value remembers nothing. Fields may be added.
type Memory struct {
	Acted   []Acted   `json:"acted,omitempty"`
	Out     time.Time `json:"out,omitzero"`     // when the count was last raised because of the load
	Changed time.Time `json:"changed,omitzero"` // when it was last changed, by Ebb or by somebody else
	To      int       `json:"to,omitempty"`     // what Ebb has set it to; counts while Changed is not zero
	Lost    int       `json:"lost,omitempty"`   // what Ebb had set it to when somebody else set it lower; 0: nobody has
	Calm    Calm      `json:"calm,omitzero"`
	Queue   Measured  `json:"queue,omitzero"`
	Load    Load      `json:"load,omitzero"`
	From    int       `json:"from,omitempty"`   // what it was before To
	Before  *Memory   `json:"before,omitempty"` // what was remembered before To was decided, without its own Before
	Said    string    `json:"said,omitempty"`   // the last refusal that was told, so that it is told once
}

// Acted says on which change of an alarm's state a step was taken.
type Acted struct {
	Alarm string    `json:"alarm"`
	Since time.Time `json:"since"` // the change, by CloudWatch's clock
	At    time.Time `json:"at"`    // the latest step, by our own
}

// Calm is since when every look has asked for fewer tasks, and the most that one of them asked for.
type Calm struct {
	Since time.Time `json:"since,omitzero"`
	Most  int       `json:"most,omitempty"`
}

// Decision is what follows.
type Decision struct {
	Memory
	Set    bool // the count is to be To
	Code   Code
	Why    string    // in words; for people
	Tell   bool      // it is new: to be written down
	Lo, Hi int       // the bounds at this moment
	Again  time.Time // decide again then, even if nothing new is seen; zero: it is not necessary
}

// Decide says what the desired count is to be. Its result depends on nothing else.
func Decide(p Policy, m Memory, s Seen, now time.Time) Decision {
	d := decider{Policy: p, Seen: s, Decision: Decision{Memory: m.by(now)}, now: now}
	to, code, why := d.decide()
	d.Code, d.Why, d.Set = code, why, code.Acts()
	if excluded := s.Service.Value.Excluded; d.Set && (p.Observe || s.Paused != "" || excluded) {
		d.Set, d.Code, d.Why = false, Observed, fmt.Sprintf("the desired count would be set from %d to %d: %s", s.Desired.Value, to, why)
		switch {
		case excluded:
			d.Code, d.Why = Excluded, "the service has the tag "+fleet.ExcludeTag+"=true; "+d.Why
		case s.Paused != "":
			d.Code, d.Why = Paused, "scaling is "+s.Paused+"; "+d.Why
		}
	}
	switch said := string(d.Code); {
	case d.Set:
		d.Tell = true
		d.note(to)
	case d.Code == Steady:
		d.Said = ""
	case !d.Code.quiet() && said != d.Said:
		d.Tell, d.Said = true, said
	}
	return d.Decision
}

// Undone is the memory as if To had not been decided, and the count as it was; false: it is not remembered. What could not be set for a while
// may not be wanted any more.
func (m Memory) Undone() (before Memory, count int, ok bool) {
	if m.Before == nil {
		return m, 0, false
	}
	return *m.Before, m.From, true
}

// by is the memory without times that have not come yet: they were written by another clock, or this one was set back. They would hold the service
// until they come.
func (m Memory) by(now time.Time) Memory {
	m.Acted = slices.Clone(m.Acted)
	times := []*time.Time{&m.Out, &m.Changed, &m.Calm.Since, &m.Queue.At, &m.Queue.Full}
	for i := range m.Acted {
		times = append(times, &m.Acted[i].At)
	}
	for _, at := range times {
		if at.After(now) {
			*at = now
		}
	}
	return m
}

// Foreign is the memory after somebody else has set the count.
func (m Memory) Foreign(from, to int, now time.Time) Memory {
	if !m.Changed.IsZero() && m.To == from && to < from {
		m.Lost = from
	}
	m.Changed, m.Calm = now, Calm{}
	return m
}

// decider is one decision under way.
type decider struct {
	Policy
	Seen
	Decision
	now   time.Time
	acts  []Acted // the steps that are taken with it
	brake string  // the alarm that forbids the service to grow
}

// note remembers that the count is set.
func (d *decider) note(to int) {
	if to > d.Desired.Value && d.Code != BelowMin {
		d.Out = d.now
	}
	before := d.Memory
	before.Before = nil
	d.Memory.Before, d.From = &before, d.Desired.Value
	for _, a := range d.acts {
		d.Acted = append(without(d.Acted, a.Alarm), a)
	}
	d.Changed, d.To, d.Lost, d.Calm = d.now, to, 0, Calm{}
}

func (d *decider) decide() (to int, code Code, why string) {
	have := d.Desired.Value
	lo, hi := d.bounds()
	d.Lo, d.Hi = lo, hi
	switch {
	case d.Service.Is == fleet.Absent:
		return have, NoService, "the service is not there; check its name and cluster in the configuration"
	case d.Desired.Is != fleet.Seen || d.Service.Is != fleet.Seen:
		return have, Unknown, "the service has not been described yet"
	case d.Other.Is == fleet.Unknown:
		return have, Unknown, "it has not been read yet whether Application Auto Scaling sets the count too"
	case d.Other.Is == fleet.Seen && !d.Other.Value.Suspended:
		return have, Fought, "Application Auto Scaling sets the count too: suspend its scalable target, or take the service out of Ebb's configuration"
	case d.Service.Value.Daemon:
		return have, Daemon, "it is a daemon service: ECS runs one task of it on each host, and takes no desired count"
	}
	switch {
	case have < lo:
		return lo, BelowMin, fmt.Sprintf("it is below the minimum of %d", lo)
	case have > hi:
		if code, why := NoShrink(d.Service.Value, d.Leaving); code != "" {
			return have, code, why
		}
		return hi, AboveMax, fmt.Sprintf("it is above the maximum of %d", hi)
	}
	out, in, hold := d.weigh(d.votes())
	switch {
	case out.to > have && d.brake != "":
		return have, Braked, fmt.Sprintf("%s, but %s forbids it", out.why, d.brake)
	case out.to > have && have >= hi:
		return have, AtMax, fmt.Sprintf("%s, but it is at its maximum of %d", out.why, hi)
	case out.to > have:
		return min(out.to, hi), out.code, out.why
	case hold.code != "":
		return have, hold.code, hold.why
	case in.to >= have:
		return have, Steady, "nothing asks for another count"
	case have <= lo:
		return have, AtMin, fmt.Sprintf("%s, but it is at its minimum of %d", in.why, lo)
	}
	if code, why := NoShrink(d.Service.Value, d.Leaving); code != "" {
		return have, code, in.why + ", but " + why
	}
	if end := d.Changed.Add(d.InCooldown); d.now.Before(end) && in.code != BrakeIn {
		d.again(end)
		return have, CooldownIn, fmt.Sprintf("%s, but its count has changed less than %s ago", in.why, d.InCooldown)
	}
	return max(in.to, lo), in.code, in.why
}

// NoShrink is why a service may not shrink now, whatever asks for it; empty: it may. leaving are its tasks on hosts that drain.
func NoShrink(s fleet.Service, leaving int) (Code, string) {
	switch {
	case s.Deploying:
		return Deployment, "a deployment is in progress"
	case leaving > 0:
		return Draining, fmt.Sprintf("%d of its tasks are on hosts that drain", leaving)
	}
	return "", ""
}

// vote is what one of the reasons says.
type vote struct {
	to     int
	code   Code
	why    string
	asks   bool // it asks for more, though not now
	silent bool // it says nothing
	acts   []Acted
}

// votes are those of each part of the policy.
func (d *decider) votes() []vote {
	var all []vote
	if len(d.Policy.Alarms) > 0 {
		all = append(all, d.alarms())
	}
	if d.Policy.Queue != nil {
		all = append(all, d.queue())
	}
	if d.Policy.Tracking != nil {
		all = append(all, d.track())
	}
	return all
}

// weigh puts the votes together: the largest count wins, and what is not known holds the count.
func (d *decider) weigh(votes []vote) (out, in, hold vote) {
	have, asks := d.Desired.Value, false
	in.to = -1
	if i := slices.IndexFunc(votes, func(v vote) bool { return v.code == BrakeIn }); i >= 0 {
		d.acts = votes[i].acts
		return vote{}, votes[i], vote{}
	}
	for _, v := range votes {
		asks = asks || v.asks || v.to > have
		switch {
		case v.silent:
		case v.to > have:
			if v.to > out.to {
				out.to, out.code, out.why = v.to, v.code, v.why
			}
			d.acts = append(d.acts, v.acts...)
		case v.to == have:
			if hold.code == "" {
				hold = v
			}
		case v.to > in.to:
			in = v
		}
	}
	if in.to >= 0 && hold.code == "" && out.to <= have {
		d.acts = in.acts
	}
	if in.to < 0 {
		in.to = have
	}
	switch {
	case !asks:
		d.Lost = 0
	case d.Lost > max(have, out.to):
		out = vote{to: d.Lost, code: Restored, why: fmt.Sprintf("somebody else has set its count from %d to %d while its load asks for more; keep the "+
			"count out of what deploys it, such as by ignore_changes = [desired_count] in Terraform", d.Lost, have)}
	}
	return out, in, hold
}

// again asks for another decision at a time.
func (d *decider) again(at time.Time) {
	if at.After(d.now) && (d.Again.IsZero() || at.Before(d.Again)) {
		d.Again = at
	}
}

func without(acted []Acted, alarm string) []Acted {
	var rest []Acted
	for _, a := range acted {
		if a.Alarm != alarm {
			rest = append(rest, a)
		}
	}
	return rest
}

// names are the first few of some names, for people.
func names(all []string) string {
	if len(all) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:3], ", "), len(all)-3)
	}
	return strings.Join(all, ", ")
}
