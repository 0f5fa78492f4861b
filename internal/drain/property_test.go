package drain

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// dice make scenes at random: every fact seen, absent or unknown, of any age, and with values that need not fit each other.
type dice struct{ *rand.Rand }

func pick[T any](r dice, from ...T) T { return from[r.IntN(len(from))] }

func (r dice) ago(now time.Time) time.Time {
	return now.Add(-pick(r, 0, time.Second, 7*time.Second, 30*time.Second, time.Minute, 3*time.Minute, 6*time.Minute, 40*time.Minute))
}

// since is a remembered time, or none.
func (r dice) since(now time.Time) time.Time {
	if r.IntN(2) == 0 {
		return time.Time{}
	}
	return r.ago(now)
}

func fact[T any](r dice, now time.Time, values ...T) fleet.Fact[T] {
	f := fleet.Fact[T]{Is: pick(r, fleet.Seen, fleet.Seen, fleet.Seen, fleet.Absent, fleet.Unknown)}
	if f.Is != fleet.Unknown {
		f.At = r.ago(now)
	}
	if f.Is == fleet.Seen {
		f.Value = pick(r, values...)
	}
	return f
}

func randomScene(seed uint64) *scene {
	r := dice{rand.New(rand.NewPCG(seed, 0xebb))}
	s := emptyHost()
	s.at(pick(r, time.Minute, 10*time.Minute, 20*time.Minute, 31*time.Minute, 3*time.Hour))
	s.randomDrain(r)
	states := []fleet.LifecycleState{fleet.TerminatingWait, fleet.TerminatingWait, fleet.TerminatingWait, fleet.WarmedPendingWait, fleet.Terminating,
		fleet.TerminatingProceed, fleet.InService, fleet.TerminatingRetained, "Warmed:Stopped", ""}
	s.o.Instance = fact(r, s.now, fleet.GroupInstance{ID: host, Group: "web", State: pick(r, states...), Healthy: r.IntN(2) == 0})
	s.o.Hook = fact(r, s.now, fleet.Hook{Heartbeat: 30 * time.Second, Global: 50 * time.Minute}, fleet.Hook{Heartbeat: 15 * time.Minute,
		Global: 25 * time.Hour}, fleet.Hook{})
	s.o.Machine = fact(r, s.now, fleet.StateRunning, fleet.StateRunning, fleet.StateRunning, fleet.StateStopped, fleet.StateTerminated)
	s.o.Began = fact(r, s.now, r.ago(s.now))
	status := pick(r, fleet.Draining, fleet.Draining, fleet.Draining, fleet.Active, fleet.Inactive, "REGISTERING", "DEREGISTERING")
	s.o.Container = fact(r, s.now, fleet.ContainerInstance{ARN: ci, Cluster: "prod", Instance: host, Status: status, Connected: r.IntN(3) > 0,
		Running: max(0, r.IntN(5)-3)})
	s.o.Container.Before = s.o.Container.At.Add(-time.Duration(1+r.IntN(180)) * time.Second)
	if s.d.ContainerInstance == "" && r.IntN(2) == 0 {
		absent(&s.o.Container)
	}
	if r.IntN(4) == 0 {
		s.o.Running, s.o.Stopped = s.o.Running[:r.IntN(2)], s.o.Stopped[:r.IntN(2)]
	}
	s.randomTasks(r)
	if s.unread = r.IntN(4) == 0; r.IntN(4) == 0 {
		s.net = []fleet.Health{{TargetGroup: "by-hand", Target: fleet.TargetID{ID: string(host), Port: 32768}, State: "healthy"}}
	}
	for _, k := range []plan.ActionKind{plan.SetDraining, plan.Beat, plan.Answer, plan.Deregister} {
		s.randomTry(r, k)
	}
	return s
}

func (s *scene) randomDrain(r dice) {
	d := &s.d
	d.Adopted, d.WarmPool, d.ByID = r.IntN(4) == 0, r.IntN(8) == 0, r.IntN(4) == 0
	d.Token = pick(r, token, token, "")
	d.AbsentSince, d.UnreachedFrom, d.WaitingSince = r.since(s.now), r.since(s.now), r.since(s.now)
	d.StayingSince, d.EmptySince = r.since(s.now), r.since(s.now)
	if r.IntN(4) == 0 {
		d.DrainingSince = r.since(s.now)
	}
	if r.IntN(4) == 0 {
		d.ContainerInstance = ""
	}
	if r.IntN(4) == 0 {
		d.Left = []string{"web:1/t0 RUNNING"}
	}
	if r.IntN(3) == 0 {
		d.Intent = &Answer{At: r.ago(s.now), Outcome: pick(r, Drained, Forced, HostGone, Lost, NeverJoined), Reason: "as decided before"}
	}
}

