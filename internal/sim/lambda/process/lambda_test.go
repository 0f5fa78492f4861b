package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// TestMain makes the test binary a function when Lambda's environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("BREAK") == "init" {
		os.Exit(7)
	}
	runtime.Start(realFunction)
}

// realFunction does what the event says, and tells what it got.
func realFunction(ctx context.Context, event json.RawMessage) (any, error) {
	fmt.Printf("got %s\n", event)
	var batch events.SQSEvent
	if json.Unmarshal(event, &batch) == nil && len(batch.Records) > 0 && batch.Records[0].EventSource == "aws:sqs" {
		var response events.SQSEventResponse
		for _, r := range batch.Records {
			if r.Body == "bad" {
				response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageId})
			}
		}
		return response, nil
	}
	var order struct{ Do string }
	_ = json.Unmarshal(event, &order)
	switch order.Do {
	case "fail":
		return nil, errors.New("as told")
	case "exit":
		os.Exit(3)
	case "panic":
		panic("as told")
	case "hang":
		<-ctx.Done()
		select {} // and does not care for the deadline
	case "who":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "name": lambdacontext.FunctionName, "left": time.Until(deadline).Seconds(), "pid": os.Getpid(),
			"own": os.Getenv("OWN"), "key": os.Getenv("AWS_ACCESS_KEY_ID"), "home": os.Getenv("HOME"), "endpoint": os.Getenv("AWS_ENDPOINT_URL"),
		}, nil
	}
	return "done", nil
}

func TestARealFunctionIsInvokedFromEverywhere(t *testing.T) {
	r := newRig(t, func(s *sim.Spec) {
		s.Rules = []sim.RuleSpec{
			{Name: "clock", Schedule: "rate(1 minute)", Targets: []string{"function:fn"}},
			{Name: "mine", Pattern: `{"source":["mine"]}`, Targets: []string{"function:fn"}},
		}
		s.Topics = []sim.TopicSpec{{Name: "t", Subscriptions: []sim.SubscriptionSpec{{Function: "fn"}}}}
		s.Clusters = []sim.ClusterSpec{{Name: "prod"}}
		s.Groups = []sim.GroupSpec{{Name: "g", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}, Hooks: []sim.HookSpec{{Name: "ebb-drain", Target: "function:fn"}}}}
		s.Functions[0].Sources = []sim.SourceSpec{{Queue: "q", Report: true}}
	}, Config{})
	did := ""
	fmt.Fprintln(&r.logs)
	for i, c := range []struct {
		what, part string
		do         func(*sim.World) error
	}{
		{"a message", `"eventSource":"aws:sqs"`, func(w *sim.World) error { _, err := w.SendMessage("q", "hi", nil, 0); return err }},
		{"an event", `"source":"mine"`, func(w *sim.World) error { _, err := w.PutEvent("mine", "x", nil, "{}"); return err }},
		{"a topic", `"EventSource":"aws:sns"`, func(w *sim.World) error { _, err := w.Publish(w.Topics()[0].ARN, "", "hi"); return err }},
		{"a hook", `"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"`, func(w *sim.World) error {
			_, err := w.TerminateInstanceInAutoScalingGroup(w.DescribeAutoScalingGroups(nil)[0].Instances[0].ID, false)
			w.Advance(w.Now().Add(5 * time.Second))
			return err
		}},
		{"a schedule", `"detail-type":"Scheduled Event"`, func(w *sim.World) error { w.Advance(w.Now().Add(time.Minute)); return nil }},
	} {
		r.world(func(w *sim.World) {
			if err := c.do(w); err != nil {
				t.Error(err)
			}
		})
		did = strings.TrimSpace(did + " started succeeded")
		r.until(did)
		if got := r.logs.until(t, i+1); !strings.Contains(got, c.part) {
			t.Errorf("%s: the function got %s", c.what, got)
		}
	}
	if c := r.Counts("fn"); c.Environments != 1 || c.Invocations["succeeded"] != 5 {
		t.Errorf("counts %+v: one after the other, one environment is enough", c)
	}
}

