// Package cli is the command line: one file per command, each wiring the packages that do the work.
//
// It never decides about a drain, and never prints anything but data on standard output.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/plain"
)

// The exit codes. 78 is EX_CONFIG, which systemd knows: a service that exits with it need not be restarted.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 64
	ExitConfig = 78
)

// Process is what a command has of the process it runs in.
type Process struct {
	Stdin          io.Reader // nil: there is no terminal to ask on
	Stdout, Stderr io.Writer
	Env            func(string) string
}

// exitError carries an exit code with an error.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// misconfigured is an error that a restart cannot heal; nil stays nil.
func misconfigured(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{ExitConfig, err}
}

// Main runs the command line and returns the exit code. An interrupt or a SIGTERM ends the command's context.
func Main(ctx context.Context, args []string, p Process) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 && p.Env(runtimeAPI) != "" {
		args = []string{"lambda"} // Lambda starts bootstrap without arguments
	}
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	fmt.Fprintln(p.Stderr, plain.Lines(prefixed(err), plain.Long))
	if coded, ok := errors.AsType[*exitError](err); ok {
		return coded.code
	}
	if _, wrong := errors.AsType[*config.Error](err); wrong {
		return ExitConfig
	}
	return ExitFailed
}

// prefixed names the program in front of an error of one line; one of several lines, such as the problems of a configuration file,
// speaks for itself.
func prefixed(err error) string {
	text := err.Error()
	if strings.Contains(text, "\n") {
		return text
	}
	return "ebb: " + text
}

var errUsage = &exitError{ExitUsage, errors.New("usage")}

func newRoot(p Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "ebb",
		Short: "Take Amazon ECS and EC2 Auto Scaling capacity out of service without dropping work",
		Long: `Ebb drains ECS container instances that EC2 Auto Scaling is about to terminate: it sets them to DRAINING, waits until every
task has really stopped, and completes the lifecycle hook. Nothing hangs: each drain has a deadline, and Ebb recognises dead and
lost hosts.

Try it without an account:  ebb demo`,
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true,
		Args: aCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, c.CommandPath())
	})
	root.AddCommand(
		newCancel(p), newDemo(p), newDoctor(p), newDrain(p), newHistory(p), newIAM(p), newLambda(p), newInit(p), newNotify(p), newPause(p), newPlan(p), newResume(p),
		newServe(p), newSim(p), newStatus(p), newStory(p), newVersion(p), newWhy(p),
	)
	return root
}

// aCommand refuses what is no command; without any the help is printed.
func aCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return fmt.Errorf("%w: there is no command %q%s; see ebb --help", errUsage, args[0], hint)
}

// noArgs refuses arguments in the words of the other usage errors.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %s takes no argument %q; see %s --help", errUsage, c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

// settings says what the flags mean that the configuration has a key for, but for config itself.
var settings = map[string]string{
	"config":     "Ebb's configuration file ($EBB_CONFIG)",
	"queue":      "URL of the SQS queue ($EBB_QUEUE)",
	"region":     "AWS Region ($EBB_REGION, $AWS_REGION)",
	"endpoint":   "URL for all AWS calls, such as a simulated cloud ($EBB_ENDPOINT, $AWS_ENDPOINT_URL)",
	"journal":    "sqlite:///absolute/path, dynamodb://TABLE or memory: ($EBB_JOURNAL)",
	"admin":      "address that answers /metrics, /livez and /readyz, such as 127.0.0.1:9092 ($EBB_ADMIN); left out, none does",
	"log-level":  "debug, info, warn or error",
	"log-format": "text or json",
}

// addSettings gives a command some of the flags in settings.
func addSettings(c *cobra.Command, names ...string) {
	for _, name := range names {
		c.Flags().StringP(name, map[string]string{"config": "c"}[name], "", settings[name])
	}
}

// load reads the configuration. What the flags in settings say overrides it.
func load(c *cobra.Command, p Process) (config.Config, error) {
	over := map[string]string{}
	for name := range settings {
		if f := c.Flag(name); f != nil {
			over[strings.ReplaceAll(name, "-", "_")] = f.Value.String()
		}
	}
	return config.Load(over["config"], p.Env, over)
}

// terminal reports whether a stream is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// shown spells what must not be shown in a value that is logged: names and messages come from outside.
func shown(_ []string, a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(plain.Text(v.String(), plain.Long))
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			a.Value = slog.StringValue(plain.Text(x.Error(), plain.Long))
		case *slog.Source:
		default:
			a.Value = slog.StringValue(plain.Text(fmt.Sprint(x), plain.Long))
		}
	}
	a.Key = plain.Text(a.Key, plain.Short)
	return a
}

// logger writes to standard error, as text for people or as JSON lines.
func logger(p Process, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // config has checked it
	o := &slog.HandlerOptions{Level: l, ReplaceAttr: shown}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, o))
}
