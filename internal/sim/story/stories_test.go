package story

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStories tells every story under testdata/stories; each is named as a sentence and expects what it says.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Errorf("only %d stories", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			s := read(t, file)
			if len(s.Expect) == 0 && len(s.Never) == 0 {
				t.Fatal("the story expects nothing")
			}
			res, err := runAllowed(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Violations) > 0 {
				var b bytes.Buffer
				res.Print(&b)
				t.Errorf("%v\n%s", res.Violations, b.String())
			}
		})
	}
}

// read reads a scenario file.
func read(t *testing.T, file string) Scenario {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

// TestTheDocumentedStoryHolds: the example in docs/reference/story.md is a story, and it holds.
func TestTheDocumentedStoryHolds(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/reference/story.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(doc, []byte("```yaml\n"))
	text, _, _ := bytes.Cut(rest, []byte("```"))
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Run(s)
	if err != nil || len(res.Violations) > 0 || len(s.Expect) == 0 {
		t.Errorf("%v %v", res.Violations, err)
	}
	for verb := range verbs {
		if !bytes.Contains(doc, []byte("`"+verb+"`")) {
			t.Errorf("the verb %q is not documented", verb)
		}
	}
}

// TestFormatParse: what Format writes, Parse reads, and it tells the same story.
func TestFormatParse(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		s := Random(seed)
		back, err := Parse(Format(s))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !bytes.Equal(Format(back), Format(s)) {
			t.Errorf("seed %d: the scenario changed on its way through YAML", seed)
		}
		one, err := Run(s)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Run(back)
		if err != nil {
			t.Fatal(err)
		}
		if digest(one) != digest(two) {
			t.Errorf("seed %d: the story changed on its way through YAML", seed)
		}
	}
}

// TestParseNamesWhatIsWrong: the error of a bad story says where, and what is known.
func TestParseNamesWhatIsWrong(t *testing.T) {
	for bad, want := range map[string]string{
		"ebb:\n  grups: []\n":                                    "2:3",
		"ebb: {groups: [{match: a}]}\nat:\n  - {do: fly}\n":      `unknown verb "fly"`,
		"ebb: {groups: [{match: a}]}\nfaults: [{op: x, how: y}]": `unknown how "y"`,
		"at: []\n": "no groups",
	} {
		_, err := Parse([]byte(bad))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want something with %q", bad, err, want)
		}
	}
}
