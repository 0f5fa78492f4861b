package loopback

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// QueueURL is a queue's URL on this endpoint.
func (c *Cloud) QueueURL(name string) string { return c.Endpoint + "/111122223333/" + name }

// Greet prints the endpoint, what is there, and commands that work on it as they stand.
func (c *Cloud) Greet(w io.Writer) {
	c.Read(func(world *sim.World) {
		fmt.Fprintf(w, "simulated cloud at %s\n\n", c.Endpoint)
		for _, cluster := range world.ListClusters() {
			fmt.Fprintf(w, "  cluster  %s\n", core.LastPart(cluster))
			ids, _ := world.ListServices(cluster)     // a cluster that is not there has none
			for some := range slices.Chunk(ids, 10) { // as many as one call takes
				found, _, _ := world.DescribeServices(cluster, some)
				for _, s := range found {
					fmt.Fprintf(w, "  service  %s: %d tasks\n", s.Name, s.Desired)
				}
			}
		}
		for _, g := range world.DescribeAutoScalingGroups(nil) {
			fmt.Fprintf(w, "  group    %s: %d instances", g.Name, len(g.Instances))
			for _, h := range g.Hooks {
				fmt.Fprintf(w, ", hook %s (%s)", h.Name, h.Heartbeat)
			}
			fmt.Fprintln(w)
		}
		for _, q := range world.Queues() {
			fmt.Fprintf(w, "  queue    %s\n", c.QueueURL(q.Name))
		}
		for _, f := range world.Functions() {
			fmt.Fprintf(w, "  function %s: %s\n", f.Name, strings.Join(f.Command, " "))
		}
		for _, p := range world.Parameters() {
			fmt.Fprintf(w, "  parameter %s: %s\n", p.Name, p.Type)
		}
		for _, secret := range world.Secrets() {
			fmt.Fprintf(w, "  secret   %s: %s\n", secret.Name, secret.ARN)
		}
		fmt.Fprintf(w, "\nin another terminal:\n\n  export AWS_ACCESS_KEY_ID=you AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-west-1\n")
		c.commands(w, world)
	})
	fmt.Fprintln(w, "\nstop with Ctrl-C")
}

func (c *Cloud) commands(w io.Writer, world *sim.World) {
	groups := world.DescribeAutoScalingGroups(nil)
	if len(groups) == 0 || len(groups[0].Instances) == 0 {
		return
	}
	g := groups[0]
	aws := "  aws --endpoint-url " + c.Endpoint + " "
	fmt.Fprintf(w, "%sautoscaling describe-auto-scaling-groups\n", aws)
	if cluster := g.Launch.Cluster; cluster != "" {
		fmt.Fprintf(w, "%secs list-tasks --cluster %s\n", aws, cluster)
		fmt.Fprintf(w, "%secs list-container-instances --cluster %s --filter \"ec2InstanceId == %s\"\n", aws, cluster, g.Instances[0].ID)
	}
	fmt.Fprintf(w, "%sautoscaling terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity --instance-id %s\n", aws, g.Instances[0].ID)
	if queue := mainQueue(world); queue != "" && len(g.Hooks) > 0 {
		fmt.Fprintf(w, "\nand the controller beside it, with this as ebb.yaml:\n\n")
		fmt.Fprintf(w, "  queue: %s\n  region: eu-west-1\n  endpoint: %s\n  journal: \"memory:\"\n  hook: %s\n  groups:\n    - match: %s\n\n",
			c.QueueURL(queue), c.Endpoint, g.Hooks[0].Name, g.Name)
		fmt.Fprintln(w, "  ebb serve --config ebb.yaml")
	}
}

// mainQueue is the name of the first queue that is not the dead-letter queue of another; empty: there is no queue.
func mainQueue(world *sim.World) string {
	dead := map[string]bool{}
	for _, q := range world.Queues() {
		dead[q.RedriveARN] = true
	}
	for _, q := range world.Queues() {
		if !dead[q.ARN] {
			return q.Name
		}
	}
	return ""
}
