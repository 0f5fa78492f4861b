package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plain"
)

// The exit codes of ebb doctor, by the worst finding, and that of ebb init --remove.
const (
	exitWarnings = 3
	exitErrors   = 4
	exitWaits    = 5
)

func newDoctor(p Process) *cobra.Command {
	var f lookFlags
	var groups []string
	var least string
	c := &cobra.Command{
		Use: "doctor", Short: "Find what will lose work or hang when capacity leaves", Args: noArgs,
		Long: `Doctor reads clusters, services, Auto Scaling groups, their hooks, queues and rules. It says what will lose work or hang when
an instance is terminated, the impact, and the command that fixes it. It only reads and changes nothing.

What it could not see is a finding of its own (unread, nothing-seen), so that it never ends well without having looked.

With a configuration file it also checks Ebb's configuration against the account. docs/reference/doctor.md lists the checks.

Exit codes: 0 nothing above info; 3 warnings; 4 errors; 1 it could not read the account; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb doctor
  ebb doctor --cluster prod --severity warn
  ebb doctor --config ebb.yaml -o json | jq -r '.[].fix[] | select(.harm == "safe").command'
  ebb doctor --endpoint http://127.0.0.1:4599 --region eu-west-1   # against ebb sim`,
	}
	f.add(c)
	c.Flags().StringSliceVar(&groups, "group", nil, "look at this Auto Scaling group and its clusters only; may be repeated")
	c.Flags().StringVar(&least, "severity", "info", "lowest severity to show: info, warn or error; what could not be seen is always shown")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		severity, err := doctor.ParseSeverity(least)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		cfg, seen, err := f.look(cmd, p, collector.Scope{Clusters: f.clusters, Groups: groups})
		if err != nil {
			return err
		}
		ebb := settingsOf(cfg)
		if len(cfg.Scaling) > 0 {
			only := cfg
			only.Journal = "" // what is remembered changes nothing of what is found
			lines, _, err := scalingNow(cmd.Context(), only, nil, f.clock)
			if err != nil {
				return err
			}
			ebb.Scaled = scaledOf(lines)
		}
		found := findings(&doctor.Input{
			Inventory: &seen, Everything: len(f.clusters) == 0 && len(groups) == 0, Ebb: ebb, At: at(cfg, &seen), Now: seen.At,
		}, severity)
		text := func(found []doctor.Finding) string { return findingsText(found, seen) }
		if err := write(&f, p.Stdout, found, text); err != nil {
			return err
		}
		return verdict(found)
	}
	return c
}

// scaledOf is what the doctor has to know of services that are scaled.
func scaledOf(lines []scaledLine) (all []doctor.Scaled) {
	for _, l := range lines {
		all = append(all, doctor.Scaled{Cluster: l.Cluster, Service: l.Service, Code: string(l.Code), Why: l.Why, NoAlarms: l.missing})
	}
	return all
}

// findings are what the doctor finds, from a severity on. What could not be seen is never hidden: it may hide a finding of any severity.
func findings(in *doctor.Input, least doctor.Severity) []doctor.Finding {
	return slices.DeleteFunc(doctor.Examine(in), func(f doctor.Finding) bool { return f.Severity < least && !f.Unknown })
}

// settingsOf is the part of a configuration that the doctor checks, or nil without one.
func settingsOf(cfg config.Config) *doctor.Settings {
	if cfg.Queue == "" && len(cfg.Groups)+len(cfg.Clusters)+len(cfg.Scaling) == 0 {
		return nil
	}
	s := &doctor.Settings{Hook: cfg.Hook, Queue: cfg.Queue}
	if cfg.JournalTable() != "" { // without a table it is no function
		s.Shortest = drain.ShortestFor(kernel.Tick)
	}
	for _, g := range cfg.Groups {
		s.Groups = append(s.Groups, doctor.Managed{Match: g.Match, Cluster: g.Cluster, Deadline: g.Deadline})
	}
	for _, c := range cfg.Clusters {
		for _, v := range c.Services {
			if v.TrafficFirst > 0 {
				s.First = append(s.First, doctor.First{Cluster: c.Name, Service: v.Name, Wait: v.TrafficFirst})
			}
		}
		for _, v := range c.StandIns() {
			s.StandIns = append(s.StandIns, doctor.StandIn{Cluster: c.Name, Spot: v.Name, OnDemand: v.OnDemand})
		}
	}
	return s
}

