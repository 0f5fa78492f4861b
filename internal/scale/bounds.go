package scale

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Window has other bounds from each time that a cron expression names, for a while.
type Window struct {
	start    cron.Schedule
	For      time.Duration
	Min, Max *int // nil: as outside of the window
}

// LongestWindow is how long a window lasts at most.
const LongestWindow = 31 * 24 * time.Hour

// NewWindow reads a cron expression of five fields, in a time zone of the IANA database. The error says what is wrong with either.
func NewWindow(expression, zone string, lasts time.Duration, lo, hi *int) (Window, error) {
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return Window{}, fmt.Errorf("%q is no time zone; write one of the IANA database, such as Europe/Berlin, or UTC", zone)
	}
	s, err := cron.ParseStandard("CRON_TZ=" + zone + " " + expression)
	if err != nil {
		return Window{}, fmt.Errorf("%q is no cron expression; write five fields, such as 0 19 * * 1-5: %w", expression, err)
	}
	if lasts < time.Minute || lasts > LongestWindow {
		return Window{}, fmt.Errorf("a window lasts from 1m to %s, and not %s", LongestWindow, lasts)
	}
	return Window{s, lasts, lo, hi}, nil
}

// open reports whether the window is open, and when that changes; zero: not in five years.
func (w Window) open(now time.Time) (bool, time.Time) {
	begin := w.start.Next(now.Add(-w.For)) // the first that can still be open
	if begin.IsZero() || begin.After(now) {
		return false, begin
	}
	return true, begin.Add(w.For)
}

// bounds are the bounds at this moment: those of the policy, of the windows that are open, and of an operator. The later in this order wins,
// and where a minimum is above a maximum the one that is later said.
func (d *decider) bounds() (lo, hi int) {
	lo, hi = d.Min, d.Max
	lay := func(l, h *int) {
		if l != nil {
			lo, hi = *l, max(hi, *l)
		}
		if h != nil {
			lo, hi = min(lo, *h), *h
		}
	}
	for _, w := range d.Windows {
		open, until := w.open(d.now)
		d.again(until)
		if open {
			lay(w.Min, w.Max)
		}
	}
	lay(d.Override.Min, d.Override.Max)
	return lo, hi
}
