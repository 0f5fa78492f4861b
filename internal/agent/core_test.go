package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/steps"
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// staged is an agent whose group, hook and steps a test plays, second by second.
type staged struct {
	core  *Core
	store memory
	now   time.Time
	takes map[string]time.Duration // how long a step takes; 0: it has no end
	job   *job
	begun []string
	beats int
	sent  string // the answer
	at    time.Time
	gap   time.Duration // the longest time between two heartbeats
	last  time.Time
}

func stage(p steps.Plan) *staged {
	s := &staged{now: start, takes: map[string]time.Duration{}}
	p.Instance, p.Hook = "i-0a1b2c3d4e5f60718", "ebb-host"
	s.core, _ = NewCore(p, "boot", &s.store)
	return s
}

// leave lets the group say that the host waits in its hook.
func (s *staged) leave(heartbeat time.Duration) {
	s.core.SawGroup(fleet.Seen, fleet.GroupInstance{Group: "web", State: fleet.TerminatingWait}, s.now)
	s.core.SawHooks([]fleet.Hook{{Name: "ebb-host", Heartbeat: heartbeat, Global: min(48*time.Hour, 100*heartbeat)}}, s.now)
	s.last = s.now
}

// play lets time pass until the hook is answered, at most so long.
func (s *staged) play(most time.Duration) {
	for end := s.now.Add(most); s.now.Before(end) && s.sent == ""; s.now = s.now.Add(time.Second) {
		if j := s.job; j != nil {
			over, killed := !j.until.IsZero() && !j.until.After(s.now), !j.killed.IsZero()
			if over || killed {
				outcome := steps.OK
				if killed {
					outcome = steps.TimedOut
				}
				s.job = nil
				s.core.Ended(steps.End{Step: j.start.Step, Attempt: j.start.Attempt, At: s.now, Outcome: outcome})
			}
		}
		reqs, _, _ := s.core.Next(s.now)
		for _, r := range reqs {
			s.do(r)
		}
	}
}

func (s *staged) do(r Request) {
	switch {
	case r.Start != nil:
		s.begun = append(s.begun, r.Start.Step)
		s.job = &job{start: *r.Start}
		if d := s.takes[r.Start.Step]; d > 0 {
			s.job.until = s.now.Add(d)
		}
	case r.Kill != "":
		s.job.killed = s.now
	case r.Call != nil:
		if r.Call.Kind == plan.Answer {
			s.sent, s.at = r.Call.Hook.Result, s.now
		} else {
			s.beats++
			s.gap, s.last = max(s.gap, s.now.Sub(s.last)), s.now
		}
		s.core.Did(*r.Call, nil, s.now)
	case r.Look != nil:
		s.core.Looked(r.Look.Kind, nil, s.now)
	}
}

func handOver(timeout time.Duration) steps.Plan {
	return steps.Plan{Deadline: 3 * time.Hour, Steps: []steps.Step{
		{Name: "hand-over", Timeout: timeout, OnFailure: steps.Continue}, {Name: "flush", Timeout: time.Minute, OnFailure: steps.Continue},
	}}
}

// A step of an hour and a second under a hook of ten minutes.
func TestAStepLongerThanItsHook(t *testing.T) {
	s := stage(handOver(2 * time.Hour))
	s.takes["hand-over"], s.takes["flush"] = 3601*time.Second, time.Second
	s.leave(10 * time.Minute)
	s.play(3 * time.Hour)
	if s.sent != "CONTINUE" || !slices.Equal(s.begun, []string{"hand-over", "flush"}) || s.gap > 4*time.Minute {
		t.Errorf("answered %q, began %v, longest gap between heartbeats %s", s.sent, s.begun, s.gap)
	}
}

// With a timeout of an hour it is ended then, the next step runs, and the hook is answered within seconds.
func TestAStepIsEndedAtItsTimeout(t *testing.T) {
	s := stage(handOver(time.Hour))
	s.takes["hand-over"], s.takes["flush"] = 3601*time.Second, time.Second
	s.leave(10 * time.Minute)
	s.play(3 * time.Hour)
	st := s.core.State()
	if st.Runs[0].Outcome != steps.TimedOut || st.Runs[1].Outcome != steps.OK || s.sent != "CONTINUE" || s.at.Sub(start) > time.Hour+10*time.Second {
		t.Errorf("%+v; answered %q after %s", st.Runs, s.sent, s.at.Sub(start))
	}
}

