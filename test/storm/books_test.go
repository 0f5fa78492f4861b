package storm

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// books is the journal that the Ebbs of a run share, and a witness of what they write into it: a note that one Ebb leaves for another
// is gone once it was heard, so that no history tells of it.
type books struct {
	journal.Store
	url      string                 // as a configuration has it
	env      []string               // what an Ebb needs to reach it
	requests func() int             // by Ebbs so far; 0 where there is no service to ask
	noted    func() ([]note, error) // the notes that were stored so far
	close    func()                 // the witness and the store

	path    string       // of a file
	witness *sql.DB      // on that file
	down    *atomic.Bool // the table does not answer; nil: it is a file
}

// note is what the witness saw of a note.
type note struct {
	At   time.Time // in real time, when it was stored for certain
	Body string
}

// openBooks makes an empty journal.
func openBooks(ctx context.Context, o options) (*books, error) {
	if o.journal == dynamodbJournal {
		return openTable(ctx, fmt.Sprintf("storm-%d-%d", o.seed, time.Now().UnixNano()))
	}
	return openFile(ctx, filepath.Join(o.dir, "journal.db"))
}

// entries are notes as a run's evidence: the drain that a note names counts as in the journal.
func entries(ns []note, world func(time.Time) time.Time) []core.Entry {
	var all []core.Entry
	for _, n := range ns {
		if e := event.Parse([]byte(n.Body)); e.Kind == event.TerminateAction {
			all = append(all, core.Entry{
				At: world(n.At), Kind: core.EntryJournal, Group: e.Group, Hook: e.Hook, Instance: string(e.Instance), Text: e.Token, To: "noted",
			})
		}
	}
	return all
}

// read reads what the journal says in the end.
func (b *books) read(ctx context.Context) (drains []journal.Record, lines []journal.Line, err error) {
	open, errOpen := b.Open(ctx)
	ended, errEnded := b.Recent(ctx, 0)
	lines, errLines := b.History(ctx, journal.Query{})
	return append(open, ended...), lines, errors.Join(errOpen, errEnded, errLines)
}

// trigger is the witness of a journal in SQLite. It belongs to the transaction of the Ebb that writes, and keeps each note, and when it was
// stored, in a table of its own.
const trigger = `
CREATE TABLE storm_note (at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TRIGGER storm_noted AFTER INSERT ON note BEGIN
	INSERT INTO storm_note VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.body);
END`

// openFile makes a journal in SQLite.
func openFile(ctx context.Context, path string) (*books, error) {
	store, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	witness, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)") // the driver is that of the journal; Ebb may hold its lock
	if err == nil {
		_, err = witness.ExecContext(ctx, trigger)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set a witness to %s: %w", path, err), store.Close())
	}
	return &books{
		Store: store, path: path, witness: witness, url: "sqlite://" + path, requests: func() int { return 0 },
		noted: func() ([]note, error) { return storedIn(witness) },
		close: func() {
			witness.Close()
			store.Close()
		},
	}, nil
}

func storedIn(witness *sql.DB) (all []note, err error) {
	var text []byte
	row := witness.QueryRow("SELECT json_group_array(json_object('At', at, 'Body', body)) FROM storm_note")
	if err := row.Scan(&text); err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &all)
	return all, err
}

// dynamodbLocal names where DynamoDB Local listens.
const dynamodbLocal = "EBB_DYNAMODB_ENDPOINT"

// openTable makes a journal in DynamoDB Local. The Ebbs speak with it through its witness.
func openTable(ctx context.Context, name string) (*books, error) {
	local, err := url.Parse(os.Getenv(dynamodbLocal))
	if ip := net.ParseIP(local.Hostname()); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s does not name DynamoDB Local on this machine; run it as bash test/dynamodb/run.sh bash test/long.sh storm "+
			"-journal dynamodb", dynamodbLocal)
	}
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("storm", "none", "")}
	direct := dynamodb.Options{Endpoint: local.String()}
	if err := dynamodb.Create(ctx, cfg, name, direct); err != nil {
		return nil, err
	}
	store, err := dynamodb.Open(ctx, cfg, name, direct)
	if err != nil {
		return nil, err
	}
	w := &witness{local: local, transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	server := httptest.NewServer(w)
	return &books{
		Store: store, down: &w.down, url: "dynamodb://" + name, env: []string{dynamodbLocal + "=" + server.URL}, noted: w.noted,
		requests: func() int { return int(w.count.Load()) },
		close: func() {
			server.Close()
			store.Close()
		},
	}, nil
}

// witness is a proxy in front of DynamoDB Local, which counts requests and sees what was stored.
type witness struct {
	local     *url.URL
	transport *http.Transport
	count     atomic.Int64
	down      atomic.Bool // it breaks every connection

	mu    sync.Mutex
	notes []note
}

func (t *witness) noted() ([]note, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notes, nil
}

// ServeHTTP hands a request on. An Ebb that was killed gets no answer, but what it wrote is stored.
func (t *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.down.Load() {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the Ebb was killed while it asked
	}
	t.count.Add(1)
	r.Body = io.NopCloser(bytes.NewReader(body))
	onward := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(t.local) }, Transport: t.transport, ErrorLog: log.New(io.Discard, "", 0),
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusOK && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") {
				t.stored(body)
			}
			return nil
		},
	}
	onward.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

// stored keeps the notes of a transaction that DynamoDB has taken.
func (t *witness) stored(body []byte) {
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

// TestTheWitnessSeesNotes: a note that was heard is gone from the journal, and the witness has seen it all the same.
func TestTheWitnessSeesNotes(t *testing.T) {
	before := time.Now().Add(-time.Second)
	b, err := openFile(t.Context(), t.TempDir()+"/journal.db")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	note := journal.Forwarded{Scope: "s", ID: "m-1", Body: `{"a":"\"b\""}`, Sent: time.Now()}
	if err := b.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{note}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Discard(t.Context(), []journal.Forwarded{note}); err != nil {
		t.Fatal(err)
	}
	seen, err := b.noted()
	after := time.Now().Add(time.Second)
	if err != nil || len(seen) != 1 || seen[0].Body != note.Body || seen[0].At.Before(before) || seen[0].At.After(after) {
		t.Errorf("the witness has seen %v, %v", seen, err)
	}
}
