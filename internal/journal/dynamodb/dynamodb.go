// Package dynamodb keeps a journal in one DynamoDB table, which many Ebbs share: several processes, or a Lambda function.
//
// The items of the table are described in docs/reference/journal.md. What is open has its subject as its key, so that there is one open
// drain of a subject by construction; what has ended, and the history, is kept for a while and then deleted by DynamoDB.
//
// It never decides who may write: the leases of a batch do.
package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

// How long DynamoDB keeps what is not open any more. It deletes an item some days after that, and until then it is not shown.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
const (
	keepHistory   = 30 * 24 * time.Hour // ended records and lines
	keepForwarded = 2 * 24 * time.Hour  // forwarded messages; by then the sweep has found the instances that they are about
)

// Store is a journal in a DynamoDB table.
type Store struct {
	api    api
	table  string
	now    func() time.Time
	reader bool

	mu     sync.Mutex
	last   int64 // the last stamp that was given out
	closed bool
}

// api is what a Store uses of DynamoDB.
type api interface {
	sdk.QueryAPIClient
	sdk.DescribeTableAPIClient
	GetItem(context.Context, *sdk.GetItemInput, ...func(*sdk.Options)) (*sdk.GetItemOutput, error)
	PutItem(context.Context, *sdk.PutItemInput, ...func(*sdk.Options)) (*sdk.PutItemOutput, error)
	TransactWriteItems(context.Context, *sdk.TransactWriteItemsInput, ...func(*sdk.Options)) (*sdk.TransactWriteItemsOutput, error)
	CreateTable(context.Context, *sdk.CreateTableInput, ...func(*sdk.Options)) (*sdk.CreateTableOutput, error)
	DescribeTimeToLive(context.Context, *sdk.DescribeTimeToLiveInput, ...func(*sdk.Options)) (*sdk.DescribeTimeToLiveOutput, error)
	UpdateTimeToLive(context.Context, *sdk.UpdateTimeToLiveInput, ...func(*sdk.Options)) (*sdk.UpdateTimeToLiveOutput, error)
}

// Open returns all open records, by key.
func (s *Store) Open(ctx context.Context) ([]journal.Record, error) {
	out, err := all(query(ctx, s, partitionOpen, func(it item) (journal.Record, error) { return it.record(true) }))
	slices.SortFunc(out, func(a, b journal.Record) int { return cmp.Compare(a.Key, b.Key) })
	return out, err
}

// Recent returns the records of drains that ended, the newest first, at most limit; limit 0 means all that are kept.
func (s *Store) Recent(ctx context.Context, limit int) ([]journal.Record, error) {
	var out []journal.Record
	shown := map[string]bool{}
	ended := func(it item) (journal.Record, error) { return it.record(false) }
	for r, err := range query(ctx, s, partitionEnded, ended, backward, pages(limit)) {
		if err != nil {
			return nil, err
		}
		if shown[r.Key] {
			continue // its key was used again
		}
		shown[r.Key] = true
		if out = append(out, r); len(out) == limit {
			break
		}
	}
	return out, nil
}

// query reads the items of a partition that have not expired, all pages of them, the lowest sort key first. Reads are strongly consistent.
func query[T any](
	ctx context.Context, s *Store, partition string, read func(item) (T, error), options ...func(*sdk.QueryInput),
) iter.Seq2[T, error] {
	in := &sdk.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(partition)},
	}
	for _, o := range options {
		o(in)
	}
	return func(yield func(T, error) bool) {
		var none T
		if err := s.ready(ctx); err != nil {
			yield(none, s.explain("read", err))
			return
		}
		now := s.now()
		for p := sdk.NewQueryPaginator(s.api, in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				yield(none, s.explain("read", err))
				return
			}
			for _, it := range page.Items {
				if item(it).expired(now) {
					continue
				}
				if v, err := read(it); !yield(v, s.explain("read", err)) {
					return
				}
			}
		}
	}
}

