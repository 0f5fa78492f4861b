package wire

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// lambda are the operations of AWS Lambda that the simulated cloud knows, over HTTP only: who runs functions reads the world.
// https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
func (s *server) lambda(mux *http.ServeMux) {
	const version = "/2015-03-31/"
	mux.HandleFunc("POST "+version+"functions/{name}/invocations", s.rest("Invoke", s.invoke))
	mux.HandleFunc("GET "+version+"functions", s.rest("ListFunctions", s.listFunctions))
	mux.HandleFunc("GET "+version+"functions/{$}", s.rest("ListFunctions", s.listFunctions))
	mux.HandleFunc("GET "+version+"functions/{name}", s.rest("GetFunction", s.getFunction))
	mux.HandleFunc("GET "+version+"event-source-mappings", s.rest("ListEventSourceMappings", s.listSources))
	mux.HandleFunc("GET "+version+"event-source-mappings/{$}", s.rest("ListEventSourceMappings", s.listSources))
}

// functionCall is a request about functions, and functionAnswer what becomes of it.
type (
	functionCall struct {
		name, queue, invocation string
		body                    []byte
	}
	functionAnswer struct {
		status int
		later  <-chan sim.Answer // of an invocation whose caller waits; nil: body is the answer
		body   any
	}
)

// rest serves one operation of the protocol restJson1.
func (s *server) rest(operation string, answer func(*functionCall) (*functionAnswer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _, signed := credential(r)
		in := &functionCall{name: r.PathValue("name"), invocation: r.Header.Get("X-Amz-Invocation-Type")}
		if in.name == "" {
			in.name, in.queue = r.URL.Query().Get("FunctionName"), r.URL.Query().Get("EventSourceArn")
		}
		var err error
		if r.Method == http.MethodPost {
			in.body, err = bodyOf(r)
		}
		var out *functionAnswer
		switch {
		case !signed:
			err = &Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token", Status: http.StatusForbidden}
		case err != nil:
			err = &Error{Code: "InvalidRequestContentException", Message: err.Error(), Status: http.StatusBadRequest}
		default:
			out, err = call(WithCaller(r.Context(), key), s.api, "lambda", operation, in, answer)
		}
		s.tell(w, r, out, err)
	}
}

// tell writes the answer to a request about functions, for which a caller that invokes may have to wait.
func (s *server) tell(w http.ResponseWriter, r *http.Request, out *functionAnswer, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			panic(http.ErrAbortHandler) // there is to be no answer
		}
		w.Header().Set("X-Amzn-Errortype", e.Code)
		w.WriteHeader(e.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": e.Message}) // a client that is gone needs no answer
		return
	}
	if out.later != nil {
		select {
		case a := <-out.later:
			w.Header().Set("X-Amz-Executed-Version", "$LATEST")
			if a.Error != "" {
				w.Header().Set("X-Amz-Function-Error", "Unhandled")
			}
			w.WriteHeader(out.status)
			_, _ = w.Write(a.Payload)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
		return
	}
	w.WriteHeader(out.status)
	if out.body != nil {
		_ = json.NewEncoder(w).Encode(out.body)
	}
}

func (s *server) invoke(in *functionCall) (*functionAnswer, error) {
	switch in.invocation {
	case "", "RequestResponse":
		later := make(chan sim.Answer, 1)
		_, err := s.api.World.Invoke(in.name, in.body, func(a sim.Answer) { later <- a })
		return &functionAnswer{status: http.StatusOK, later: later}, err
	case "Event":
		_, err := s.api.World.InvokeAsync(in.name, in.body)
		return &functionAnswer{status: http.StatusAccepted}, err
	case "DryRun":
		_, err := s.function(in.name)
		return &functionAnswer{status: http.StatusNoContent}, err
	}
	return nil, refuse("InvalidParameterValueException", "The invocation type %s is none of Event, RequestResponse, DryRun.", in.invocation)
}

// function finds a function by name or ARN.
func (s *server) function(name string) (sim.Function, error) {
	for _, f := range s.api.World.Functions() {
		if f.Name == name || f.ARN == name {
			return f, nil
		}
	}
	return sim.Function{}, &core.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + name, Status: http.StatusNotFound}
}

func (s *server) listFunctions(*functionCall) (*functionAnswer, error) {
	return &functionAnswer{status: http.StatusOK, body: map[string]any{"Functions": mapped(s.api.World.Functions(), functionOut)}}, nil
}

func (s *server) getFunction(in *functionCall) (*functionAnswer, error) {
	f, err := s.function(in.name)
	return &functionAnswer{status: http.StatusOK, body: map[string]any{
		"Configuration": functionOut(f), "Concurrency": map[string]any{"ReservedConcurrentExecutions": f.Concurrency},
	}}, err
}

func functionOut(f sim.Function) map[string]any {
	return map[string]any{
		"FunctionName": f.Name, "FunctionArn": f.ARN, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": int(f.Timeout.Seconds()), "MemorySize": 256,
		"Version": "$LATEST", "State": "Active", "PackageType": "Zip", "Environment": map[string]any{"Variables": f.Env},
	}
}

func (s *server) listSources(in *functionCall) (*functionAnswer, error) {
	all := []map[string]any{}
	for _, f := range s.api.World.Functions() {
		for _, e := range f.Sources {
			if in.name != "" && in.name != f.Name && in.name != f.ARN || in.queue != "" && in.queue != e.QueueARN {
				continue
			}
			all = append(all, sourceOut(f, e))
		}
	}
	return &functionAnswer{status: http.StatusOK, body: map[string]any{"EventSourceMappings": all}}, nil
}

func sourceOut(f sim.Function, e sim.EventSource) map[string]any {
	out := map[string]any{
		"UUID": e.UUID, "FunctionArn": f.ARN, "EventSourceArn": e.QueueARN, "BatchSize": e.Batch, "MaximumBatchingWindowInSeconds": int(e.Window.Seconds()),
		"State": "Enabled",
	}
	if e.Report {
		out["FunctionResponseTypes"] = []string{"ReportBatchItemFailures"}
	}
	if e.MaxConcurrency > 0 {
		out["ScalingConfig"] = map[string]any{"MaximumConcurrency": e.MaxConcurrency}
	}
	return out
}
