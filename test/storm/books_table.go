package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
)

// table is a journal in DynamoDB Local. Its witness is a proxy, through which the Ebbs speak with it: it counts their requests and sees
// what was stored.
type table struct {
	*dynamodb.Store
	name     string
	endpoint string // of the witness
	server   *http.Server
	ended    sync.WaitGroup

	mu    sync.Mutex
	count int
	notes []note
}

// dynamodbLocal names where DynamoDB Local listens.
const dynamodbLocal = "EBB_DYNAMODB_ENDPOINT"

func openTable(ctx context.Context, o options) (*table, error) {
	local, err := url.Parse(os.Getenv(dynamodbLocal))
	if ip := net.ParseIP(local.Hostname()); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s does not name DynamoDB Local on this machine; run it as go run ./test/dynamodb -- go run ./test/storm "+
			"-journal dynamodb", dynamodbLocal)
	}
	t := &table{name: fmt.Sprintf("storm-%d-%d", o.seed, time.Now().UnixNano())}
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("storm", "none", "")}
	direct := dynamodb.Options{Endpoint: local.String()}
	if err := dynamodb.Create(ctx, cfg, t.name, direct); err != nil {
		return nil, err
	}
	if t.Store, err = dynamodb.Open(ctx, cfg, t.name, direct); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the Ebbs' requests of DynamoDB: %w", err)
	}
	t.endpoint = "http://" + l.Addr().String()
	t.server = &http.Server{Handler: t.proxy(local), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	t.ended.Go(func() { _ = t.server.Serve(l) }) // ends with ErrServerClosed
	return t, nil
}

func (t *table) url() string          { return "dynamodb://" + t.name }
func (t *table) env() []string        { return []string{dynamodbLocal + "=" + t.endpoint} }
func (t *table) store() journal.Store { return t.Store }

func (t *table) close() error {
	err := t.server.Close()
	t.ended.Wait()
	return errors.Join(err, t.Close())
}

func (t *table) requests() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

func (t *table) noted() ([]note, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notes, nil
}

// proxy hands requests on. An Ebb that was killed gets no answer, but what it wrote is stored.
func (t *table) proxy(local *url.URL) http.Handler {
	onward := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(local) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorLog:  log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if body, ok := r.Request.Context().Value(bodyKey{}).([]byte); ok && r.StatusCode == http.StatusOK {
				t.stored(body)
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the Ebb was killed while it asked
		}
		t.mu.Lock()
		t.count++
		t.mu.Unlock()
		ctx := context.WithoutCancel(r.Context())
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") {
			ctx = context.WithValue(ctx, bodyKey{}, body)
		}
		r = r.WithContext(ctx)
		r.Body = io.NopCloser(bytes.NewReader(body))
		onward.ServeHTTP(w, r)
	})
}

type bodyKey struct{}

// stored keeps the notes of a transaction that DynamoDB has taken.
func (t *table) stored(body []byte) {
	type text struct{ S string }
	var in struct {
		TransactItems []struct {
			Update struct {
				Key                       map[string]text
				ExpressionAttributeValues map[string]text
			}
		}
	}
	if json.Unmarshal(body, &in) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range in.TransactItems {
		if strings.HasPrefix(i.Update.Key["pk"].S, "note/") {
			t.notes = append(t.notes, note{time.Now(), i.Update.ExpressionAttributeValues[":body"].S})
		}
	}
}
