package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/ebbhq/ebb/internal/plain"
)

// Tail keeps the beginning and the end of an output, and counts the rest. It is safe for concurrent use.
type Tail struct {
	mu         sync.Mutex
	half       int // bytes that are kept at either end
	head, tail []byte
	bytes      int64
}

// NewTail keeps the first and the last so many bytes.
func NewTail(half int) *Tail { return &Tail{half: half} }

// Write never fails, and takes no more memory than what is kept, three times.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.bytes += int64(n)
	free := min(t.half-len(t.head), n)
	t.head, p = append(t.head, p[:free]...), p[free:]
	if t.tail = append(t.tail, p[max(0, len(p)-t.half):]...); len(t.tail) > 2*t.half {
		t.tail = append(t.tail[:0], t.tail[len(t.tail)-t.half:]...)
	}
	return n, nil
}

// String is what is kept, fit to be shown: control characters are spelled, and what is left out is counted.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, tail := string(t.head), t.tail[max(0, len(t.tail)-t.half):]
	if left := t.bytes - int64(len(t.head)+len(tail)); left > 0 {
		text += fmt.Sprintf("\n... %d bytes are left out ...\n", left)
	}
	text += string(tail)
	return plain.Lines(strings.TrimRight(text, "\n"), len(text))
}

// guarded is a kind whose output and errors show no secret that the step has read.
type guarded struct{ Kind }

// Check is the kind's own.
func (g guarded) Check(ctx context.Context, j Job) error { return guard(ctx, j, g.Kind.Check) }

// Run is the kind's own.
func (g guarded) Run(ctx context.Context, j Job) error { return guard(ctx, j, g.Kind.Run) }

func guard(ctx context.Context, j Job, do func(context.Context, Job) error) error {
	c, read := &censor{to: j.Out}, j.Secrets
	j.Out, j.Secrets = c, func(ctx context.Context, where string) (string, error) {
		v, err := read(ctx, where)
		c.hide(v)
		return v, err
	}
	err := do(ctx, j)
	_, _ = c.to.Write(c.kept)
	if err != nil && string(c.clean([]byte(err.Error()))) != err.Error() {
		return errors.New(string(c.clean([]byte(err.Error()))))
	}
	return err
}

// censor is a writer that spells secrets as [secret], also those that come in pieces.
type censor struct {
	mu      sync.Mutex
	to      io.Writer
	secrets []string // the longest first
	kept    []byte   // what may be the beginning of a secret
}

// hide adds a secret, as it is and as it stands in JSON, URLs and Basic authentication, and its lines.
func (c *censor) hide(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	forms := append(strings.Split(secret, "\n"), secret, inJSON(secret), url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)))
	for _, f := range forms {
		if len(f) >= 8 || f == secret && f != "" { // a short line says nothing, and may stand anywhere
			c.secrets = append(c.secrets, f)
		}
	}
	slices.SortFunc(c.secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	c.secrets = slices.Compact(c.secrets)
}

// inJSON is a text as it stands between the quotes of JSON.
func inJSON(s string) string {
	text, _ := json.Marshal(s) //nolint:errchkjson // a string is always valid
	return string(text[1 : len(text)-1])
}

func (c *censor) clean(text []byte) []byte {
	for _, s := range c.secrets {
		if bytes.Contains(text, []byte(s)) {
			text = bytes.ReplaceAll(text, []byte(s), []byte("[secret]"))
		}
	}
	return text
}

// Write passes on what is surely no part of a secret. It reports all of p as written: what is said of a step must not end it.
func (c *censor) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.clean(slices.Concat(c.kept, p))
	cut := len(text)
	if len(c.secrets) > 0 {
		cut = max(0, cut-len(c.secrets[0])+1)
	}
	_, _ = c.to.Write(text[:cut])
	c.kept = bytes.Clone(text[cut:])
	return len(p), nil
}
