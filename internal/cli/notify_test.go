package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/iam"
	"github.com/ebbhq/ebb/internal/notice"
)

// notify test sends to each receiver, or to those that are named, says what came of it, and shows no secret.
func TestNotifyTest(t *testing.T) {
	var paths []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		if strings.HasPrefix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer receiver.Close()
	template := filepath.Join(t.TempDir(), "template.json")
	if err := os.WriteFile(template, []byte(`{"text":"{{.Titel}}"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GOOD": receiver.URL + "/good-very-secret", "BAD": receiver.URL + "/bad-very-secret"}
	for _, tt := range []struct {
		name, notify string
		args         []string
		code         int
		want, stderr string
		paths        []string
	}{
		{"all", "[{webhook: env:GOOD}, {slack: env:GOOD}]", nil, ExitOK, "webhook  sent\nslack  sent\n", "", []string{"/good-very-secret", "/good-very-secret"}},
		{"one", "[{webhook: env:GOOD}, {slack: env:BAD}]", []string{"webhook"}, ExitOK, "webhook  sent\n", "", []string{"/good-very-secret"}},
		{"one fails", "[{webhook: env:BAD}, {slack: env:GOOD}]", nil, ExitFailed, "webhook  failed: it answered 403 Forbidden\nslack  sent\n",
			"1 of the receivers did not take the test notice", []string{"/bad-very-secret", "/good-very-secret"}},
		{"a secret that is not there", "[{slack: env:NONE}]", nil, ExitFailed,
			"slack  failed: read the secret of route slack: env:NONE: it is not in Ebb's environment, or it is empty; " +
				"set it, or correct its name under notify\n", "1 of the receivers did not take", nil},
		{"an unknown name", "[{slack: env:GOOD}]", []string{"pager"}, ExitUsage, "", `no receiver has the name "pager"; the configuration has slack`, nil},
		{"no receivers", "", nil, ExitConfig, "", "the configuration has no receivers; write notify: with at least", nil},
		{"a wrong template", "[{webhook: env:GOOD, template: " + template + "}]", nil, ExitConfig, "", "the template has {{.Titel}}; write one of", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			paths = nil
			text := "hook: ebb-drain\n"
			if tt.notify != "" {
				text = "notify: " + tt.notify + "\n"
			}
			file := filepath.Join(t.TempDir(), "ebb.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			p := Process{Stdout: &stdout, Stderr: &stderr, Env: func(name string) string { return env[name] }}
			code := Main(t.Context(), append([]string{"notify", "test", "--config", file}, tt.args...), p)
			if code != tt.code || stdout.String() != tt.want || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("code %d\n%s%s", code, &stdout, &stderr)
			}
			if d := cmp.Diff(tt.paths, paths); d != "" {
				t.Error(d)
			}
			if strings.Contains(stdout.String()+stderr.String(), "very-secret") {
				t.Errorf("a secret is shown:\n%s%s", &stdout, &stderr)
			}
		})
	}
}

// People are told of what does not end by itself before what is left is cut off, with a command that does no harm.
func TestWhatPeopleAreToldOfAStuckDrain(t *testing.T) {
	deadline := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	safe := advice.Command{Argv: []string{"ebb", "doctor"}}
	harm := safe.Costs(advice.Interrupts, "a task", "")
	ends := diagnose.Blocker{Code: diagnose.StopTimeout, Message: "m", Ends: true, Until: deadline}
	late := ends
	late.Until = deadline.Add(time.Second)
	stays := diagnose.Blocker{Code: diagnose.SigtermIgnored, Message: "it ignores SIGTERM", Advice: advice.Of(harm.For(""), advice.Say("wait"), safe.For(""))}
	for name, tt := range map[string]struct {
		blockers []diagnose.Blocker
		deadline time.Time
		want     notice.Blocker
	}{
		"nothing":              {nil, deadline, notice.Blocker{}},
		"it ends in time":      {[]diagnose.Blocker{ends}, deadline, notice.Blocker{}},
		"it ends too late":     {[]diagnose.Blocker{late}, deadline, notice.Blocker{Code: "stop-timeout", Text: "m"}},
		"there is no deadline": {[]diagnose.Blocker{late}, time.Time{}, notice.Blocker{}},
		"it does not end":      {[]diagnose.Blocker{ends, stays, late}, deadline, notice.Blocker{Code: "sigterm", Text: "it ignores SIGTERM", Fix: "ebb doctor"}},
		"not found, and progress": {[]diagnose.Blocker{{Code: diagnose.NotFound}, {Code: diagnose.InProgress}, {Code: diagnose.HostGone}},
			deadline, notice.Blocker{}},
	} {
		if d := cmp.Diff(tt.want, blockerOf(diagnose.Report{Blockers: tt.blockers}, tt.deadline)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// The policy of ebb iam has, for each receiver of a configuration, what sending to it calls, on what it is called for, and no more.
func TestThePolicyHasWhatReceiversNeed(t *testing.T) {
	const account = "eu-west-1:111122223333:"
	var called []string
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch target := r.Header.Get("X-Amz-Target"); target {
		case "AWSEvents.PutEvents":
			called = append(called, "events:PutEvents")
			_, _ = io.WriteString(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`)
		case "AmazonSSM.GetParameter":
			called = append(called, "ssm:GetParameter")
			_, _ = io.WriteString(w, `{"Parameter":{"Value":"http://`+r.Host+`/hook"}}`)
		case "secretsmanager.GetSecretValue":
			called = append(called, "secretsmanager:GetSecretValue")
			_, _ = io.WriteString(w, `{"SecretString":"{\"url\":\"http://`+r.Host+`/hook\"}"}`)
		default:
			if strings.Contains(string(b), "Action=Publish") {
				called = append(called, "sns:Publish")
				_, _ = io.WriteString(w, `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
			} else if r.URL.Path != "/hook" {
				t.Errorf("called %s %s: %s", r.URL.Path, target, b)
			}
		}
	}))
	defer aws.Close()
	env := map[string]string{"HOOK": aws.URL + "/hook", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key"}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	for notify, want := range map[string]string{
		"{webhook: env:HOOK}":                                          "",
		"{sns: 'arn:aws:sns:" + account + "ops'}":                      "sns:Publish arn:aws:sns:" + account + "ops",
		"{eventbridge: default}":                                       "events:PutEvents arn:aws:events:" + account + "event-bus/default",
		"{eventbridge: 'arn:aws:events:" + account + "event-bus/ops'}": "events:PutEvents arn:aws:events:" + account + "event-bus/ops",
		"{webhook: 'ssm:/ebb/slack:3'}":                                "ssm:GetParameter arn:aws:ssm:" + account + "parameter/ebb/slack",
		"{webhook: 'ssm:slack'}":                                       "ssm:GetParameter arn:aws:ssm:" + account + "parameter/slack",
		"{webhook: 'ssm:arn:aws:ssm:" + account + "parameter/x'}":      "ssm:GetParameter arn:aws:ssm:" + account + "parameter/x",
		"{webhook: 'secretsmanager:ebb/hook#url'}":                     "secretsmanager:GetSecretValue arn:aws:secretsmanager:" + account + "secret:ebb/hook-??????",
		"{webhook: 'secretsmanager:arn:aws:secretsmanager:" + account + "secret:hook-AbCdEf#url'}": "secretsmanager:GetSecretValue arn:aws:secretsmanager:" +
			account + "secret:hook-AbCdEf",
	} {
		file := filepath.Join(t.TempDir(), "ebb.yaml")
		text := "queue: https://sqs.eu-west-1.amazonaws.com/111122223333/ebb\ngroups: [{match: web, cluster: prod}]\nnotify: [" +
			strings.Replace(notify, "}", ", events: forced}", 1) + "]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) string {
			var stdout, stderr bytes.Buffer
			p := Process{Stdout: &stdout, Stderr: &stderr, Env: func(name string) string { return env[name] }}
			if code := Main(t.Context(), args, p); code != ExitOK {
				t.Errorf("%s: %v ends with %d:\n%s%s", notify, args, code, &stdout, &stderr)
			}
			return stdout.String()
		}
		called = nil
		run("notify", "test", "--config", file, "--endpoint", aws.URL)
		var policy iam.Document
		if err := json.Unmarshal([]byte(run("iam", "--config", file)), &policy); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range policy.Statement {
			for _, action := range s.Action {
				if service, _, _ := strings.Cut(action, ":"); slices.Contains([]string{"sns", "events", "ssm", "secretsmanager", "kms"}, service) {
					got = append(got, action+" "+strings.Join(s.Resource, " "))
				}
			}
		}
		if d := cmp.Diff(want, strings.Join(got, "; ")); d != "" {
			t.Errorf("%s (-want +got)\n%s", notify, d)
		}
		if action, _, _ := strings.Cut(want, " "); strings.Join(called, " ") != action {
			t.Errorf("%s: called %v, and the policy has %s", notify, called, action)
		}
	}
}
