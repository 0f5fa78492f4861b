package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Ebb's own variables come before those of the AWS tools, and those count where Ebb's are not set.
func TestTheEnvironmentOfTheAWSToolsCounts(t *testing.T) {
	env := map[string]string{"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://127.0.0.1:1"}
	for _, want := range [][2]string{{"eu-west-1", "https://127.0.0.1:1"}, {"eu-central-1", "http://127.0.0.1:2"}} {
		c, err := Load("", vars(env), nil)
		if err != nil || c.Region != want[0] || c.Endpoint != want[1] {
			t.Errorf("region %q, endpoint %q, %v; want %v", c.Region, c.Endpoint, err, want)
		}
		env["EBB_REGION"], env["EBB_ENDPOINT"] = "eu-central-1", "http://127.0.0.1:2"
	}
}

func TestGroupsAreMissed(t *testing.T) {
	for name, err := range map[string]error{
		"serve":  Config{Queue: exampleQueue}.Serves(),
		"lambda": Config{Journal: "dynamodb://ebb"}.Invoked(),
	} {
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 || !strings.Contains(err.Error(), "- match: NAME") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMoreProblems counts them too: one mistake neither hides another nor makes two.
func TestMoreProblems(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"groups: [web, {match: 'a['}]", []string{`f:1:10: a group must be written as keys with values, like "match: ..."`, "f:1:23: match is"}},
		{"groups: [{match: }, {match: }]", []string{"f:1:18: match has no value", "f:1:29: match has no value"}},
		{"- a", []string{`like "queue: ..."`}},
		{"region: &hook eu-west-1\n*hook : b", []string{`f:2:1: unknown key "hook"`}},
		{"hook: null", []string{"f:1:7: hook has no value"}},
		{"hook: ~", []string{"f:1:7: hook has no value"}},
		{`hook: ""`, []string{"f:1:7: hook has no value"}},
		{"queue: arn:aws:ecs:eu-west-1:111122223333:ebb", []string{"which is not the URL of an SQS queue"}},
		{"queue: " + exampleQueue + "?x=1", []string{"which is not the URL of an SQS queue"}},
		{"queue: https:///111122223333/ebb", []string{"which is not the URL of an SQS queue"}},
		{"queue: 'http://[/111122223333/ebb'", []string{"which is not the URL of an SQS queue"}},
		{"endpoint: ftp://127.0.0.1", []string{"which is not a URL"}},
		{"endpoint: 'http://'", []string{"which is not a URL"}},
		{"endpoint: 'http://['", []string{"which is not a URL"}},
		{"journal: sqlite:///var/lib/", []string{"f:1:10: journal is"}},
		{"journal: /var/lib/ebb.db", []string{"f:1:10: journal is"}},
		{"groups: [{match: a, max_unavailable: 99999999999999999999}]", []string{"f:1:38: max_unavailable is"}},
	} {
		_, err := parse("f", []byte(tt.text), vars(nil), nil)
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != len(tt.want) {
			t.Errorf("%s: got %v, want %d problems", tt.text, err, len(tt.want))
			continue
		}
		for i, want := range tt.want {
			if got := e.Problems[i].String(); !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %s", tt.text, got, want)
			}
		}
	}
}

func TestWhatIsJustAllowed(t *testing.T) {
	text := "lost_after: 1m\ndaemon_grace: 1s\ngroups: [{match: a, deadline: 48h}, {match: b, deadline: 1m}]\nendpoint: https://127.0.0.1:1\n"
	c, err := parse("f", []byte(text), vars(nil), nil)
	if err != nil || c.LostAfter != time.Minute || c.DaemonGrace != time.Second || c.Groups[0].Deadline != 48*time.Hour {
		t.Errorf("got %+v, %v", c, err)
	}
}

// The caret stands below the place, also behind tabs; a line that is too long is not shown, nor one that there is not.
func TestTheLineOfAProblem(t *testing.T) {
	got := Problem{Where: "f", Line: 1, Column: 4, Text: "wrong", Source: "\ta b"}.String()
	if want := "f:1:4: wrong\n    1 | \ta b\n      | \t  ^"; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for width, want := range map[int]bool{200: true, 201: false} {
		line := strings.Repeat("x", width)
		problems := newError([]Problem{{Where: "f", Line: 2}, {Where: "f", Line: 3}}, []byte("a\n"+line), nil).Problems
		if shown := problems[0].Source == line; shown != want || problems[1].Source != "" {
			t.Errorf("of %d characters: %+v", width, problems)
		}
	}
}

