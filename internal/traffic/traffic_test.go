package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
)

// scene is a world that stands still between its changes: two hosts, a web task on each, a deregistration delay of 20 s.
type scene struct {
	t     *testing.T
	mu    sync.Mutex
	w     *sim.World
	group string
	tasks []sim.Task
}

func newScene(t *testing.T) *scene {
	t.Helper()
	w, err := sim.Build(sim.Spec{
		Seed: 1, Clusters: []sim.ClusterSpec{{Name: "prod"}}, TargetGroups: []sim.TargetGroupSpec{{Name: "web", Delay: 20 * time.Second}},
		TaskDefinitions: []sim.TaskDefinition{{Family: "web", Port: 80}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 2, Launch: sim.HostSpec{Cluster: "prod"}}},
		Services:        []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 2, TargetGroup: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := w.DescribeTargetGroups(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, w: w, group: groups[0].ARN}
	arns, err := w.ListTasks("prod", sim.TaskQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if s.tasks, _, err = w.DescribeTasks("prod", arns); err != nil || len(s.tasks) != 2 {
		t.Fatal(s.tasks, err)
	}
	return s
}

func (s *scene) world(f func(*sim.World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.w)
}

func (s *scene) pass(d time.Duration) {
	s.world(func(w *sim.World) { w.Advance(w.Now().Add(d)) })
}

// stop lets ECS stop a task: its target begins to deregister.
func (s *scene) stop(t sim.Task) {
	s.t.Helper()
	s.world(func(w *sim.World) {
		if _, err := w.StopTask("prod", t.ARN, ""); err != nil {
			s.t.Fatal(err)
		}
	})
}

// ask sends a request and returns when the first byte of the answer is there.
func ask(t *testing.T, url, take string) *http.Response {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second} // so that a broken cut fails a test and does not hang it
	res, err := client.Post(url+"/?take="+take, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != whole[:1] {
		t.Fatalf("%q, %v; want the first byte", first, err)
	}
	return res
}

func TestAProcessFinishesWhatItHasBegunAndExits(t *testing.T) {
	s := newScene(t)
	told := make(chan struct{})
	p := NewProcesses(func(f func(*sim.World)) { s.world(f); close(told) })
	defer p.Close()
	task := s.tasks[0]
	p.Start(task)
	address, ok := p.Address(task.ARN)
	if !ok {
		t.Fatal("the process does not listen")
	}
	res := ask(t, "http://"+address, "300ms")
	p.Terminate(task)
	if _, ok := p.Address(task.ARN); ok {
		t.Error("it takes new connections after SIGTERM")
	}
	select {
	case <-told:
		t.Fatal("it exited before it had answered")
	default:
	}
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != whole[1:] {
		t.Errorf("the rest of the answer is %q, %v", rest, err)
	}
	<-told
}

func TestAProcessThatIsKilledResetsItsConnections(t *testing.T) {
	for name, signals := range map[string][]func(*Processes, sim.Task){
		"at once":       {(*Processes).Kill},
		"after SIGTERM": {(*Processes).Terminate, (*Processes).Kill},
		"with the site": {func(p *Processes, _ sim.Task) { go p.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			p := NewProcesses(func(func(*sim.World)) { t.Error("a process that is killed tells nobody") })
			p.Start(s.tasks[0])
			address, _ := p.Address(s.tasks[0].ARN)
			res := ask(t, "http://"+address, "1h")
			for _, signal := range signals {
				signal(p, s.tasks[0])
			}
			if _, err := io.ReadAll(res.Body); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v, want the connection reset", err)
			}
			p.Close()
			if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v, want connections refused", err)
			}
		})
	}
}

// named are servers that answer with the ARN of their task.
func named(t *testing.T, s *scene) func(task string) (string, bool) {
	addresses := map[string]string{}
	for _, task := range s.tasks {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, task.ARN) }))
		t.Cleanup(server.Close)
		addresses[task.ARN] = strings.TrimPrefix(server.URL, "http://")
	}
	return func(task string) (string, bool) { a, ok := addresses[task]; return a, ok }
}

// answers counts whose answers ten requests get.
func answers(b *Balancer) map[string]int {
	got := map[string]int{}
	for range 10 {
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
		body := rec.Body.String()
		if rec.Code != http.StatusOK {
			body = fmt.Sprint(rec.Code)
		}
		got[body]++
	}
	return got
}

func want(t *testing.T, when string, b *Balancer, counts map[string]int) {
	t.Helper()
	if got := answers(b); !reflect.DeepEqual(got, counts) {
		t.Errorf("%s: ten requests are answered by %v, want %v", when, got, counts)
	}
}

func TestTheBalancerObeysTargetStatesSomeSecondsLater(t *testing.T) {
	s := newScene(t)
	b := NewBalancer(s.world, s.group, named(t, s))
	one, other := s.tasks[0], s.tasks[1]
	want(t, "both healthy", b, map[string]int{one.ARN: 5, other.ARN: 5})
	s.stop(one)
	s.pass(3900 * time.Millisecond)
	want(t, "3.9 s after the deregistration", b, map[string]int{one.ARN: 5, other.ARN: 5})
	s.pass(200 * time.Millisecond)
	want(t, "4.1 s after the deregistration", b, map[string]int{other.ARN: 10})
	s.stop(other)
	s.pass(10 * time.Second) // the replacement of the first is not healthy yet, or the second would not be here
	b = NewBalancer(s.world, "no such target group", b.address)
	want(t, "without a target", b, map[string]int{"503": 10})
}

