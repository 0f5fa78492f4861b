// Package scaling writes the page that compares policies of scaling, and holds Ebb to what it promises of queues.
//
// It never speaks to AWS.
package scaling

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/scaling"
)

// pictured are the loads of which there are pictures, with the policies in them.
var pictured = map[string][]string{
	"flash of requests":  {scaling.Recipe, "Application Auto Scaling, steps", "Application Auto Scaling, CPU, 20 s", scaling.EbbMetric, scaling.Oracle},
	"on-off of messages": {scaling.Recipe, "Application Auto Scaling, steps", "KEDA, 37 messages a task", scaling.EbbQueue, scaling.Oracle},
}

// run plays the synthetic loads, or those of a trace, prints the page, and writes it and its pictures to files.
func run(out, trace string, quick bool) error {
	all := scaling.Loads()
	if quick {
		made, err := scaling.Traced("a generated trace", generated())
		if err != nil {
			return err
		}
		all = append([]scaling.Load{all[3], all[8], all[9]}, made...)
	}
	if trace != "" {
		text, err := os.ReadFile(trace)
		if err != nil {
			return err
		}
		if all, err = scaling.Traced(filepath.Base(trace), string(text)); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	b.WriteString(head)
	var errs []error
	for _, k := range all {
		rows, err := k.Rows()
		if err != nil {
			return err
		}
		table(&b, k, rows)
		errs = append(errs, promised(k, rows))
		if policies := pictured[k.Title()]; policies != nil && out != "" {
			name := strings.TrimSuffix(out, ".md") + "-" + k.Name + ".svg"
			fmt.Fprintf(&b, "\n![%s](%s)\n", k.Title(), filepath.Base(name))
			errs = append(errs, os.WriteFile(name, k.Picture(rows, policies...), 0o644))
		}
	}
	os.Stdout.Write(b.Bytes())
	if out != "" {
		errs = append(errs, os.WriteFile(out, b.Bytes(), 0o644))
	}
	return errors.Join(errs...)
}

// generated is a trace of one hour with a jump in it.
func generated() string {
	text := "second,count\n"
	for i := range 60 {
		n := 600 + 10*(i%7)
		if i >= 20 && i < 35 {
			n *= 4
		}
		text += fmt.Sprintf("%d,%d\n", 60*i, n)
	}
	return text
}

// table is what came of a load, as a table in Markdown.
func table(b *bytes.Buffer, k scaling.Load, rows []scaling.Row) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", strings.ToUpper(k.Title()[:1])+k.Title()[1:], k.About())
	for i, line := range k.Table(rows) {
		fmt.Fprintf(b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(line)))
		}
	}
}

// promised is what Ebb's queue policy does not keep of what it promises: for a queue that is filled and empties 99.9 % of the messages are begun in
// time, no message is cut off, and the first task is asked for within 15 s. It costs at most 1.3 times as much as an oracle's tasks; where tasks do
// not protect themselves it costs more, because none may go while another works.
func promised(k scaling.Load, rows []scaling.Row) error {
	if !strings.HasPrefix(k.Name, "on-off") {
		return nil
	}
	var errs []error
	blame := func(broken bool, format string, args ...any) {
		if broken {
			errs = append(errs, fmt.Errorf("%s, %s: "+format, append([]any{k.Title(), scaling.EbbQueue}, args...)...))
		}
	}
	r := scaling.Find(rows, scaling.EbbQueue)
	blame(r.Missed() > 0.001, "%.2f %% of the messages were begun too late, and 0.1 %% may be", 100*r.Missed())
	blame(r.Report.Cut > 0, "%.0f messages were cut off, and none may be", r.Report.Cut)
	blame(!r.Asked || r.First > 15*time.Second, "the first task was asked for %s after the first message, and 15s is allowed", r.First)
	share := r.Hours() / scaling.Find(rows, scaling.Oracle).Hours()
	blame(!k.Unguarded && share > 1.3, "its tasks cost %.2f of the oracle's, and 1.3 is allowed", share)
	return errors.Join(errs...)
}

