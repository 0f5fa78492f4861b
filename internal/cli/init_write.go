package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// file is a file to be written.
type file struct{ name, text string }

// writeFiles writes new files. It shows how an existing file would change, and writes it only if the user agrees: nothing that somebody may
// have edited is written over without a word.
func writeFiles(p Process, dir string, files []file, yes bool) error {
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
			if _, err := p.Stdout.Write(diff.Diff(f.name, was, f.name+" (new)", []byte(f.text))); err != nil {
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
	if !terminal(p.Stdin) {
		return false
	}
	fmt.Fprint(p.Stderr, "write these changes? [y/N] ")
	answer, err := bufio.NewReader(p.Stdin).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(answer), "y")
}

// pattern is the rule's: the terminating lifecycle actions of the groups.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (s setup) pattern() string {
	return compact(map[string]any{
		"source": []string{"aws.autoscaling"}, "detail-type": []string{"EC2 Instance-terminate Lifecycle Action"},
		"detail": map[string]any{"AutoScalingGroupName": s.groups},
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
func (s setup) aws(format string, args ...any) string {
	at := " --region " + s.region
	if s.endpoint != "" {
		at += " --endpoint-url " + s.endpoint
	}
	return fmt.Sprintf("aws"+at+" "+format+"\n", args...)
}

// next are the commands that put Ebb up, for a shell.
func (s setup) next(dir string) string {
	in := func(name string) string { return filepath.Join(dir, name) }
	if s.shape != shapeServe {
		code := ""
		if s.shape == shapeLambda {
			code = "# aws s3 cp dist/ebb-lambda-arm64.zip s3://BUCKET/KEY, and write both into " + in(parametersFile) + "\n"
		}
		return code + s.aws("cloudformation deploy --stack-name %s --template-file %s --parameter-overrides file://%s "+
			"--capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND", s.name, in(s.templateFile()), in(parametersFile)) +
			fmt.Sprintf("# ebb doctor --config %s\n", in("ebb.yaml"))
	}
	redrive := compact(map[string]string{"deadLetterTargetArn": s.arn("sqs", s.name+"-dead-letters"), "maxReceiveCount": "5"})
	attributes := compact(map[string]string{"RedrivePolicy": redrive, "Policy": s.queuePolicy()})
	text := "# the queue, the rule that feeds it, and last the hooks; docs/aws.md explains each\n" +
		s.aws("sqs create-queue --queue-name %s-dead-letters --attributes MessageRetentionPeriod=1209600", s.name) +
		s.aws("sqs create-queue --queue-name %s --attributes '%s'", s.name, attributes) +
		s.aws("events put-rule --name %s --event-pattern '%s'", s.name, s.pattern()) +
		s.aws("events put-targets --rule %s --targets Id=ebb,Arn=%s", s.name, s.arn("sqs", s.name))
	for _, name := range s.groups {
		text += s.aws("autoscaling put-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s --lifecycle-transition %s "+
			"--heartbeat-timeout %d --default-result CONTINUE", name, drainHook, fleet.TerminatingTransit, int(hookHeartbeat.Seconds()))
	}
	return text + fmt.Sprintf("# then, with the rights that ebb iam --mode serve --config %s prints:\n# ebb doctor --config %[1]s\n# ebb serve "+
		"--config %[1]s\n", in("ebb.yaml"))
}

// removal are the commands that take Ebb out, for a shell: the hooks first, because a hook without a listener holds its instance.
func (s setup) removal(seen *inventory.Inventory) string {
	if s.shape != shapeServe {
		return "# the stack deletes its hooks first, and then what listens to them\n" +
			s.aws("cloudformation delete-stack --stack-name %s", s.name) +
			s.aws("cloudformation wait stack-delete-complete --stack-name %s", s.name) + s.tableLeft()
	}
	text := "# the hooks first; Auto Scaling completes what waits in them with CONTINUE\n"
	for _, name := range s.groups {
		for _, h := range seen.Group(name).Hooks {
			if h.Name == drainHook {
				text += s.aws("autoscaling delete-lifecycle-hook --auto-scaling-group-name %s --lifecycle-hook-name %s", name, drainHook)
			}
		}
	}
	return text + s.aws("events remove-targets --rule %s --ids ebb", s.name) +
		s.aws("events delete-rule --name %s", s.name) +
		s.aws("sqs delete-queue --queue-url %s", s.queueURL(s.name)) +
		s.aws("sqs delete-queue --queue-url %s", s.queueURL(s.name+"-dead-letters")) +
		"# then stop ebb serve\n" + s.tableLeft()
}

// tableLeft names a journal's table that no stack deletes. It may be another Ebb's too, and has the history: that is for the user to say.
func (s setup) tableLeft() string {
	if !s.createTable && (s.shape != shapeServe || s.table == "") {
		return ""
	}
	return "# and when the history of its drains is no longer needed:\n# " + s.aws("dynamodb delete-table --table-name %s", s.table)
}

// tellWaiting names the instances that a removal now would let go undrained.
func (s setup) tellWaiting(w io.Writer, seen *inventory.Inventory) {
	for _, name := range s.groups {
		for _, i := range seen.Group(name).Instances {
			if i.State == fleet.TerminatingWait {
				fmt.Fprintf(w, "instance %s of group %s waits in a hook: without the hook it is terminated at once, with what still runs on it; "+
					"wait until ebb status shows nothing open\n", i.ID, name)
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
