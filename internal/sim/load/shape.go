package load

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Shape is how many requests or messages arrive in a second, from the beginning of a load on: base and all parts together, or a trace, or
// one of the synthetic loads.
type Shape struct {
	Base  float64 `yaml:"base,omitempty"`
	Parts []Part  `yaml:"parts,omitempty"`
	Noise int     `yaml:"noise,omitempty"` // percent by which each second may be more or less
	Seed  uint64  `yaml:"seed,omitempty"`  // of the noise, and of a synthetic load
	Trace []Point `yaml:"trace,omitempty"` // instead of base and parts
	CSV   string  `yaml:"csv,omitempty"`   // a trace as ReadTrace takes it
	Name  string  `yaml:"shape,omitempty"` // diurnal, steps, ramp, flash or on-off: see Shapes
	Peak  float64 `yaml:"peak,omitempty"`  // of it, per second
}

// resolved is the shape of a name or a text, checked.
func (s Shape) resolved() (Shape, error) {
	var err error
	switch {
	case s.Name != "" && s.CSV != "":
		err = errors.New("it has shape and csv; one of them says all")
	case s.Name != "":
		known, ok := Shapes(s.Peak, s.Seed)[s.Name]
		if s = known; !ok {
			err = errors.New("the shape must be diurnal, steps, ramp, flash or on-off")
		}
	case s.CSV != "":
		s, err = ReadTrace(s.CSV)
	}
	if err == nil {
		err = s.Check()
	}
	return s, err
}

// Part is what comes and goes: a block that rises, lasts and falls, or a wave. Either may come again and again.
type Part struct {
	Wave  bool          `yaml:"wave,omitempty"`  // it swells evenly from nothing to By and back, in Every
	By    float64       `yaml:"by,omitempty"`    // per second, at most
	At    time.Duration `yaml:"at,omitempty"`    // when it begins
	Rise  time.Duration `yaml:"rise,omitempty"`  // of a block: until it has grown to By
	For   time.Duration `yaml:"for,omitempty"`   // of a block: how long it stays so; 0: for ever
	Fall  time.Duration `yaml:"fall,omitempty"`  // of a block: until it is over
	Every time.Duration `yaml:"every,omitempty"` // until it begins again; 0: once, and of a wave 24h
}

// Point is a rate per second from a time on, until the next point.
type Point struct {
	At   time.Duration `yaml:"at"`
	Rate float64       `yaml:"rate"`
}

// Check says what is wrong with a shape.
func (s Shape) Check() error {
	if len(s.Trace) > 0 && (len(s.Parts) > 0 || s.Base != 0) {
		return errors.New("it has a trace, and base or parts: a trace says all")
	}
	bad := func(v float64) bool { return math.IsNaN(v) || v < -1e9 || v > 1e9 }
	if bad(s.Base) || s.Noise < 0 || s.Noise > 100 {
		return fmt.Errorf("base is %v and noise %d; base must be a number, and noise from 0 to 100 percent", s.Base, s.Noise)
	}
	for i, p := range s.Parts {
		if bad(p.By) || min(p.At, p.Rise, p.For, p.Fall, p.Every) < 0 || p.Fall > 0 && p.For == 0 && p.Rise == 0 {
			return fmt.Errorf("part %d: by must be a number, no time negative, and a block that falls needs rise or for", i+1)
		}
	}
	for i, p := range s.Trace {
		if bad(p.Rate) || p.At < 0 || i > 0 && p.At <= s.Trace[i-1].At {
			return fmt.Errorf("point %d of the trace: rates must be numbers, and times rise", i+1)
		}
	}
	return nil
}

// At is the rate a time after the beginning; never below zero.
func (s Shape) At(t time.Duration) float64 {
	rate := s.Base
	for _, p := range s.Parts {
		rate += p.at(t)
	}
	if i := sort.Search(len(s.Trace), func(i int) bool { return s.Trace[i].At > t }); i > 0 {
		rate = s.Trace[i-1].Rate
	}
	if s.Noise > 0 {
		roll := float64(core.Mix(core.Mix(s.Seed)^uint64(t/time.Second))%2001)/1000 - 1
		rate *= 1 + roll*float64(s.Noise)/100
	}
	return max(rate, 0)
}

