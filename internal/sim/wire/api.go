// Package wire serves the operations of a simulated cloud: directly, with the types of the SDK, or over HTTP in AWS's protocols to any AWS
// client. What goes wrong with calls, how many are let through, and what IAM policies allow is decided here.
//
// It knows no service: all that it does with an operation is in the operation's row (core.Operation). It never changes the world but through
// these rows, and never speaks to AWS.
package wire

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/model"
)

// World is a simulated cloud as this package sees it.
type World interface {
	Now() time.Time
	Next() (time.Time, bool)
	Advance(to time.Time)
	Record() []core.Entry
	Log(core.Entry)
	SetCaller(name string)
	SetLag(d time.Duration)
	Lagging() bool
	UserARN(name string) string
	Services() []core.Service
}

// Config says what an API stands on.
type Config struct {
	World World

	// Lock guards the world. Nil: the caller uses the API from one goroutine only.
	Lock sync.Locker

	// Limits are the token buckets by the names in the rows, such as Limits makes them. What is not in it is not limited.
	Limits map[string]core.Limit

	// Faults is asked before each call. Nil: none.
	Faults func(Request) Fault

	// PageSize is the most items on a page of List and Describe answers. 0: AWS's own maximum.
	PageSize int

	// Strict refuses request fields that the operation does not have. AWS ignores them; tests must not.
	Strict bool
}

// API is the AWS operations over one world. It is as safe for concurrent use as its Config.Lock makes it.
type API struct {
	Config
	services map[string]*service
	scopes   map[string]*service // the same, by the names in the scopes of signatures
	byInput  map[reflect.Type]*operation
	counts   map[tally]int
	missed   map[string]int // calls of operations that are not here, by service and name
	seq      int
	buckets  map[string]*bucket
	policies map[string][]*Policy // by caller
	checks   map[Check]int
	clock    *Clock        // nil: the world stands still between calls
	moved    chan struct{} // closed when the world has changed; nil: nobody waits
}

type tally struct{ operation, caller string }

// service is a service and its operations by name.
type service struct {
	core.Service
	operations map[string]*operation
}

// operation is one row, and where it belongs.
type operation struct {
	core.Operation
	of *service
}

// checks are those of all operations of all worlds, by the type of the request: a world is made in a moment, and a check is not.
var checks sync.Map

// broken is what AWS's model of the operation does not allow about a request.
func (o *operation) broken(in any) []string {
	v := reflect.ValueOf(in).Elem()
	made, ok := checks.Load(v.Type())
	if !ok {
		members := spelling{names: o.of.Protocol.Names.Members}.field
		made, _ = checks.LoadOrStore(v.Type(), model.Of(modelName(o.of.Name), o.Name, v.Type(), func(t reflect.Type, name string) (int, bool) {
			return members(t, strings.ToUpper(name[:1])+name[1:])
		}))
	}
	if check := made.(model.Check); check != nil {
		return check(v)
	}
	return nil
}

// modelName is the name that a service has in AWS's models, where it has another in IAM's.
func modelName(service string) string {
	if service == "elasticloadbalancing" {
		return "elbv2"
	}
	return service
}

// New makes the operations over a world.
func New(cfg Config) *API {
	a := &API{
		Config:   cfg,
		services: map[string]*service{},
		scopes:   map[string]*service{},
		byInput:  map[reflect.Type]*operation{},
		counts:   map[tally]int{},
		missed:   map[string]int{},
		buckets:  map[string]*bucket{},
		policies: map[string][]*Policy{},
		checks:   map[Check]int{},
	}
	for _, described := range cfg.World.Services() {
		s := &service{Service: described, operations: map[string]*operation{}}
		a.services[s.Name], a.scopes[or(s.Scope, s.Name)] = s, s
		for _, row := range s.Operations {
			o := &operation{Operation: row, of: s}
			s.operations[o.Name] = o
			a.byInput[reflect.TypeOf(o.Input())] = o
		}
	}
	return a
}

// Call makes a direct call: the type of the request says which operation it is. No request is an empty one.
func Call[Out, In any](ctx context.Context, a *API, in *In) (*Out, error) {
	if in == nil {
		in = new(In)
	}
	out, err := a.Do(ctx, in)
	if err != nil {
		return nil, err
	}
	return out.(*Out), nil
}

// Do is Call where the type of the request, a pointer to one of the SDK's, is known only when the program runs.
func (a *API) Do(ctx context.Context, in any) (any, error) {
	o := a.byInput[reflect.TypeOf(in)]
	if o == nil {
		return nil, fmt.Errorf("the simulated cloud has no operation with the request %T", in)
	}
	return a.call(ctx, o, in)
}

// AskJSON is Do for a service that speaks JSON, where request and answer are written in it, as over HTTP.
func (a *API) AskJSON(ctx context.Context, service, operation string, body []byte) ([]byte, error) {
	s := a.services[service]
	if s == nil || s.operations[operation] == nil || s.Protocol.JSON == "" {
		return nil, fmt.Errorf("the simulated cloud has no operation %s.%s in JSON", service, operation)
	}
	o := s.operations[operation]
	p := jsonProtocol{version: s.Protocol.JSON, prefix: s.Protocol.Prefix, spelling: spelling{small: s.Protocol.Small, names: s.Protocol.Names.Members}}
	in := o.Input()
	if err := p.decode(body, in, true); err != nil {
		return nil, err
	}
	out, err := a.call(ctx, o, in)
	if err != nil {
		return nil, err
	}
	_, answer, err := p.answer(operation, "", out)
	return answer, err
}

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

// Missed returns how often clients asked for operations that are not here, by "ecs.RegisterTaskDefinition".
func (a *API) Missed() map[string]int {
	defer a.lock()()
	return maps.Clone(a.missed)
}

// mostMissed is how many names of such operations are kept: anybody can think of more.
const mostMissed = 1000

func (a *API) miss(name string) {
	defer a.lock()()
	if len(a.missed) < mostMissed || a.missed[name] > 0 {
		a.missed[name]++
	}
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
	Service   string // its name: ecs
	Operation string // ListTasks
	Caller    string
	At        time.Time // world time
	Number    int       // of the call since the API was made, from 1
	Input     any       // pointer to the SDK's input type
	Page      bool      // it asks for a later page of an answer

	row    *operation
	partly bool // one of its items was made to fail
}

// Name spells service and operation, such as ecs.ListTasks.
func (r Request) Name() string { return r.Service + "." + r.Operation }
