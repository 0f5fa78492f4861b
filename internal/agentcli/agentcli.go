// Package agentcli is the command line of ebb-agent: it reads the configuration, and wires the agent to the host that it runs on.
//
// It never decides which step runs.
package agentcli

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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/notify"
	"github.com/ebbhq/ebb/internal/plain"
)

// Process is what a command has of the process it runs in.
type Process struct {
	Stdout, Stderr io.Writer
	Env            func(string) string
}

// exitConfig is EX_CONFIG, which systemd knows: a service that exits with it need not be restarted.
const exitConfig = 78

// errConfig marks what a restart cannot heal.
var errConfig = errors.New("configuration")

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, p Process) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errConfig):
		fmt.Fprintln(p.Stderr, "ebb-agent:", plain.Lines(strings.TrimPrefix(err.Error(), errConfig.Error()+": "), plain.Long))
		return exitConfig
	}
	fmt.Fprintln(p.Stderr, "ebb-agent:", plain.Lines(err.Error(), plain.Long))
	return 1
}

// options are the flags that all commands have.
type options struct {
	Process
	config string
	debug  bool
}

func newRoot(p Process) *cobra.Command {
	o := &options{Process: p}
	root := &cobra.Command{
		Use: "ebb-agent", Short: "Do what is to be done on a host before it leaves its Auto Scaling group",
		Long: `ebb-agent runs on each host of an Auto Scaling group. It hears from the instance metadata service that the host is to leave, does the
steps of its configuration one after the other, sends heartbeats meanwhile, and then answers the lifecycle hook that is its own.

It answers no hook that has another name, and none when it is stopped, upgraded or uninstalled.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.PersistentFlags().StringVarP(&o.config, "config", "c", defaultFile, "the configuration")
	root.PersistentFlags().BoolVar(&o.debug, "debug", false, "log more")
	root.AddCommand(newRun(o), newCheck(o), newStatus(o), newVersion(o))
	return root
}

func (o *options) log() *slog.Logger {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(o.Stderr, &slog.HandlerOptions{Level: level}))
}

// onHost is the configuration with what the host says of itself.
type onHost struct {
	settings
	who     agent.Who
	imds    *agent.IMDS
	aws     aws.Config
	secrets *notify.Secrets
	runner  *runner
}

// load reads the configuration, and asks the instance metadata service who the host is.
func (o *options) load(ctx context.Context) (h onHost, err error) {
	if h.settings, err = read(o.config); err != nil {
		return h, fmt.Errorf("%w: %w", errConfig, err)
	}
	h.imds = agent.NewIMDS(h.IMDS)
	if h.who, err = h.imds.Self(ctx); err != nil {
		return h, fmt.Errorf("%w; the agent has to run on an EC2 instance whose metadata service is on (if it runs in a container, the instance "+
			"needs a hop limit of 2: aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2)", err)
	}
	if h.Region == "" {
		h.Region = h.who.Region
	}
	h.plan.Instance = fleet.InstanceID(h.who.Instance)
	h.aws = o.awsConfig(h.Region, h.Endpoint, h.IMDS)
	if _, err := h.aws.Credentials.Retrieve(ctx); err != nil {
		return h, fmt.Errorf("get the credentials of the role of this instance: %w; give the instance an instance profile", err)
	}
	h.secrets = notify.NewSecrets(o.Env, h.aws)
	h.runner = &runner{kinds: h.kinds, secrets: h.secrets.Read, aws: h.aws}
	return h, nil
}

// boot is the id of this boot of the host.
func boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(id))
}

// whenReady loads until the metadata service answers: at boot it may not yet.
func (o *options) whenReady(ctx context.Context, log *slog.Logger) (onHost, error) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		h, err := o.load(ctx)
		if err == nil || errors.Is(err, errConfig) || ctx.Err() != nil {
			return h, err
		}
		log.Error("the agent cannot start yet; it tries again", "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return h, ctx.Err()
		case <-time.After(wait):
		}
	}
}
