package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/notice"
)

const secretPath = "T000/B000/very-secret-path"

// double stands in for a receiver: it keeps what it was sent, and answers what it is told to.
type double struct {
	*httptest.Server
	got     []*http.Request
	bodies  []string
	answers []func(http.ResponseWriter) // one after another; the last one for all that follow
}

func answer(status int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func newDouble(t *testing.T, answers ...func(http.ResponseWriter)) *double {
	t.Helper()
	d := &double{answers: answers}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		d.got, d.bodies = append(d.got, r), append(d.bodies, string(b))
		d.answers[min(len(d.got), len(d.answers))-1](w)
	}))
	t.Cleanup(d.Close)
	return d
}

var forced = notice.Notice{
	Key: "web/i-1/abc/forced", Event: notice.Forced, At: time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC), Drain: "web/i-1/abc", Cluster: "prod", Group: "web",
	Instance: "i-1", Title: "i-1 of web: tasks were cut off (forced) after 30m0s", Text: "The deadline passed with <2> tasks & more left.",
	Outcome: "forced", CutOff: []string{"api:412", "batch:7"}, Fix: "aws ecs describe-tasks --tasks '<x>'",
}

// sender returns a sender with one route, r, whose secret is in the environment.
func sender(kind Kind, secret string) *Sender {
	env := func(name string) string { return map[string]string{"SECRET": secret}[name] }
	r := Route{Route: notice.Route{Name: "r"}, Kind: kind, To: "env:SECRET", Channel: "C1"}
	return New([]Route{r}, NewSecrets(env, aws.Config{}), aws.Config{})
}

// checkBlocks holds a message against the limits of Block Kit.
// https://docs.slack.dev/reference/block-kit/blocks
func checkBlocks(t *testing.T, raw json.RawMessage) (text string) {
	t.Helper()
	var blocks []struct {
		Type     string
		Text     struct{ Type, Text string }
		Elements []struct{ Type, Text string }
	}
	if err := json.Unmarshal(raw, &blocks); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if len(blocks) == 0 || len(blocks) > 50 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, b := range blocks {
		switch {
		case b.Type == "section" && b.Text.Type == "mrkdwn" && b.Text.Text != "" && len([]rune(b.Text.Text)) <= 3000:
			text += b.Text.Text + "\n"
		case b.Type == "context" && len(b.Elements) == 1 && len([]rune(b.Elements[0].Text)) <= 3000:
			text += b.Elements[0].Text + "\n"
		default:
			t.Errorf("a block that Slack refuses: %+v", b)
		}
	}
	return text
}

func TestSlackWebhook(t *testing.T) {
	d := newDouble(t, answer(200, "ok"))
	if _, err := sender(Slack, d.URL+"/"+secretPath).Tell(t.Context(), "r", forced, ""); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Text   string
		Blocks json.RawMessage
	}
	if err := json.Unmarshal([]byte(d.bodies[0]), &sent); err != nil {
		t.Fatal(err)
	}
	want := ":rotating_light: *i-1 of web: tasks were cut off (forced) after 30m0s*\n" +
		"The deadline passed with &lt;2&gt; tasks &amp; more left.\n" +
		"*Cut off*\n• api:412\n• batch:7\n```aws ecs describe-tasks --tasks '&lt;x&gt;'```\n" +
		"2026-11-28 09:00:00 UTC · cluster prod · group web · drain web/i-1/abc\n"
	if diff := cmp.Diff(want, checkBlocks(t, sent.Blocks)); diff != "" {
		t.Error(diff)
	}
	if sent.Text != ":rotating_light: "+forced.Title {
		t.Errorf("the text for telephones is %q", sent.Text)
	}
}

// However long what a notice names is, Slack takes it.
func TestSlackTakesEveryNotice(t *testing.T) {
	d := newDouble(t, answer(200, "ok"))
	long := forced
	long.Title, long.Text, long.Fix, long.Group = strings.Repeat("<", 900), strings.Repeat("&", 900), strings.Repeat("`", 9000), strings.Repeat("ü", 9000)
	for range 100 {
		long.CutOff = append(long.CutOff, strings.Repeat(">", 200))
	}
	if _, err := sender(Slack, d.URL).Tell(t.Context(), "r", long, ""); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Blocks json.RawMessage }
	if err := json.Unmarshal([]byte(d.bodies[0]), &sent); err != nil {
		t.Fatal(err)
	}
	checkBlocks(t, sent.Blocks)
}

