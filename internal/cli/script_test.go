package cli

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/internal/sim/secretsmanager"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "stand-in" { // a demonstration runs its own program as what runs on its hosts
		os.Exit(Main(context.Background(), os.Args[1:], Process{Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}))
	}
	testscript.Main(m, map[string]func(){"ebb": func() {
		os.Exit(Main(context.Background(), os.Args[1:], Process{
			Stdin: os.Stdin, Stdout: guard{os.Stdout}, Stderr: guard{os.Stderr}, Env: os.Getenv,
		}))
	}, "function": func() {
		runtime.Start(func(event struct {
			Kind string `json:"detail-type"`
		}) {
			fmt.Println("invoked by a", event.Kind, "against", os.Getenv("AWS_ENDPOINT_URL"))
		})
	}})
}

// TestScripts runs testdata/script. Beside testscript's own commands there are
//
//	exits CODE PROGRAM ARGUMENTS...     it must end with this exit code
//	until PATTERN PROGRAM ARGUMENTS...  it must print a match and run on, and then end with 0 on SIGTERM
//	sim [-policy KEY=FILE]... [-speed N] [WORLD]  a simulated cloud, which stands still without -speed; $ENDPOINT is its URL
//	[!] is INSTANCE STATUS              its container instance gets the status within half a minute; with !, not within four seconds
//	[!] word INSTANCE PATTERN           what stands there as the attribute of ebb drain
//	await PATTERN PROGRAM ARGUMENTS...  it is run again and again until it prints a match
//	printed CODE BEGINNING              the command printed on standard error is run by a shell, and ends with this exit code
//	busy                                $BUSY is an address where somebody listens already
//	journal FILE VERSION                an empty journal of a version
//	terminates GROUP                    the first instance of a group in the simulated cloud is terminated, and waits in its hook: $TERMINATED
//	task FILE                           $TASK is the id of the first task in a plan
//	drains FILE [INSTANCE]              a journal with an open drain
//	ended FILE                          a journal with drains that ended, and one that is open, of Ebbs new and old
//	observing FILE                      a journal with an open and an ended drain that are only observed, and a group excluded
//	secret SERVICE NAME VALUE           a parameter (ssm) or a secret (secretsmanager) in the simulated cloud
//	receiver                            $RECEIVER is the URL of a server that takes what it is sent
//	received PATH...                    that is what it was sent since it was last asked
func TestScripts(t *testing.T) { scripts(t, "testdata/script", nil) }

// scripts runs the scripts in a directory, with more commands.
func scripts(t *testing.T, dir string, more map[string]func(*testscript.TestScript, bool, []string)) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "until": until, "sim": simulated, "busy": busy, "journal": emptyJournal, "drains": drains, "newer": newer, "aside": aside,
		"secret": putSecret, "receiver": receiver, "received": received, "task": firstTask, "terminates": terminates, "observing": observing,
		"ended": endedDrains, "is": is, "word": word, "await": await, "printed": printed,
	}
	maps.Copy(cmds, more)
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true, Cmds: cmds,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "TZ=UTC", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
				"AWS_ACCESS_KEY_ID=ebb", "AWS_SECRET_ACCESS_KEY="+plantedKey, "AWS_SESSION_TOKEN="+plantedToken, leaks+"="+e.WorkDir+".leaks")
			watch(e)
			return nil
		},
	})
}

