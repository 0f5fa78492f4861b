package collector

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/ebbhq/ebb/internal/cloud"
)

// pace holds the requests of inventories below half of what AWS takes from an account: the Ebb that drains lives on the same limits.
type pace struct {
	mu   sync.Mutex
	sent int
	have map[string]*tokens
}

// tokens are what one limit has left; less than none is what waits.
type tokens struct {
	left float64
	at   time.Time
}

// rate is requests at once, and a second.
type rate struct{ burst, perSecond float64 }

// paces are a little less than half of the limits, by the SDK's name of the service and the operation; empty: those without a limit of their
// own. Those of Auto Scaling and EC2 are not published: these are guesses on the careful side.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
var paces = map[string]map[string]rate{
	"ECS": {
		"": {45, 9}, "ListServices": {45, 9}, "DescribeServices": {45, 9}, "DescribeTaskDefinition": {22, 9}, "ListClusters": {22, 9},
		"DescribeClusters": {22, 9}, "DescribeCapacityProviders": {22, 9}, "GetTaskProtection": {90, 36},
	},
	"Elastic Load Balancing v2": {"": {18, 4.5}},
	"Auto Scaling":              {"": {45, 4.5}},
	"EC2":                       {"": {45, 9}},
}

// limitOf is the limit that an operation counts against, and how fast Ebb may be there.
func limitOf(service, operation string) (name string, of rate, limited bool) {
	of, own := paces[service][operation]
	switch {
	case !own:
		of, limited = paces[service][""]
		return service, of, limited
	case operation == "ListServices":
		return service + " DescribeServices", of, true
	case operation == "ListClusters":
		return service + " DescribeClusters", of, true
	}
	return service + " " + operation, of, true
}

// wait waits for the turn of a request.
func (p *pace) wait(ctx context.Context, service, operation string) error {
	p.mu.Lock()
	p.sent++
	name, of, limited := limitOf(service, operation)
	if !limited {
		p.mu.Unlock()
		return nil
	}
	t, now := p.have[name], time.Now()
	if t == nil {
		t = &tokens{of.burst, now}
		p.have[name] = t
	}
	t.left = min(of.burst, t.left+now.Sub(t.at).Seconds()*of.perSecond) - 1
	t.at = now
	turn := time.Duration(-t.left / of.perSecond * float64(time.Second))
	p.mu.Unlock()
	if turn <= 0 {
		return nil
	}
	select {
	case <-time.After(turn):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced returns a configuration whose clients wait for their turn.
func (p *pace) paced(cfg aws.Config) aws.Config {
	turn := middleware.InitializeMiddlewareFunc("EbbPace", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (out middleware.InitializeOutput, data middleware.Metadata, err error) {
		if err = p.wait(ctx, awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)); err != nil {
			return out, data, err
		}
		return next.HandleInitialize(ctx, in)
	})
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Initialize.Add(turn, middleware.After) // where the service and the operation are known
	})
	return cfg
}

// pacedEC2 does the same for the requests that are made by hand.
func (p *pace) pacedEC2(ask cloud.AskEC2) cloud.AskEC2 {
	return func(ctx context.Context, form url.Values) ([]byte, error) {
		if err := p.wait(ctx, "EC2", form.Get("Action")); err != nil {
			return nil, err
		}
		return ask(ctx, form)
	}
}

// begin fills what an earlier inventory has left: one is not taken so often that it would matter.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.have = map[string]*tokens{}
}

// Sent is how many requests were sent, or wait for their turn.
func (s *Collector) Sent() int {
	s.pace.mu.Lock()
	defer s.pace.mu.Unlock()
	return s.pace.sent
}
