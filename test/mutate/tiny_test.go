package mutate

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const file = "test/mutate/testdata/tiny/tiny.go "

// tiny tries the mutants of the small package in testdata with a list of those that change no behaviour.
func tiny(t *testing.T, known string) (string, error) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "equivalent.txt")
	if err := os.WriteFile(list, []byte(known), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = mutate(options{root: root, known: list, cores: 1, only: regexp.MustCompile(""), out: &out}, []target{{pkg: "test/mutate/testdata/tiny", least: 80}})
	return out.String(), err
}

func TestATinyPackage(t *testing.T) {
	const equivalent = file + "Max: comparison: a > b -> a >= b"
	out, err := tiny(t, "# for people\n"+equivalent+"\n    they are equal\n")
	if err != nil {
		t.Fatal(err)
	}
	var survived []string
	for line := range strings.SplitSeq(out, "\n") {
		if how, rest, _ := strings.Cut(line, " "); how == "survived" || how == "unreached" {
			_, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
			survived = append(survived, how+" "+name)
		}
	}
	want := []string{
		"survived Half: condition false: n%2 == 1 -> false",
		"survived Half: number: 2 -> 2 - 1",
		"survived Half: number: 1 -> 1 + 1",
		"unreached Half: sign: n - 1 -> n + 1",
		"unreached Half: number: 1 -> 1 + 1 (2)",
		"unreached Half: number: 1 -> 1 - 1 (2)",
		"unreached Never: assignment left out: b.N = limit -> (nothing)",
	}
	if !slices.Equal(survived, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(survived, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(out, "testdata/tiny/tiny.go:69 Never") {
		t.Errorf("no line in %s", out)
	}
}

func TestTheListMustBeTrue(t *testing.T) {
	_, err := tiny(t, file+"Max: comparison: a > c -> a >= c\n"+file+"Count: comparison: v <= most -> v < most\n    a reason\n")
	if err == nil || !strings.Contains(err.Error(), "no such mutant: "+file+"Max") || !strings.Contains(err.Error(), "a test finds it: "+file+"Count") {
		t.Errorf("got %v", err)
	}
	for bad, want := range map[string]string{"a.go F: x -> y\n": "no reason", "    a reason\n": "without a mutant", "a\na\n    b\n": "twice"} {
		if _, err := tiny(t, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", bad, err, want)
		}
	}
}
