package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/cli"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda"
	"github.com/ebbhq/ebb/internal/sim/lambda/process"
)

// asBootstrap makes this test binary be bootstrap, the program of the function.
const asBootstrap = "EBB_TEST_AS_BOOTSTRAP"

func TestMain(m *testing.M) {
	if os.Getenv(asBootstrap) != "" {
		os.Exit(cli.Main(context.Background(), nil, cli.Process{Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}))
	}
	os.Exit(m.Run())
}

// printed is what a function has printed.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps it.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// String is all of it.
func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// function is the function of the stack, and its event source, as the template has them.
func (f *formation) function(t *testing.T) lambda.Function {
	t.Helper()
	var fn struct {
		FunctionName, Runtime, Handler string
		Timeout                        int
		Environment                    struct{ Variables map[string]string }
	}
	var mapping struct {
		FunctionName, EventSourceArn string
		BatchSize                    int
		FunctionResponseTypes        []string
		ScalingConfig                struct{ MaximumConcurrency int }
	}
	for id, into := range map[string]any{"Function": &fn, "QueueMapping": &mapping} {
		b, err := json.Marshal(f.rolled[id])
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if fn.Runtime != "provided.al2023" || fn.Handler != "bootstrap" || mapping.FunctionName != fn.FunctionName {
		t.Errorf("the function is %+v, the mapping %+v", fn, mapping)
	}
	return lambda.Function{Name: fn.FunctionName, Timeout: time.Duration(fn.Timeout) * time.Second, Env: fn.Environment.Variables, Sources: []lambda.EventSource{{
		Queue: mapping.EventSourceArn[strings.LastIndexByte(mapping.EventSourceArn, ':')+1:], Batch: mapping.BatchSize,
		Report: slices.Contains(mapping.FunctionResponseTypes, "ReportBatchItemFailures"), MaxConcurrency: mapping.ScalingConfig.MaximumConcurrency,
	}}}
}

// invokedFor counts the invocations that have succeeded, by what they came from.
func (a *account) invokedFor(from string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.world.Record() {
		if e.Kind == core.EntryInvocation && e.To == "succeeded" && e.From == from {
			n++
		}
	}
	return n
}

// functionDrainsOne runs the function, lets one leave just after the clock invoked it, waits until Ebb has done its part, and holds that the
// function heard of it through the rule and the queue. It returns what left.
func (a *account) functionDrainsOne(t *testing.T, f *formation, fn lambda.Function, handlers map[string]process.Handler, log *printed) string {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the function printed:\n%s", log)
		}
	})
	a.mu.Lock()
	err := a.world.AddFunction(fn)
	a.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	service, err := process.Start(process.Config{
		World: func(do func(*sim.World)) { a.mu.Lock(); defer a.mu.Unlock(); do(a.world) },
		Speed: speed, Endpoint: a.endpoint, Logs: log, Handlers: handlers,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	a.until(t, "an invocation by the clock", func() bool { return a.invokedFor("async") > 0 })
	id := a.leaves.begin(t, f)
	a.until(t, "what ebb does about "+id, func() bool { return a.leaves.done(a, id) })
	a.until(t, "the end of the invocation for the message", func() bool { return a.invokedFor("sqs:"+fn.Sources[0].Queue) > 0 })
	a.untilTold(t, fn.Env)
	if !strings.Contains(log.String(), a.leaves.heard(id)) {
		t.Errorf("the function should have heard of %s", id)
	}
	if fn.Env["EBB_METRICS"] != "" && handlers != nil && !strings.Contains(log.String(), `"Namespace":"Ebb","Dimensions":[["hook"]]`) {
		t.Error("the function should have written metrics")
	}
	return id
}

// untilTold waits until people were told of the begin and the end of a drain, if the template says that they are.
func (a *account) untilTold(t *testing.T, env map[string]string) {
	t.Helper()
	if strings.Contains(env["EBB_CONFIG_TEXT"], topic) {
		a.until(t, "a notice of its end", func() bool { return a.api.CountsBy("ebb")["sns.Publish"] >= 2 })
	}
}

// inProcess is the function as a Go function of this process, with a journal in memory: only with DynamoDB can it be a process of its own.
func (f *formation) inProcess(t *testing.T, a *account, fn lambda.Function, log *printed) map[string]process.Handler {
	t.Helper()
	cfg, err := config.Load("", func(name string) string { return fn.Env[name] }, map[string]string{"region": "eu-west-1", "endpoint": a.endpoint})
	if err == nil {
		err = cfg.Invoked()
	}
	if err != nil {
		t.Fatal(err)
	}
	awsCfg, err := cloud.AWSConfig(t.Context(), cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
	if err != nil {
		t.Fatal(err)
	}
	handle, err := cli.Function(t.Context(), cli.Process{Stdout: log, Stderr: log}, cfg, awsCfg, memory.New(), a.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]process.Handler{fn.Name: func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := handle(ctx, payload)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}}
}
