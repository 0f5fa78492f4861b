package story

import (
	"fmt"
	"time"
)

// byLoad is invariant 9 of a service that follows a queue or a metric: no task is taken away while messages are in flight and nothing says which are
// idle, or while there is no metric; and none is added that the metric does not ask for.
func byLoad(p *past, c *countPast, s Scaled, name string, was, to int) {
	late := 2*time.Minute + p.handOver()
	if s.Metric != nil {
		late = 12*time.Minute + p.handOver()
	}
	n, least, most := 0, 0, 0
	for _, x := range c.load {
		if p.now.Sub(x.at) > late {
			continue
		}
		if n++; n == 1 {
			least = x.n
		}
		least, most = min(least, x.n), max(most, x.n)
	}
	switch {
	case len(c.load) == 0: // nobody but its tasks publishes the metric
	case s.Queue != "" && !s.Protected && to < was && n > 3 && least > 0:
		p.blame(9, "Ebb lowered %s from %d to %d, and at least %d messages were in flight for %s", name, was, to, least, late)
	case s.Metric != nil && to < was && n == 0:
		p.blame(9, "Ebb lowered %s from %d to %d, and its metric had no data for %s", name, was, to, late)
	case s.Metric != nil && to > was && float64(most) <= s.Target*float64(was):
		p.blame(9, "Ebb raised %s from %d to %d, and its metric was at most %d for %s", name, was, to, most, late)
	}
}

// windowed are the bounds of a service by its windows in a time, by whatever clock of an Ebb: the widest, or those that hold at every moment of it.
func (p *past) windowed(s Scaled, from, to time.Time, widest bool) (lo, hi int) {
	from, to = from.Add(-p.Ebb.Skew), to.Add(p.Ebb.Skew)
	lo, hi = s.at(to)
	for at := from; at.Before(to); at = at.Add(5 * time.Second) {
		l, h := s.at(at)
		if widest {
			lo, hi = min(lo, l), max(hi, h)
		} else {
			lo, hi = max(lo, l), min(hi, h)
		}
	}
	return lo, hi
}

// at are the bounds of a service at a time, by its windows. One that does not begin each day at one time of UTC may be open or not.
func (s Scaled) at(t time.Time) (lo, hi int) {
	lo, hi = s.Min, s.Max
	for _, w := range s.Windows {
		var minute, hour int
		_, err := fmt.Sscanf(w.Start, "%d %d * * *", &minute, &hour)
		begin := time.Date(t.Year(), t.Month(), t.Day(), hour, minute, 0, 0, time.UTC)
		known := err == nil && w.Timezone == "UTC"
		if known && (t.Before(begin) || !t.Before(begin.Add(w.For))) {
			continue
		}
		was, most := lo, hi
		if w.Min != nil {
			lo, hi = *w.Min, max(hi, *w.Min)
		}
		if w.Max != nil {
			lo, hi = min(lo, *w.Max), *w.Max
		}
		if !known {
			lo, hi = min(lo, was), max(hi, most)
		}
	}
	return lo, hi
}

// bounds are the widest bounds of a service in the time that Ebb may not know better, and whether its scaling was paused for all of it.
func boundsOf(p *past, s Scaled, name string, lag time.Duration) (lo, hi int, held bool) {
	lo, hi = p.windowed(s, p.now.Add(-lag), p.now, true)
	for _, o := range overridesOf(p, name) {
		if o.Since.After(p.now) || o.Until.Add(lag).Before(p.now) {
			continue
		}
		always := !o.Since.Add(lag).After(p.now) && o.Until.After(p.now)
		held = held || o.Hold && always
		if o.Min != nil {
			lo, hi = min(lo, *o.Min), max(hi, *o.Min)
		}
		if o.Max != nil {
			lo, hi = min(lo, *o.Max), max(hi, *o.Max)
		}
	}
	return lo, hi, held
}
