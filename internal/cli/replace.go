package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
)

func newReplace(p Process) *cobra.Command {
	var f leaveFlags
	var most time.Duration
	c := &cobra.Command{
		Use: "replace TASK", Short: "Replace one task of a service, with its targets out first", Args: aTarget,
		Long: `Replace takes the targets of TASK out of where they are registered, waits until they have drained, stops TASK, and waits until
ECS has started another. aws ecs stop-task alone lets requests fail that are on their way. It needs no ebb serve, and works for tasks on
Fargate and on container instances. Until the other task is healthy the service has one task less.

TASK is the ARN or the id of a task. Ctrl-C stops TASK at once, so that it does not run on without its targets. If the command is killed in
another way, run it again.

Exit codes: 0 TASK is replaced, and no request of the probe failed; 1 not so; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb replace arn:aws:ecs:eu-west-1:111122223333:task/prod/0123456789abcdef0123456789abcdef
  ebb replace 0123456789abcdef0123456789abcdef --cluster prod --deadline 2m --yes`,
	}
	f.add(c)
	c.Flags().DurationVar(&most, "deadline", 10*time.Minute, "how long its targets are waited for, from 1m to 2h")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return fmt.Errorf("%w: ebb replace takes one task, not also %q", errUsage, args[1])
		case most < shortestDeadline || most > 2*time.Hour:
			return fmt.Errorf("%w: --deadline is %s; it can be from 1m to 2h", errUsage, most)
		}
		o, seen, says, err := f.look(cmd, p, args[0])
		if err != nil {
			return err
		}
		l, err := newLeaving(o, &seen, args[0])
		if err != nil {
			return err
		}
		l.says, l.most = says, most
		l.foresee()
		if l.others() == 0 {
			fmt.Fprintf(p.Stderr, "service %s has no other healthy task: until another is healthy nobody serves its requests\n", l.service.Name)
		}
		goes, err := f.begin(cmd.Context(), l, "replace task "+l.task.ARN.Name()+"?", append([]string{"replace"}, args...))
		if !goes {
			return err
		}
		return l.tell(&f.lookFlags, l.replace(cmd.Context()))
	}
	return c
}

// replace lets an engine of this command's own take the task out and stop it.
func (l *leaving) replace(ctx context.Context) error {
	own, end := memory.New(), l.began.Add(l.most)
	if err := own.Write(ctx, journal.Batch{Records: []journal.Record{kernel.ToStop(l.task.Task, l.host, end, l.began)}}); err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	e := engine.New(engine.Config{
		Kernel: kernel.Config{Hook: l.cfg.Hook}, Store: own, Cloud: l.cloud, Me: engine.Name(), Now: l.now, Speed: l.speed,
		Log: logger(l.p, "error", "text"),
	})
	go func() { _ = e.Run(work) }() // without a store that fails it ends with its context
	err := l.follow(ctx, own, nil, end.Add(replaceWithin))
	switch {
	case ctx.Err() != nil:
		return errors.Join(errors.New("interrupted"), l.stop(ctx, "it is interrupted"))
	case err != nil || l.report.Outcome == drain.NotLeaving || l.report.Outcome == drain.Overdue:
		return err
	}
	if l.drain.Quiet.IsZero() {
		l.late("its targets still drained after %s, when it was stopped: connections that were open then were cut", inventory.Span(l.most))
	}
	return l.replaced(ctx)
}
