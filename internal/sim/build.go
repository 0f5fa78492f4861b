package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
	"github.com/ebbhq/ebb/internal/sim/events"
	"github.com/ebbhq/ebb/internal/sim/lambda"
	"github.com/ebbhq/ebb/internal/sim/sns"
	"github.com/ebbhq/ebb/internal/sim/sqs"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// builder makes the world of a spec, in the order in which its parts need each other.
type builder struct {
	w            *World
	targetGroups map[string]string // name to ARN
	registries   map[string]string
	lattice      map[string]vpclattice.TargetGroup
}

// Build makes the world of a spec, settled: everything that should run runs. Its errors say which part is wrong.
func Build(s Spec) (*World, error) {
	b := builder{w: New(core.Config{Seed: s.Seed, Start: s.Start, Switches: s.Switches}), targetGroups: map[string]string{},
		registries: map[string]string{}, lattice: map[string]vpclattice.TargetGroup{}}
	if err := s.Switches.Check(); err != nil {
		return nil, fmt.Errorf("build the world: switches: %w", err)
	}
	for _, c := range s.Clusters {
		b.w.AddCluster(c.Name)
		for _, p := range c.Providers {
			if err := b.w.AssociateFargate(c.Name, p); err != nil {
				return nil, fmt.Errorf("build the world: cluster %q: %w", c.Name, err)
			}
		}
		b.w.SetDefaultStrategy(c.Name, c.DefaultStrategy)
	}
	for _, step := range []func(Spec) error{b.queues, b.functions, b.topics, b.rules, b.vpcs, b.names,
		b.addTargetGroups, b.definitions, b.groups, b.providers, b.secrets,
		b.registeredEmpty, b.services, b.tasks, b.settled, b.registeredLate, b.clients, b.loads, b.scaling, b.alarms} {
		if err := step(s); err != nil {
			return nil, fmt.Errorf("build the world: %w", err)
		}
	}
	return b.w, nil
}

func (b *builder) queues(s Spec) error {
	for _, q := range s.Queues {
		queue, err := b.w.CreateQueue(sqs.Queue{Name: q.Name, Visibility: q.Visibility, Retention: q.Retention, Delay: q.Delay, Policy: q.Policy})
		if err != nil {
			return fmt.Errorf("queue %q: %w", q.Name, err)
		}
		if q.Redrive == "" {
			continue
		}
		queue.RedriveARN, queue.MaxReceives = b.w.ARN("sqs", q.Redrive), max(q.MaxReceives, 0)
		if queue.MaxReceives == 0 {
			queue.MaxReceives = 5
		}
	}
	for _, q := range s.Queues {
		if _, err := b.w.Queue(q.Redrive); q.Redrive != "" && err != nil {
			return fmt.Errorf("queue %q: there is no queue %q for dead letters; add it to queues", q.Name, q.Redrive)
		}
	}
	return nil
}

func (b *builder) topics(s Spec) error {
	for _, t := range s.Topics {
		topic := b.w.CreateTopic(t.Name)
		for _, sub := range t.Subscriptions {
			if err := b.subscribe(topic, sub); err != nil {
				return fmt.Errorf("topic %q: %w", t.Name, err)
			}
		}
	}
	return nil
}

// destination is the ARN of the queue or topic of a name, of function:NAME, or of the scaling policy policy:NAME.
func (b *builder) destination(name string) (string, error) {
	if policy, ok := strings.CutPrefix(name, "policy:"); ok {
		if arn, ok := b.w.PolicyARN(policy); ok {
			return arn, nil
		}
		return "", fmt.Errorf("there is no scaling policy %q, or more than one; add one to scaling", policy)
	}
	if function, ok := strings.CutPrefix(name, "function:"); ok {
		if arn := b.w.ARN("lambda", name); slices.ContainsFunc(b.w.Functions(), func(f lambda.Function) bool { return f.ARN == arn }) {
			return arn, nil
		}
		return "", fmt.Errorf("there is no function %q; add it to functions", function)
	}
	if q, err := b.w.Queue(name); err == nil {
		return q.ARN, nil
	}
	for _, t := range b.w.Topics() {
		if t.Name == name {
			return t.ARN, nil
		}
	}
	return "", fmt.Errorf("there is neither a queue nor a topic %q; add it to queues or topics", name)
}

