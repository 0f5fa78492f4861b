package load

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// TestShapes: the rate of each kind of part at some times.
func TestShapes(t *testing.T) {
	block := Shape{Base: 2, Parts: []Part{{By: 10, At: time.Minute, Rise: time.Minute, For: 2 * time.Minute, Fall: time.Minute, Every: 10 * time.Minute}}}
	for at, want := range map[string]float64{"0s": 2, "1m": 2, "90s": 7, "2m": 12, "3m59s": 12, "270s": 7, "5m": 2, "9m": 2, "11m30s": 7} {
		d, _ := time.ParseDuration(at)
		if got := block.At(d); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %s: %v, want %v", at, got, want)
		}
	}
	wave := Shape{Parts: []Part{{Wave: true, By: 8}}}
	for hour, want := range map[int]float64{0: 0, 6: 4, 12: 8, 18: 4, 24: 0, 36: 8} {
		if got := wave.At(time.Duration(hour) * time.Hour); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %d h: %v, want %v", hour, got, want)
		}
	}
	step := Shape{Parts: []Part{{By: -5, At: time.Minute}, {By: 3}}}
	if step.At(0) != 3 || step.At(time.Hour) != 0 {
		t.Errorf("a step down: %v, %v", step.At(0), step.At(time.Hour))
	}
	noisy := Shape{Base: 100, Noise: 10, Seed: 3}
	low, high := 1e9, 0.0
	for i := range 1000 {
		v := noisy.At(time.Duration(i) * time.Second)
		low, high = min(low, v), max(high, v)
	}
	if low < 90 || low > 91 || high > 110 || high < 109 {
		t.Errorf("noise from %v to %v", low, high)
	}
	for name, s := range Shapes(100, 7) {
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		most := 0.0
		for at := time.Duration(0); at < 24*time.Hour; at += 10 * time.Second {
			most = max(most, s.At(at))
		}
		if most < 80 || most > 106 && name != "steps" {
			t.Errorf("%s: the peak is %v", name, most)
		}
	}
}

// TestTrace: rates and counts, by seconds or by times.
func TestTrace(t *testing.T) {
	for text, want := range map[string]string{
		"0,1\n60,2.5\n":                                  "1 1 2.5 2.5",
		"time,rate\n0, 1\n60, 3\n":                       "1 1 3 3",
		"# a comment\nsecond,count\n0,60\n60,120\n":      "1 1 2 2",
		"2026-11-21T09:00:00Z,1\n2026-11-21T09:01:00Z,5": "1 1 5 5",
	} {
		s, err := ReadTrace(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := fmt.Sprint(s.At(0), s.At(59*time.Second), s.At(time.Minute), s.At(time.Hour)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "0,1\n", "0,1\n0,2\n", "5,1\n3,2\n", "0,1,2\n", "0,NaN\n60,1\n", "x,1\ny,2\n", "0,1\nx,2\n", "-5,1\n0,2\n", "0,1\n60,abc\n",
		"time\n0,1\n5,2\n"} {
		if s, err := ReadTrace(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, s)
		}
	}
}
