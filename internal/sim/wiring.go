package sim

import (
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/lambda"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/sqs"
	"github.com/ebbhq/ebb/internal/sim/traffic"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// post sends for EventBridge and lifecycle hooks.
type post struct{ w *World }

// Send sends to the queue, topic or function of an ARN. What has nowhere to go is lost. A function gets what a queue would get as body:
// for EventBridge that is documented, for the target of a hook AWS does not say.
func (p post) Send(arn, subject, body string, about core.Entry) {
	if p.w.SNS.Deliver(arn, subject, body, about) || p.w.SQS.Deliver(arn, body, about) || p.w.Lambda.Deliver(arn, []byte(body), about) {
		return
	}
	about.Kind, about.To, about.Queue = core.EntryMessage, "lost", core.LastPart(arn)
	p.w.Log(about)
}

// observer passes on what becomes of instances.
type observer struct{ w *World }

func (o observer) Down(i *core.Instance) {
	o.w.ELB.InstanceDown(i)
	o.w.ECS.InstanceDown(i)
}

func (o observer) Stopping(i *core.Instance) { o.w.ECS.InstanceStopping(i) }

func (o observer) Terminated(i *core.Instance) {
	o.w.AutoScaling.InstanceTerminated(i)
	o.w.ECS.InstanceTerminated(i)
}

func (o observer) Warned(i *core.Instance) {
	o.w.AutoScaling.Warned(i)
	o.w.ECS.Warned(i)
}

func (o observer) Recommended(i *core.Instance) { o.w.AutoScaling.Recommended(i) }

func (o observer) Ended(i *core.Instance) { o.w.AutoScaling.InstanceEnded(i) }

func (o observer) Started(i *core.Instance) {
	o.w.ELB.InstanceUp(i)
	o.w.ECS.InstanceStarted(i)
}

func (o observer) Replaced(i *core.Instance) {
	o.w.ELB.InstanceDown(i)
	o.w.ECS.RootVolumeReplaced(i)
}

// lifecycles are the states of instances in their groups.
type lifecycles struct{ w *World }

func (l lifecycles) LifecycleState(instance string) string {
	for _, m := range l.w.DescribeAutoScalingInstances([]string{instance}) {
		return m.State
	}
	return ""
}

// Route is where a target group, or a service of Cloud Map or VPC Lattice, sends clients to at this time, by its ARN.
func (w *World) Route(name string) traffic.Route {
	if _, _, ok := w.Registry(name); ok {
		return w.names(name)
	}
	if targets, err := w.LatticeTargets(name); err == nil {
		return traffic.Route{Endpoints: core.Mapped(targets, func(t vpclattice.Target) traffic.Endpoint {
			e := traffic.Endpoint{Healthy: t.State == "healthy", Registered: t.State != "draining"}
			return w.serving(e, name, t.ID, t.Port, t.Task)
		})}
	}
	tg, targets := w.ELB.Routes(name)
	route := traffic.Route{LeastHealthy: tg.LeastHealthy, LeastPercent: tg.LeastPercent}
	for _, t := range targets {
		e := traffic.Endpoint{
			Healthy: t.State == "healthy", RoutedUntil: t.RoutedUntil, Registered: t.State != "draining" && t.State != "unused",
		}
		gone := t.State == "unused" && (!tg.Network() || tg.ConnectionTermination)
		if gone || t.State == "unhealthy" && tg.Network() {
			e.Closed = t.Since
		}
		route.Endpoints = append(route.Endpoints, w.serving(e, name, t.ID, t.Port, t.Task))
	}
	return route
}

// names are the instances of a service of Cloud Map. Clients go on to use those that have left, until the TTL of what they know is over.
func (w *World) names(arn string) traffic.Route {
	s, left, _ := w.Registry(arn)
	var route traffic.Route
	for _, i := range s.Instances {
		e := traffic.Endpoint{Healthy: true, Registered: true}
		route.Endpoints = append(route.Endpoints, w.serving(e, arn, i.IP, i.Port, i.About.Task))
	}
	for _, i := range left {
		e := traffic.Endpoint{RoutedUntil: i.Since.Add(s.TTL)}
		route.Endpoints = append(route.Endpoints, w.serving(e, arn, i.IP, i.Port, i.About.Task))
	}
	return route
}

// serving completes an endpoint with what the process behind it does.
func (w *World) serving(e traffic.Endpoint, route, id string, port int, task string) traffic.Endpoint {
	e.Task, e.ID = task, route+" "+id+":"+strconv.Itoa(port)+" "+task
	if task != "" {
		s := w.Serving(task, port)
		e.Up, e.Serves, e.Ends = s.Up, s.Until, s.Ends
	} else if h := w.EC2.Find(id); h != nil {
		e.Up = h.Alive()
	}
	return e
}

// queues are the queues that Lambda polls.
type queues struct{ w *World }

func (q queues) Find(name string) (arn string, visibility time.Duration, ok bool) {
	found, err := q.w.Queue(name)
	if err != nil {
		return "", 0, false
	}
	return found.ARN, found.Visibility, true
}

func (q queues) Waiting(name string) (int, time.Time) { return q.w.Waiting(name) }

func (q queues) Receive(name string, most int) []lambda.Message {
	got, err := q.w.ReceiveMessage(name, most, nil)
	if err != nil {
		return nil
	}
	return core.Mapped(got, func(m sqs.Message) lambda.Message {
		attributes := make(map[string]lambda.Attribute, len(m.Attributes))
		for name, a := range m.Attributes { //ebb:any-order one map to another
			attributes[name] = lambda.Attribute(a)
		}
		return lambda.Message{
			ID: m.ID, Body: m.Body, Handle: m.Handle, Sent: m.Sent, FirstReceived: m.FirstReceived, Receives: m.Receives, Attributes: attributes, About: m.About(),
		}
	})
}

func (q queues) Delete(name, handle string) { _ = q.w.DeleteMessage(name, handle) } // of a queue that is gone there is nothing to delete

// workers are the tasks that work the load off.
type workers struct{ w *World }

func (o workers) Workers(cluster, service, targetGroup string) []load.Worker {
	routed := map[string]bool{}
	if targetGroup != "" {
		for _, e := range o.w.Route(targetGroup).Routed(o.w.Now()) {
			routed[e.Task] = true
		}
	}
	return core.Mapped(o.w.Processes(cluster, service), func(p ecs.Process) load.Worker {
		return load.Worker{Task: p.Task, Since: p.Since, Leaves: p.Signalled, Running: p.Running, Routed: targetGroup == "" || routed[p.Task]}
	})
}

func (o workers) Visibility(queue string) time.Duration {
	q, err := o.w.Queue(queue)
	if err != nil { // it is gone, with its messages
		return 0
	}
	return q.Visibility
}

// services are what Application Auto Scaling scales.
type services struct{ w *World }

func (s services) Capacity(cluster, service string) (desired, running int, deploying, ok bool) {
	return s.w.Capacity(cluster, service)
}

func (s services) SetDesired(cluster, service string, n int) error {
	_, err := s.w.UpdateService(cluster, service, &n, "")
	return err
}

// alarms are those of target tracking.
type alarms struct{ w *World }

func (a alarms) Put(watch appautoscaling.Watch) (string, error) {
	spec := cloudwatch.AlarmSpec{Name: watch.Name, Threshold: watch.Threshold, Comparison: "<", Periods: watch.Periods, Actions: []string{watch.Policy}}
	if watch.Above {
		spec.Comparison = ">"
	}
	spec.Math = core.Mapped(watch.Queries, func(q appautoscaling.Query) cloudwatch.MathSpec {
		return cloudwatch.MathSpec{ID: q.ID, Expression: q.Expression, Namespace: q.Namespace, Metric: q.Name, Dimensions: q.Dimensions,
			Statistic: q.Statistic, Period: watch.Period}
	})
	if err := a.w.AddAlarm(spec, func(arn string) (string, error) { return arn, nil }); err != nil {
		return "", err
	}
	return a.w.FindAlarm(watch.Name).ARN, nil
}

func (a alarms) Delete(names ...string) { _ = a.w.DeleteAlarms(names) } // what somebody else has deleted is gone

func (a alarms) InAlarm(name string) bool {
	found := a.w.FindAlarm(name)
	return found != nil && found.Now.State == cloudwatch.InAlarm
}
