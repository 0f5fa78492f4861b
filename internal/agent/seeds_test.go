package agent

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/steps"
)

var (
	seedsFlag = flag.Int("seeds", 300, "how many random departures of hosts are played")
	fromFlag  = flag.Uint64("from", 1, "the first seed")
)

// TestSeeds plays departures with random steps, faults and crashes of the agent in the simulated cloud, and judges them by its record.
func TestSeeds(t *testing.T) {
	situations := map[string]int{}
	for seed := *fromFlag; seed < *fromFlag+uint64(*seedsFlag); seed++ {
		r := newPlay(seed)
		r.play()
		for _, s := range r.situations() {
			situations[s]++
		}
		if bad := r.judge(); len(bad) > 0 {
			t.Fatalf("seed %d (go test ./internal/agent -run TestSeeds -seeds=1 -from=%d):\n%s\n\n%s", seed, seed,
				strings.Join(bad, "\n"), strings.Join(r.log, "\n"))
		}
	}
	for name, n := range situations {
		t.Logf("%5.1f %% %s", 100*float64(n)/float64(*seedsFlag), name)
	}
}

// play is one random run: a group, an agent on each of its hosts, and what happens to them.
type play struct {
	seed  uint64
	rand  *rand.Rand
	w     *sim.World
	hosts []*simHost
	plan  steps.Plan
	fault float64 // share of calls that fail
	lag   time.Duration
	log   []string
	end   time.Time
}

// simHost is a host and the agent on it.
type simHost struct {
	p      *play
	id     string
	disk   memory
	boot   string
	core   *Core         // nil: the agent does not run
	calls  []func() bool // results on their way; each says whether it has come
	job    *job
	up     time.Time // when the agent is started again
	wake   time.Time
	polled time.Time
	did    []did
	begun  map[string]bool // "departure/step" that ended well
	crash  []time.Time
	ended  time.Time // when EC2 ended it
	spot   time.Time // when EC2 takes the instance back
}

// did is one thing that the agent did.
type did struct {
	at   time.Time
	what string // answer, begin, end, crash
	step string
	text string
	st   steps.State
}

type job struct {
	start  steps.Start
	until  time.Time // when it ends by itself
	killed time.Time
	ok     bool
}

type memory struct{ st steps.State }

func (m *memory) Load() (steps.State, error) {
	st := m.st
	st.Runs = slices.Clone(st.Runs)
	return st, nil
}
func (m *memory) Save(st steps.State) error {
	m.st = st
	m.st.Runs = slices.Clone(st.Runs)
	return nil
}

func (p *play) dur(min, max time.Duration) time.Duration {
	return min + time.Duration(p.rand.Int64N(int64(max-min)+1))
}
func (p *play) chance(f float64) bool { return p.rand.Float64() < f }
func pick[T any](p *play, of ...T) T  { return of[p.rand.IntN(len(of))] }

func newPlay(seed uint64) *play {
	p := &play{seed: seed, rand: rand.New(rand.NewPCG(seed, 0xa6e27))}
	hooks := []sim.HookSpec{{Name: "ebb-host", Heartbeat: pick(p, 5*time.Minute, 15*time.Minute, time.Hour), DefaultResult: "CONTINUE"}}
	if p.chance(0.3) {
		hooks = append(hooks, sim.HookSpec{Name: "other", Heartbeat: time.Hour, DefaultResult: "CONTINUE"})
	}
	p.plan = steps.Plan{Hook: "ebb-host", Deadline: pick(p, 10*time.Minute, 30*time.Minute)}
	if p.chance(0.2) {
		p.plan.LaunchHook = "ebb-launch"
		hooks = append(hooks, sim.HookSpec{Name: "ebb-launch", Transition: "launching", Heartbeat: 10 * time.Minute})
	}
	p.plan.ECS = p.chance(0.2)
	for i := range 1 + p.rand.IntN(4) {
		s := steps.Step{
			Name: fmt.Sprintf("step-%d", i), Timeout: p.dur(5*time.Second, 8*time.Minute), Retries: p.rand.IntN(3),
			OnFailure: pick(p, steps.Continue, steps.Continue, steps.Stop, steps.Hold), Early: p.chance(0.15), Priority: p.rand.IntN(3),
		}
		if p.chance(0.3) {
			s.When = []steps.Cause{pick(p, steps.Causes()...), steps.Terminate}
		}
		p.plan.Steps = append(p.plan.Steps, s)
	}
	spot := p.chance(0.2)
	w, err := sim.Build(sim.Spec{Seed: seed, Groups: []sim.GroupSpec{{
		Name: "web", Desired: 1 + p.rand.IntN(3), Hooks: hooks, Launch: core.HostSpec{Spot: spot},
	}}})
	if err != nil {
		panic(err)
	}
	w.Settle()
	p.w = w
	if p.chance(0.3) {
		p.fault = pick(p, 0.05, 0.3)
	}
	p.lag = p.dur(0, 5*time.Second)
	start := w.Now()
	p.end = start.Add(3 * time.Hour)
	for _, in := range w.DescribeAutoScalingInstances(nil) {
		p.join(in.ID)
	}
	for _, h := range p.hosts {
		at := start.Add(p.dur(time.Minute, 10*time.Minute))
		switch {
		case spot && p.chance(0.6):
			w.At(at, func() {
				action := pick(p, "terminate", "stop", "hibernate")
				if w.Interrupt(h.id, action) == nil && action != "hibernate" {
					h.spot = w.Now().Add(2 * time.Minute)
				}
			})
		case p.chance(0.1):
			w.At(at, func() { _ = w.ReplaceRootVolume(h.id, false) })
		case p.chance(0.8):
			w.At(at, func() { _, _ = w.TerminateInstanceInAutoScalingGroup(h.id, p.chance(0.5)) })
		}
		for p.chance(0.3) {
			h.crash = append(h.crash, at.Add(p.dur(-time.Minute, 15*time.Minute)))
		}
	}
	if len(hooks) > 1 && hooks[1].Name == "other" {
		p.other(start)
	}
	return p
}

