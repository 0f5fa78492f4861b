package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"go.yaml.in/yaml/v4"
)

// wait waits until a command ends with 0, or a URL answers as expected: the host is idle.
type wait struct {
	Command yaml.Node     `yaml:"command"`
	HTTP    yaml.Node     `yaml:"http"`
	Every   time.Duration `yaml:"every"` // from one look to the next
	look    written
}

func (w *wait) complete() error {
	node, key := &w.Command, "command"
	if w.Command.IsZero() {
		node, key = &w.HTTP, "http"
	}
	if w.Command.IsZero() == w.HTTP.IsZero() {
		return errors.New("write command or http: what tells that the host is idle")
	}
	w.look = kinds()[key]
	w.Every = max(cmp.Or(w.Every, 10*time.Second), time.Millisecond)
	return load(node, key, w.look)
}

// Check is that of the command or the call.
func (w *wait) Check(ctx context.Context, j Job) error { return w.look.Check(ctx, j) }

// aLook is how long one look may take.
const aLook = time.Minute

// Run looks again and again, and shows what a look says when it says something new. A look that fails counts as no look: the host may be busy.
func (w *wait) Run(ctx context.Context, j Job) error {
	began, said := time.Now(), ""
	for {
		out, one := NewTail(1<<10), j
		one.Out = out
		looking, cancel := context.WithTimeout(ctx, aLook)
		err := w.look.Run(looking, one)
		cancel()
		after := time.Since(began).Round(time.Second)
		if now := out.String() + fmt.Sprint(err); now != said {
			j.say("After %s: %s", after, out)
			said = now
		}
		switch {
		case err == nil:
			j.say("Idle after %s.", after)
			return nil
		case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
			return fmt.Errorf("look whether the host is idle: %w", err)
		case !sleep(ctx, w.Every):
			return fmt.Errorf("the host was not idle after %s: %w", after, err)
		}
	}
}
