// Package archtest holds the rules of the house as tests: which packages are pure, who may import whom, that everything exported has
// a comment, and how long functions, files and lines may be.
//
// It never runs the code that it reads, and nothing imports it.
package archtest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func load(t *testing.T, root string) *Tree {
	t.Helper()
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if tree.find("internal/fleet") == nil || tree.find("internal/drain") == nil {
		t.Fatalf("%s is not the root of the module", root)
	}
	return tree
}

func report(t *testing.T, found []Finding) {
	t.Helper()
	for _, f := range found {
		t.Error(f)
	}
}

func TestPurity(t *testing.T)  { report(t, load(t, "../..").Purity()) }
func TestImports(t *testing.T) { report(t, load(t, "../..").Imports()) }
func TestDocs(t *testing.T)    { report(t, load(t, "../..").Docs()) }
func TestLimits(t *testing.T)  { report(t, load(t, "../..").Limits()) }

// wants reads what the planted sins say about themselves: // want "text" "text" on the line, or want-above on the next.
func wants(t *testing.T, root string) map[string]int {
	t.Helper()
	want := map[string]int{}
	visit := func(file string) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			_, comment, ok := strings.Cut(lines.Text(), "// want")
			if !ok {
				continue
			}
			line := n
			if strings.HasPrefix(comment, "-above") {
				line--
			}
			for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(comment, -1) {
				want[fmt.Sprintf("%s:%d: %s", filepath.ToSlash(name), line, m[1])]++
			}
		}
	}
	for _, pattern := range []string{"cmd/*/*.go", "internal/*/*.go", "internal/*/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			visit(file)
		}
	}
	return want
}

// take removes the first want that a finding fulfils.
func take(want map[string]int, f Finding) bool {
	for w := range want {
		place, text, _ := strings.Cut(w, ": ")
		if place == fmt.Sprintf("%s:%d", f.File, f.Line) && strings.Contains(f.Text, text) {
			if want[w]--; want[w] == 0 {
				delete(want, w)
			}
			return true
		}
	}
	return false
}

// tooLong is a file of 401 lines, with a type of 41 methods, a function of 63 lines, and one that just fits.
func tooLong() string {
	var file strings.Builder
	file.WriteString("package web // want \"the file has 401 lines\"\n\ntype many struct{}\n\n")
	for i := range 40 {
		fmt.Fprintf(&file, "func (*many) m%d() {}\n", i)
	}
	file.WriteString("func (*many) more() {} // want \"the type many has more than 40 methods\"\n\n")
	file.WriteString("func long() { // want \"the function long has 63 lines\"\n" + strings.Repeat("\t_ = 0\n", 61) + "}\n\n")
	file.WriteString("func fits() {\n" + strings.Repeat("\t_ = 0\n", 60) + "}\n\n")
	file.WriteString(strings.Repeat("// Nothing.\n", 400-strings.Count(file.String(), "\n")) + "func last() {}\n")
	return file.String()
}

// TestPlantedSins shows that each rule finds what it is for, at its line, and nothing else.
func TestPlantedSins(t *testing.T) {
	root := t.TempDir()
	sins, err := txtar.ParseFile("testdata/sins.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if err := txtar.Write(sins, root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "internal/web/long.go"), []byte(tooLong()), 0o644); err != nil {
		t.Fatal(err)
	}
	tree, want := load(t, root), wants(t, root)
	if len(want) < 30 {
		t.Fatalf("only %d sins are planted", len(want))
	}
	for _, found := range [][]Finding{tree.Purity(), tree.Imports(), tree.Docs(), tree.Limits()} {
		for _, f := range found {
			if !take(want, f) {
				t.Errorf("not a sin: %s", f)
			}
		}
	}
	for w := range want {
		t.Errorf("not found: %s", w)
	}
}

// TestTablesAreAcyclic keeps the allowed imports free of circles, edges out of each other, and names without a meaning out.
func TestTablesAreAcyclic(t *testing.T) {
	table := mayImport()
	var walk func(from string, path []string)
	walk = func(from string, path []string) {
		for _, p := range path {
			if p == from {
				t.Fatalf("the table of imports has a circle: %s", strings.Join(append(path, from), " -> "))
			}
		}
		for _, next := range table[from] {
			if _, ok := table[next]; !ok {
				t.Errorf("%s may import %s, which is not in the table", from, next)
			}
			walk(next, append(path, from))
		}
	}
	for p := range table {
		walk(p, nil)
	}
	edge := func(p string) bool {
		return p == "cloud" || strings.HasPrefix(p, "source/") || strings.HasPrefix(p, "journal/")
	}
	for from, allowed := range table {
		for _, to := range allowed {
			if edge(from) && edge(to) {
				t.Errorf("the edge %s may import the edge %s", from, to)
			}
		}
	}
}
