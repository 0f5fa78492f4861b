package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vars is an environment.
func vars(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ebb.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDefaults(t *testing.T) {
	c, err := Load("", vars(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Journal: "memory:", Hook: "ebb-drain", Foreign: Acknowledge, LogLevel: "info", LogFormat: "text",
		LostAfter: 5 * time.Minute, DaemonGrace: 2 * time.Minute,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestExampleFile(t *testing.T) {
	c, err := Load("../../docs/ebb.example.yaml", vars(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Queue: exampleQueue, Region: "eu-west-1", Journal: "sqlite:///var/lib/ebb/journal.db", Hook: "ebb-drain", Foreign: Acknowledge,
		LogLevel: "info", LogFormat: "text", LostAfter: 5 * time.Minute, DaemonGrace: 2 * time.Minute,
		Groups: []Group{
			{Match: "web-*", Cluster: "prod", Deadline: 30 * time.Minute, OnDeadline: Continue, Mode: Drain,
				MaxUnavailable: MaxUnavailable{Percent: 20}, Rebalance: Drain, Capacity: Keep},
			{Match: "batch", Deadline: 6 * time.Hour, OnDeadline: Continue, Mode: Observe, Rebalance: Ignore, Capacity: Keep},
		},
		Clusters: []Cluster{{Name: "web-fargate", Mode: Drain, Services: []Service{
			{Name: "tcp", After: 2 * time.Minute, TrafficFirst: 130 * time.Second, Quiet: "http://{id}:9102/connections"},
			{Name: "shop", OnDemand: "shop-od", After: 2 * time.Minute, Floor: 4},
		}, AllowRehearsal: true}},
		Notify: []Notify{
			{Name: "slack", Slack: "env:SLACK_WEBHOOK_URL", Events: []string{"stuck", "forced"}, Groups: []string{"web-*"}},
			{Name: "slack_bot", SlackBot: "ssm:/ebb/slack-token", Channel: "C0123ABCD"},
			{Name: "pager", Webhook: "file:/run/secrets/pager", Events: []string{"forced"}},
			{Name: "sns", SNS: "arn:aws:sns:eu-west-1:111122223333:ebb"},
			{Name: "eventbridge", EventBridge: "default", Events: []string{"digest"}, Digest: "08:00"},
		},
	}
	if len(c.Scaling) != 3 || c.Scaling[0].Policy.Max != 20 || c.Scaling[1].Policy.Queue.Takes != 12*time.Second || c.Scaling[2].Policy.Tracking.Target != 40 {
		t.Errorf("%+v", c.Scaling)
	}
	c.Scaling = nil // scaling_test.go
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if err := c.Serves(); err != nil {
		t.Error(err)
	}
}

// TestEveryKeyIsDocumented keeps the example and the reference in step with the code.
func TestEveryKeyIsDocumented(t *testing.T) {
	var keys []string
	for _, s := range settings(&Config{}) {
		keys = append(append(keys, s.key), s.env...)
	}
	for _, s := range groupSettings(&Group{}) {
		keys = append(keys, s.key)
	}
	keys = append(keys, "groups", "clusters", "scaling", "notify")
	for _, s := range clusterSettings(&Cluster{}) {
		keys = append(keys, s.key)
	}
	scaled := []string{"alarms", "windows"}
	for _, s := range scalingSettings(&Scaling{}) {
		scaled = append(scaled, s.key)
	}
	var receivers []string
	for _, s := range notifySettings(&Notify{}) {
		receivers = append(receivers, s.key)
	}
	for file, keys := range map[string][]string{
		"../../docs/ebb.example.yaml": slices.Concat(keys, receivers, scaled), "../../docs/reference/scaling.md": scaled,
		"../../docs/reference/config.md": keys, "../../docs/reference/notify.md": receivers,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if !strings.Contains(string(text), key) {
				t.Errorf("%s does not mention %s", file, key)
			}
		}
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "journal: sqlite:///file.db\nqueue: http://127.0.0.1:4600/111122223333/file\n")
	env := map[string]string{"EBB_CONFIG": file}
	journal := func(overrides map[string]string) string {
		t.Helper()
		c, err := Load("", vars(env), overrides)
		if err != nil {
			t.Fatal(err)
		}
		return c.JournalFile()
	}
	if got := journal(nil); got != "/file.db" {
		t.Errorf("from the file: %q", got)
	}
	env["EBB_JOURNAL"] = "sqlite:///env.db"
	if got := journal(map[string]string{"journal": ""}); got != "/env.db" {
		t.Errorf("from the environment: %q", got)
	}
	if got := journal(map[string]string{"journal": "sqlite:///flag.db"}); got != "/flag.db" {
		t.Errorf("from the flag: %q", got)
	}
	if got := journal(map[string]string{"journal": "memory:"}); got != "" {
		t.Errorf("in memory: %q", got)
	}
	if got := journal(map[string]string{"journal": "dynamodb://ebb"}); got != "" {
		t.Errorf("in DynamoDB: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{
		"EBB_QUEUE": exampleQueue, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "EBB_ENDPOINT": "http://127.0.0.1:2",
		"EBB_JOURNAL": "dynamodb://ebb-2.journal_x", "EBB_DYNAMODB_ENDPOINT": "http://127.0.0.1:3",
	}
	c, err := Load("", vars(env), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Queue != exampleQueue || c.Region != "eu-west-1" || c.Endpoint != "http://127.0.0.1:2" ||
		c.JournalTable() != "ebb-2.journal_x" || c.JournalEndpoint != "http://127.0.0.1:3" {
		t.Errorf("got %+v", c)
	}
}

func TestTextInTheEnvironment(t *testing.T) {
	env := map[string]string{"EBB_CONFIG_TEXT": "hook: of-the-text\ngroups: [{match: web}]\n"}
	c, err := Load("", vars(env), nil)
	if err != nil || c.Hook != "of-the-text" || len(c.Groups) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	env["EBB_CONFIG_TEXT"] = "hok: a\n"
	want := "EBB_CONFIG_TEXT:1:1: unknown key \"hok\"; did you mean \"hook\"?\n    1 | hok: a\n      | ^"
	if _, err := Load("", vars(env), nil); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	for _, tt := range []struct{ file, env, want string }{
		{"a.yaml", "", "--config a.yaml names a configuration file and EBB_CONFIG_TEXT holds a configuration; give one of them"},
		{"", "b.yaml", "EBB_CONFIG=b.yaml names a configuration file and EBB_CONFIG_TEXT holds a configuration; give one of them"},
	} {
		env["EBB_CONFIG"] = tt.env
		if _, err := Load(tt.file, vars(env), nil); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestRegionOfQueue(t *testing.T) {
	for queue, want := range map[string]string{
		exampleQueue: "eu-west-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q":                    "cn-north-1",
		"https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/q":               "us-gov-west-1",
		"https://vpce-0a1b-2c3d.sqs.eu-central-1.vpce.amazonaws.com/111122223333/q": "eu-central-1",
		"http://127.0.0.1:4600/111122223333/q":                                      "",
		"https://evil.example/https://sqs.eu-west-1.amazonaws.com/111122223333/q":   "",
	} {
		c, err := Load("", vars(nil), map[string]string{"queue": queue})
		if err == nil && c.Region != want {
			t.Errorf("%s: region %q, want %q", queue, c.Region, want)
		}
		if err != nil && want != "" {
			t.Errorf("%s: %v", queue, err)
		}
	}
}

func TestGroup(t *testing.T) {
	c, err := parse("f", []byte("groups:\n- {match: web-a, deadline: 1h}\n- {match: web-*}\n"), vars(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]time.Duration{"web-a": time.Hour, "web-b": 30 * time.Minute} {
		if g, ok := c.Group(name); !ok || g.Deadline != want {
			t.Errorf("%s: %v %v, want %v", name, ok, g.Deadline, want)
		}
	}
	for _, name := range []string{"web", "web-a/b", "my-web-a", ""} {
		if g, ok := c.Group(name); ok {
			t.Errorf("%q is managed by %+v", name, g)
		}
	}
}

func TestMaxUnavailable(t *testing.T) {
	for text, want := range map[string]MaxUnavailable{"1": {Count: 1}, "250": {Count: 250}, "1%": {Percent: 1}, "100%": {Percent: 100}} {
		c, err := parse("f", []byte("groups: [{match: a, max_unavailable: "+text+"}]"), vars(nil), nil)
		if err != nil || c.Groups[0].MaxUnavailable != want {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}

func TestInvoked(t *testing.T) {
	err := Config{Journal: "memory:"}.Invoked()
	if err == nil || !strings.Contains(err.Error(), "write journal: dynamodb://TABLE") || !strings.Contains(err.Error(), "- match: NAME") {
		t.Errorf("got %v", err)
	}
	if err := (Config{Journal: "dynamodb://ebb", Groups: []Group{{Match: "a"}}}).Invoked(); err != nil {
		t.Error(err) // no queue: Lambda hears it
	}
}

func TestServes(t *testing.T) {
	err := Config{}.Serves()
	if err == nil || !strings.Contains(err.Error(), "EBB_QUEUE") || !strings.Contains(err.Error(), "- match: NAME") {
		t.Errorf("got %v", err)
	}
}

func TestUnreadableFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), vars(nil), nil)
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "none.yaml: cannot read the configuration") {
		t.Errorf("got %v", err)
	}
}

// TestAllProblemsAtOnce is the form of a report: everything, in the order of the file, with line and caret.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := parse("ebb.yaml", []byte("hok: ebb\ngroups:\n  - match: web\n\tdeadline: 3m\n"), vars(nil), nil)
	want := "ebb.yaml:4:1: not valid YAML: while scanning a plain scalar: found a tab character that violates indentation\n" +
		"    4 | \tdeadline: 3m\n" +
		"      | ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = parse("ebb.yaml", []byte("hok: ebb\ngroups:\n  - match: web\n    deadline: 30\n"), vars(map[string]string{"EBB_QUEUE": "x"}), nil)
	want = `EBB_QUEUE: queue is "x", which is not the URL of an SQS queue; write it like ` + exampleQueue + "\n" +
		`ebb.yaml:1:1: unknown key "hok"; did you mean "hook"?` + "\n" +
		"    1 | hok: ebb\n" +
		"      | ^\n" +
		`ebb.yaml:4:15: deadline is "30", which is not a duration; write a number with its unit, like 90s, 30m or 1h30m` + "\n" +
		"    4 |     deadline: 30\n" +
		"      |               ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct{ text, want string }{
		{"groups: [{match: a}]\nbudget: 3", `f:2:1: unknown key "budget"` + "\n"},
		{"groups: [{match: a, heartbeat_intervall: 3}]", `f:1:21: unknown key "heartbeat_intervall"` + "\n"},
		{"groups: [{match: a, dead_line: 3m}]", `f:1:21: unknown key "dead_line"; did you mean "deadline"?`},
		{"hook: a\nhook: b", `f:2:1: the key "hook" is in line 1 already`},
		{"<<: {hook: a}", `f:1:1: unknown key "<<"`},
		{"? [a]\n: b", `f:1:3: unknown key ""`},
		{"queue: arn:aws:sqs:eu-west-1:111122223333:ebb", "write the queue's URL, https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"},
		{"queue: ftp://sqs.eu-west-1.amazonaws.com/111122223333/ebb", "f:1:8: queue is"},
		{"queue: https://sqs.eu-west-1.amazonaws.com/ebb", "f:1:8: queue is"},
		{"queue:", "f:1:7: queue has no value"},
		{"queue: [a]", "f:1:8: queue must be a single value"},
		{"region: Ireland", `f:1:9: region is "Ireland"; write it like eu-west-1`},
		{"region: us-east-1\nqueue: " + exampleQueue, `f:1:9: region is "us-east-1" but the queue is in "eu-west-1"`},
		{"endpoint: localhost", `f:1:11: endpoint is "localhost", which is not a URL`},
		{"journal: sqlite://ebb.db", "f:1:10: journal is"},
		{"journal: redis:///x", "f:1:10: journal is"},
		{"journal: dynamodb://eb", `f:1:10: journal is "dynamodb://eb", but "eb" is not a valid name of a DynamoDB table; write dynamodb://NAME`},
		{"journal: dynamodb:///ebb", `but "/ebb" is not a valid name of a DynamoDB table`},
		{"journal: dynamodb://" + strings.Repeat("e", 256), "is not a valid name of a DynamoDB table"},
		{"journal_endpoint: localhost", `f:1:19: journal_endpoint is "localhost", which is not a URL`},
		{"hook: a b", `f:1:7: hook is "a b"; write its name`},
		{"foreign: leaf", `f:1:10: foreign is "leaf"; write acknowledge or leave; did you mean "leave"?`},
		{"log_level: trace", "f:1:12: log_level"},
		{"log_format: xml", "f:1:13: log_format"},
		{"lost_after: 0s", "f:1:13: lost_after is 0s; write at least 1m"},
		{"daemon_grace: -5s", "f:1:15: daemon_grace is -5s; write at least 1s"},
		{"groups: web", "f:1:9: groups must be a list"},
		{"groups: [web]", "f:1:10: a group must be written as keys with values"},
		{"- a", "f:1:1: the configuration must be written as keys"},
		{"groups: [{cluster: a}]", "f:1:10: the group has no match"},
		{"groups: [{match: a}, {match: a}]", `f:1:30: match "a" appears above already`},
		{"groups: [{match: 'a['}]", `f:1:18: match is "a[", which is not a valid pattern`},
		{"groups: [{match: a, cluster: 'arn:aws:ecs:x'}]", "f:1:30: cluster is"},
		{"groups: [{match: a, deadline: 59s}]", "f:1:31: deadline is 59s; write at least 1m and at most 48h"},
		{"groups: [{match: a, deadline: 49h}]", "f:1:31: deadline is 49h; write"},
		{"groups: [{match: a, on_deadline: retain}]", `f:1:34: on_deadline is "retain"; write continue`},
		{"groups: [{match: a, mode: dry-run}]", `f:1:27: mode is "dry-run"; write drain or observe`},
		{"groups: [{match: a, mode: observ}]", `f:1:27: mode is "observ"; write drain or observe; did you mean "observe"?`},
		{"groups: [{match: a, max_unavailable: all}]", `f:1:38: max_unavailable is "all"; write how many instances of the group may leave at ` +
			`once, like 3, or a share of it, like 20%`},
		{"groups: [{match: a, budget: 3}]", `f:1:21: unknown key "budget"; it is called "max_unavailable" now`},
		{"groups: [{match: a, rebalance: drain}]", "f:1:32: rebalance: drain needs max_unavailable, because EC2 may " +
			"say it of all instances of a group at once; write max_unavailable: 1, or more"},
		{"groups: [{match: a, rebalance: replace}]", `f:1:32: rebalance is "replace"; write ignore or drain`},
		{"groups: [{match: a, max_unavailable: 0}]", `f:1:38: max_unavailable is "0"`},
		{"groups: [{match: a, max_unavailable: 0%}]", `f:1:38: max_unavailable is "0%"`},
		{"groups: [{match: a, max_unavailable: 101%}]", `f:1:38: max_unavailable is "101%"`},
		{"groups: [{match: a, max_unavailable: -1}]", `f:1:38: max_unavailable is "-1"`},
		{"groups: [{match: a, max_unavailable: 2.5}]", `f:1:38: max_unavailable is "2.5"`},
		{"groups: [{match: a, cluster: b, replace_first: maybe}]", `f:1:48: replace_first is "maybe"; write true or false`},
		{"groups: [{match: a, cluster: b, capacity: more}]", `f:1:43: capacity is "more"; write keep or raise`},
		{"groups: [{match: a, capacity: raise}]", "f:1:10: capacity: raise is set without a cluster; write cluster:"},
		{"groups: [{match: a, replace_first: true}]", "f:1:10: replace_first is set without a cluster; write cluster:"},
		{"clusters: [{name: a, services: web}]", "f:1:32: services must be a list"},
		{"clusters: [{name: a, services: [web]}]", "f:1:33: a service must be written as keys with values"},
		{"clusters: [{name: a, services: [{name: web}]}]", "f:1:33: the service has no name, or neither on_demand nor traffic_first"},
		{"clusters: [{name: a, services: [{name: web, on_demand: web}]}]", "f:1:33: a service stands under services twice"},
		{"clusters: [{name: a, services: [{name: b, on_demand: c}, {name: c, on_demand: d}]}]", "f:1:58: a service stands under services twice"},
		{"clusters: [{name: a, services: [{name: b, on_demand: c, floor: none}]}]", `f:1:64: floor is "none"; write a number of tasks`},
		{"clusters: [{name: a, services: [{name: b, on_demand: c, after: 5s}]}]", "f:1:64: after is 5s; write at least 1m"},
		{"services: []", `f:1:1: unknown key "services"`},
		{"hook: a\n---\nhook: b", "f: not valid YAML: expected single document"},
		{"hook: 'a", "f:1:9: not valid YAML: while scanning a quoted scalar"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := parse("f", []byte(tt.text), vars(nil), nil)
			if err == nil || !strings.Contains(err.Error()+"\n", tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			var e *Error
			if errors.As(err, &e) && len(e.Problems) != 1 {
				t.Errorf("%d problems, want 1:\n%v", len(e.Problems), err)
			}
		})
	}
}

func TestFlagIsNamed(t *testing.T) {
	_, err := Load("", vars(nil), map[string]string{"log_level": "loud"})
	if err == nil || !strings.HasPrefix(err.Error(), "--log-level: log_level is") {
		t.Errorf("got %v", err)
	}
}

func TestAnchorsAndComments(t *testing.T) {
	text := "hook: &h other\ngroups:\n- &g {match: a, cluster: *h}\n"
	c, err := parse("f", []byte(text), vars(nil), nil)
	if err != nil || len(c.Groups) != 1 || c.Groups[0].Cluster != "other" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n", "{}"} {
		if _, err := parse("f", []byte(empty), vars(nil), nil); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../../docs/ebb.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, "")
	f.Add([]byte("hook: &h a\ngroups: [{match: *h}, *h]"), exampleQueue)
	f.Add([]byte("groups: &g [*g, {match: &m [*m]}]\n<<: *g"), "x")
	f.Fuzz(func(t *testing.T, text []byte, queue string) {
		c, err := parse("f", text, vars(map[string]string{"EBB_QUEUE": queue}), nil)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 || e.Problems[0].Text == "" {
				t.Fatalf("an error that says nothing: %#v", err)
			}
			return
		}
		checkConfig(t, c)
	})
}

// checkConfig holds for every configuration that is accepted.
func checkConfig(t *testing.T, c Config) {
	t.Helper()
	if c.Hook == "" || c.LostAfter < time.Minute || c.DaemonGrace < time.Second || (c.Journal != "memory:" && c.JournalFile() == "" && c.JournalTable() == "") {
		t.Fatalf("accepted: %+v", c)
	}
	for _, g := range c.Groups {
		if g.Match == "" || g.Deadline < time.Minute || g.Deadline > longest || g.OnDeadline != Continue || g.Mode != Drain && g.Mode != Observe {
			t.Fatalf("accepted: %+v", g)
		}
	}
}

// What is wrong with a receiver is said at its place, and a secret that was written by mistake is not repeated.
func TestReceivers(t *testing.T) {
	const one = "an entry of notify has one receiver: write one of slack, slack_bot, webhook, sns and eventbridge"
	const stands = "must say where the secret stands, and not what it is: env:NAME, file:/absolute/path, ssm:/parameter or secretsmanager:NAME"
	for written, want := range map[string]string{
		"slack: env:URL":                       "",
		"{slack: env:URL, events: forced}":     "",
		"webhook: secretsmanager:ebb#pager":    "",
		"{sns: env:URL}":                       `2:11: sns is "env:URL"; write the ARN of a topic, such as arn:aws:sns:eu-west-1:111122223333:ebb`,
		"{slack: env:URL, sns: " + topic + "}": "2:5: " + one,
		"name: pager":                          "2:5: " + one,
		"slack_bot: env:TOKEN":                 "2:5: slack_bot and channel belong together; write both, or slack with an incoming webhook",
		"{slack: env:U, channel: C1}":          "2:5: slack_bot and channel belong together; write both, or slack with an incoming webhook",
		"{slack_bot: env:T, channel: ops}":     `2:33: channel is "ops"; write the channel's id, such as C0123ABCD, which its details in Slack show`,
		"{slack: env:U, template: /t}":         "2:5: template is for a webhook only; remove it",
		"{webhook: env:U, template: t.json}":   `2:32: template is "t.json"; write the absolute path of a file`,
		"{slack: env:U, events: \"forced, dun\"}": `2:28: events is "dun"; write started or stuck or forced or let-go or ` +
			`done or planned or scaled or digest; did you mean "done"?`,
		"{slack: env:U, groups: \"web-[\"}": `2:28: groups is "web-[", which is not a valid pattern; write a name, or one with *, ? or [a-z], like web-*; ` +
			`a \ or an opening [ must be completed`,
		"{slack: env:U, digest: 08:00}":                     "",
		"{slack: env:U, digest: \"23:59\", events: digest}": "",
		"{slack: env:U, digest: 8:00}":                      `2:28: digest is "8:00"; write a time of day in UTC with hours and minutes, like 08:00`,
		"{slack: env:U, digest: 24:00}":                     `2:28: digest is "24:00"; write a time of day in UTC with hours and minutes, like 08:00`,
		"{slack: env:U, events: digest}": `2:5: events has digest, but no time is set; write a key digest with a time of day, ` +
			`like digest: "08:00"`,
		"{slack: env:U, emoji: x}": `2:20: unknown key "emoji"`,
		"env:URL":                  `2:5: a receiver must be written as keys with values, like "name: ..."`,
		"slack: https://hooks.example/very-secret": "2:12: slack " + stands,
		"slack_bot: very-secret":                   "2:16: slack_bot " + stands,
		"webhook: file:relative":                   "2:14: webhook " + stands,
		"slack: env:A\n  - slack: env:B":           `3:5: another receiver has the name "slack"; give each one a name of its own, like name: night-shift`,
	} {
		_, err := parse("f", []byte("notify:\n  - "+written+"\n"), vars(nil), nil)
		got := ""
		if e := (&Error{}); errors.As(err, &e) {
			p := e.Problems[0]
			got = fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text)
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", written, got, want)
		}
	}
	_, err := parse("f", []byte("notify: env:URL\n"), vars(nil), nil)
	if err == nil || !strings.Contains(err.Error(), "notify must be a list; write each receiver on a line of its own") {
		t.Error(err)
	}
}

const topic = "arn:aws:sns:eu-west-1:111122223333:ebb"
