package config

import (
	"strings"
	"testing"
)

// Secrets as they look, each with a mark in it.
const (
	hook = "https://hooks.slack.com/services/T00000000/B00000000/very-secret"
	bot  = "xoxb-123456789012-very-secret"
	key  = "very-secret/K7MDENG/bPxRfiCYEXAMPLEKEY01" // 40 characters, as AWS's
)

// However a secret comes to stand in a configuration, no problem shows it.
func TestNoProblemShowsASecret(t *testing.T) {
	for name, text := range map[string]string{
		"instead of its place":        "notify:\n  - slack: " + hook,
		"a token":                     "notify:\n  - slack_bot: " + bot + "\n    channel: C0123ABCD",
		"without a look":              "notify:\n  - webhook: very-secret",
		"under a wrong key":           "notify:\n  - slak: very-secret",
		"under an older key":          "notify:\n  - url: very-secret\n    name: pager",
		"in one line":                 "notify: [{slack: very-secret, events: dun}]",
		"under a wrong list":          "notfy: [{slack: very-secret}]",
		"without a list":              "notify: " + hook,
		"as an entry":                 "notify: [very-secret, other-very-secret]",
		"as a list":                   "notify: [{slack: [very-secret]}]",
		"twice":                       "notify: [{slack: env:A, slack: very-secret}]",
		"as a topic":                  "notify: [{sns: \"" + hook + "\"}]",
		"as a bus":                    "notify: [{eventbridge: \"" + bot + " \"}]",
		"as a channel":                "notify: [{slack_bot: env:T, channel: " + bot + "}]",
		"as a name":                   "notify: [{slack: env:T, name: \"" + bot + "\\x00\"}]",
		"as a template":               "notify: [{webhook: env:T, template: \"" + hook + "\"}]",
		"as an event":                 "notify: [{slack: env:T, events: " + bot + "}]",
		"as a key":                    "notify: [{" + bot + ": slack}]",
		"in another line's problem":   "notify:\n  - {slack: env:A, channel: c, webhook: " + hook + "}",
		"a key of AWS":                "aws_secret_access_key: " + key,
		"a key of AWS, by its look":   "access: [" + key + "]",
		"a header":                    "notify: [{webhook: env:A, header: \"Authorization: Bearer very-secret\"}]",
		"a password in a queue":       "queue: https://user:very-secret@sqs.eu-west-1.amazonaws.com/111122223333/ebb",
		"a password in an endpoint":   "endpoint: http://user:very-secret@127.0.0.1:4599",
		"a password without a host":   "endpoint: ftp://user:very-secret@127.0.0.1:4599",
		"a queue elsewhere":           "queue: " + hook,
		"a journal":                   "journal: postgres://user:very-secret@host/db",
		"no YAML, and a tab":          "notify:\n  - slack: " + hook + "\n\t- x",
		"no YAML, and a quotation":    "notify:\n  - slack: \"" + hook + "\n",
		"no YAML, and a colon":        "notify:\n  - slack: " + hook + ": x",
		"no YAML, and a bracket":      "notify: [{slack_bot: " + bot,
		"no YAML, and an anchor":      "notify: *" + bot,
		"no YAML, and a password":     "password: very-secret: x",
		"no YAML, and a key of AWS":   "secret_key: '" + key + "\n",
		"a tag":                       "notify: !!int " + hook,
		"another kind of file":        "SLACK_TOKEN=very-secret\nAWS_SECRET_ACCESS_KEY=" + key + "\n",
		"a file of a secret":          hook + "\n",
		"a file of a token":           bot + "\n",
		"a merge":                     "<<: {slack: very-secret}",
		"a group":                     "groups: [{match: web, token: very-secret}]",
		"a level":                     "log_level: " + bot,
		"a long line without a place": "notify:\n  - slack: " + strings.Repeat("very-secret", 30),
	} {
		_, err := parse("f", []byte(text), vars(nil), nil)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: it shows the secret:\n%v", name, err)
		}
	}
	for name, env := range map[string]map[string]string{
		"a queue": {"EBB_QUEUE": hook}, "an endpoint": {"EBB_ENDPOINT": bot}, "a text": {"EBB_CONFIG_TEXT": "slack: " + hook},
		"a journal": {"EBB_JOURNAL": bot}, "a Region": {"AWS_REGION": key},
	} {
		if _, err := Load("", vars(env), nil); err == nil || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s in the environment: %v", name, err)
		}
	}
}

// What is no secret is shown as it is, or a problem would help nobody; and what is hidden leaves the caret in its place.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	for _, line := range []string{
		"queue: https://sqs.eu-west-1.amazonaws.com/111122223333/ebb-with-a-Name-of-more-than-32-characters9",
		"queue: https://sqs.cn-north-1.amazonaws.com.cn/111122223333/ebb", "endpoint: http://127.0.0.1:4599", "endpoint: http://localhost/x",
		"journal: sqlite:///var/lib/ebb/journal.db", "journal: dynamodb://ebb", "- slack_bot: ssm:/ebb/slack-token",
		"- slack: secretsmanager:ebb#pager",
		"- sns: arn:aws:sns:eu-west-1:111122223333:ebb", "- webhook: file:/run/secrets/pager", "- slack: env:SLACK_TOKEN", "deadlin: 30m",
		"match: a-group-with-a-name-of-more-than-thirty-two-characters",
	} {
		if got := hide(line, nil); got != line {
			t.Errorf("%s\nis shown as %s", line, got)
		}
	}
	_, err := parse("f", []byte("notify:\n  - {slack: "+bot+", events: dun}\n"), vars(nil), nil)
	want := "    2 |   - {slack: " + strings.Repeat("*", len(bot)) + ", events: dun}\n" +
		"      |             " + strings.Repeat(" ", len(bot)) + "          ^"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// A password in a URL would be in each log line and each error about it.
func TestAnAddressHasNoPassword(t *testing.T) {
	for _, text := range []string{
		"endpoint: http://user:very-secret@127.0.0.1:4599", "queue: https://very-secret@sqs.eu-west-1.amazonaws.com/111122223333/ebb",
	} {
		_, err := parse("f", []byte(text), vars(nil), nil)
		if want := " has a user or a password in it; leave out what stands before the @"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
