package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/plain"
)

// write makes the batch of a round durable. What the journal will never take it sets aside and says so in the journal; the rest of the batch
// is written and acted on all the same: one record must not stop every drain.
func (c *Core) write(ctx context.Context, out *kernel.Output) error {
	if out.Batch.Empty() {
		return nil
	}
	err := c.put(ctx, out.Batch)
	if refused(err) {
		return c.writeApart(ctx, out)
	}
	return err
}

// put writes a batch, and tells its lines once they are durable.
func (c *Core) put(ctx context.Context, b journal.Batch) error {
	if b.Empty() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	if err := c.cfg.Store.Write(ctx, b); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	c.pause = 0
	c.cfg.Meter.Wrote(b)
	if c.OnNotice != nil && slices.ContainsFunc(b.Forwarded, func(f journal.Forwarded) bool { return notice.IsOutbox(f.Scope) }) {
		c.OnNotice()
	}
	if slices.ContainsFunc(b.Forwarded, func(f journal.Forwarded) bool { return f.Scope == kernel.Calendar }) {
		clearCalendar(ctx, c)
	}
	if c.cfg.OnLine != nil {
		for _, l := range b.Lines {
			c.cfg.OnLine(l)
		}
	}
	return nil
}

// clearCalendar removes what lies behind from the calendar, when something new comes into it.
func clearCalendar(ctx context.Context, c *Core) {
	all, err := c.cfg.Store.Forwarded(ctx, []string{kernel.Calendar})
	past := slices.DeleteFunc(all, func(f journal.Forwarded) bool {
		s, ok := kernel.ReadScheduled(f)
		return ok && !s.Past(f.Sent, c.cfg.Now())
	})
	if err == nil && len(past) > 0 {
		err = c.cfg.Store.Discard(ctx, past)
	}
	if err != nil {
		c.cfg.Log.Warn("old entries of the calendar cannot be removed from the journal", "err", err)
	}
}

// refused reports whether the journal will never take what was to be written.
func refused(err error) bool {
	_, ok := errors.AsType[*journal.Refused](err)
	return ok
}

// writeApart writes a batch in parts: each record with its lines and notices, the other lines, and each message that is forwarded.
func (c *Core) writeApart(ctx context.Context, out *kernel.Output) error {
	own := map[string]*journal.Batch{}
	for _, r := range out.Batch.Records {
		own[r.Key] = &journal.Batch{}
	}
	var others journal.Batch
	of := func(key string) *journal.Batch { return cmp.Or(own[key], &others) }
	for _, l := range out.Batch.Lines {
		of(l.Key).Lines = append(of(l.Key).Lines, l)
	}
	for _, f := range out.Batch.Forwarded {
		b := of(notice.Drain(f))
		b.Forwarded = append(b.Forwarded, f)
	}
	for _, r := range out.Batch.Records {
		if err := c.putRecord(ctx, out, r, *own[r.Key]); err != nil {
			return err
		}
	}
	if err := c.putLines(ctx, others.Lines); err != nil {
		return err
	}
	for _, f := range others.Forwarded {
		if err := c.putForwarded(ctx, out, f); err != nil {
			return err
		}
	}
	return nil
}

// putRecord writes a record with its lines and notices; or without the lines; or a short form of it; or else it lets its drain go.
func (c *Core) putRecord(ctx context.Context, out *kernel.Output, r journal.Record, b journal.Batch) error {
	lines := b.Lines
	b.Records = []journal.Record{r}
	for _, l := range out.Batch.Under {
		if l.Scope == r.Scope {
			b.Under = append(b.Under, l)
		}
	}
	err := c.put(ctx, b)
	if r, is := errors.AsType[*journal.Refused](err); is && r.Part == journal.ForwardedPart { // a drain does not depend on a notice
		b.Forwarded = nil
		if err = c.setAside(ctx, b.Records[0].Key, "a notice about this drain: "+r.Error()); err == nil {
			err = c.put(ctx, b)
		}
	}
	if !refused(err) {
		return err
	}
	b.Lines = nil
	if err = c.put(ctx, b); refused(err) {
		short, unread := kernel.Bounded(r)
		if unread == nil && !bytes.Equal(short.Body, r.Body) {
			why := err
			b.Records[0] = short
			if err = c.put(ctx, b); err == nil {
				err = c.setAside(ctx, r.Key, "names and details of this drain, which goes on: "+why.Error())
			}
		}
	}
	if _, count := kernel.ReadCount(r); count && refused(err) { // what is not in the journal is not set
		if err = c.setAside(ctx, r.Key, countAside+err.Error()); err == nil {
			out.Do = c.Kernel.LetGo(r.Key, out.Do, c.cfg.Now())
		}
	} else if refused(err) {
		err = abandon(ctx, c, out, r.Key, err.Error())
	}
	if err != nil {
		return err
	}
	return c.putLines(ctx, lines)
}

