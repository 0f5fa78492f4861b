// Package scaling plays one service under synthetic loads with one policy of scaling after another, in virtual time in the simulated cloud, and
// compares what became of its requests and messages, and what its tasks cost.
//
// It never speaks to AWS.
package scaling

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/load"
)

var ctx = context.Background()

// works are the synthetic loads, of requests and of messages.
func works() []work {
	var all []work
	for _, queue := range []bool{false, true} {
		k := work{queue: queue}
		shapes := load.Shapes(peak*k.per(), 1)
		for _, v := range []struct {
			name          string
			begins, lasts time.Duration
		}{{"diurnal", 0, 24 * time.Hour}, {"steps", 0, 12 * time.Hour}, {"ramp", 10 * time.Minute, 2 * time.Hour}, {"flash", 10 * time.Minute, time.Hour}} {
			k.name, k.shape, k.begins, k.lasts = v.name, shapes[v.name], v.begins, v.lasts
			all = append(all, k)
		}
		if queue {
			k.name, k.shape, k.begins, k.lasts = "on-off", shapes["on-off"], 5*time.Minute, 3*time.Hour+10*time.Minute
			all = append(all, k)
			k.unguarded = true
			all = append(all, k)
		}
	}
	return all
}

// pictured are the loads of which there are pictures, with the policies in them.
var pictured = map[string][]string{
	"flash of requests":  {recipeName, "Application Auto Scaling, steps", "Application Auto Scaling, CPU, 20 s", ebbMetric, oracle},
	"on-off of messages": {recipeName, "Application Auto Scaling, steps", "KEDA, 37 messages a task", ebbQueue, oracle},
}

// run plays the synthetic loads, or those of a trace, prints the page, and writes it and its pictures to files.
func run(out, trace string, quick bool) error {
	all := works()
	if quick {
		made, err := traced("a generated trace", generated())
		if err != nil {
			return err
		}
		all = append([]work{all[3], all[8], all[9]}, made...)
	}
	if trace != "" {
		text, err := os.ReadFile(trace)
		if err != nil {
			return err
		}
		if all, err = traced(filepath.Base(trace), string(text)); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	b.WriteString(head)
	var errs []error
	for _, k := range all {
		rows, err := k.rows()
		if err != nil {
			return err
		}
		table(&b, k, rows)
		errs = append(errs, k.promised(rows))
		if policies := pictured[k.title()]; policies != nil && out != "" {
			name := strings.TrimSuffix(out, ".md") + "-" + k.name + ".svg"
			fmt.Fprintf(&b, "\n![%s](%s)\n", k.title(), filepath.Base(name))
			errs = append(errs, os.WriteFile(name, picture(k, rows, policies...), 0o644))
		}
	}
	os.Stdout.Write(b.Bytes())
	if out != "" {
		errs = append(errs, os.WriteFile(out, b.Bytes(), 0o644))
	}
	return errors.Join(errs...)
}

// traced are the loads of a trace, as requests and as messages. Its rates are scaled so that its peak needs as many tasks as those of the synthetic
// loads.
func traced(name, text string) ([]work, error) {
	shape, err := load.ReadTrace(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	points := shape.Trace
	highest := slices.MaxFunc(points, func(a, b load.Point) int { return cmp.Compare(a.Rate, b.Rate) }).Rate
	if highest <= 0 {
		return nil, fmt.Errorf("%s: no rate is above 0", name)
	}
	last := len(points) - 1
	lasts := (2*points[last].At - points[last-1].At).Truncate(time.Minute)
	if lasts < time.Minute {
		return nil, fmt.Errorf("%s: it lasts for less than a minute", name)
	}
	var all []work
	for _, queue := range []bool{false, true} {
		k := work{name: name, queue: queue, lasts: lasts}
		for _, p := range points {
			k.shape.Trace = append(k.shape.Trace, load.Point{At: p.At, Rate: p.Rate / highest * peak * k.per()})
		}
		all = append(all, k)
	}
	return all, nil
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

// rows plays a load with every policy.
func (k work) rows() (all []row, err error) {
	for _, p := range k.policies() {
		r, err := k.play(p)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func table(b *bytes.Buffer, k work, rows []row) {
	fmt.Fprintf(b, "\n## %s\n\n%s", strings.ToUpper(k.title()[:1])+k.title()[1:], about(k))
	columns := "policy | overload | unserved | surplus | tasks"
	if k.queue {
		columns = "policy | late | longest wait | cut off | idle | tasks | of the oracle's"
	}
	columns += " | changes | reversals | first task asked for"
	fmt.Fprintf(b, "| %s |\n|%s\n", columns, strings.Repeat("---|", 1+strings.Count(columns, "|")))
	best := find(rows, oracle).hours()
	for _, r := range rows {
		t := r.report
		figures := fmt.Sprintf("%.0f min | %.2f %% | %.1f h | %.1f h", t.Overload.Minutes(), 100*r.missed(), t.Surplus.Hours(), r.hours())
		if k.queue {
			figures = fmt.Sprintf("%.2f %% | %.0f s | %.0f | %.1f h | %.1f h | %.2f", 100*r.missed(), t.Worst.Seconds(), t.Cut, r.hours()-t.Busy/3600, r.hours(),
				r.hours()/best)
		}
		first := "–"
		if r.asked && r.first < 0 {
			first = "ahead"
		} else if r.asked {
			first = fmt.Sprintf("%.0f s", r.first.Seconds())
		}
		fmt.Fprintf(b, "| %s | %s | %d | %d | %s |\n", r.policy, figures, r.actions, r.turns, first)
	}
}

func about(k work) string {
	if k.begins > 0 {
		return fmt.Sprintf("%s. The load begins, or begins to grow, after %s.\n\n", spell(k.lasts), spell(k.begins))
	}
	return spell(k.lasts) + ".\n\n"
}

// spell leaves out the zeros of a duration.
func spell(d time.Duration) string {
	return strings.NewReplacer("h0m0s", " h", "m0s", " min", "h", " h ").Replace(d.String())
}

func find(rows []row, policy string) row {
	return rows[slices.IndexFunc(rows, func(r row) bool { return r.policy == policy })]
}

// promised is what Ebb's queue policy does not keep of what it promises: for a queue that is filled and empties 99.9 % of the messages are begun in
// time, no message is cut off, and the first task is asked for within 15 s. It costs at most 1.3 times as much as an oracle's tasks; where tasks do
// not protect themselves it costs more, because none may go while another works.
func (k work) promised(rows []row) error {
	if !strings.HasPrefix(k.name, "on-off") {
		return nil
	}
	var errs []error
	blame := func(broken bool, format string, args ...any) {
		if broken {
			errs = append(errs, fmt.Errorf("%s, %s: "+format, append([]any{k.title(), ebbQueue}, args...)...))
		}
	}
	r := find(rows, ebbQueue)
	blame(r.missed() > 0.001, "%.2f %% of the messages were begun too late, and 0.1 %% may be", 100*r.missed())
	blame(r.report.Cut > 0, "%.0f messages were cut off, and none may be", r.report.Cut)
	blame(!r.asked || r.first > 15*time.Second, "the first task was asked for %s after the first message, and 15s is allowed", r.first)
	share := r.hours() / find(rows, oracle).hours()
	blame(!k.unguarded && share > 1.3, "its tasks cost %.2f of the oracle's, and 1.3 is allowed", share)
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
  better than the model. To decide, play a trace of your own: ` + "`bash test/long.sh scaling -trace FILE`" + ` takes a CSV of times and rates
  (its peak is scaled to 20 tasks).
`
