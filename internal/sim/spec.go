package sim

import (
	"fmt"
	"slices"
	"time"
)

// Spec is a world as text: what there is at the start, in AWS's words. Everything is named by its short name.
type Spec struct {
	Seed            uint64            `yaml:"seed,omitempty"`
	Start           time.Time         `yaml:"start,omitempty"`
	Switches        Switches          `yaml:"switches,omitempty"`
	Clusters        []ClusterSpec     `yaml:"clusters,omitempty"`
	Queues          []QueueSpec       `yaml:"queues,omitempty"`
	Topics          []TopicSpec       `yaml:"topics,omitempty"`
	Rules           []RuleSpec        `yaml:"rules,omitempty"`
	TargetGroups    []TargetGroupSpec `yaml:"target_groups,omitempty"`
	TaskDefinitions []TaskDefinition  `yaml:"task_definitions,omitempty"`
	Groups          []GroupSpec       `yaml:"groups,omitempty"`
	Services        []ServiceSpec     `yaml:"services,omitempty"`
	Tasks           []TaskSpec        `yaml:"tasks,omitempty"`
}

// ClusterSpec is a cluster.
type ClusterSpec struct {
	Name string `yaml:"name,omitempty"`
}

// QueueSpec is a queue.
type QueueSpec struct {
	Name        string        `yaml:"name,omitempty"`
	Visibility  time.Duration `yaml:"visibility,omitempty"` // 0: 30 s
	Retention   time.Duration `yaml:"retention,omitempty"`  // 0: 4 days
	Delay       time.Duration `yaml:"delay,omitempty"`
	Redrive     string        `yaml:"redrive,omitempty"`      // the name of another queue; empty: no redrive
	MaxReceives int           `yaml:"max_receives,omitempty"` // 0: 5
}

// TopicSpec is a topic and the queues that it delivers to.
type TopicSpec struct {
	Name          string             `yaml:"name,omitempty"`
	Subscriptions []SubscriptionSpec `yaml:"subscriptions,omitempty"`
}

// SubscriptionSpec is one queue of a topic.
type SubscriptionSpec struct {
	Queue string `yaml:"queue,omitempty"`
	Raw   bool   `yaml:"raw,omitempty"`
}

// RuleSpec is an EventBridge rule and its targets.
type RuleSpec struct {
	Name    string   `yaml:"name,omitempty"`
	Pattern string   `yaml:"pattern,omitempty"` // JSON
	Targets []string `yaml:"targets,omitempty"` // names of queues or topics
}

// TargetGroupSpec is a target group.
type TargetGroupSpec struct {
	Name     string        `yaml:"name,omitempty"`
	Type     string        `yaml:"type,omitempty"`     // instance, ip; empty: as its services need it
	Protocol string        `yaml:"protocol,omitempty"` // HTTP (default), TCP
	Port     int           `yaml:"port,omitempty"`     // 0: 80
	Delay    time.Duration `yaml:"delay,omitempty"`    // deregistration; 0: 300 s, negative: none
	Check    time.Duration `yaml:"check,omitempty"`    // from registration to healthy; 0: 10 s
}

// HookSpec is a lifecycle hook.
type HookSpec struct {
	Name          string        `yaml:"name,omitempty"`
	Transition    string        `yaml:"transition,omitempty"`     // terminating (default), launching
	Heartbeat     time.Duration `yaml:"heartbeat,omitempty"`      // 0: 1 h
	DefaultResult string        `yaml:"default_result,omitempty"` // ABANDON (default), CONTINUE
	Target        string        `yaml:"target,omitempty"`         // the name of a queue or topic; empty: EventBridge only
	Metadata      string        `yaml:"metadata,omitempty"`
}

// GroupSpec is an Auto Scaling group.
type GroupSpec struct {
	Name         string            `yaml:"name,omitempty"`
	Min          int               `yaml:"min,omitempty"`
	Max          int               `yaml:"max,omitempty"` // 0: desired and half as many again, at least one more
	Desired      int               `yaml:"desired,omitempty"`
	Retain       bool              `yaml:"retain,omitempty"`
	TargetGroups []string          `yaml:"target_groups,omitempty"`
	Tags         map[string]string `yaml:"tags,omitempty"`
	Suspended    []string          `yaml:"suspended,omitempty"`
	Hooks        []HookSpec        `yaml:"hooks,omitempty"`
	Launch       HostSpec          `yaml:"launch,omitempty"`
}

