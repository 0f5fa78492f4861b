package scale

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The reference has a row for each code, and no other.
func TestTheCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "| word | meaning |\n|---|---|\n")
	table, _, _ := strings.Cut(after, "\n\n")
	var want []string
	for _, c := range slices.Sorted(maps.Keys(codes)) {
		acts := ""
		if c.Acts() {
			acts = "; the count is changed"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s%s |", c, c.Means(), acts))
	}
	if got := strings.TrimSpace(table); got != strings.Join(want, "\n") {
		t.Errorf("the table in docs/reference/scaling.md is to be\n%s", strings.Join(want, "\n"))
	}
}