func (p Part) at(t time.Duration) float64 {
	if t -= p.At; t < 0 {
		return 0
	}
	every := p.Every
	if p.Wave && every == 0 {
		every = 24 * time.Hour
	}
	if every > 0 {
		t %= every
	}
	switch last := p.Rise + p.For; {
	case p.Wave:
		return p.By * (1 - math.Cos(2*math.Pi*t.Seconds()/every.Seconds())) / 2
	case t < p.Rise:
		return p.By * t.Seconds() / p.Rise.Seconds()
	case p.For == 0 && p.Fall == 0 || t < last:
		return p.By
	case t < last+p.Fall:
		return p.By * (last + p.Fall - t).Seconds() / p.Fall.Seconds()
	}
	return 0
}

// Shapes are the synthetic loads by their names, for a peak per second: over a day with its night, with steps at random times, a ramp, a flash
// crowd, and a queue that is filled for ten minutes every half hour.
func Shapes(peak float64, seed uint64) map[string]Shape {
	day := Shape{Base: peak / 6, Parts: []Part{{Wave: true, By: peak * 5 / 6}}, Noise: 5, Seed: seed}
	steps := Shape{Base: peak / 6, Noise: 5, Seed: seed}
	for at, i := time.Duration(0), uint64(0); at < 3*24*time.Hour; i++ {
		wait := -math.Log(float64(core.Mix(core.Mix(seed)^i)%1_000_000+1)/1_000_001) * 40 * 60 // 40 minutes in the mean
		at += 10*time.Minute + time.Duration(wait)*time.Second
		high := float64(core.Mix(core.Mix(seed+1)^i)%1000) / 1000
		steps.Parts = append(steps.Parts, Part{At: at, By: peak * 5 / 6 * high, For: 10 * time.Minute})
	}
	once := func(rise, lasts, fall time.Duration) Shape {
		return Shape{Base: peak / 6, Parts: []Part{{At: 10 * time.Minute, Rise: rise, For: lasts, Fall: fall, By: peak * 5 / 6}}, Noise: 5, Seed: seed}
	}
	return map[string]Shape{
		"diurnal": day,
		"steps":   steps,
		"ramp":    once(30*time.Minute, 30*time.Minute, 30*time.Minute),
		"flash":   once(time.Minute, 20*time.Minute, 10*time.Minute),
		"on-off":  {Parts: []Part{{At: 5 * time.Minute, For: 10 * time.Minute, Every: 30 * time.Minute, By: peak}}},
	}
}

// ReadTrace reads lines of a time and a number: seconds since the beginning, or a time such as 2026-11-21T09:00:00Z; and a rate per second, or,
// if the second column is named count, how many there were until the next line. A first line of names may be left out; # begins a comment.
func ReadTrace(text string) (Shape, error) {
	counts, number := false, 0
	var s Shape
	var first time.Time
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		left, right, _ := strings.Cut(line, ",")
		right = strings.TrimSpace(right)
		rate, err := strconv.ParseFloat(right, 64)
		if err != nil && len(s.Trace) == 0 && !counts && right != "" {
			counts = strings.EqualFold(right, "count")
			continue
		}
		at, ok := when(strings.TrimSpace(left), &first)
		if err != nil || !ok {
			return Shape{}, fmt.Errorf("read the trace: line %d is %q; it must be a time, in seconds or as 2026-11-21T09:00:00Z, a comma, and a number",
				number, line)
		}
		s.Trace = append(s.Trace, Point{at, rate})
	}
	if len(s.Trace) < 2 {
		return Shape{}, errors.New("read the trace: it must have two lines at least")
	}
	if err := s.Check(); err != nil {
		return Shape{}, fmt.Errorf("read the trace: %w", err)
	}
	for i := range s.Trace {
		if counts { // of the last line the time is as long as of the one before
			j := min(i, len(s.Trace)-2)
			s.Trace[i].Rate /= (s.Trace[j+1].At - s.Trace[j].At).Seconds()
		}
	}
	return s, nil
}

// when is how long after the first time of a trace another is.
func when(text string, first *time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	t, err := time.Parse(time.RFC3339, text)
	if first.IsZero() {
		*first = t
	}
	return t.Sub(*first), err == nil
}