// ServiceSpec is a service.
type ServiceSpec struct {
	Name             string `yaml:"name,omitempty"`
	Cluster          string `yaml:"cluster,omitempty"`
	Task             string `yaml:"task,omitempty"` // the family of a task definition
	Desired          int    `yaml:"desired,omitempty"`
	Daemon           bool   `yaml:"daemon,omitempty"`
	Min              int    `yaml:"min,omitempty"` // percent; with max 0: AWS's defaults
	Max              int    `yaml:"max,omitempty"`
	TargetGroup      string `yaml:"target_group,omitempty"` // empty: none
	DistinctInstance bool   `yaml:"distinct_instance,omitempty"`
}

// TaskSpec is a number of standalone tasks that run at the start.
type TaskSpec struct {
	Cluster   string `yaml:"cluster,omitempty"`
	Task      string `yaml:"task,omitempty"`  // the family of a task definition
	Host      *int   `yaml:"host,omitempty"`  // index of the container instance, from 0; none: where there is place
	Count     int    `yaml:"count,omitempty"` // 0: 1
	StartedBy string `yaml:"started_by,omitempty"`
}

// builder makes the world of a spec, in the order in which its parts need each other.
type builder struct {
	w            *World
	targetGroups map[string]string // name to ARN
}

// Build makes the world of a spec, settled: everything that should run runs. Its errors say which part is wrong.
func Build(s Spec) (*World, error) {
	b := builder{w: New(Config{Seed: s.Seed, Start: s.Start, Switches: s.Switches}), targetGroups: map[string]string{}}
	for _, c := range s.Clusters {
		b.w.AddCluster(c.Name)
	}
	for _, step := range []func(Spec) error{b.queues, b.topics, b.rules, b.addTargetGroups, b.definitions, b.groups, b.services, b.tasks} {
		if err := step(s); err != nil {
			return nil, fmt.Errorf("build the world: %w", err)
		}
	}
	b.w.Settle()
	return b.w, nil
}

func (b *builder) queues(s Spec) error {
	for _, q := range s.Queues {
		queue, err := b.w.CreateQueue(Queue{Name: q.Name, Visibility: q.Visibility, Retention: q.Retention, Delay: q.Delay})
		if err != nil {
			return fmt.Errorf("queue %q: %w", q.Name, err)
		}
		if q.Redrive == "" {
			continue
		}
		queue.RedriveARN, queue.MaxReceives = b.w.arn("sqs", q.Redrive), max(q.MaxReceives, 0)
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
			q, err := b.w.Queue(sub.Queue)
			if err != nil {
				return fmt.Errorf("topic %q: there is no queue %q; add it to queues", t.Name, sub.Queue)
			}
			if _, err := b.w.Subscribe(topic.ARN, "sqs", q.ARN, sub.Raw); err != nil {
				return fmt.Errorf("topic %q: %w", t.Name, err)
			}
		}
	}
	return nil
}

// destination is the ARN of the queue or topic of a name.
func (b *builder) destination(name string) (string, error) {
	if q, err := b.w.Queue(name); err == nil {
		return q.ARN, nil
	}
	if t := b.w.findTopic(b.w.arn("sns", name)); t != nil {
		return t.ARN, nil
	}
	return "", fmt.Errorf("there is neither a queue nor a topic %q; add it to queues or topics", name)
}

