package wire

import (
	"context"
	"time"
)

// tick is the longest that the world stands still while its clock runs.
const tick = 50 * time.Millisecond

// Clock drives a world by real time: the world's second is 1/Speed of a real one.
type Clock struct {
	api   *API
	speed float64
	real  time.Time // of the start
	world time.Time // of the start
}

// NewClock makes the clock of an API's world; it goes from now on. Speed 0: the world is paused, and POST /_sim/advance moves it.
func NewClock(a *API, speed float64) *Clock {
	defer a.lock()()
	c := &Clock{api: a, speed: speed, real: time.Now(), world: a.World.Now()}
	a.clock = c
	return c
}

// Run moves the world until ctx is done: at each change that is due, and at least every 50 ms.
func (c *Clock) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(c.step())
		}
	}
}

// step moves the world to now and returns how long, in real time, until the next step.
func (c *Clock) step() time.Duration {
	defer c.api.lock()()
	c.CatchUp()
	c.api.wake()
	due, ok := c.api.World.Next()
	if !ok || c.speed <= 0 {
		return tick
	}
	until := time.Duration(float64(due.Sub(c.api.World.Now())) / c.speed)
	return min(tick, max(until, time.Millisecond))
}

// CatchUp moves the world to now. The world must be locked.
func (c *Clock) CatchUp() {
	if c.speed <= 0 {
		return
	}
	if now := c.At(time.Now()); now.After(c.api.World.Now()) {
		c.api.World.Advance(now)
	}
}

// At is the world's time at a real one.
func (c *Clock) At(real time.Time) time.Time {
	return c.world.Add(time.Duration(float64(real.Sub(c.real)) * c.speed))
}
