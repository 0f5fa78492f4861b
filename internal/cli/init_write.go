package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
	"github.com/ebbhq/ebb/internal/plain"
)

// file is a file to be written.
type file struct{ name, text string }

// writeFiles writes new files. It shows how an existing file would change, and writes it only if the user agrees: nothing that somebody may
// have edited is written over without a word.
func writeFiles(ctx context.Context, p Process, dir string, files []file, yes bool) error {
	var fresh, changed []file
	for _, f := range files {
		name := filepath.Join(dir, f.name)
		was, err := os.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fresh = append(fresh, f)
		case err != nil:
			return fmt.Errorf("read %s, to see what would change: %w", name, err)
		case string(was) == f.text:
			fmt.Fprintf(p.Stderr, "%s is up to date\n", name)
		default:
			changed = append(changed, f)
			fmt.Fprint(p.Stderr, plain.Lines(string(diff.Diff(f.name, was, f.name+" (new)", []byte(f.text))), plain.Long))
		}
	}
	if len(changed) > 0 && !yes && !agreed(ctx, p, "write these changes? [y/N] ") {
		return errors.New("nothing was written, because files would change as shown above; write them with --yes, or move them away")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for the files: %w; give another with --dir", err)
	}
	for _, f := range append(fresh, changed...) {
		name := filepath.Join(dir, f.name)
		if err := os.WriteFile(name, []byte(f.text), 0o644); err != nil {
			return fmt.Errorf("write a file: %w; give another directory with --dir", err)
		}
		fmt.Fprintf(p.Stderr, "wrote %s\n", name)
	}
	return nil
}

// rule is one of EventBridge that feeds the queue, where no stack makes it.
type rule struct{ name, pattern string }

// rules are for the terminating lifecycle actions of the groups, for what EC2 tells of instances, which names no group, for the notices of tasks on
// Fargate Spot, and for what AWS has scheduled. A notice of a task may have one of two stop codes, or none:
// https://github.com/aws/containers-roadmap/issues/1565
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func (s setup) rules() (all []rule) {
	if len(s.groups) > 0 {
		all = append(all, rule{s.name, compact(map[string]any{
			"source": []string{"aws.autoscaling"}, "detail-type": []string{"EC2 Instance-terminate Lifecycle Action"},
			"detail": map[string]any{"AutoScalingGroupName": s.groups},
		})}, rule{s.name + "-spot", compact(map[string]any{
			"source":      []string{"aws.ec2"},
			"detail-type": []string{"EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"},
		})}, rule{s.name + "-ended-instance", compact(map[string]any{
			"source": []string{"aws.ec2"}, "detail-type": []string{"EC2 Instance State-change Notification"},
			"detail": map[string]any{"state": []string{"stopping", "shutting-down"}},
		})})
	}
	var clusters []string
	for _, name := range s.fargate {
		clusters = append(clusters, s.arn("ecs", "cluster/"+name))
	}
	if len(clusters) > 0 {
		all = append(all, rule{s.name + "-fargate-spot", compact(map[string]any{
			"source": []string{"aws.ecs"}, "detail-type": []string{"ECS Task State Change"},
			"detail": map[string]any{
				"clusterArn": clusters, "desiredStatus": []string{"STOPPED"}, "lastStatus": []string{"RUNNING"},
				"stopCode": []any{"SpotInterruption", "TerminationNotice", map[string]bool{"exists": false}},
			},
		})})
	}
	return append(all, rule{s.name + "-scheduled-change", compact(map[string]any{
		"source": []string{"aws.health"}, "detail-type": []string{"AWS Health Event"},
		"detail": map[string]any{"service": []string{"EC2", "ECS"}, "eventTypeCategory": []string{"scheduledChange"}},
	})})
}

// queuePolicy lets EventBridge send for the rules, and no other sender.
func (s setup) queuePolicy() string {
	var from []string
	for _, r := range s.rules() {
		from = append(from, s.arn("events", "rule/"+r.name))
	}
	for _, v := range s.services {
		from = append(from, s.arn("events", "rule/"+v.rule(s.name)))
	}
	return compact(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": s.arn("sqs", s.name),
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": from}},
	}}})
}

// compact spells data in JSON; what is spelt here has nothing that JSON does not know.
func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// script is what a shell runs: commands, and comments that end with a newline.
type script struct{ strings.Builder }

func (s *script) run(c advice.Command) {
	line := c.Line()
	if line == "" { // a name of a file that cannot be written down
		line = "exit 1"
	}
	fmt.Fprintln(s, line)
}

func (s *script) comment(format string, args ...any) {
	fmt.Fprintf(s, "# %s\n", plain.Text(fmt.Sprintf(format, args...), plain.Long))
}

func (s setup) at() advice.At { return advice.At{Region: s.region, Endpoint: s.endpoint} }

