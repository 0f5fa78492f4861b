//go:build dynamodb

// These tests speak to DynamoDB Local: make dynamodb.

package dynamodb

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

var years = flag.Int("years", 0, "how many years the clock of these tests is ahead of its usual time, which is fixed; negative: behind")

// TestMain sets the clock of the tests. No test depends on the real time, by which DynamoDB Local deletes what has expired.
func TestMain(m *testing.M) {
	flag.Parse()
	start = start.AddDate(*years, 0, 0)
	os.Exit(m.Run())
}

// clock rises by a millisecond with each look.
type clock struct{ looks atomic.Int64 }

func (c *clock) now() time.Time { return start.Add(time.Duration(c.looks.Add(1)) * time.Millisecond) }

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

// created makes a table of its own for a test, as ebb init does.
func created(t *testing.T, c *clock) string {
	t.Helper()
	name := "ebb." + time.Now().Format("150405.000000") + "-" + string(rune('a'+tables.Add(1)%26))
	if err := Create(t.Context(), config(t), name, options(c)); err != nil {
		t.Fatal(err)
	}
	return name
}

// table makes a table in which nothing is deleted while a test looks: its time to live is off, for the clock of DynamoDB Local is the real
// one.
func table(t *testing.T, c *clock) string {
	t.Helper()
	name := created(t, c)
	live(t, name, types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(false)})
	return name
}

// live sets the time to live of a table.
func live(t *testing.T, table string, to types.TimeToLiveSpecification) {
	t.Helper()
	db := client(config(t), Options{Endpoint: os.Getenv("EBB_DYNAMODB_ENDPOINT")})
	if _, err := db.UpdateTimeToLive(t.Context(), &sdk.UpdateTimeToLiveInput{TableName: &table, TimeToLiveSpecification: &to}); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, table string, c *clock) *Store {
	t.Helper()
	s, err := Open(t.Context(), config(t), table, options(c))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// still has a clock that stands still.
func still(t time.Time) Options {
	return Options{Endpoint: os.Getenv("EBB_DYNAMODB_ENDPOINT"), Now: func() time.Time { return t }}
}

func openAt(t *testing.T, table string, now time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), config(t), table, still(now))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *Store, b journal.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestCreate(t *testing.T) {
	var c clock
	name := created(t, &c)
	if err := Create(t.Context(), config(t), name, options(&c)); err != nil {
		t.Errorf("create it a second time: %v", err)
	}
	db := client(config(t), options(&c))
	life, err := db.DescribeTimeToLive(t.Context(), &sdk.DescribeTimeToLiveInput{TableName: &name})
	if err != nil || aws.ToString(life.TimeToLiveDescription.AttributeName) != "expires" {
		t.Errorf("time to live %+v, error %v", life, err)
	}
	other := "other-" + name
	_, err = db.CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: &other, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := Create(t.Context(), config(t), other, options(&c)); err == nil || !strings.Contains(err.Error(), "set journal to another table") {
		t.Errorf("create a table that is there with another key: %v", err)
	}
	if _, err := Open(t.Context(), config(t), other, options(&c)); err == nil || !strings.Contains(err.Error(), `key is "id HASH S"`) {
		t.Errorf("open a table with another key: %v", err)
	}
}