// verdict is the exit code and its line on standard error, or nil where nothing is above info.
func verdict(found []doctor.Finding) error {
	worst, _ := doctor.Worst(found)
	code := map[doctor.Severity]int{doctor.Warn: exitWarnings, doctor.Error: exitErrors}[worst]
	if code == 0 {
		return nil
	}
	return &exitError{code, errors.New(tally(found))}
}

// tally counts findings: "2 errors, 1 warning, 3 notes".
func tally(found []doctor.Finding) string {
	var parts []string
	n := map[doctor.Severity]int{}
	for _, f := range found {
		n[f.Severity]++
	}
	for _, s := range []struct {
		severity doctor.Severity
		word     string
	}{{doctor.Error, "error"}, {doctor.Warn, "warning"}, {doctor.Info, "note"}} {
		if n[s.severity] > 0 {
			parts = append(parts, plain.Count(n[s.severity], s.word))
		}
	}
	return strings.Join(parts, ", ")
}

// unseenText is the first line where not everything was seen; empty where it was.
func unseenText(found []doctor.Finding, seen inventory.Inventory) string {
	switch {
	case doctor.NothingSeen(&seen):
		return "Nothing was seen, so nothing was checked.\n"
	case slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Unknown }):
		return fmt.Sprintf("Not everything was seen: %s could not be read, and may hide more than is found here.\n",
			plain.Count(len(seen.Unread), "part"))
	}
	return ""
}

// inFull is how many findings of one check are shown in full.
const inFull = 3

// findingsText has the findings, which come with the worst first, under a line for each severity. Of many findings of one check
// the first are shown in full, and the others by their subjects.
func findingsText(found []doctor.Finding, seen inventory.Inventory) string {
	over := fmt.Sprintf("%s over %s and %s in %s", plain.Count(len(doctor.Checks()), "check"), plain.Count(len(seen.Clusters), "cluster"),
		plain.Count(len(seen.Groups), "group"), seen.Region)
	if len(found) == 0 {
		return fmt.Sprintf("Nothing was found: %s.\n", over)
	}
	var b strings.Builder
	b.WriteString(unseenText(found, seen))
	for i := 0; i < len(found); {
		if i == 0 || found[i-1].Severity != found[i].Severity {
			fmt.Fprintf(&b, "%s\n", strings.ToUpper(found[i].Severity.String()))
		}
		n := i
		for n < len(found) && found[n].Check == found[i].Check && found[n].Severity == found[i].Severity {
			n++
		}
		writeCheck(&b, found[i:n])
		i = n
	}
	fmt.Fprintf(&b, "%s: %s.\n", tally(found), over)
	return b.String()
}

// writeCheck writes the findings of one check. It repeats the impact only where it differs.
func writeCheck(b *strings.Builder, found []doctor.Finding) {
	var rest []doctor.Finding
	if len(found) > inFull+1 {
		found, rest = found[:inFull], found[inFull:]
	}
	for i, f := range found {
		fmt.Fprintf(b, "  %s: %s\n    %s.\n", f.Check, f.Subject, f.Finding)
		if i == 0 || f.Impact != found[i-1].Impact {
			fmt.Fprintf(b, "    Impact: %s.\n", f.Impact)
		}
		fmt.Fprintf(b, "    Fix:\n%s", f.Text("      "))
	}
	var subjects []string
	for _, f := range rest {
		subjects = append(subjects, f.Subject)
	}
	if len(rest) > 0 {
		fmt.Fprintf(b, "  %s: %d more, in full with -o json: %s\n", rest[0].Check, len(rest), someOf(subjects))
	}
}