func TestServeThatIsToldToEndBeforeItHasBegunEndsWell(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none",
	} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		cancel()
		<-r.Context().Done()
	}))
	defer silent.Close()
	config := filepath.Join(t.TempDir(), "ebb.yaml")
	text := "region: eu-west-1\ngroups: [{match: web}]\nendpoint: " + silent.URL + "\nqueue: " + silent.URL + "/111122223333/ebb\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	code := Main(ctx, []string{"serve", "--config", config}, Process{Stdout: &stderr, Stderr: &stderr, Env: func(string) string { return "" }})
	if code != ExitOK || stderr.Len() > 0 || ctx.Err() == nil {
		t.Errorf("exit code %d, printed %q", code, stderr.String())
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// output is what a program has printed; it tells when that matches.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	pattern *regexp.Regexp
	found   chan struct{}
	once    sync.Once
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if o.pattern.Match(o.text.Bytes()) {
		o.once.Do(func() { close(o.found) })
	}
	return len(p), nil
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	out := &output{pattern: regexp.MustCompile(args[0]), found: make(chan struct{})}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, ts.Getenv("WORK")
	for _, name := range []string{"PATH", "TZ", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "EBB_DYNAMODB_ENDPOINT", leaks} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	problem := ""
	select {
	case <-out.found:
	case err := <-ended:
		ts.Fatalf("%s ended (%v) before it printed a match of %q:\n%s", args[1], err, args[0], out.text.String())
	case <-time.After(30 * time.Second):
		problem = fmt.Sprintf("%s did not print a match of %q", args[1], args[0])
	}
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	if err := <-ended; err != nil {
		problem = fmt.Sprintf("%s did not end well on SIGTERM: %v", args[1], err)
	}
	_, err := ts.Stderr().Write(out.text.Bytes())
	ts.Check(err)
	if problem != "" {
		ts.Fatalf("%s:\n%s", problem, out.text.String())
	}
}

func simulated(ts *testscript.TestScript, _ bool, args []string) {
	file := ""
	var policies []string
	for len(args) > 1 && args[0] == "-policy" {
		key, file, _ := strings.Cut(args[1], "=")
		policies, args = append(policies, key+"="+ts.MkAbs(file)), args[2:]
	}
	speed := 0.0
	if len(args) > 1 && args[0] == "-speed" {
		var err error
		speed, err = strconv.ParseFloat(args[1], 64)
		ts.Check(err)
		args = args[2:]
	}
	if len(args) > 0 {
		file = ts.MkAbs(args[0])
	}
	attached, err := readPolicies(policies)
	ts.Check(err)
	spec, err := worldSpec(file)
	ts.Check(err)
	s, err := startSim(spec, "127.0.0.1:0", speed)
	ts.Check(err)
	ts.Defer(s.Close)
	for _, a := range attached {
		s.API.Attach(a.key, a.policy)
	}
	clouds.Store(s.Endpoint, s)
	ts.Setenv("ENDPOINT", s.Endpoint)
}

// clouds are the simulated clouds of the scripts, by endpoint.
var clouds sync.Map

func terminates(ts *testscript.TestScript, _ bool, args []string) {
	c, _ := clouds.Load(ts.Getenv("ENDPOINT"))
	c.(*loopback.Cloud).Read(func(w *sim.World) {
		for _, g := range w.DescribeAutoScalingGroups(args[:1]) {
			_, err := w.TerminateInstanceInAutoScalingGroup(g.Instances[0].ID, true)
			ts.Check(err)
			w.Advance(w.Now().Add(5 * time.Second))
			ts.Setenv("TERMINATED", string(g.Instances[0].ID))
		}
	})
}

// putSecret stores a secret; $RECEIVER in it is the receiver's URL.
func putSecret(ts *testscript.TestScript, _ bool, args []string) {
	c, _ := clouds.Load(ts.Getenv("ENDPOINT"))
	c.(*loopback.Cloud).Read(func(w *sim.World) {
		value, err := strings.ReplaceAll(args[2], "$RECEIVER", ts.Getenv("RECEIVER")), error(nil)
		if args[0] == "ssm" {
			_, err = w.PutParameter(args[1], "SecureString", value, true)
		} else {
			_, err = w.CreateSecret(args[1], "", secretsmanager.Value{Text: value})
		}
		ts.Check(err)
	})
}

// paths are what a receiver was sent.
type paths struct {
	sync.Mutex
	all []string
}

// receivers are the receivers of the scripts, by URL.
var receivers sync.Map

func receiver(ts *testscript.TestScript, _ bool, _ []string) {
	p := &paths{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.Lock()
		defer p.Unlock()
		p.all = append(p.all, r.URL.Path)
	}))
	ts.Defer(s.Close)
	receivers.Store(s.URL, p)
	ts.Setenv("RECEIVER", s.URL)
}

