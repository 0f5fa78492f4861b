package process

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/lambda"
)

// runProcess is the life of an environment that is a process. That it starts counts for the time of its first invocation, where AWS
// gives it ten seconds of its own.
func (e *environment) runProcess() {
	defer e.end()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.over(broken("Extension.LaunchError", err))
		return
	}
	server := &http.Server{Handler: e.api(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	e.s.ended.Go(func() { _ = server.Serve(l) }) // ends with ErrServerClosed
	defer server.Close()

	p := exec.CommandContext(e.gone, e.f.Command[0], e.f.Command[1:]...)
	p.Env = e.variables(l.Addr().String())
	p.Stdout, p.Stderr = e.s.logs, e.s.logs
	p.WaitDelay = time.Second // for what its children hold open
	if err := p.Start(); err != nil {
		fmt.Fprintf(e.s.logs, "function %s: start %s: %v\n", e.f.Name, e.f.Command[0], err)
		e.over(broken("Runtime.InvalidEntrypoint", err))
		return
	}
	how := "Runtime exited without providing a reason"
	if err := p.Wait(); err != nil {
		how = "Runtime exited with error: " + err.Error()
	}
	e.over(func(id string) lambda.Answer { return exited(id, how) })
}

// broken is the answer of an environment that could not be started.
func broken(kind string, err error) func(string) lambda.Answer {
	return func(id string) lambda.Answer {
		return lambda.FunctionError(kind, "RequestId: "+id+" Error: "+err.Error())
	}
}

// variables are the environment variables of a process: those that Lambda sets, then the function's own. Its access key is its name, by
// which the simulated cloud tells callers apart.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (e *environment) variables(api string) []string {
	region := strings.Split(e.f.ARN, ":")[3]
	v := map[string]string{
		"AWS_LAMBDA_RUNTIME_API": api, "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": filepath.Dir(e.f.Command[0]), "LAMBDA_RUNTIME_DIR": "/var/runtime",
		"AWS_LAMBDA_FUNCTION_NAME": e.f.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + e.f.Name, "AWS_LAMBDA_LOG_STREAM_NAME": "simulated", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023", "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "LANG": "en_US.UTF-8", "TZ": ":UTC",
		"AWS_ACCESS_KEY_ID": e.f.Name, "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "none", "PATH": os.Getenv("PATH"),
	}
	if e.s.cfg.Endpoint != "" {
		v["AWS_ENDPOINT_URL"] = e.s.cfg.Endpoint
	}
	maps.Copy(v, e.f.Env)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		all = append(all, name+"="+v[name])
	}
	return all
}
