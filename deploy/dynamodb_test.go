//go:build dynamodb

package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/cli"
)

// TestATableOfInitServes makes the table with ebb init in DynamoDB Local, and drains an instance with the configuration that ebb init wrote.
// Run it with: go run ./test/dynamodb -- go test -tags dynamodb ./deploy
func TestATableOfInitServes(t *testing.T) {
	local := os.Getenv("EBB_DYNAMODB_ENDPOINT")
	if !strings.HasPrefix(local, "http://127.0.0.1:") {
		t.Fatal("EBB_DYNAMODB_ENDPOINT does not name DynamoDB Local on this machine: go run ./test/dynamodb -- go test -tags dynamodb ./deploy")
	}
	sdkEnvironment(t, "ebb")
	table := fmt.Sprintf("made-by-init-%d", time.Now().UnixNano())
	a, f := formed(t, "service", "Table", table, "CreateTable", "false")
	dir, env := t.TempDir(), map[string]string{"EBB_DYNAMODB_ENDPOINT": local}
	for range 2 { // the second finds it as it should be
		code, out, errs := ebb(t.Context(), env, "init", "--endpoint", a.endpoint, "--region", "eu-west-1", "--group", "demo-asg", "--shape", "service",
			"--table", table, "--create-table", "--dir", dir)
		if code != cli.ExitOK || !strings.Contains(errs, "table "+table+" is there\n") {
			t.Fatalf("ebb init ended with %d:\n%s%s", code, out, errs)
		}
	}
	a.drainsOne(t, f, env, "--config", filepath.Join(dir, "ebb.yaml"))
}