// other answers the other hook, sooner or later.
func (p *play) other(from time.Time) {
	p.w.At(from.Add(p.dur(time.Second, 3*time.Minute)), func() {
		for _, h := range p.hosts {
			p.w.As("other", func() { _ = p.w.CompleteLifecycleAction("web", "other", "", h.id, "CONTINUE") })
		}
		p.other(p.w.Now())
	})
}

func (p *play) join(id string) {
	h := &simHost{p: p, id: id, begun: map[string]bool{}, up: p.w.Now()}
	p.hosts = append(p.hosts, h)
}

func (p *play) say(h *simHost, format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf("%s %s %s", p.w.Now().Format("15:04:05.000"), h.id[len(h.id)-4:], fmt.Sprintf(format, args...)))
}

func (p *play) play() {
	for p.w.Now().Before(p.end) {
		next := p.w.Now().Add(time.Second)
		p.w.Advance(next)
		for _, in := range p.w.DescribeAutoScalingInstances(nil) {
			if !slices.ContainsFunc(p.hosts, func(h *simHost) bool { return h.id == in.ID }) {
				p.join(in.ID)
			}
		}
		busy := false
		for _, h := range p.hosts {
			h.act(next)
			busy = busy || h.disk.st.Cause != "" && h.ended.IsZero()
		}
		if !busy && p.w.Now().Sub(p.end.Add(-3*time.Hour)) > 15*time.Minute {
			return
		}
	}
}

// act lets a second pass on a host.
func (h *simHost) act(now time.Time) {
	in := h.p.w.Find(h.id)
	if in == nil || in.State != "running" {
		if h.ended.IsZero() {
			h.ended, h.core, h.job = now, nil, nil
			h.p.say(h, "EC2 has ended the host")
		}
		return
	}
	h.ended = time.Time{}
	if g := h.p.w.DescribeAutoScalingInstances([]string{h.id}); len(g) > 0 && g[0].State == "ReplacingRootVolume:Proceed" {
		h.core, h.job, h.calls, h.disk, h.spot = nil, nil, nil, memory{}, time.Time{} // it starts anew, from another disk
		h.boot, h.up = now.String(), now.Add(30*time.Second)
		return
	}
	if len(h.crash) > 0 && !h.crash[0].After(now) {
		h.crash = h.crash[1:]
		if h.core != nil {
			h.did = append(h.did, did{at: now, what: "crash"})
			h.core, h.job, h.calls = nil, nil, nil
			h.up = now.Add(h.p.dur(0, 20*time.Second))
			h.p.say(h, "the agent is killed")
		}
	}
	if h.core == nil {
		if h.up.After(now) {
			return
		}
		p := h.p.plan
		p.Instance = fleet.InstanceID(h.id)
		h.core, _ = NewCore(p, h.boot, &h.disk)
		h.wake, h.polled = now, time.Time{}
	}
	woken := h.poll(now)
	for i := 0; i < len(h.calls); {
		if h.calls[i]() {
			h.calls = slices.Delete(h.calls, i, i+1)
			woken = true
		} else {
			i++
		}
	}
	woken = h.step(now) || woken
	if !woken && (h.wake.IsZero() || h.wake.After(now)) {
		return
	}
	for range 3 {
		reqs, wake, lines := h.core.Next(now)
		h.wake = wake
		for _, l := range lines {
			h.p.say(h, "%s", l)
		}
		for _, r := range reqs {
			h.do(r, now)
		}
		if len(reqs) == 0 {
			break
		}
	}
}

