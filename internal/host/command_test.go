package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running are the processes that have a word in their command line.
func running(word string) (found []string) {
	dirs, _ := filepath.Glob("/proc/[1-9]*/cmdline")
	for _, d := range dirs {
		text, _ := os.ReadFile(d)
		if strings.Contains(string(text), word) {
			found = append(found, filepath.Dir(d)+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

// mark is a number of seconds that no other process sleeps.
func mark(n int) string { return strconv.Itoa(100_000*n + os.Getpid()%100_000 + 1_000_000) }

// TestCommandsAreEnded: what hangs, ignores SIGTERM, forks, leaves its group or its session is gone afterwards, in time.
func TestCommandsAreEnded(t *testing.T) {
	for i, c := range []struct {
		name, text string
		ends       bool // by itself
		least      time.Duration
	}{
		{name: "hangs", text: "sleep N"},
		{name: "ignores SIGTERM", text: "trap '' TERM; sleep N; sleep N", least: time.Second},
		{name: "forks", text: "for i in 1 2 3 4 5; do sleep N & done; wait"},
		{name: "leaves its session", text: "setsid sh -c 'sleep N; sleep N' & wait"},
		{name: "forks twice in sessions of their own", text: "setsid sh -c 'setsid sh -c \"sleep N; sleep N\" & exit' & sleep N"},
		{name: "ends, and leaves its output open", text: "sleep N & echo done", ends: true},
		{name: "ends, and a daemon stays", text: "setsid setsid -f sleep N; sleep 0.2; echo done", ends: true},
		{name: "a daemon clears its environment, closes its output and ignores SIGTERM",
			text: "setsid -f env -i sh -c \"trap '' TERM; sleep N; sleep N\" >/dev/null 2>&1 </dev/null; sleep 0.2; echo done", ends: true, least: time.Second},
		{name: "is stopped", text: "kill -STOP $$; sleep N"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, _ := job()
			n := mark(i + 1)
			k := parse(t, fmt.Sprintf("command: {shell: %q, grace: 1s}", strings.ReplaceAll(c.text, "N", n)))
			began := time.Now()
			out, err := run(t, k, j, 500*time.Millisecond)
			took := time.Since(began)
			if c.ends != (err == nil) {
				t.Errorf("%v\n%s", err, out)
			}
			if c.ends {
				contains(t, out, "done", "left behind were ended")
			} else {
				contains(t, fmt.Sprint(err), "/bin/sh: it was ended: context deadline exceeded")
			}
			if took < c.least || took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if left := running(n); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestManyForks: also what forks while it is ended is gone.
func TestManyForks(t *testing.T) {
	j, _ := job()
	n := mark(50)
	const forks = "f() { sleep N & [ $1 -gt 0 ] && { f $(($1-1)) & f $(($1-1)) & }; }; f 6; sleep N"
	text := "command: {grace: 100ms, shell: '" + strings.ReplaceAll(forks, "N", n) + "'}"
	_, err := run(t, parse(t, text), j, 200*time.Millisecond)
	t.Log(err)
	if left := running(n); len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
}

func TestCommandsFail(t *testing.T) {
	for text, want := range map[string]string{
		"command: [sh, -c, exit 7]":                     "sh: exit status 7",
		"command: [sh, -c, 'kill -KILL $$']":            "sh: signal: killed",
		"command: [/nowhere/at all]":                    "fork/exec /nowhere/at all: no such file or directory",
		"command: [nowhere-in-path]":                    `exec: "nowhere-in-path": executable file not found in $PATH`,
		"command: [/etc]":                               "permission denied",
		`command: {run: [a], environment: {A: "${B}"}}`: "${B} is not known",
	} {
		j, _ := job()
		if out, err := run(t, parse(t, text), j, time.Minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
		if err := parse(t, text).Check(context.Background(), j); (err == nil) != strings.Contains(text, "sh, -c") && text != "command: [/etc]" {
			t.Errorf("%s: check says %v", text, err)
		}
	}
}

// TestAnOutputOfAGibibyte neither blocks the step nor fills the memory.
func TestAnOutputOfAGibibyte(t *testing.T) {
	j, out := job("env:T", "hunter2")
	small := NewTail(32 << 10)
	j.Out = small
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	text := `command: {shell: 'echo first; head -c 1073741824 /dev/zero | tr "\0" x; echo last', environment: {T: "${env:T}"}}`
	_, err := run(t, parse(t, text), j, 5*time.Minute)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err, out)
	}
	shown := small.String()
	if len(shown) > 70<<10 {
		t.Errorf("%d bytes are shown", len(shown))
	}
	if !strings.HasSuffix(shown, "last") {
		t.Error("the end is not shown")
	}
	contains(t, shown[:6], "first")
	contains(t, strings.ReplaceAll(shown, "x", ""), strconv.Itoa(1<<30+11-64<<10)+" bytes are left out")
	if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
		t.Errorf("the memory grew by %d bytes", grown)
	}
	t.Log(time.Since(began))
}

// TestAFullDisk: a step that fills the disk fails, and the next one works. It runs itself again where it may mount a disk of its own: without
// root in a namespace of users in which it is root.
func TestAFullDisk(t *testing.T) {
	if os.Getenv("EBB_TEST_MOUNTS") == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestAFullDisk$", "-test.v")
		again.Env = append(os.Environ(), "EBB_TEST_MOUNTS=yes")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("with a disk of its own: %v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("ebb-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a disk of 64 KiB: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	j, _ := job()
	out, err := run(t, parse(t, "command: {shell: 'cat /dev/zero > "+dir+"/full'}"), j, time.Minute)
	if err == nil {
		t.Error("it did not fail")
	}
	contains(t, out, "No space left on device")
	if out, err = run(t, parse(t, "command: [echo, next]"), j, time.Minute); err != nil {
		t.Error(out, err)
	}
}

// TestADeadAgentTakesItsCommandAlong: a command must not go on beside the one of the next agent.
func TestADeadAgentTakesItsCommandAlong(t *testing.T) {
	n := mark(60)
	if os.Getenv("EBB_TEST_AGENT") != "" {
		j, _ := job()
		runtime.GC()
		_ = parse(t, "command: [sleep, '"+os.Getenv("EBB_TEST_AGENT")+"']").Run(context.Background(), j)
		return
	}
	agent := exec.Command(os.Args[0], "-test.run=^TestADeadAgentTakesItsCommandAlong$")
	agent.Env = append(os.Environ(), "EBB_TEST_AGENT="+n)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the command runs", func() bool { return len(running(n)) == 1 })
	time.Sleep(300 * time.Millisecond)
	if len(running(n)) != 1 {
		t.Error("the command ended although its agent lives")
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	until(t, "the command has ended", func() bool { return len(running(n)) == 0 })
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestSignal(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "app.pid")
	script := write(t, filepath.Join(dir, "a long program name"), "#!/bin/sh\ntrap 'echo got > "+dir+"/got' USR1\ntrap 'sleep 0.3; exit 0' TERM\n"+
		"echo $$ > "+pidFile+"\nwhile :; do sleep 0.05; done\n", 0o755)
	app := exec.Command(script)
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the program runs", func() bool { b, _ := os.ReadFile(pidFile); return len(b) > 0 })
	j, _ := job()
	if out, err := run(t, parse(t, "signal: {pid_file: "+pidFile+", signal: USR1}"), j, time.Minute); err != nil {
		t.Fatal(out, err)
	}
	until(t, "the signal arrived", func() bool { _, err := os.Stat(dir + "/got"); return err == nil })
	for text, want := range map[string]string{
		"signal: {pid_file: /nowhere.pid}":                              "no such file",
		"signal: {pid_file: " + script + "}":                            "no process runs as",
		"signal: {pid_file: " + pidFile + ", name: nginx}":              "no process runs as",
		"signal: {name: no-such-program, signal: SIGHUP}":               "no process runs as no-such-program",
		"signal: {pid_file: " + pidFile + ", wait: true, signal: USR1}": "has not ended: context deadline exceeded",
	} {
		if out, err := run(t, parse(t, text), j, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
	}
	// Nobody takes its exit code before it is seen to have ended.
	if out, err := run(t, parse(t, "signal: {name: a long program name, wait: true}"), j, time.Minute); err != nil {
		t.Error(out, err)
	}
	if err := app.Wait(); err != nil {
		t.Error(err)
	}
	j.Attempt = 2
	if out, err := run(t, parse(t, "signal: {pid_file: "+pidFile+", wait: true}"), j, time.Minute); err != nil {
		t.Error("a second attempt finds it gone: ", out, err)
	}
}

func TestWait(t *testing.T) {
	dir := t.TempDir()
	j, _ := job()
	text := "wait: {every: 50ms, command: {shell: 'echo busy; test -e " + dir + "/idle'}}"
	out, err := run(t, parse(t, text), j, 400*time.Millisecond)
	if err == nil {
		t.Fatal(out)
	}
	contains(t, err.Error(), "the host was not idle after 0s: ")
	if strings.Count(out, "busy") > 2 { // the last look may have been cut short
		t.Errorf("what is not new is told again:\n%s", out)
	}
	time.AfterFunc(300*time.Millisecond, func() { write(t, dir+"/idle", "", 0o644) })
	if out, err := run(t, parse(t, text), j, time.Minute); err != nil {
		t.Error(out, err)
	}
	if out, err := run(t, parse(t, "wait: {command: [/nowhere]}"), j, time.Minute); err == nil {
		t.Error("a check that cannot be made is no answer: ", out)
	}
	asked := 0
	at := serve(t, func(w *response, _ *request) {
		if asked++; asked < 4 {
			w.WriteHeader(503)
		}
	})
	if out, err := run(t, parse(t, "wait: {every: 10ms, http: "+at+"}"), j, time.Minute); err != nil || asked != 4 {
		t.Error(out, err, asked)
	}
	if out, err := run(t, parse(t, "wait: {every: 10ms, http: 'http://127.0.0.1:1/'}"), j, 100*time.Millisecond); err == nil {
		t.Error("who does not answer is not idle: ", out)
	}
}
