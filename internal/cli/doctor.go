package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/surveyor"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/survey"
)

// The exit codes of ebb doctor, by the worst finding.
const (
	exitWarnings = 3
	exitErrors   = 4
)

func newDoctor(p Process) *cobra.Command {
	var file, region, endpoint, clock, output, least string
	var scope surveyor.Scope
	c := &cobra.Command{
		Use: "doctor", Short: "Find what will lose work or hang when capacity leaves", Args: noArgs,
		Long: `Doctor looks at clusters, services, Auto Scaling groups, their hooks, queues and rules, and says what will lose work or hang when an
instance is taken away, what happens if that is left, and the command that mends it. It changes nothing: it only reads.

With a configuration file it also checks that what Ebb is told fits the account. docs/reference/doctor.md lists the checks.

Exit codes: 0 nothing above info, 3 warnings, 4 errors, 1 it could not look.`,
		Example: `  ebb doctor
  ebb doctor --cluster prod --severity warn
  ebb doctor --config ebb.yaml -o json | jq -r '.[].mend'
  ebb doctor --endpoint http://127.0.0.1:4599 --region eu-west-1   # against ebb sim`,
	}
	flags := c.Flags()
	flags.StringSliceVar(&scope.Clusters, "cluster", nil, "only this cluster and its groups; may be repeated")
	flags.StringSliceVar(&scope.Groups, "group", nil, "only this Auto Scaling group and its clusters; may be repeated")
	flags.StringVarP(&file, "config", "c", "", "Ebb's configuration file ($EBB_CONFIG)")
	flags.StringVar(&region, "region", "", "AWS Region ($EBB_REGION, $AWS_REGION)")
	flags.StringVar(&endpoint, "endpoint", "", "URL for all AWS calls, such as a simulated cloud ($EBB_ENDPOINT, $AWS_ENDPOINT_URL)")
	flags.StringVar(&clock, "clock", "", "take the time from a simulated cloud at this URL")
	flags.StringVarP(&output, "output", "o", "table", "table or json")
	flags.StringVar(&least, "severity", "info", "the least that is told: info, warn or error")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		write, ok := doctorForms[output]
		if !ok {
			return fmt.Errorf("%w: no output form %q; use table or json", errUsage, output)
		}
		severity, err := doctor.ParseSeverity(least)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		cfg, err := config.Load(file, p.Env, map[string]string{"region": region, "endpoint": endpoint})
		if err != nil {
			return err
		}
		now, _, err := clockAt(cmd.Context(), clock)
		if err != nil {
			return err
		}
		seen, err := look(cmd.Context(), cfg, scope, now)
		if err != nil {
			return err
		}
		found := doctor.Examine(&doctor.Input{
			Survey: &seen, Everything: len(scope.Clusters) == 0 && len(scope.Groups) == 0, Ebb: settingsOf(cfg), Now: seen.At,
		})
		found = slices.DeleteFunc(found, func(f doctor.Finding) bool { return f.Severity < severity })
		if err := write(p.Stdout, found, seen); err != nil {
			return err
		}
		return verdict(found)
	}
	return c
}

// look surveys an account. The error says what to do.
func look(ctx context.Context, cfg config.Config, scope surveyor.Scope, now func() time.Time) (survey.Survey, error) {
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return survey.Survey{}, misconfigured(err)
	}
	if cfg.Queue != "" {
		scope.Queues = append(scope.Queues, cfg.Queue)
	}
	s := surveyor.New(awsCfg)
	s.Now = now
	seen, err := s.Take(ctx, scope)
	if away, ok := errors.AsType[net.Error](err); ok && away != nil && cfg.Endpoint != "" {
		return seen, fmt.Errorf("%w; nobody answers at the endpoint %s: is ebb sim running there?", err, cfg.Endpoint)
	}
	return seen, err
}

// settingsOf is what a configuration tells Ebb to do, or nil without one.
func settingsOf(cfg config.Config) *doctor.Settings {
	if cfg.Queue == "" && len(cfg.Groups) == 0 {
		return nil
	}
	s := &doctor.Settings{Hook: cfg.Hook, Queue: cfg.Queue}
	for _, g := range cfg.Groups {
		s.Groups = append(s.Groups, doctor.Managed{Match: g.Match, Cluster: g.Cluster, Deadline: g.Deadline})
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
	for _, s := range []struct {
		severity doctor.Severity
		word     string
	}{{doctor.Error, "error"}, {doctor.Warn, "warning"}, {doctor.Info, "note"}} {
		n := 0
		for _, f := range found {
			if f.Severity == s.severity {
				n++
			}
		}
		switch {
		case n == 1:
			parts = append(parts, "1 "+s.word)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s.word))
		}
	}
	return strings.Join(parts, ", ")
}

var doctorForms = map[string]func(io.Writer, []doctor.Finding, survey.Survey) error{
	"table": writeFindings,
	"json": func(w io.Writer, found []doctor.Finding, _ survey.Survey) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(found)
	},
}

// writeFindings writes the findings, which come with the worst first, under a line for each severity.
func writeFindings(w io.Writer, found []doctor.Finding, seen survey.Survey) error {
	over := fmt.Sprintf("%d checks over %d clusters and %d groups in %s", len(doctor.Checks()), len(seen.Clusters), len(seen.Groups), seen.Region)
	if len(found) == 0 {
		_, err := fmt.Fprintf(w, "Nothing was found: %s.\n", over)
		return err
	}
	for i, f := range found {
		if i == 0 || found[i-1].Severity != f.Severity {
			fmt.Fprintf(w, "%s\n", strings.ToUpper(f.Severity.String()))
		}
		fmt.Fprintf(w, "  %s: %s\n    %s.\n    If left: %s.\n    Mend: %s\n", f.Check, f.Subject, f.What, f.IfLeft, f.Mend)
	}
	_, err := fmt.Fprintf(w, "%s: %s.\n", tally(found), over)
	return err
}
