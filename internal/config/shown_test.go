package config

import (
	"strings"
	"testing"
)

// What looks like a secret is hidden, each of it and nothing beside it.
func TestWhatIsHiddenOfAText(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for text, want := range map[string]string{
		"a: 0123456789" + letters + ", b":                  "a: 0123456789" + letters + ", b",
		"a: 0123456789" + strings.ToUpper(letters) + ", b": "a: 0123456789" + strings.ToUpper(letters) + ", b",
		"a: Abcdef" + letters + ", b":                      "a: Abcdef" + letters + ", b",
		"a: A123456789" + letters + ", b":                  "a: " + strings.Repeat("*", 10+len(letters)) + ", b",
		"[xoxb-one, xoxp-three]":                           "[xoxb-***, xoxp-*****]",
		"slack_token: env:NAME":                            "slack_token: env:NAME",
		"slack_token: one two":                             "slack_token: *******",
	} {
		if got := hide(text, nil); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
	}
}

// A value that stands where nobody can say what it is may be a secret; one under a key that is only misspelt is none.
func TestWhichValuesAreShown(t *testing.T) {
	for text, shown := range map[string]bool{
		"notify: plainly":              false,
		"zzz: plainly":                 false,
		"log_levle: plainly":           true,
		"log_levle: [plainly]":         false,
		"notify: [{slak: plainly}]":    false,
		"groups: [{mode: plainly}]":    true,
		"notify: [{slack: abcd}]":      false,
		"hook: plainly spoken":         true,
		"hook: a\nhook: plainly":       false,
		"notify: [{slack: abc}]":       true, // hiding it would hide parts of words
		"groups: [{matches: plainly}]": true,
	} {
		_, err := parse("f", []byte(text), vars(nil), nil)
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		last := text[strings.LastIndexByte(text, '\n')+1:]
		if got := strings.Contains(err.Error(), "| "+last+"\n"); got != shown {
			t.Errorf("%s: its line is shown %t, want %t:\n%v", text, got, shown, err)
		}
	}
}