// all are the values of a query.
func all[T any](query iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range query {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// backward: the highest sort key comes first.
func backward(in *sdk.QueryInput) { in.ScanIndexForward = aws.Bool(false) }

// pages limits a page to what is asked for, so that no more is read and paid for; 0 is DynamoDB's own limit, 1 MB.
func pages(limit int) func(*sdk.QueryInput) {
	return func(in *sdk.QueryInput) {
		if limit > 0 && limit <= 1000 {
			in.Limit = aws.Int32(int32(limit))
		}
	}
}

// from leaves out the items with a lower sort key.
func from(sk string) func(*sdk.QueryInput) {
	return func(in *sdk.QueryInput) {
		in.KeyConditionExpression = aws.String("pk = :pk AND sk >= :sk")
		in.ExpressionAttributeValues[":sk"] = text(sk)
	}
}

// ready refuses a call that is cancelled or comes after Close.
func (s *Store) ready(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("already closed")
	}
	return ctx.Err()
}

// room is how many microseconds lie between two stamps at least: as many as a transaction has items.
const room = maxItems

// stamp is the time in microseconds. It rises with each call by at least room, whatever the clock does.
func (s *Store) stamp() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.now().UnixMicro(), s.last+room)
	return s.last
}

// Close ends the use of the journal; the table stays as it is.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// explain names the journal in an error; nil stays nil.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
		err = fmt.Errorf("%w: %w", journal.ErrGone, err)
	}
	return fmt.Errorf("%s journal dynamodb://%s: %w", doing, s.table, err)
}

const (
	day = 24 * time.Hour
	// ahead is how far the clock of another Ebb may be ahead of this one's and its lines still be found.
	ahead = time.Hour
	// early is how long before its own time a line may be written and still be found by that time: the clock that gives lines their
	// time need not be the store's.
	early = day
)

// History returns lines, oldest first: those that are kept. The Seq of a line is made of the clock of the Ebb that wrote it, so it orders
// the lines of one Ebb as they were written, and those of several Ebbs as well as their clocks agree; no two lines have the same. A reader
// that asks for what is after the last line it saw may miss what another Ebb wrote at the same moment.
func (s *Store) History(ctx context.Context, q journal.Query) ([]journal.Line, error) {
	now := s.now()
	first := slices.MaxFunc([]time.Time{now.Add(-keepHistory), q.Since.Add(-early), time.UnixMicro(q.After / maxLines)}, time.Time.Compare)
	limit := q.Limit
	if q.Key != "" || !q.Since.IsZero() {
		limit = 0 // most items may have nothing that is asked for
	}
	var newest []journal.Line
days:
	for d := now.Add(ahead).UTC().Truncate(day); !d.Before(first.UTC().Truncate(day)); d = d.Add(-day) {
		for ls, err := range query(ctx, s, partitionLines(d), item.history, backward, pages(limit), from(padded(q.After/maxLines))) {
			if err != nil {
				return nil, err
			}
			for _, l := range slices.Backward(ls) {
				if l.Seq <= q.After || q.Key != "" && l.Key != q.Key || l.At.Before(q.Since) {
					continue
				}
				if newest = append(newest, l); len(newest) == q.Limit {
					break days
				}
			}
		}
	}
	slices.Reverse(newest)
	return newest, nil
}

// history is the lines of an item. Their numbers are the item's stamp with three digits more.
func (it item) history() ([]journal.Line, error) {
	stamp, err := strconv.ParseInt(it.plain("sk"), 10, 64)
	list, ok := it[lines].(*types.AttributeValueMemberL)
	if err != nil || !ok {
		return nil, fmt.Errorf("the item %s / %s is no history: something else than Ebb has written to the table", it.plain("pk"), it.plain("sk"))
	}
	var out []journal.Line
	for i, v := range list.Value {
		l, err := readLine(v)
		if err != nil {
			return nil, err
		}
		l.Seq = stamp*maxLines + int64(i)
		out = append(out, l)
	}
	return out, nil
}

