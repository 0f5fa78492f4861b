package kernel

import (
	"time"

	"github.com/ebbhq/ebb/internal/plan"
)

// Rate is a token bucket: calls at once, and calls per second.
type Rate struct{ Burst, PerSecond float64 }

// Rates is how many calls Ebb allows itself; a missing bucket takes the default.
type Rates map[plan.Bucket]Rate

// defaults keep half of the limits that AWS publishes and leave half to others; of the reads of ECS, of which a drain needs the most, they
// keep three quarters. Those of reads of ELB are 40 at once and 10 a second, and ECS's own calls do not count.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
// The limits of Auto Scaling, EC2, Cloud Map and VPC Lattice are not published: these are guesses on the careful side.
var defaults = [...]struct {
	bucket plan.Bucket
	rate   Rate
}{
	{plan.AutoScaling, Rate{50, 5}}, {plan.ECSRead, Rate{75, 15}}, {plan.ECSModify, Rate{50, 20}}, {plan.ECSServices, Rate{25, 2.5}},
	{plan.ELB, Rate{40, 10}}, {plan.EC2, Rate{20, 5}}, {plan.CloudMap, Rate{20, 5}}, {plan.Lattice, Rate{20, 5}},
	// DescribeAlarms has 9 a second; SQS has no limit for standard queues.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
	{plan.CloudWatch, Rate{10, 4}}, {plan.Queues, Rate{100, 50}}, {plan.AppScaling, Rate{5, 1}}, {plan.Endpoints, Rate{50, 20}},
}

// tokens is the state of one bucket. Throttling empties it and closes it for a while, longer each time in a row.
type tokens struct {
	rate   Rate
	have   float64
	at     time.Time
	paused time.Time
	hits   int
}

// rates keeps two buckets for each API, one for what acts and one for what looks, so that neither can starve the other: many
// heartbeats would leave no call to see what becomes of their instances. Where both draw on the same API each gets half.
//
// Urgent calls have no bucket until AWS throttles one. Then they are sent at a pace that rises with what AWS takes and falls with what it
// throttles, so that a thousand answers are not each tried a hundred times.
type rates struct {
	acting, looking map[plan.Bucket]*tokens
	urgent          [plan.Answering + 1]pace // by priority: heartbeats that are throttled must not hold up the answers
}

// pace is calls per second, found by trying. A rate of zero means unlimited.
type pace struct {
	tokens
	fell time.Time // when it was last lowered
}

const (
	firstPace  = 20.0
	lowestPace = 10.0
	freePace   = 100.0 // above it there is no limit any more
)

func newRates(b Rates) *rates {
	l := &rates{acting: map[plan.Bucket]*tokens{}, looking: map[plan.Bucket]*tokens{}}
	for _, d := range defaults {
		r, ok := b[d.bucket]
		if !ok {
			r = d.rate
		}
		if d.bucket == plan.AutoScaling || d.bucket == plan.ELB {
			r = Rate{r.Burst / 2, r.PerSecond / 2}
		}
		l.acting[d.bucket] = &tokens{rate: r, have: r.Burst}
		l.looking[d.bucket] = &tokens{rate: r, have: r.Burst}
	}
	return l
}

func (l *rates) of(b plan.Bucket, p plan.Priority) *tokens {
	if p == plan.Looking {
		return l.looking[b]
	}
	return l.acting[b]
}

func (t *tokens) refill(now time.Time) {
	if now.After(t.at) {
		t.have = min(t.rate.Burst, t.have+now.Sub(t.at).Seconds()*t.rate.PerSecond)
	}
	t.at = now
}

// take spends calls if the bucket has them, or is full. Urgent calls are limited by AWS alone: a heartbeat that is not sent loses a hook,
// and only AWS knows how many it accepts.
func (l *rates) take(b plan.Bucket, calls float64, p plan.Priority, now time.Time) bool {
	if p <= plan.Answering {
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

// spares reports whether more than half of the looks that may be made at once are left.
func (l *rates) spares(b plan.Bucket, now time.Time) bool {
	t := l.looking[b]
	t.refill(now)
	return t.have > t.rate.Burst/2
}

// settle corrects an estimate by what was really sent, and reacts to throttling.
func (l *rates) settle(b plan.Bucket, p plan.Priority, extra int, fail *plan.Failure, now time.Time) {
	throttled := fail != nil && fail.Class == plan.Throttled
	if p <= plan.Answering {
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

// settle raises the pace when a call was accepted, and lowers it when one was throttled, but only once a second: calls that were sent
// together are throttled together.
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
