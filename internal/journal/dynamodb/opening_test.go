package dynamodb

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/journal"
)

// served is DynamoDB that has a journal's table and answers one operation with an error. It returns what it was asked.
func served(t *testing.T, refused string) (aws.Config, Options, *[]string) {
	t.Helper()
	table := `{"TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],` +
		`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}]}`
	answers := map[string]string{
		"DescribeTable":      `{"Table":` + table + `}`,
		"GetItem":            fmt.Sprintf(`{"Item":{%q:{"N":"%d"}}}`, version, journal.Schema),
		"DescribeTimeToLive": `{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"` + expires + `"}}`,
	}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		asked = append(asked, operation)
		answer := answers[operation]
		if operation == refused {
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"__type":"AccessDeniedException","message":"you may not"}`
		}
		if _, err := fmt.Fprint(w, answer); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ebb", SecretAccessKey: "none"}, nil
	})
	return aws.Config{Region: "eu-west-1", Credentials: credentials}, Options{Endpoint: server.URL}, &asked
}

// A journal that is as this Ebb writes it is only looked at: a role that may not raise it opens it.
func TestAJournalOfThisVersionIsNotRaised(t *testing.T) {
	cfg, o, asked := served(t, "")
	if _, err := Open(t.Context(), cfg, "t", o); err != nil {
		t.Error(err)
	}
	if want := []string{"DescribeTable", "GetItem"}; !slices.Equal(*asked, want) {
		t.Errorf("asked %q, want %q", *asked, want)
	}
}

// What cannot be created is not waited for, and the error says why.
func TestATableThatMayNotBeCreated(t *testing.T) {
	for refused, want := range map[string][]string{
		"":              {"CreateTable", "DescribeTable", "DescribeTable", "GetItem", "DescribeTimeToLive"},
		"CreateTable":   {"CreateTable"},
		"GetItem":       {"CreateTable", "DescribeTable", "DescribeTable", "GetItem"},
		"DescribeTable": {"CreateTable", "DescribeTable"},
	} {
		cfg, o, asked := served(t, refused)
		err := Create(t.Context(), cfg, "t", o)
		if (err == nil) != (refused == "") || err != nil && (!strings.Contains(err.Error(), "you may not") || !strings.Contains(err.Error(), refused)) {
			t.Errorf("%s is refused: %v", refused, err)
		}
		if !slices.Equal(*asked, want) {
			t.Errorf("%s is refused: asked %q, want %q", refused, *asked, want)
		}
	}
}

// The lines of a record are an item of their own, however many they are.
func TestALotOfLinesBesideManyItems(t *testing.T) {
	for messagesBeside, want := range map[int]int{97: 1, 99: 2} {
		b := journal.Batch{Forwarded: messages(messagesBeside, 0), Records: several(1, 0)}
		for range maxLines {
			b.Lines = append(b.Lines, journal.Line{Key: b.Records[0].Key})
		}
		parts, err := split(b)
		if err != nil || len(parts) != want {
			t.Errorf("%d messages: %d transactions, want %d, error %v", messagesBeside, len(parts), want, err)
		}
		for _, p := range parts {
			if items, _, _ := measured(p); items > maxItems {
				t.Errorf("%d messages: a transaction of %d items", messagesBeside, items)
			}
		}
	}
}
