// Package cli is the command line: one file per command, each wiring the packages that do the work.
//
// It never decides about a drain, and never prints anything but data on standard output.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/plain"
)

// The exit codes. 78 is EX_CONFIG, which systemd knows: a service that exits with it need not be restarted. 75 is EX_TEMPFAIL.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 64
	ExitSlow        = 75 // a demonstration of which the machine was too slow
	ExitConfig      = 78
	ExitInterrupted = 130 // Ctrl-C, whatever the command had to say: 128 and the signal's number, as shells do
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

func (e *exitError) Error() string {
	if e.err == nil {
		return "" // the answer has said everything
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// misconfigured is an error that a restart cannot heal; nil stays nil.
func misconfigured(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{ExitConfig, err}
}

// Main runs the command line and returns the exit code. Ctrl-C or a SIGTERM ends the command's context.
func Main(parent context.Context, args []string, p Process) int {
	interrupt, stop := signal.NotifyContext(parent, os.Interrupt)
	defer stop()
	ctx, stop := signal.NotifyContext(interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 && p.Env(runtimeAPI) != "" {
		args = []string{"lambda"} // Lambda starts bootstrap without arguments
	}
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(p.Stderr, plain.Lines(prefixed(err), plain.Long))
	}
	switch {
	case interrupt.Err() != nil && parent.Err() == nil:
		return ExitInterrupted
	case err == nil:
		return ExitOK
	}
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
		Long: `Ebb lets capacity leave without anybody noticing. Where EC2 Auto Scaling terminates an ECS container instance it sets it DRAINING,
waits until every task has really stopped, and completes the lifecycle hook. Tasks on Fargate Spot leave their target groups before
they stop. ebb-agent does the last steps on a host. And the desired counts of services follow alarms, queues and metrics. Nothing hangs:
each drain has a deadline, and Ebb recognises dead and lost hosts.

Try it without an account:  ebb demo`,
		Version:       versionText(),
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true,
		Args: aCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, c.CommandPath())
	})
	root.SetHelpCommand(newHelp(root))
	root.AddCommand(
		newCancel(p), newConfig(p), newDemo(p), newDoctor(p), newDrain(p), newHistory(p), newIAM(p), newLambda(p), newInit(p), newNotify(p), newPause(p),
		newPlan(p), newRehearse(p), newReplace(p), newResume(p), newScale(p), newServe(p), newSim(p), newSimulate(p), newStandIn(), newStatus(p), newStory(p), newVersion(p),
		newWhy(p),
	)
	return root
}

// newHelp is cobra's help, which takes what is no command for none.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return aCommand(root, args)
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

// aCommand refuses what is no command; without any the help is printed.
func aCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return fmt.Errorf("%w: there is no command %q%s; see %s --help", errUsage, args[0], hint, c.CommandPath())
}

// noArgs refuses arguments in the words of the other usage errors.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %s takes no argument %q; see %s --help", errUsage, c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

// one refuses more than one argument.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%w: %s takes one %s, not also %q; see %s --help", errUsage, c.CommandPath(), what, args[1], c.CommandPath())
		}
		return nil
	}
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

// shared are the flags that another command is given as this one was, if it has them: where to look, and for what.
var shared = []string{"config", "region", "endpoint", "journal", "clock", "cluster"}

// commandLine is a command of ebb for a shell, with what this one was given: all flags if it is the same one, else those in shared that it
// has. Region and endpoint are always in it, wherever they came from, so that it works in another terminal too.
func commandLine(cmd *cobra.Command, p Process, cfg config.Config, words []string, more ...string) string {
	argv := append([]string{"ebb"}, words...)
	other, _, err := cmd.Root().Find(words)
	if err != nil {
		other = cmd // a name of a command that is in no table
	}
	given := map[string]bool{}
	give := func(name, value string) {
		if value != "" && !given[name] && other.Flags().Lookup(name) != nil {
			given[name] = true
			argv = append(argv, "--"+name, value)
		}
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		values, several := flag.Value.(pflag.SliceValue)
		switch {
		case other != cmd && !slices.Contains(shared, flag.Name):
		case flag.Value.Type() == "bool":
			argv, given[flag.Name] = append(argv, "--"+flag.Name+map[string]string{"false": "=false"}[flag.Value.String()]), true
		case several && other.Flags().Lookup(flag.Name) != nil:
			for _, v := range values.GetSlice() {
				argv = append(argv, "--"+flag.Name, v)
			}
		case !several:
			give(flag.Name, flag.Value.String())
		}
	})
	give("config", p.Env("EBB_CONFIG"))
	give("region", cfg.Region)
	give("endpoint", cfg.Endpoint)
	give("journal", p.Env("EBB_JOURNAL"))
	for _, flag := range more {
		if !given[strings.TrimPrefix(flag, "--")] {
			argv = append(argv, flag)
		}
	}
	for i, word := range argv {
		argv[i] = advice.Quote(word)
	}
	return strings.Join(argv, " ")
}

// clockAt returns the clock to work by: the machine's own, or that of a simulated cloud, which may run faster, or stand still with
// speed 0. That is well for one look, and nothing to work by.
func clockAt(ctx context.Context, url string) (now func() time.Time, speed float64, err error) {
	if url == "" {
		return time.Now, 1, nil
	}
	if !strings.Contains(url, "/_sim/") {
		url = strings.TrimSuffix(url, "/") + "/_sim/clock"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, misconfigured(fmt.Errorf("follow the clock at %s: %w; write it like --clock http://127.0.0.1:4599", url, err))
	}
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("follow the clock at %s: %w; is ebb sim running there?", url, err)
	}
	defer res.Body.Close()
	var at struct {
		Now   time.Time
		Speed float64
	}
	if err := json.NewDecoder(res.Body).Decode(&at); err != nil || at.Now.IsZero() {
		return nil, 0, fmt.Errorf("follow the clock at %s: this is not the clock of a simulated cloud; give --clock the URL that ebb sim prints", url)
	}
	began := time.Now()
	return func() time.Time {
		return at.Now.Add(time.Duration(float64(time.Since(began)) * at.Speed))
	}, at.Speed, nil
}