func (b *builder) rules(s Spec) error {
	for _, r := range s.Rules {
		if _, err := b.w.PutRule(events.Rule{Name: r.Name, Pattern: r.Pattern, Schedule: r.Schedule}); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
		for i, name := range r.Targets {
			arn, err := b.destination(name)
			if err != nil {
				return fmt.Errorf("rule %q: %w", r.Name, err)
			}
			if q, err := b.w.Queue(name); err == nil {
				allow(q)
			}
			if err := b.w.PutTargets(r.Name, []events.RuleTarget{{ID: "t" + strconv.Itoa(i+1), ARN: arn}}); err != nil {
				return fmt.Errorf("rule %q: %w", r.Name, err)
			}
		}
	}
	return nil
}

func (b *builder) alarms(s Spec) error {
	for _, a := range s.Alarms {
		if err := b.w.AddAlarm(a, b.destination); err != nil {
			return fmt.Errorf("alarm %q: %w", a.Name, err)
		}
	}
	return nil
}

func (b *builder) addTargetGroups(s Spec) error {
	for _, t := range s.TargetGroups {
		if t.Type != "" && t.Type != "instance" && t.Type != "ip" {
			return fmt.Errorf("target group %q: the type is %q; it must be instance or ip", t.Name, t.Type)
		}
		if t.Type == "" && s.usedByAWSVPC(t.Name) {
			t.Type = "ip"
		}
		tg := elb.TargetGroup{Name: t.Name, Type: t.Type, Protocol: t.Protocol, Port: t.Port, Delay: t.Delay, Check: t.Check, VPC: t.VPC, IPv6: t.IPv6,
			Propagation: t.Propagation, ConnectionTermination: t.ConnectionTermination, KeepUnhealthy: t.KeepUnhealthy,
			UnhealthyDraining: t.UnhealthyDraining, LeastHealthy: t.LeastHealthy, LeastPercent: t.LeastPercent}
		b.targetGroups[t.Name] = b.w.AddTargetGroup(tg).ARN
	}
	return nil
}

func (b *builder) arns(names []string) ([]string, error) {
	var arns []string
	for _, name := range names {
		arn, ok := b.targetGroups[name]
		if !ok {
			return nil, fmt.Errorf("there is no target group %q; add it to target_groups", name)
		}
		arns = append(arns, arn)
	}
	return arns, nil
}

func (b *builder) definitions(s Spec) error {
	for _, d := range s.TaskDefinitions {
		if d.Family == "" {
			return fmt.Errorf("a task definition has no family; give it one")
		}
		if err := ecs.CheckDefinition(d); err != nil {
			return fmt.Errorf("task definition %q: %w", d.Family, err)
		}
		b.w.AddTaskDefinition(d)
	}
	return nil
}

func (b *builder) groups(s Spec) error {
	for _, g := range s.Groups {
		if g.Name == "" || len(b.w.DescribeAutoScalingGroups([]string{g.Name})) > 0 {
			return fmt.Errorf("group %q: every group needs a name of its own", g.Name)
		}
		arns, err := b.arns(g.TargetGroups)
		if err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		group := autoscaling.Group{Name: g.Name, Min: g.Min, Max: g.Max, Desired: g.Desired, Retain: g.Retain, TargetGroups: arns, Tags: g.Tags,
			Suspended: g.Suspended, Launch: g.Launch,
			Hosts: g.Hosts, HealthCheck: g.HealthCheck, ProtectNew: g.ProtectNew, MaxLifetime: g.MaxLifetime, Rebalance: g.Rebalance,
			Refreshes: slices.Clone(g.Refreshes)}
		if group.Max == 0 {
			group.Max = g.Desired + max(1, g.Desired/2)
		}
		for _, h := range g.Hooks {
			hook, err := b.hook(h)
			if err != nil {
				return fmt.Errorf("group %q: hook %q: %w", g.Name, h.Name, err)
			}
			group.Hooks = append(group.Hooks, hook)
		}
		b.w.AddGroup(group)
	}
	return nil
}

