package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one mistake and where it stands.
type Problem struct {
	Where  string // file, environment variable or flag
	Line   int    // from 1; 0: not in a file
	Column int    // from 1, in characters
	Text   string // what is wrong and what to write instead
	Source string // the line of the file
}

// String spells the problem for people; in a file, with the line and a caret below the place.
func (p Problem) String() string {
	switch {
	case p.Where == "":
		return p.Text
	case p.Line == 0:
		return p.Where + ": " + p.Text
	}
	head := fmt.Sprintf("%s:%d:%d: %s", p.Where, p.Line, p.Column, p.Text)
	if p.Source == "" {
		return head
	}
	margin := fmt.Sprintf("%5d | ", p.Line)
	return fmt.Sprintf("%s\n%s%s\n%s| %s^", head, margin, p.Source, strings.Repeat(" ", len(margin)-2), indent(p.Source, p.Column-1))
}

// indent is the white space that puts a caret under column n, with the tabs of the line kept.
func indent(line string, n int) string {
	before := []rune(line)
	return regexp.MustCompile(`[^\t]`).ReplaceAllString(string(before[:min(n, len(before))]), " ")
}

// Error is everything that is wrong with a configuration, in the order of the file.
type Error struct{ Problems []Problem }

// Error spells all problems, one after the other.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// newError sorts the problems and adds the lines of the file, without what is hidden.
func newError(problems []Problem, text []byte, hidden []string) *Error {
	lines := strings.Split(string(text), "\n")
	for i, p := range problems {
		problems[i].Text = hide(p.Text, hidden)
		const widest = 200 // a longer line helps nobody
		if p.Line >= 1 && p.Line <= len(lines) && len(lines[p.Line-1]) <= widest {
			problems[i].Source = hide(strings.TrimRight(lines[p.Line-1], "\r "), hidden)
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: problems}
}

// renamed are keys of earlier versions and what they are called now.
func renamed() map[string]string { return map[string]string{"budget": "max_unavailable"} }

// suggest names the word that was meant: the new name of a renamed key, or a word that is close to what was written. Otherwise it is
// empty.
func suggest(written string, words []string) string {
	if now := renamed()[written]; slices.Contains(words, now) {
		return fmt.Sprintf("; it is called %q now", now)
	}
	best, least := "", 1+min(len(written), 40)/3
	for _, w := range words {
		if d := distance(written, w); d <= least && d < len(w) {
			best, least = w, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters must be changed, added or removed to make one word the other.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := previous
			if a[i] != b[j] {
				change++
			}
			previous = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
