package scale

import (
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

var t0 = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)

// play is a service whose tasks start at once, unless its running count is set, and what its policy does with it.
type play struct {
	t       *testing.T
	p       Policy
	m       Memory
	s       Seen
	desired int
	slow    bool // Running is set by the test
	calls   int
	told    []string
	now     time.Time
}

func newPlay(t *testing.T, p Policy, desired int) *play {
	y := &play{t: t, p: p, desired: desired, now: t0}
	y.s.Alarms = map[string]fleet.Fact[fleet.Alarm]{}
	y.s.Other.Is = fleet.Absent
	y.s.Service.Value.Running = desired
	return y
}

// alarm sets the state of an alarm.
func (y *play) alarm(name, state string) {
	if y.s.Alarms[name].Value.State == state {
		return
	}
	y.s.Alarms[name] = fleet.Fact[fleet.Alarm]{Is: fleet.Seen, At: y.now, Value: fleet.Alarm{Name: name, State: state, Since: y.now}}
}

// decide looks and decides once.
func (y *play) decide() Decision {
	y.t.Helper()
	y.s.Desired = fleet.Fact[int]{Is: fleet.Seen, At: y.now, Value: y.desired}
	if !y.slow {
		y.s.Service.Value.Running = y.desired
	}
	y.s.Service.Is, y.s.Service.At = fleet.Seen, y.now
	for name, a := range y.s.Alarms {
		if !a.At.Before(t0) {
			a.At = y.now
			y.s.Alarms[name] = a
		}
	}
	d := Decide(y.p, y.m, y.s, y.now)
	if y.m = d.Memory; d.Set {
		y.desired = d.To
		y.calls++
	}
	if d.Tell {
		y.told = append(y.told, string(d.Code))
	}
	if d.Code.Means() == "" || d.Why == "" {
		y.t.Errorf("code %q (%s) is not in the table", d.Code, d.Why)
	}
	return d
}

// until decides every 15 s.
func (y *play) until(after time.Duration) Decision {
	y.t.Helper()
	var d Decision
	for ; !y.now.After(t0.Add(after)); y.now = y.now.Add(15 * time.Second) {
		d = y.decide()
	}
	return d
}

func (y *play) is(want int, code Code) {
	y.t.Helper()
	if d := y.decide(); y.desired != want || d.Code != code {
		y.t.Errorf("at %s: desired %d (%s: %s), want %d (%s)", y.now.Sub(t0), y.desired, d.Code, d.Why, want, code)
	}
}

// alarms is a policy of the recipe: +out on "up", -in on "down".
func alarms(lo, hi, out, in int) Policy {
	p := Defaults()
	p.Min, p.Max = lo, hi
	p.Alarms = []Rule{{Alarm: "up", Change: Change{By: out}}, {Alarm: "down", Change: Change{By: in}}}
	return p
}

// The recipe exactly: a step for each change of the state, and not one more.
func TestTheRecipe(t *testing.T) {
	p := alarms(1, 4, 1, -1)
	p.Repeat = 0
	y := newPlay(t, p, 2)
	y.alarm("up", "OK")
	y.alarm("down", "OK")
	y.is(2, Steady)
	y.alarm("up", "ALARM")
	y.is(3, AlarmOut)
	y.until(30 * time.Minute)
	if y.calls != 1 || y.desired != 3 {
		t.Fatalf("%d calls, desired %d", y.calls, y.desired)
	}
	for range 3 {
		y.alarm("up", "OK")
		y.decide()
		y.now = y.now.Add(time.Minute)
		y.alarm("up", "ALARM")
		y.decide()
	}
	if y.is(4, AtMax); y.calls != 2 {
		t.Errorf("%d calls", y.calls)
	}
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.is(4, CooldownIn)
	y.now = y.now.Add(5 * time.Minute)
	y.is(3, AlarmIn)
	y.until(3 * time.Hour)
	if y.calls != 3 {
		t.Errorf("%d calls", y.calls)
	}
}

func TestAStepIsRepeatedWhileTheStateHolds(t *testing.T) {
	y := newPlay(t, alarms(1, 4, 1, -1), 1)
	y.alarm("up", "ALARM")
	y.alarm("down", "OK")
	y.until(10 * time.Minute)
	if y.desired != 4 || y.calls != 3 {
		t.Errorf("desired %d after %d calls", y.desired, y.calls)
	}
	if got := strings.Join(y.told, " "); got != "alarm-out alarm-out alarm-out at-max" {
		t.Errorf("told %s: a refusal is told once", got)
	}
}

