package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/journal"
)

// Options are what a Store needs beside the configuration of the AWS SDK and the table.
type Options struct {
	Endpoint string           // URL of DynamoDB alone, such as that of DynamoDB Local; empty: as for all of AWS
	Now      func() time.Time // nil: time.Now
}

const (
	attempts    = 4               // of one request, by the SDK
	callTimeout = 5 * time.Second // for one attempt
	createWait  = 2 * time.Minute
)

// client makes a client that tries again by itself: what it does is the same each time, or has a token.
func client(cfg aws.Config, o Options) *sdk.Client {
	return sdk.NewFromConfig(cfg, func(c *sdk.Options) {
		c.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = attempts
			r.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return pause(attempt), nil })
		})
		if h, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			c.HTTPClient = h.WithTimeout(callTimeout)
		}
		if o.Endpoint != "" {
			c.BaseEndpoint = aws.String(o.Endpoint)
		}
	})
}

func newStore(cfg aws.Config, table string, o Options) *Store {
	s := &Store{api: client(cfg, o), table: table, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Open opens the journal in a table that is there. A newer layout is refused with journal.ErrNewer; an older one is this one from now on,
// and an Ebb that knows only the older is refused when it starts again.
func Open(ctx context.Context, cfg aws.Config, table string, o Options) (*Store, error) {
	s := newStore(cfg, table, o)
	stored, err := s.check(ctx)
	if err == nil && stored < journal.Schema {
		err = s.raise(ctx)
	}
	if err != nil {
		return nil, s.refuse(err, cfg.Region)
	}
	return s, nil
}

// OpenReader is Open for reading only: writing fails, and a role that may only read will do.
func OpenReader(ctx context.Context, cfg aws.Config, table string, o Options) (*Store, error) {
	s := newStore(cfg, table, o)
	s.reader = true
	if _, err := s.check(ctx); err != nil {
		return nil, s.refuse(err, cfg.Region)
	}
	return s, nil
}

// check looks at the table and returns the version of the layout in it, 0 for none.
func (s *Store) check(ctx context.Context) (int64, error) {
	out, err := s.api.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return 0, err
	}
	if err := fits(out.Table); err != nil {
		return 0, err
	}
	got, err := s.api.GetItem(ctx, &sdk.GetItemInput{
		TableName: &s.table, Key: place(partitionSchema, "schema"), ConsistentRead: aws.Bool(true),
	})
	if err != nil || got.Item == nil {
		return 0, err
	}
	r := reading{item: got.Item}
	stored := r.number(version)
	if r.err == nil && stored > journal.Schema {
		r.err = fmt.Errorf("%w (version %d, this one reads up to %d): run that Ebb or a later one, or set journal to another table",
			journal.ErrNewer, stored, journal.Schema)
	}
	return stored, r.err
}

// fits reports what is wrong with a table for a journal.
func fits(t *types.TableDescription) error {
	switch t.TableStatus {
	case types.TableStatusActive, types.TableStatusUpdating:
	default:
		return fmt.Errorf("the table is %s: wait until it is ACTIVE", t.TableStatus)
	}
	var form []string
	for _, k := range t.KeySchema {
		for _, a := range t.AttributeDefinitions {
			if aws.ToString(a.AttributeName) == aws.ToString(k.AttributeName) {
				form = append(form, fmt.Sprintf("%s %s %s", aws.ToString(k.AttributeName), k.KeyType, a.AttributeType))
			}
		}
	}
	if is := strings.Join(form, ", "); is != "pk HASH S, sk RANGE S" {
		return fmt.Errorf("the table's key is %q, but a journal needs %q: set journal to another table", is, "pk HASH S, sk RANGE S")
	}
	return nil
}

// raise writes the version of the layout into a table that is new or has an older one. Another Ebb may just have done so.
func (s *Store) raise(ctx context.Context) error {
	_, err := s.api.PutItem(ctx, &sdk.PutItemInput{
		TableName: &s.table, Item: place(partitionSchema, "schema").with(item{version: number(journal.Schema)}),
		ConditionExpression:       aws.String("attribute_not_exists(pk) OR #version < :version"),
		ExpressionAttributeNames:  map[string]string{"#version": version},
		ExpressionAttributeValues: item{":version": number(journal.Schema)},
	})
	if _, there := errors.AsType[*types.ConditionalCheckFailedException](err); there {
		_, err = s.check(ctx)
	}
	return err
}

// refuse says what to do about a table that cannot be opened.
func (s *Store) refuse(err error, region string) error {
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
		return fmt.Errorf("open journal dynamodb://%s: there is no such table in %s: create it with the template of ebb init, "+
			"or set journal to the table that it made", s.table, region)
	}
	if denied, ok := errors.AsType[smithy.APIError](err); ok && denied.ErrorCode() == "AccessDeniedException" {
		err = fmt.Errorf("%w; give the role the permissions of docs/reference/journal.md on the table", err)
	}
	return s.explain("open", err)
}

// Create makes the table of a journal and waits until it can be used: paid by request, with a time to live. It does nothing to a table that
// is there and is as it should be, and refuses one that is not.
func Create(ctx context.Context, cfg aws.Config, table string, o Options) error {
	s := newStore(cfg, table, o)
	_, err := s.api.CreateTable(ctx, &sdk.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if _, there := errors.AsType[*types.ResourceInUseException](err); there {
		err = nil
	}
	if err == nil {
		err = sdk.NewTableExistsWaiter(s.api).Wait(ctx, &sdk.DescribeTableInput{TableName: &table}, createWait)
	}
	if err == nil {
		_, err = s.check(ctx)
	}
	if err == nil {
		err = s.limitLife(ctx)
	}
	return s.explain("create", err)
}

// limitLife turns the time to live on.
func (s *Store) limitLife(ctx context.Context) error {
	out, err := s.api.DescribeTimeToLive(ctx, &sdk.DescribeTimeToLiveInput{TableName: &s.table})
	if err != nil {
		return err
	}
	is := out.TimeToLiveDescription
	if is != nil && (is.TimeToLiveStatus == types.TimeToLiveStatusEnabled || is.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		if name := aws.ToString(is.AttributeName); name != expires {
			return fmt.Errorf("the table's time to live is by %q, but a journal needs %q: change it, or set journal to another table", name, expires)
		}
		return nil
	}
	_, err = s.api.UpdateTimeToLive(ctx, &sdk.UpdateTimeToLiveInput{
		TableName: &s.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(expires), Enabled: aws.Bool(true)},
	})
	return err
}
