package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

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
