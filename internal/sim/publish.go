package sim

import (
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/sqs"
)

// How long after the end of a period its data show in CloudWatch. AWS promises none of it. The two of ECS are chosen so that target tracking
// takes as long as AWS has measured (363 s and 86 s): see appautoscaling.
const (
	ecsLag     = 118 * time.Second
	ecsFineLag = 6 * time.Second // of services with high resolution metrics
	elbLag     = time.Minute
	sqsLag     = time.Minute
	ownLag     = 2 * time.Second // of the metric of the tasks themselves, which has a resolution of 10 s
)

// ecsFine is the resolution of high resolution metrics, and ownFine that of the tasks' own.
const (
	ecsFine = 20 * time.Second
	ownFine = 10 * time.Second
)

// publisher puts the metrics of the services of a world: at each whole minute, from the first alarm or the first load on.
type publisher struct {
	w      *World
	begun  bool
	before map[string]load.Report // by service, at the last minute
	fine   map[string]load.Report // the same, 20 s ago at most
	own    map[string]load.Report // the same, 10 s ago at most
}

// Begin lets the services publish from now on.
func (p *publisher) Begin() {
	if p.begun {
		return
	}
	p.begun = true
	var turn func()
	turn = func() {
		p.publish()
		p.w.After(p.every(), turn)
	}
	p.w.At(p.w.Now().Truncate(time.Minute).Add(time.Minute), turn)
}

// every is how often somebody publishes.
func (p *publisher) every() time.Duration {
	every := time.Minute
	for _, l := range p.w.Loads() {
		if l.Fine {
			every = min(every, ecsFine)
		}
		if l.Namespace != "" {
			every = ownFine
		}
	}
	return every
}

func (p *publisher) publish() {
	at := func(every time.Duration) bool { return p.w.Now().Truncate(every).Equal(p.w.Now()) }
	whole := at(time.Minute)
	for _, l := range p.w.Loads() {
		now, _ := p.w.LoadReport(l.Service)
		if l.Namespace != "" {
			p.tasks(l, difference(now, p.own[l.Service]))
			p.own[l.Service] = now
		}
		if l.Fine && at(ecsFine) {
			p.service(l, difference(now, p.fine[l.Service]), ecsFine, ecsFineLag)
			p.fine[l.Service] = now
		}
		if !whole {
			continue
		}
		minute := difference(now, p.before[l.Service])
		p.before[l.Service] = now
		if !l.Fine {
			p.service(l, minute, time.Minute, ecsLag)
		}
		if l.TargetGroup != "" {
			p.targets(l, minute)
		}
		if l.Queue != "" {
			p.flow(l, minute)
		}
		if l.Protects {
			p.w.Recheck(l.Cluster, l.Service)
		}
	}
	if whole {
		for _, q := range p.w.Queues() {
			p.queue(q)
		}
	}
}

// difference is what came between two reports.
func difference(now, before load.Report) load.Report {
	now.Arrived, now.Done, now.Unserved = now.Arrived-before.Arrived, now.Done-before.Done, now.Unserved-before.Unserved
	now.Busy, now.Queued, now.Routed, now.Taken = now.Busy-before.Busy, now.Queued-before.Queued, now.Routed-before.Routed, now.Taken-before.Taken
	now.TaskTime -= before.TaskTime
	return now
}

// put puts data of the period that has just ended, when they are due.
func (p *publisher) put(lag, period time.Duration, namespace, name string, dimensions map[string]string, set cloudwatch.Set) {
	d := cloudwatch.Datum{Metric: cloudwatch.Metric{Namespace: namespace, Name: name, Dimensions: dimensions}, At: p.w.Now().Add(-period), Set: &set,
		Fine: period < time.Minute}
	p.w.After(lag, func() {
		if err := p.w.PutMetric(d); err != nil {
			panic("sim: a service publishes what CloudWatch refuses: " + err.Error())
		}
	})
}

// each is a set of n equal values.
func each(value, n float64) cloudwatch.Set {
	return cloudwatch.Set{Count: n, Sum: value * n, Min: value, Max: value}
}

// service publishes CPU and memory: a value for each task that ran. Without any there are no data.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
func (p *publisher) service(l load.Spec, r load.Report, period, lag time.Duration) {
	dimensions := map[string]string{"ClusterName": l.Cluster, "ServiceName": l.Service}
	tasks := r.TaskTime.Seconds() / period.Seconds()
	if tasks > 0 {
		p.put(lag, period, "AWS/ECS", "CPUUtilization", dimensions, each(100*r.Busy/r.TaskTime.Seconds(), tasks))
		if l.Memory > 0 {
			p.put(lag, period, "AWS/ECS", "MemoryUtilization", dimensions, each(l.Memory, tasks))
		}
	}
	p.put(lag, period, "ECS/ContainerInsights", "RunningTaskCount", dimensions, each(tasks, 1))
}