func (s *scene) randomTasks(r dice) {
	for i := range r.IntN(4) {
		t := s.task(fmt.Sprintf("t%d", i), pick(r, "", "web", "agent"), pick(r, "STOPPED", "STOPPED", "RUNNING", "STOPPING", "PENDING"),
			pick(r, "RUNNING", "STOPPED"))
		t.Is, t.At = pick(r, fleet.Seen, fleet.Seen, fleet.Seen, fleet.Absent), r.ago(s.now)
		if r.IntN(4) == 0 {
			t.Value.Addresses = []fleet.Address{{Container: "app", IP: "10.0.0.7"}}
		}
		s.health[fleet.TargetID{ID: string(host), Port: 32768 + i}] = fact(r, s.now, fleet.Health{State: "healthy"},
			fleet.Health{State: "unused"}, fleet.Health{State: "draining"})
	}
	s.health[fleet.TargetID{ID: "10.0.0.7", Port: 80}] = fact(r, s.now, fleet.Health{State: "healthy"}, fleet.Health{State: "unused"})
	for _, name := range []string{"web", "agent"} {
		v := fleet.Service{Name: name, Cluster: "prod", Daemon: name == "agent"}
		if r.IntN(2) == 0 {
			v.LoadBalancers = []fleet.LoadBalancer{{TargetGroup: group, Container: "app", ContainerPort: 80}}
		}
		s.services[name] = fact(r, s.now, v)
	}
}

func (s *scene) randomTry(r dice, k plan.ActionKind) {
	switch r.IntN(4) {
	case 0:
		class := pick(r, plan.OK, plan.Gone, plan.Denied, plan.Throttled, plan.Conflict, plan.Invalid, plan.Unclear)
		if k == plan.Answer && s.d.Intent == nil && class == plan.OK {
			return // what was not decided on cannot have been answered
		}
		s.tried(k, class, pick(r, 0, 3*time.Second, 10*time.Second, time.Minute))
	case 1:
		s.o.Tried[k] = Try{Flying: true}
	}
}

var scenes = flag.Uint64("scenes", 20_000, "how many random scenes each check is made on")

// each runs a check on many scenes and stops at the first that fails.
func each(t *testing.T, check func(t *testing.T, seed uint64)) {
	t.Helper()
	for seed := range *scenes {
		if check(t, seed); t.Failed() {
			t.Fatalf("seed %d: %s", seed, randomScene(seed))
		}
	}
}

func TestTheSameScenesGiveTheSameDecisionsAndAreNotChanged(t *testing.T) {
	each(t, func(t *testing.T, seed uint64) {
		s, untouched := randomScene(seed), randomScene(seed)
		first, second := s.decide(), s.decide()
		if !reflect.DeepEqual(first, second) {
			t.Errorf("decided %+v and then %+v", first, second)
		}
		if !reflect.DeepEqual(s, untouched) {
			t.Errorf("the inputs were changed to %s", s)
		}
	})
}

func TestADecisionFedBackHasNothingNewToRemember(t *testing.T) {
	each(t, func(t *testing.T, seed uint64) {
		s := randomScene(seed)
		first := s.decide()
		s.d = first.Drain
		second := s.decide()
		if !reflect.DeepEqual(first.Drain, second.Drain) {
			t.Errorf("remembered %+v and then %+v", first.Drain, second.Drain)
		}
		for _, n := range second.Lines {
			if n.Kind != "draining" { // belongs to the action, which is asked for again
				t.Errorf("noted again: %+v", n)
			}
		}
	})
}

func TestOnlyWhatIsKnownIsActedOn(t *testing.T) {
	answers := map[Outcome]int{}
	each(t, func(t *testing.T, seed uint64) {
		s := randomScene(seed)
		dec := s.decide()
		for _, a := range dec.Do {
			switch a.Kind {
			case plan.Answer:
				answers[dec.Drain.Intent.Outcome]++
				s.mayAnswer(t, dec.Drain.Intent.Outcome, Deadline(dec.Drain, s.o.Hook, s.p))
				if *a.Hook != (plan.HookCall{Group: "web", Hook: "ebb-drain", Instance: host, Token: a.Hook.Token, Result: "CONTINUE"}) {
					t.Errorf("answer %+v", a)
				}
			case plan.SetDraining:
				if s.o.Instance.Is != fleet.Seen || !s.o.Instance.Value.State.Waiting() || s.o.Container.Is != fleet.Seen || s.o.Container.Value.Status != fleet.Active {
					t.Errorf("set DRAINING a host that does not wait or is not ACTIVE")
				}
			case plan.Deregister:
				if h := s.health[a.Targets.Targets[0]]; h.Is != fleet.Seen || !h.Value.InUse() {
					t.Errorf("deregistered a target that is %v %s", h.Is, h.Value.State)
				}
			case plan.Beat:
				until := Later(Deadline(dec.Drain, s.o.Hook, s.p), dec.Drain.Cutting.Add(outFor))
				if !s.now.Before(until) || s.o.Instance.Is == fleet.Seen && !s.o.Instance.Value.State.Waiting() {
					t.Errorf("a heartbeat after the deadline, or for a hook that is not open")
				}
			}
		}
	})
	for _, o := range []Outcome{Drained, Forced, HostGone, NeverJoined, Lost} {
		if answers[o] < int(*scenes/2000) {
			t.Errorf("only %d scenes of %d ended %s: the test says too little", answers[o], *scenes, o)
		}
	}
}

