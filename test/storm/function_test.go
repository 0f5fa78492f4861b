package storm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/test/rig"
)

// function is the name of the Lambda function, which is what its processes are called in the record.
const function = "ebb"

// asFunction adds the function to its world, with what ebb init sets up around it, but for 20 processes at once.
func asFunction(w sim.Spec, program, endpoint, config string, env []string) sim.Spec {
	const atOnce = 20
	f := sim.FunctionSpec{
		Name: function, Timeout: 30 * time.Second, Concurrency: atOnce, Command: []string{program},
		Env:     map[string]string{"EBB_CONFIG_TEXT": config, "EBB_CLOCK": endpoint},
		Sources: []sim.SourceSpec{{Queue: "ebb", Batch: 10, Report: true, MaxConcurrency: atOnce}},
	}
	for _, v := range append(rig.NoAccount(), env...) {
		name, value, _ := strings.Cut(v, "=")
		f.Env[name] = value
	}
	w.Functions = append(w.Functions, f)
	w.Rules = append(w.Rules,
		sim.RuleSpec{Name: "clock", Schedule: "rate(1 minute)", Targets: []string{"function:" + function}},
		sim.RuleSpec{Name: "leaving", Pattern: `{"source":["aws.autoscaling"],` +
			`"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`, Targets: []string{"ebb"}},
		sim.RuleSpec{Name: "stopped", Pattern: `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],` +
			`"detail":{"lastStatus":["STOPPED"]}}`, Targets: []string{"ebb"}})
	return w
}

// invoked is the function at work.
type invoked struct {
	r        *run
	logs     *os.File
	steps    int
	strike   time.Time        // when the next blow falls, in real time
	aimed    bool             // something was busy when it was due
	released map[string]int64 // the last holder that has let go of a lease, by scope
}

// newFunction lets the function run.
func newFunction(r *run) (*invoked, error) {
	logs, err := os.Create(filepath.Join(r.o.dir, "function.log"))
	if err != nil {
		return nil, err
	}
	f := &invoked{r: r, logs: logs, released: map[string]int64{}}
	f.strike = f.next()
	return f, r.cloud.Run(logs)
}

// kill leaves the processes to the cloud, which ends them when it is closed.
func (f *invoked) kill() { f.logs.Close() }

// end ends the function's processes and counts them.
func (f *invoked) end() error {
	f.r.environments = f.r.cloud.Functions.Counts(function).Environments
	f.r.cloud.Functions.Close()
	return nil
}

// step strikes when it is time, as long as there is work.
func (f *invoked) step(ctx context.Context) error {
	if f.steps++; f.steps%50 == 0 {
		if _, err := f.spared(ctx); err != nil { // sees who lets go
			return err
		}
	}
	if f.r.calm() {
		return nil
	}
	return f.hit(ctx)
}

// next is when the next blow falls: within 20 s of the world.
func (f *invoked) next() time.Time {
	return f.r.in(time.Duration(f.r.dice.Float64() * 20 * float64(time.Second)))
}

// hit kills a busy process when it is time, somewhere in its work and not always at its beginning.
func (f *invoked) hit(ctx context.Context) error {
	const work = 1500 * time.Millisecond // how long an invocation takes with many drains, about
	switch {
	case time.Now().Before(f.strike):
		return nil
	case !f.aimed:
		if f.r.busy > 0 {
			f.aimed, f.strike = true, time.Now().Add(time.Duration(f.r.dice.Int64N(int64(work))))
		}
		return nil
	}
	f.aimed = false
	if spared, err := f.spared(ctx); spared || err != nil || !f.r.cloud.Functions.Kill(function) {
		return err
	}
	f.r.killed()
	f.strike = f.next()
	return nil
}

// mostInARow is how many processes that hold a lease are killed one after the other. The lease of each counts for another minute, and then it
// may be one more until the clock invokes the function; all that must be less than two thirds of the hooks' heartbeat timeout.
const mostInARow = 2

// spared reports whether the function needs a while without blows, because those who held some lease were killed, one after the other.
func (f *invoked) spared(ctx context.Context) (bool, error) {
	all, err := f.r.books.Leases(ctx)
	if err != nil {
		return false, fmt.Errorf("read the leases: %w", err)
	}
	spared := false
	for _, l := range all {
		if l.Holder == "" {
			f.released[l.Scope] = l.Fence
		}
		spared = spared || l.Fence-f.released[l.Scope] > mostInARow
	}
	return spared, nil
}