func (b *builder) hook(h HookSpec) (*autoscaling.Hook, error) {
	hook := &autoscaling.Hook{Name: h.Name, Heartbeat: h.Heartbeat, DefaultResult: h.DefaultResult, Metadata: h.Metadata}
	switch h.Transition {
	case "", "terminating":
		hook.Transition = autoscaling.TransitionTerminating
	case "launching":
		hook.Transition = autoscaling.TransitionLaunching
	default:
		return nil, fmt.Errorf("the transition is %q; it must be terminating or launching", h.Transition)
	}
	if h.Heartbeat != 0 && (h.Heartbeat < 30*time.Second || h.Heartbeat > 2*time.Hour) {
		return nil, fmt.Errorf("the heartbeat is %v; it must be from 30s to 2h", h.Heartbeat)
	}
	if h.DefaultResult != "" && h.DefaultResult != "CONTINUE" && h.DefaultResult != "ABANDON" {
		return nil, fmt.Errorf("the default is %q; it must be CONTINUE or ABANDON", h.DefaultResult)
	}
	if h.Target == "" {
		return hook, nil
	}
	arn, err := b.destination(h.Target)
	hook.Target, hook.Role = arn, "arn:aws:iam::"+b.w.Account+":role/autoscaling-notifies"
	return hook, err
}

func (b *builder) tasks(s Spec) error {
	for _, t := range s.Tasks {
		for range max(1, t.Count) {
			if err := b.task(t); err != nil {
				return fmt.Errorf("task %q: %w", t.Task, err)
			}
		}
	}
	return nil
}

func (b *builder) task(t TaskSpec) error {
	if t.Host == nil {
		var subnets []string
		for _, zone := range t.Zones {
			subnets = append(subnets, core.SubnetID("", zone))
		}
		_, failures, err := b.w.RunTasks(t.Cluster, ecs.TaskRun{
			Definition: t.Task, StartedBy: t.StartedBy, Group: t.Group, Constraints: t.Constraints, Placement: t.Placement, Providers: t.Providers,
			LaunchType: t.LaunchType, Subnets: subnets,
		})
		if err == nil && len(failures) > 0 {
			err = fmt.Errorf("there is no place for it in cluster %q: %s", t.Cluster, failures[0].Reason)
		}
		return err
	}
	hosts, err := b.w.ListContainerInstances(t.Cluster, "", "")
	if err != nil {
		return err
	}
	if *t.Host < 0 || *t.Host >= len(hosts) {
		return fmt.Errorf("there is no host %d in cluster %q; it has %d, counted from 0", *t.Host, t.Cluster, len(hosts))
	}
	_, err = b.w.RunTaskOn(t.Cluster, t.Task, hosts[*t.Host], t.StartedBy)
	return err
}

func (b *builder) providers(s Spec) error {
	for _, p := range s.Providers {
		if err := b.w.AddCapacityProvider(p); err != nil {
			return fmt.Errorf("capacity provider %q: %w", p.Name, err)
		}
	}
	for _, c := range s.Clusters {
		if err := b.w.CheckStrategy(c.Name, nil, ""); err != nil {
			return fmt.Errorf("cluster %q: the default strategy: %w", c.Name, err)
		}
	}
	return nil
}

// allow gives a queue without a policy one by which topics and rules may send to it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func allow(q *sqs.Queue) {
	if q.Policy == "" {
		q.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["events.amazonaws.com","sns.amazonaws.com"]},` +
			`"Action":"sqs:SendMessage","Resource":"` + q.ARN + `"}]}`
	}
}

func (b *builder) subscribe(topic *sns.Topic, sub SubscriptionSpec) error {
	if sub.Function != "" {
		arn, err := b.destination("function:" + sub.Function)
		if err == nil {
			_, err = b.w.Subscribe(topic.ARN, "lambda", arn, sub.Raw)
		}
		return err
	}
	q, err := b.w.Queue(sub.Queue)
	if err != nil {
		return fmt.Errorf("there is no queue %q; add it to queues", sub.Queue)
	}
	allow(q)
	_, err = b.w.Subscribe(topic.ARN, "sqs", q.ARN, sub.Raw)
	return err
}

func (b *builder) functions(s Spec) error {
	for _, f := range s.Functions {
		spec := lambda.Function{Name: f.Name, Timeout: f.Timeout, Concurrency: f.Concurrency, Command: f.Command, Env: f.Env}
		for _, e := range f.Sources {
			spec.Sources = append(spec.Sources, lambda.EventSource{Queue: e.Queue, Batch: e.Batch, Window: e.Window, Report: e.Report, MaxConcurrency: e.MaxConcurrency})
		}
		if err := b.w.AddFunction(spec); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return nil
}
