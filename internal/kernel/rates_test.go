package kernel

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/plan"
)

var throttling = &plan.Failure{Class: plan.Throttled}

// The pace of urgent calls is found by trying: free until AWS throttles one, then lower with what is throttled and higher with what is
// taken.
func TestThePaceOfUrgentCalls(t *testing.T) {
	sec := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	type result struct {
		at        float64 // seconds
		throttled bool
		times     int
	}
	tests := []struct {
		name    string
		results []result
		want    float64 // calls a second; 0: free
	}{
		{"free as long as all are taken", []result{{0, false, 1000}}, 0},
		{"the first that is throttled sets it", []result{{0, true, 1}}, firstPace},
		{"those that were sent together count once", []result{{0, true, 50}, {0.9, true, 50}}, firstPace},
		{"a second later it falls", []result{{0, true, 1}, {1, true, 30}}, 0.8 * firstPace},
		{"it has a floor", []result{{0, true, 1}, {1, true, 1}, {2, true, 1}, {3, true, 1}, {4, true, 1}, {5, true, 1}, {6, true, 1}}, lowestPace},
		{"it rises with what is taken", []result{{0, true, 1}, {1, false, 40}}, firstPace + 10},
		{"up to a hundred a second", []result{{0, true, 1}, {1, false, 320}}, freePace},
		{"and is free again", []result{{0, true, 1}, {1, false, 321}}, 0},
		{"throttled once more it begins anew", []result{{0, true, 1}, {1, false, 321}, {2, true, 1}}, firstPace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newRates(nil)
			for _, r := range tt.results {
				var fail *plan.Failure
				if r.throttled {
					fail = throttling
				}
				for range r.times {
					l.settle(plan.AutoScaling, plan.Answering, 0, fail, sec(r.at))
				}
			}
			if got := l.urgent[plan.Answering].rate.PerSecond; got != tt.want {
				t.Errorf("pace %v, want %v", got, tt.want)
			}
			if got := l.urgent[plan.Urgent].rate.PerSecond; got != 0 {
				t.Errorf("heartbeats have the pace %v of the answers", got)
			}
		})
	}
}

// What the pace allows is what is sent: nothing in the moment that was throttled, then as much a second as it says, and not more after a
// rest.
func TestPacedCallsAreSentAtThePace(t *testing.T) {
	l := newRates(nil)
	sent := func(now time.Time) (n int) {
		for range 1000 {
			if l.take(plan.AutoScaling, 1, plan.Answering, now) {
				n++
			}
		}
		return n
	}
	if n := sent(t0); n != 1000 {
		t.Errorf("%d of 1000 sent before anything was throttled", n)
	}
	l.settle(plan.AutoScaling, plan.Answering, 0, throttling, t0)
	for _, x := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Second, firstPace}, {1500 * time.Millisecond, firstPace / 2}, {time.Minute, firstPace}} {
		if n := sent(t0.Add(x.after)); n != x.want {
			t.Errorf("%s after the first throttle %d are sent, want %d", x.after, n, x.want)
		}
	}
	if !l.take(plan.AutoScaling, 1, plan.Urgent, t0.Add(time.Minute)) {
		t.Error("answers that are throttled hold up a heartbeat")
	}
}

// Throttling empties a bucket of looks and holds it, longer each time in a row, and only that one.
func TestThrottledLooksPause(t *testing.T) {
	l := newRates(Rates{plan.ECSRead: {Burst: 10, PerSecond: 10}})
	now := t0
	for i := 1; i <= 12; i++ {
		l.settle(plan.ECSRead, plan.Looking, 0, throttling, now)
		pause := time.Duration(min(i, 10)) * time.Second
		if l.take(plan.ECSRead, 1, plan.Looking, now.Add(pause-time.Millisecond)) {
			t.Errorf("throttled %d times in a row: sent before %s were over", i, pause)
		}
		if now = now.Add(pause); !l.take(plan.ECSRead, 1, plan.Looking, now) {
			t.Errorf("throttled %d times in a row: not sent after %s", i, pause)
		}
	}
	if !l.take(plan.ECSModify, 1, plan.Draining, t0) || !l.take(plan.ECSRead, 10, plan.Draining, t0) {
		t.Error("another bucket is held too")
	}
}

