package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/notify"
	"github.com/ebbhq/ebb/internal/plain"
)

func newNotify(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "notify", Short: "Try how people are told", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newNotifyTest(p))
	return c
}

func newNotifyTest(p Process) *cobra.Command {
	c := &cobra.Command{
		Use: "test [NAME...]", Short: "Send a test notice to the receivers of the configuration",
		Long: `Test sends one notice to each receiver under notify in the configuration, or to those that are named, and says what came of it. It reads
the secrets from where the configuration says that they stand, as ebb serve does, and shows none of them.`,
		Example: `  ebb notify test --config ebb.yaml
  ebb notify test slack --config ebb.yaml`,
	}
	addSettings(c, "config", "region", "endpoint")
	c.RunE = func(cmd *cobra.Command, names []string) error {
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		if len(cfg.Notify) == 0 {
			return misconfigured(errors.New(`the configuration has no receivers; write notify: with at least "- slack: env:SLACK_WEBHOOK_URL"`))
		}
		var known []string
		for _, n := range cfg.Notify {
			known = append(known, n.Name)
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				return fmt.Errorf("%w: no receiver has the name %q; the configuration has %s", errUsage, plain.Text(name, plain.Short), strings.Join(known, ", "))
			}
		}
		awsCfg, err := notifyAWS(cmd.Context(), cfg)
		if err != nil {
			return misconfigured(err)
		}
		teller, _, err := people(p, cfg, awsCfg)
		if err != nil {
			return err
		}
		failed := 0
		for _, name := range known {
			if len(names) > 0 && !slices.Contains(names, name) {
				continue
			}
			if _, err := teller.Tell(cmd.Context(), name, testNotice(p), ""); err != nil {
				failed++
				fmt.Fprintf(p.Stdout, "%s  failed: %s\n", name, plain.Text(err.Error(), plain.Long))
				continue
			}
			fmt.Fprintf(p.Stdout, "%s  sent\n", name)
		}
		if failed > 0 {
			return fmt.Errorf("%d of the receivers did not take the test notice", failed)
		}
		return nil
	}
	return c
}

func testNotice(p Process) notice.Notice {
	now := time.Now()
	return notice.Notice{
		Key: "test/" + now.UTC().Format("20060102T150405.000"), Event: notice.Test, At: now,
		Title: "Test: this is how Ebb tells you", Text: "Sent by " + operator(p) + " with ebb notify test. Nothing has happened.",
	}
}

// notifyAWS is the configuration for receivers and secrets in AWS; where there are none, AWS is not asked for credentials.
func notifyAWS(ctx context.Context, cfg config.Config) (aws.Config, error) {
	inAWS := func(n config.Notify) bool {
		where := n.Slack + n.SlackBot + n.Webhook
		return n.SNS != "" || n.EventBridge != "" || strings.HasPrefix(where, "ssm:") || strings.HasPrefix(where, "secretsmanager:")
	}
	if !slices.ContainsFunc(cfg.Notify, inAWS) {
		return aws.Config{}, nil
	}
	return cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
}

// people are those whom Ebb tells, and the routes to them; nil: nobody is to be told. The error is that of a template.
func people(p Process, cfg config.Config, awsCfg aws.Config) (engine.Teller, []notice.Route, error) {
	if len(cfg.Notify) == 0 {
		return nil, nil, nil
	}
	var all []notify.Route
	var routes []notice.Route
	for _, n := range cfg.Notify {
		r := notify.Route{Route: notice.Route{Name: n.Name, Groups: n.Groups, Digest: n.Digest}, Channel: n.Channel}
		for _, e := range n.Events {
			r.Events = append(r.Events, notice.Event(e))
		}
		switch {
		case n.Slack != "":
			r.Kind, r.To = notify.Slack, n.Slack
		case n.SlackBot != "":
			r.Kind, r.To = notify.SlackBot, n.SlackBot
		case n.SNS != "":
			r.Kind, r.To = notify.SNS, n.SNS
		case n.EventBridge != "":
			r.Kind, r.To = notify.EventBridge, n.EventBridge
		default:
			r.Kind, r.To = notify.Webhook, n.Webhook
			text, err := template(n.Template)
			if err != nil {
				return nil, nil, misconfigured(err)
			}
			r.Template = text
		}
		all, routes = append(all, r), append(routes, r.Route)
	}
	return notify.New(all, notify.NewSecrets(p.Env, awsCfg), cloud.WithTimeout(awsCfg)), routes, nil
}

// template reads and checks the template of a webhook, if there is one.
func template(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the template of a webhook: %w", err)
	}
	if err := notify.CheckTemplate(string(b)); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(b), nil
}

// whyFor is how long one answer may take: a look at a large cluster takes many calls.
const whyFor = 2 * time.Minute

// whyStuck says what keeps an instance, as ebb why does, for people who are told of it, or the tasks of a service from a place.
func whyStuck(cfg config.Config, awsCfg aws.Config, store journal.Store, now func() time.Time) func(context.Context, kernel.Ask) (kernel.Answer, error) {
	look := collector.New(awsCfg)
	look.Now = now
	return func(ctx context.Context, a kernel.Ask) (kernel.Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, whyFor)
		defer cancel()
		scope := collector.Scope{Instance: a.Target.ID, Target: a.Target.ID, Enough: enough, Silent: true}
		if a.Service != "" {
			scope = placesIn(cfg, a.Cluster)
		}
		seen, err := look.Take(ctx, scope)
		if err != nil {
			return kernel.Answer{}, fmt.Errorf("look at the account: %w", err)
		}
		if a.Service != "" {
			return answerOf(place(&seen, nil, cfg, a.Cluster, a.Service, a.Tasks)), nil
		}
		q := diagnose.Question{Target: a.Target.ID, Hook: cfg.Hook, At: at(cfg, &seen), Alone: true, Now: seen.At}
		if _, err := askJournal(ctx, store, nil, cfg, &seen, &q); err != nil {
			return kernel.Answer{}, err
		}
		deadline := time.Time{}
		if q.Ebb != nil {
			deadline = q.Ebb.Deadline
		}
		return kernel.Answer{Blocker: blockerOf(diagnose.Why(&seen, q), deadline)}, nil
	}
}

// blockerOf is the first blocker of a report that does not end by itself before Ebb cuts off what is left, with a command that does no harm;
// none: all goes on by itself.
func blockerOf(r diagnose.Report, deadline time.Time) notice.Blocker {
	for _, b := range r.Blockers {
		late := !deadline.IsZero() && b.Until.After(deadline)
		if b.Ends && !late || b.Code == diagnose.NotFound || b.Code == diagnose.InProgress || b.Code == diagnose.HostGone {
			continue
		}
		out := notice.Blocker{Code: string(b.Code), Text: b.Message}
		for _, f := range b.Fix {
			if f.Harm() == advice.Safe && f.Line() != "" {
				out.Fix = f.Line()
				break
			}
		}
		return out
	}
	return notice.Blocker{}
}
