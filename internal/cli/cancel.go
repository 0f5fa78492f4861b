package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

func newCancel(p Process) *cobra.Command {
	var f lookFlags
	c := &cobra.Command{
		Use: "cancel TARGET...", Short: "Take back what ebb drain asked for: set container instances ACTIVE again", Args: aTarget,
		Long: `Cancel removes the attribute ` + fleet.WordAttribute + ` that ebb drain has put on a container instance, and sets it ACTIVE. An ebb serve ends its
drain and does not set it DRAINING again. Tasks that have left do not come back by themselves; ECS places new ones as it needs.

It refuses once Auto Scaling terminates the instance, because that cannot be taken back, and where ebb drain has asked for nothing: then
somebody else has set it DRAINING.

TARGET is an EC2 instance id, a container instance, or the name of an Auto Scaling group for all its instances.

Exit codes: 0 it is done; 1 it could not do it; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb cancel i-0a1b2c3d4e5f60718
  ebb cancel i-0a1b2c3d4e5f60718 --config ebb.yaml   # ebb serve hears of it at once`,
	}
	addSettings(c, "config", "region", "endpoint", "journal")
	c.Flags().StringSliceVar(&f.clusters, "cluster", nil, "look in this cluster only; may be repeated")
	c.Flags().StringVar(&f.clock, "clock", "", "take the time from a simulated cloud at this URL")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		f.output = "table"
		cfg, seen, err := f.lookFor(cmd, p, args)
		if err != nil {
			return err
		}
		hosts, err := hostsOf(&seen, p, args)
		if err != nil {
			return err
		}
		awsCfg, err := cloud.AWSConfig(cmd.Context(), cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
		if err != nil {
			return misconfigured(err)
		}
		now, speed, err := clockAt(cmd.Context(), f.clock)
		if err != nil {
			return err
		}
		o := &order{cfg: cfg, p: p, cloud: cloud.FromConfig(awsCfg), now: now, speed: speed, remark: kernel.Remark{By: operator(p)}}
		o.line = func(words []string, more ...string) string { return commandLine(cmd, p, cfg, words, more...) }
		for _, h := range hosts {
			o.add(&seen, h)
		}
		if err := o.find(cmd.Context()); err != nil {
			fmt.Fprintf(p.Stderr, "the journal cannot be read (%v); an ebb serve sees by itself what is taken back\n", err)
		}
		defer func() { _ = o.close() }()
		var all error
		for i, h := range hosts {
			all = errors.Join(all, cancel(cmd.Context(), o, &seen, h, o.scopes[i]))
		}
		return all
	}
	return c
}

func cancel(ctx context.Context, o *order, seen *inventory.Inventory, h *inventory.Host, scope string) error {
	g, i := seen.Member(h.Instance)
	switch {
	case i != nil && isLeaving(i.State):
		return fmt.Errorf("%s cannot be kept: Auto Scaling terminates it, and group %s says %s", h.Instance, g.Name, i.State)
	case h.Word == fleet.Word{} && h.BadWord == "" && h.Status == fleet.Draining:
		return fmt.Errorf("%s is DRAINING, but ebb drain has not asked for it: the attribute %s is not on it; what is known of it says: %s",
			h.Instance, fleet.WordAttribute, o.line([]string{"why", string(h.Instance)}))
	case h.Word == fleet.Word{} && h.BadWord == "":
		return fmt.Errorf("ebb drain has asked for nothing: the attribute %s is not on %s, which is %s", fleet.WordAttribute, h.Instance, h.Status)
	}
	if err := o.cloud.Unsay(ctx, h.ContainerInstance); err != nil {
		set := at(o.cfg, seen).SetState(h.Cluster, string(h.ARN), fleet.Active)
		return fmt.Errorf("take back the word on %s: %w; it may be DRAINING still: run the command again. If that says that ebb drain has not "+
			"asked for it, run: %s", h.Instance, err, set.Line())
	}
	fmt.Fprintf(o.p.Stdout, "%s is ACTIVE, and ebb drain asks for nothing any more\n", h.Instance)
	if o.store == nil {
		return nil // an Ebb that works sees it by itself: each look of a drain reads the attribute
	}
	r := o.remark
	r.Instance, r.Cluster = h.Instance, h.Cluster
	who := journal.Line{At: o.now(), Kind: "word", Text: plain.Text(r.By, plain.Short) + " takes back with ebb cancel what was asked for " + string(h.Instance)}
	for _, rec := range o.open {
		if d, err := kernel.Read(rec); err == nil && d.Target == fleet.HostTarget(h.Instance) {
			who.Key = d.Key
			if len(d.Taken) > 0 && h.Status == fleet.Active {
				fmt.Fprintf(o.p.Stderr, "targets on %s were taken out first (traffic_first), and nothing registers them again: Ebb sets it DRAINING all the same, "+
					"so that ECS replaces their tasks, and lets go of it then\n", h.Instance)
			}
		}
	}
	if err := o.store.Write(ctx, journal.Batch{Lines: []journal.Line{who}, Forwarded: []journal.Forwarded{r.Say(scope, o.now())}}); err != nil {
		fmt.Fprintf(o.p.Stderr, "%s could not be told in the journal (%v); it sees that within a minute\n", o.works, err)
	}
	return nil
}
