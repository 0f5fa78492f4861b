package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

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
	forms := []string{secret, inJSON(secret), url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
	for _, line := range strings.Split(secret, "\n") {
		if len(line) >= 8 {
			forms = append(forms, line)
		}
	}
	c.secrets = slices.DeleteFunc(append(c.secrets, forms...), func(s string) bool { return s == "" })
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
	text, cut := c.clean(slices.Concat(c.kept, p)), 0
	if cut = len(text); len(c.secrets) > 0 {
		cut = max(0, cut-len(c.secrets[0])+1)
	}
	_, _ = c.to.Write(text[:cut])
	c.kept = bytes.Clone(text[cut:])
	return len(p), nil
}
