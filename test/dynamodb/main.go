// Command dynamodb runs a command with DynamoDB Local beside it: AWS's own DynamoDB for tests, in memory, on a free port of loopback. The command
// finds its address in EBB_DYNAMODB_ENDPOINT. It needs Java 17 and Maven, and installs DynamoDB Local with Maven at first use.
//
// It never speaks to AWS, never sends AWS's telemetry, and never leaves a process behind.
//
//	go run ./test/dynamodb -- go test -tags dynamodb ./internal/journal/dynamodb
package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // what Java runs
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var (
	//go:embed pom.xml
	pom []byte
	//go:embed Local.java
	java []byte
)

// startWithin is how long DynamoDB Local may take to start.
const startWithin = time.Minute

func main() {
	flag.Parse() // leaves out the dashes before the command
	args := flag.Args()
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./test/dynamodb -- COMMAND [ARGUMENT...]")
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dynamodb:", err)
	}
	os.Exit(code)
}

// run runs the command and returns its exit code, or 1 and what went wrong here.
func run(ctx context.Context, args []string) (int, error) {
	dir, err := install(ctx)
	if err != nil {
		return 1, err
	}
	endpoint, stop, err := start(ctx, dir)
	if err != nil {
		return 1, err
	}
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "EBB_DYNAMODB_ENDPOINT="+endpoint)
	err = c.Run()
	ended := stop()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.ExitCode() > 0 {
		return failed.ExitCode(), nil
	}
	if err = errors.Join(err, ended); err != nil {
		return 1, err
	}
	return 0, nil
}

// install returns the directory with DynamoDB Local, which it fills where there is none yet. The directory's name changes with what is in it.
func install(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for DynamoDB Local: %w; set HOME or XDG_CACHE_HOME", err)
	}
	sum := sha256.Sum256(append(append([]byte{}, pom...), java...))
	dir := filepath.Join(cache, "ebb-ci", fmt.Sprintf("dynamodb-%x", sum[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make a place for DynamoDB Local: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "dynamodb-new-")
	if err != nil {
		return "", fmt.Errorf("make a place for DynamoDB Local: %w", err)
	}
	defer os.RemoveAll(fresh)
	fmt.Fprintln(os.Stderr, "dynamodb: installing DynamoDB Local into", dir)
	if err := fill(ctx, fresh); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return dir, nil // another process was faster
		}
		return "", fmt.Errorf("install DynamoDB Local: %w", err)
	}
	return dir, nil
}

// fill downloads the libraries into dir/lib and puts the launcher beside them.
func fill(ctx context.Context, dir string) error {
	for name, content := range map[string][]byte{"pom.xml": pom, "Local.java": java} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("install DynamoDB Local: %w", err)
		}
	}
	mvn := exec.CommandContext(ctx, "mvn", "--quiet", "--batch-mode", "--file", filepath.Join(dir, "pom.xml"), "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("install DynamoDB Local with Maven: %w; it needs mvn and Java 17 or newer:\n%s", err, out)
	}
	return nil
}

// start starts DynamoDB Local and returns its address and what stops it. It ends too when this process does: its standard input ends then.
func start(ctx context.Context, dir string) (endpoint string, stop func() error, err error) {
	lib := filepath.Join(dir, "lib")
	c := exec.Command("java", "-Dsqlite4java.library.path="+lib, "-cp", filepath.Join(lib, "*"), filepath.Join(dir, "Local.java"))
	c.Env = append(os.Environ(), "DDB_LOCAL_TELEMETRY=0")
	var log strings.Builder
	c.Stderr = &log
	c.WaitDelay = time.Second
	in, errIn := c.StdinPipe()
	out, errOut := c.StdoutPipe()
	if err := errors.Join(errIn, errOut, c.Start()); err != nil {
		return "", nil, fmt.Errorf("start DynamoDB Local: %w; it needs Java 17 or newer", err)
	}
	kill := time.AfterFunc(startWithin, func() { _ = c.Process.Kill() })
	stopped := context.AfterFunc(ctx, func() { _ = in.Close() })
	lines := bufio.NewScanner(out)
	for endpoint == "" && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			endpoint = lines.Text()
		}
	}
	kill.Stop()
	stopped()
	if endpoint == "" {
		err := cmp.Or(c.Wait(), errors.New("it printed no address"))
		return "", nil, errors.Join(ctx.Err(), fmt.Errorf("DynamoDB Local did not start (it has %s to do so): %w\n%s", startWithin, err, log.String()))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return endpoint, func() error {
		_ = in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
		defer kill.Stop()
		if err := c.Wait(); err != nil {
			return fmt.Errorf("DynamoDB Local ended badly: %w\n%s", err, log.String())
		}
		return nil
	}, nil
}
