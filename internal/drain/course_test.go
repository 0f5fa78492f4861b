package drain

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// machine is a second kind of target: an instance that is no host, and that a notice takes away two minutes later, whatever Ebb does. No
// hook holds it.
const machine = fleet.TargetKind("machine")

var machineCourse = course{
	rules: []func(*decider) bool{
		hostGone, // shared with the host
		func(c *decider) bool { // the notice has a fixed end
			end := c.d().Zero.Add(2 * time.Minute)
			if c.now.Before(end) {
				c.wake(end)
				return false
			}
			c.end(c, Forced, "the notice is over", []string{c.d().Target.ID})
			return true
		},
	},
	steps: []func(*decider) bool{
		func(c *decider) bool { // its one target is out
			out := c.deregister([]plan.Subject{{Kind: plan.Targets, In: "tg", ID: c.d().Target.ID, Port: 80}})
			if out {
				c.end(c, Drained, "its target is out", nil)
			}
			return out
		},
	},
	end: (*decider).close,
}

// facts are what is known, by subject.
type facts map[plan.Subject]any

func (f facts) Fact(s plan.Subject) any          { return f[s] }
func (facts) Tasks() []*fleet.Fact[fleet.Task]   { return nil }
func (facts) Lists(plan.LookKind) (l Lists)      { return l }
func (facts) Tried(plan.ActionKind) (t Try)      { return t }
func (facts) Slot() (s Slot)                     { return s }
func (facts) Since() (t time.Time)               { return t }
func (facts) Taken(fleet.ARN) (all []Taken)      { return all }
func (facts) Trouble(plan.LookKind) (why string) { return why }

// A second kind of target, without a hook and with a fixed end, needs a course and nothing else.
func TestASecondKindOfTarget(t *testing.T) {
	courses[machine] = machineCourse
	defer delete(courses, machine)
	d := Drain{Key: "k", Target: fleet.Target{Kind: machine, ID: "i-0a"}, Heard: t0, Zero: t0}
	target := plan.Subject{Kind: plan.Targets, In: "tg", ID: "i-0a", Port: 80}
	in := func(state string) facts {
		return facts{target: &fleet.Fact[fleet.Health]{Is: fleet.Seen, At: t0.Add(time.Minute), Value: fleet.Health{State: state}}}
	}
	for _, c := range []struct {
		name  string
		seen  facts
		after time.Duration
		do    string
		looks string
		ended string
	}{
		{"nothing is known", nil, 0, "", "targets", ""},
		{"its target is in use", in("healthy"), time.Minute, "deregister", "instances", ""},
		{"its target is out", in("draining"), time.Minute, "", "instances", "drained"},
		{"the notice is over", in("healthy"), 2 * time.Minute, "", "instances", "forced"},
		{"it is gone", facts{d.subject(plan.Instances, ""): &fleet.Fact[fleet.InstanceState]{Is: fleet.Absent, At: t0}}, 0, "", "", "host-gone"},
	} {
		now := t0.Add(c.after)
		dec := Decide(d, c.seen, Defaults(), now)
		do, looks, _ := spell(dec, now)
		if do != c.do || looks != c.looks || outcome(dec.Drain.Final) != c.ended || dec.Drain.Open() == (c.ended != "") {
			t.Errorf("%s: does %q, looks at %q, ended %q; want %q, %q, %q", c.name, do, looks, outcome(dec.Drain.Final), c.do, c.looks, c.ended)
		}
		if len(dec.Do) > 0 && dec.Do[0].Target != d.Target {
			t.Errorf("%s: acts on %+v", c.name, dec.Do[0].Target)
		}
	}
}

// Spot on ECS: a host that no hook holds is drained like any other, and nothing is answered.
func TestAHostWithoutAHook(t *testing.T) {
	s := emptyHost()
	s.d.Hold = Hold{}
	s.o.Instance, s.o.Hook = fleet.Fact[fleet.GroupInstance]{}, fleet.Fact[fleet.Hook]{}
	s.noHook = true
	dec := s.decide()
	if do, _, notes := spell(dec, s.now); do != "" || notes != "ended" || outcome(dec.Drain.Final) != "drained" {
		t.Errorf("does %q, notes %q, ended %q", do, notes, outcome(dec.Drain.Final))
	}
	for _, w := range dec.Want {
		if w.Kind == plan.GroupInstances || w.Kind == plan.Hooks {
			t.Errorf("looks at %+v", w.Subject)
		}
	}
}

// What has no course is left alone.
func TestAnUnknownKindOfTargetIsLeftAlone(t *testing.T) {
	d := Drain{Target: fleet.Target{Kind: "unheard of", ID: "x"}, Heard: t0, Zero: t0}
	if dec := Decide(d, facts{}, Defaults(), t0.Add(time.Hour)); len(dec.Do)+len(dec.Want)+len(dec.Lines) > 0 || !dec.Drain.Open() {
		t.Errorf("decided %+v", dec)
	}
}
