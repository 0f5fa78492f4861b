// Package lambda is AWS Lambda in a simulated cloud: which function is invoked, when, how often and for how long. Event source mappings poll
// queues, asynchronous events are retried, concurrency is bounded, and invocations time out.
//
// It never runs the code of a function: a Runtime does, such as package lambda/process.
package lambda

import (
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Function is a Lambda function.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
type Function struct {
	Name, ARN   string
	Timeout     time.Duration // 1 s to 900 s; 0: 30 s
	Concurrency int           // reserved concurrency: so many invocations at once; 0: 10
	Command     []string      // program and arguments of its process; empty: whoever runs it knows
	Env         map[string]string
	Sources     []EventSource
}

// Invocation is one run of a function's handler.
type Invocation struct {
	Number   int    // of the run, from 1
	ID       string // request id; the runs of one asynchronous event share it
	Function string // name
	ARN      string // of the function
	From     string // async, invoke, or sqs:NAME
	Payload  []byte
	Started  time.Time
	Deadline time.Time // at which the world ends it
}

// Answer is how an invocation has ended.
type Answer struct {
	Payload []byte // what the function returned; of a failure, AWS's error object
	Error   string // the error's type, such as Runtime.ExitError; empty: it has succeeded
	Killed  bool   // somebody killed its process on purpose
}

// Runtime runs the code of a world's functions, each invocation in an execution environment of its own. The world bounds how
// many run at once, and ends those whose time is up. Without a runtime asynchronous events wait, and queues are not polled.
//
// The world calls it in the middle of its changes, under whatever lock guards the world: a method must return at once, and must not
// call the world.
type Runtime interface {
	// Invoke begins an invocation. FinishInvocation tells how it has ended.
	Invoke(Function, Invocation)
	// Stop ends an invocation whose time is up, and its execution environment with it: nobody tells.
	Stop(Invocation)
}

// Lambda are the functions of a world.
type Lambda struct {
	*core.Core
	queues      Queues
	runtime     Runtime // nil: functions do not run
	functions   []*function
	underway    map[int]*running // invocations by number
	invocations int              // how many were begun
}

// Queues are what Lambda polls.
type Queues interface {
	Find(name string) (arn string, visibility time.Duration, ok bool)
	Waiting(name string) (visible int, first time.Time) // messages that a receive would find, and since when the first has been there
	Receive(name string, most int) []Message
	Delete(name, handle string)
}

// Message is a message of a queue as Lambda receives it.
type Message struct {
	ID, Body, Handle    string
	Sent, FirstReceived time.Time
	Receives            int
	Attributes          map[string]Attribute
	About               core.Entry // what it is about, for the record
}

// Attribute is a user attribute of a message.
type Attribute struct {
	Type, Value string
	Binary      []byte
}

// New makes Lambda without functions.
func New(c *core.Core, queues Queues) *Lambda {
	return &Lambda{Core: c, queues: queues, underway: map[int]*running{}}
}

// function is a function and what it does.
type function struct {
	Function
	running int
	sources []*eventSource
	parked  []*asyncEvent // that wait for a runtime
}

// running is an invocation that has not ended.
type running struct {
	Invocation
	f     *function
	about core.Entry
	done  func(Answer)
}

// AddFunction makes a function and its event source mappings.
func (w *Lambda) AddFunction(spec Function) error {
	if spec.Name == "" || w.findFunction(w.ARN("lambda", "function:"+spec.Name)) != nil {
		return fmt.Errorf("every function needs a name of its own")
	}
	if spec.Timeout == 0 {
		spec.Timeout = 30 * time.Second
	}
	if spec.Concurrency == 0 {
		spec.Concurrency = 10
	}
	if spec.Timeout < time.Second || spec.Timeout > 900*time.Second || spec.Concurrency < 0 {
		return fmt.Errorf("the timeout is %v and the concurrency %d; AWS wants a timeout from 1s to 15m and a concurrency of at least 0",
			spec.Timeout, spec.Concurrency)
	}
	f := &function{Function: spec}
	f.ARN = w.ARN("lambda", "function:"+f.Name)
	f.Sources = nil
	for _, s := range spec.Sources {
		if err := w.addSource(f, s); err != nil {
			return err
		}
	}
	w.functions = append(w.functions, f)
	return nil
}

// Functions returns copies of the functions, in the order in which they were made.
func (w *Lambda) Functions() []Function {
	all := make([]Function, len(w.functions))
	for i, f := range w.functions {
		all[i] = f.Function
		all[i].Sources = slices.Clone(f.Sources)
	}
	return all
}

func (w *Lambda) findFunction(arn string) *function {
	for _, f := range w.functions {
		if f.ARN == arn {
			return f
		}
	}
	return nil
}

// UseFunctions gives the functions of the world somebody who runs them; nil takes him away. What has waited for him is begun.
func (w *Lambda) UseFunctions(r Runtime) {
	w.runtime = r
	for _, f := range w.functions {
		for _, e := range f.parked {
			w.After(0, func() { w.tryAsync(f, e) })
		}
		f.parked = nil
		for _, s := range f.sources {
			w.After(0, func() { w.poll(s) })
		}
	}
}

// Invoke begins an invocation by name or ARN as a caller that waits; done gets its answer, in the middle of a change of the world.
// A function without free concurrency throttles.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (w *Lambda) Invoke(function string, payload []byte, done func(Answer)) (Invocation, error) {
	f, err := w.invocable(function, payload)
	if err != nil {
		return Invocation{}, err
	}
	id := w.UUID()
	if w.runtime == nil || f.running >= f.Concurrency {
		w.logInvocation(f, id, "invoke", "throttled", "", core.Entry{})
		return Invocation{}, &core.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: 429}
	}
	return w.begin(f, Invocation{ID: id, From: "invoke", Payload: payload}, core.Entry{}, done), nil
}

