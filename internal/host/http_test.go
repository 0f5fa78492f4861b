package host

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type (
	response = responseWriter
	request  = http.Request
)

// responseWriter keeps handlers of tests short.
type responseWriter struct{ http.ResponseWriter }

// serve answers on loopback until the test ends. The URL ends with a slash.
func serve(t *testing.T, handler func(*response, *request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(&response{w}, r) }))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func body(r *request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

func TestHTTP(t *testing.T) {
	var got, sent string
	status := 200
	at := serve(t, func(w *response, r *request) {
		sent = body(r)
		got = r.Method + " " + r.URL.EscapedPath() + " " + r.Header.Get("Authorization")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "said \x1b[31m")
	})
	j, _ := job("ssm:/ebb/token", "s3cr3t/x")
	text := "http: {url: '" + at + "leave/${EBB_INSTANCE_ID}/${EBB_GROUP}', headers: {Authorization: 'Bearer ${ssm:/ebb/token}', " +
		`Content-Type: application/json}, body: '{"group": "${EBB_GROUP}"}'}`
	out, err := run(t, parse(t, text), j, time.Minute)
	if err != nil || got != "POST /leave/i-0123456789abcdef0/we%22b Bearer s3cr3t/x" || sent != `{"group": "we\"b"}` {
		t.Errorf("%v\n%s\n%s\n%s", err, got, sent, out)
	}
	contains(t, out, `said \u001b[31m`, "answers 200")
	for code, text := range map[int]string{
		404: "http: {url: 'DELETE " + at + "x', status: [200, 404]}",
		301: "http: {url: '" + at + "x', status: [301]}",
	} {
		status = code
		if out, err := run(t, parse(t, text), j, time.Minute); err != nil {
			t.Errorf("%d: %v\n%s", code, err, out)
		}
	}
	for _, code := range []int{302, 404, 500} {
		status = code
		if out, err := run(t, parse(t, "http: DELETE "+at+"x"), j, time.Minute); err == nil || got != "DELETE /x " {
			t.Errorf("%d: %v %s\n%s", code, err, got, out)
		}
	}
	got = ""
	if err := parse(t, text).Check(context.Background(), j); err != nil || got != "" {
		t.Errorf("check: %v, and it called %s", err, got)
	}
	if err := parse(t, "http: 'http://127.0.0.1:1/'").Check(context.Background(), j); err == nil {
		t.Error("nobody listens, and check says nothing")
	}
	if err := parse(t, "http: '"+at+"${ssm:/none}'").Check(context.Background(), j); err == nil || !strings.Contains(err.Error(), "no such secret") {
		t.Error(err)
	}
}
