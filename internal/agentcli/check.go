package agentcli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/host"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/steps"
)

func newCheck(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check the configuration, the permissions and what each step needs; nothing is changed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.check(cmd.Context()) },
	}
}

// check says of each thing that the agent needs whether it is there.
func (o *options) check(ctx context.Context) error {
	bad := 0
	say := func(what string, err error) {
		if err != nil {
			bad++
			fmt.Fprintf(o.Stdout, "FAILED  %s: %s\n", what, plain.Lines(err.Error(), plain.Long))
			return
		}
		fmt.Fprintf(o.Stdout, "ok      %s\n", what)
	}
	h, err := o.load(ctx)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("configuration: %d steps, hook %s", len(h.plan.Steps), h.plan.Hook), nil)
	say("instance metadata service: this is "+h.who.Instance+" in "+h.Region, nil)
	_, err = h.imds.Hear(ctx, h.who.Spot, true)
	say("what it says of this host", err)
	aws := cloudOf(h.aws)
	say(h.checkGroup(ctx, aws))
	if h.plan.ECS {
		_, err := (&agent.Introspection{URL: h.ECS.URL}).Read(ctx)
		say("the ECS agent of this host", err)
	}
	for _, s := range h.plan.Steps {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		start := steps.Start{Step: s.Name, Attempt: 1, Until: time.Now().Add(s.Timeout)}
		env := agent.Env(h.plan, steps.State{Cause: steps.Terminate, Group: "check"}, start)
		tail := host.NewTail(kept)
		say("step "+s.Name, h.kinds[s.Name].Check(ctx, h.runner.job(start, env, tail)))
		cancel()
	}
	if bad > 0 {
		return fmt.Errorf("%d of the checks failed", bad)
	}
	return nil
}

// checkGroup looks at the group and its hooks. Heartbeats and answers cannot be tried without an open hook.
func (h *onHost) checkGroup(ctx context.Context, aws *cloud.Cloud) (string, error) {
	what := "Auto Scaling: the hook " + h.plan.Hook
	res := aws.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.GroupInstances, ID: h.who.Instance}))
	if res.Err != nil {
		return what, res.Err
	}
	if len(res.View.GroupInstances) == 0 {
		return what, errors.New("the instance is in no Auto Scaling group, so it has no lifecycle hook")
	}
	group := res.View.GroupInstances[0].Group
	hooks := aws.Look(ctx, plan.LookAt(plan.Subject{Kind: plan.Hooks, In: group}))
	if hooks.Err != nil {
		return what, hooks.Err
	}
	for _, k := range hooks.View.Hooks {
		if k.Name == h.plan.Hook {
			return fmt.Sprintf("%s of group %s, with a heartbeat timeout of %s", what, group, k.Heartbeat), h.fits(ctx, aws)
		}
	}
	return what, fmt.Errorf("group %s has no such hook; make it: aws autoscaling put-lifecycle-hook --region %s --auto-scaling-group-name %s "+
		"--lifecycle-hook-name %s --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 900 --default-result CONTINUE",
		group, h.Region, group, h.plan.Hook)
}
