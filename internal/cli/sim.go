package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/internal/sim/sqs"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

func newSim(p Process) *cobra.Command {
	var listen, file string
	var speed float64
	var policies []string
	c := &cobra.Command{
		Use: "sim", Short: "Run a simulated cloud that any AWS client can talk to", Args: noArgs,
		Long: `Sim simulates Auto Scaling, ECS, Elastic Load Balancing, SQS, SNS, EventBridge, STS, what Ebb needs of EC2, and the parameters and
secrets of Systems Manager and Secrets Manager on loopback, with their behaviour over time: lifecycle hooks that time out, tasks that
move under minimum and maximum percent, targets that drain, messages that come again. It speaks the AWS protocols, so the AWS CLI and
the SDKs work with it. The Lambda functions of a world file run as processes on this machine, with the Lambda Runtime API; their output
goes to standard error.

Always give clients the endpoint explicitly: some ignore the environment variables and would call AWS.`,
		Example: `  ebb sim
  ebb sim --world my-world.yaml --speed 60      # a minute a second; start the controller with: ebb serve --clock http://127.0.0.1:4599
  ebb sim --policy ebb=policy.json              # callers with the access key ebb may do only what the policy allows`,
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:4599", "address to listen on")
	c.Flags().StringVar(&file, "world", "", "world file (YAML); without it: cluster demo, group demo-asg, services web and api, queue ebb")
	c.Flags().Float64Var(&speed, "speed", 1, "seconds of the world per second; 0: it stands still until POST /_sim/advance")
	c.Flags().StringArrayVar(&policies, "policy", nil, "KEY=FILE: an IAM policy for the access key; may be repeated. A key without any may do everything")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if speed < 0 {
			return fmt.Errorf("%w: --speed must not be negative; write 1 for real time, 60 for a minute a second, 0 to let the world stand still", errUsage)
		}
		spec, err := worldSpec(file)
		if err != nil {
			return err
		}
		attached, err := readPolicies(policies)
		if err != nil {
			return err
		}
		s, err := startSim(spec, listen, speed)
		if err != nil {
			return err
		}
		defer s.Close()
		for _, a := range attached {
			s.API.Attach(a.key, a.policy)
		}
		if err := s.Run(p.Stderr); err != nil {
			return misconfigured(err)
		}
		s.greet(p.Stdout)
		<-cmd.Context().Done()
		return nil
	}
	return c
}

// attachment is an IAM policy of an access key.
type attachment struct {
	key    string
	policy *wire.Policy
}

// readPolicies reads policies given as KEY=FILE.
func readPolicies(given []string) ([]attachment, error) {
	var all []attachment
	for _, g := range given {
		key, file, ok := strings.Cut(g, "=")
		if !ok || key == "" || file == "" {
			return nil, fmt.Errorf("%w: --policy is %q; write the access key and the file, like --policy ebb=policy.json", errUsage, g)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, misconfigured(fmt.Errorf("read the policy of access key %s: %w", key, err))
		}
		p, err := wire.ParsePolicy(b)
		if err != nil {
			return nil, misconfigured(fmt.Errorf("%s: %w; ebb iam prints a policy that works", file, err))
		}
		all = append(all, attachment{key, p})
	}
	return all, nil
}

// worldSpec reads a world file, or takes the built-in world. Unless the world says when it starts, it starts now, so that a
// controller at speed 1 needs no other clock.
func worldSpec(file string) (sim.Spec, error) {
	spec := sim.Demo()
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return sim.Spec{}, misconfigured(fmt.Errorf("read the world: %w; leave --world out for the built-in one", err))
		}
		if spec, err = story.ParseWorld(b); err != nil {
			return sim.Spec{}, misconfigured(fmt.Errorf("%s: %w; for an example see world: in what ebb story --seed 1 --show prints", file, err))
		}
	}
	if spec.Start.IsZero() {
		spec.Start = time.Now().UTC().Truncate(time.Millisecond)
	}
	return spec, nil
}

