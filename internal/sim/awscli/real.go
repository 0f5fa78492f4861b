package awscli

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

//go:embed real.py
var script string

// Real is the AWS CLI, version 1, of the Python on this machine. It takes command lines to a simulated cloud on loopback, and nowhere else.
type Real struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

// ErrNotThere is the error of a command that the AWS CLI has taken, and that the cloud has refused because it has no such operation.
var ErrNotThere = errors.New("the simulated cloud does not have this operation")

// Start starts the AWS CLI. It finds nobody's account: no settings and no proxies, and credentials that mean nothing.
func Start() (*Real, error) {
	cmd := exec.Command("python3", "-c", script)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToLower(name), "_proxy")
	})
	cmd.Env = append(cmd.Env, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_ACCESS_KEY_ID=operator", "AWS_SECRET_ACCESS_KEY=none", "AWS_MAX_ATTEMPTS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the AWS CLI: %w", err)
	}
	r := &Real{in, bufio.NewScanner(out)}
	r.out.Buffer(nil, 64<<20)
	return r, nil
}

// Run runs a command line, which must name an endpoint on loopback.
func (r *Real) Run(argv []string) error {
	at := slices.Index(argv, "--endpoint-url")
	if argv[0] != "aws" || at < 0 || at+1 == len(argv) || !strings.HasPrefix(argv[at+1], "http://127.0.0.1:") {
		return fmt.Errorf("%q names no endpoint on loopback", argv)
	}
	line, err := json.Marshal(argv[1:])
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(r.in, "%s\n", line); err != nil {
		return fmt.Errorf("the AWS CLI has ended: %w", err)
	}
	if !r.out.Scan() {
		return fmt.Errorf("the AWS CLI has ended: %w", cmp.Or(r.out.Err(), io.EOF))
	}
	var answer struct {
		Code int    `json:"code"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(r.out.Bytes(), &answer); err != nil {
		return fmt.Errorf("the AWS CLI answered %q: %w", r.out.Text(), err)
	}
	switch {
	case answer.Code == 0:
		return nil
	case strings.Contains(answer.Text, "An error occurred (InvalidAction)"), strings.Contains(answer.Text, "An error occurred (UnknownOperationException)"):
		return ErrNotThere
	}
	return fmt.Errorf("aws ended with %d: %s", answer.Code, strings.TrimSpace(answer.Text))
}