// What an answer means, in the words of engine.Teller; and no error shows the secret.
func TestWhatAnAnswerMeans(t *testing.T) {
	for _, kind := range []Kind{Slack, Webhook} {
		for status, want := range map[int]string{
			200: "", 204: "", 400: "never", 413: "never", 422: "never", 401: "again", 403: "again", 404: "again", 410: "again", 500: "again", 503: "later 7s",
			429: "later 7s",
		} {
			if kind == Slack && (status == 204 || status == 503) { // its library knows 200 only, and the time of a 429 only
				continue
			}
			d := newDouble(t, answer(status, "secret: "+secretPath, "Retry-After", map[bool]string{true: "7", false: ""}[status == 503 || status == 429]))
			_, err := sender(kind, d.URL+"/"+secretPath).Tell(t.Context(), "r", forced, "")
			if got := meaning(err); got != want {
				t.Errorf("%s answers %d: %s (%v), want %s", kind, status, got, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("%s answers %d: the error shows the secret: %v", kind, status, err)
			}
		}
	}
}

func meaning(err error) string {
	if later, is := errors.AsType[*notice.Later](err); is {
		return "later " + later.For.String()
	}
	if _, is := errors.AsType[*notice.Undeliverable](err); is {
		return "never"
	}
	if err != nil {
		return "again"
	}
	return ""
}

func TestNoErrorShowsTheSecret(t *testing.T) {
	gone := newDouble(t, answer(200, ""))
	gone.Close()
	for _, secret := range []string{gone.URL + "/" + secretPath, "://" + secretPath, "very-secret no url\x7f"} {
		for _, kind := range []Kind{Slack, Webhook} {
			_, err := sender(kind, secret).Tell(t.Context(), "r", forced, "")
			if err == nil || strings.Contains(err.Error(), "very-secret") {
				t.Errorf("%s with %q: %v", kind, secret, err)
			}
		}
	}
}

// A bot has one message for each drain, and begins another where that one has been deleted.
func TestABotUpdatesItsMessage(t *testing.T) {
	posted := answer(200, `{"ok":true,"channel":"C1","ts":"111.1"}`)
	for _, tt := range []struct {
		name, message string
		answers       []func(http.ResponseWriter)
		paths         []string
		want, meaning string
	}{
		{"the first", "", []func(http.ResponseWriter){posted}, []string{"/chat.postMessage"}, "111.1", ""},
		{"the next", "111.1", []func(http.ResponseWriter){posted}, []string{"/chat.update"}, "111.1", ""},
		{"it was deleted", "99.9", []func(http.ResponseWriter){answer(200, `{"ok":false,"error":"message_not_found"}`), posted},
			[]string{"/chat.update", "/chat.postMessage"}, "111.1", ""},
		{"too much at once", "", []func(http.ResponseWriter){answer(429, "", "Retry-After", "30")}, []string{"/chat.postMessage"}, "", "later 30s"},
		{"a wrong token", "", []func(http.ResponseWriter){answer(200, `{"ok":false,"error":"invalid_auth"}`)}, []string{"/chat.postMessage"}, "", "again"},
		{"blocks that it refuses", "", []func(http.ResponseWriter){answer(200, `{"ok":false,"error":"invalid_blocks"}`)}, []string{"/chat.postMessage"}, "", "never"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDouble(t, tt.answers...)
			s := sender(SlackBot, "xoxb-very-secret")
			s.slack = d.URL + "/"
			got, err := s.Tell(t.Context(), "r", forced, tt.message)
			if got != tt.want || meaning(err) != tt.meaning {
				t.Errorf("got %q and %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("the error shows the token: %v", err)
			}
			var paths []string
			for i, r := range d.got {
				paths = append(paths, r.URL.Path)
				form, err := url.ParseQuery(d.bodies[i])
				if err != nil || form.Get("channel") != "C1" || form.Get("ts") != map[bool]string{true: tt.message}[r.URL.Path == "/chat.update"] {
					t.Errorf("%s with %v", r.URL.Path, form)
				}
				checkBlocks(t, json.RawMessage(form.Get("blocks")))
				if form.Get("token") != "xoxb-very-secret" {
					t.Errorf("authorized by %q", form.Get("token"))
				}
			}
			if diff := cmp.Diff(tt.paths, paths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWebhookIsTheNoticeOrItsTemplate(t *testing.T) {
	d := newDouble(t, answer(200, ""))
	s := sender(Webhook, d.URL)
	if _, err := s.Tell(t.Context(), "r", forced, ""); err != nil {
		t.Fatal(err)
	}
	var got notice.Notice
	if err := json.Unmarshal([]byte(d.bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	h := d.got[0].Header
	if diff := cmp.Diff(forced, got); diff != "" || h.Get("Idempotency-Key") != forced.Key || h.Get("Content-Type") != "application/json" {
		t.Errorf("%s%v", diff, h)
	}
	r := s.routes["r"]
	r.Template = `{"text":"{{.Title}}: {{ .Text }}","lost":"{{.CutOff}}","at":"{{.At}}"}`
	s.routes["r"] = r
	quoted := forced
	quoted.Title = `a "quoted" \ title`
	if _, err := s.Tell(t.Context(), "r", quoted, ""); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"text": quoted.Title + ": " + quoted.Text, "lost": "api:412, batch:7", "at": "2026-11-28T09:00:00Z"}
	var filled map[string]string
	if err := json.Unmarshal([]byte(d.bodies[1]), &filled); err != nil {
		t.Fatalf("%v in %s", err, d.bodies[1])
	}
	if diff := cmp.Diff(want, filled); diff != "" {
		t.Error(diff)
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	for template, want := range map[string]string{
		`{"text":"{{.Title}}"}`:    "",
		`{"text":"{{.Titel}}"}`:    "the template has {{.Titel}}; write one of {{.At}}, {{.Cluster}}, ",
		`{"text":{{.Title}}}`:      "the template is no JSON once it is filled in",
		`text={{.Title}}`:          "the template is no JSON once it is filled in",
		`{"a":"{{.Key}} {{.Fix}}"`: "the template is no JSON once it is filled in",
	} {
		if err := CheckTemplate(template); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", template, err, want)
		}
	}
}

func TestARouteThatIsNoMoreConfiguredTakesNothing(t *testing.T) {
	_, err := sender(Webhook, "").Tell(t.Context(), "old", forced, "")
	if meaning(err) != "never" || !strings.Contains(err.Error(), `no entry of notify has the name "old" any more`) {
		t.Error(err)
	}
}

// Secrets come from where they stand, are kept, and are read anew after a failure.
func TestSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked []string
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Header.Get("X-Amz-Target")+" "+string(b))
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/") {
			t.Errorf("signed as %q", r.Header.Get("Authorization"))
		}
		switch {
		case strings.Contains(string(b), "absent"):
			answer(400, `{"__type":"com.amazonaws#ParameterNotFound","message":"very-secret"}`)(w)
		case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM"):
			answer(200, `{"Parameter":{"Name":"/ebb/slack","Value":"from-ssm"}}`)(w)
		case strings.Contains(string(b), "json"):
			answer(200, `{"SecretString":"{\"slack\":\"one-of-them\"}"}`)(w)
		default:
			answer(200, `{"SecretString":"from-secrets-manager"}`)(w)
		}
	}))
	defer store.Close()
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String(store.URL), Credentials: credentials.NewStaticCredentialsProvider("AKID", "key", "")}
	env := map[string]string{"GIVEN": " from-the-environment "}
	s := NewSecrets(func(name string) string { return env[name] }, cfg)
	read := func(where string) string {
		v, err := s.Read(t.Context(), where)
		if err != nil {
			return "error: " + err.Error()
		}
		return v
	}
	for where, want := range map[string]string{
		"env:GIVEN": "from-the-environment", "env:MISSING": "error: env:MISSING: it is not in Ebb's environment, or it is empty; " +
			"set it, or correct its name under notify",
		"file:" + file: "from-a-file", "ssm:/ebb/slack": "from-ssm", "secretsmanager:plain": "from-secrets-manager",
		"ssm:/absent": "error: ssm:/absent: there is no such parameter in eu-west-1; correct the name under notify, or make the parameter with " +
			"aws ssm put-parameter --type SecureString (AWS says ParameterNotFound)",
		"secretsmanager:json#slack": "one-of-them",
		"secretsmanager:json#other": "error: secretsmanager:json#other: it has no text under the key other; correct the key under notify, or add it to the secret",
		"secretsmanager:plain#key":  "error: secretsmanager:plain#key: it is no JSON object, so it has no key key; leave #key out to take all of it",
	} {
		if got := read(where); got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
	before := len(asked)
	if read("ssm:/ebb/slack"); len(asked) != before {
		t.Error("a secret is read again although it is known")
	}
	if s.Forget("ssm:/ebb/slack"); read("ssm:/ebb/slack") != "from-ssm" || len(asked) != before+1 {
		t.Error("a secret is not read again after a failure")
	}
	if want := `AmazonSSM.GetParameter {"Name":"/ebb/slack","WithDecryption":true}`; asked[len(asked)-1] != want {
		t.Errorf("asked %s, want %s", asked[len(asked)-1], want)
	}
}

// A secret that was replaced is read after the first failure.
func TestASecretThatWasReplaced(t *testing.T) {
	d := newDouble(t, answer(403, ""), answer(200, ""))
	secret := d.URL + "/old"
	s := New([]Route{{Route: notice.Route{Name: "r"}, Kind: Webhook, To: "env:S"}}, NewSecrets(func(string) string { return secret }, aws.Config{}), aws.Config{})
	if _, err := s.Tell(t.Context(), "r", forced, ""); err == nil {
		t.Fatal("no error")
	}
	secret = d.URL + "/new"
	if _, err := s.Tell(t.Context(), "r", forced, ""); err != nil || d.got[1].URL.Path != "/new" {
		t.Errorf("%v, sent to %s", err, d.got[1].URL.Path)
	}
}

// A digest has no drain, and its lines stay lines, in Slack, in a template, in a topic and on a bus.
func TestEveryReceiverCarriesADigest(t *testing.T) {
	digest := notice.Notice{
		Key: "digest/2026-11-28/r", Event: notice.Digest, At: forced.At,
		Title: "Digest of 2026-11-28: 1 drain ended, 0 open", Text: "From <a> to b:\ndrained: 1",
	}
	quiet := digest
	quiet.Title, quiet.Text = "Digest: no instance left", ""
	cfg := aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "key", ""), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	tell := func(n notice.Notice, kind Kind, says string) string {
		d := newDouble(t, answer(200, says))
		cfg.BaseEndpoint = aws.String(d.URL)
		r := Route{Route: notice.Route{Name: "r"}, Kind: kind, To: "ebb", Channel: "C1"}
		if kind != SNS && kind != EventBridge {
			r.To = "env:SECRET"
		}
		if kind == Webhook {
			r.Template = `{"what":"{{.Event}}","text":"{{.Title}}: {{.Text}}","of":"{{.Drain}}{{.Group}}"}`
		}
		s := New([]Route{r}, NewSecrets(func(string) string { return d.URL }, cfg), cfg)
		s.slack = d.URL + "/"
		if _, err := s.Tell(t.Context(), "r", n, ""); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		return d.bodies[0]
	}
	field := func(body, name string) string {
		form, err := url.ParseQuery(body)
		if err != nil {
			t.Error(err)
		}
		return form.Get(name)
	}
	const published = `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
		<PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`
	var hook struct{ Blocks json.RawMessage }
	if err := json.Unmarshal([]byte(tell(digest, Slack, "ok")), &hook); err != nil {
		t.Fatal(err)
	}
	const posted = `{"ok":true,"channel":"C1","ts":"1"}`
	const shown = ":bar_chart: *Digest of 2026-11-28: 1 drain ended, 0 open*\nFrom &lt;a&gt; to b:\ndrained: 1\n2026-11-28 09:00:00 UTC\n"
	for what, x := range map[string][2]string{
		"a webhook of Slack": {checkBlocks(t, hook.Blocks), shown},
		"a bot":              {checkBlocks(t, json.RawMessage(field(tell(digest, SlackBot, posted), "blocks"))), shown},
		"a quiet day by a bot": {checkBlocks(t, json.RawMessage(field(tell(quiet, SlackBot, posted), "blocks"))), ":bar_chart: *Digest: no instance left*\n" +
			"2026-11-28 09:00:00 UTC\n"},
		"a webhook": {tell(digest, Webhook, ""), `{"what":"digest","text":"Digest of 2026-11-28: 1 drain ended, 0 open: ` +
			`From \u003ca\u003e to b:\ndrained: 1","of":""}`},
		"a topic":              {field(tell(digest, SNS, published), "Message"), digest.Title + "\n\n" + digest.Text + "\n"},
		"a quiet day by topic": {field(tell(quiet, SNS, published), "Message"), quiet.Title + "\n"},
	} {
		if d := cmp.Diff(x[1], x[0]); d != "" {
			t.Errorf("%s: %s", what, d)
		}
	}
	event := tell(digest, EventBridge, `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`)
	for _, want := range []string{`"DetailType":"Ebb Digest"`, `\"event\":\"digest\"`, `\\ndrained: 1`} {
		if !strings.Contains(event, want) {
			t.Errorf("%s is not in %s", want, event)
		}
	}
}