// A clock that jumps forward makes all that was read old, and nothing is set by it. One that is set back does not hold a service until the old time comes
// again, and repeats nothing.
func TestAClockThatJumps(t *testing.T) {
	y := newPlay(t, alarms(1, 9, 1, -1), 4)
	y.now = t0.Add(5 * time.Hour)
	y.alarm("up", "ALARM")
	y.alarm("down", "OK")
	y.is(5, AlarmOut)
	if d := Decide(y.p, y.m, y.s, y.now.Add(3*time.Hour)); d.Set || d.Code != NoData {
		t.Errorf("forward: %+v", d)
	}
	y.now = y.now.Add(-3 * time.Hour)
	y.is(5, Steady)
	y.now = y.now.Add(time.Minute)
	y.is(6, AlarmOut)
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.now = y.now.Add(-time.Hour)
	y.is(6, CooldownIn)
	y.now = y.now.Add(5 * time.Minute)
	y.is(5, AlarmIn)
	if y.calls != 3 {
		t.Errorf("%d calls", y.calls)
	}
}

// A scale-down alarm brought services below their minimum, and a lower maximum brought one through 0.
func TestTheFloor(t *testing.T) {
	p := alarms(2, 4, 1, -1)
	y := newPlay(t, p, 2)
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.until(time.Hour)
	if y.calls != 0 || strings.Join(y.told, " ") != "at-min" {
		t.Errorf("%d calls, told %v", y.calls, y.told)
	}
	y.desired, y.p.Max = 4, 3
	y.is(3, AboveMax)
	y.desired = 0
	y.is(2, BelowMin)
}

// At rest the alarm for fewer is in ALARM all the time, and the one for more joins it.
func TestBothAlarms(t *testing.T) {
	y := newPlay(t, alarms(0, 10, 1, -1), 0)
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.until(5*time.Minute - time.Second)
	if y.calls != 0 {
		t.Fatalf("%d calls at 0", y.calls)
	}
	y.alarm("up", "ALARM")
	y.until(10*time.Minute - time.Second)
	if y.desired != 5 || y.calls != 5 {
		t.Errorf("desired %d after %d calls", y.desired, y.calls)
	}
	if !strings.Contains(strings.Join(y.told, " "), "out-wins") {
		t.Errorf("the journal does not say that the step in is held: %v", y.told)
	}
	y.alarm("down", "OK")
	y.until(16*time.Minute - time.Second)
	if y.desired != 10 {
		t.Errorf("desired %d", y.desired)
	}
	last := y.m.Out
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.until(last.Add(5*time.Minute - 16*time.Second).Sub(t0))
	y.is(10, CooldownIn)
	y.now = last.Add(5 * time.Minute)
	y.is(9, AlarmIn)
}

// Terraform writes 1 while Ebb has 5 under load.
func TestResetByADeploy(t *testing.T) {
	y := newPlay(t, alarms(1, 10, 1, -1), 4)
	y.alarm("down", "OK")
	y.alarm("up", "ALARM")
	y.is(5, AlarmOut)
	y.now = y.now.Add(30 * time.Second)
	y.m, y.desired = y.m.Foreign(5, 1, y.now), 1
	y.s.Service.Value.Deploying = true
	d := y.decide()
	if y.desired != 5 || d.Code != Restored || !strings.Contains(d.Why, "from 5 to 1") || !strings.Contains(d.Why, "ignore_changes") {
		t.Errorf("desired %d: %s, %s", y.desired, d.Code, d.Why)
	}
	y.alarm("up", "OK")
	y.now = y.now.Add(30 * time.Second)
	y.m, y.desired = y.m.Foreign(5, 1, y.now), 1
	y.until(time.Hour)
	y.is(1, Steady)
	y.alarm("up", "ALARM")
	y.is(2, AlarmOut) // what was accepted stays accepted
}

// The base is the desired count, and not what runs; and the tasks of a step are waited for.
func TestDuringADeployment(t *testing.T) {
	p := alarms(2, 10, 2, -1)
	y := newPlay(t, p, 4)
	y.slow, y.s.Service.Value = true, fleet.Service{Running: 3, Pending: 1, Deploying: true}
	y.alarm("down", "OK")
	y.alarm("up", "ALARM")
	y.is(6, AlarmOut)
	for range 2 {
		y.now = y.now.Add(time.Minute)
		y.is(6, Starting)
	}
	y.s.Service.Value.Running = 6
	y.is(8, AlarmOut)
	y.s.Service.Value.Running = 8
	y.alarm("up", "OK")
	y.alarm("down", "ALARM")
	y.now = y.now.Add(10 * time.Minute)
	y.is(8, Deployment)
	y.s.Service.Value.Deploying = false
	y.is(7, AlarmIn)
	y.alarm("down", "OK")
	y.alarm("up", "ALARM")
	y.is(9, AlarmOut) // at once after a step in
}

