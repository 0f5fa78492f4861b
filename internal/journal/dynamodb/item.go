package dynamodb

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

// item is an item of the table, or a part of one.
type item map[string]types.AttributeValue

// The partitions. Each item has a partition key pk and a sort key sk, both texts.
const (
	partitionSchema = "schema" // sk: schema
	partitionOpen   = "open"   // sk: subject
	partitionEnded  = "ended"  // sk: stamp of the write # key
	partitionLease  = "lease"  // sk: scope
)

// partitionForwarded holds the messages that were forwarded to a scope; sk: id of the message.
func partitionForwarded(scope string) string { return "note/" + scope }

// partitionLines holds the history that was written on one UTC day; sk: stamp of the write.
func partitionLines(day time.Time) string { return "lines/" + day.UTC().Format(time.DateOnly) }

// The attributes beside pk and sk.
const (
	expires = "expires" // seconds since 1970, for DynamoDB's time to live
	version = "version"
	key     = "key"
	scope   = "scope"
	rev     = "rev"
	body    = "body"
	holder  = "holder"
	fence   = "fence"
	beat    = "beat"
	lasts   = "lasts" // nanoseconds
	at      = "at"
	sent    = "sent"
	stamped = "stamped" // of a forwarded message: it orders those of all scopes
	lines   = "lines"
	kind    = "kind"
	words   = "text"
	data    = "data"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func binary(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// timeForm is how times are stored, to the nanosecond.
const timeForm = time.RFC3339Nano

func when(t time.Time) types.AttributeValue { return text(t.UTC().Format(timeForm)) }

func until(t time.Time) types.AttributeValue { return number(t.Unix()) }

// padded spells a number so that texts sort as numbers do.
func padded(n int64) string { return fmt.Sprintf("%020d", n) }

// place is the primary key.
func place(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

// with adds the attributes of another item.
func (it item) with(other item) item {
	maps.Copy(it, other)
	return it
}

// reading reads attributes and keeps the first mistake.
type reading struct {
	item item
	err  error
}

func (r *reading) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("the item %s / %s has no proper %q: something other than Ebb has written to the table",
			r.item.plain("pk"), r.item.plain("sk"), name)
	}
}

// plain is a text attribute, or empty.
func (it item) plain(name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func (r *reading) text(name string) string {
	if _, ok := r.item[name].(*types.AttributeValueMemberS); !ok {
		r.fail(name)
	}
	return r.item.plain(name)
}

func (r *reading) number(name string) int64 {
	v, ok := r.item[name].(*types.AttributeValueMemberN)
	if !ok {
		r.fail(name)
		return 0
	}
	n, err := strconv.ParseInt(v.Value, 10, 64)
	if err != nil {
		r.fail(name)
	}
	return n
}

func (r *reading) time(name string) time.Time {
	t, err := time.Parse(timeForm, r.text(name))
	if err != nil {
		r.fail(name)
	}
	return t
}

// bytes may be absent.
func (r *reading) bytes(name string) []byte {
	switch v := r.item[name].(type) {
	case nil:
		return nil
	case *types.AttributeValueMemberB:
		return v.Value
	}
	r.fail(name)
	return nil
}

// expired reports whether DynamoDB may delete the item at any time.
func (it item) expired(now time.Time) bool {
	r := reading{item: it}
	return r.number(expires) <= now.Unix() && r.err == nil
}

func recordItem(r journal.Record) item {
	it := item{key: text(r.Key), scope: text(r.Scope), rev: number(r.Rev)}
	if len(r.Body) > 0 {
		it[body] = binary(r.Body)
	}
	return it
}

func (it item) record(open bool) (journal.Record, error) {
	r := reading{item: it}
	out := journal.Record{Key: r.text(key), Scope: r.text(scope), Rev: r.number(rev), Open: open, Body: r.bytes(body)}
	return out, r.err
}

func leaseItem(l journal.Lease) item {
	return place(partitionLease, l.Scope).with(item{
		holder: text(l.Holder), fence: number(l.Fence), beat: number(l.Beat), lasts: number(int64(l.For)), at: when(l.At),
	})
}

func (it item) lease() (journal.Lease, error) {
	r := reading{item: it}
	out := journal.Lease{
		Scope: r.text("sk"), Holder: r.text(holder), Fence: r.number(fence), Beat: r.number(beat),
		For: time.Duration(r.number(lasts)), At: r.time(at),
	}
	return out, r.err
}

// aged is a forwarded message and when it was written.
type aged struct {
	journal.Forwarded
	stamp int64
}

func (it item) forwarded(scope string) (aged, error) {
	r := reading{item: it}
	n := journal.Forwarded{Scope: scope, ID: r.text("sk"), Body: r.text(body), Sent: r.time(sent)}
	return aged{n, r.number(stamped)}, r.err
}

func lineItem(l journal.Line) types.AttributeValue {
	it := item{at: when(l.At), key: text(l.Key), kind: text(l.Kind), words: text(l.Text)}
	if len(l.Data) > 0 {
		it[data] = binary(l.Data)
	}
	return &types.AttributeValueMemberM{Value: it}
}

// line reads a line of an item of the history; its Seq is not set.
func readLine(v types.AttributeValue) (journal.Line, error) {
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		return journal.Line{}, fmt.Errorf("a line of the history is a %T", v)
	}
	r := reading{item: m.Value}
	out := journal.Line{At: r.time(at), Key: r.text(key), Kind: r.text(kind), Text: r.text(words), Data: r.bytes(data)}
	return out, r.err
}
