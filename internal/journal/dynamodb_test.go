//go:build dynamodb

// These tests speak to DynamoDB Local: make dynamodb.

package journal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/iam"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
	"github.com/ebbhq/ebb/internal/sim/story"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// gate lets requests through to DynamoDB Local, which knows no policies, if a policy allows them, and notes their actions.
type gate struct {
	policy *wire.Policy
	mu     sync.Mutex
	used   map[string]bool
}

func (g *gate) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	table, actions, err := asked(r.Header.Get("X-Amz-Target"), body)
	if err != nil {
		return nil, err
	}
	for _, a := range actions {
		g.mu.Lock()
		g.used[a] = true
		g.mu.Unlock()
		if !g.policy.Allows(wire.Check{Action: a, Kind: "table", Resource: "arn:aws:dynamodb:eu-west-1:111122223333:table/" + table}) {
			refusal := fmt.Sprintf(`{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: ebb is not authorized to perform: %s"}`, a)
			return &http.Response{StatusCode: http.StatusBadRequest, Body: io.NopCloser(strings.NewReader(refusal)),
				Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}}, nil
		}
	}
	return http.DefaultClient.Do(r)
}

// asked reads the table of a request and its actions: of a transaction those of its parts.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func asked(target string, body []byte) (table string, actions []string, err error) {
	var in struct {
		TableName     string
		TransactItems []map[string]struct{ TableName string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return "", nil, err
	}
	_, operation, _ := strings.Cut(target, ".")
	if operation != "TransactWriteItems" {
		return in.TableName, []string{"dynamodb:" + operation}, nil
	}
	names := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	for _, item := range in.TransactItems {
		for part, of := range item {
			if table = of.TableName; names[part] == "" {
				return "", nil, fmt.Errorf("a transaction has a part %q", part)
			}
			actions = append(actions, "dynamodb:"+names[part])
		}
	}
	return table, actions, nil
}

var tables atomic.Int64

// local is DynamoDB Local.
func local(t *testing.T, now func() time.Time) (aws.Config, dynamodb.Options) {
	t.Helper()
	o := dynamodb.Options{Endpoint: os.Getenv("EBB_DYNAMODB_ENDPOINT"), Now: now}
	if !strings.HasPrefix(o.Endpoint, "http://127.0.0.1:") {
		t.Fatal("EBB_DYNAMODB_ENDPOINT does not name DynamoDB Local on this machine: run these tests with make dynamodb")
	}
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "none", "")}, o
}

// conformsInDynamoDB tests tables that whoever owns them makes, and that a store opens with cfg. It returns the name of the last.
func conformsInDynamoDB(t *testing.T, owner, cfg aws.Config, o dynamodb.Options, now time.Time, made func(*testing.T, string)) (last string) {
	names := map[journal.Store]string{}
	open := func(t *testing.T, name string) journal.Store {
		t.Helper()
		s, err := dynamodb.Open(t.Context(), cfg, name, o)
		if err != nil {
			t.Fatal(err)
		}
		names[s] = name
		return s
	}
	fresh := func(t *testing.T) journal.Store {
		t.Helper()
		last = fmt.Sprintf("ebb-%d-%d", os.Getpid(), tables.Add(1))
		if err := dynamodb.Create(t.Context(), owner, last, o); err != nil {
			t.Fatal(err)
		}
		made(t, last)
		return open(t, last)
	}
	conforms(t, now, fresh, func(t *testing.T, s journal.Store) journal.Store { t.Helper(); return open(t, names[s]) })
	return last
}

// TestConformanceOfDynamoDB has a clock that rises by a millisecond with each look, and is years behind the real one: nothing is deleted while a
// test looks, because the tables have no time to live.
func TestConformanceOfDynamoDB(t *testing.T) {
	var looks atomic.Int64
	now := func() time.Time {
		return time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(looks.Add(1)) * time.Millisecond)
	}
	cfg, o := local(t, now)
	db := sdk.NewFromConfig(cfg, func(c *sdk.Options) { c.BaseEndpoint = &o.Endpoint })
	off := &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(false)}
	conformsInDynamoDB(t, cfg, cfg, o, now(), func(t *testing.T, table string) {
		if _, err := db.UpdateTimeToLive(t.Context(), &sdk.UpdateTimeToLiveInput{TableName: &table, TimeToLiveSpecification: off}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTheJournalInDynamoDB keeps the conformance of the journal under the policy, and holds that each action on the table is used.
func TestTheJournalInDynamoDB(t *testing.T) {
	owner, local := local(t, nil)
	_, scope := story.Ebb{}.Needs()
	scope.Table = "arn:aws:dynamodb:eu-west-1:111122223333:table/ebb-*"
	gated := func(m iam.Mode) (*gate, aws.Config) {
		text, err := json.Marshal(iam.Policy(m, scope))
		if err != nil {
			t.Fatal(err)
		}
		policy, err := wire.ParsePolicy(text)
		if err != nil {
			t.Fatal(err)
		}
		g, cfg := &gate{policy: policy, used: map[string]bool{}}, owner.Copy()
		cfg.HTTPClient = g
		return g, cfg
	}
	g, cfg := gated(iam.Serve)
	last := conformsInDynamoDB(t, owner, cfg, local, time.Now(), func(*testing.T, string) {})
	sameActions(t, iam.Serve, scope, g)

	g, cfg = gated(iam.ReadOnly)
	s, err := dynamodb.OpenReader(t.Context(), cfg, last, local)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameActions(t, iam.ReadOnly, scope, g)
}

// sameActions holds that what was used of DynamoDB is what the policy allows of it.
func sameActions(t *testing.T, m iam.Mode, scope iam.Scope, g *gate) {
	t.Helper()
	allowed := map[string]bool{}
	for _, s := range iam.Policy(m, scope).Statement {
		for _, a := range s.Action {
			if strings.HasPrefix(a, "dynamodb:") {
				allowed[a] = true
			}
		}
	}
	if !maps.Equal(allowed, g.used) {
		t.Errorf("%s: allowed %v, used %v", m, slices.Sorted(maps.Keys(allowed)), slices.Sorted(maps.Keys(g.used)))
	}
}