// begin runs an invocation. Whoever calls it has seen that there is a runtime and free concurrency.
func (w *Lambda) begin(f *function, v Invocation, about core.Entry, done func(Answer)) Invocation {
	w.invocations++
	v.Number, v.Function, v.ARN, v.Started, v.Deadline = w.invocations, f.Name, f.ARN, w.Now(), w.Now().Add(f.Timeout)
	f.running++
	w.underway[v.Number] = &running{v, f, about, done}
	w.logInvocation(f, v.ID, v.From, "started", "", about)
	w.At(v.Deadline, func() { w.timeOut(v) })
	w.runtime.Invoke(f.Function, v)
	return v
}

// timeOut ends an invocation that has had its time.
func (w *Lambda) timeOut(v Invocation) {
	if w.underway[v.Number] == nil {
		return
	}
	if w.runtime != nil {
		w.runtime.Stop(v)
	}
	text := fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", v.ID, v.Deadline.Sub(v.Started).Seconds())
	w.finish(v.Number, "timed-out", FunctionError("Sandbox.Timedout", text))
}

// FinishInvocation is how a runtime tells that an invocation has ended. One that has ended before, by its timeout, is ignored.
func (w *Lambda) FinishInvocation(number int, a Answer) {
	switch {
	case a.Error == "":
		w.finish(number, "succeeded", a)
	case a.Killed:
		w.finish(number, "killed", a)
	default:
		w.finish(number, "failed", a)
	}
}

func (w *Lambda) finish(number int, outcome string, a Answer) {
	r := w.underway[number]
	if r == nil {
		return
	}
	delete(w.underway, number)
	r.f.running--
	w.logInvocation(r.f, r.ID, r.From, outcome, a.Error, r.about)
	r.done(a)
	for _, s := range r.f.sources {
		w.After(0, func() { w.poll(s) })
	}
}

func (w *Lambda) logInvocation(f *function, id, from, to, text string, about core.Entry) {
	about.Kind, about.Function, about.Message, about.From, about.To, about.Text, about.By = core.EntryInvocation, f.Name, id, from, to, text, "lambda"
	w.Log(about)
}

// FunctionError is the answer of a failed invocation, with Lambda's error object as its payload.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func FunctionError(kind, message string) Answer {
	object := struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message}
	return Answer{Payload: []byte(core.JSON(object)), Error: kind}
}