func TestReportedMessagesComeAgain(t *testing.T) {
	r := newRig(t, func(s *sim.Spec) { s.Functions[0].Sources = []sim.SourceSpec{{Queue: "q", Report: true}} }, Config{})
	r.world(func(w *sim.World) {
		for _, body := range []string{"good", "bad"} {
			if _, err := w.SendMessage("q", body, nil, 0); err != nil {
				t.Error(err)
			}
		}
	})
	r.until("started succeeded")
	r.world(func(w *sim.World) {
		q, _ := w.Queue("q")
		if len(q.Messages) != 1 || q.Messages[0].Body != "bad" {
			t.Errorf("left are %d messages", len(q.Messages))
		}
	})
	r.pass(30 * time.Second)
	r.until("started succeeded started succeeded")
}

func TestWhatAFunctionKnows(t *testing.T) {
	r := newRig(t, nil, Config{Speed: 10})
	t.Setenv("HOME", "/somewhere")
	var first, second struct {
		ID, ARN, Name, Own, Key, Home, Endpoint string
		Left                                    float64
		PID                                     int
	}
	for _, to := range []any{&first, &second} {
		a := r.call(`{"Do":"who"}`)
		if err := json.Unmarshal(a.Payload, to); err != nil || a.Error != "" {
			t.Fatalf("%+v: %v", a, err)
		}
	}
	if first.ARN != "arn:aws:lambda:eu-west-1:111122223333:function:fn" || first.Name != "fn" || first.Own != "mine" || first.Key != "fn" || first.Home != "" ||
		first.Endpoint != "http://127.0.0.1:1" {
		t.Errorf("it knows %+v", first)
	}
	if first.Left > 3 || first.Left < 0 {
		t.Errorf("of 30 s at speed 10 it has %v s", first.Left)
	}
	if first.PID != second.PID || first.ID == second.ID {
		t.Errorf("the second invocation: %+v, the first %+v", second, first)
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		do, kind, part string
		environments   int // after one more invocation
	}{
		{"fail", "errorString", `"errorMessage":"as told"`, 1},
		{"panic", "string", `"errorMessage":"as told"`, 2},
		{"exit", "Runtime.ExitError", "Error: Runtime exited with error: exit status 3", 2},
	} {
		t.Run(c.do, func(t *testing.T) {
			r := newRig(t, nil, Config{})
			if a := r.call(`{"Do":"` + c.do + `"}`); a.Error != c.kind || !strings.Contains(string(a.Payload), c.part) {
				t.Errorf("%s: %s", a.Error, a.Payload)
			}
			if a := r.call(`{}`); a.Error != "" || string(a.Payload) != `"done"` {
				t.Errorf("then: %s: %s", a.Error, a.Payload)
			}
			r.until("started failed started succeeded")
			if got := r.Counts("fn").Environments; got != c.environments {
				t.Errorf("%d environments, want %d", got, c.environments)
			}
		})
	}
}

func TestProcessesThatDoNotBegin(t *testing.T) {
	r := newRig(t, func(s *sim.Spec) { s.Functions[0].Env = map[string]string{"BREAK": "init"} }, Config{})
	if a := r.call(`{}`); a.Error != "Runtime.ExitError" || !strings.Contains(string(a.Payload), "exit status 7") {
		t.Errorf("%s: %s", a.Error, a.Payload)
	}
	r = newRig(t, func(s *sim.Spec) { s.Functions[0].Command = []string{"./no-such-program"} }, Config{})
	if a := r.call(`{}`); a.Error != "Runtime.InvalidEntrypoint" || !strings.Contains(string(a.Payload), "no such file") {
		t.Errorf("%s: %s", a.Error, a.Payload)
	}
	_, err := Start(Config{World: func(f func(*sim.World)) {
		w, _ := sim.Build(sim.Spec{Functions: []sim.FunctionSpec{{Name: "fn"}}})
		f(w)
	}})
	if err == nil || !strings.Contains(err.Error(), "give it a command") {
		t.Errorf("without a command: %v", err)
	}
}

