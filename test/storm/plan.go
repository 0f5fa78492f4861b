package main

import (
	"math/rand/v2"
	"time"
)

// deed is what happens to a serve.
type deed int

const (
	killed deed = iota // SIGKILL
	ended              // SIGTERM
	paused             // SIGSTOP, later SIGCONT
)

// lot is the fate of one life of a serve. The times are the world's.
type lot struct {
	after time.Duration // from its start
	deed  deed
	away  time.Duration // until the next start, or until it is resumed
}

// lots draws fates. Lives are often too short to do anything, but after three such lives comes one that is long enough to send
// heartbeats: three times the longest away and the longest short life is less than the shortest heartbeat time-out.
type lots struct {
	dice   *rand.Rand
	shorts int
}

const (
	shortLife = 10 * time.Second
	longLife  = 20 * time.Second // at least; at most twice as long
	longAway  = time.Minute
	maxShorts = 3
)

func (l *lots) draw() lot {
	f := lot{after: longLife + l.upTo(longLife)}
	if l.shorts < maxShorts && l.dice.IntN(2) == 0 {
		f.after = l.upTo(shortLife)
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
		f.away = l.upTo(longAway)
	}
	return f
}

func (l *lots) upTo(d time.Duration) time.Duration {
	return time.Duration(l.dice.Int64N(int64(d/time.Millisecond))) * time.Millisecond
}
