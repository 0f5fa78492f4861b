package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/journal"
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 1, time.UTC)

// cancelled is the answer to a transaction, with a reason for each item.
func cancelled(codes ...string) error {
	err := &types.TransactionCanceledException{Message: aws.String("Transaction cancelled")}
	for _, c := range codes {
		err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
	}
	return fmt.Errorf("operation error: %w", err)
}

func TestJudge(t *testing.T) {
	items := []op{{what: "record a revision 2"}, {what: ""}, {what: "record b revision 2"}}
	for _, c := range []struct {
		name             string
		err              error
		conflict, passes bool
		want             string
	}{
		{"a condition", cancelled("None", "None", "ConditionalCheckFailed"), true, false, "record b revision 2"},
		{"a place that is taken", cancelled("None", "ConditionalCheckFailed", "None"), false, true, ""},
		{"both", cancelled("None", "ConditionalCheckFailed", "ConditionalCheckFailed"), true, false, "record b revision 2"},
		{"another transaction", cancelled("TransactionConflict", "None", "None"), false, true, ""},
		{"throttling", cancelled("None", "ThrottlingError", "None"), false, true, ""},
		{"capacity", cancelled("None", "ProvisionedThroughputExceeded", "None"), false, true, ""},
		{"both with a condition", cancelled("TransactionConflict", "None", "ConditionalCheckFailed"), true, false, "record b"},
		{"a mistake", cancelled("TransactionConflict", "ValidationError", "None"), false, false, "item 2 of 3: ValidationError"},
		{"a mistake in the request", &smithy.GenericAPIError{Code: "ValidationException", Message: "size"}, false, false, "size"},
		{"a mistake: too much in one place", cancelled("ItemCollectionSizeLimitExceeded", "None", "None"), false, false, "item 1 of 3: ItemColl"},
		{"a reason of another kind", cancelled("None", "AccessDenied", "None"), false, false, "item 2 of 3: AccessDenied"},
		{"a reason without an item", cancelled("None", "None", "None", "ConditionalCheckFailed"), false, true, ""},
		{"no reason", cancelled(), false, false, "Transaction cancelled"},
		{"another error", errors.New("no network"), false, false, "no network"},
	} {
		err := judge(c.err, items)
		_, passes := errors.AsType[passing](err)
		if _, refused := errors.AsType[*journal.Refused](err); refused != strings.Contains(c.name, "mistake") {
			t.Errorf("%s: refused %v: %v", c.name, refused, err)
		}
		if errors.Is(err, journal.ErrConflict) != c.conflict || passes != c.passes || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := judge(nil, items); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// answers is DynamoDB that answers transactions in turn, the last answer for ever.
type answers struct {
	api
	errs []error
	got  []*sdk.TransactWriteItemsInput
}

func (a *answers) TransactWriteItems(_ context.Context, in *sdk.TransactWriteItemsInput, _ ...func(*sdk.Options)) (*sdk.TransactWriteItemsOutput, error) {
	a.got = append(a.got, in)
	return nil, a.errs[min(len(a.got), len(a.errs))-1]
}

func TestWriteTriesAgain(t *testing.T) {
	busy, taken := cancelled("TransactionConflict", "None"), cancelled("None", "ConditionalCheckFailed")
	b := journal.Batch{Records: []journal.Record{{Key: "a", Rev: 1, Open: true}}, Lines: []journal.Line{{Key: "a"}}}
	for _, c := range []struct {
		name  string
		errs  []error
		calls int
		want  string
	}{
		{"once", []error{nil}, 1, ""},
		{"after conflicts that pass", []error{busy, taken, busy, nil}, 4, ""},
		{"not without end", []error{busy}, tries, "busy with other requests for the same items"},
		{"not after a conflict", []error{busy, cancelled("ConditionalCheckFailed", "None")}, 2, "record a revision 1: journal: changed by another writer"},
		{"not after another error", []error{errors.New("no network")}, 1, "write journal dynamodb://t: no network"},
		{"not without the table", []error{&types.ResourceNotFoundException{}}, 1, journal.ErrGone.Error()},
	} {
		a := &answers{errs: c.errs}
		s := &Store{api: a, table: "t", now: func() time.Time { return start }}
		err := s.Write(t.Context(), b)
		if len(a.got) != c.calls || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d calls, error %v", c.name, len(a.got), err)
		}
		stamps := map[string]bool{}
		for _, in := range a.got {
			stamps[item(in.TransactItems[1].Put.Item).plain("sk")] = true
		}
		if len(stamps) != len(a.got) {
			t.Errorf("%s: %d stamps in %d tries", c.name, len(stamps), len(a.got))
		}
	}
}

// The pause before another try ends with the context.
func TestTryingAgainIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := again(ctx, func() error {
		calls++
		cancel()
		return passing{errors.New("busy")}
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

// Stamps rise though the clock stands still or goes back, and leave room for the items of a transaction.
func TestStampsRise(t *testing.T) {
	now := start
	s := &Store{now: func() time.Time { return now }}
	last := s.stamp()
	for i := range 10 {
		now = now.Add(time.Duration(i%3-1) * time.Second)
		next := s.stamp()
		if next < last+maxItems {
			t.Errorf("%d after %d", next, last)
		}
		last = next
	}
	if seq := (last+maxItems)*maxLines + maxLines; seq < last {
		t.Errorf("the number of a line overflows: %d", seq)
	}
}

func TestWriteRefusesWhatNoItemHolds(t *testing.T) {
	big := strings.Repeat("x", journal.MaxBody+1)
	for name, b := range map[string]journal.Batch{
		`record "web/i-1/a": its body has 131073 bytes`:      {Records: []journal.Record{{Key: "web/i-1/a", Rev: 1, Body: []byte(big)}}},
		`line "web/i-1/a": its data has 131073 bytes`:        {Lines: []journal.Line{{Key: "web/i-1/a", Data: []byte(big)}}},
		`line "": its text has 393219 bytes`:                 {Lines: []journal.Line{{Text: big + big + big}}},
		`forwarded message "m-1": its body has 131073 bytes`: {Forwarded: []journal.Forwarded{{Scope: "s", ID: "m-1", Body: big}}},
	} {
		a := &answers{errs: []error{nil}}
		err := (&Store{api: a, table: "t", now: time.Now}).Write(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), name) || len(a.got) > 0 {
			t.Errorf("%s: %d calls, error %v", name, len(a.got), err)
		}
	}
}

// What is stored comes back as it was, to the nanosecond.
func TestItems(t *testing.T) {
	r := journal.Record{Key: "web/i-1/a", Scope: "prod", Rev: 7, Open: true, Body: []byte{0, 255}}
	l := journal.Lease{Scope: "prod", Holder: "x", Fence: 3, Beat: math.MaxInt64, For: 30 * time.Second, At: start}
	h := journal.Line{Seq: 1234567 * maxLines, At: start, Key: r.Key, Kind: "heard", Text: "of it"}
	gotR, errR := place("open", "web/i-1").with(recordItem(r)).record(true)
	gotL, errL := leaseItem(l).lease()
	gotH, errH := place("lines/2026-11-21", padded(1234567)).with(item{lines: &types.AttributeValueMemberL{Value: []types.AttributeValue{lineItem(h)}}}).history()
	if err := errors.Join(errR, errL, errH); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, gotR) + cmp.Diff(l, gotL) + cmp.Diff([]journal.Line{h}, gotH); d != "" {
		t.Error(d)
	}
}

func TestItemsOfSomethingElseAreRefused(t *testing.T) {
	whole := func() item { return place("lease", "prod").with(leaseItem(journal.Lease{Scope: "prod", At: start})) }
	for name, change := range map[string]types.AttributeValue{
		"fence": text("7"), "beat": &types.AttributeValueMemberN{Value: "1.5"}, "at": text("today"), "holder": nil,
	} {
		it := whole()
		if it[name] = change; change == nil {
			delete(it, name)
		}
		if _, err := it.lease(); err == nil || !strings.Contains(err.Error(), `lease / prod has no proper "`+name+`"`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := whole().history(); err == nil || !strings.Contains(err.Error(), "is no history") {
		t.Errorf("a lease as history: error %v", err)
	}
}

func TestFits(t *testing.T) {
	table := func(status types.TableStatus, keys ...string) *types.TableDescription {
		d := &types.TableDescription{TableStatus: status}
		for i, k := range keys {
			kind := []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]
			name, of, _ := strings.Cut(k, " ")
			d.KeySchema = append(d.KeySchema, types.KeySchemaElement{AttributeName: &name, KeyType: kind})
			d.AttributeDefinitions = append(d.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(of)})
		}
		return d
	}
	for _, c := range []struct {
		table *types.TableDescription
		want  string
	}{
		{table("ACTIVE", "pk S", "sk S"), ""},
		{table("UPDATING", "pk S", "sk S"), ""},
		{table("CREATING", "pk S", "sk S"), "is CREATING: wait until it is ACTIVE"},
		{table("DELETING", "pk S", "sk S"), "is DELETING"},
		{table("ACTIVE", "pk S"), "needs \"pk HASH S, sk RANGE S\""},
		{table("ACTIVE", "id S", "sk S"), "key is \"id HASH S, sk RANGE S\""},
		{table("ACTIVE", "pk S", "sk N"), "sk RANGE N"},
	} {
		err := fits(c.table)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}