func TestAProcessThatIsGoneIsA502(t *testing.T) {
	s := newScene(t)
	there := named(t, s)
	b := NewBalancer(s.world, s.group, func(task string) (string, bool) {
		if task == s.tasks[0].ARN {
			return "", false
		}
		return there(task)
	})
	want(t, "one process gone", b, map[string]int{"502": 5, s.tasks[1].ARN: 5})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	b.address = func(string) (string, bool) { return l.Addr().String(), true }
	want(t, "nobody listens", b, map[string]int{"502": 10})
}

func TestTheBalancerCutsWhatTheDelayLeaves(t *testing.T) {
	s := newScene(t)
	site, err := Open(s.world, s.group)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	open := []*http.Response{ask(t, site.URL, "1h"), ask(t, site.URL, "1h")} // one on each target
	s.stop(s.tasks[0])
	s.pass(21 * time.Second)
	cut := make(chan error)
	for _, res := range open {
		go func() {
			_, err := io.ReadAll(res.Body)
			cut <- err
		}()
	}
	if err := <-cut; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want the answer broken off in the middle", err)
	}
	select {
	case err := <-cut:
		t.Errorf("the request on the other target ended too: %v", err)
	default:
	}
	site.Close()
	if err := <-cut; err == nil {
		t.Error("the request on the other target was answered")
	}
}

func TestALoadIsTheSameForTheSameSeed(t *testing.T) {
	first := func(seed uint64) []request {
		next := Load{Seed: seed, PerSecond: 200, SlowPercent: 5, Quick: time.Millisecond, Slow: time.Second}.requests()
		var all []request
		for range 20000 {
			all = append(all, next())
		}
		return all
	}
	all := first(1)
	if !reflect.DeepEqual(all, first(1)) || reflect.DeepEqual(all, first(2)) {
		t.Error("want the same requests for the same seed only")
	}
	slow := 0
	for _, r := range all {
		if r.slow != (r.take == time.Second) {
			t.Fatalf("%+v", r)
		}
		if r.slow {
			slow++
		}
	}
	if last := all[len(all)-1].at.Seconds(); slow < 900 || slow > 1100 || last < 97 || last > 103 {
		t.Errorf("%d of 20000 slow, the last after %.1f s; want 5 %% and 100 s", slow, last)
	}
}

// Every request is sent once, by every client, and each failure is counted by its kind.
func TestEveryFailureIsCounted(t *testing.T) {
	const each = 30
	var n atomic.Int64
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := n.Add(1)
		if k == 5*each {
			close(stop)
		}
		switch {
		case k > 5*each || k%5 == 0:
			answer(w, r)
		case k%5 == 1:
			w.WriteHeader(http.StatusBadGateway)
		case k%5 == 2:
			panic(http.ErrAbortHandler)
		case k%5 == 3:
			_, _ = io.WriteString(w, whole[:1])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case k%5 == 4:
			_, _ = io.WriteString(w, whole[:1]) // an answer that is not whole
		}
	}))
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c, refused := NewClient(server.URL), NewClient("http://"+l.Addr().String())
	defer c.Close()
	Load{PerSecond: 5000, Quick: time.Millisecond, Slow: time.Hour}.Run(t.Context(), stop, c, refused)
	got := c.Tally()
	if got.Requests != int(n.Load()) || got.Failed != 4*each || !reflect.DeepEqual(got.ByKind, map[string]int{"502": each, "reset": 3 * each}) {
		t.Errorf("%+v of %d requests", got, n.Load())
	}
	if got.P99 < time.Millisecond || got.P99 > patience {
		t.Errorf("the 99th percentile is %s", got.P99)
	}
	if r := refused.Tally(); r.Requests != got.Requests || r.ByKind["refused"] != r.Requests || r.Failed != r.Requests || r.P99 != 0 {
		t.Errorf("where nobody listens: %+v", r)
	}
}

func TestTheEndOfTheContextIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	c := NewClient(server.URL)
	Load{PerSecond: 5000}.Run(ctx, nil, c)
	if got := c.Tally(); got.Requests != 0 || got.Failed != 0 {
		t.Errorf("%+v, want nothing counted", got)
	}
}

// An answer that begins before its request is read to the end must not break it: the server in front discards the rest of a request
// then, unless it is told otherwise.
func TestAnAnswerMayBeginBeforeItsRequestHasEnded(t *testing.T) {
	s := newScene(t)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, whole[:1])
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	}))
	defer echo.Close()
	front := httptest.NewServer(NewBalancer(s.world, s.group, func(string) (string, bool) { return strings.TrimPrefix(echo.URL, "http://"), true }))
	defer front.Close()
	body, rest := io.Pipe()
	defer body.Close()
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Post(front.URL, "", body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	go func() {
		_, _ = io.WriteString(rest, whole[1:])
		_ = rest.Close()
	}()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != whole {
		t.Errorf("%q, %v; want %q", got, err, whole)
	}
}