func TestWhatIsNotKnownNeverShrinks(t *testing.T) {
	down := func(y *play) { y.alarm("up", "OK"); y.alarm("down", "ALARM") }
	change := func(name string, f func(*fleet.Fact[fleet.Alarm])) func(*play) {
		return func(y *play) { a := y.s.Alarms[name]; f(&a); y.s.Alarms[name] = a }
	}
	for name, c := range map[string]struct {
		code Code
		f    func(*play)
	}{
		"all known":         {AlarmIn, func(*play) {}},
		"up not read yet":   {Unknown, func(y *play) { delete(y.s.Alarms, "up") }},
		"up not read":       {NoData, change("up", func(a *fleet.Fact[fleet.Alarm]) { a.Is = fleet.Unknown })},
		"up read long ago":  {NoData, change("up", func(a *fleet.Fact[fleet.Alarm]) { a.At = t0.Add(-time.Hour) })},
		"up absent":         {NoAlarm, change("up", func(a *fleet.Fact[fleet.Alarm]) { a.Is = fleet.Absent })},
		"up without data":   {NoData, change("up", func(a *fleet.Fact[fleet.Alarm]) { a.Value.State = "INSUFFICIENT_DATA" })},
		"up partial":        {NoData, change("up", func(a *fleet.Fact[fleet.Alarm]) { a.Value.Trouble = "PARTIAL_DATA" })},
		"down partial":      {NoData, change("down", func(a *fleet.Fact[fleet.Alarm]) { a.Value.Trouble = "PARTIAL_DATA" })},
		"down muted":        {Muted, change("down", func(a *fleet.Fact[fleet.Alarm]) { a.Value.Muted = true })},
		"deployment":        {Deployment, func(y *play) { y.s.Service.Value.Deploying = true }},
		"draining":          {Draining, func(y *play) { y.s.Leaving = 1 }},
		"paused":            {Paused, func(y *play) { y.s.Paused = "paused by ada" }},
		"excluded":          {Excluded, func(y *play) { y.s.Service.Value.Excluded = true }},
		"observed":          {Observed, func(y *play) { y.p.Observe = true }},
		"two scalers":       {Fought, func(y *play) { y.s.Other.Is = fleet.Seen }},
		"one is suspended":  {AlarmIn, func(y *play) { y.s.Other.Is, y.s.Other.Value.Suspended = fleet.Seen, true }},
		"not known":         {Unknown, func(y *play) { y.s.Other.Is = fleet.Unknown }},
		"daemon":            {Daemon, func(y *play) { y.s.Service.Value.Daemon = true }},
		"changed by others": {CooldownIn, func(y *play) { y.m = y.m.Foreign(4, 5, y.now) }},
	} {
		t.Run(name, func(t *testing.T) {
			y := newPlay(t, alarms(1, 10, 1, -1), 5)
			down(y)
			c.f(y)
			want := 5
			if c.code == AlarmIn {
				want = 4
			}
			y.is(want, c.code)
		})
	}
}

func TestABrake(t *testing.T) {
	p := alarms(1, 10, 1, -1)
	p.Alarms = append(p.Alarms, Rule{Alarm: "db", Brake: true})
	y := newPlay(t, p, 5)
	y.alarm("down", "OK")
	y.alarm("up", "ALARM")
	y.is(5, Braked) // nothing is known of the brake
	y.alarm("db", "ALARM")
	y.is(5, Braked)
	y.p.Alarms[2].Change = Change{By: -2}
	y.is(3, BrakeIn)
	y.is(3, Braked)
	y.now = y.now.Add(time.Minute)
	y.is(1, BrakeIn)
	y.alarm("db", "OK")
	y.is(2, AlarmOut)
}

