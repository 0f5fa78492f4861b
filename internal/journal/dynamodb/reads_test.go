package dynamodb

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

// twoPages is DynamoDB that answers every query with two pages: on the first an item that has expired, on the second another
// such item and one that has not.
type twoPages struct {
	api
	item    item
	queries []*sdk.QueryInput
}

func (d *twoPages) Query(_ context.Context, in *sdk.QueryInput, _ ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	d.queries = append(d.queries, in)
	it := maps.Clone(d.item).with(place(partitionOf(in), padded(start.UnixMicro())))
	gone := maps.Clone(it).with(item{expires: until(start)})
	if in.ExclusiveStartKey == nil {
		return &sdk.QueryOutput{Items: []map[string]types.AttributeValue{gone}, LastEvaluatedKey: place("a", "b")}, nil
	}
	return &sdk.QueryOutput{Items: []map[string]types.AttributeValue{gone, it.with(item{expires: until(start.Add(time.Second))})}}, nil
}

func partitionOf(in *sdk.QueryInput) string { return item(in.ExpressionAttributeValues).plain(":pk") }

// A read sees all that was written before it, on all pages, and nothing that DynamoDB may delete at any time. What is shown with a limit
// begins with the newest.
func TestEveryReadIsConsistentAndShowsNothingExpired(t *testing.T) {
	record := recordItem(journal.Record{Key: "web/i-1/a", Scope: "prod", Rev: 2})
	line := item{lines: &types.AttributeValueMemberL{Value: []types.AttributeValue{lineItem(journal.Line{At: start, Key: "web/i-1/a"})}}}
	for name, c := range map[string]struct {
		item   item
		newest bool
		read   func(*Store) (int, error)
	}{
		"open":  {record, false, func(s *Store) (int, error) { out, err := s.Open(t.Context()); return len(out), err }},
		"ended": {record, true, func(s *Store) (int, error) { out, err := s.Recent(t.Context(), 0); return len(out), err }},
		"leases": {leaseItem(journal.Lease{At: start}), false, func(s *Store) (int, error) {
			out, err := s.Leases(t.Context())
			return len(out), err
		}},
		"messages": {item{body: text("b"), sent: when(start), stamped: number(1)}, false, func(s *Store) (int, error) {
			out, err := s.Forwarded(t.Context(), []string{"prod"})
			return len(out), err
		}},
		"history": {line, true, func(s *Store) (int, error) {
			out, err := s.History(t.Context(), journal.Query{Since: start, Limit: 1})
			return len(out), err
		}},
	} {
		d := &twoPages{item: c.item}
		n, err := c.read(&Store{api: d, table: "t", now: func() time.Time { return start }})
		if n != 1 || len(d.queries) != 2 || err != nil {
			t.Errorf("%s: %d of 3 items are shown after %d pages, error %v", name, n, len(d.queries), err)
		}
		for _, in := range d.queries {
			if !aws.ToBool(in.ConsistentRead) || (in.ScanIndexForward != nil && !*in.ScanIndexForward) != c.newest {
				t.Errorf("%s: consistent %v, forward %v", name, in.ConsistentRead, in.ScanIndexForward)
			}
		}
	}
}

// DynamoDB deletes an item at a time in seconds. An open record has none, a forwarded message is kept for days and all else for weeks.
func TestHowLongItemsAreKept(t *testing.T) {
	b := journal.Batch{
		Records:   []journal.Record{{Key: "web/i-1/a", Rev: 2}, {Key: "web/i-2/a", Rev: 1, Open: true}},
		Lines:     []journal.Line{{Key: "web/i-1/a"}},
		Forwarded: []journal.Forwarded{{Scope: "prod", ID: "m"}},
	}
	a := &answers{errs: []error{nil}}
	if err := (&Store{api: a, table: "t", now: func() time.Time { return start }}).Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	kept := map[string]time.Duration{}
	for _, w := range a.got[0].TransactItems {
		of, at := item(nil), types.AttributeValue(nil)
		switch {
		case w.Put != nil:
			of, at = w.Put.Item, w.Put.Item[expires]
		case w.Update != nil:
			of, at = w.Update.Key, w.Update.ExpressionAttributeValues[":expires"]
		default:
			continue
		}
		partition, _, _ := strings.Cut(of.plain("pk"), "/")
		if at == nil {
			kept[partition] = 0
			continue
		}
		r := reading{item: item{expires: at}}
		kept[partition] = time.Duration(r.number(expires)-start.Unix()) * time.Second
	}
	const day = 24 * time.Hour
	if want := map[string]time.Duration{"open": 0, "ended": 30 * day, "lines": 30 * day, "note": 2 * day}; !maps.Equal(kept, want) {
		t.Errorf("kept for %v, want %v", kept, want)
	}
}

// Whoever was replaced has an older fence, and a record that somebody else changed another revision: the same, and not about the same.
func TestWhatAWriteIsConditionalOn(t *testing.T) {
	lease := underLease(journal.Lease{Scope: "prod", Holder: "x", Fence: 3})
	c := change{subject: "web/i-1", was: held, key: "web/i-1/a", rev: 4, open: &journal.Record{Key: "web/i-1/a", Rev: 5, Open: true}}
	record := c.op()
	for want, o := range map[string]op{"#holder = :holder AND #fence = :fence": lease, "#key = :key AND #rev = :rev": record} {
		if o.condition != want {
			t.Errorf("the condition is %q, want %q", o.condition, want)
		}
	}
}

