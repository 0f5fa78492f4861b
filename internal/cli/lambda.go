package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/metrics"
	"github.com/ebbhq/ebb/internal/source/lambda"
)

// runtimeAPI is where Lambda tells a function where to fetch its invocations.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

func newLambda(p Process) *cobra.Command {
	var clockURL string
	c := &cobra.Command{
		Use: "lambda", Short: "Run as an AWS Lambda function: one pass per invocation", Args: noArgs,
		Long: `Lambda is Ebb as a function. It is invoked by an event source mapping on its queue, by rules of EventBridge, by topics or by
lifecycle hooks, and once a minute by a schedule, which is its sweep and its clock. Each invocation goes as far as it can without
waiting, keeps in the DynamoDB journal what the next one has to know, and ends. Where many are invoked at once, one works for a
cluster and the others forward to it what they heard.

Hooks of its groups need a heartbeat timeout of at least ` + drain.ShortestFor(kernel.Tick).String() + `: what looks once a minute
cannot keep a shorter one alive.

As bootstrap of a function ebb needs no argument: it does this by itself. ebb init writes a template that sets everything up.`,
		Example: `  EBB_CONFIG_TEXT='...' ebb lambda     # where ` + runtimeAPI + ` is set`,
	}
	addSettings(c, "config", "region", "endpoint", "journal")
	c.Flag("config").Usage += "; a function has it in $EBB_CONFIG_TEXT"
	c.Flag("journal").Usage = "dynamodb://TABLE ($EBB_JOURNAL)"
	c.Flags().StringVar(&clockURL, "clock", "", "follow the clock of a simulated cloud at this URL ($EBB_CLOCK)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if p.Env(runtimeAPI) == "" {
			return fmt.Errorf("%w: ebb lambda runs in AWS Lambda, which sets %s; on a machine of your own run ebb serve", errUsage, runtimeAPI)
		}
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		if err := cfg.Invoked(); err != nil {
			return err
		}
		awsCfg, err := cloud.AWSConfig(cmd.Context(), cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
		if err != nil {
			return misconfigured(err)
		}
		store, err := openJournal(cmd.Context(), cfg, awsCfg, logger(p, cfg.LogLevel, "json"))
		if err != nil {
			return err
		}
		handle, err := Function(cmd.Context(), p, cfg, awsCfg, store, cmp.Or(clockURL, p.Env("EBB_CLOCK")))
		if err != nil {
			return err
		}
		runtime.StartWithOptions(handle, runtime.WithContext(cmd.Context()))
		return errors.New("the Lambda runtime API does not answer any more") // it returns when there is nothing to wait for
	}
	return c
}

// Handler handles one invocation of the function.
type Handler = func(context.Context, json.RawMessage) (any, error)

// Function is what ebb lambda does with each invocation, on a journal that is open already. With a clock URL it follows the clock of a
// simulated cloud; the error is that there is none.
func Function(
	ctx context.Context, p Process, cfg config.Config, awsCfg aws.Config, store journal.Store, clockURL string,
) (Handler, error) {
	log := logger(p, cfg.LogLevel, "json")
	now, _, err := clockAt(ctx, clockURL)
	if err != nil {
		return nil, err
	}
	meter := metrics.New(versionText(), time.Now)
	awsCfg = cloud.Counted(awsCfg, meter.Called)
	world := cloud.FromConfig(awsCfg)
	world.CountPlain(meter.Called)
	warnOfClusters(ctx, world, cfg, log)
	teller, routes, err := people(p, cfg, awsCfg)
	if err != nil {
		return nil, err
	}
	k := kernelConfig(cfg, true) // what is not understood fails, and Lambda or the queue keeps it
	k.Routes = routes
	f := engine.NewFunction(engine.Config{
		Kernel: k, Store: store, Cloud: world, Me: engine.Name(), Teller: teller, Why: whyStuck(cfg, awsCfg, store, now),
		Now: now, Log: log, OnLine: logLines(log), Meter: meter,
	})
	return func(ctx context.Context, payload json.RawMessage) (any, error) {
		in := lambda.Parse(payload)
		verdicts, err := f.Pass(ctx, in.Messages, in.Clock)
		if err != nil {
			log.Error("the pass was broken off; the next one goes on", "err", err)
		}
		if cfg.Metrics == config.EMF {
			if text, err := meter.Line(cfg.Hook); err == nil {
				_, _ = p.Stdout.Write(text) // to CloudWatch Logs; without metrics drains go on
			}
		}
		return in.Reply(taken(verdicts, log), err)
	}, nil
}

// taken says which messages need not come again.
func taken(verdicts []kernel.Verdict, log *slog.Logger) map[string]bool {
	t := map[string]bool{}
	for _, v := range verdicts {
		t[v.Message] = v.Delete
		switch {
		case !v.Delete:
			log.Warn("message left to the queue", "message", v.Message, "why", v.Why)
		case v.Why != "":
			log.Debug("message acknowledged", "message", v.Message, "kind", v.Kind, "why", v.Why)
		}
	}
	return t
}