func TestATableWithAnotherTimeToLiveIsRefused(t *testing.T) {
	var c clock
	name := table(t, &c)
	live(t, name, types.TimeToLiveSpecification{AttributeName: aws.String("dies"), Enabled: aws.Bool(true)})
	if err := Create(t.Context(), config(t), name, options(&c)); err == nil || !strings.Contains(err.Error(), `time to live is by "dies"`) {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	var c clock
	name := table(t, &c)
	_, err := Open(t.Context(), config(t), "nobodys", options(&c))
	if err == nil || !strings.Contains(err.Error(), "open journal dynamodb://nobodys: there is no such table in eu-west-1: create it with "+
		"the template of ebb init") {
		t.Errorf("a table that is not there: %v", err)
	}
	db := client(config(t), options(&c))
	_, err = db.PutItem(t.Context(), &sdk.PutItemInput{TableName: &name, Item: place("schema", "schema").with(item{version: number(journal.Schema + 1)})})
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(context.Context, aws.Config, string, Options) (*Store, error){Open, OpenReader} {
		if _, err := open(t.Context(), config(t), name, options(&c)); !errors.Is(err, journal.ErrNewer) || !strings.Contains(err.Error(),
			"run that Ebb or a later one") {
			t.Errorf("a journal of a newer version: %v", err)
		}
	}
}

// A layout of an older Ebb is this one's once this one has opened it, so that the older one is refused when it starts again.
func TestAnOlderLayoutIsRaised(t *testing.T) {
	var c clock
	name := table(t, &c)
	db := client(config(t), options(&c))
	_, err := db.PutItem(t.Context(), &sdk.PutItemInput{TableName: &name, Item: place("schema", "schema").with(item{version: number(journal.Schema - 1)})})
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(t.Context(), config(t), name, options(&c))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{journal.Schema - 1, journal.Schema, journal.Schema} {
		if stored, err := r.check(t.Context()); stored != want || err != nil {
			t.Errorf("version %d, error %v; want %d", stored, err, want)
		}
		open(t, name, &c)
	}
}

// A reader writes nothing, not even the version into a new table.
func TestReader(t *testing.T) {
	now := start
	var c clock
	name := table(t, &c)
	r, err := OpenReader(t.Context(), config(t), name, still(now))
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := r.check(t.Context()); stored != 0 || err != nil {
		t.Errorf("the reader has written version %d, error %v", stored, err)
	}
	write(t, openAt(t, name, now), journal.Batch{Records: []journal.Record{{Key: "s/a", Rev: 1, Open: true}}})
	if got, err := r.Open(t.Context()); len(got) != 1 || err != nil {
		t.Errorf("%d records, error %v", len(got), err)
	}
	for what, err := range map[string]error{
		"write":   r.Write(t.Context(), journal.Batch{Lines: []journal.Line{{}}}),
		"claim":   r.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "s", Fence: 1}),
		"discard": r.Discard(t.Context(), []journal.Forwarded{{Scope: "s", ID: "m"}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "reading only") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// A holder that is none any more writes no part of a batch that takes several transactions.
func TestPartsAreUnderTheirLeases(t *testing.T) {
	var c clock
	s := open(t, table(t, &c), &c)
	b := batch(100, 100, 10)
	for _, l := range b.Under[:99] {
		if err := s.Claim(t.Context(), journal.Lease{}, l); err != nil {
			t.Fatal(err)
		}
	}
	for i := range b.Records {
		b.Records[i].Rev, b.Records[i].Open = 1, true
	}
	if err := s.Write(t.Context(), b); !errors.Is(err, journal.ErrConflict) || !strings.Contains(err.Error(), "has lease 1 of scope 99 no more") {
		t.Fatalf("error %v", err)
	}
	open, err := s.Open(t.Context())
	if err != nil || len(open) == 0 || len(open) >= 100 {
		t.Errorf("%d records are written, error %v; want those of the parts before", len(open), err)
	}
	lines, err := s.History(t.Context(), journal.Query{})
	if err != nil || len(lines) != len(open) {
		t.Errorf("%d lines of %d records, error %v", len(lines), len(open), err)
	}
}

// deaf loses the first answer of an operation.
type deaf struct {
	operation string
	lost      int
}

func (d *deaf) Do(r *http.Request) (*http.Response, error) {
	out, err := http.DefaultClient.Do(r)
	if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+d.operation) && d.lost == 0 {
		d.lost++
		out.Body.Close()
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return out, err
}

// An answer that is lost does not make a conflict of what was carried out, nor carry it out twice.
func TestALostAnswer(t *testing.T) {
	var c clock
	name := table(t, &c)
	for _, operation := range []string{"TransactWriteItems", "PutItem"} {
		cfg, lossy := config(t), &deaf{operation: operation}
		cfg.HTTPClient = lossy
		open(t, name, &c)
		s, err := Open(t.Context(), cfg, name, options(&c))
		if err != nil {
			t.Fatal(err)
		}
		key := operation + "/a"
		if err := s.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: operation, Holder: "x", Fence: 1, Beat: 1, At: start}); err != nil {
			t.Errorf("claim without an answer to %s: %v", operation, err)
		}
		write(t, s, journal.Batch{Records: []journal.Record{{Key: key, Rev: 1, Open: true}}, Lines: []journal.Line{{Key: key}}})
		lines, err := s.History(t.Context(), journal.Query{Key: key})
		if len(lines) != 1 || err != nil || lossy.lost != 1 {
			t.Errorf("%d lines after %d lost answers to %s, error %v", len(lines), lossy.lost, operation, err)
		}
	}
}

// meter adds up the capacity that DynamoDB Local says it takes, and what the same takes by AWS's rules.
type meter struct {
	api
	local    float64
	computed int
	free     int // items that DynamoDB Local does not count: checks, and what is deleted
}

func (m *meter) TransactWriteItems(ctx context.Context, in *sdk.TransactWriteItemsInput, o ...func(*sdk.Options)) (*sdk.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.api.TransactWriteItems(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	for _, c := range out.ConsumedCapacity {
		m.local += aws.ToFloat64(c.CapacityUnits)
	}
	for _, w := range in.TransactItems {
		if w.ConditionCheck != nil || w.Delete != nil {
			m.free++
		}
	}
	m.computed += writeUnits(in.TransactItems)
	return out, nil
}

// What is computed for docs/reference/journal.md is what DynamoDB Local measures, and two units for each item that it does not count.
func TestWhatADrainCostsIsMeasured(t *testing.T) {
	var c clock
	s := open(t, table(t, &c), &c)
	m := &meter{api: s.api}
	s.api = m
	lease, batches := aDrain()
	if err := s.Claim(t.Context(), journal.Lease{}, lease); err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		write(t, s, b)
	}
	t.Logf("a drain: computed %d write units; DynamoDB Local says %v, and does not count %d items", m.computed, m.local, m.free)
	if float64(m.computed) != m.local+2*float64(m.free) || m.free != 11 {
		t.Error("these do not agree")
	}
}
