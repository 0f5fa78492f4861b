package iam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/iam"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/scale"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/wire"
	"github.com/ebbhq/ebb/internal/source/sqs"
)

// seeds is how many random stories are run besides those that are kept as files.
const seeds = 200

// run is something that Ebb does, under policies.
type run struct {
	name  string
	mode  iam.Mode // whose policies
	scope iam.Scope
	do    func(*testing.T, ...*wire.Policy) map[wire.Check]int
}

// whole is every cluster and group of the account of the simulated cloud, and its queue.
func whole() iam.Scope {
	_, s := story.Ebb{}.Needs()
	s.Counts, s.Scales, s.Raises, s.Backlogs = []string{"*/*"}, true, true, []string{"arn:aws:sqs:eu-west-1:111122223333:*"}
	s.Rehearsals = []string{"*"}
	return s
}

// parsed is a policy as the simulated cloud reads it.
func parsed(t *testing.T, d iam.Document) *wire.Policy {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	p, err := wire.ParsePolicy(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serving is what the controller does, as a process and as a function: the stories in both shapes, the seeds in theirs, one Ebb or many, and the look
// at the queue as ebb serve starts.
func serving(t *testing.T) []run {
	t.Helper()
	files, err := filepath.Glob("../sim/story/testdata/*/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	var all []run
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := story.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, telling(filepath.Base(file), s))
		if !s.Ebb.Function {
			s.Ebb.Function, s.Ebb.Replicas = true, 0
			all = append(all, telling(filepath.Base(file)+" as a function", s))
		}
	}
	shapes := map[string]int{}
	for seed := range seeds {
		s := story.Random(uint64(seed + 1))
		shapes[fmt.Sprintf("function %t, many %t", s.Ebb.Function, s.Ebb.Replicas > 1)]++
		all = append(all, telling(fmt.Sprint("seed ", seed+1), s))
	}
	if len(shapes) != 3 {
		t.Errorf("the seeds have the shapes %v; there are three", shapes)
	}
	return append(all, run{"the start of ebb serve", iam.Serve, whole(), start})
}

// telling is a story. Of one with a function the event source mapping polls the queue, which Lambda does with the rights of the function's role.
func telling(name string, s story.Scenario) run {
	mode, scope := s.Ebb.Needs()
	return run{name, mode, scope, func(t *testing.T, policies ...*wire.Policy) map[wire.Check]int {
		t.Helper()
		res, err := story.Run(s, policies...)
		if err != nil {
			t.Fatal(err)
		}
		return res.Checks
	}}
}

func start(t *testing.T, policies ...*wire.Policy) map[wire.Check]int {
	t.Helper()
	api := built(t, sim.Demo(), policies)
	q, err := api.World.(*sim.World).Queue("ebb")
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqs.New(client.SQS(api), sqs.Config{URL: q.URL}).Check(wire.WithCaller(t.Context(), "ebb"))
	if err != nil && len(policies) == 0 {
		t.Fatal(err)
	}
	return api.Checks()
}

func built(t *testing.T, spec sim.Spec, policies []*wire.Policy) *wire.API {
	t.Helper()
	world, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: world, Strict: true})
	for _, p := range policies {
		api.Attach("ebb", p)
	}
	return api
}

// looking is what why, plan and doctor do: inventories of all scopes.
func looking(t *testing.T) []run {
	t.Helper()
	demo := whole()
	demo.Clusters = []string{"demo"}
	provided := sim.Demo()
	provided.Providers = []ecs.CapacityProvider{{Name: "p", Group: "demo-asg"}}
	worlds := []sim.Spec{sim.Demo(), provided, story.Random(1).World, story.Random(2).World}
	var all []run
	for i, w := range worlds {
		all = append(all, run{fmt.Sprint("an inventory of all of world ", i), iam.ReadOnly, whole(), collecting(w, collector.Scope{}, false)})
	}
	host := first(t, sim.Demo())
	return append(all,
		run{"what services that are scaled would be set to", iam.ReadOnly, whole(), previewing},
		run{"the agent of a host that leaves", iam.Agent, whole(), leaving},
		run{"an inventory of a cluster", iam.ReadOnly, demo, collecting(provided, collector.Scope{Clusters: []string{"demo"}}, false)},
		run{"an inventory of a group", iam.ReadOnly, whole(), collecting(sim.Demo(), collector.Scope{Groups: []string{"demo-asg"}}, false)},
		run{"an inventory of an instance", iam.ReadOnly, whole(), collecting(sim.Demo(), collector.Scope{Instance: host}, false)},
		run{"an inventory of groups with launch templates", iam.ReadOnly, whole(), collecting(sim.Demo(), collector.Scope{}, true)},
	)
}

