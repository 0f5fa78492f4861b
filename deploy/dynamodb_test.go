//go:build dynamodb

package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/ebbhq/ebb/internal/cli"
	"github.com/ebbhq/ebb/internal/journal"
	journaldb "github.com/ebbhq/ebb/internal/journal/dynamodb"
)

// dynamoDBLocal is where DynamoDB Local listens.
func dynamoDBLocal(t *testing.T) string {
	t.Helper()
	local := os.Getenv("EBB_DYNAMODB_ENDPOINT")
	if !strings.HasPrefix(local, "http://127.0.0.1:") {
		t.Fatal("EBB_DYNAMODB_ENDPOINT does not name DynamoDB Local on this machine: bash test/dynamodb/run.sh go test -tags dynamodb ./deploy")
	}
	return local
}

// TestATableOfInitServes makes the table with ebb init in DynamoDB Local, and drains an instance with the configuration that ebb init wrote.
// Run it with: bash test/dynamodb/run.sh go test -tags dynamodb ./deploy
func TestATableOfInitServes(t *testing.T) {
	local := dynamoDBLocal(t)
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

// TestBootstrapDrains runs the function as processes that begin without arguments, as bootstrap does, on the template's table in DynamoDB Local.
func TestBootstrapDrains(t *testing.T) {
	local := dynamoDBLocal(t)
	sdkEnvironment(t, "ebb")
	table := fmt.Sprintf("of-the-template-%d", time.Now().UnixNano())
	a, f := formed(t, "lambda", "Table", table)
	f.makeTable(t, local)
	leaveNewer(t, local, table)
	f.hold(t, a)
	fn, log := f.function(t), &printed{}
	fn.Command = []string{os.Args[0]}
	maps.Copy(fn.Env, map[string]string{
		asBootstrap: "yes", "EBB_DYNAMODB_ENDPOINT": local, "EBB_CLOCK": a.endpoint,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	})
	instance := a.functionDrainsOne(t, f, fn, nil, log)
	a.checkRights(t)
	code, out, errs := ebb(t.Context(), map[string]string{"EBB_DYNAMODB_ENDPOINT": local, "EBB_REGION": "eu-west-1"}, "status", "--journal", "dynamodb://"+table)
	if code != cli.ExitOK || !strings.Contains(out, instance) || !strings.Contains(out, "task, version 9") {
		t.Errorf("ebb status ended with %d and should tell of %s, and of a record of a newer Ebb:\n%s%s", code, instance, out, errs)
	}
}

// leaveNewer writes an open record that only a newer Ebb reads.
func leaveNewer(t *testing.T, endpoint, table string) {
	t.Helper()
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "none", "")}
	s, err := journaldb.Open(t.Context(), cfg, table, journaldb.Options{Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := journal.Record{Key: "task:demo/0123/1", Scope: "cluster/demo", Rev: 1, Open: true, Body: []byte(`{"v":9,"kind":"task","task":"0123"}`)}
	if err := s.Write(t.Context(), journal.Batch{Records: []journal.Record{r}}); err != nil {
		t.Fatal(err)
	}
}

// makeTable makes the table of the template.
func (f *formation) makeTable(t *testing.T, endpoint string) {
	t.Helper()
	api := dynamodb.New(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("ebb", "none", "")})
	properties := maps.Clone(f.rolled["JournalTable"])
	life := dynamodb.UpdateTimeToLiveInput{TableName: aws.String(properties["TableName"].(string))}
	if err := strictly(properties["TimeToLiveSpecification"], &life.TimeToLiveSpecification); err != nil {
		t.Fatal(err)
	}
	delete(properties, "TimeToLiveSpecification")
	var table dynamodb.CreateTableInput
	err := strictly(properties, &table)
	if err == nil {
		_, err = api.CreateTable(t.Context(), &table)
	}
	if err == nil {
		_, err = api.UpdateTimeToLive(t.Context(), &life)
	}
	if err != nil {
		t.Fatal(err)
	}
}
