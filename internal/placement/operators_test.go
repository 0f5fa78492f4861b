package placement

import (
	"testing"

	"github.com/ebbhq/ebb/internal/inventory"
)

// Every operator means the same as a sign and in words, also where both sides are alike. The random worlds use the signs only.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
func TestEveryOperatorInWords(t *testing.T) {
	for sign, x := range map[string]struct {
		words string
		want  [3]answer // of 1, 2 and 3 compared with 2
	}{
		"==":      {"equals", [3]answer{no, yes, no}},
		"!=":      {"not_equals", [3]answer{yes, no, yes}},
		"<":       {"less_than", [3]answer{yes, no, no}},
		"<=":      {"less_than_equal", [3]answer{yes, yes, no}},
		">":       {"greater_than", [3]answer{no, no, yes}},
		">=":      {"greater_than_equal", [3]answer{no, yes, yes}},
		"in":      {"in", [3]answer{no, yes, no}},
		"!in":     {"not_in", [3]answer{yes, no, yes}},
		"=~":      {"matches", [3]answer{no, yes, no}},
		"!~":      {"not_matches", [3]answer{yes, no, yes}},
		"exists":  {"exists", [3]answer{yes, yes, yes}},
		"!exists": {"not_exists", [3]answer{no, no, no}},
	} {
		for _, operator := range []string{sign, x.words} {
			argument := map[string]string{"in": "[2, 5]", "!in": "[2, 5]", "exists": "", "!exists": ""}
			text, ok := argument[sign]
			if !ok {
				text = "2"
			}
			q, read := parse("attribute:n " + operator + " " + text)
			for i, n := range []string{"1", "2", "3"} {
				if got := q(&inventory.Host{Attributes: map[string]string{"n": n}}); got != x.want[i] || !read {
					t.Errorf("%s %s %s: %d, want %d", n, operator, text, got, x.want[i])
				}
			}
		}
	}
}