func (b *builder) rules(s Spec) error {
	for _, r := range s.Rules {
		if _, err := b.w.PutRule(Rule{Name: r.Name, Pattern: r.Pattern}); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
		for i, name := range r.Targets {
			arn, err := b.destination(name)
			if err != nil {
				return fmt.Errorf("rule %q: %w", r.Name, err)
			}
			if err := b.w.PutTargets(r.Name, []RuleTarget{{ID: "t" + itoa(i+1), ARN: arn}}); err != nil {
				return fmt.Errorf("rule %q: %w", r.Name, err)
			}
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
		tg := TargetGroup{Name: t.Name, Type: t.Type, Protocol: t.Protocol, Port: t.Port, Delay: t.Delay, Check: t.Check}
		b.targetGroups[t.Name] = b.w.AddTargetGroup(tg).ARN
	}
	return nil
}

// usedByAWSVPC reports whether a service with tasks of network awsvpc uses the target group.
func (s Spec) usedByAWSVPC(targetGroup string) bool {
	return slices.ContainsFunc(s.Services, func(v ServiceSpec) bool {
		return v.TargetGroup == targetGroup && slices.ContainsFunc(s.TaskDefinitions, func(d TaskDefinition) bool {
			return d.Family == v.Task && d.Network == "awsvpc"
		})
	})
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
		switch d.Network {
		case "", "bridge", "host", "awsvpc":
		default:
			return fmt.Errorf("task definition %q: the network is %q; it must be bridge, host or awsvpc", d.Family, d.Network)
		}
		b.w.AddTaskDefinition(d)
	}
	return nil
}

func (b *builder) groups(s Spec) error {
	for _, g := range s.Groups {
		if g.Name == "" || b.w.group[g.Name] != nil {
			return fmt.Errorf("group %q: every group needs a name of its own", g.Name)
		}
		arns, err := b.arns(g.TargetGroups)
		if err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		group := Group{Name: g.Name, Min: g.Min, Max: g.Max, Desired: g.Desired, Retain: g.Retain, TargetGroups: arns, Tags: g.Tags, Suspended: g.Suspended, Launch: g.Launch}
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

func (b *builder) hook(h HookSpec) (*Hook, error) {
	hook := &Hook{Name: h.Name, Heartbeat: h.Heartbeat, DefaultResult: h.DefaultResult, Metadata: h.Metadata}
	switch h.Transition {
	case "", "terminating":
		hook.Transition = terminating
	case "launching":
		hook.Transition = launching
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
	hook.Target = arn
	return hook, err
}

func (b *builder) services(s Spec) error {
	for _, v := range s.Services {
		if err := b.service(v); err != nil {
			return fmt.Errorf("service %q: %w", v.Name, err)
		}
	}
	return nil
}

func (b *builder) service(v ServiceSpec) error {
	def, err := b.w.findDefinition(v.Task)
	if err != nil {
		return fmt.Errorf("there is no task definition %q; add it to task_definitions", v.Task)
	}
	if b.w.cluster[v.Cluster] == nil {
		return fmt.Errorf("there is no cluster %q; add it to clusters, or let a group launch into it", v.Cluster)
	}
	service := Service{Name: v.Name, Cluster: v.Cluster, Definition: v.Task, Desired: v.Desired, Daemon: v.Daemon, Min: v.Min, Max: v.Max, DistinctInstance: v.DistinctInstance}
	if v.TargetGroup != "" {
		arn, ok := b.targetGroups[v.TargetGroup]
		if !ok {
			return fmt.Errorf("there is no target group %q; add it to target_groups", v.TargetGroup)
		}
		if def.Port == 0 {
			return fmt.Errorf("it has a target group, but its task definition %q has no port; give it one", v.Task)
		}
		if ip := b.w.balancer[arn].Type == "ip"; ip != (def.Network == "awsvpc") {
			return fmt.Errorf("target group %q does not fit: tasks with network awsvpc need type ip, all others type instance", v.TargetGroup)
		}
		service.TargetGroups = []ServiceTargetGroup{{ARN: arn, Container: def.Family, Port: def.Port}}
	}
	b.w.AddService(service)
	return nil
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
		_, failures, err := b.w.RunTask(t.Cluster, t.Task, t.StartedBy, 1)
		if err == nil && len(failures) > 0 {
			err = fmt.Errorf("there is no place for it in cluster %q: %s", t.Cluster, failures[0].Reason)
		}
		return err
	}
	c, err := b.w.findCluster(t.Cluster)
	if err != nil {
		return err
	}
	if *t.Host < 0 || *t.Host >= len(c.machines) {
		return fmt.Errorf("there is no host %d in cluster %q; it has %d, counted from 0", *t.Host, t.Cluster, len(c.machines))
	}
	_, err = b.w.RunTaskOn(t.Cluster, t.Task, c.machines[*t.Host].ARN, t.StartedBy)
	return err
}
