package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/plain"
)

// again does something at once and then every so often, until the context ends: that is no error. If the first time fails, so does again.
// A later failure is told once, and it is tried again: a network comes back.
func again(ctx context.Context, every time.Duration, stderr io.Writer, do func() error) error {
	told := ""
	for first := true; ; first = false {
		err := do()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && first {
			return err
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != "" && text != told {
			fmt.Fprintf(stderr, "%s; it is tried again every %s\n", plain.Lines(prefixed(err), plain.Long), every)
		}
		told = text
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// clearScreen moves the cursor of a terminal to its first place and clears the screen. What was on it before can still be scrolled to.
const clearScreen = "\x1b[H\x1b[2J"

// watcher shows a report again and again: on a terminal each time, in place of the one before, else only what differs from it.
type watcher struct {
	out    io.Writer
	screen bool   // it is a terminal
	form   string // one of statusForms
	every  time.Duration
	last   string // what was shown, without what changes all the time

	instance string // whose drains are shown; empty: all
}

// watchStatus shows the state again and again, from a journal that stays open.
func watchStatus(c *cobra.Command, p Process, cfg config.Config, ended int, w watcher) error {
	store, err := readJournal(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	return again(c.Context(), w.every, p.Stderr, func() error {
		r, err := statusOf(c, p, store, cfg, ended, w.instance)
		if err != nil {
			return err
		}
		return w.show(r, time.Now())
	})
}

func (w *watcher) show(r report, now time.Time) error {
	lasting, err := r.lasting()
	if err != nil || !w.screen && lasting == w.last {
		return err
	}
	var b bytes.Buffer
	if w.screen {
		b.WriteString(clearScreen)
	}
	if w.form == "table" {
		fmt.Fprintf(&b, "At %s, read every %s; Ctrl-C ends this\n\n", now.Local().Format(time.DateTime), w.every)
	}
	if err := statusForms[w.form](&b, r); err != nil {
		return err
	}
	if w.form == "table" && !w.screen {
		b.WriteByte('\n')
	}
	if _, err := w.out.Write(b.Bytes()); err != nil {
		return err
	}
	w.last = lasting
	return nil
}

// lasting is a report as text, without what changes although nothing happens: the beats of the leases, and how many lines were counted.
func (r report) lasting() (string, error) {
	r.holders = slices.Clone(r.holders)
	for i := range r.holders {
		r.holders[i].Beat = time.Time{}
	}
	r.aside.Lines, r.excluded.Lines = 0, 0
	var b bytes.Buffer
	err := statusForms["json"](&b, r)
	return b.String(), err
}
