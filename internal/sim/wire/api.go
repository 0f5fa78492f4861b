// Package wire is the AWS protocols on top of the simulated world: the operations of Auto Scaling, ECS, ELBv2, SQS, SNS,
// EventBridge, STS and EC2, to be called directly with the SDK's own types or over HTTP by any AWS client, and a few of Lambda over HTTP.
//
// It never changes the world but through the methods of package sim, and never speaks to AWS.
package wire

import (
	"context"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

// Config says what an API stands on.
type Config struct {
	World *sim.World

	// Lock guards the world. Nil: the caller uses the API from one goroutine only.
	Lock sync.Locker

	// Limits are the token buckets by category, such as DefaultLimits. A category that is not in it is not limited.
	Limits map[string]Limit

	// Faults is asked before each call. Nil: none.
	Faults func(Request) Fault

	// PageSize is the most items on a page of List and Describe answers. 0: AWS's own maximum.
	PageSize int

	// Strict refuses request fields that the operation does not have. AWS ignores them; tests must not.
	Strict bool

	Account string // empty: 111122223333
	Region  string // empty: eu-west-1
}

// API is the AWS operations over one world. It is as safe for concurrent use as its Config.Lock makes it.
type API struct {
	Config
	counts   map[tally]int
	seq      int
	buckets  map[string]*bucket
	runs     map[string][]string  // tasks by the client token of the RunTask that started them
	policies map[string][]*Policy // by caller
	checks   map[Check]int
	clock    *Clock        // nil: the world stands still between calls
	moved    chan struct{} // closed when the world has changed; nil: nobody waits
}

type tally struct{ operation, caller string }

// New makes the operations over a world.
func New(cfg Config) *API {
	if cfg.Account == "" {
		cfg.Account = "111122223333"
	}
	if cfg.Region == "" {
		cfg.Region = "eu-west-1"
	}
	return &API{
		Config:   cfg,
		counts:   map[tally]int{},
		buckets:  map[string]*bucket{},
		runs:     map[string][]string{},
		policies: map[string][]*Policy{},
		checks:   map[Check]int{},
	}
}

// The services. Each has the methods of the SDK client of the same name, as far as the simulated cloud knows them.
type (
	// AutoScaling is Amazon EC2 Auto Scaling.
	AutoScaling struct{ api *API }
	// ECS is Amazon Elastic Container Service.
	ECS struct{ api *API }
	// ELB is Elastic Load Balancing, version 2.
	ELB struct{ api *API }
	// SQS is Amazon Simple Queue Service.
	SQS struct{ api *API }
	// SNS is Amazon Simple Notification Service.
	SNS struct{ api *API }
	// Events is Amazon EventBridge.
	Events struct{ api *API }
	// STS is AWS Security Token Service.
	STS struct{ api *API }
	// EC2 is Amazon EC2. Its methods take and return the world's own types, because the SDK's EC2 package is too large
	// to compile for three calls.
	EC2 struct{ api *API }
)

// AutoScaling returns the operations of Auto Scaling.
func (a *API) AutoScaling() AutoScaling { return AutoScaling{a} }

// ECS returns the operations of ECS.
func (a *API) ECS() ECS { return ECS{a} }

// ELB returns the operations of Elastic Load Balancing.
func (a *API) ELB() ELB { return ELB{a} }

// SQS returns the operations of SQS.
func (a *API) SQS() SQS { return SQS{a} }

// SNS returns the operations of SNS.
func (a *API) SNS() SNS { return SNS{a} }

// Events returns the operations of EventBridge.
func (a *API) Events() Events { return Events{a} }

// STS returns the operations of STS.
func (a *API) STS() STS { return STS{a} }

// EC2 returns the operations of EC2.
func (a *API) EC2() EC2 { return EC2{a} }

// Counts returns how often each operation was called, by "ecs.ListTasks", failed calls included.
func (a *API) Counts() map[string]int { return a.count(func(string) bool { return true }) }

// CountsBy is Counts for one caller.
func (a *API) CountsBy(caller string) map[string]int {
	return a.count(func(c string) bool { return c == caller })
}

func (a *API) count(counts func(caller string) bool) map[string]int {
	defer a.lock()()
	sum := map[string]int{}
	for t, n := range a.counts {
		if counts(t.caller) {
			sum[t.operation] += n
		}
	}
	return sum
}

// ResetCounts starts counting anew.
func (a *API) ResetCounts() {
	defer a.lock()()
	clear(a.counts)
}

// lock takes the world and returns what gives it back.
func (a *API) lock() (unlock func()) {
	if a.Lock == nil {
		return func() {}
	}
	a.Lock.Lock()
	return a.Lock.Unlock
}

// wake tells those who wait for the world that it may have changed. The world must be locked.
func (a *API) wake() {
	if a.moved != nil {
		close(a.moved)
		a.moved = nil
	}
}

// change returns a channel that is closed when the world may have changed. The world must be locked.
func (a *API) change() <-chan struct{} {
	if a.moved == nil {
		a.moved = make(chan struct{})
	}
	return a.moved
}

type (
	callerKey struct{}
	webKey    struct{}
)

// web is what a call over HTTP knows beyond a direct one.
type web struct {
	endpoint string // scheme and host that the client reached, for the URLs in answers
}

// WithCaller names who makes the calls under ctx, for the record, the counts and the faults.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

func callerOf(ctx context.Context) string {
	if name, ok := ctx.Value(callerKey{}).(string); ok {
		return name
	}
	return "anonymous"
}

func webOf(ctx context.Context) (web, bool) {
	w, ok := ctx.Value(webKey{}).(web)
	return w, ok
}

// Request is one call before it is answered.
type Request struct {
	Service   string // ecs, autoscaling, elasticloadbalancing, ec2, sqs, sns, events, sts: as in SigV4 scopes
	Operation string // ListTasks
	Caller    string
	At        time.Time // world time
	Number    int       // of the call since the API was made, from 1
	Input     any       // pointer to the SDK's input type
	Page      bool      // it asks for a later page of an answer
}

// Name spells service and operation, such as ecs.ListTasks.
func (r Request) Name() string { return r.Service + "." + r.Operation }
