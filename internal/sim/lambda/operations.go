package lambda

import (
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// The requests, by what they are about; where their fields are found is what the protocol restJson1 says.
// https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
type (
	invokeInput struct {
		Name string `path:"name"`
		Type string `header:"X-Amz-Invocation-Type"`
		Body []byte `body:""`
	}
	listFunctionsInput struct{}
	getFunctionInput   struct {
		Name string `path:"name"`
	}
	listSourcesInput struct {
		Function string `query:"FunctionName"`
		Queue    string `query:"EventSourceArn"`
	}
)

// Service is Lambda as the wire serves it. Who runs functions reads the world instead. What is about one function is checked against it.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
func (w *Lambda) Service() core.Service {
	const version = "/2015-03-31/"
	return core.Service{
		Name: "lambda", Protocol: core.Protocol{REST: true},
		Errors: core.Refusals(missing, core.Denial{Code: "AccessDenied", Status: 403}),
		Operations: []core.Operation{
			core.NewOperation("Invoke", w.invoke, "lambda",
				core.NoNeeds,
				func(in *invokeInput) []core.Resource { return w.functionResource(in.Name) },
				core.NoSubject, core.NotPaged, core.NoBatch,
			).At("POST " + version + "functions/{name}/invocations"),
			core.NewOperation("ListFunctions", w.listFunctions, "lambda",
				core.NoNeeds, core.NoResource,
				core.NoSubject, core.NotPaged, core.NoBatch,
			).At("GET "+version+"functions", "GET "+version+"functions/{$}"),
			core.NewOperation("GetFunction", w.getFunction, "lambda",
				core.NoNeeds,
				func(in *getFunctionInput) []core.Resource { return w.functionResource(in.Name) },
				core.NoSubject, core.NotPaged, core.NoBatch,
			).At("GET " + version + "functions/{name}"),
			core.NewOperation("ListEventSourceMappings", w.listSources, "lambda",
				core.NoNeeds, core.NoResource,
				core.NoSubject, core.NotPaged, core.NoBatch,
			).At("GET "+version+"event-source-mappings", "GET "+version+"event-source-mappings/{$}"),
		},
	}
}

func missing(member string) error { return core.Null("InvalidParameterValueException", member) }

func (w *Lambda) invoke(_ *core.Call, in *invokeInput) (*core.RESTAnswer, error) {
	switch in.Type {
	case "", "RequestResponse":
		var tell func(*core.RESTAnswer)
		var early *Answer // it has ended before anybody waits for it
		_, err := w.Invoke(in.Name, in.Body, func(a Answer) {
			if early = &a; tell != nil {
				tell(answerOut(a))
			}
		})
		return &core.RESTAnswer{Later: func(f func(*core.RESTAnswer)) {
			if tell = f; early != nil {
				tell(answerOut(*early))
			}
		}}, err
	case "Event":
		_, err := w.InvokeAsync(in.Name, in.Body)
		return &core.RESTAnswer{Status: 202}, err
	case "DryRun":
		_, err := w.named(in.Name)
		return &core.RESTAnswer{Status: 204}, err
	}
	return nil, core.Refuse("InvalidParameterValueException", "The invocation type %s is none of Event, RequestResponse, DryRun.", in.Type)
}

func answerOut(a Answer) *core.RESTAnswer {
	out := &core.RESTAnswer{Status: 200, Header: map[string]string{"X-Amz-Executed-Version": "$LATEST"}, Body: a.Payload}
	if a.Error != "" {
		out.Header["X-Amz-Function-Error"] = "Unhandled"
	}
	return out
}

func (w *Lambda) functionResource(name string) []core.Resource {
	if !strings.HasPrefix(name, "arn:") {
		name = w.ARN("lambda", "function:"+name)
	}
	return []core.Resource{{Kind: "function", ARN: name}}
}

// named finds a function by name or ARN.
func (w *Lambda) named(name string) (Function, error) {
	for _, f := range w.Functions() {
		if f.Name == name || f.ARN == name {
			return f, nil
		}
	}
	return Function{}, &core.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + name, Status: 404}
}

func (w *Lambda) listFunctions(*core.Call, *listFunctionsInput) (*core.RESTAnswer, error) {
	return &core.RESTAnswer{Status: 200, Body: map[string]any{"Functions": core.Mapped(w.Functions(), functionOut)}}, nil
}

func (w *Lambda) getFunction(_ *core.Call, in *getFunctionInput) (*core.RESTAnswer, error) {
	f, err := w.named(in.Name)
	return &core.RESTAnswer{Status: 200, Body: map[string]any{
		"Configuration": functionOut(f), "Concurrency": map[string]any{"ReservedConcurrentExecutions": f.Concurrency},
	}}, err
}

func functionOut(f Function) map[string]any {
	return map[string]any{
		"FunctionName": f.Name, "FunctionArn": f.ARN, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": int(f.Timeout.Seconds()), "MemorySize": 256,
		"Version": "$LATEST", "State": "Active", "PackageType": "Zip", "Environment": map[string]any{"Variables": f.Env},
	}
}

func (w *Lambda) listSources(_ *core.Call, in *listSourcesInput) (*core.RESTAnswer, error) {
	all := []map[string]any{}
	for _, f := range w.Functions() {
		for _, e := range f.Sources {
			if in.Function != "" && in.Function != f.Name && in.Function != f.ARN || in.Queue != "" && in.Queue != e.QueueARN {
				continue
			}
			all = append(all, sourceOut(f, e))
		}
	}
	return &core.RESTAnswer{Status: 200, Body: map[string]any{"EventSourceMappings": all}}, nil
}

func sourceOut(f Function, e EventSource) map[string]any {
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
