package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/lambda"
)

const fn = "arn:aws:lambda:eu-west-1:111122223333:function:fn"

// functions is an API over a world with the function "fn", whose invocations it keeps.
func functions(t *testing.T) (*API, *kept) {
	t.Helper()
	world, err := sim.Build(sim.Spec{
		Queues:    []sim.QueueSpec{{Name: "q"}},
		Groups:    []sim.GroupSpec{{Name: group, Desired: 1}},
		Functions: []sim.FunctionSpec{{Name: "fn", Concurrency: 1, Sources: []sim.SourceSpec{{Queue: "q", Report: true, MaxConcurrency: 2}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{given: make(chan lambda.Invocation, 10)}
	world.UseFunctions(k)
	return New(Config{World: world, Strict: true}), k
}

type kept struct{ given chan lambda.Invocation }

func (k *kept) Invoke(_ lambda.Function, v lambda.Invocation) { k.given <- v }
func (k *kept) Stop(lambda.Invocation)                        {}

// rest asks Lambda.
func rest(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://sim.invalid/2015-03-31/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=operator/20261121/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestInvokeOverHTTP(t *testing.T) {
	api, k := functions(t)
	h := api.Handler()
	for _, c := range []struct {
		answer           lambda.Answer
		failed, contains string
	}{
		{lambda.Answer{Payload: []byte(`"done"`)}, "", `"done"`},
		{lambda.FunctionError("Oops", "it broke"), "Unhandled", `"errorType":"Oops"`},
	} {
		go func() {
			v := <-k.given
			defer api.lock()()
			api.World.(*sim.World).FinishInvocation(v.Number, c.answer)
		}()
		got := rest(h, "POST", "functions/fn/invocations", "{}")
		if got.Code != 200 || got.Header().Get("X-Amz-Function-Error") != c.failed || !strings.Contains(got.Body.String(), c.contains) ||
			got.Header().Get("X-Amz-Executed-Version") != "$LATEST" {
			t.Errorf("%d %v %s", got.Code, got.Header(), got.Body)
		}
	}
	if n := api.CountsBy("operator")["lambda.Invoke"]; n != 2 {
		t.Errorf("%d calls are counted", n)
	}
}

func TestFunctionsOverHTTP(t *testing.T) {
	api, k := functions(t)
	h := api.Handler()
	for _, c := range []struct {
		method, path, kind string
		status             int
		contains           string
	}{
		{"POST", "functions/" + fn + "/invocations", "Event", 202, ""},
		{"POST", "functions/fn/invocations", "DryRun", 204, ""},
		{"POST", "functions/other/invocations", "DryRun", 404, "Function not found"},
		{"POST", "functions/fn/invocations", "Never", 400, "invocation type"},
		{"GET", "functions", "", 200, `"FunctionArn":"` + fn + `"`},
		{"GET", "functions/fn", "", 200, `"ReservedConcurrentExecutions":1`},
		{"GET", "functions/other", "", 404, "Function not found"},
		{"GET", "event-source-mappings", "", 200, `"FunctionResponseTypes":["ReportBatchItemFailures"]`},
		{"GET", "event-source-mappings/?FunctionName=fn", "", 200, `"MaximumConcurrency":2`},
		{"GET", "event-source-mappings?FunctionName=other", "", 200, `"EventSourceMappings":[]`},
		{"GET", "event-source-mappings?EventSourceArn=other", "", 200, `"EventSourceMappings":[]`},
	} {
		got := rest(h, c.method, c.path, "", "X-Amz-Invocation-Type", c.kind)
		if got.Code != c.status || !strings.Contains(got.Body.String(), c.contains) {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.Code, got.Body)
		}
		if failed := got.Header().Get("X-Amzn-Errortype"); (failed != "") != (c.status >= 400) {
			t.Errorf("%s %s: the error type is %q", c.method, c.path, failed)
		}
	}
	api.World.Advance(api.World.Now())
	if len(k.given) != 1 {
		t.Errorf("%d invocations by the event", len(k.given))
	}
	if got := rest(h, "POST", "functions/fn/invocations", ""); got.Code != 429 || got.Header().Get("X-Amzn-Errortype") != "TooManyRequestsException" {
		t.Errorf("without free concurrency: %d %s", got.Code, got.Body)
	}
	if got := httptest.NewRecorder(); true {
		h.ServeHTTP(got, httptest.NewRequest("GET", "http://sim.invalid/2015-03-31/functions", nil))
		if got.Code != 403 {
			t.Errorf("unsigned: %d", got.Code)
		}
	}
}

// TestFunctionsAsTargets sets a function as target by every API that takes one.
func TestFunctionsAsTargets(t *testing.T) {
	api, k := functions(t)
	cfg := config(api.Handler())
	events, topics := eb.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	topic := must[*sns.CreateTopicOutput](t)(topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: new("t")})).TopicArn
	must[*sns.SubscribeOutput](t)(topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("lambda"), Endpoint: new(fn)}))
	must[*eb.PutRuleOutput](t)(events.PutRule(t.Context(), &eb.PutRuleInput{Name: new("clock"), ScheduleExpression: new("rate(1 minute)")}))
	must[*eb.PutTargetsOutput](t)(events.PutTargets(t.Context(), &eb.PutTargetsInput{Rule: new("clock"), Targets: []ebtypes.Target{{Id: new("t"), Arn: new(fn)}}}))
	seen := must[*eb.DescribeRuleOutput](t)(events.DescribeRule(t.Context(), &eb.DescribeRuleInput{Name: new("clock")}))
	if *seen.ScheduleExpression != "rate(1 minute)" || seen.EventPattern != nil {
		t.Errorf("the rule is %+v", seen)
	}
	_, err := events.PutRule(t.Context(), &eb.PutRuleInput{Name: new("clock")})
	wantCode(t, err, "ValidationException", "must be specified")
	must[*autoscaling.PutLifecycleHookOutput](t)(autoscaling.NewFromConfig(cfg).PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: new(group), LifecycleHookName: new(hook), LifecycleTransition: new("autoscaling:EC2_INSTANCE_TERMINATING"),
		NotificationTargetARN: new(fn), RoleARN: new("arn:aws:iam::111122223333:role/r"),
	}))
	must[*sns.PublishOutput](t)(topics.Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Message: new("hi")}))
	for _, part := range []string{"aws:sns", "TEST_NOTIFICATION", "Scheduled Event"} {
		for len(k.given) == 0 && api.World.Now().Before(api.World.(*sim.World).Start().Add(2*time.Minute)) {
			api.World.Advance(api.World.Now().Add(time.Second))
		}
		if len(k.given) == 0 {
			t.Fatalf("no invocation with %s", part)
		}
		v := <-k.given
		api.World.(*sim.World).FinishInvocation(v.Number, lambda.Answer{})
		if !strings.Contains(string(v.Payload), part) {
			t.Errorf("the function got %s, want %s", v.Payload, part)
		}
	}
}
