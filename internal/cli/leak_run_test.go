package cli

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/story"
)

// A world in which an instance can leave, with a secret in what its instances start with, and two in AWS's stores. %s is a receiver.
const leakWorld = `
clusters: [{name: prod}]
queues: [{name: ebb, redrive: ebb-dlq}, {name: ebb-dlq}]
task_definitions: [{family: web, start: 1s, exit: 5m, stop_timeout: 10m}]
groups:
  - name: web
    desired: 2
    hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE, target: ebb}]
    launch: {cluster: prod, boot: 1s, spot: true, user_data: "#!/bin/sh\necho ECS_ENGINE_AUTH_DATA=very-secret >> /etc/ecs/ecs.config\n"}
services: [{name: web, cluster: prod, task: web, desired: 2}]
parameters: [{name: /ebb/pager, value: "%[1]s/ssm/very-secret"}]
secrets: [{name: ebb/keys, value: '{"pager":"%[1]s/secretsmanager/very-secret","none":{"very-secret":1}}'}]
`

// Every way to a secret, and receivers of which each fails in its own way. %s: a directory, the cloud, the queue, the form of the log.
const leakConfig = `
region: eu-west-1
queue: %[2]s/111122223333/ebb
endpoint: %[2]s
journal: sqlite://%[1]s/journal.db
admin: 127.0.0.1:0
metrics: emf
log_level: debug
log_format: %[3]s
groups: [{match: web, cluster: prod, deadline: 1m}]
notify:
  - {name: refused, webhook: env:PLANTED_REFUSED}
  - {name: forbidden, slack: "file:%[1]s/planted"}
  - {name: no-http, webhook: "ssm:/ebb/pager"}
  - {name: one-key, webhook: "secretsmanager:ebb/keys#pager"}
  - {name: no-key, webhook: "secretsmanager:ebb/keys#none"}
  - {name: bot, slack_bot: env:PLANTED_BOT, channel: C0123ABCD}
  - {name: password, webhook: env:PLANTED_PASSWORD}
  - {name: untrusted, slack: env:PLANTED_UNTRUSTED}
  - {name: redirect, webhook: env:PLANTED_REDIRECT}
  - {name: no-url, webhook: env:PLANTED_BOT}
  - {name: missing, slack: env:PLANTED_NOWHERE}
  - {name: topic, sns: "arn:aws:sns:eu-west-1:111122223333:none"}
`

// run is what a test with planted secrets has: a directory, an environment, and all that was shown.
type run struct {
	dir   string
	env   []string
	shown map[string]string
	spec  sim.Spec
}

// planted starts the receivers and plants the secrets.
func planted(t *testing.T) *run {
	t.Helper()
	closed := httptest.NewServer(nil)
	closed.Close()
	forbidding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path)
		w.WriteHeader(map[bool]int{true: 302, false: 403}[strings.HasPrefix(r.URL.Path, "/redirect")])
		_ = r.Write(w) // with the header Authorization
	}))
	t.Cleanup(forbidding.Close)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	r := &run{dir: t.TempDir(), shown: map[string]string{}}
	var err error
	if r.spec, err = story.ParseWorld(fmt.Appendf(nil, leakWorld, echoing(t))); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(r.dir, "planted"), []byte(forbidding.URL+"/services/T0/B0/very-secret\n"), 0o600))
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "TZ=UTC", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=ebb",
		"AWS_SECRET_ACCESS_KEY=" + plantedKey, "AWS_SESSION_TOKEN=" + plantedToken,
		"HTTPS_PROXY=http://user:very-secret@127.0.0.1:1", // so that nothing leaves this machine: Slack is elsewhere
		"PLANTED_REFUSED=" + closed.URL + "/very-secret", "PLANTED_BOT=xoxb-1-very-secret", "PLANTED_UNTRUSTED=" + untrusted.URL + "/very-secret",
		"PLANTED_PASSWORD=" + strings.Replace(forbidding.URL, "//", "//user:very-secret@", 1),
		"PLANTED_REDIRECT=" + forbidding.URL + "/redirect/very-secret",
	}
	return r
}