// tasks publishes what the tasks count themselves: how many requests or messages come to each of them in a second. Without any there are no data.
func (p *publisher) tasks(l load.Spec, r load.Report) {
	if tasks := r.TaskTime.Seconds() / ownFine.Seconds(); tasks > 0 {
		p.put(ownLag, ownFine, l.Namespace, "PerTask", map[string]string{"Service": l.Service}, each(r.Arrived/r.TaskTime.Seconds(), tasks))
	}
}

// targets publishes what a load balancer measures, while there are requests.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func (p *publisher) targets(l load.Spec, r load.Report) {
	if r.Arrived == 0 {
		return
	}
	balancer, group := elbNames(l)
	both := map[string]string{"LoadBalancer": balancer, "TargetGroup": group}
	put := func(name string, dimensions map[string]string, set cloudwatch.Set) {
		p.put(elbLag, time.Minute, "AWS/ApplicationELB", name, dimensions, set)
	}
	count := cloudwatch.Set{Count: r.Arrived, Sum: r.Arrived, Min: 1, Max: 1}
	put("RequestCount", both, count)
	put("RequestCount", map[string]string{"LoadBalancer": balancer}, count)
	if healthy := r.Routed / 60; healthy > 0 {
		put("RequestCountPerTarget", map[string]string{"TargetGroup": group}, each(r.Arrived/healthy, 1))
		put("RequestCountPerTarget", both, each(r.Arrived/healthy, 1))
		put("HealthyHostCount", both, each(healthy, 1))
	}
	if r.Done > 0 {
		put("TargetResponseTime", both, each(l.Base.Seconds()+r.Queued/r.Done, r.Done))
	}
	if r.Unserved > 0 {
		put("HTTPCode_ELB_5XX_Count", both, cloudwatch.Set{Count: r.Unserved, Sum: r.Unserved, Min: 1, Max: 1})
	}
}

// elbNames are the values of the dimensions LoadBalancer and TargetGroup. The simulated cloud has no load balancers: each service has one in name.
func elbNames(l load.Spec) (balancer, group string) {
	return "app/" + l.Service + "/50dc6c495c0c9188", l.TargetGroup[strings.LastIndex(l.TargetGroup, ":")+1:]
}

// flow publishes what has gone into a queue and out of it.
func (p *publisher) flow(l load.Spec, r load.Report) {
	q, err := p.w.Queue(l.Queue)
	if err != nil {
		return
	}
	if r.Arrived > 0 || r.TaskTime > 0 { // tasks ask for messages
		q.Touched = p.w.Now()
	}
	if !p.active(q) {
		return
	}
	for name, n := range map[string]float64{ //ebb:any-order each is a metric of its own
		"NumberOfMessagesSent": r.Arrived, "NumberOfMessagesReceived": r.Taken, "NumberOfMessagesDeleted": r.Done,
	} {
		p.put(sqsLag, time.Minute, "AWS/SQS", name, map[string]string{"QueueName": l.Queue}, each(n, 1))
	}
}

// active reports whether SQS publishes metrics of a queue: for six hours after somebody last used it, or it had messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func (p *publisher) active(q *sqs.Queue) bool {
	if visible, hidden, delayed := p.w.Count(q); visible+hidden+delayed > 0 {
		q.Touched = p.w.Now()
	}
	return p.w.Now().Sub(q.Touched) < 6*time.Hour
}

// queue publishes how many messages there are in a queue.
func (p *publisher) queue(q *sqs.Queue) {
	if !p.active(q) {
		return
	}
	visible, hidden, delayed := p.w.Count(q)
	oldest := time.Duration(0)
	for _, m := range q.Messages {
		oldest = max(oldest, p.w.Now().Sub(m.Sent))
	}
	for _, l := range p.w.Loads() {
		if l.Queue == q.Name {
			r, _ := p.w.LoadReport(l.Service)
			oldest = max(oldest, r.Oldest)
		}
	}
	for name, n := range map[string]float64{ //ebb:any-order each is a metric of its own
		"ApproximateNumberOfMessagesVisible": float64(visible), "ApproximateNumberOfMessagesNotVisible": float64(hidden),
		"ApproximateNumberOfMessagesDelayed": float64(delayed), "ApproximateAgeOfOldestMessage": oldest.Seconds(),
	} {
		p.put(sqsLag, time.Minute, "AWS/SQS", name, map[string]string{"QueueName": q.Name}, each(n, 1))
	}
}
