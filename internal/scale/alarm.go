package scale

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Rule is what follows from the state ALARM of one alarm.
type Rule struct {
	Alarm  string
	Change Change // where there are no bands
	Bands  []Band // by the size of the breach; ascending
	Brake  bool   // it forbids the service to grow; a Change that is not zero takes tasks away besides
}

// Band is a change for breaches of at least From, in units of the alarm's metric, up to the next band.
type Band struct {
	From   float64
	Change Change
}

// Change is a change of a count: by a number, by percent, or to a number.
type Change struct {
	By      int
	Percent bool
	Exact   bool
}

// ParseChange reads +2, -1, +50%, -10% or =4. The error says what is allowed.
func ParseChange(s string) (c Change, err error) {
	number, percent := strings.CutSuffix(s, "%")
	number, c.Exact = strings.CutPrefix(number, "=")
	c.Percent = percent
	signed := strings.HasPrefix(number, "+") || strings.HasPrefix(number, "-")
	c.By, err = strconv.Atoi(number)
	if err != nil || c.Exact == signed || c.Exact && (percent || c.By < 0) || !c.Exact && c.By == 0 || c.By < -10000 || c.By > 10000 {
		return Change{}, fmt.Errorf("%q is no change; write +2, -1, +50%%, -10%% or =4", s)
	}
	return c, nil
}

// String is the change as ParseChange reads it.
func (c Change) String() string {
	switch {
	case c == Change{}:
		return ""
	case c.Exact:
		return "=" + strconv.Itoa(c.By)
	case c.Percent:
		return fmt.Sprintf("%+d%%", c.By)
	}
	return fmt.Sprintf("%+d", c.By)
}

// of is what becomes of a count. A percentage is rounded as Application Auto Scaling does: away from the old count if it is less than one
// task, and towards it otherwise.
// https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
func (c Change) of(have int) int {
	switch {
	case c.Exact:
		return c.By
	case !c.Percent:
		return max(0, have+c.By)
	}
	by := float64(have) * float64(c.By) / 100
	if math.Abs(by) < 1 {
		by = math.Copysign(1, float64(c.By))
	}
	return max(0, have+int(by))
}

// change is what the rule asks for at a breach.
func (r Rule) change(breach *float64) Change {
	c := r.Change
	for i, b := range r.Bands {
		if i == 0 || breach != nil && math.Abs(*breach) >= b.From {
			c = b.Change
		}
	}
	return c
}

// alarms is the vote of all rules.
func (d *decider) alarms() vote {
	have := d.Desired.Value
	all := tally{decider: d, have: have, out: vote{to: have}, in: vote{to: -1}}
	for _, r := range d.Policy.Alarms {
		all.rule(r)
	}
	out, in := all.out, all.in
	switch {
	case in.code == BrakeIn:
		return in
	case out.to > have:
		if in.to >= 0 {
			out.why += "; " + in.why + " is held meanwhile"
		}
		if end := d.Out.Add(d.OutCooldown); d.now.Before(end) {
			d.again(end)
			return all.held(CooldownOut, "less than "+d.OutCooldown.String()+" after the last step")
		}
		if end := d.Out.Add(StartLimit); d.Service.Value.Running < min(d.To, have) && d.now.Before(end) {
			d.again(end)
			return all.held(Starting, fmt.Sprintf("and of the tasks of the last step not all run yet: %d of %d do", d.Service.Value.Running, have))
		}
		return out
	case len(all.wants) > 0:
		return all.held(Steady, "and the step for it is taken")
	case all.hold.code != "":
		return all.hold
	case in.to >= 0:
		return in
	}
	return vote{silent: true}
}

// tally is what the rules say together.
type tally struct {
	*decider
	have    int
	out, in vote
	hold    vote     // why the service may not shrink
	wants   []string // alarms that ask for more
}

