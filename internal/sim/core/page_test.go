package core

import (
	"slices"
	"testing"
)

func pages(t *testing.T, c *Call, lists ...[]string) []string {
	t.Helper()
	var all []string
	p := Paging{Operation: "ListTasks", Fallback: 100, Most: 100}
	for i := 0; ; i++ {
		items, next, ok := Page(c, p, lists[min(i, len(lists)-1)], Same)
		if !ok {
			t.Fatalf("page %d: its token is refused", i)
		}
		if all = append(all, items...); next == nil {
			return all
		}
		p.Token = next
	}
}

func TestPages(t *testing.T) {
	c := &Call{PageSize: 2}
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
			if got := pages(t, c, tt.lists...); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestForeignTokens(t *testing.T) {
	list := []string{"a", "b", "c"}
	tokens := []string{"!", "YQ==", mint("ListServices", 1, "a"), mint("ListTasks", 0, "a"), mint("ListTasks", -1, "a")}
	for _, token := range tokens {
		p := Paging{Operation: "ListTasks", Fallback: 1, Most: 1, Token: &token}
		if items, _, ok := Page(&Call{}, p, list, Same); ok {
			t.Errorf("token %q is taken, and gives %v", token, items)
		}
	}
}