// simulation is a simulated cloud on loopback, and what people read about it.
type simulation struct{ *loopback.Cloud }

// startSim listens, builds the world and lets its clock run.
func startSim(spec sim.Spec, listen string, speed float64) (simulation, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		todo := "write an address of this machine, like --listen 127.0.0.1:4599"
		if errors.Is(err, syscall.EADDRINUSE) {
			todo = "is another ebb sim running? choose another address, or --listen 127.0.0.1:0 for any that is free"
		}
		return simulation{}, fmt.Errorf("listen on %s: %w; %s", listen, err, todo)
	}
	c, err := loopback.Serve(l, spec, speed)
	return simulation{c}, misconfigured(err)
}

// greet prints the endpoint, what is there, and commands that work on it as they stand.
func (s simulation) greet(w io.Writer) {
	s.Read(func(world *sim.World) {
		fmt.Fprintf(w, "simulated cloud at %s\n\n", s.Endpoint)
		for _, c := range world.ListClusters() {
			fmt.Fprintf(w, "  cluster  %s\n", fleet.ARN(c).Name())
			for _, service := range servicesOf(world, c) {
				fmt.Fprintf(w, "  service  %s: %d tasks\n", service.Name, service.Desired)
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
			fmt.Fprintf(w, "  queue    %s\n", s.queueURL(q.Name))
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
		s.commands(w, world)
	})
	fmt.Fprintln(w, "\nstop with Ctrl-C")
}

func servicesOf(world *sim.World, cluster string) (all []ecs.Service) {
	ids, _ := world.ListServices(cluster)     // a cluster that is not there has none
	for some := range slices.Chunk(ids, 10) { // as many as one call takes
		found, _, _ := world.DescribeServices(cluster, some)
		all = append(all, found...)
	}
	return all
}

// queueURL is a queue's URL on this endpoint.
func (s simulation) queueURL(name string) string { return s.Endpoint + "/111122223333/" + name }

func (s simulation) commands(w io.Writer, world *sim.World) {
	groups := world.DescribeAutoScalingGroups(nil)
	if len(groups) == 0 || len(groups[0].Instances) == 0 {
		return
	}
	g := groups[0]
	aws := "  aws --endpoint-url " + s.Endpoint + " "
	fmt.Fprintf(w, "%sautoscaling describe-auto-scaling-groups\n", aws)
	if cluster := g.Launch.Cluster; cluster != "" {
		fmt.Fprintf(w, "%secs list-tasks --cluster %s\n", aws, cluster)
		fmt.Fprintf(w, "%secs list-container-instances --cluster %s --filter \"ec2InstanceId == %s\"\n", aws, cluster, g.Instances[0].ID)
	}
	fmt.Fprintf(w, "%sautoscaling terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity --instance-id %s\n", aws, g.Instances[0].ID)
	if qs := world.Queues(); len(qs) > 0 && len(g.Hooks) > 0 {
		fmt.Fprintf(w, "\nand the controller beside it, with this as ebb.yaml:\n\n")
		fmt.Fprintf(w, "  queue: %s\n  region: eu-west-1\n  endpoint: %s\n  journal: \"memory:\"\n  hook: %s\n  groups:\n    - match: %s\n\n",
			s.queueURL(mainQueue(world)), s.Endpoint, g.Hooks[0].Name, g.Name)
		fmt.Fprintln(w, "  ebb serve --config ebb.yaml")
	}
}

// mainQueue is the name of the first queue that is not the dead-letter queue of another.
func mainQueue(world *sim.World) string {
	all := world.Queues()
	i := slices.IndexFunc(all, func(q *sqs.Queue) bool {
		return !slices.ContainsFunc(all, func(other *sqs.Queue) bool { return other.RedriveARN == q.ARN })
	})
	return all[max(i, 0)].Name
}
