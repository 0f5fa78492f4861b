package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/notice"
)

// send posts a notice to a URL, as JSON or as its template says. The header Idempotency-Key is the key of the notice: a receiver that has
// had it can drop what comes again.
func (s *Sender) send(ctx context.Context, r Route, n notice.Notice, secret string) error {
	url, err := address(secret)
	if err != nil {
		return err
	}
	body := r.Template
	if body == "" {
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("write the notice as JSON: %w", err)
		}
		body = string(b)
	} else {
		body = fill(body, n)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", n.Key)
	req.Header.Set("User-Agent", "ebb")
	res, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("post the notice: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return answered(res.StatusCode, res.Header.Get("Retry-After"))
}

// placeholder is a name in a template.
var placeholder = regexp.MustCompile(`\{\{ *\.?([A-Za-z]+) *\}\}`)

// fields are the names that a template can use, and what stands there: as JSON without the quotation marks around it.
func fields(n notice.Notice) map[string]string {
	text := func(s string) string {
		b, _ := json.Marshal(s) // a string always marshals
		return string(b[1 : len(b)-1])
	}
	return map[string]string{
		"Key": text(n.Key), "Event": text(string(n.Event)), "At": n.At.UTC().Format("2006-01-02T15:04:05Z"), "Drain": text(n.Drain),
		"Cluster": text(n.Cluster), "Group": text(n.Group), "Instance": text(n.Instance), "Title": text(n.Title), "Text": text(n.Text),
		"Outcome": text(n.Outcome), "CutOff": text(strings.Join(n.CutOff, ", ")), "Fix": text(n.Fix),
	}
}

func fill(template string, n notice.Notice) string {
	values := fields(n)
	return placeholder.ReplaceAllStringFunc(template, func(s string) string { return values[placeholder.FindStringSubmatch(s)[1]] })
}

// CheckTemplate returns an error if a template has a placeholder that nothing stands for, or is no JSON once it is filled in.
func CheckTemplate(template string) error {
	values := fields(notice.Notice{})
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, "{{."+name+"}}")
	}
	slices.Sort(names)
	for _, found := range placeholder.FindAllStringSubmatch(template, -1) {
		if _, ok := values[found[1]]; !ok {
			return fmt.Errorf("the template has {{.%s}}; write one of %s", found[1], strings.Join(names, ", "))
		}
	}
	if filled := fill(template, notice.Notice{}); !json.Valid([]byte(filled)) {
		return fmt.Errorf("the template is no JSON once it is filled in; each placeholder stands between quotation marks, as in %s", `{"text": "{{.Title}}"}`)
	}
	return nil
}