// held is the vote while an alarm asks for more, though not now.
func (t *tally) held(code Code, why string) vote {
	why = names(t.wants) + " asks for more, " + why
	if t.in.to >= 0 {
		code, why = OutWins, why+"; "+t.in.why+" is held meanwhile"
	}
	return vote{to: t.have, asks: true, code: code, why: why}
}

func (t *tally) rule(r Rule) {
	f := t.Seen.Alarms[r.Alarm]
	a := f.Value
	stop := func(code Code, why string) {
		if t.hold.code == "" {
			t.hold = vote{to: t.have, code: code, why: why}
		}
		if r.Brake {
			t.brake = "brake " + r.Alarm + ", of which nothing is known,"
		}
	}
	switch {
	case f.Is == fleet.Absent:
		stop(NoAlarm, "alarm "+r.Alarm+" does not exist; check its name in the configuration, and the Region")
		return
	case f.At.IsZero():
		stop(Unknown, "alarm "+r.Alarm+" has not been read yet")
		return
	case f.Is != fleet.Seen || t.now.Sub(f.At) > stale:
		stop(NoData, "alarm "+r.Alarm+" could not be read")
		return
	case a.State != fleet.Alarming && !r.Brake && r.grows(t.have):
		if a.State != "OK" || a.Trouble != "" { // a reason to grow may be hidden
			stop(NoData, "alarm "+r.Alarm+" has no complete data")
		}
		return
	case a.State != fleet.Alarming:
		return
	}
	c := r.change(a.Breach)
	to := c.of(t.have)
	switch {
	case a.Muted:
		stop(Muted, "alarm "+r.Alarm+" is in ALARM, but its actions are disabled or muted")
	case strings.HasPrefix(a.Trouble, "EVALUATION"), a.Trouble != "" && to < t.have:
		stop(NoData, "alarm "+r.Alarm+" is in ALARM, but CloudWatch says "+a.Trouble)
	case r.Brake:
		t.brake = "brake " + r.Alarm
		if t.due(r, a) && to < t.have {
			t.in = vote{to: to, code: BrakeIn, why: t.brake + " asks for fewer", acts: []Acted{{r.Alarm, a.Since, t.now}}}
		}
	case to > t.have:
		t.wants = append(t.wants, r.Alarm)
		t.step(&t.out, r, a, c, to)
	case to < t.have && t.in.code != BrakeIn:
		t.step(&t.in, r, a, c, to)
	}
}

// step adds the step of a rule to a vote, if it is due: of several the one to the highest count is taken.
func (t *tally) step(v *vote, r Rule, a fleet.Alarm, c Change, to int) {
	if !t.due(r, a) {
		return
	}
	v.acts = append(v.acts, Acted{r.Alarm, a.Since, t.now})
	if len(v.acts) > 1 && to <= v.to {
		return
	}
	v.to, v.why = to, fmt.Sprintf("alarm %s is in ALARM since %s: %s", r.Alarm, a.Since.UTC().Format("15:04:05"), c)
	switch {
	case c.Exact:
		v.code = AlarmExact
	case to > t.have:
		v.code = AlarmOut
	default:
		v.code = AlarmIn
	}
}

// grows reports whether the rule may ask for more than a count.
func (r Rule) grows(have int) bool {
	return r.Change.of(have) > have && r.Change != Change{} || slices.ContainsFunc(r.Bands, func(b Band) bool { return b.Change.of(have) > have })
}

// due reports whether a step is to be taken for the state of an alarm: the first, or the next.
func (t *tally) due(r Rule, a fleet.Alarm) bool {
	i := slices.IndexFunc(t.Acted, func(x Acted) bool { return x.Alarm == r.Alarm })
	if i < 0 || !t.Acted[i].Since.Equal(a.Since) {
		return true
	}
	if t.Repeat == 0 {
		return false
	}
	end := t.Acted[i].At.Add(t.Repeat)
	t.again(end)
	return !t.now.Before(end)
}

// Grows reports whether the change is to a higher count than one that is small.
func (c Change) Grows() bool { return c.of(1) > 1 }