func received(ts *testscript.TestScript, _ bool, args []string) {
	at, _ := receivers.Load(ts.Getenv("RECEIVER"))
	p := at.(*paths)
	p.Lock()
	defer p.Unlock()
	if !slices.Equal(p.all, args) {
		ts.Fatalf("it was sent %q, want %q", p.all, args)
	}
	p.all = nil
}

func busy(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv("BUSY", l.Addr().String())
}

func emptyJournal(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	ts.Check(store.Close())
	db, err := sql.Open("sqlite", filepath.ToSlash(ts.MkAbs(args[0])))
	ts.Check(err)
	_, err = db.Exec("PRAGMA user_version = " + args[1])
	ts.Check(errors.Join(err, db.Close()))
}

func drains(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	k, err := kernel.New(kernel.Config{Hook: "ebb-drain", Groups: []kernel.Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, nil, nil)
	ts.Check(err)
	at, instance := time.Date(2026, 11, 21, 9, 15, 2, 0, time.UTC), "i-0123456789abcdef0"
	if len(args) > 1 {
		instance = args[1]
	}
	k.Hear(kernel.Heard{Event: event.Event{
		Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: fleet.InstanceID(instance), Token: "71514b9d-6a40-4b26-8523-05e7eEXAMPLE", Time: at,
	}}, at)
	ts.Check(errors.Join(store.Write(context.Background(), k.Next(at).Batch), store.Close()))
}

func observing(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	at := time.Date(2026, 11, 21, 9, 15, 2, 0, time.UTC)
	var records []journal.Record
	for i, d := range []string{
		`"intent":{"at":"2026-11-21T09:20:00Z","outcome":"drained","reason":"its task has stopped"},"would":["set c1 DRAINING in cluster prod"]`,
		`"ended":"2026-11-21T09:30:00Z","final":{"at":"2026-11-21T09:30:00Z","outcome":"observed-incomplete","reason":"the hook ended first"}`,
	} {
		id := fmt.Sprintf("i-0123456789abcdef%d", i)
		body := fmt.Sprintf(`{"key":"web/%[1]s/a","instance":"%[1]s","group":"web","hook":"ebb-drain","heard":%[2]q,"zero":%[2]q,`+
			`"observed":true,"waiting":"for the hook to end",%[3]s}`, id, at.Format(time.RFC3339), d)
		records = append(records, journal.Record{Key: "web/" + id + "/a", Scope: "cluster/prod", Rev: 1, Open: i == 0, Body: []byte(body)})
	}
	excluded := []journal.Line{{At: at, Kind: "excluded", Text: "Ebb does not drain i-1"}}
	ts.Check(errors.Join(store.Write(context.Background(), journal.Batch{Records: records, Lines: excluded}), store.Close()))
}

func newer(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	ts.Check(errors.Join(store.Write(context.Background(), ofNewer), store.Close()))
}

// ofNewer are open records that only a newer Ebb reads.
var ofNewer = journal.Batch{Records: []journal.Record{
	{Key: "task:prod/0123/1", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"0123"}`)},
	{Key: "task:prod/4567/1", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"4567"}`)},
}}

// aside writes two lines about what was set aside, and an open record that nobody can read.
func aside(ts *testscript.TestScript, _ bool, args []string) {
	store, err := sqlite.Open(ts.MkAbs(args[0]), sqlite.Options{})
	ts.Check(err)
	at := time.Date(2026, 11, 21, 9, 15, 2, 0, time.UTC)
	ts.Check(errors.Join(store.Write(context.Background(), journal.Batch{
		Records: []journal.Record{{Key: "web/i-1/a", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte("garbage")}},
		Lines: []journal.Line{
			{At: at, Kind: journal.SetAside, Text: "set aside a drain"}, {At: at, Kind: "heard", Text: "heard"},
			{At: at, Kind: journal.SetAside, Text: "set aside a line"},
		},
	}), store.Close()))
}

func firstTask(ts *testscript.TestScript, _ bool, args []string) {
	var plan struct {
		Tasks []struct{ Task string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &plan))
	if len(plan.Tasks) == 0 {
		ts.Fatalf("%s has no task", args[0])
	}
	ts.Setenv("TASK", plan.Tasks[0].Task)
}
