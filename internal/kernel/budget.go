package kernel

import (
	"time"

	"github.com/ebbhq/ebb/internal/plan"
)

// Bucket is an API whose calls AWS limits together.
type Bucket string

// The buckets. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
const (
	AutoScaling Bucket = "autoscaling"
	ECSRead     Bucket = "ecs-read"
	ECSModify   Bucket = "ecs-modify"
	ELB         Bucket = "elb"
	EC2         Bucket = "ec2"
)

// Rate is a token bucket: calls at once, and calls per second.
type Rate struct{ Burst, PerSecond float64 }

// Rates is how many calls Ebb allows itself; a missing bucket takes the default.
type Rates map[Bucket]Rate

// defaults leave a part of AWS's own limits to others: half, and a quarter of the reads of ECS, of which a drain needs the most. Those of Auto Scaling, ELB and EC2 are not published and are guesses on the
// careful side.
var defaults = [...]struct {
	bucket Bucket
	rate   Rate
}{
	{AutoScaling, Rate{50, 5}}, {ECSRead, Rate{75, 15}}, {ECSModify, Rate{50, 20}}, {ELB, Rate{20, 5}}, {EC2, Rate{20, 5}},
}

// tokens is the state of one bucket. Throttling empties it and holds it for a while, longer each time in a row.
type tokens struct {
	rate   Rate
	have   float64
	at     time.Time
	paused time.Time
	hits   int
}

// ledger keeps two buckets for each API, one for what acts and one for what looks, so that neither can starve the other: many
// heartbeats would leave no call to see what becomes of their instances. Where both draw on the same API each gets half.
//
// Urgent calls have no bucket until AWS throttles one. Then they are sent at a pace that rises with what AWS takes and falls with what it
// throttles, so that a thousand answers do not knock a hundred times each.
type ledger struct {
	acting, looking map[Bucket]*tokens
	urgent          [answering + 1]pace // by priority: heartbeats that are throttled must not hold up the answers
}

// pace is calls per second, found by trying. Zero: as many as come.
type pace struct {
	tokens
	fell time.Time // when it was last lowered
}

const (
	firstPace  = 20.0
	lowestPace = 10.0
	freePace   = 100.0 // above it there is no limit any more
)

func newLedger(b Rates) *ledger {
	l := &ledger{acting: map[Bucket]*tokens{}, looking: map[Bucket]*tokens{}}
	for _, d := range defaults {
		r, ok := b[d.bucket]
		if !ok {
			r = d.rate
		}
		if d.bucket == AutoScaling || d.bucket == ELB {
			r = Rate{r.Burst / 2, r.PerSecond / 2}
		}
		l.acting[d.bucket] = &tokens{rate: r, have: r.Burst}
		l.looking[d.bucket] = &tokens{rate: r, have: r.Burst}
	}
	return l
}

func (l *ledger) of(b Bucket, p priority) *tokens {
	if p == looking {
		return l.looking[b]
	}
	return l.acting[b]
}

func (t *tokens) refill(now time.Time) {
	if !t.at.IsZero() && now.After(t.at) {
		t.have = min(t.rate.Burst, t.have+now.Sub(t.at).Seconds()*t.rate.PerSecond)
	}
	t.at = now
}

// take spends calls if the bucket has them, or is full. Urgent calls are limited by AWS alone: a heartbeat that is not sent is a hook that
// is lost, and how many AWS takes only AWS knows.
func (l *ledger) take(b Bucket, calls float64, p priority, now time.Time) bool {
	if p <= answering {
		return l.urgent[p].take(now)
	}
	t := l.of(b, p)
	t.refill(now)
	if t.have < calls && t.have < t.rate.Burst || now.Before(t.paused) {
		return false
	}
	t.have -= calls
	return true
}

// settle corrects an estimate by what was really sent, and reacts to throttling.
func (l *ledger) settle(b Bucket, p priority, extra int, fail *plan.Failure, now time.Time) {
	throttled := fail != nil && fail.Class == plan.Throttled
	if p <= answering {
		l.urgent[p].settle(throttled, now)
		return
	}
	t := l.of(b, p)
	t.refill(now)
	t.have -= float64(extra)
	if !throttled {
		t.hits = 0
		return
	}
	t.hits++
	t.have = min(t.have, 0)
	t.paused = now.Add(min(time.Duration(t.hits)*time.Second, 10*time.Second))
}

func (p *pace) take(now time.Time) bool {
	if p.rate.PerSecond == 0 {
		return true
	}
	p.refill(now)
	if p.have < 1 {
		return false
	}
	p.have--
	return true
}

// settle raises the pace by what was taken, and lowers it by what was throttled, once a second at most: what was sent at the same time is
// throttled at the same time.
func (p *pace) settle(throttled bool, now time.Time) {
	r := p.rate.PerSecond
	switch {
	case r == 0 && !throttled:
		return
	case r == 0:
		r, p.fell, p.have = firstPace, now, 0
	case !throttled:
		r += 0.25
	case now.Sub(p.fell) >= time.Second:
		r, p.fell = max(lowestPace, 0.8*r), now
	}
	if r > freePace {
		r = 0
	}
	p.refill(now)
	p.rate = Rate{Burst: max(1, r), PerSecond: r}
}

// patience is how long to wait before trying again what the budget did not allow.
func (l *ledger) patience(time.Time) time.Duration { return Moment }

// priority is the order in which calls get their share.
type priority int

const (
	urgent    priority = iota // heartbeats about to be late
	answering                 // answers
	draining                  // other heartbeats, and what takes instances out of service
	looking                   // everything that only looks
)

func priorityOf(a plan.Action) priority {
	switch {
	case a.Kind == plan.Beat && a.Expiring:
		return urgent
	case a.Kind == plan.Answer:
		return answering
	}
	return draining
}

func bucketOf(k plan.ActionKind) Bucket {
	switch k {
	case plan.SetDraining:
		return ECSModify
	case plan.Deregister:
		return ELB
	}
	return AutoScaling
}

func lookBucket(k plan.LookKind) Bucket {
	switch k {
	case plan.Groups, plan.Hooks, plan.GroupInstances, plan.Activities:
		return AutoScaling
	case plan.Targets, plan.Delays:
		return ELB
	case plan.Instances:
		return EC2
	}
	return ECSRead
}

// estimate is how many calls a look is likely to cost.
func estimate(l plan.Look) int {
	switch l.Kind {
	case plan.ListRunning, plan.ListStopped:
		return len(l.ARNs)
	case plan.FindContainerInstances:
		return 2
	case plan.ListCluster:
		return plan.ListPages
	}
	return 1
}
