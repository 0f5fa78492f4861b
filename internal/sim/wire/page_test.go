package wire

import (
	"slices"
	"testing"
	"time"
)

func pages(t *testing.T, a *API, lists ...[]string) []string {
	t.Helper()
	var all []string
	p := paging{operation: "ListTasks", fallback: 100, most: 100}
	for i := 0; ; i++ {
		items, next, ok := page(a, p, lists[min(i, len(lists)-1)], same)
		if !ok {
			t.Fatalf("page %d: its token is refused", i)
		}
		if all = append(all, items...); next == nil {
			return all
		}
		p.token = next
	}
}

func TestPages(t *testing.T) {
	a := &API{Config: Config{PageSize: 2}}
	tests := []struct {
		name  string
		lists [][]string // as they are at each page
		want  []string
	}{
		{"none", [][]string{nil}, nil},
		{"one page", [][]string{{"a", "b"}}, []string{"a", "b"}},
		{"three pages", [][]string{{"a", "b", "c", "d", "e"}}, []string{"a", "b", "c", "d", "e"}},
		{"an earlier item goes", [][]string{{"a", "b", "c", "d"}, {"b", "c", "d"}}, []string{"a", "b", "c", "d"}},
		{"an earlier item comes", [][]string{{"b", "c", "d"}, {"a", "b", "c", "d"}}, []string{"b", "c", "d"}},
		{"the last item goes", [][]string{{"a", "b", "c", "d"}, {"a", "c", "d"}}, []string{"a", "b", "c", "d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := pages(t, a, tt.lists...); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestForeignTokens(t *testing.T) {
	list := []string{"a", "b", "c"}
	tokens := []string{"!", "YQ==", mint("ListServices", 1, "a"), mint("ListTasks", 0, "a"), mint("ListTasks", -1, "a")}
	for _, token := range tokens {
		p := paging{operation: "ListTasks", fallback: 1, most: 1, token: &token}
		if items, _, ok := page(&API{}, p, list, same); ok {
			t.Errorf("token %q is taken, and gives %v", token, items)
		}
	}
}

func TestLimits(t *testing.T) {
	a := New(Config{Limits: map[string]Limit{"ecs.service-modify": {Burst: 2, PerSecond: 0.5}}})
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	ask := func(operation string, after time.Duration) bool {
		return a.admit(Request{Service: "ecs", Operation: operation, At: start.Add(after)})
	}
	for i, step := range []struct {
		operation string
		after     time.Duration
		want      bool
	}{
		{"UpdateService", 0, true}, {"UpdateService", 0, true}, {"UpdateService", 0, false},
		{"ListTasks", 0, true}, // another category, without a limit
		{"UpdateService", time.Second, false}, {"UpdateService", 2 * time.Second, true}, {"UpdateService", 2 * time.Second, false},
		{"UpdateService", time.Hour, true}, {"UpdateService", time.Hour, true}, {"UpdateService", time.Hour, false}, // no more than the burst
	} {
		if got := ask(step.operation, step.after); got != step.want {
			t.Errorf("step %d: %s after %s: admitted %v, want %v", i, step.operation, step.after, got, step.want)
		}
	}
}
