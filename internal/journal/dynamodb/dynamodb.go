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