func TestTheWorldsClockEndsAProcess(t *testing.T) {
	r := newRig(t, nil, Config{})
	r.world(func(w *sim.World) {
		if _, err := w.InvokeAsync("fn", []byte(`{"Do":"hang"}`)); err != nil {
			t.Error(err)
		}
	})
	r.until("started")
	r.pass(30 * time.Second)
	r.until("started timed-out")
	r.pass(59 * time.Second)
	r.until("started timed-out")
	r.pass(time.Second)
	r.until("started timed-out started")
	r.pass(10 * time.Minute)
	r.until("started timed-out started timed-out started timed-out dropped")
	if got := r.Counts("fn").Environments; got != 3 {
		t.Errorf("%d environments, and each was killed", got)
	}
}

func TestKill(t *testing.T) {
	r := newRig(t, func(s *sim.Spec) { s.Functions[0].Concurrency = 3 }, Config{})
	r.call(`{}`)
	if r.Kill("fn") {
		t.Error("nothing was busy")
	}
	r.call(`{}`)
	if got := r.Counts("fn").Environments; got != 1 {
		t.Errorf("%d environments: the idle one was killed", got)
	}
	ids := make([]string, 3)
	for i := range ids {
		r.world(func(w *sim.World) {
			v, err := w.Invoke("fn", []byte(`{"Do":"hang"}`), func(lambda.Answer) {})
			if err != nil {
				t.Error(err)
			}
			ids[i] = v.ID
		})
	}
	for range ids {
		if !r.Kill("fn") {
			t.Error("three were busy")
		}
	}
	if r.Kill("fn") {
		t.Error("none is left")
	}
	r.until("started succeeded started succeeded started started started killed killed killed")
	r.world(func(w *sim.World) {
		last := w.Record()[len(w.Record())-3:]
		if last[0].Message != ids[0] || last[1].Message != ids[1] || last[2].Message != ids[2] {
			t.Errorf("killed in the order %+v, begun in the order %v", last, ids)
		}
	})
}

func TestConcurrencyIsOneEnvironmentEach(t *testing.T) {
	begun, goOn := make(chan bool), make(chan bool)
	handler := func(_ context.Context, payload []byte) ([]byte, error) {
		begun <- true
		<-goOn
		if string(payload) == `"fail"` {
			return nil, errors.New("as told")
		}
		return payload, nil
	}
	r := newRig(t, func(s *sim.Spec) { s.Functions[0].Concurrency = 2 }, Config{Handlers: map[string]Handler{"fn": handler}})
	r.world(func(w *sim.World) {
		for _, payload := range []string{`1`, `"fail"`, `3`} {
			if _, err := w.InvokeAsync("fn", []byte(payload)); err != nil {
				t.Error(err)
			}
		}
	})
	r.until("started started throttled")
	for range 2 {
		<-begun
	}
	close(goOn)
	r.until("started started throttled succeeded failed", "started started throttled failed succeeded")
	r.pass(time.Second)
	<-begun
	c := r.Counts("fn")
	if c.Environments != 2 || c.Invocations["started"] != 3 || c.Invocations["failed"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

// TestAnEnvironmentThatIsEndedAnswersNobody ends a Go function, which must notice, by a kill and by its timeout.
func TestAnEnvironmentThatIsEndedAnswersNobody(t *testing.T) {
	for outcome, end := range map[string]func(*rig){
		"killed":    func(r *rig) { r.Kill("fn") },
		"timed-out": func(r *rig) { r.pass(30 * time.Second) },
	} {
		t.Run(outcome, func(t *testing.T) {
			begun, ended := make(chan bool), make(chan error, 1)
			handler := func(ctx context.Context, _ []byte) ([]byte, error) {
				begun <- true
				<-ctx.Done()
				ended <- ctx.Err()
				return []byte(`"late"`), nil
			}
			r := newRig(t, nil, Config{Handlers: map[string]Handler{"fn": handler}})
			r.world(func(w *sim.World) {
				if _, err := w.Invoke("fn", nil, func(lambda.Answer) {}); err != nil {
					t.Error(err)
				}
			})
			<-begun
			end(r)
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("its context ended with %v", err)
			}
			r.until("started " + outcome)
		})
	}
}
