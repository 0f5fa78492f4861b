package loadtest

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Load is a stream of requests that does not wait for answers: they come by chance (Poisson), PerSecond in the mean, or evenly, and most take
// Quick, some Slow. The same seed gives the same requests at the same times.
type Load struct {
	Seed        uint64
	Evenly      bool
	PerSecond   float64
	SlowPercent float64
	Quick, Slow time.Duration
	Times       func(at time.Duration) float64 // PerSecond is so many times as much, at a time since the start; nil: once
}

// most is how many requests of one client may be open. A machine that cannot keep up sends later, and does not fall over.
const most = 1000

// request is one request of a load.
type request struct {
	at   time.Duration // since the start
	take time.Duration // how long the answer takes
	slow bool
}

// requests returns the load's requests one after the other.
func (l Load) requests() func() request {
	chance := rand.New(rand.NewPCG(l.Seed, l.Seed))
	var at time.Duration
	return func() request {
		pause := float64(time.Second) / l.PerSecond
		if l.Times != nil {
			pause /= l.Times(at)
		}
		if !l.Evenly {
			pause *= -math.Log(1 - chance.Float64())
		}
		at += time.Duration(pause)
		if chance.Float64()*100 < l.SlowPercent {
			return request{at, l.Slow, true}
		}
		return request{at, l.Quick, false}
	}
}

// Run sends the load, each request once by every client, until stop is closed, and returns when all are answered or ctx has ended.
func (l Load) Run(ctx context.Context, stop <-chan struct{}, clients ...*Client) {
	var sent sync.WaitGroup
	defer sent.Wait()
	next, start := l.requests(), time.Now()
	for {
		r := next()
		due := start.Add(r.at)
		select {
		case <-ctx.Done():
			return
		case <-stop:
			return
		case <-time.After(time.Until(due)):
		}
		for _, c := range clients {
			select {
			case <-ctx.Done():
				return
			case c.slots <- struct{}{}:
			}
			sent.Go(func() {
				defer func() { <-c.slots }()
				c.send(ctx, r, due)
			})
		}
	}
}