const head = `# How policies of scaling compare

One service under synthetic loads, with one policy after another, in virtual time in the simulated cloud. Made by ` + "`make scaling`" + `; nothing of it has
been seen at AWS. A row is one run.

**The service** runs on Fargate. A task runs 23 s after its launch, which is what AWS has measured. *Requests*: a task serves 10 a second and is to serve
6; what cannot be served waits, and clients give up after 10 s. The service has from 2 to 40 tasks; the peak of a load needs 20. *Messages*: a task works
on one at a time, for 4 s, and each is to be begun within 5 minutes. The service has from 0 to 40 tasks, and the peak needs 20. Unless a title says
otherwise, tasks protect themselves from scale-in while they work; a process that does not is gone a second after SIGTERM.

**The policies.** The *recipe* is an alarm on a load balancer's requests, or on the messages in a queue, that publishes to SNS, and a Lambda of fifteen lines
that sets the desired count one higher, or one lower. CloudWatch publishes a change of state once, so it adds one task for each incident. All alarms have one
period of 60 s for growth and five for shrinking. *Application Auto Scaling* is a model, with steps that grow with the breach, or with target tracking. Before
it is believed, tests see that it takes as long as AWS has measured, 363 s with metrics of 60 s and 86 s with those of 20 s, and rounds and waits as the guide
says (` + "`internal/sim`" + `, TestTargetTrackingTakesAsLongAsAWSMeasured and others). *KEDA* is its formula, ceil(messages / target), with the rules of the
Kubernetes autoscaler; KEDA itself does not scale ECS. 37 messages are half of what a task works off in 5 minutes; target tracking has that target too. The
*oracle* knows the load of the next minute and asks for tasks in time. *Fixed at the mean* knows the mean of the whole load, and *at the peak* its peak.

**The columns.** *Overload*: time in which more arrived than 90 % of what the tasks could do. *Surplus*: task-hours beyond what the load of the moment needs.
*Idle*: task-hours without work. *Cut off*: messages whose task ended while it worked on them. *Changes* of the desired count, and *reversals*, those that went
the other way than the one before. *First task asked for*: after the load begins, or begins to grow.

**What it shows, and what it does not**

- The recipe adds one task for each incident, and leaves most of a sudden load unserved; over a slow day it does as well as anything. Ebb with ` + "`repeat: off`" + ` is
  the same, within a second. With ` + "`repeat`" + ` it is one task a minute, which is too slow for a jump from 4 tasks to 20.
- With alarms of 60 s Ebb does not do better than Application Auto Scaling's steps: both wait for the same alarm. Ebb's step in this table is one percentage, and
  Application Auto Scaling's grow with the breach.
- For CPU, target tracking with metrics of 20 s is good: little surplus, few changes. Use it.
- Ebb's tracking of a metric at 10 s reacts soonest and leaves least unserved, because the metric is of the service's own and Application Auto Scaling reads such
  metrics by the minute. The metric costs something: see [what it costs](reference/scaling.md#what-it-costs).
- For queues Ebb begins every message in time, and no message waits for a minute once ` + "`takes`" + ` is set. What it costs depends on ` + "`window`" + ` and ` + "`in_cooldown`" + `: with 5
  minutes for both tasks stay for 5 minutes after the last message, 1.8 of the oracle's cost where a queue is filled and emptied again and again. With 1
  minute for both, the default where tasks protect themselves, it is at most 1.1, with more changes. The rows say only ` + "`window`" + `, and mean both.
- Without ` + "`takes`" + ` Ebb has to measure how long a message takes, and grows too far until it knows. Say ` + "`takes`" + ` if you know it.
- KEDA's formula, with half of what a task works off in the time as its target, is in time too, and often cheaper than Ebb and than the oracle: it lets messages
  wait, up to 2.6 minutes here, so that tasks are never idle. For a queue that is filled and emptied it is dearer than Ebb. With a target of 75, all that a task
  works off in the time, messages are late.
- The fixed counts know the whole load beforehand, which nobody does.
- Where tasks do not protect themselves Ebb takes none away while any works, and keeps them until the queue is empty: it costs 1.3 of the oracle's and more, and
  the limit of 1.3 that the short form of this test asserts is not asserted there. Others cut messages off, and so do Ebb's own ` + "`alarms`" + `, which
  know nothing of what tasks work on; those messages come again after the visibility timeout.
- One service, one kind of task, no deployments and no faults. The real Application Auto Scaling has rules against flapping that are not documented; it may do
  better than the model. To decide, play a trace of your own: ` + "`ebb simulate load --trace FILE`" + ` takes a CSV of times and rates
  (its peak is scaled to 20 tasks).
`
