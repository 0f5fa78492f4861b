package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/story"
)

// What the world and the controller are called.
const (
	hook     = "ebb-drain"
	cluster  = "prod"
	deadline = time.Hour
)

// group is a managed group.
type group struct {
	name, cluster  string
	heartbeat      time.Duration // timeout of its hook
	maxUnavailable kernel.MaxUnavailable
}

// groups are the managed groups. A run keeps every serve from its heartbeats for less than the shortest timeout: see plan.go. Where
// another Ebb goes on only after a while, that while is real time, so the timeouts are longer; and there the groups have max_unavailable.
func (o options) groups() []group {
	if o.journal == "dynamodb" {
		return []group{
			{name: "web-asg", cluster: cluster, heartbeat: 15 * time.Minute, maxUnavailable: kernel.MaxUnavailable{Count: 8}},
			{name: "batch-asg", cluster: cluster, heartbeat: 10 * time.Minute, maxUnavailable: kernel.MaxUnavailable{Percent: 30}},
		}
	}
	return []group{{name: "web-asg", cluster: cluster, heartbeat: 10 * time.Minute}, {name: "batch-asg", cluster: cluster, heartbeat: 5 * time.Minute}}
}

// judged is a group as the stories' judge knows it.
func (g group) judged() story.Group {
	return story.Group{Match: g.name, Cluster: g.cluster, Deadline: deadline, Budget: g.maxUnavailable}
}

// world is the world of a storm: a fifth more hosts than leave, services that move with and without load balancers, a daemon, tasks
// that nobody replaces, and notifications that get lost, come twice or come late.
func world(o options) string {
	n := o.hosts + (o.hosts+4)/5
	gs := o.groups()
	spec := func(g group, desired int) string {
		return fmt.Sprintf("  - name: %s\n    desired: %d\n    hooks: [{name: %s, heartbeat: %s, default_result: ABANDON, target: ebb}]\n    "+
			"launch: {cluster: %s, boot: 20s}\n",
			g.name, desired, hook, g.heartbeat, g.cluster)
	}
	long := 11 * time.Minute
	if gs[0].maxUnavailable != (kernel.MaxUnavailable{}) {
		long = 5 * time.Minute // some wait until others have left
	}
	return fmt.Sprintf(`seed: %d
switches: {lost: 5, duplicate: 10, late: 5}
clusters: [{name: prod}]
queues:
  - {name: ebb, redrive: ebb-dlq, max_receives: 5}
  - {name: ebb-dlq, retention: 336h}
target_groups:
  - {name: web-tg, delay: 30s, check: 10s}
  - {name: api-tg, delay: 10s, check: 5s}
task_definitions:
  - {family: web, cpu: 128, memory: 256, port: 8080, start: 5s, exit: 10s, stop_timeout: 60s}
  - {family: api, cpu: 256, memory: 512, port: 9090, network: awsvpc, start: 8s, exit: 5s, stop_timeout: 60s}
  - {family: worker, cpu: 128, memory: 256, start: 3s, exit: 45s, stop_timeout: 90s}
  - {family: log, cpu: 64, memory: 128, start: 2s, exit: 2s, stop_timeout: 30s}
  - {family: short, cpu: 256, memory: 512, run: 4m}
  - {family: long, cpu: 256, memory: 512, run: %s}
groups:
%s%sservices:
  - {name: web, cluster: prod, task: web, desired: %d, min: 100, max: 200, target_group: web-tg}
  - {name: api, cluster: prod, task: api, desired: %d, min: 50, max: 200, target_group: api-tg}
  - {name: worker, cluster: prod, task: worker, desired: %d, min: 100, max: 150}
  - {name: log, cluster: prod, task: log, daemon: true}
tasks:
  - {cluster: prod, task: short, count: %d}
  - {cluster: prod, task: long, count: %d}
`, o.seed, long, spec(gs[0], n-n*2/5), spec(gs[1], n*2/5), 2*n, n, n, n/2, n/4)
}

// configuration is the configuration of all Ebbs of a run. They share the queue and the journal in it.
func configuration(endpoint, journal string, groups []group) string {
	var text strings.Builder
	fmt.Fprintf(&text, "queue: %s/111122223333/ebb\nregion: eu-west-1\nendpoint: %s\njournal: %s\nhook: %s\nlog_format: json\ngroups:\n",
		endpoint, endpoint, journal, hook)
	for _, g := range groups {
		fmt.Fprintf(&text, "  - {match: %s, cluster: %s, deadline: %s", g.name, g.cluster, deadline)
		if g.maxUnavailable != (kernel.MaxUnavailable{}) {
			fmt.Fprintf(&text, ", max_unavailable: %s", g.maxUnavailable)
		}
		text.WriteString("}\n")
	}
	return text.String()
}
