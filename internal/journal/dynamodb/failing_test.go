package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/journal"
)

// fails is DynamoDB that answers as a good table does, except to the operation of this name: to that it answers this error.
type fails struct {
	api
	operation string
	err       error
	keys      []types.KeySchemaElement
	life      *types.TimeToLiveDescription
	stored    item // the version of the layout
	puts      []*sdk.PutItemInput
	lives     []*sdk.UpdateTimeToLiveInput
}

func (d *fails) to(operation string) error {
	if d.operation == operation {
		return d.err
	}
	return nil
}

func (d *fails) DescribeTable(context.Context, *sdk.DescribeTableInput, ...func(*sdk.Options)) (*sdk.DescribeTableOutput, error) {
	text := types.ScalarAttributeTypeS
	return &sdk.DescribeTableOutput{Table: &types.TableDescription{
		TableStatus: types.TableStatusActive, KeySchema: d.keys,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: text}, {AttributeName: aws.String("sk"), AttributeType: text},
		},
	}}, d.to("DescribeTable")
}

func (d *fails) GetItem(context.Context, *sdk.GetItemInput, ...func(*sdk.Options)) (*sdk.GetItemOutput, error) {
	if err := d.to("GetItem"); err != nil {
		return nil, err // as the SDK does
	}
	return &sdk.GetItemOutput{Item: d.stored}, nil
}

func (d *fails) PutItem(_ context.Context, in *sdk.PutItemInput, _ ...func(*sdk.Options)) (*sdk.PutItemOutput, error) {
	d.puts = append(d.puts, in)
	return &sdk.PutItemOutput{}, d.to("PutItem")
}

func (d *fails) DescribeTimeToLive(context.Context, *sdk.DescribeTimeToLiveInput, ...func(*sdk.Options)) (*sdk.DescribeTimeToLiveOutput, error) {
	return &sdk.DescribeTimeToLiveOutput{TimeToLiveDescription: d.life}, d.to("DescribeTimeToLive")
}

func (d *fails) UpdateTimeToLive(_ context.Context, in *sdk.UpdateTimeToLiveInput, _ ...func(*sdk.Options)) (*sdk.UpdateTimeToLiveOutput, error) {
	d.lives = append(d.lives, in)
	return &sdk.UpdateTimeToLiveOutput{}, d.to("UpdateTimeToLive")
}

func (d *fails) TransactWriteItems(context.Context, *sdk.TransactWriteItemsInput, ...func(*sdk.Options)) (*sdk.TransactWriteItemsOutput, error) {
	return &sdk.TransactWriteItemsOutput{}, d.to("TransactWriteItems")
}

func good() *fails {
	return &fails{keys: []types.KeySchemaElement{
		{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
	}}
}

func storeOf(a api) *Store { return &Store{api: a, table: "t", now: func() time.Time { return start }} }

// readOf are all reads of a store, by name.
var readOf = map[string]func(context.Context, *Store) error{
	"open":      func(ctx context.Context, s *Store) error { return second(s.Open(ctx)) },
	"recent":    func(ctx context.Context, s *Store) error { return second(s.Recent(ctx, 0)) },
	"history":   func(ctx context.Context, s *Store) error { return second(s.History(ctx, journal.Query{Since: start})) },
	"leases":    func(ctx context.Context, s *Store) error { return second(s.Leases(ctx)) },
	"forwarded": func(ctx context.Context, s *Store) error { return second(s.Forwarded(ctx, []string{"prod"})) },
}

// reads are the errors of all reads.
func reads(ctx context.Context, s *Store) map[string]error {
	errs := map[string]error{}
	for name, read := range readOf {
		errs[name] = read(ctx, s)
	}
	return errs
}

// stops is DynamoDB that answers so many pages of nothing and then an error.
type stops struct {
	api
	pages int
}

func (d *stops) Query(context.Context, *sdk.QueryInput, ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	if d.pages--; d.pages < 0 {
		return nil, errors.New("no network")
	}
	return &sdk.QueryOutput{LastEvaluatedKey: place("a", "b")}, nil
}

// What could not be read is an error that names the journal, never an answer with less in it.
func TestAReadThatFails(t *testing.T) {
	for name, read := range readOf {
		for page := range 2 {
			if err := read(t.Context(), storeOf(&stops{pages: page})); err == nil || err.Error() != "read journal dynamodb://t: no network" {
				t.Errorf("%s that fails on page %d: error %v", name, page+1, err)
			}
		}
	}
}

// What is cancelled, or comes after the end, asks DynamoDB for nothing.
func TestNothingIsAskedForInVain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &holds{}
	closed := storeOf(d)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, errs := range map[string]map[string]error{"context canceled": reads(ctx, storeOf(d)), "already closed": reads(t.Context(), closed)} {
		for what, err := range errs {
			if err == nil || !strings.HasPrefix(err.Error(), "read journal dynamodb://t: "+name) || len(d.in) > 0 {
				t.Errorf("%s: error %v, %d requests", what, err, len(d.in))
			}
		}
	}
	for name, c := range map[string]struct {
		ctx context.Context
		of  func(api) *Store
	}{
		"context canceled": {ctx, storeOf},
		"already closed":   {t.Context(), func(a api) *Store { return &Store{api: a, table: "t", now: closed.now, closed: true} }},
	} {
		a := &answers{errs: []error{nil}}
		s := c.of(a)
		for what, err := range map[string]error{
			"write":   s.Write(c.ctx, journal.Batch{Records: several(1, 0)}),
			"claim":   s.Claim(c.ctx, journal.Lease{}, journal.Lease{Scope: "prod", Fence: 1}),
			"discard": s.Discard(c.ctx, messages(1, 0)),
		} {
			if err == nil || err.Error() != "write journal dynamodb://t: "+name || len(a.got) > 0 {
				t.Errorf("%s: error %v, %d requests", what, err, len(a.got))
			}
		}
	}
}