// mayAnswer checks that everything an outcome rests on is known.
func (s *scene) mayAnswer(t *testing.T, o Outcome, deadline time.Time) {
	t.Helper()
	need := map[string]bool{}
	switch o {
	case Drained:
		need["the group was seen to wait"] = s.o.Instance.Is == fleet.Seen && s.o.Instance.Value.State.Waiting()
		need["the container instance is known"] = s.o.Container.Is != fleet.Unknown && s.o.Container.Value.Status != fleet.Active
		need["both halves were listed, apart"] = len(s.o.Running) > 0 && len(s.o.Stopped) > 0 && s.o.Stopped[0].Sub(s.o.Running[0]) >= s.p.Settle
		need["ECS counts no other task"] = s.o.Container.Value.Running == 0 || s.o.Container.Value.Status != fleet.Draining || s.liveDaemons()
		need["only daemon tasks that are out are live"] = s.onlyDaemonsOut(true)
	case NeverJoined:
		need["the group was seen to wait"] = s.o.Instance.Is == fleet.Seen && s.o.Instance.Value.State.Waiting()
		need["the container instance is absent"] = s.o.Container.Is == fleet.Absent
	case Lost:
		need["the container instance is known not to be reached"] = s.o.Container.Is == fleet.Absent || s.o.Container.Is == fleet.Seen &&
			(!s.o.Container.Value.Connected || s.o.Container.Value.Status == fleet.Inactive)
		need["there is a list"] = len(s.o.Running) > 0 && len(s.o.Stopped) > 0
		need["live tasks are out of their load balancers"] = s.onlyDaemonsOut(false)
	case HostGone:
		need["EC2 was seen to say so"] = s.o.Machine.Is == fleet.Absent || s.o.Machine.Is == fleet.Seen && s.o.Machine.Value.Gone()
	case Forced:
		need["the group is known"] = s.o.Instance.Is != fleet.Unknown
		need["the deadline is over"] = !s.now.Before(deadline)
	}
	for what, ok := range need { //ebb:any-order each is complained of by itself
		if !ok {
			t.Errorf("answered %s, but not: %s", o, what)
		}
	}
}

func (s *scene) liveDaemons() bool {
	return slices.ContainsFunc(s.o.Tasks, func(f fleet.Fact[fleet.Task]) bool { return f.Is != fleet.Absent && f.Value.Live() })
}

// onlyDaemonsOut reports whether all live tasks are known to be out of their load balancers, and, if asked, of daemon services.
func (s *scene) onlyDaemonsOut(daemons bool) bool {
	for _, f := range s.o.Tasks {
		if f.Is == fleet.Absent || !f.Value.Live() {
			continue
		}
		svc := s.services[f.Value.Service()]
		if daemons && !svc.Value.Daemon || f.Value.Service() != "" && svc.Is == fleet.Unknown {
			return false
		}
		more := fleet.Endpoints(host, &f.Value, svc.Value)
		if !s.unread { // the net is waited for only so long
			more = append(more, fleet.Registered(host, &f.Value, s.net)...)
		}
		for _, e := range more {
			reg := subjectOf(e)
			if h := s.health[fleet.TargetID{ID: reg.ID, Port: reg.Port}]; h.Is == fleet.Unknown || h.Is == fleet.Seen && h.Value.InUse() {
				return false
			}
		}
	}
	return true
}

func TestAnOpenDrainIsNeverForgotten(t *testing.T) {
	each(t, func(t *testing.T, seed uint64) {
		s := randomScene(seed)
		dec := s.decide()
		soon := dec.Wake
		for _, w := range dec.Want {
			if w.Due.Before(s.now) {
				t.Errorf("wants a %s look in the past", w.Kind)
			}
			if soon.IsZero() || w.Due.Before(soon) {
				soon = w.Due
			}
		}
		onItsWay := len(dec.Do) > 0 || s.o.Tried[plan.Answer].Flying // its result wakes the drain
		if dec.Drain.Open() && !onItsWay && (soon.IsZero() || soon.After(s.now.Add(s.p.LookSlow))) {
			t.Errorf("nothing is looked at or decided before %s, %s from now", soon, soon.Sub(s.now))
		}
	})
}

// FuzzDecide lets the fuzzer look for a scene in which Decide panics.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		s := randomScene(seed)
		if dec := s.decide(); dec.Drain.Open() == (dec.Drain.Final != nil) {
			t.Errorf("open and final at once, or neither: %+v", dec.Drain)
		}
	})
}

// Every field counts: an answer that differs in one is not the same.
func TestSameLooksAtEveryFieldOfAnAnswer(t *testing.T) {
	for i := range reflect.TypeFor[Answer]().NumField() {
		a, b := Drain{Final: &Answer{}}, Drain{Final: &Answer{}}
		f := reflect.ValueOf(b.Final).Elem().Field(i)
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(t0))
		case []string:
			f.Set(reflect.ValueOf([]string{"another"}))
		case bool:
			f.SetBool(true)
		default:
			f.SetString("another")
		}
		if a.Same(&b) {
			t.Errorf("field %s of an answer does not count", reflect.TypeFor[Answer]().Field(i).Name)
		}
	}
}