func TestDetailTypes(t *testing.T) {
	for e, want := range map[notice.Event]string{
		notice.Started: "Ebb Drain Started", notice.Stuck: "Ebb Drain Stuck", notice.Forced: "Ebb Drain Forced", notice.Done: "Ebb Drain Done",
		notice.LetGo: "Ebb Drain Let Go", notice.Digest: "Ebb Digest", notice.Test: "Ebb Drain Test",
	} {
		if got := detailType(e); got != want {
			t.Errorf("%s: %s", e, got)
		}
	}
}

// What AWS is sent: the texts for people, and the notice as an event.
func TestTopicsAndBuses(t *testing.T) {
	d := newDouble(t, answer(200, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
		<PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`))
	cfg := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(d.URL), Credentials: credentials.NewStaticCredentialsProvider("AKID", "key", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	r := Route{Route: notice.Route{Name: "r"}, Kind: SNS, To: "arn:aws:sns:eu-west-1:111122223333:ebb"}
	n := forced
	n.Title = "é " + strings.Repeat("x", 200)
	if _, err := New([]Route{r}, NewSecrets(nil, cfg), cfg).Tell(t.Context(), "r", n, ""); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(d.bodies[0])
	if err != nil || form.Get("Action") != "Publish" || form.Get("TopicArn") != r.To || form.Get("Subject") != "Ebb: ? "+strings.Repeat("x", 93) {
		t.Errorf("%v %v", err, form)
	}
	if want := n.Title + "\n\n" + n.Text + "\n\nCut off:\n  api:412\n  batch:7\n\n" + n.Fix + "\n"; form.Get("Message") != want {
		t.Error(cmp.Diff(want, form.Get("Message")))
	}
	for _, tt := range []struct{ answer, want string }{
		{`{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`, ""},
		{`{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"try again"}]}`, "put an event on ops: InternalFailure: try again"},
	} {
		d := newDouble(t, answer(200, tt.answer, "Content-Type", "application/x-amz-json-1.1"))
		cfg.BaseEndpoint = aws.String(d.URL)
		r.Kind, r.To = EventBridge, "ops"
		_, err := New([]Route{r}, NewSecrets(nil, cfg), cfg).Tell(context.Background(), "r", forced, "")
		if fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
			t.Errorf("got %v, want %q", err, tt.want)
		}
		for _, want := range []string{`"Source":"ebb"`, `"DetailType":"Ebb Drain Forced"`, `"EventBusName":"ops"`, `\"key\":\"web/i-1/abc/forced\"`} {
			if !strings.Contains(d.bodies[0], want) {
				t.Errorf("%s is not in %s", want, d.bodies[0])
			}
		}
	}
}