// holds is DynamoDB that answers every query with one page of these items.
type holds struct {
	api
	items []map[string]types.AttributeValue
	in    []*sdk.QueryInput
}

func (d *holds) Query(_ context.Context, in *sdk.QueryInput, _ ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	d.in = append(d.in, in)
	return &sdk.QueryOutput{Items: d.items}, nil
}

// An item that Ebb has not written is an error of whatever reads it.
func TestReadingWhatEbbHasNotWritten(t *testing.T) {
	bad := place("x", padded(1)).with(item{lines: &types.AttributeValueMemberL{Value: []types.AttributeValue{number(1)}}})
	for name, err := range reads(t.Context(), storeOf(&holds{items: []map[string]types.AttributeValue{bad}})) {
		if err == nil || !strings.HasPrefix(err.Error(), "read journal dynamodb://t: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	line := func(change func(item)) item {
		v := lineItem(journal.Line{At: start, Key: "k", Kind: "told", Text: "t", Data: []byte("d")}).(*types.AttributeValueMemberM)
		change(v.Value)
		return place("lines/2026-11-21", padded(1)).with(item{lines: &types.AttributeValueMemberL{Value: []types.AttributeValue{v}}})
	}
	record := func(change func(item)) item {
		it := place("open", "a").with(recordItem(journal.Record{Key: "a/b", Rev: 1, Body: []byte("b")}))
		change(it)
		return it
	}
	note := func(change func(item)) item {
		it := place("note/a", "m").with(item{body: text("b"), sent: when(start), stamped: number(1)})
		change(it)
		return it
	}
	for what, err := range map[string]error{
		`no proper "data"`: second(line(func(it item) { it[data] = text("x") }).history()),
		`no proper "kind"`: second(line(func(it item) { delete(it, kind) }).history()),
		`has no proper "key": something other than Ebb has written`: second(record(func(it item) { it[key], it[rev] = number(1), text("1") }).record(true)),
		`open / a has no proper "body"`:                             second(record(func(it item) { it[body] = text("b") }).record(true)),
		`open / a has no proper "rev"`:                              second(record(func(it item) { delete(it, rev) }).record(true)),
		`note/a / m has no proper "stamped"`:                        second(note(func(it item) { delete(it, stamped) }).forwarded("a")),
		`note/a / m has no proper "sent"`:                           second(note(func(it item) { it[sent] = text("now") }).forwarded("a")),
		`lines / first is no history`:                               second(place("lines", "first").with(item{lines: &types.AttributeValueMemberL{}}).history()),
		`is no history`:                                             second(place("lines", padded(1)).with(item{lines: text("x")}).history()),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q, got %v", what, err)
		}
	}
	// What has no body or data has no such attribute, which DynamoDB need not keep.
	if _, has := recordItem(journal.Record{Body: []byte{}})[body]; has {
		t.Error("a record without a body has one")
	}
	for n := range 2 {
		_, has := lineItem(journal.Line{Data: make([]byte, n)}).(*types.AttributeValueMemberM).Value[data]
		_, hasBody := recordItem(journal.Record{Body: make([]byte, n)})[body]
		if has != (n > 0) || hasBody != (n > 0) {
			t.Errorf("of %d bytes: data %v, body %v", n, has, hasBody)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A read with a limit asks for no more items than that, so that no more is paid for; one that may have to skip items asks for all.
func TestAReadAsksForNoMoreThanItNeeds(t *testing.T) {
	for limit, want := range map[int]int32{0: 0, 1: 1, 2: 2, 999: 999, 1000: 1000, 1001: 0} {
		recent, lines, since, ofKey := &holds{}, &holds{}, &holds{}, &holds{}
		_, errRecent := storeOf(recent).Recent(t.Context(), limit)
		_, errLines := storeOf(lines).History(t.Context(), journal.Query{Limit: limit})
		_, errSince := storeOf(since).History(t.Context(), journal.Query{Limit: limit, Since: start})
		_, errKey := storeOf(ofKey).History(t.Context(), journal.Query{Limit: limit, Key: "k"})
		if err := errors.Join(errRecent, errLines, errSince, errKey); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			in   *sdk.QueryInput
			want int32
		}{"recent": {recent.in[0], want}, "lines": {lines.in[0], want}, "since": {since.in[0], 0}, "of a key": {ofKey.in[0], 0}} {
			if got := aws.ToInt32(c.in.Limit); got != c.want || (c.in.Limit != nil) != (c.want > 0) {
				t.Errorf("%s with limit %d asks for %d items", name, limit, got)
			}
		}
	}
}

// The history is read of the days that are asked for: a day before it, since clocks differ, and as far back as it is kept.
func TestTheDaysOfTheHistory(t *testing.T) {
	for name, c := range map[string]struct {
		q            journal.Query
		days         int
		newest, last string
	}{
		"all":                 {journal.Query{}, 31, "2026-11-21", "2026-10-22"},
		"since today":         {journal.Query{Since: start}, 2, "2026-11-21", "2026-11-20"},
		"since long ago":      {journal.Query{Since: start.Add(-1000 * day)}, 31, "2026-11-21", "2026-10-22"},
		"after a line of now": {journal.Query{After: start.UnixMicro() * maxLines}, 1, "2026-11-21", "2026-11-21"},
	} {
		d := &holds{}
		if _, err := storeOf(d).History(t.Context(), c.q); err != nil {
			t.Fatal(err)
		}
		first, last := partitionOf(d.in[0]), partitionOf(d.in[len(d.in)-1])
		if len(d.in) != c.days || first != "lines/"+c.newest || last != "lines/"+c.last {
			t.Errorf("%s: %d days from %s back to %s", name, len(d.in), first, last)
		}
	}
}

// A table that cannot be opened or made is an error that says what failed, whatever failed; what is there already is no error.
func TestOpeningFails(t *testing.T) {
	gone := &types.ResourceNotFoundException{}
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	other := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "slow"}
	for _, operation := range []string{"DescribeTable", "GetItem", "DescribeTimeToLive", "UpdateTimeToLive", "PutItem"} {
		d := good()
		d.operation, d.err = operation, errors.New("no network")
		s := storeOf(d)
		_, errCheck := s.check(t.Context())
		errLife, errRaise := s.limitLife(t.Context()), s.raise(t.Context())
		for name, c := range map[string]struct {
			err  error
			want bool
		}{
			"check": {errCheck, operation == "DescribeTable" || operation == "GetItem"},
			"life":  {errLife, operation == "DescribeTimeToLive" || operation == "UpdateTimeToLive"},
			"raise": {errRaise, operation == "PutItem"},
		} {
			if (c.err != nil) != c.want {
				t.Errorf("%s while %s fails: error %v", name, operation, c.err)
			}
		}
	}
	s := storeOf(good())
	for want, err := range map[string]error{
		"there is no such table in eu-west-1":                     gone,
		"no; give the role the permissions of docs/reference":     denied,
		"open journal dynamodb://t: api error Throttling":         other,
		"open journal dynamodb://t: something else":               errors.New("something else"),
		"open journal dynamodb://t: there is no such table in eu": fmt.Errorf("describe: %w", gone),
	} {
		err := s.refuse(err, "eu-west-1")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "give the role") != strings.Contains(want, "give the role") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The version of the layout is read as it stands; one that is newer, or no number, is refused. Another Ebb may raise it at the same time.
func TestTheVersionOfTheLayout(t *testing.T) {
	for name, c := range map[string]struct {
		stored item
		want   int64
		err    string
	}{
		"none":      {nil, 0, ""},
		"older":     {item{version: number(journal.Schema - 1)}, journal.Schema - 1, ""},
		"this":      {item{version: number(journal.Schema)}, journal.Schema, ""},
		"newer":     {item{version: number(journal.Schema + 1)}, 0, journal.ErrNewer.Error()},
		"too large": {item{version: &types.AttributeValueMemberN{Value: strings.Repeat("9", 30)}}, 0, `no proper "version"`},
		"no number": {item{version: text("one")}, 0, `no proper "version"`},
	} {
		d := good()
		d.stored = c.stored
		stored, err := storeOf(d).check(t.Context())
		if c.err == "" && stored != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: version %d, error %v", name, stored, err)
		}
		d.operation, d.err = "PutItem", &types.ConditionalCheckFailedException{}
		if err := storeOf(d).raise(t.Context()); (err == nil) != (c.err == "") {
			t.Errorf("%s, raised by another: error %v", name, err)
		}
	}
}

// The time to live is turned on where it is not, and left where it is on or comes on; one by another attribute is refused.
func TestTheTimeToLive(t *testing.T) {
	life := func(status types.TimeToLiveStatus, name string) *types.TimeToLiveDescription {
		return &types.TimeToLiveDescription{TimeToLiveStatus: status, AttributeName: aws.String(name)}
	}
	for name, c := range map[string]struct {
		is      *types.TimeToLiveDescription
		set     int
		refused bool
	}{
		"nothing":            {nil, 1, false},
		"off":                {life(types.TimeToLiveStatusDisabled, ""), 1, false},
		"on":                 {life(types.TimeToLiveStatusEnabled, expires), 0, false},
		"coming on":          {life(types.TimeToLiveStatusEnabling, expires), 0, false},
		"on by another":      {life(types.TimeToLiveStatusEnabled, "dies"), 0, true},
		"coming, by another": {life(types.TimeToLiveStatusEnabling, "dies"), 0, true},
		"off by another":     {life(types.TimeToLiveStatusDisabled, "dies"), 1, false},
	} {
		d := good()
		d.life = c.is
		if err := storeOf(d).limitLife(t.Context()); (err != nil) != c.refused || len(d.lives) != c.set {
			t.Errorf("%s: set %d times, error %v", name, len(d.lives), err)
		}
	}
}

// A claim that meets another request for the lease is made again; any other failure is an error that is no conflict.
func TestAClaimThatFails(t *testing.T) {
	is := journal.Lease{Scope: "prod", Holder: "x", Fence: 1, Beat: 1, At: start}
	d := good()
	d.operation, d.err = "PutItem", &types.TransactionConflictException{}
	if err := storeOf(d).Claim(t.Context(), journal.Lease{}, is); len(d.puts) != tries || err == nil || errors.Is(err, journal.ErrConflict) {
		t.Errorf("a busy lease: %d tries, error %v", len(d.puts), err)
	} else if !errors.Is(err, d.err) {
		t.Errorf("a busy lease: the error does not say what DynamoDB answered: %v", err)
	}
	d = good()
	d.operation, d.err = "PutItem", errors.New("no network")
	if err := storeOf(d).Claim(t.Context(), journal.Lease{}, is); len(d.puts) != 1 || err == nil || errors.Is(err, journal.ErrConflict) {
		t.Errorf("no network: %d tries, error %v", len(d.puts), err)
	}
	// Each part of a lease makes it another one than that of this claim.
	for what, change := range map[string]func(*journal.Lease){
		"nothing": func(*journal.Lease) {}, "scope": func(l *journal.Lease) { l.Scope = "test" }, "holder": func(l *journal.Lease) { l.Holder = "y" },
		"fence": func(l *journal.Lease) { l.Fence++ }, "beat": func(l *journal.Lease) { l.Beat++ },
		"duration": func(l *journal.Lease) { l.For++ }, "time": func(l *journal.Lease) { l.At = l.At.Add(1) },
	} {
		has := is
		change(&has)
		d.err = &types.ConditionalCheckFailedException{Item: leaseItem(has)}
		if err := storeOf(d).Claim(t.Context(), journal.Lease{}, is); errors.Is(err, journal.ErrConflict) != (what != "nothing") {
			t.Errorf("a stored lease with another %s: error %v", what, err)
		}
	}
	d.err = &types.ConditionalCheckFailedException{}
	if err := storeOf(d).Claim(t.Context(), journal.Lease{}, journal.Lease{}); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("no stored lease: error %v", err)
	}
}

