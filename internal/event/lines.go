package event

import (
	"encoding/json"
	"fmt"
	"strings"
)

// readLines reads "Key: value" lines. The API page of PutLifecycleHook says that a topic gets an "email key-value" text;
// what arrives at a queue is JSON in every known sample, so this is a fallback.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func readLines(body []byte) (*fields, string) {
	f := &fields{members: map[string]json.RawMessage{}}
	for line := range strings.Lines(string(body)) {
		key, value, found := strings.Cut(line, ":")
		key = strings.TrimSpace(key)
		if !found || !isName(key) {
			continue // greetings, blank lines and footers of an e-mail
		}
		if f.has(key) {
			return nil, fmt.Sprintf("the line %q comes twice", key)
		}
		quoted, err := json.Marshal(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Sprintf("the line %q cannot be read: %v", key, err)
		}
		f.members[key] = quoted
	}
	if !f.has("Event") && !f.has("LifecycleTransition") {
		return nil, `the body is neither a JSON object nor "Key: value" lines with a LifecycleTransition or an Event`
	}
	// Envelopes are always JSON. Dropping what would look like one keeps a line of text from being taken for it.
	delete(f.members, "Type")
	return f, ""
}

// isName reports whether a key is made of ASCII letters and digits, as all of Auto Scaling's are.
func isName(key string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}
	return key != "" && !strings.ContainsFunc(key, other)
}
