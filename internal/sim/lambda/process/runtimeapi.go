package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/lambda"
)

const (
	prefix    = "/2018-06-01/runtime/"
	errorType = "Lambda-Runtime-Function-Error-Type" // a header, or the trailer of a response that broke off

	// maxPayload is the most bytes of an answer.
	maxPayload = 6<<20 + 100
)

// api is the Lambda Runtime API of one environment.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (e *environment) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"invocation/next", e.serveNext)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/response", e.serveResponse)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/error", e.serveError)
	mux.HandleFunc("POST "+prefix+"init/error", e.serveInitError)
	return mux
}

func (e *environment) serveNext(w http.ResponseWriter, r *http.Request) {
	j, ok, why := e.next(r.Context())
	switch {
	case why != nil:
		why.write(w)
		return
	case !ok:
		panic(http.ErrAbortHandler) // whoever asked has gone, or is about to
	}
	payload := j.Payload
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", j.ID)
	h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(j.deadline.UnixMilli()))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", j.ARN)
	h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%s;Parent=%016x;Sampled=0", j.Started.Unix(), strings.ReplaceAll(j.ID, "-", "")[:24], j.Number))
	_, _ = w.Write(payload) // a process that is gone needs none
}

func (e *environment) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		why := &refusal{413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxPayload)}
		if other := e.reply(r.PathValue("id"), lambda.FunctionError("Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (6291556 bytes).")); other != nil {
			why = other
		}
		why.write(w)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // it has ended in the middle of it
	}
	a := lambda.Answer{Payload: body}
	if kind := r.Trailer.Get(errorType); kind != "" {
		a = lambda.FunctionError(kind, "the response broke off")
	}
	accept(w, e.reply(r.PathValue("id"), a))
}

func (e *environment) serveError(w http.ResponseWriter, r *http.Request) {
	accept(w, e.reply(r.PathValue("id"), errorOf(w, r)))
}

// serveInitError takes it that the function cannot begin. The invocation for which it was started fails with it.
func (e *environment) serveInitError(w http.ResponseWriter, r *http.Request) {
	e.s.mu.Lock()
	begun := e.delivered
	e.s.mu.Unlock()
	if begun {
		wrongState.write(w)
		return
	}
	a := errorOf(w, r)
	accept(w, nil)
	_ = http.NewResponseController(w).Flush() // the process may end at once
	e.over(func(string) lambda.Answer { return a })
}

// errorOf reads the error that a runtime reports.
func errorOf(w http.ResponseWriter, r *http.Request) lambda.Answer {
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload)) // what is too long is cut, and then not readable
	var object struct {
		Kind string `json:"errorType"`
	}
	kind := r.Header.Get(errorType)
	if json.Unmarshal(body, &object) == nil && object.Kind != "" {
		kind = object.Kind
	}
	if kind == "" {
		kind = "Function.Unknown"
	}
	return lambda.Answer{Payload: body, Error: kind}
}

func accept(w http.ResponseWriter, why *refusal) {
	if why != nil {
		why.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{\"status\":\"OK\"}\n")
}

func (f *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorMessage": f.message, "errorType": f.kind})
}