// A write or a discard that fails is an error that names the journal; each transaction must go well.
func TestAWriteThatFails(t *testing.T) {
	d := good()
	d.operation, d.err = "TransactWriteItems", errors.New("no network")
	for name, err := range map[string]error{
		"write":   storeOf(d).Write(t.Context(), journal.Batch{Records: several(1, 0)}),
		"discard": storeOf(d).Discard(t.Context(), messages(1, 0)),
	} {
		if err == nil || err.Error() != "write journal dynamodb://t: no network" {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for n, want := range map[int]int{0: 0, 1: 1, 100: 1, 101: 2} {
		a := &answers{errs: []error{nil}}
		if err := storeOf(a).Discard(t.Context(), messages(n, 0)); err != nil || len(a.got) != want {
			t.Errorf("discard %d: %d transactions, error %v", n, len(a.got), err)
		}
	}
	a := &answers{errs: []error{nil, errors.New("no network")}}
	if err := storeOf(a).Discard(t.Context(), messages(300, 0)); err == nil || len(a.got) != 2 {
		t.Errorf("discard in parts: %d transactions, error %v", len(a.got), err)
	}
	a = &answers{errs: []error{nil}}
	twice := append(several(1, 0), several(1, 0)...)
	if err := storeOf(a).Write(t.Context(), journal.Batch{Records: twice}); !errors.Is(err, journal.ErrConflict) || len(a.got) > 0 {
		t.Errorf("one revision twice: %d transactions, error %v", len(a.got), err)
	}
	a = &answers{errs: []error{nil, errors.New("no network")}}
	if err := storeOf(a).Write(t.Context(), journal.Batch{Records: several(300, 0)}); err == nil || len(a.got) != 2 {
		t.Errorf("write in parts: %d transactions, error %v", len(a.got), err)
	}
}

// The client tries a request four times with short pauses, and speaks to the endpoint that it is given.
func TestTheClient(t *testing.T) {
	cfg := aws.Config{Region: "eu-west-1", HTTPClient: awshttp.NewBuildableClient()}
	c := client(cfg, Options{Endpoint: "http://127.0.0.1:1"}).Options()
	if c.Retryer.MaxAttempts() != 4 || aws.ToString(c.BaseEndpoint) != "http://127.0.0.1:1" {
		t.Errorf("%d attempts at %s", c.Retryer.MaxAttempts(), aws.ToString(c.BaseEndpoint))
	}
	for range 300 {
		if d, err := c.Retryer.RetryDelay(1, errors.New("x")); d > 50*time.Millisecond || err != nil {
			t.Fatalf("a pause of %s before the second attempt, error %v", d, err)
		}
	}
	if c := client(cfg, Options{}).Options(); c.BaseEndpoint != nil {
		t.Errorf("without an endpoint: %s", *c.BaseEndpoint)
	}
	if now := newStore(cfg, "t", Options{}).now(); time.Since(now).Abs() > time.Minute {
		t.Errorf("the clock says %s", now)
	}
	if now := newStore(cfg, "t", Options{Now: func() time.Time { return start }}).now(); !now.Equal(start) {
		t.Errorf("the given clock says %s", now)
	}
}

// Pauses become longer, are random and have an end.
func TestPauses(t *testing.T) {
	for try, most := range map[int]time.Duration{
		0: 25 * time.Millisecond, 1: 50 * time.Millisecond, 9: 12800 * time.Millisecond, 10: 25600 * time.Millisecond, 1000: 25600 * time.Millisecond,
	} {
		longest, shortest := time.Duration(0), time.Hour
		for range 300 {
			longest, shortest = max(longest, pause(try)), min(shortest, pause(try))
		}
		if shortest < 0 || shortest > most/2 || longest > most || longest < most*3/4 {
			t.Errorf("after %d tries: pauses between %s and %s, want up to %s", try, shortest, longest, most)
		}
	}
}