func TestWhatWasMeant(t *testing.T) {
	for _, tt := range []struct{ written, words, want string }{
		{"hoo", "hook hooks", "hook"}, {"hoo", "hooks hook", "hook"}, {"hook", "hooka hookb", "hooka"},
		{"aaaabbbbb", "aaaabcccc", "aaaabcccc"}, {"aaaabbbbb", "aaaaccccc", ""}, // one letter in three, and one more
		{"abc", "b", ""}, {"abc", "bz", ""}, // nothing that has less in common than it is long
		{strings.Repeat("a", 41), strings.Repeat("a", 40), ""}, {strings.Repeat("a", 40), strings.Repeat("a", 39), strings.Repeat("a", 39)},
	} {
		want := tt.want
		if want != "" {
			want = `; did you mean "` + want + `"?`
		}
		if got := suggest(tt.written, strings.Fields(tt.words)); got != want {
			t.Errorf("%s of %s: %q, want %q", tt.written, tt.words, got, want)
		}
	}
	for words, want := range map[[2]string]int{
		{"", "abc"}: 3, {"abc", ""}: 3, {"xhook", "hook"}: 1, {"hooks", "hook"}: 1, {"hook", "xhook"}: 1, {"hook", "hooks"}: 1, {"hock", "hook"}: 1,
		{"hook", "hook"}: 0, {"kitten", "sitting"}: 3, {"abcdef", "bcdefg"}: 2,
	} {
		if got := distance(words[0], words[1]); got != want {
			t.Errorf("%v: %d, want %d", words, got, want)
		}
	}
}

// An address that anybody in the world may ask is written with its host, and a port is a number that there is.
func TestTheAddressToAsk(t *testing.T) {
	for _, good := range []string{"127.0.0.1:9092", "0.0.0.0:65535", "localhost:1", "[::1]:9092", "127.0.0.1:0"} {
		if c, err := parse("f", []byte("admin: '"+good+"'\n"), vars(nil), nil); err != nil || c.Admin != good {
			t.Errorf("%s: %q, %v", good, c.Admin, err)
		}
	}
	for _, bad := range []string{":9092", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http", "127.0.0.1:00", "::1:9092", "9092"} {
		_, err := parse("f", []byte("admin: '"+bad+"'\n"), vars(nil), nil)
		want := `f:1:8: admin is "` + bad + `"; write an address and a port, like 127.0.0.1:9092, or 0.0.0.0:9092 to let other machines ask too`
		if err == nil || !strings.HasPrefix(err.Error(), want+"\n") {
			t.Errorf("%s: got %v, want %s", bad, err, want)
		}
	}
}

// One mistake in a receiver is one problem, and it hides none of those that stand below it.
func TestEveryReceiverIsChecked(t *testing.T) {
	const one = "an entry of notify has one receiver: write one of slack, slack_bot, webhook, sns and eventbridge"
	const where = " must say where the secret stands, and not what it is: env:NAME, file:/absolute/path, ssm:/parameter or secretsmanager:NAME"
	for written, want := range map[string]string{
		"[env:URL, {name: a}]":         `1:10: a receiver must be written as keys with values, like "name: ..."` + "\n1:19: " + one,
		"[{slack: 'env:'}, {name: a}]": "1:18: slack" + where + "\n1:27: " + one,
		"[{webhook: env}, {name: a}]":  "1:20: webhook" + where + "\n1:26: " + one,
		"[{name: a}, {slack: env:A, channel: ops}]": "1:10: " + one + "\n1:45: " +
			`channel is "ops"; write the channel's id, such as C0123ABCD, which its details in Slack show`,
		"[{slack: env:A}, {name: slack}, {webhook: file:/}]":       "1:26: " + one,
		"[{webhook: file:/a, template: /t}, {slack: ssm:/a}]":      "",
		"[{name: a, slack: env:A}, {name: b, slack: env:A}]":       "",
		"[{slack: env:A, events: 'stuck, done', groups: 'a,b-*'}]": "",
	} {
		_, err := parse("f", []byte("notify: "+written+"\n"), vars(nil), nil)
		var got []string
		if e := (&Error{}); errors.As(err, &e) {
			for _, p := range e.Problems {
				got = append(got, fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text))
			}
		}
		if all := strings.Join(got, "\n"); all != want {
			t.Errorf("%s:\n got %s\nwant %s", written, all, want)
		}
	}
}