// echoing is a server that answers with what it was sent, which is no HTTP.
func echoing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", r.RequestURI, r.Header.Get("X-Amz-Security-Token"))
			}
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// ebb runs a command and keeps what it shows. It must end with this exit code.
func (r *run) ebb(t *testing.T, code int, args ...string) {
	t.Helper()
	cmd := exec.Command("ebb", args...)
	cmd.Env, cmd.Dir = r.env, r.dir
	out, _ := cmd.CombinedOutput() // the exit code is looked at
	name := fmt.Sprintf("ebb %s (%d)", strings.Join(args, " "), len(r.shown))
	r.shown[name] = string(out)
	if got := cmd.ProcessState.ExitCode(); got != code || len(out) == 0 {
		t.Errorf("%s: exit code %d, want %d\n%s", name, got, code, out)
	}
}

// leak reports each place in which a secret is shown or written.
func (r *run) leak(t *testing.T) {
	t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte("user:very-secret"))
	eachFile(r.dir, func(file string, text []byte) {
		if filepath.Base(file) != "planted" {
			r.shown[file] = string(text)
		}
	})
	for name, text := range r.shown {
		for line := range strings.Lines(text) {
			if strings.Contains(line, mark) || strings.Contains(line, basic) {
				t.Errorf("%s shows a secret: %.500s", name, line)
			}
		}
	}
}

