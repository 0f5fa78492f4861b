package cli

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/loopback"
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
move under minimum and maximum percent, targets that drain, messages that come again. It speaks the AWS protocols, and refuses what AWS's
own model of a request does not allow, so the AWS CLI and the SDKs work with it. The Lambda functions of a world file run as processes on
this machine, with the Lambda Runtime API; their output goes to standard error. What clients ask for that it does not have is named there
at the end, and under GET /_sim/missed.

Always give clients the endpoint explicitly: some ignore the environment variables and would call AWS.`,
		Example: `  ebb sim
  ebb sim --world my-world.yaml --speed 60      # a minute a second; start the controller with: ebb serve --clock http://127.0.0.1:4599
  ebb sim --policy ebb=policy.json              # callers with the access key ebb may do only what the policy allows`,
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:4599", "address to listen on")
	c.Flags().StringVar(&file, "world", "", "world file (YAML); without it: cluster demo, group demo-asg, services web and api, queue ebb")
	c.Flags().Float64Var(&speed, "speed", 1, "seconds of the world per second; 0: it stands still until POST /_sim/advance, and throttles nobody")
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
		s.Greet(p.Stdout)
		<-cmd.Context().Done()
		for _, name := range slices.Sorted(maps.Keys(s.API.Missed())) {
			fmt.Fprintf(p.Stderr, "a client asked for %s, which the simulated cloud does not have\n", name)
		}
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

// startSim listens, builds the world and lets its clock run.
func startSim(spec sim.Spec, listen string, speed float64) (*loopback.Cloud, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		todo := "write an address of this machine, like --listen 127.0.0.1:4599"
		if errors.Is(err, syscall.EADDRINUSE) {
			todo = "is another ebb sim running? choose another address, or --listen 127.0.0.1:0 for any that is free"
		}
		return nil, fmt.Errorf("listen on %s: %w; %s", listen, err, todo)
	}
	c, err := loopback.Serve(l, spec, speed)
	return c, misconfigured(err)
}
