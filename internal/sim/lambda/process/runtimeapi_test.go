package process

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// bare is an environment without a process, whose Runtime API the test calls.
func bare(t *testing.T) (*rig, func(method, path, body string, header ...string) *httptest.ResponseRecorder) {
	t.Helper()
	r := newRig(t, nil, Config{Handlers: map[string]Handler{"fn": nil}})
	var e *environment
	r.world(func(w *sim.World) {
		e = newEnvironment(r.Service, w.Functions()[0])
		r.locked(func() { r.alive[e], r.idle["fn"] = true, []*environment{e} })
	})
	api := e.api()
	return r, func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		q := httptest.NewRequest(method, "http://127.0.0.1:1/2018-06-01/runtime/"+path, strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, q)
		return w
	}
}

// locked runs f with the service locked.
func (r *rig) locked(f func()) {
	r.Service.mu.Lock()
	defer r.Service.mu.Unlock()
	f()
}

func want(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, status, body)
	}
}

const (
	fine       = "{\"status\":\"OK\"}\n"
	badID      = `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}` + "\n"
	badState   = `{"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"}` + "\n"
	tooLarge   = `{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}` + "\n"
	someAnswer = `{"a":1}`
)

// invoke begins an invocation whose answer comes on the channel.
func (r *rig) invoke(payload string) <-chan lambda.Answer {
	r.t.Helper()
	answers := make(chan lambda.Answer, 1)
	r.world(func(w *sim.World) {
		if _, err := w.Invoke("fn", []byte(payload), func(a lambda.Answer) { answers <- a }); err != nil {
			r.t.Error(err)
		}
	})
	return answers
}

func TestRuntimeAPI(t *testing.T) {
	r, ask := bare(t)
	answers := r.invoke(someAnswer)
	next := ask("GET", "invocation/next", "")
	id := next.Header().Get("Lambda-Runtime-Aws-Request-Id")
	want(t, next, 200, someAnswer)
	if arn := next.Header().Get("Lambda-Runtime-Invoked-Function-Arn"); len(id) != 36 || arn != "arn:aws:lambda:eu-west-1:111122223333:function:fn" {
		t.Errorf("id %q, function %q", id, arn)
	}
	ms, err := strconv.ParseInt(next.Header().Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	if left := time.Until(time.UnixMilli(ms)); err != nil || left > 30*time.Second || left < 20*time.Second {
		t.Errorf("the deadline is in %v, %v", left, err)
	}
	if trace := next.Header().Get("Lambda-Runtime-Trace-Id"); !strings.HasPrefix(trace, "Root=1-") {
		t.Errorf("the trace is %q", trace)
	}
	want(t, ask("GET", "invocation/next", ""), 403, badState)
	want(t, ask("POST", "init/error", "{}"), 403, badState)
	want(t, ask("POST", "invocation/other/response", "{}"), 400, badID)
	want(t, ask("POST", "invocation/"+id+"/response", `"first"`), 202, fine)
	want(t, ask("POST", "invocation/"+id+"/error", "{}"), 403, badState)
	if len(answers) != 0 {
		t.Error("the invocation has ended before the process asks for another")
	}
	second := r.later(answers)
	want(t, ask("GET", "invocation/next", ""), 200, "{}")
	if got := <-second; got != `"first"` {
		t.Errorf("the answer is %s", got)
	}
	if got := ask("GET", "elsewhere", "").Code; got != http.StatusNotFound {
		t.Errorf("an unknown path is answered with %d", got)
	}
}

// later waits for an answer and then invokes again, with nothing.
func (r *rig) later(answers <-chan lambda.Answer) <-chan string {
	got := make(chan string, 1)
	go func() {
		a := <-answers
		r.invoke("")
		got <- string(a.Payload)
	}()
	return got
}

func TestErrorsOfTheRuntime(t *testing.T) {
	for _, c := range []struct {
		name, path, body string
		header           []string
		status           int
		kind             string
	}{
		{"by its body", "error", `{"errorType":"A","errorMessage":"x"}`, []string{errorType, "B"}, 202, "A"},
		{"by the header", "error", ``, []string{errorType, "B"}, 202, "B"},
		{"by nothing", "error", `oops`, nil, 202, "Function.Unknown"},
		{"an answer too large", "response", strings.Repeat("x", maxPayload+1), nil, 413, "Function.ResponseSizeTooLarge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, ask := bare(t)
			answers := r.invoke("")
			id := ask("GET", "invocation/next", "").Header().Get("Lambda-Runtime-Aws-Request-Id")
			reply := fine
			if c.status == 413 {
				reply = tooLarge
			}
			want(t, ask("POST", "invocation/"+id+"/"+c.path, c.body, c.header...), c.status, reply)
			second := r.later(answers)
			want(t, ask("GET", "invocation/next", ""), 200, "{}")
			<-second
			r.until("started failed started")
			r.world(func(w *sim.World) {
				for _, e := range w.Record() {
					if e.To == "failed" && e.Text != c.kind {
						t.Errorf("the error is %s, want %s", e.Text, c.kind)
					}
				}
			})
		})
	}
}

func TestInitError(t *testing.T) {
	r, ask := bare(t)
	answers := r.invoke("")
	want(t, ask("POST", "init/error", `{"errorType":"NoConfig","errorMessage":"x"}`), 202, fine)
	if a := <-answers; a.Error != "NoConfig" {
		t.Errorf("the answer is %+v", a)
	}
	r.until("started failed")
}

func TestAnIdleEnvironmentThatEndsIsNotUsedAgain(t *testing.T) {
	r, _ := bare(t)
	r.locked(func() { r.bury(r.idle["fn"][0]) })
	if a := r.call(`{}`); string(a.Payload) != `"done"` {
		t.Errorf("the answer is %+v", a)
	}
}
