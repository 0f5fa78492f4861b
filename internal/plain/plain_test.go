package plain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWhatIsHiddenIsSpelled(t *testing.T) {
	for in, want := range map[string]string{
		"web-asg":                     "web-asg",
		"Web Servers (blau) äöü 漢字 🚀": "Web Servers (blau) äöü 漢字 🚀",
		"\x1b[2J\x1b]0;x\x07":         `\u001b[2J\u001b]0;x\u0007`,
		"a\nfalse row\tb\r":           `a\nfalse row\tb\r`,
		"\u009b31m":                   `\u009b31m`,
		"a\u2028b\u2029c":             `a\u2028b\u2029c`,
		"\u202aA\u202bB\u202cC\u202dD\u202eE\u2066F\u2067G\u2068H\u2069": `\u202aA\u202bB\u202cC\u202dD\u202eE\u2066F\u2067G\u2068H\u2069`,
		"\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c":         `\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c`,
		"\xff\xfe":                         `\xff\xfe`,
		"\U000e0041":                       `\U000e0041`,
		"a\u00a0b":                         `a\u00a0b`,
		"\u3164\ufe0f":                     `\u3164\ufe0f`,
		strings.Repeat("x", 60):            strings.Repeat("x", 50) + "... (10 bytes more)",
		strings.Repeat("ä", 40) + "\x1b[m": strings.Repeat("ä", 40) + `\u001b[m`,
	} {
		if got := Text(in, 50); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Lines("a\x1b\nb", 9); got != `a\u001b`+"\nb" {
		t.Errorf("lines: %q", got)
	}
}

func TestEveryStringOfAValueIsSpelled(t *testing.T) {
	type part struct{ Name string }
	type whole struct {
		part
		Names []string
		Parts []*part
		One   *part
		N     int
		Raw   string `plain:"raw"`
		Err   error
	}
	v := whole{part{"\x1b"}, []string{"a", "\n"}, []*part{{"\u202e"}}, &part{"\t"}, 3, "\x1b", nil}
	Deep(&v, 9)
	if v.Name != `\u001b` || v.Names[1] != `\n` || v.Parts[0].Name != `\u202e` || v.One.Name != `\t` || v.Raw != "\x1b" {
		t.Errorf("%+v", v)
	}
	names := []string{"\x1b"}
	if Deep(&names, 9); names[0] != `\u001b` {
		t.Errorf("%q", names)
	}
}

// FuzzText checks what Text promises of any text, and that JSON changes how a value is spelled and not the value.
func FuzzText(f *testing.F) {
	for _, s := range []string{"web", "\x1b[31m", "a\nb", "\u202e", "\xff", "\U000e0041", strings.Repeat("ü", 80)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := Text(in, 64)
		if !Shown(out) || !utf8.ValidString(out) {
			t.Fatalf("%q is shown as %q", in, out)
		}
		for _, r := range out {
			if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == '\u2028' || r == '\u2029' || r >= 0x200b && r <= 0x200f {
				t.Fatalf("%q keeps %U", in, r)
			}
		}
		if n := utf8.RuneCountInString(out); n > 64*10+40 {
			t.Fatalf("%d characters are shown of %q", n, in)
		}
		if Shown(in) && utf8.RuneCountInString(in) <= 64 && out != in {
			t.Fatalf("%q is shown as %q, although nothing in it is hidden", in, out)
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode([]string{in}); err != nil {
			t.Fatal(err)
		}
		var was, is []string
		text := JSON(b.Bytes())
		if json.Unmarshal(b.Bytes(), &was) != nil || json.Unmarshal(text, &is) != nil || was[0] != is[0] {
			t.Fatalf("%q becomes %q in JSON", was, is)
		}
		if !Shown(strings.TrimSuffix(string(text), "\n")) {
			t.Fatalf("the JSON %q has what is hidden", text)
		}
	})
}

func TestCount(t *testing.T) {
	for n, want := range []string{"0 tasks", "1 task", "2 tasks"} {
		if got := Count(n, "task"); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