// Leases returns the leases of all scopes that ever had one, by scope.
func (s *Store) Leases(ctx context.Context) ([]journal.Lease, error) {
	return all(query(ctx, s, partitionLease, item.lease))
}

// Claim stores a lease in place of the one that was read. A claim that is stored already is no conflict: an answer may have been lost, and
// the SDK has asked again.
func (s *Store) Claim(ctx context.Context, was, is journal.Lease) error {
	if err := s.writable(ctx); err != nil {
		return s.explain("write", err)
	}
	in := &sdk.PutItemInput{
		TableName: &s.table, Item: leaseItem(is), ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}
	if was.Fence != 0 || was.Beat != 0 {
		in.ConditionExpression = aws.String("#fence = :fence AND #beat = :beat")
		in.ExpressionAttributeNames = map[string]string{"#fence": fence, "#beat": beat}
		in.ExpressionAttributeValues = item{":fence": number(was.Fence), ":beat": number(was.Beat)}
	}
	err := again(ctx, func() error {
		_, err := s.api.PutItem(ctx, in)
		if _, busy := errors.AsType[*types.TransactionConflictException](err); busy {
			return passing{err}
		}
		return err
	})
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		if stored, bad := item(failed.Item).lease(); bad == nil && equal(stored, is) {
			return nil
		}
		err = fmt.Errorf("claim %s: %w", is.Scope, journal.ErrConflict)
	}
	return s.explain("write", err)
}

func equal(a, b journal.Lease) bool {
	return a.Scope == b.Scope && a.Holder == b.Holder && a.Fence == b.Fence && a.Beat == b.Beat && a.For == b.For && a.At.Equal(b.At)
}

// Forwarded returns the messages that were forwarded to some scopes, the oldest first.
func (s *Store) Forwarded(ctx context.Context, scopes []string) ([]journal.Forwarded, error) {
	var found []aged
	for _, scope := range slices.Compact(slices.Sorted(slices.Values(scopes))) {
		some, err := all(query(ctx, s, partitionForwarded(scope), func(it item) (aged, error) { return it.forwarded(scope) }))
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortStableFunc(found, func(a, b aged) int { return cmp.Compare(a.stamp, b.stamp) })
	var out []journal.Forwarded
	for _, f := range found {
		out = append(out, f.Forwarded)
	}
	return out, nil
}

// putForwarded writes a forwarded message. Of one that is there already it changes only the time until which it is kept.
func putForwarded(n journal.Forwarded, stamp int64, keep types.AttributeValue) op {
	names, values := map[string]string{"#expires": expires}, item{":expires": keep}
	parts := []string{"SET #expires = :expires"}
	for _, v := range []struct {
		name  string
		value types.AttributeValue
	}{{body, text(n.Body)}, {sent, when(n.Sent)}, {stamped, number(stamp)}} {
		parts = append(parts, fmt.Sprintf("#%s = if_not_exists(#%s, :%s)", v.name, v.name, v.name))
		names["#"+v.name], values[":"+v.name] = v.name, v.value
	}
	return op{key: place(partitionForwarded(n.Scope), n.ID), update: strings.Join(parts, ", "), names: names, values: values}
}

// Discard removes forwarded messages. A message that is not there is no error.
func (s *Store) Discard(ctx context.Context, messages []journal.Forwarded) error {
	if err := s.writable(ctx); err != nil {
		return s.explain("write", err)
	}
	var once part
	once.join(part{forwarded: messages})
	for chunk := range slices.Chunk(once.forwarded, maxItems) {
		err := s.transact(ctx, func(int64) []op {
			var ops []op
			for _, n := range chunk {
				ops = append(ops, op{key: place(partitionForwarded(n.Scope), n.ID), remove: true})
			}
			return ops
		})
		if err != nil {
			return s.explain("write", err)
		}
	}
	return nil
}
