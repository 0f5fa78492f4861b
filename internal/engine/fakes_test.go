package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
)

// trail is what the fakes were asked to do, in order, each with the time since the start.
type trail struct {
	mu    sync.Mutex
	start time.Time
	seen  []mark
}

type mark struct {
	at   time.Duration
	what string
}

func (t *trail) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, mark{time.Since(t.start), fmt.Sprintf(format, args...)})
}

// times says when something that begins so happened.
func (t *trail) times(prefix string) []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var at []time.Duration
	for _, m := range t.seen {
		if strings.HasPrefix(m.what, prefix) {
			at = append(at, m.at)
		}
	}
	return at
}

func (t *trail) index(prefix string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.IndexFunc(t.seen, func(m mark) bool { return strings.HasPrefix(m.what, prefix) })
}

func (t *trail) String() string {
	var b strings.Builder
	for _, m := range t.seen {
		fmt.Fprintf(&b, "\n  %8s %s", m.at, m.what)
	}
	return b.String()
}

// store is a journal in memory that takes its time and fails when it is told to.
type store struct {
	*memory.Store
	trail   *trail
	slow    time.Duration
	refuse  func(journal.Batch) error // says why a batch is not written; nil: it always is
	fail    func(journal.Batch) error // says why a batch that was written failed all the same; nil: it did not
	opening func() error              // nil: it can always be read
}

func (s *store) Open(ctx context.Context) ([]journal.Record, error) {
	s.trail.note("open")
	if s.opening != nil {
		if err := s.opening(); err != nil {
			return nil, err
		}
	}
	return s.Store.Open(ctx)
}

func (s *store) Write(ctx context.Context, b journal.Batch) error {
	wait(ctx, s.slow)
	err := said(s.refuse, b)
	if err == nil {
		err = s.Store.Write(ctx, b)
	}
	if err == nil {
		err = said(s.fail, b)
	}
	for _, l := range b.Lines {
		if err == nil {
			s.trail.note("durable %s", l.Kind)
		} else {
			s.trail.note("refused %s", l.Kind)
		}
	}
	return err
}

func said(why func(journal.Batch) error, b journal.Batch) error {
	if why == nil {
		return nil
	}
	return why(b)
}

// once says it about the first batch with a record, and never again.
func once(err error) func(journal.Batch) error {
	told := false
	return func(b journal.Batch) error {
		if told || len(b.Records) == 0 {
			return nil
		}
		told = true
		return err
	}
}

func wait(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// queue is a source: what is put into it comes, and comes again a minute after it was let go.
type queue struct {
	trail *trail
	in    chan event.Message
	mu    sync.Mutex
	held  map[string]event.Message
	ends  int // Run fails so many times before it works
}

func (q *queue) Run(ctx context.Context, hear func(context.Context, []event.Message) error) error {
	q.trail.note("listen")
	if q.ends > 0 {
		q.ends--
		return fmt.Errorf("the connection broke")
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-q.in:
			q.mu.Lock()
			m.Receives++
			q.held[m.ID] = m
			q.mu.Unlock()
			if err := hear(ctx, []event.Message{m}); err != nil {
				return err
			}
		}
	}
}

func (q *queue) Settle(id string, del bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, ok := q.held[id]
	delete(q.held, id)
	switch {
	case del:
		q.trail.note("deleted %s", id)
	case ok:
		q.trail.note("let go %s", id)
		time.AfterFunc(time.Minute, func() { q.in <- m })
	}
}

func (q *queue) LetGo() {
	q.mu.Lock()
	ids := slices.Sorted(maps.Keys(q.held))
	q.mu.Unlock()
	for _, id := range ids {
		q.Settle(id, false)
	}
}

// cloud is one group whose instances wait in the hook, each of them a container instance without tasks.
type cloud struct {
	trail   *trail
	mu      sync.Mutex
	waiting []fleet.InstanceID
	status  map[fleet.InstanceID]string
	look    func(context.Context, plan.Look, *plan.LookResult) // may hold a look up or change what it saw; nil: neither
	do      func(context.Context, plan.Action)                 // may hold an action up; nil: it does not
}