// poll asks IMDS each five seconds.
func (h *simHost) poll(now time.Time) bool {
	if now.Sub(h.polled) < 5*time.Second {
		return false
	}
	h.polled = now
	target := ""
	for _, in := range h.p.w.DescribeAutoScalingInstances([]string{h.id}) {
		switch s := in.State; {
		case now.Sub(in.Since) < h.p.lag:
		case strings.HasPrefix(s, "Terminat"):
			target = "Terminated"
		default:
			target = "InService"
		}
	}
	if target == "" {
		target = h.core.seen.Target.Value
	}
	if target != h.core.seen.Target.Value {
		h.p.say(h, "IMDS says %s", target)
	}
	h.core.SawTarget(target, now)
	h.core.SawSpot(h.spot, now)
	return true
}

// step ends the step that runs, when its time has come.
func (h *simHost) step(now time.Time) bool {
	j := h.job
	if j == nil {
		return false
	}
	end := steps.End{Step: j.start.Step, Attempt: j.start.Attempt, At: now, Outcome: steps.Failed, Text: "exit 7"}
	switch {
	case !j.killed.IsZero() && !j.killed.After(now):
		end.Outcome = steps.TimedOut
	case j.until.After(now):
		return false
	case j.ok:
		end.Outcome = steps.OK
		h.begun[h.core.state.Heard.String()+j.start.Step] = true
	}
	h.job = nil
	h.did = append(h.did, did{at: now, what: "end", step: end.Step, text: string(end.Outcome), st: h.core.state})
	h.core.Ended(end)
	return true
}

var errFault = errors.New("rate exceeded")

// do carries out a request; what comes of it comes later, or is lost.
func (h *simHost) do(r Request, now time.Time) {
	p := h.p
	later := func(f func(fail bool)) {
		at, fail := now.Add(p.dur(0, 3*time.Second)), p.chance(p.fault)
		h.calls = append(h.calls, func() bool {
			if p.w.Now().Before(at) {
				return false
			}
			f(fail)
			return true
		})
	}
	c := h.core
	switch {
	case r.Look != nil:
		k := r.Look.Kind
		later(func(fail bool) {
			if fail {
				c.Looked(k, errFault, p.w.Now())
				return
			}
			switch k {
			case steps.LookGroup:
				is, g := fleet.Absent, fleet.GroupInstance{}
				for _, in := range p.w.DescribeAutoScalingInstances([]string{h.id}) {
					is, g = fleet.Seen, fleet.GroupInstance{ID: fleet.InstanceID(in.ID), Group: in.Group, State: fleet.LifecycleState(in.State)}
				}
				c.SawGroup(is, g, now)
				p.say(h, "the group says %s", g.State)
			case steps.LookHooks:
				hooks, err := p.w.DescribeLifecycleHooks("web", nil)
				if err != nil {
					panic(err)
				}
				var found []fleet.Hook
				for _, x := range hooks {
					found = append(found, fleet.Hook{Name: x.Name, Heartbeat: x.Heartbeat, Global: x.GlobalTimeout()})
				}
				c.SawHooks(found, now)
			case steps.LookTasks:
				c.SawTasks(p.seed%2 == 0 && p.chance(0.1), now)
			}
			c.Looked(k, nil, p.w.Now())
		})
	case r.Call != nil:
		a := *r.Call
		var f *plan.Failure
		lost := p.chance(p.fault)
		if p.chance(p.fault) {
			f = &plan.Failure{Class: plan.Throttled, Message: "Rate exceeded"}
		} else {
			p.w.As("agent", func() {
				var err error
				if a.Kind == plan.Answer {
					err = p.w.CompleteLifecycleAction(a.Hook.Group, a.Hook.Hook, "", h.id, a.Hook.Result)
					h.did = append(h.did, did{at: now, what: "answer", text: a.Hook.Result, st: c.state})
					p.say(h, "CompleteLifecycleAction %s %s: %v", a.Hook.Hook, a.Hook.Result, err)
				} else {
					err = p.w.RecordLifecycleActionHeartbeat(a.Hook.Group, a.Hook.Hook, "", h.id)
				}
				if err != nil {
					f = &plan.Failure{Class: plan.Gone, Message: err.Error()}
				}
			})
			if lost {
				f = &plan.Failure{Class: plan.Unclear, Message: "connection reset"}
			}
		}
		later(func(bool) { c.Did(a, f, p.w.Now()) })
	case r.Start != nil:
		s := *r.Start
		j := &job{start: s, ok: p.chance(0.7), until: now.Add(p.dur(0, 5*time.Minute))}
		if p.chance(0.1) {
			j.until = now.Add(10 * time.Hour) // it hangs
		}
		h.job = j
		h.did = append(h.did, did{at: now, what: "begin", step: s.Step, st: c.state})
		if h.begun[c.state.Heard.String()+s.Step] {
			h.did = append(h.did, did{at: now, what: "again", step: s.Step})
		}
	case r.Kill != "":
		if h.job != nil && h.job.killed.IsZero() {
			h.job.killed = now.Add(p.dur(0, 10*time.Second))
		}
	}
}

