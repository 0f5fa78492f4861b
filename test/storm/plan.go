package main

import (
	"math/rand/v2"
	"time"
)

// deed is what happens to a serve.
type deed string

const (
	killed deed = "crashed" // SIGKILL
	ended  deed = "ended"   // SIGTERM
	paused deed = "paused"  // SIGSTOP, later SIGCONT
)

// lot is the fate of one life of a serve. The times are the world's.
type lot struct {
	after time.Duration // from its start
	deed  deed
	away  time.Duration // until the next start, or until it is resumed
}

// pace is how long the lives of a serve are, in the world's time.
type pace struct {
	shortLife time.Duration // at most
	longLife  time.Duration // at least; at most twice as long
	longAway  time.Duration // between two lives, or asleep, at most
}

// lots draws fates. Lives are often too short to do anything, but after three such lives comes one that is long enough to send
// heartbeats: three times the longest away and the longest short life is less than the shortest heartbeat timeout.
type lots struct {
	pace
	dice   *rand.Rand
	shorts int
}

const maxShorts = 3

// pace is how long lives are. Where a serve that dies is not known for dead at once, leases count in real time: then the short lives are
// too short to take over a lease, and the long ones are not.
func (o options) pace() pace {
	if o.journal == dynamodbJournal {
		real := func(d time.Duration) time.Duration { return time.Duration(float64(d) * o.speed) }
		return pace{shortLife: real(8 * time.Second), longLife: real(25 * time.Second), longAway: real(20 * time.Second)}
	}
	return pace{shortLife: 10 * time.Second, longLife: 20 * time.Second, longAway: time.Minute}
}

func (l *lots) draw() lot {
	f := lot{after: l.longLife + l.upTo(l.longLife), deed: killed}
	if l.shorts < maxShorts && l.dice.IntN(2) == 0 {
		f.after = l.upTo(l.shortLife)
		l.shorts++
	} else {
		l.shorts = 0
	}
	switch l.dice.IntN(10) {
	case 0:
		f.deed = ended
	case 1:
		f.deed = paused
	}
	if l.dice.IntN(10) < 3 {
		f.away = l.upTo(l.longAway)
	}
	return f
}

func (l *lots) upTo(d time.Duration) time.Duration {
	return time.Duration(l.dice.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}
