package agentcli

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/host"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/steps"
)

// kept is how many bytes are kept of each end of a step's output. A transcript has to fit into a message of a queue.
const kept = 2 << 10

// runner does steps on this host.
type runner struct {
	kinds   map[string]host.Kind
	secrets func(ctx context.Context, where string) (string, error)
	aws     aws.Config
}

// Run does one attempt at a step. When ctx ends before the step, the time of the step was over.
func (r *runner) Run(ctx context.Context, s steps.Start, env map[string]string) steps.End {
	tail := host.NewTail(kept)
	end := steps.End{Step: s.Step, Attempt: s.Attempt, Outcome: steps.OK}
	kind := r.kinds[s.Step]
	err := errors.New("the configuration has no such step any more")
	if kind != nil {
		err = kind.Run(ctx, r.job(s, env, tail))
	}
	end.At, end.Text = time.Now(), tail.String()
	if err != nil {
		end.Outcome = steps.Failed
		if ctx.Err() != nil {
			end.Outcome = steps.TimedOut
		}
		if end.Text != "" {
			end.Text += "\n"
		}
		end.Text += plain.Text(err.Error(), plain.Long)
	}
	return end
}

func (r *runner) job(s steps.Start, env map[string]string, out *host.Tail) host.Job {
	return host.Job{Step: s.Step, Attempt: s.Attempt, Env: env, Until: s.Until, Out: out, Secrets: r.secrets, AWS: r.aws}
}