func TestBandsAndChanges(t *testing.T) {
	for text, want := range map[string][2]int{"+2": {10, 12}, "-1": {10, 9}, "+50%": {10, 15}, "-10%": {5, 4}, "+10%": {1, 2}, "=4": {9, 4}, "-20": {3, 0},
		"+15%": {10, 11}, "-15%": {10, 9}} {
		c, err := ParseChange(text)
		if err != nil || c.of(want[0]) != want[1] || c.String() != text {
			t.Errorf("%s of %d: %d, %v, as %s", text, want[0], c.of(want[0]), err, c)
		}
	}
	for _, bad := range []string{"", "2", "=", "=-1", "=+1", "+0", "+1.5", "=50%", "+%", "+99999", "a", "++1"} {
		if c, err := ParseChange(bad); err == nil {
			t.Errorf("%q is read as %v", bad, c)
		}
	}
	r := Rule{Alarm: "up", Bands: []Band{{0, Change{By: 1}}, {20, Change{By: 50, Percent: true}}}}
	p := Defaults()
	p.Max, p.Alarms = 100, []Rule{r}
	for _, c := range []struct {
		breach *float64
		want   int
	}{{nil, 11}, {new(5.0), 11}, {new(20.0), 15}, {new(-40.0), 15}} {
		y := newPlay(t, p, 10)
		y.alarm("up", "ALARM")
		a := y.s.Alarms["up"]
		a.Value.Breach = c.breach
		y.s.Alarms["up"] = a
		y.is(c.want, AlarmOut)
	}
}