// claimed is DynamoDB that refuses every claim, because it has another lease.
type claimed struct {
	api
	has journal.Lease
}

func (d claimed) PutItem(_ context.Context, in *sdk.PutItemInput, _ ...func(*sdk.Options)) (*sdk.PutItemOutput, error) {
	if aws.ToString(in.ConditionExpression) != "#fence = :fence AND #beat = :beat" {
		return nil, errors.New("a claim on another condition: " + aws.ToString(in.ConditionExpression))
	}
	return nil, &types.ConditionalCheckFailedException{Item: leaseItem(d.has)}
}

// A claim whose answer was lost is found stored. A lease of the same holder with another beat is not that claim: somebody else has written
// it under this holder's name, or it is an older one.
func TestAClaimThatIsStoredAlready(t *testing.T) {
	was := journal.Lease{Scope: "prod", Holder: "x", Fence: 3, Beat: 6, For: time.Minute, At: start}
	is := was
	is.Beat++
	other := is
	other.Fence++
	for has, conflict := range map[journal.Lease]bool{is: false, was: true, other: true} {
		s := &Store{api: claimed{has: has}, table: "t", now: func() time.Time { return start }}
		if err := s.Claim(t.Context(), was, is); errors.Is(err, journal.ErrConflict) != conflict || !conflict && err != nil {
			t.Errorf("over fence %d, beat %d: %v", has.Fence, has.Beat, err)
		}
	}
}

// A request that DynamoDB does not answer ends long before a lease does.
func TestARequestEnds(t *testing.T) {
	c := client(aws.Config{Region: "eu-west-1", HTTPClient: awshttp.NewBuildableClient()}, Options{})
	if got := c.Options().HTTPClient.(*awshttp.BuildableClient).GetTimeout(); got != 5*time.Second {
		t.Errorf("a request ends after %s", got)
	}
}

// The sort keys order what was written by when that was, and the history of a day is that of a day in UTC, wherever an Ebb runs.
func TestWhatOrdersTheItems(t *testing.T) {
	last := ""
	for _, n := range []int64{0, 9, 10, 99, 1_795_251_600_123_456, 9_999_999_999_999_999} {
		if sk := padded(n); sk <= last {
			t.Errorf("%d is %q, which is not after %q", n, sk, last)
		} else {
			last = sk
		}
	}
	late := time.Date(2026, 11, 21, 23, 30, 0, 0, time.FixedZone("west", -3600))
	if got := partitionLines(late); got != "lines/2026-11-22" {
		t.Errorf("half past eleven in the west is of %s", got)
	}
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		midnight.Add(-time.Microsecond): "lines/2026-11-21 lines/2026-11-22", midnight: "lines/2026-11-22 lines/2026-11-22",
	} {
		two := ops(part{lines: make([]placed, maxLines+1)}, at.UnixMicro(), start)
		if got := two[0].put.plain("pk") + " " + two[1].put.plain("pk"); got != want || two[0].put.plain("sk") >= two[1].put.plain("sk") {
			t.Errorf("two items of lines from %s on are of %s, the first %s", at, got, two[0].put.plain("sk"))
		}
	}
	s := &Store{now: func() time.Time { return start }}
	if got := s.stamp(); got != start.UnixMicro() { // a number of a line is made of it, and of the day that it is read on
		t.Errorf("the stamp is %d, want %d", got, start.UnixMicro())
	}
}

// A message that was forwarded twice stays as it was, and in its place; only how long it is kept begins anew.
func TestAMessageIsForwardedOnce(t *testing.T) {
	o := putForwarded(journal.Forwarded{Scope: "prod", ID: "m", Body: "b", Sent: start}, 7, until(start))
	for _, name := range []string{body, sent, stamped} {
		if part := "#" + name + " = if_not_exists(#" + name + ", :" + name + ")"; !strings.Contains(o.update, part) {
			t.Errorf("%q has no %q", o.update, part)
		}
	}
	if !strings.HasPrefix(o.update, "SET #expires = :expires, ") {
		t.Errorf("the time to live stays: %q", o.update)
	}
}

// Whoever reads only does not write, whatever its role may do.
func TestAReaderDoesNotWrite(t *testing.T) {
	a := &answers{errs: []error{nil}}
	s := &Store{api: a, table: "t", now: func() time.Time { return start }, reader: true}
	for name, err := range map[string]error{
		"write":   s.Write(t.Context(), journal.Batch{Lines: []journal.Line{{Key: "k"}}}),
		"claim":   s.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "prod", Fence: 1, At: start}),
		"discard": s.Discard(t.Context(), []journal.Forwarded{{Scope: "prod", ID: "m"}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "opened for reading only") || len(a.got) > 0 {
			t.Errorf("%s: %v, %d calls", name, err, len(a.got))
		}
	}
}
