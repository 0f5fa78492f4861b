package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// faulty is an API on which every call goes wrong in the same way.
func faulty(f Fault) *API {
	return New(Config{World: sim.New(core.Config{}), Faults: func(Request) Fault { return f }})
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  Fault
		token  string // of the page that is asked for
		code   string // of the error; empty: none
		silent bool   // no answer at all
		effect bool
	}{
		{"none", Fault{}, "", "", false, true},
		{"throttle", Fault{Kind: Throttle}, "", "ThrottlingException", false, false},
		{"error before", Fault{Kind: ErrorBefore}, "", "ServerException", false, false},
		{"error after", Fault{Kind: ErrorAfter}, "", "ServerException", false, true},
		{"timeout before", Fault{Kind: TimeoutBefore}, "", "", true, false},
		{"timeout after", Fault{Kind: TimeoutAfter}, "", "", true, true},
		{"first page", Fault{Kind: DropPage}, "", "", false, true},
		{"later page", Fault{Kind: DropPage}, "token", "ServerException", false, false},
		{"no items", Fault{Kind: ItemFailure}, "", "", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			effect := false
			in := &ecs.ListTasksInput{NextToken: core.Optional(tt.token)}
			a := faulty(tt.fault)
			a.services["ecs"].operations["ListTasks"].Run = func(*core.Call, any) (any, error) {
				effect = true
				return &ecs.ListTasksOutput{}, nil
			}
			out, err := Call[ecs.ListTasksOutput](t.Context(), a, in)
			if effect != tt.effect {
				t.Errorf("effect %v, want %v", effect, tt.effect)
			}
			if (out == nil) != (err != nil) {
				t.Errorf("answer %v with error %v", out, err)
			}
			code := ""
			if e, ok := errors.AsType[smithy.APIError](err); ok {
				code = e.ErrorCode()
			}
			if code != tt.code || errors.Is(err, context.DeadlineExceeded) != tt.silent {
				t.Errorf("got %v, want code %q, no answer: %v", err, tt.code, tt.silent)
			}
		})
	}
}

func TestThrottlingByService(t *testing.T) {
	want := map[string]int{"autoscaling Throttling": 400, "ecs ThrottlingException": 400, "ec2 RequestLimitExceeded": 503, "elasticloadbalancing Throttling": 400}
	a := New(Config{World: sim.New(core.Config{})})
	for _, service := range []string{"autoscaling", "ecs", "ec2", "elasticloadbalancing"} {
		if e := a.services[service].Errors.Throttled; want[service+" "+e.Code] != e.Status {
			t.Errorf("%s: %v, status %d", service, e, e.Status)
		}
	}
}

func TestItemFailure(t *testing.T) {
	tests := []struct {
		ids    []string
		item   int
		failed string
		asked  []string
	}{
		{[]string{"a", "b", "c"}, 1, "b", []string{"a", "c"}},
		{[]string{"a", "b", "c"}, 5, "c", []string{"a", "b"}},
		{[]string{"a"}, 0, "a", nil},
	}
	for _, tt := range tests {
		var asked []string
		in := &ecs.DescribeTasksInput{Tasks: slices.Clone(tt.ids)}
		a := faulty(Fault{Kind: ItemFailure, Item: tt.item})
		a.services["ecs"].operations["DescribeTasks"].Run = func(_ *core.Call, in any) (any, error) {
			asked = in.(*ecs.DescribeTasksInput).Tasks
			return &ecs.DescribeTasksOutput{Failures: []ecstypes.Failure{{Arn: new("x"), Reason: new("MISSING")}}}, nil
		}
		out, err := Call[ecs.DescribeTasksOutput](t.Context(), a, in)
		if err != nil {
			t.Fatal(err)
		}
		last := out.Failures[len(out.Failures)-1]
		if core.Deref(last.Arn) != tt.failed || core.Deref(last.Reason) == "MISSING" || !slices.Equal(asked, tt.asked) {
			t.Errorf("%v item %d: failure %s %s, asked %v", tt.ids, tt.item, core.Deref(last.Arn), core.Deref(last.Reason), asked)
		}
		if !slices.Equal(in.Tasks, tt.ids) {
			t.Errorf("the caller's request was changed to %v", in.Tasks)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	for _, tt := range []struct {
		fault  FaultKind
		status int // 0: no answer
	}{{Throttle, 400}, {ErrorBefore, 500}, {ErrorAfter, 500}, {TimeoutBefore, 0}, {TimeoutAfter, 0}} {
		client := ecs.NewFromConfig(config(faulty(Fault{Kind: tt.fault}).Handler()))
		_, err := client.ListClusters(t.Context(), nil)
		var answered interface{ HTTPStatusCode() int }
		status := 0
		if errors.As(err, &answered) {
			status = answered.HTTPStatusCode()
		}
		if err == nil || status != tt.status {
			t.Errorf("fault %d: %v, status %d, want %d", tt.fault, err, status, tt.status)
		}
	}
}

// TestFaultsSeeTheRequest checks what a fault function can decide by.
func TestFaultsSeeTheRequest(t *testing.T) {
	var seen []Request
	a := New(Config{World: sim.New(core.Config{}), Faults: func(r Request) Fault {
		seen = append(seen, r)
		return Fault{Kind: ErrorBefore}
	}})
	ctx := WithCaller(t.Context(), "operator")
	in := &ecs.ListTasksInput{NextToken: new("t")}
	_, _ = Call[ecs.ListTasksOutput](ctx, a, in)
	_, _ = Call[autoscaling.DescribeAutoScalingGroupsOutput](t.Context(), a, &autoscaling.DescribeAutoScalingGroupsInput{})
	if len(seen) != 2 {
		t.Fatalf("%d requests seen, want 2", len(seen))
	}
	first, second := seen[0], seen[1]
	if first.Name() != "ecs.ListTasks" || first.Caller != "operator" || !first.Page || first.Input != any(in) || first.Number != 1 {
		t.Errorf("first request: %+v", first)
	}
	if second.Name() != "autoscaling.DescribeAutoScalingGroups" || second.Caller != "anonymous" || second.Page || second.Number != 2 {
		t.Errorf("second request: %+v", second)
	}
	if n := a.Counts()["ecs.ListTasks"]; n != 1 {
		t.Errorf("ecs.ListTasks counted %d times", n)
	}
	if by := a.CountsBy("operator"); len(by) != 1 || by["ecs.ListTasks"] != 1 {
		t.Errorf("counted for operator: %v", by)
	}
	if a.ResetCounts(); len(a.Counts()) != 0 {
		t.Errorf("after reset: %v", a.Counts())
	}
}

func TestUnsignedIsRefused(t *testing.T) {
	h := New(Config{World: sim.New(core.Config{})}).Handler()
	for _, authorization := range []string{"", "Basic eDp5", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=/d/r/ecs/aws4_request,"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim.invalid/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		res, err := inProcess{h}.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%q: status %d", authorization, res.StatusCode)
		}
		res.Body.Close()
	}
}
