package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
)

// writeFiles writes new files. It shows how an existing file would change, and writes it only if the user agrees: nothing that somebody may
// have edited is written over without a word.
func writeFiles(p Process, dir string, files []file, yes bool) error {
	var fresh, changed []file
	for _, f := range files {
		was, there, err := f.read(dir)
		switch {
		case err != nil:
			return fmt.Errorf("read %s, to see what would change: %w", filepath.Join(dir, f.name), err)
		case !there:
			fresh = append(fresh, f)
		case was == f.text:
			fmt.Fprintf(p.Stderr, "%s is up to date\n", filepath.Join(dir, f.name))
		default:
			changed = append(changed, f)
			if _, err := p.Stdout.Write(diff.Diff(f.name, []byte(was), f.name+" (new)", []byte(f.text))); err != nil {
				return err
			}
		}
	}
	if len(changed) > 0 && !yes && !agreed(p) {
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

// agreed asks on a terminal. Without one the answer is no.
func agreed(p Process) bool {
	in, ok := p.Stdin.(*os.File)
	if !ok {
		return false
	}
	if info, err := in.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	fmt.Fprint(p.Stderr, "write these changes? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(answer), "y")
}

// pattern is the rule's: the terminating lifecycle actions of the groups.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (s setup) pattern() string {
	names := make([]string, len(s.groups))
	for i, g := range s.groups {
		names[i] = g.name
	}
	return compact(map[string]any{
		"source": []string{"aws.autoscaling"}, "detail-type": []string{"EC2 Instance-terminate Lifecycle Action"},
		"detail": map[string]any{"AutoScalingGroupName": names},
	})
}

// queuePolicy lets EventBridge send for the rule, and no other sender.
func (s setup) queuePolicy() string {
	return compact(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": s.arn("sqs", s.name),
		"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": s.arn("events", "rule/"+s.name)}},
	}}})
}

// compact spells data in JSON; what is spelt here has nothing that JSON does not know.
func compact(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// aws is a command line of the AWS CLI. Nothing in it has a single quote: the names were checked.
func (s setup) aws(b *strings.Builder, format string, args ...any) {
	at := " --region " + s.region
	if s.endpoint != "" {
		at += " --endpoint-url " + s.endpoint
	}
	fmt.Fprintf(b, "aws"+at+" "+format+"\n", args...)
}

// next are the commands that put Ebb up, for a shell.
func (s setup) next(dir string) string {
	var b strings.Builder
	in := func(name string) string { return filepath.Join(dir, name) }
	if s.shape == shapeServe {
		b.WriteString("# the queue, the rule that feeds it, and last the hooks; docs/aws.md explains each\n")
		s.aws(&b, "sqs create-queue --queue-name %s-dead-letters --attributes MessageRetentionPeriod=1209600", s.name)
		s.aws(&b, "sqs create-queue --queue-name %s --attributes '%s'", s.name, compact(map[string]string{
			"RedrivePolicy": compact(map[string]string{"deadLetterTargetArn": s.arn("sqs", s.name+"-dead-letters"), "maxReceiveCount": "5"}), "Policy": s.queuePolicy(),
		}))
		s.aws(&b, "events put-rule --name %s --event-pattern '%s'", s.name, s.pattern())
		s.aws(&b, "events put-targets --rule %s --targets Id=ebb,Arn=%s", s.name, s.arn("sqs", s.name))
		for _, g := range s.groups {
			s.aws(&b, "autoscaling put-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s --lifecycle-transition %s "+
				"--heartbeat-timeout %d --default-result CONTINUE",
				g.name, drainHook, fleet.TerminatingTransit, int(hookHeartbeat.Seconds()))
		}
		fmt.Fprintf(&b, "# then, with the rights that ebb iam --mode serve --config %s prints:\n# ebb doctor --config %[1]s\n# ebb serve "+
			"--config %[1]s\n", in("ebb.yaml"))
		return b.String()
	}
	if s.shape == shapeLambda {
		b.WriteString("# aws s3 cp dist/ebb-lambda-arm64.zip s3://BUCKET/KEY, and write both into " + in(parametersFile) + "\n")
	}
	s.aws(&b, "cloudformation deploy --stack-name %s --template-file %s --parameter-overrides file://%s --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND",
		s.name, in(s.templateFile()), in(parametersFile))
	fmt.Fprintf(&b, "# ebb doctor --config %s\n", in("ebb.yaml"))
	return b.String()
}

// removal are the commands that take Ebb out, for a shell: the hooks first, because a hook without a listener holds its instance.
func (s setup) removal(seen *inventory.Inventory) string {
	var b strings.Builder
	if s.shape != shapeServe {
		b.WriteString("# the stack deletes its hooks first, and then what listens to them\n")
		s.aws(&b, "cloudformation delete-stack --stack-name %s", s.name)
		s.aws(&b, "cloudformation wait stack-delete-complete --stack-name %s", s.name)
		s.tellTable(&b)
		return b.String()
	}
	b.WriteString("# the hooks first; Auto Scaling completes what waits in them with CONTINUE\n")
	for _, g := range s.groups {
		for _, h := range seen.Group(g.name).Hooks {
			if h.Name == drainHook {
				s.aws(&b, "autoscaling delete-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s", g.name, drainHook)
			}
		}
	}
	s.aws(&b, "events remove-targets --rule %s --ids ebb", s.name)
	s.aws(&b, "events delete-rule --name %s", s.name)
	s.aws(&b, "sqs delete-queue --queue-url %s", s.queueURL(s.name))
	s.aws(&b, "sqs delete-queue --queue-url %s", s.queueURL(s.name+"-dead-letters"))
	b.WriteString("# then stop ebb serve\n")
	s.tellTable(&b)
	return b.String()
}

// tellTable names a journal's table that no stack deletes. It may be another Ebb's too, and has the history: that is for the user to say.
func (s setup) tellTable(b *strings.Builder) {
	if s.tableThere || s.shape == shapeServe && s.table != "" {
		b.WriteString("# and when the history of its drains is no longer needed:\n# ")
		s.aws(b, "dynamodb delete-table --table-name %s", s.table)
	}
}

// tellWaiting names the instances that a removal now would let go undrained.
func (s setup) tellWaiting(w io.Writer, seen *inventory.Inventory) {
	for _, g := range s.groups {
		for _, i := range seen.Group(g.name).Instances {
			if i.State == fleet.TerminatingWait {
				fmt.Fprintf(w, "instance %s of group %s waits in a hook: without the hook it is terminated at once, with what still runs on it; "+
					"wait until ebb status shows nothing open\n", i.ID, g.name)
			}
		}
	}
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