// At the deadline what runs is ended, what is left is skipped, and the hook is answered.
func TestTheDeadlineEndsTheSteps(t *testing.T) {
	p := handOver(2 * time.Hour)
	p.Deadline = 20 * time.Minute
	s := stage(p)
	s.leave(10 * time.Minute)
	s.play(3 * time.Hour)
	st := s.core.State()
	if st.Runs[0].Outcome != steps.TimedOut || st.Runs[1].Outcome != steps.Skipped || s.sent != "CONTINUE" || s.at.Sub(start) > 21*time.Minute {
		t.Errorf("%+v; answered %q after %s", st.Runs, s.sent, s.at.Sub(start))
	}
}

// On Spot the important steps come first, and each gets what is left of the two minutes.
func TestOnSpotTheImportantStepsComeFirst(t *testing.T) {
	p := steps.Plan{Deadline: 30 * time.Minute, Steps: []steps.Step{
		{Name: "tidy", Timeout: 5 * time.Minute, Priority: 9}, {Name: "zabbix", Timeout: time.Minute, Priority: 5},
		{Name: "flush", Timeout: 5 * time.Minute, Priority: 1},
	}}
	s := stage(p)
	s.takes["flush"], s.takes["zabbix"] = 100*time.Second, 5*time.Second
	s.core.SawSpot(start.Add(2*time.Minute), start)
	s.play(3 * time.Minute)
	st := s.core.State()
	if !slices.Equal(s.begun, []string{"flush", "zabbix", "tidy"}) || st.Runs[2].Outcome != steps.TimedOut ||
		st.Runs[2].Ended.After(start.Add(2*time.Minute)) || s.sent != "" {
		t.Errorf("began %v, %+v, answered %q", s.begun, st.Runs, s.sent)
	}
}

// A restart while no termination is under way runs no step and answers nothing.
func TestARestartDoesNothing(t *testing.T) {
	s := stage(handOver(time.Hour))
	s.core.SawGroup(fleet.Seen, fleet.GroupInstance{Group: "web", State: fleet.InService}, s.now)
	for range 3 {
		s.play(10 * time.Minute)
		p := s.core.Plan
		s.core, _ = NewCore(p, "boot", &s.store)
	}
	if len(s.begun) > 0 || s.sent != "" || s.beats > 0 {
		t.Errorf("began %v, answered %q, %d heartbeats", s.begun, s.sent, s.beats)
	}
}

// The answer is repeated while Auto Scaling does not know of the hook: the group may say sooner that the host leaves.
func TestAnAnswerIsRepeatedUntilItIsTaken(t *testing.T) {
	s := stage(steps.Plan{Deadline: time.Hour, Steps: []steps.Step{{Name: "flush", Timeout: time.Minute}}})
	s.takes["flush"] = time.Second
	s.leave(time.Hour)
	answers := 0
	for range 120 {
		if j := s.job; j != nil {
			s.job = nil
			s.core.Ended(steps.End{Step: j.start.Step, Attempt: j.start.Attempt, At: s.now, Outcome: steps.OK})
		}
		reqs, _, _ := s.core.Next(s.now)
		for _, r := range reqs {
			if r.Call != nil && r.Call.Kind == plan.Answer {
				var f *plan.Failure
				if answers++; answers < 4 {
					f = &plan.Failure{Class: plan.Gone, Message: "No active Lifecycle Action found"}
				}
				s.core.Did(*r.Call, f, s.now)
				continue
			}
			s.do(r)
			if r.Look != nil && r.Look.Kind == steps.LookGroup {
				s.core.SawGroup(fleet.Seen, fleet.GroupInstance{Group: "web", State: fleet.TerminatingWait}, s.now)
			}
		}
		s.now = s.now.Add(time.Second)
	}
	if st := s.core.State(); answers != 4 || st.Answered.IsZero() {
		t.Errorf("%d answers, %+v", answers, st)
	}
}
