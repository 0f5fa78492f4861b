//go:build dynamodb

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
)

// TestDynamoDBScripts runs testdata/dynamodb against DynamoDB Local: make dynamodb. Beside the commands of TestScripts there is
//
//	table                a table for a journal, with two open records of a newer Ebb; $TABLE is its name
//	leaves URL INSTANCE  the message that an instance of the group web leaves, sent to a queue
func TestDynamoDBScripts(t *testing.T) {
	endpoint := os.Getenv("EBB_DYNAMODB_ENDPOINT")
	if !strings.HasPrefix(endpoint, "http://127.0.0.1:") {
		t.Fatal("EBB_DYNAMODB_ENDPOINT does not name DynamoDB Local on this machine: run these tests with make dynamodb")
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	scripts(t, "testdata/dynamodb", map[string]func(*testscript.TestScript, bool, []string){
		"table": func(ts *testscript.TestScript, _ bool, _ []string) {
			ctx := context.Background()
			cfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: "eu-west-1"})
			ts.Check(err)
			table := fmt.Sprintf("ebb.cli.%d", time.Now().UnixNano())
			ts.Check(dynamodb.Create(ctx, cfg, table, dynamodb.Options{Endpoint: endpoint}))
			store, err := dynamodb.Open(ctx, cfg, table, dynamodb.Options{Endpoint: endpoint})
			ts.Check(err)
			ts.Check(errors.Join(store.Write(ctx, ofNewer), store.Close()))
			ts.Setenv("TABLE", table)
			ts.Setenv("EBB_DYNAMODB_ENDPOINT", endpoint)
		},
		"leaves": leaves,
	})
}

func leaves(ts *testscript.TestScript, _ bool, args []string) {
	body, err := json.Marshal(map[string]any{
		"Origin": "AutoScalingGroup", "Destination": "EC2", "LifecycleHookName": "ebb-drain", "AutoScalingGroupName": "web", "EC2InstanceId": args[1],
		"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "LifecycleActionToken": "71514b9d-6a40-4b26-8523-05e7eEXAMPLE",
		"AccountId": "111122223333", "Service": "AWS Auto Scaling", "Time": time.Now().UTC().Format(time.RFC3339),
	})
	ts.Check(err)
	message, err := json.Marshal(map[string]string{"QueueUrl": args[0], "MessageBody": string(body)})
	ts.Check(err)
	r, err := http.NewRequest(http.MethodPost, args[0], bytes.NewReader(message))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=ebb/20261121/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=none")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		ts.Fatalf("send a message: %s %s, error %v", answer.Status, text, err)
	}
}