// next are the commands that put Ebb up, for a shell.
func (s setup) next(dir string) string {
	in := func(name string) string { return filepath.Join(dir, name) }
	config := advice.Quote(in("ebb.yaml"))
	var out script
	if s.shape != shapeServe {
		if s.shape == shapeLambda {
			out.comment("aws s3 cp dist/ebb-lambda-arm64.zip s3://BUCKET/KEY, and write both into %s", in(parametersFile))
		}
		out.run(s.at().Deploy(s.name, in(s.templateFile()), in(parametersFile)))
		s.scaleStacks(&out, dir)
		out.comment("ebb doctor --config %s", config)
		s.agentHooks(&out, dir)
		return out.String()
	}
	dead, at, tell := s.name+"-dead-letters", s.at(), s.at().Messaging()
	out.comment("the queue, what feeds it, and last the hooks; docs/aws.md explains each")
	out.run(tell.CreateQueue(dead, map[string]string{"MessageRetentionPeriod": "1209600"}))
	out.run(tell.CreateQueue(s.name, map[string]string{"RedrivePolicy": advice.Redrive(s.arn("sqs", dead)), "Policy": s.queuePolicy()}))
	for _, r := range s.rules() {
		out.run(tell.PutRule(r.name, r.pattern))
		out.run(tell.PutTarget(r.name, s.arn("sqs", s.name)))
	}
	for _, name := range s.groups {
		out.run(at.PutHook(name, drainHook, "--lifecycle-transition", fleet.TerminatingTransit, "--heartbeat-timeout", fmt.Sprint(int(hookHeartbeat.Seconds())),
			"--default-result", "CONTINUE"))
	}
	s.scaleStacks(&out, dir)
	out.comment("then, with the rights that ebb iam --mode serve --config %s prints:", config)
	out.comment("ebb doctor --config %s", config)
	out.comment("ebb serve --config %s", config)
	s.agentHooks(&out, dir)
	return out.String()
}

// removal are the commands that take Ebb out, for a shell: the hooks first, because a hook without a listener holds its instance.
func (s setup) removal(seen *inventory.Inventory) string {
	var out script
	at := s.at()
	s.scaleRemoval(&out)
	for _, name := range s.groups {
		for _, h := range seen.Group(name).Hooks {
			if s.agent && h.Name == drain.AgentHook {
				out.comment("the hook of the agents, then stop them")
				out.run(at.DeleteHook(name, h.Name))
			}
		}
	}
	if s.shape != shapeServe {
		out.comment("the stack deletes its hooks first, and then what listens to them")
		out.run(at.DeleteStack(s.name))
		out.run(at.StackDeleted(s.name))
		s.tableLeft(&out)
		return out.String()
	}
	tell := at.Messaging()
	if len(s.groups) > 0 {
		out.comment("the hooks first; Auto Scaling completes what waits in them with CONTINUE")
	}
	for _, name := range s.groups {
		for _, h := range seen.Group(name).Hooks {
			if h.Name == drainHook {
				out.run(at.DeleteHook(name, drainHook))
			}
		}
	}
	for _, r := range s.rules() {
		out.run(tell.RemoveTarget(r.name))
		out.run(tell.DeleteRule(r.name))
	}
	out.run(tell.DeleteQueue(s.queueURL(s.name)))
	out.run(tell.DeleteQueue(s.queueURL(s.name + "-dead-letters")))
	out.comment("then stop ebb serve")
	s.tableLeft(&out)
	return out.String()
}

// tableLeft names a journal's table that no stack deletes. It may be another Ebb's too, and has the history: that is for the user to say.
func (s setup) tableLeft(out *script) {
	if s.createTable || s.shape == shapeServe && s.table != "" {
		out.comment("and when the history of its drains is no longer needed:")
		out.comment("%s", s.at().DeleteTable(s.table).Line())
	}
}

// waiting names the instances that a removal now would let go undrained: those that wait in a hook, and those that are about to.
func (s setup) waiting(seen *inventory.Inventory) error {
	var all []string
	for _, name := range s.groups {
		for _, i := range seen.Group(name).Instances {
			if i.State.Waiting() || i.State.Leaving() {
				all = append(all, fmt.Sprintf("%s of group %s", i.ID, name))
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &exitError{exitWaits, fmt.Errorf("without its hook an instance that waits in it is terminated at once, with what still runs on it: %s; wait "+
		"until ebb status shows nothing open, or write --force", strings.Join(all, ", "))}
}

// createTable makes the DynamoDB table of a journal, or finds it as it should be.
func createTable(ctx context.Context, p Process, cfg config.Config, table string) error {
	awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		return misconfigured(err)
	}
	if err := dynamodb.Create(ctx, awsCfg, table, dynamodb.Options{Endpoint: p.Env("EBB_DYNAMODB_ENDPOINT")}); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "table %s is there\n", table)
	return nil
}