// Each API has as many calls at once, and as many a second, as its rate says; where what acts and what looks share an API, half of them.
func TestHowManyCallsThereAre(t *testing.T) {
	own := Rates{plan.ECSRead: {Burst: 6, PerSecond: 3}, plan.ELB: {Burst: 8, PerSecond: 4}}
	for _, x := range []struct {
		rates         Rates
		bucket        plan.Bucket
		atOnce, later int // calls, at the start and two seconds later
	}{
		{nil, plan.AutoScaling, 25, 5}, {nil, plan.ECSRead, 75, 30}, {nil, plan.ECSModify, 50, 40},
		{nil, plan.ELB, 20, 10}, {nil, plan.EC2, 20, 10},
		{own, plan.ECSRead, 6, 6}, {own, plan.ELB, 4, 4}, {own, plan.EC2, 20, 10}, {own, plan.AutoScaling, 25, 5},
	} {
		for _, p := range []plan.Priority{plan.Draining, plan.Looking} {
			l := newRates(x.rates)
			sent := func(now time.Time) (n int) {
				for n < 1000 && l.take(x.bucket, 1, p, now) {
					n++
				}
				return n
			}
			got := [3]int{sent(t0), sent(t0.Add(2 * time.Second)), sent(t0.Add(time.Hour))}
			if want := [3]int{x.atOnce, x.later, x.atOnce}; got != want {
				t.Errorf("%s, priority %d: at once, after two seconds and after an hour %d calls, want %d", x.bucket, p, got, want)
			}
		}
	}
}

// A look is counted with the calls that it is likely to take, and then with those that it took.
func TestLooksOfSeveralCalls(t *testing.T) {
	type step struct {
		after     time.Duration
		take      float64 // calls; 0: a look comes back
		extra     int     // it took so many more than was thought
		throttled bool
		want      bool
	}
	for name, steps := range map[string][]step{
		"as many as there are": {{0, 4, 0, false, true}, {0, 6, 0, false, true}, {0, 1, 0, false, false}},
		"more than there are":  {{0, 4, 0, false, true}, {0, 7, 0, false, false}},
		"more than there ever are": {
			{0, 25, 0, false, true}, {time.Second, 1, 0, false, false}, {2 * time.Second, 6, 0, false, false}, {2 * time.Second, 5, 0, false, true},
		},
		"but only when it is full":   {{0, 1, 0, false, true}, {0, 25, 0, false, false}},
		"one that took more":         {{0, 1, 0, false, true}, {0, 0, 8, false, true}, {0, 2, 0, false, false}, {0, 1, 0, false, true}},
		"one that took less":         {{0, 5, 0, false, true}, {0, 0, -3, false, true}, {0, 8, 0, false, true}, {0, 1, 0, false, false}},
		"a throttle leaves none":     {{0, 0, 0, true, true}, {time.Second, 10, 0, false, true}, {time.Second, 1, 0, false, false}},
		"nor pays back what is owed": {{0, 0, 15, true, true}, {time.Second, 6, 0, false, false}, {time.Second, 5, 0, false, true}},
		"a success ends a row of them": {
			{0, 0, 0, true, true}, {0, 0, 0, true, true}, {0, 0, 0, false, true}, {0, 0, 0, true, true}, {time.Second, 1, 0, false, true},
		},
		"a clock that is set back":        {{time.Hour, 10, 0, false, true}, {0, 1, 0, false, false}, {time.Second, 10, 0, false, true}},
		"one that comes back before that": {{time.Hour, 1, 0, false, true}, {0, 0, 0, false, true}, {0, 9, 0, false, true}},
	} {
		l := newRates(Rates{plan.ECSRead: {Burst: 10, PerSecond: 10}})
		for i, s := range steps {
			now := t0.Add(s.after)
			switch {
			case s.take > 0:
				if got := l.take(plan.ECSRead, s.take, plan.Looking, now); got != s.want {
					t.Errorf("%s, %d: %v calls are there: %v", name, i, s.take, got)
				}
			case s.throttled:
				l.settle(plan.ECSRead, plan.Looking, s.extra, throttling, now)
			default:
				l.settle(plan.ECSRead, plan.Looking, s.extra, nil, now)
			}
		}
	}
	l := newRates(Rates{plan.ECSRead: {Burst: 20, PerSecond: 10}})
	l.settle(plan.ECSRead, plan.Looking, 0, throttling, t0)
	if now := t0.Add(time.Second); !l.take(plan.ECSRead, 10, plan.Looking, now) || l.take(plan.ECSRead, 1, plan.Looking, now) {
		t.Error("a second after a throttle there are not the calls of one second")
	}
}