// previewing is what ebb scale does.
func previewing(t *testing.T, policies ...*wire.Policy) map[wire.Check]int {
	t.Helper()
	spec := sim.Demo()
	spec.Alarms = []cloudwatch.AlarmSpec{{Name: "up", Namespace: "Shop", Metric: "Requests", Threshold: 1}}
	api := built(t, spec, policies)
	w := api.World.(*sim.World)
	if err := w.SetAlarmState("up", "ALARM", "a test", ""); err != nil {
		t.Fatal(err)
	}
	q, err := w.Queue("ebb")
	if err != nil {
		t.Fatal(err)
	}
	p := scale.Defaults()
	p.Alarms = []scale.Rule{{Alarm: "up", Change: scale.Change{By: 1}}}
	queue, metric := p, p
	queue.Queue = &scale.Queue{URL: q.URL, FinishWithin: time.Minute}
	metric.Tracking = &scale.Tracking{Metric: fleet.Metric{Namespace: "Shop", Name: "Requests", Stat: "Sum", Period: time.Minute}, Target: 1}
	c := cloud.New(cloud.Clients{ECS: client.ECS(api), CloudWatch: client.JSON{API: api, Service: "cloudwatch"}, Queues: client.JSON{API: api, Service: "sqs"},
		Scalers: client.JSON{API: api, Service: "application-autoscaling"}})
	cfg := kernel.Config{OnePass: true, Groups: []kernel.Managed{{Cluster: "demo", OnlyScaled: true, Scaled: []kernel.Scaled{
		{Service: "web", Policy: queue, Every: time.Minute}, {Service: "other", Policy: metric, Every: time.Minute},
	}}}}
	_, err = kernel.Preview(cfg, nil, w.Now, func(l plan.Look) plan.Done {
		return plan.Done{Started: w.Now(), Result: c.Look(wire.WithCaller(t.Context(), "ebb"), l)}
	})
	if err != nil {
		t.Fatal(err)
	}
	return api.Checks()
}

func first(t *testing.T, spec sim.Spec) string {
	t.Helper()
	return built(t, spec, nil).World.(*sim.World).DescribeAutoScalingGroups(nil)[0].Instances[0].ID
}

// collecting takes an inventory through the SDK's own clients.
func collecting(spec sim.Spec, scope collector.Scope, templates bool) func(*testing.T, ...*wire.Policy) map[wire.Check]int {
	return func(t *testing.T, policies ...*wire.Policy) map[wire.Check]int {
		t.Helper()
		api := built(t, spec, policies)
		cfg := aws.Config{
			Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
			HTTPClient: &http.Client{Transport: inProcess{api.Handler(), &sync.Mutex{}}},
		}
		if templates {
			cfg.APIOptions = append(cfg.APIOptions, templated)
		}
		s := collector.New(cfg)
		s.Now = api.World.Now
		if scope.Clusters == nil && scope.Groups == nil && scope.Instance == "" {
			scope.Queues = []string{"http://sim.invalid/111122223333/ebb"}
		}
		if _, err := s.Take(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
		return api.Checks()
	}
}

// inProcess carries requests to a handler without a network.
type inProcess struct {
	handler http.Handler
	mu      *sync.Mutex
}

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, errors.Join(errors.New("read the request"), err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	t.mu.Lock()
	defer t.mu.Unlock()
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// templated gives every group a launch template; the simulated cloud has none.
func templated(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("templated", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, md, err := next.HandleInitialize(ctx, in)
		if found, ok := out.Result.(*autoscaling.DescribeAutoScalingGroupsOutput); ok {
			for i := range found.AutoScalingGroups {
				g := &found.AutoScalingGroups[i]
				g.LaunchConfigurationName = nil
				g.LaunchTemplate = &astypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-0123456789abcdef0")}
			}
		}
		return out, md, err
	}), middleware.After)
}