// abandon lets a drain go of which the journal takes no record, once the journal says so. People are told in the same write.
func abandon(ctx context.Context, c *Core, out *kernel.Output, key, why string) error {
	tell := kernel.Abandoned(c.Kernel, key, why, c.cfg.Now())
	if len(tell) > 0 {
		again, err := c.cfg.wasLetGo(ctx, key)
		if err != nil {
			return err
		}
		if again {
			tell = nil
		}
	}
	if err := c.setAside(ctx, key, letGo+why, tell...); err != nil {
		return err
	}
	c.cfg.Log.Error("the journal takes no record of a drain; it is let go, and its hook runs out unless somebody answers it",
		"drain", plain.Text(key, plain.Short), "err", why)
	out.Do = c.Kernel.LetGo(key, out.Do, c.cfg.Now())
	leave(out, func(v kernel.Verdict) bool { return v.Drain == key })
	return nil
}

// letGo is how the line begins of what was set aside because its drain is let go.
const letGo = "this drain, which is let go: its hook runs out unless somebody answers it: "

// countAside is how the line begins of what was set aside because a desired count cannot be noted.
const countAside = "what is known of this desired count, which stays as it is until Ebb starts anew: "

// longestHook is how long a lifecycle hook lasts at most.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
const longestHook = 48 * time.Hour

// wasLetGo reports whether the journal says that a drain was let go: an earlier process did it, and told people.
func (c Config) wasLetGo(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	lines, err := c.Store.History(ctx, journal.Query{Key: key, Since: c.Now().Add(-longestHook)})
	if err != nil {
		return false, fmt.Errorf("read whether a drain was let go before: %w", err)
	}
	says := func(l journal.Line) bool { return l.Kind == journal.SetAside && strings.Contains(l.Text, letGo) }
	return slices.ContainsFunc(lines, says), nil
}

// putLines writes lines, and in place of one that the journal refuses a short one that says so.
func (c *Core) putLines(ctx context.Context, lines []journal.Line) error {
	err := c.put(ctx, journal.Batch{Lines: lines})
	if !refused(err) {
		return err
	}
	for _, l := range lines {
		err := c.put(ctx, journal.Batch{Lines: []journal.Line{l}})
		if refused(err) {
			err = c.setAside(ctx, l.Key, fmt.Sprintf("a line of history, %q: %s: %s", l.Kind, err.Error(), l.Text))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putForwarded writes a forwarded message. One that the journal refuses is left to the queue, or discarded if it came from the journal.
func (c *Core) putForwarded(ctx context.Context, out *kernel.Output, f journal.Forwarded) error {
	err := c.put(ctx, journal.Batch{Forwarded: []journal.Forwarded{f}})
	if !refused(err) {
		return err
	}
	leave(out, func(v kernel.Verdict) bool {
		_, noted := c.forwarded[v.Message]
		return !noted && v.Message == f.ID
	})
	what := "a message for the Ebb that works for "
	if notice.IsOutbox(f.Scope) {
		what = "a notice in "
	}
	return c.setAside(ctx, "", what+plain.Text(f.Scope, plain.Short)+": "+err.Error())
}

// leave leaves messages to the queue, so that its redrive policy keeps them.
func leave(out *kernel.Output, which func(kernel.Verdict) bool) {
	for i, v := range out.Settle {
		if which(v) {
			out.Settle[i].Delete, out.Settle[i].Why = false, "the journal can never take what follows from it"
		}
	}
}

// setAside counts what was set aside and writes a line that says so, together with what people are told of it if the journal takes that. A
// journal that refuses the line too refuses everything, and its error is that of one that is away.
func (c *Core) setAside(ctx context.Context, key, what string, tell ...journal.Forwarded) error {
	text := "set aside " + plain.Text(what, 1000)
	if len(key) > journal.MaxKey || strings.ToValidUTF8(key, "") != key || strings.ContainsRune(key, 0) {
		key = ""
	}
	l := journal.Line{At: c.cfg.Now(), Key: key, Kind: journal.SetAside, Text: text}
	err := c.put(ctx, journal.Batch{Lines: []journal.Line{l}, Forwarded: tell})
	if refused(err) && len(tell) > 0 {
		err = c.put(ctx, journal.Batch{Lines: []journal.Line{l}})
	}
	if err != nil {
		return fmt.Errorf("the journal takes nothing, not even a line that says what it refused: %s", err.Error()) // no refusal any more: it is tried again
	}
	c.aside++
	return nil
}

// endUnread ends the open records that nobody can read, so that what still waits is found by the sweep, and those of which there is a newer
// one; it returns the others. Those of scopes that others work for are for them to end.
func (c *Core) endUnread(ctx context.Context, open []journal.Record, doubled map[string]bool, held map[string]journal.Lease) ([]journal.Record, error) {
	var readable []journal.Record
	for _, r := range open {
		ended, line, unread := kernel.Unread(r, doubled[r.Key], c.cfg.Now())
		if unread == nil {
			readable = append(readable, r)
			continue
		}
		l, ours := held[r.Scope]
		if !ours {
			continue
		}
		b := journal.Batch{Under: []journal.Lease{l}, Records: []journal.Record{ended}, Lines: []journal.Line{line}}
		if err := c.put(ctx, b); err != nil {
			return nil, err
		}
		c.aside++
	}
	return readable, nil
}