func (c *cloud) Do(ctx context.Context, a plan.Action) plan.Outcome {
	c.trail.note("do %s %s", a.Kind, a.Target.ID)
	if c.do != nil {
		c.do(ctx, a)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.State != nil {
		for _, arn := range a.State.ContainerInstances {
			c.status[fleet.InstanceID(arn)] = fleet.Draining
		}
	}
	if a.Kind == plan.Answer {
		c.waiting = slices.DeleteFunc(c.waiting, func(id fleet.InstanceID) bool { return string(id) == a.Target.ID })
	}
	return plan.Outcome{Calls: 1}
}

func (c *cloud) Look(ctx context.Context, l plan.Look) plan.LookResult {
	c.trail.note("look %s %v", l.Kind, l.IDs())
	c.mu.Lock()
	s := plan.LookResult{Calls: 1, View: c.view(l)}
	c.mu.Unlock()
	if c.look != nil {
		c.look(ctx, l, &s)
	}
	if ctx.Err() != nil {
		return plan.LookResult{Calls: 1, Err: &plan.Failure{Class: plan.Unclear, Message: ctx.Err().Error()}}
	}
	return s
}

func (c *cloud) view(l plan.Look) (v plan.View) {
	switch l.Kind {
	case plan.Groups:
		v.Groups = []fleet.Group{{Name: "web"}}
	case plan.Hooks:
		v.Hooks = []fleet.Hook{{Name: "ebb-drain", Group: "web", Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 25 * time.Hour}}
	}
	for _, s := range l.Subjects {
		id := fleet.InstanceID(s.ID)
		switch l.Kind {
		case plan.GroupInstances:
			if slices.Contains(c.waiting, id) {
				v.GroupInstances = append(v.GroupInstances, fleet.GroupInstance{ID: id, Group: "web", State: fleet.TerminatingWait, Healthy: true})
			}
		case plan.FindContainerInstances, plan.ContainerInstances:
			v.ContainerInstances = append(v.ContainerInstances, c.host(id))
		case plan.Instances:
			v.Instances = append(v.Instances, plan.InstanceStatus{ID: id, State: fleet.StateRunning})
		}
	}
	return v
}

func (c *cloud) host(id fleet.InstanceID) fleet.ContainerInstance {
	status := c.status[id]
	if status == "" {
		status = fleet.Active
	}
	return fleet.ContainerInstance{ARN: fleet.ARN(id), Cluster: "prod", Instance: id, Status: status, Connected: true}
}

// rig is an engine between its fakes.
type rig struct {
	*trail
	cfg   Config
	store *store
	queue *queue
	cloud *cloud
}

// newRig must be called in a bubble of synctest.
func newRig() *rig {
	tr := &trail{start: time.Now()}
	r := &rig{
		trail: tr, store: &store{Store: memory.New(), trail: tr}, cloud: &cloud{trail: tr, status: map[fleet.InstanceID]string{}},
		queue: &queue{trail: tr, in: make(chan event.Message, 100), held: map[string]event.Message{}},
	}
	groups := []kernel.Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}
	r.cfg = Config{
		Kernel: kernel.Config{Hook: "ebb-drain", Groups: groups, Redrive: true}, Store: r.store, Cloud: r.cloud, Source: r.queue,
		OnLine: func(l journal.Line) { tr.note("told %s", l.Kind) },
	}
	return r
}

// run runs an engine until the function has returned, and says how long it took to end.
func (r *rig) run(t *testing.T, during func()) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- New(r.cfg).Run(ctx) }()
	during()
	asked := time.Now()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	return time.Since(asked)
}

// terminate makes an instance wait in the hook, and tells of it.
func (r *rig) terminate(id fleet.InstanceID) {
	r.cloud.mu.Lock()
	r.cloud.waiting = append(r.cloud.waiting, id)
	r.cloud.mu.Unlock()
	r.tell(id)
}

// tell puts the message that an instance waits into the queue.
func (r *rig) tell(id fleet.InstanceID) {
	r.queue.in <- event.Message{ID: "m-" + string(id), Sent: time.Now(), Body: fmt.Sprintf(`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING",
		"AutoScalingGroupName":"web","LifecycleHookName":"ebb-drain","EC2InstanceId":%q,"LifecycleActionToken":"71514b9d-6a40-4b26-8523-05e7eEXAMPLE"}`, id)}
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
