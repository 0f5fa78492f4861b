package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// parse reads a step as it stands in a configuration.
func parse(t *testing.T, text string) Kind {
	t.Helper()
	k, err := parseText(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseText(text string) (Kind, error) {
	var n yaml.Node
	if err := yaml.Load([]byte(text), &n); err != nil {
		return nil, err
	}
	return Parse(n.Content[0])
}

// job is an attempt whose secrets are those that are given: where they stand, and what they are.
func job(secrets ...string) (Job, *Tail) {
	out := NewTail(64 << 10)
	return Job{
		Step: "test", Attempt: 1, Out: out,
		Env: map[string]string{"EBB_INSTANCE_ID": "i-0123456789abcdef0", "EBB_GROUP": `we"b`, "EBB_DEADLINE": "2026-11-29T01:00:00Z"},
		Secrets: func(_ context.Context, where string) (string, error) {
			for i := 0; i+1 < len(secrets); i += 2 {
				if secrets[i] == where {
					return secrets[i+1], nil
				}
			}
			return "", fmt.Errorf("%s: there is no such secret", where)
		},
	}, out
}

// run does a step with a limit, and returns what it says.
func run(t *testing.T, k Kind, j Job, limit time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	j.Until = time.Now().Add(limit)
	err := k.Run(ctx, j)
	return fmt.Sprint(j.Out), err
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"name: x":                                     "line 1: the step does not say what to do; give it one of the keys command, fluent_bit,",
		"name: x\ncommand: [a]\nhttp: http://a":       "line 3: the step does two things",
		"name: x\ncommand:\n  runn: [a]":              "line 3: command has no key runn",
		"name: x\ncommand:\n  shell: a\n  run: [b]":   `line 3: command: write run: ["/usr/bin/consul", leave]`,
		"command: {run: [a], grace: 10}":              "into time.Duration",
		"command: {run: [a], grace: soon}":            "line 1",
		"signal: {signal: USR1}":                      "line 1: signal: write pid_file or name",
		"signal: {name: a, signal: NONE}":             "there is no signal NONE",
		"systemd: {unit: a, action: kill}":            "action may be stop, reload, restart, wait",
		"http: DELETE 127.0.0.1/x":                    "url must begin with http:// or https://",
		"http: https://user:hunter2@a/":               "have no user and password",
		"http: {url: 'http://a', status: [abc]}":      "line 1",
		"wait: {every: 5s}":                           "write command or http",
		"wait: {command: [a], http: 'http://a'}":      "write command or http",
		"wait:\n  command:\n    sell: x":              "line 3: command has no key sell",
		"zabbix: {url: 'http://a'}":                   "write token, or user and password",
		"zabbix: {url: 'http://a', token: hunter2}":   "token must say where the secret stands",
		"logship: {to: bucket/x, files: [/a]}":        "to must begin with s3://",
		"logship: {to: 's3://b', files: [a]}":         "write paths or patterns that begin with /",
		"logship: {to: 's3://b'}":                     "write files or journal: true",
		"fluentd: {monitor: 'http://a:1'}":            "write rpc or pid_file",
		"fluentd: {rpc: 'http://a:1'}":                "write monitor",
		"fluent_bit: {stop: true}":                    "stop needs unit or pid_file",
		"fluent_bit: {ship: 's3://b', buffers: [/a]}": "ship needs buffers",
	} {
		k, err := parseText(text)
		if err == nil {
			t.Errorf("%s: %v", text, k)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestTailKeepsBothEndsAndSpellsTheRest(t *testing.T) {
	tail := NewTail(4)
	for _, s := range []string{"a", "\x1b", "cde", "fghijklmnop", "q\r", ""} {
		if n, err := tail.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := tail.String(), `a\u001bcd`+"\n... 10 bytes are left out ...\n"+`opq\r`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	tail = NewTail(4)
	fmt.Fprint(tail, "12345678")
	if got := tail.String(); got != "12345678" {
		t.Errorf("%q", got)
	}
}

// TestNoSecretIsShown plants secrets in every place where a step can have one, and looks for them where people could see them.
func TestNoSecretIsShown(t *testing.T) {
	const secret, lines = `p/l a"nted-5ecret+`, "-----BEGIN KEY-----\nMIIplanted5ecretline\n-----END KEY-----"
	echo := serve(t, func(w *response, r *request) {
		w.WriteHeader(403)
		fmt.Fprintf(w, "%s %s %s %s", r.URL.Path, r.URL.RawPath, r.Header.Get("X-Token"), body(r))
	})
	gone := "http://127.0.0.1:1/"
	for name, text := range map[string]string{
		"output": `command: {shell: 'for i in 1 2 3; do printf %s "$T"; done; printf %s "${T%%ed-*}"; sleep 0.1; ` +
			`printf "ed-%s\n%s" "${T##*ed-}" "$K"; cat /proc/$$/cmdline', ` +
			`environment: {T: "${env:T}", K: "${file:/k}"}}`,
		"no program": `command: {run: [/nowhere], environment: {T: "${env:T}"}}`,
		"answer":     `http: {url: '` + echo + `a/${env:T}', headers: {X-Token: 'Bearer ${env:T}', Content-Type: application/json}, body: '{"t":"${env:T}"}'}`,
		"no answer":  `http: "` + gone + `${env:T}"`,
		"bad header": `http: {url: "` + gone + `", headers: {X-Token: "a\nb${env:T}"}}`,
		"bad URL":    `http: {url: "` + echo + `%zz${env:T}"}`,
		"zabbix":     `zabbix: {url: '` + echo + `', token: env:T}`,
		"password":   `zabbix: {url: '` + gone + `', user: ebb, password: env:T}`,
	} {
		t.Run(name, func(t *testing.T) {
			k, err := parseText("name: x\n" + text)
			if err != nil {
				contains(t, err.Error(), "line 2")
				return
			}
			j, out := job("env:T", secret, "file:/k", lines)
			j.AWS = s3At("http://127.0.0.1:1")
			_, err = run(t, k, j, 20*time.Second)
			checked := k.Check(context.Background(), j)
			for _, shown := range []string{out.String(), fmt.Sprint(err), fmt.Sprint(checked), fmt.Sprintf("%+v", err)} {
				for _, form := range []string{"nted-5ecret", "planted5ecret", "nted-5ecret%2B", `a\"nted`} {
					if strings.Contains(shown, form) {
						t.Errorf("%s shows %q", shown, form)
					}
				}
			}
			if name == "output" || name == "answer" {
				contains(t, out.String(), "[secret]")
			}
		})
	}
}

// TestChildrenDoNotInheritSecrets: what stands in the agent's environment is not for its commands.
func TestChildrenDoNotInheritSecrets(t *testing.T) {
	t.Setenv("ZABBIX_TOKEN", "hunter2")
	j, _ := job()
	out, err := run(t, parse(t, `command: [env]`), j, time.Minute)
	if err != nil || strings.Contains(out, "hunter2") {
		t.Error(out, err)
	}
	contains(t, out, "PATH=", "EBB_INSTANCE_ID=i-0123456789abcdef0", `EBB_GROUP=we"b`)
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for _, name := range []string{"10 a 'b' \"c\"", "20-line\nbreak", "3$(reboot)"} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\necho $EBB_INSTANCE_ID from \"$0\"\n", 0o755)
		want = append(want, name)
	}
	write(t, filepath.Join(dir, "40-readme"), "text", 0o644)
	write(t, filepath.Join(dir, ".50-hidden"), "#!/bin/sh\n", 0o755)
	if err := os.Mkdir(filepath.Join(dir, "60-dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	steps, err := Directory(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		if s.Name != want[i] {
			t.Errorf("step %d is %q, want %q", i, s.Name, want[i])
		}
		j, _ := job()
		out, err := run(t, s.Kind, j, time.Minute)
		if err != nil {
			t.Error(err)
		}
		contains(t, out, "i-0123456789abcdef0 from")
	}
	if len(steps) != 3 {
		t.Errorf("%d steps", len(steps))
	}
	if _, err := Directory(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}

	script := write(t, filepath.Join(dir, "70-own"), "#!/bin/sh\n", 0o755)
	refused := func(what, why string) {
		t.Helper()
		if _, err := Directory(dir); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, mode := range []os.FileMode{0o775, 0o757} {
		write(t, script, "", mode)
		refused("file", "70-own can be written by others")
	}
	write(t, script, "", 0o755)
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	refused("directory", "can be written by others")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(script, 1, 0); err != nil {
			t.Fatal(err)
		}
		refused("owner", "belongs to user 1")
		if err := os.Chown(script, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	// A link leads to where others can write.
	open := t.TempDir()
	write(t, filepath.Join(open, "s"), "#!/bin/sh\n", 0o755)
	if err := errors.Join(os.Symlink(filepath.Join(open, "s"), filepath.Join(dir, "80-link")), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	refused("link", "can be written by others")
}
