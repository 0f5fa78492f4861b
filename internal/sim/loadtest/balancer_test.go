package loadtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

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
	site, err := Open(s.world, 1, s.group, 0)
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
