//go:build dynamodb

// These tests speak to DynamoDB Local: make dynamodb.

package dynamodb

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/conformance"
)

// clock rises by a millisecond with each look.
type clock struct{ looks atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC).Add(time.Duration(c.looks.Add(1)) * time.Millisecond)
}

func config(t *testing.T) aws.Config {
	t.Helper()
	if !strings.HasPrefix(os.Getenv("EBB_DYNAMODB_ENDPOINT"), "http://127.0.0.1:") {
		t.Fatal("EBB_DYNAMODB_ENDPOINT does not name DynamoDB Local on this machine: run these tests with make dynamodb")
	}
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("ebb", "none", "")}
}

func options(c *clock) Options {
	return Options{Endpoint: os.Getenv("EBB_DYNAMODB_ENDPOINT"), Now: c.now}
}

var tables atomic.Int64

// table makes a table of its own for a test.
func table(t *testing.T, c *clock) string {
	t.Helper()
	name := "ebb." + time.Now().Format("150405.000000") + "-" + string(rune('a'+tables.Add(1)%26))
	if err := Create(t.Context(), config(t), name, options(c)); err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t *testing.T, table string, c *clock) *Store {
	t.Helper()
	s, err := Open(t.Context(), config(t), table, options(c))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	var c clock
	fresh := func(t *testing.T) journal.Store { return open(t, table(t, &c), &c) }
	again := func(t *testing.T, s journal.Store) journal.Store { return open(t, s.(*Store).table, &c) }
	conformance.Run(t, fresh, again)
}

var _ = errors.New
var _ = context.Background
var _ = sdk.New
var _ types.Put