func TestWindowsAndOverrides(t *testing.T) {
	night, err := NewWindow("0 19 * * 1-5", "Europe/Berlin", 13*time.Hour, new(0), new(0))
	if err != nil {
		t.Fatal(err)
	}
	p := alarms(2, 10, 1, -1)
	p.Windows = []Window{night}
	y := newPlay(t, p, 4)
	y.alarm("up", "OK")
	y.alarm("down", "OK")
	y.now = time.Date(2026, 11, 30, 17, 59, 0, 0, time.UTC) // a Monday, 18:59 in Berlin
	y.is(4, Steady)
	if at := y.decide().Again; !at.Equal(y.now.Add(time.Minute)) {
		t.Errorf("it wakes at %s", at)
	}
	y.now = y.now.Add(time.Minute)
	y.is(0, AboveMax)
	y.s.Override.Min = new(1) // somebody works late
	y.is(1, BelowMin)
	y.s.Override.Min = nil
	y.is(0, AboveMax)
	y.now = y.now.Add(13 * time.Hour)
	y.is(2, BelowMin)
	y.s.Override = Override{Min: new(40)}
	y.is(40, BelowMin)
	for _, c := range [][3]string{{"0 19 * *", "UTC", "cron"}, {"0 19 * * *", "Berlin", "time zone"}, {"0 19 * * *", "", "time zone"},
		{"61 0 * * *", "UTC", "cron"}} {
		if _, err := NewWindow(c[0], c[1], time.Hour, nil, nil); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// One message, taken by one task that needs long: nothing is visible, and the task is at work.
func TestInFlightMessagesAreWork(t *testing.T) {
	p := Defaults()
	p.Max, p.Queue = 10, &Queue{FinishWithin: 5 * time.Minute}
	y := newPlay(t, p, 0)
	queue := func(visible, flight int) {
		y.s.Queue = fleet.Fact[fleet.Backlog]{Is: fleet.Seen, At: y.now, Value: fleet.Backlog{Visible: visible, InFlight: flight}}
	}
	queue(1, 0)
	y.is(1, QueueOut)
	y.now = t0.Add(time.Minute)
	for ; y.now.Before(t0.Add(12 * time.Minute)); y.now = y.now.Add(15 * time.Second) {
		queue(0, 1)
		if y.decide(); y.desired != 1 {
			t.Fatalf("after %s the desired count is %d", y.now.Sub(t0), y.desired)
		}
	}
	for ; y.now.Before(t0.Add(17 * time.Minute)); y.now = y.now.Add(15 * time.Second) {
		queue(0, 0)
		y.is(1, Settling)
	}
	queue(0, 0)
	y.is(0, QueueIn)

	for _, protected := range []bool{false, true} {
		p.Queue = &Queue{FinishWithin: 5 * time.Minute, Takes: time.Minute, Protected: protected}
		y = newPlay(t, p, 3)
		for ; y.now.Before(t0.Add(20 * time.Minute)); y.now = y.now.Add(15 * time.Second) {
			queue(0, 1)
			y.decide()
		}
		if want := map[bool]int{false: 3, true: 1}[protected]; y.desired != want {
			t.Errorf("protected %v: %d tasks for 1 message, want %d", protected, y.desired, want)
		}
	}
}

func TestAQueueThatCannotBeRead(t *testing.T) {
	p := Defaults()
	p.Max, p.Queue = 10, &Queue{FinishWithin: 5 * time.Minute, Takes: time.Minute}
	y := newPlay(t, p, 3)
	y.is(3, Unknown)
	y.s.Queue = fleet.Fact[fleet.Backlog]{Is: fleet.Seen, At: t0}
	y.is(3, Settling)
	y.now = t0.Add(time.Hour)
	y.is(3, NoData)
	y.p.Queue.Fallback = new(6)
	y.is(6, Fallback)
	y.is(6, NoData)
}

// A load that doubles, of which the metric is an average over the tasks: the new tasks are not counted as load.
func TestTracking(t *testing.T) {
	p := Defaults()
	p.Min, p.Max, p.Tracking = 1, 100, &Tracking{Metric: fleet.Metric{Name: "rps", Period: 10 * time.Second}, Target: 10, PerTask: true}
	y := newPlay(t, p, 10)
	load := 100.0
	point := func(tasks int) {
		y.s.Tracking = fleet.Fact[fleet.Datapoint]{Is: fleet.Seen, At: y.now,
			Value: fleet.Datapoint{From: y.now.Add(-20 * time.Second), Value: load / float64(tasks)}}
	}
	for ; y.now.Before(t0.Add(time.Minute)); y.now = y.now.Add(10 * time.Second) {
		point(10)
		y.is(10, Steady)
	}
	load = 200
	point(10)
	y.is(20, TrackOut)
	y.now = y.now.Add(10 * time.Second)
	point(10) // of before the new tasks
	y.is(20, Steady)
	load = 50
	for end := y.now.Add(5*time.Minute + 30*time.Second); y.now.Before(end); y.now = y.now.Add(10 * time.Second) {
		point(20)
		y.decide()
	}
	if y.desired != 5 || y.calls != 2 {
		t.Errorf("desired %d after %d calls", y.desired, y.calls)
	}
	load = 20
	y.now = y.now.Add(time.Hour)
	y.is(5, NoData)
}

// How long a message takes is measured also while none waits: otherwise a service that has grown too far would stay so.
func TestTheRateIsMeasuredWhileNoMessageWaits(t *testing.T) {
	p := Defaults()
	p.Max, p.Queue = 40, &Queue{URL: "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs", FinishWithin: 5 * time.Minute}
	var m Memory
	begin := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for at := time.Duration(0); at < 12*time.Minute; at += 15 * time.Second {
		now := begin.Add(at)
		s := Seen{
			Desired: fleet.Fact[int]{Is: fleet.Seen, At: now, Value: 40},
			Service: fleet.Fact[fleet.Service]{Is: fleet.Seen, At: now, Value: fleet.Service{Running: 40}},
			Queue:   fleet.Fact[fleet.Backlog]{Is: fleet.Seen, At: now, Value: fleet.Backlog{InFlight: 10}}, Other: fleet.Fact[fleet.Scaler]{Is: fleet.Absent},
		}
		if at >= 2*time.Minute {
			s.Deleted = fleet.Fact[fleet.Datapoint]{Is: fleet.Seen, At: now, Value: fleet.Datapoint{From: now.Truncate(time.Minute).Add(-2 * time.Minute), Value: 150}}
		}
		m = Decide(p, m, s, now).Memory
	}
	if got := m.Queue.Rate; got < 0.24 || got > 0.26 { // 10 tasks work, and 150 messages are done in a minute
		t.Errorf("a task works off %.3f messages a second, want 0.25", got)
	}
}

// After a step in the metric of each task is higher before it is seen that fewer run. That is no load.
func TestAStepInIsNotTakenBack(t *testing.T) {
	p := Defaults()
	p.Max, p.Tracking = 40, &Tracking{Metric: fleet.Metric{Name: "PerTask", Period: 10 * time.Second}, Target: 6, PerTask: true}
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	m := Memory{Changed: now.Add(-20 * time.Second), To: 4, Load: Load{Ran: []Ran{{now.Add(-time.Hour), 14}}}}
	s := Seen{
		Other:    fleet.Fact[fleet.Scaler]{Is: fleet.Absent},
		Desired:  fleet.Fact[int]{Is: fleet.Seen, At: now, Value: 4},
		Service:  fleet.Fact[fleet.Service]{Is: fleet.Seen, At: now.Add(-21 * time.Second), Value: fleet.Service{Running: 14}},
		Tracking: fleet.Fact[fleet.Datapoint]{Is: fleet.Seen, At: now, Value: fleet.Datapoint{From: now.Add(-12 * time.Second), Value: 5}},
	}
	if d := Decide(p, m, s, now); d.Set {
		t.Errorf("20 s after the step to 4: set to %d: %s", d.To, d.Why)
	}
	m.Changed, m.Lost = now.Add(-20*time.Second), 14 // somebody else has lowered it
	if d := Decide(p, m, s, now); !d.Set {
		t.Errorf("what somebody else has lowered: %s", d.Why)
	}
}
