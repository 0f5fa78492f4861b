package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

// lookFlags are the flags of the commands that read the account: why, plan and doctor.
type lookFlags struct {
	clock, output string
	clusters      []string
}

func (f *lookFlags) add(c *cobra.Command) {
	addSettings(c, "config", "region", "endpoint")
	c.Flags().StringSliceVar(&f.clusters, "cluster", nil, "look in this cluster only; may be repeated")
	c.Flags().StringVar(&f.clock, "clock", "", "take the time from a simulated cloud at this URL")
	c.Flags().StringVarP(&f.output, "output", "o", "table", "table, for people, or json")
}

// look reads the configuration, and what is in the scope. The error says what to do.
func (f *lookFlags) look(c *cobra.Command, p Process, scope collector.Scope) (cfg config.Config, seen inventory.Inventory, err error) {
	if f.output != "table" && f.output != "json" {
		return cfg, seen, fmt.Errorf("%w: no output form %q; use table or json", errUsage, f.output)
	}
	if cfg, err = load(c, p); err != nil {
		return cfg, seen, err
	}
	now, _, err := clockAt(c.Context(), f.clock)
	if err != nil {
		return cfg, seen, err
	}
	seen, err = look(c.Context(), cfg, scope, now, p.Stderr)
	return cfg, seen, err
}

// write writes an answer in the form that the flags want; text makes the one for people, of an answer in which what must not be shown is
// spelled.
func write[T any](f *lookFlags, w io.Writer, answer T, text func(T) string) error {
	if f.output == "json" {
		return writeJSON(w, answer)
	}
	plain.Deep(&answer, plain.Long)
	_, err := io.WriteString(w, text(answer))
	return err
}

// look reads what is in a scope, and shows on stderr how far it is, if that is a terminal.
func look(ctx context.Context, cfg config.Config, scope collector.Scope, now func() time.Time, stderr io.Writer) (inventory.Inventory, error) {
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return inventory.Inventory{}, misconfigured(err)
	}
	if cfg.Queue != "" {
		scope.Queues = append(scope.Queues, cfg.Queue)
	}
	s := collector.New(awsCfg)
	s.Now = now
	done := reading(stderr, s)
	seen, err := s.Take(ctx, scope)
	done()
	if away, ok := errors.AsType[net.Error](err); ok && away != nil && cfg.Endpoint != "" {
		return seen, fmt.Errorf("%w; nobody answers at the endpoint %s: is ebb sim running there?", err, cfg.Endpoint)
	}
	return seen, err
}

// wipeLine is what a terminal needs to write over its last line.
const wipeLine = "\r\x1b[K"

// reading shows each second how many requests were sent, until done. In a pipe it says nothing: there a line that is written over is noise.
func reading(stderr io.Writer, s *collector.Collector) (done func()) {
	if !terminal(stderr) {
		return func() {}
	}
	tick, end, ended := time.NewTicker(time.Second), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-tick.C:
				fmt.Fprintf(stderr, "%sreading: %d requests; Ebb keeps below half of what AWS allows the account", wipeLine, s.Sent())
			case <-end:
				if shown {
					fmt.Fprint(stderr, wipeLine)
				}
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// lookFor reads the clusters and groups of targets.
func (f *lookFlags) lookFor(c *cobra.Command, p Process, targets []string) (config.Config, inventory.Inventory, error) {
	return f.look(c, p, f.scope(targets))
}

// scope is what is read for targets. Without a cluster, an instance id is looked for in its group and wherever it is registered, and for
// everything else the whole account is.
func (f *lookFlags) scope(targets []string) collector.Scope {
	scope := collector.Scope{Clusters: f.clusters, Silent: true}
	if len(targets) == 1 && len(f.clusters) == 0 {
		if strings.HasPrefix(targets[0], "i-") {
			scope.Instance = targets[0]
		} else if cluster := clusterOf(targets[0]); cluster != "" {
			scope.Clusters = []string{cluster}
		}
	}
	return scope
}

// clusterOf is the cluster that the ARN of a task or container instance names.
func clusterOf(target string) string {
	if parts := strings.Split(target, "/"); strings.HasPrefix(target, "arn:") && len(parts) == 3 {
		return parts[1]
	}
	return ""
}

// aTarget refuses that there is none.
func aTarget(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: %s needs a target, such as an instance id; see %s --help", errUsage, c.CommandPath(), c.CommandPath())
	}
	return nil
}

// answered makes targets that were not found a failure, after the answer was written.
func answered(err error, missing []string, seen inventory.Inventory) error {
	switch {
	case err != nil || len(missing) == 0:
		return err
	case len(seen.Unread) > 0:
		return fmt.Errorf("%s was not found, and not everything could be read: see the notes", strings.Join(missing, ", "))
	}
	return fmt.Errorf("%s was not found; check the id, the credentials and the Region", strings.Join(missing, ", "))
}

// at is where the commands go that an answer advises.
func at(cfg config.Config, seen *inventory.Inventory) advice.At {
	return advice.At{Region: seen.Region, Endpoint: cfg.Endpoint}
}

// writeJSON writes data in JSON. What must not be shown is escaped, so that the values are what they are, and a terminal shows them safely.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(plain.JSON(b.Bytes()))
	return err
}

// writeJSONLines writes each value as JSON on a line of its own.
func writeJSONLines[T any](w io.Writer, values []T) error {
	for _, v := range values {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n", plain.JSON(line)); err != nil {
			return err
		}
	}
	return nil
}