// serving is ebb serve that runs, and what it has printed.
type serving struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *serving) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// until waits for a line, and returns what its group matches.
func (s *serving) until(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for range 600 {
		s.mu.Lock()
		found := re.FindStringSubmatch(s.text.String())
		s.mu.Unlock()
		if found != nil {
			return found[len(found)-1]
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Fatalf("ebb serve did not print %s:\n%s", pattern, s.text.String())
	return ""
}

// Nothing that Ebb prints, answers or writes shows a secret, while all goes wrong that can go wrong with secrets and receivers.
func TestNothingShowsASecret(t *testing.T) {
	for format, line := range map[string]string{
		"text": `a notice cannot be sent[^\n]*route=%s `, "json": `a notice cannot be sent[^\n]*"route":"%s"`,
	} {
		t.Run(format, func(t *testing.T) {
			r := planted(t)
			cloud, err := startSim(r.spec, "127.0.0.1:0", 1)
			must(t, err)
			defer cloud.Close()
			config := filepath.Join(r.dir, "ebb.yaml")
			must(t, os.WriteFile(config, fmt.Appendf(nil, leakConfig, r.dir, cloud.Endpoint, format), 0o600))
			s := &serving{cmd: exec.Command("ebb", "serve", "--config", config)}
			s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = r.env, s, s
			must(t, s.cmd.Start())
			defer func() { _ = s.cmd.Process.Kill() }() // it has ended, if all is well
			address := s.until(t, `admin"?[=:]"?(127\.0\.0\.1:[0-9]+)`)
			instance := ""
			cloud.Read(func(w *sim.World) {
				instance = w.DescribeAutoScalingGroups([]string{"web"})[0].Instances[0].ID
				_, err = w.TerminateInstanceInAutoScalingGroup(instance, true)
			})
			must(t, err)
			for _, route := range []string{
				"refused", "forbidden", "no-http", "one-key", "no-key", "bot", "password", "untrusted", "redirect", "no-url", "missing", "topic",
			} {
				s.until(t, fmt.Sprintf(line, route))
			}
			for _, path := range []string{"/metrics", "/livez", "/readyz", "/very", "/debug/pprof/"} {
				res, err := http.Get("http://" + address + path)
				must(t, err)
				body, err := io.ReadAll(res.Body)
				must(t, err)
				_ = res.Body.Close()
				r.shown[path] = fmt.Sprint(res.Header, string(body))
			}
			r.commands(t, config, cloud.Endpoint, instance)
			end := map[string]os.Signal{"text": syscall.SIGTERM, "json": syscall.SIGQUIT}[format] // on SIGQUIT it prints what each goroutine does
			must(t, s.cmd.Process.Signal(end))
			_ = s.cmd.Wait()
			r.shown["ebb serve"] = s.text.String()
			for _, want := range []string{"ebb_", map[string]string{"text": `"_aws"`, "json": "goroutine"}[format]} {
				if !strings.Contains(r.shown["ebb serve"]+r.shown["/metrics"], want) {
					t.Errorf("nothing shows %s", want)
				}
			}
			r.leak(t)
		})
	}
}

// commands runs all that read the account, the configuration or the journal.
func (r *run) commands(t *testing.T, config, endpoint, instance string) {
	t.Helper()
	with := []string{"--config", config}
	for _, form := range []string{"table", "tsv", "json", "jsonl"} {
		r.ebb(t, 0, slices.Concat([]string{"status", "-o", form}, with)...)
	}
	at := []string{"--config", config, "--endpoint", endpoint, "--region", "eu-west-1"}
	r.ebb(t, 0, slices.Concat([]string{"why", instance, "-o", "json"}, at)...)
	r.ebb(t, 0, slices.Concat([]string{"why", instance}, at)...)
	r.ebb(t, 0, slices.Concat([]string{"plan", "web", "-o", "json"}, at)...)
	r.ebb(t, 3, slices.Concat([]string{"doctor", "-o", "json"}, at)...)
	r.ebb(t, 0, slices.Concat([]string{"history", instance}, with)...)
	r.ebb(t, 0, slices.Concat([]string{"pause"}, with)...)
	r.ebb(t, 0, slices.Concat([]string{"resume"}, with)...)
	r.ebb(t, 1, slices.Concat([]string{"notify", "test"}, with)...)
	r.ebb(t, 0, slices.Concat([]string{"iam", "--account", "111122223333"}, with)...)
	r.ebb(t, 0, "init", "--endpoint", endpoint, "--region", "eu-west-1", "--group", "web", "--dir", "up")
	r.ebb(t, 78, slices.Concat([]string{"lambda"}, with)...)
	r.ebb(t, 0, "version")
}

// The same for what is wrong before Ebb can begin, and for a story with secrets in its world.
func TestNoErrorAtTheStartShowsASecret(t *testing.T) {
	r := planted(t)
	hook := "https://hooks.slack.com/services/T0/B0/very-secret"
	wrong := t.TempDir() // what stands there has secrets
	for name, text := range map[string]string{
		"url": "notify: [{slack: \"" + hook + "\"}]", "key": "slack_token: xoxb-1-very-secret", "yaml": "notify:\n\t- slack: " + hook,
		"endpoint": "endpoint: http://user:very-secret@127.0.0.1:1", "env": "AWS_SECRET_ACCESS_KEY=" + plantedKey,
	} {
		file := filepath.Join(wrong, name+".yaml")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		for _, command := range [][]string{
			{"serve"}, {"status"}, {"notify", "test"}, {"iam", "--account", "111122223333"}, {"doctor"}, {"lambda"}, {"history"},
		} {
			r.ebb(t, 78, append(command, "--config", file)...)
		}
	}
	program := filepath.Join(wrong, "program")
	must(t, os.WriteFile(program, []byte("update me\n{\"SecretAccessKey\":\""+plantedKey+"\"}"), 0o600))
	profile := filepath.Join(wrong, "config")
	must(t, os.WriteFile(profile, []byte("[default]\ncredential_process = cat "+program+"\n"), 0o600))
	env := r.env
	r.env = append(slices.Clone(env), "AWS_CONFIG_FILE="+profile, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	r.ebb(t, 78, "doctor", "--region", "eu-west-1")
	r.env = env
	r.ebb(t, 1, "doctor", "--region", "eu-west-1") // the proxy, which has a password, is away
	r.ebb(t, 1, "doctor", "--region", "eu-west-1", "--endpoint", echoing(t))
	text := "name: Secrets stand in the world.\nworld:" + strings.ReplaceAll(fmt.Sprintf(leakWorld, "http://127.0.0.1:1"), "\n", "\n  ") +
		"\nebb: {groups: [{match: web, cluster: prod}]}\nat: [{at: 1m, do: terminate, host: web/0}]\n" +
		"expect: [{line: ended, host: web/0, text: %s}]\n"
	for code, want := range []string{"drained", "cut off"} {
		file := filepath.Join(wrong, "story.yaml")
		must(t, os.WriteFile(file, fmt.Appendf(nil, text, want), 0o600))
		r.ebb(t, code, "story", file)
	}
	r.leak(t)
}
