package collector

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// transport answers requests with a handler, without a network, and refuses the operations that are denied.
type transport struct {
	handler http.Handler
	mu      *sync.Mutex
	denied  []string // operations
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if operation := operationOf(r, string(body)); slices.Contains(t.denied, operation) {
		refuse(w, r.Header.Get("X-Amz-Target") != "", operation)
		return w.Result(), nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func operationOf(r *http.Request, body string) string {
	target := r.Header.Get("X-Amz-Target")
	if target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	for part := range strings.SplitSeq(body, "&") {
		if action, ok := strings.CutPrefix(part, "Action="); ok {
			return action
		}
	}
	return ""
}

func refuse(w http.ResponseWriter, isJSON bool, operation string) {
	text := "User: arn:aws:iam::111122223333:user/reader is not authorized to perform: " + operation
	if isJSON {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"AccessDeniedException","message":%q}`, text)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>%s</Message></Error></ErrorResponse>`, text)
}

// simulated is a Collector of the SDK's own clients on a world, with pages of one item.
func simulated(t *testing.T, spec sim.Spec, denied ...string) (*Collector, *wire.API) {
	t.Helper()
	world, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: world, Strict: true, PageSize: 1})
	s := New(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: transport{api.Handler(), &sync.Mutex{}, denied}},
	})
	s.Now = world.Now
	return s, api
}

func take(t *testing.T, s *Collector, scope Scope) inventory.Inventory {
	t.Helper()
	got, err := s.Take(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
