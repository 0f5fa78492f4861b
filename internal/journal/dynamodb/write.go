package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/journal"
)

// Write writes the batch, in one transaction, or in several if it is too large; see journal.Batch.
func (s *Store) Write(ctx context.Context, b journal.Batch) error {
	if err := s.writable(ctx); err != nil {
		return s.explain("write", err)
	}
	if err := journal.Check(b); err != nil {
		return s.explain("write", err)
	}
	parts, err := split(b)
	if err != nil {
		return s.explain("write", err)
	}
	for _, p := range parts {
		if err := s.transact(ctx, func(stamp int64) []op { return ops(p, stamp, s.now()) }); err != nil {
			return s.explain("write", err)
		}
	}
	return nil
}

// writable refuses what Close, the context or OpenReader forbids.
func (s *Store) writable(ctx context.Context) error {
	if s.reader {
		return errors.New("it was opened for reading only")
	}
	return s.ready(ctx)
}

// op is what a transaction does to one item: puts it, updates it, removes it, or only checks it.
type op struct {
	put, key  item // the whole item, or what to update, remove or check
	update    string
	remove    bool
	condition string // empty: none
	names     map[string]string
	values    item
	what      string // names the condition for the error; empty: the item only must not be there, and another stamp helps
}

// ops is a part as a transaction. The stamp orders what it writes after all that this Store has written before.
func ops(p part, stamp int64, now time.Time) []op {
	var out []op
	for _, l := range p.leases {
		out = append(out, underLease(l))
	}
	history, forwarded := until(now.Add(keepHistory)), until(now.Add(keepForwarded))
	for _, c := range p.changes {
		out = append(out, c.op())
		for _, r := range c.ended {
			out = append(out, op{put: place(partitionEnded, padded(stamp)+"#"+r.Key).with(recordItem(r)).with(item{expires: history})})
		}
	}
	for i, ls := range packed(p.lines) {
		day := partitionLines(time.UnixMicro(stamp + int64(i)))
		list := &types.AttributeValueMemberL{}
		for _, l := range ls {
			list.Value = append(list.Value, lineItem(l.Line))
		}
		it := place(day, padded(stamp+int64(i))).with(item{lines: list, expires: history})
		out = append(out, op{put: it, condition: "attribute_not_exists(pk)"})
	}
	for i, n := range p.forwarded {
		out = append(out, putForwarded(n, stamp+int64(i), forwarded))
	}
	return out
}

// underLease checks that a lease is still held.
func underLease(l journal.Lease) op {
	return op{
		key:       place(partitionLease, l.Scope),
		condition: "#holder = :holder AND #fence = :fence",
		names:     map[string]string{"#holder": holder, "#fence": fence},
		values:    item{":holder": text(l.Holder), ":fence": number(l.Fence)},
		what:      fmt.Sprintf("%q has lease %d of %s no more", l.Holder, l.Fence, l.Scope),
	}
}

// op replaces, removes or checks the subject's open record.
func (c *change) op() op {
	last := c.records()[len(c.records())-1]
	o := op{key: place(partitionOpen, c.subject), remove: c.was == held, what: fmt.Sprintf("record %s revision %d", last.Key, last.Rev)}
	if c.open != nil {
		o.put = place(partitionOpen, c.subject).with(recordItem(*c.open))
	}
	switch c.was {
	case free:
		o.condition = "attribute_not_exists(pk)"
	case held:
		o.condition, o.names = "#key = :key AND #rev = :rev", map[string]string{"#key": key, "#rev": rev}
		o.values = item{":key": text(c.key), ":rev": number(c.rev)}
	default:
		var list []string
		o.names, o.values = map[string]string{"#key": key}, item{}
		for i, k := range c.not {
			name := fmt.Sprintf(":not%d", i)
			list, o.values[name] = append(list, name), text(k)
		}
		o.condition = "attribute_not_exists(pk) OR NOT (#key IN (" + strings.Join(list, ", ") + "))"
	}
	return o
}

// tries is how often a transaction is begun before its conflicts with others, or its throttling, is an error.
const tries = 7

// transact runs the operations that make builds, in one transaction. One that DynamoDB has cancelled for reasons that pass is begun again,
// with a new stamp. After a failure that leaves open whether it was carried out, the SDK sends the same request again with the same token,
// so that it is not carried out twice.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
func (s *Store) transact(ctx context.Context, build func(stamp int64) []op) error {
	return again(ctx, func() error {
		ops := build(s.stamp())
		in := &sdk.TransactWriteItemsInput{}
		for _, o := range ops {
			in.TransactItems = append(in.TransactItems, o.in(s.table))
		}
		_, err := s.api.TransactWriteItems(ctx, in)
		return judge(err, ops)
	})
}

// in is the operation on a table.
func (o op) in(table string) (w types.TransactWriteItem) {
	var condition *string
	if o.condition != "" {
		condition = &o.condition
	}
	switch {
	case o.put != nil:
		w.Put = &types.Put{
			TableName: &table, Item: o.put,
			ConditionExpression: condition, ExpressionAttributeNames: o.names, ExpressionAttributeValues: o.values,
		}
	case o.update != "":
		w.Update = &types.Update{
			TableName: &table, Key: o.key, UpdateExpression: &o.update, ExpressionAttributeNames: o.names, ExpressionAttributeValues: o.values,
		}
	case o.remove:
		w.Delete = &types.Delete{
			TableName: &table, Key: o.key,
			ConditionExpression: condition, ExpressionAttributeNames: o.names, ExpressionAttributeValues: o.values,
		}
	default:
		w.ConditionCheck = &types.ConditionCheck{
			TableName: &table, Key: o.key,
			ConditionExpression: condition, ExpressionAttributeNames: o.names, ExpressionAttributeValues: o.values,
		}
	}
	return w
}

// passing is an error of something that may go well the next time.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// judge says what a cancelled transaction means, by the first reason that counts.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func judge(err error, ops []op) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationException" {
		return fmt.Errorf("%w: %w", &journal.Refused{Why: api.ErrorMessage()}, err)
	}
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	passes := false
	for i, reason := range cancelled.CancellationReasons {
		switch code := aws.ToString(reason.Code); code {
		case "", "None":
		case "ConditionalCheckFailed":
			if i < len(ops) && ops[i].what != "" {
				return fmt.Errorf("%s: %w", ops[i].what, journal.ErrConflict)
			}
			passes = true
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			passes = true
		default:
			why := fmt.Sprintf("item %d of %d: %s: %s", i+1, len(ops), code, aws.ToString(reason.Message))
			if code == "ValidationError" || code == "ItemCollectionSizeLimitExceeded" {
				return fmt.Errorf("%w: %w", &journal.Refused{Why: why}, err)
			}
			return fmt.Errorf("%s: %w", why, err)
		}
	}
	if passes {
		return passing{err}
	}
	return err
}

// pause is how long to wait after the first, second, ... try; random, so that those who met do not meet again.
func pause(try int) time.Duration { return rand.N(25 * time.Millisecond << min(try, 10)) }

// again does something until it goes well or fails for good, with a random pause before each further try.
func again(ctx context.Context, do func() error) error {
	for try := range tries {
		err := do()
		if _, ok := errors.AsType[passing](err); !ok {
			return err
		}
		if try == tries-1 {
			return fmt.Errorf("DynamoDB was busy with other requests for the same items, or throttled, %d times: %w", tries, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(try)):
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	return nil
}
