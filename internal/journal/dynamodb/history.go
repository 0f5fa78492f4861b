package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

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
