package kernel

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what follows in the scenes into testdata, to be read and judged")

// recorded plays scenes of which all that follows stands in testdata/FILE: what is asked, done, written, forwarded, and when.
func recorded(t *testing.T, file string, scenes []scene) {
	t.Helper()
	var text strings.Builder
	for _, s := range scenes {
		a := newAccount()
		a.whole = true
		k := newKernel(t, s.cfg)
		s.setup(a, k)
		told := a.run(t, k, 0, s.lasts)
		if len(s.only) > 0 {
			told = shortly(only(told, s.only...))
		}
		fmt.Fprintf(&text, "%s\n    %s\n    %s\n\n", s.name, strings.Join(told, "\n    "), counted(k))
	}
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, should := strings.Split(text.String(), "\n\n"), strings.Split(string(want), "\n\n")
	for i := range max(len(got), len(should)) {
		if i >= len(got) || i >= len(should) {
			t.Fatalf("%d scenes, and %s has %d", len(got), file, len(should))
		}
		if got[i] != should[i] {
			lines := strings.Split(should[i], "\n")
			for n, l := range strings.Split(got[i], "\n") {
				if n >= len(lines) || lines[n] != l {
					t.Errorf("%s: in line %d\n%s\nwant, as in %s\n%s", lines[0], n, l, file, strings.Join(slices.Clone(lines[min(n, len(lines)):min(n+1, len(lines))]), ""))
					break
				}
			}
		}
	}
}