// judge says what must not have happened.
func (p *play) judge() (bad []string) {
	wrong := func(h *simHost, format string, args ...any) {
		bad = append(bad, h.id+": "+fmt.Sprintf(format, args...))
	}
	for _, h := range p.hosts {
		for _, d := range h.did {
			switch d.what {
			case "again":
				wrong(h, "%s: step %s was run again although it had ended", d.at.Format(time.TimeOnly), d.step)
			case "begin":
				if d.st.Cause == "" {
					wrong(h, "step %s began although the host does not leave", d.step)
				}
			case "answer":
				p.judgeAnswer(h, d, wrong)
			}
		}
		p.judgeHook(h, wrong)
		if st := h.disk.st; st.Cause != "" && h.ended.IsZero() && !st.Opened.IsZero() && st.Answered.IsZero() {
			wrong(h, "the hook was never answered")
		}
	}
	return bad
}

// judgeAnswer: a hook is answered when every step has ended, or when there is no time left.
func (p *play) judgeAnswer(h *simHost, d did, wrong func(*simHost, string, ...any)) {
	end := d.st.Opened.Add(p.plan.Deadline)
	if !d.st.Ends.IsZero() && d.st.Ends.Add(-5*time.Second).Before(end) {
		end = d.st.Ends.Add(-5 * time.Second)
	}
	late := !d.at.Before(end)
	running := ""
	for _, x := range h.did {
		if x.at.After(d.at) {
			break
		}
		switch x.what {
		case "begin":
			running = x.step
		case "end", "crash":
			running = ""
		}
	}
	if running != "" && !late {
		wrong(h, "%s: the hook was answered while step %s ran", d.at.Format(time.TimeOnly), running)
	}
	if late && d.at.After(end.Add(4*time.Minute)) && p.fault == 0 {
		wrong(h, "%s: the hook was answered %s after the end of its time", d.at.Format(time.TimeOnly), d.at.Sub(end))
	}
	for _, s := range p.plan.Steps {
		if i := slices.IndexFunc(d.st.Runs, func(r steps.Run) bool { return r.Step == s.Name && r.Done }); i < 0 && s.Runs(d.st.Cause) && !late {
			wrong(h, "%s: the hook was answered before step %s", d.at.Format(time.TimeOnly), s.Name)
		}
	}
}

// judgeHook: the hook never times out.
func (p *play) judgeHook(h *simHost, wrong func(*simHost, string, ...any)) {
	for _, e := range p.w.Record() {
		if e.Kind == core.EntryHook && e.Instance == h.id && strings.HasPrefix(e.Hook, "ebb") && (e.To == "expired" || e.To == "global-timeout") &&
			(h.ended.IsZero() || e.At.Before(h.ended)) {
			wrong(h, "%s: hook %s timed out", e.At.Format(time.TimeOnly), e.Hook)
		}
	}
}

func (p *play) situations() (all []string) {
	add := func(is bool, name string) {
		if is && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, h := range p.hosts {
		for _, d := range h.did {
			add(d.what == "crash", "the agent was killed")
			add(d.what == "answer", "a hook was answered "+d.text)
			add(d.what == "begin", "a step ran: "+string(d.st.Cause))
			add(d.what == "end", "a step ended: "+d.text)
		}
	}
	return all
}
