// Package core is what all services of the simulated cloud share: the time and the agenda of what is to happen, chance and ids, the record
// of what has happened, who calls, reads that lag, refusals, and the table of operations by which the wire serves a service.
//
// It never knows a service, reads no clock and does no I/O: the same calls at the same times give the same world.
package core

import "time"

// Core is the part of a world that all its services share. It is not safe for concurrent use.
type Core struct {
	Switches
	Account, Region string

	start  time.Time
	now    time.Time
	agenda agenda
	seq    uint64 // of scheduled changes: those of the same time run in the order in which they were scheduled
	seed   uint64
	ids    uint64 // how many random numbers became ids
	rolls  uint64 // how many became chance
	record []Entry
	by     string
	lag    time.Duration

	measure []func()
}

// New makes the core of a world at its start time.
func New(cfg Config) *Core {
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	}
	if cfg.Account == "" {
		cfg.Account = "111122223333"
	}
	if cfg.Region == "" {
		cfg.Region = "eu-west-1"
	}
	return &Core{
		Switches: cfg.Switches, Account: cfg.Account, Region: cfg.Region, start: cfg.Start.UTC(), now: cfg.Start.UTC(), seed: cfg.Seed, by: "aws",
	}
}

// Start is when the world began.
func (c *Core) Start() time.Time { return c.start }

// Now is the time in the world.
func (c *Core) Now() time.Time { return c.now }

// Record is what has happened so far. Callers do not change it.
func (c *Core) Record() []Entry { return c.record }

// Log appends an entry to the record, with the time now, and the caller if the entry names none.
func (c *Core) Log(e Entry) {
	e.At = c.now
	if e.By == "" {
		e.By = c.by
	}
	c.record = append(c.record, e)
}

// SetCaller names who makes the calls that follow; it is written into the record.
func (c *Core) SetCaller(name string) { c.by = name }

// As runs a change that a service of AWS makes under its own name.
func (c *Core) As(name string, f func()) {
	by := c.by
	c.by = name
	defer func() { c.by = by }()
	f()
}

// SetLag makes the reads that follow answer with the state as it was d ago, as eventually consistent reads may; zero is fresh.
// It applies to container instances, tasks, desired counts, instances of groups and target health. What did not exist then is left out.
func (c *Core) SetLag(d time.Duration) { c.lag = d }

// Lagging reports whether reads show the world as it was some time ago.
func (c *Core) Lagging() bool { return c.lag > 0 }

// Fresh runs a read that does not lag: what a write answers with.
func (c *Core) Fresh(read func()) {
	lag := c.lag
	c.lag = 0
	defer func() { c.lag = lag }()
	read()
}

// Then is the time that reads see.
func (c *Core) Then() time.Time { return c.now.Add(-c.lag) }

// Deliver runs a delivery after the usual delay, or as the switches have it: never, late, or twice.
func (c *Core) Deliver(about Entry, send func()) {
	if c.Chance(c.Switches.LostPercent) {
		about.Kind, about.To = EntryMessage, "lost"
		c.Log(about)
		return
	}
	times := 1
	if c.Chance(c.Switches.Duplicate) {
		times = 2
	}
	for range times {
		delay := c.Switches.Notify
		if delay == 0 {
			delay = c.Between(time.Second, 5*time.Second)
		}
		if c.Chance(c.Switches.LatePercent) {
			delay += c.Between(5*time.Second, 10*time.Minute)
		}
		c.After(delay, send)
	}
}
