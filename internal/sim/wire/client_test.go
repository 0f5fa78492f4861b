package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// inProcess carries requests to a handler without a socket.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (res *http.Response, err error) {
	defer func() {
		p := recover()
		if cause, ok := p.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			res, err = nil, io.ErrUnexpectedEOF
		} else if p != nil {
			panic(p)
		}
	}()
	body := []byte{}
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.Host = r.URL.Host
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, in)
	return w.Result(), nil
}

// config is how the SDK's clients reach a handler. Nothing in it comes from the environment.
func config(h http.Handler) aws.Config {
	return aws.Config{
		Region:           "eu-west-1",
		Credentials:      credentials.NewStaticCredentialsProvider("ebb", "secret", ""),
		BaseEndpoint:     aws.String("http://sim.invalid"),
		HTTPClient:       &http.Client{Transport: inProcess{h}},
		RetryMaxAttempts: 1,
	}
}

// post sends a hand-made request for a service to a handler.
func post(h http.Handler, service, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://sim.invalid/", strings.NewReader(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=operator/20261121/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
