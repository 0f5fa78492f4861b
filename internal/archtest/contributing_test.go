package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestListsOfFiles checks what CONTRIBUTING.md says under "To add something": the first file of each line is there, and no list has
// more than four lines.
func TestListsOfFiles(t *testing.T) {
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## To add something\n")
	if !ok {
		t.Fatal(`CONTRIBUTING.md has no section "To add something"`)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	lists := strings.Split(section, "\n### ")[1:]
	if len(lists) < 4 {
		t.Errorf("there are only %d lists", len(lists))
	}
	titles := map[string]bool{}
	item := regexp.MustCompile("(?m)^- `([^`]+)`")
	for _, list := range lists {
		title, body, _ := strings.Cut(list, "\n")
		if titles[title] {
			t.Errorf("%s: there are two lists", title)
		}
		titles[title] = true
		files := item.FindAllStringSubmatch(body, -1)
		if len(files) == 0 || len(files) > 4 {
			t.Errorf("%s: %d files to change; there may be 1 to 4", title, len(files))
		}
		if lines := strings.Count(body, "\n- "); lines != len(files) {
			t.Errorf("%s: %d lines do not begin with a file", title, lines-len(files))
		}
		for _, f := range files {
			if _, err := os.Stat(filepath.Join("../..", f[1])); err != nil {
				t.Errorf("%s: %v", title, err)
			}
		}
	}
}
