package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// call is one HTTP call. Its URL, headers and body may have ${EBB_...} and ${ssm:NAME} in them.
type call struct {
	Method  string            `yaml:"method"` // POST if there is a body, else GET; it may also stand before the URL
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Status  []int             `yaml:"status"` // what is expected; 2xx if nothing is said
}

func (c *call) complete() error {
	if method, at, ok := strings.Cut(c.URL, " "); ok {
		c.Method, c.URL = method, at
	}
	if c.Method == "" && c.Body != "" {
		c.Method = http.MethodPost
	}
	return needURL("url", c.URL, "http", "https")
}

// Check looks whether somebody listens there, and reads the secrets. It makes no call: that could change something.
func (c *call) Check(ctx context.Context, j Job) error {
	req, err := c.request(ctx, j)
	if err != nil {
		return err
	}
	return listens(ctx, req.URL)
}

func listens(ctx context.Context, at *url.URL) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), at.Scheme)))
	if err == nil {
		conn.Close()
	}
	return err
}

func (c *call) request(ctx context.Context, j Job) (*http.Request, error) {
	var failed error
	fill := func(text string, spell func(string) string) string {
		text, err := j.fill(ctx, text, spell)
		failed = errors.Join(failed, err)
		return text
	}
	headers, spell := http.Header{}, asIs
	for name, v := range c.Headers {
		headers.Set(name, fill(v, asIs))
	}
	if strings.Contains(headers.Get("Content-Type"), "json") {
		spell = inJSON
	}
	at, body := fill(c.URL, url.PathEscape), fill(c.Body, spell)
	if failed != nil {
		return nil, failed
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, at, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the method or the URL is not valid") // the error would show the URL
	}
	req.Header = headers
	return req, nil
}

// Run makes the call, and says what came back.
func (c *call) Run(ctx context.Context, j Job) error {
	req, err := c.request(ctx, j)
	if err != nil {
		return err
	}
	status, answer, err := ask(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", req.URL.Host, err)
	}
	j.say("%s answers %d, with %d bytes.\n%s", req.URL.Host, status, len(answer), bytes.TrimSpace(answer))
	if ok := status/100 == 2 && c.Status == nil || slices.Contains(c.Status, status); !ok {
		return fmt.Errorf("%s answers %d", req.URL.Host, status)
	}
	return nil
}

const maxAnswer = 16 << 20 // bytes; more than what a monitor of many plugins says

// ask makes a request and reads the answer. It follows no redirect, which would take a token to another place, and its errors do not show
// the URL, in which a token may stand.
func ask(req *http.Request) (status int, answer []byte, err error) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if known := (*url.Error)(nil); errors.As(err, &known) {
		err = known.Err
	}
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, answer, err
}

// get asks for a page of JSON.
func get(ctx context.Context, at string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	status, answer, err := ask(req)
	switch {
	case err != nil:
		return fmt.Errorf("ask %s: %w", at, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s answers %d", at, status)
	case json.Unmarshal(answer, into) != nil:
		return fmt.Errorf("what %s answers is not the JSON that was expected", at)
	}
	return nil
}
