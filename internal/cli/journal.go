package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/dynamodb"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/journal/sqlite"
)

// openJournal opens the journal that the configuration names for the controller.
func openJournal(ctx context.Context, cfg config.Config, awsCfg aws.Config, log *slog.Logger) (journal.Store, error) {
	if table := cfg.JournalTable(); table != "" {
		s, err := dynamodb.Open(ctx, awsCfg, table, dynamodb.Options{Endpoint: cfg.JournalEndpoint})
		return s, unopened(cfg, err)
	}
	if file := cfg.JournalFile(); file != "" {
		s, err := sqlite.Open(file, sqlite.Options{Log: log})
		return s, misconfigured(err)
	}
	return memory.New(), nil
}

// readJournal opens the journal for reading only. One in memory cannot be read: the error is errNoJournal.
func readJournal(ctx context.Context, cfg config.Config) (journal.Store, error) {
	if table := cfg.JournalTable(); table != "" {
		awsCfg, err := cloud.AWSConfig(ctx, cloud.Options{Region: cfg.Region, Endpoint: cfg.Endpoint})
		if err != nil {
			return nil, misconfigured(err)
		}
		s, err := dynamodb.OpenReader(ctx, awsCfg, table, dynamodb.Options{Endpoint: cfg.JournalEndpoint})
		return s, unopened(cfg, err)
	}
	if file := cfg.JournalFile(); file != "" {
		return sqlite.OpenReader(file)
	}
	return nil, misconfigured(errNoJournal)
}

var errNoJournal = errors.New("there is no journal to read: a journal in memory can be read only by its own ebb serve; name the journal " +
	"that ebb serve writes, with journal: sqlite:///path or dynamodb://TABLE in the configuration, $EBB_JOURNAL or --journal")

// unopened separates a table that cannot be used from a network that does not answer: the network may come back, and is no matter
// of configuration.
func unopened(cfg config.Config, err error) error {
	if err != nil && cfg.Endpoint != "" && cfg.JournalEndpoint == "" {
		err = fmt.Errorf("%w; endpoint is %s for all of AWS: where DynamoDB has another, such as DynamoDB Local beside a simulated cloud, set "+
			"journal_endpoint", err, cfg.Endpoint)
	}
	if _, away := errors.AsType[net.Error](err); away {
		return fmt.Errorf("%w; DynamoDB does not answer: check the network, the Region and journal_endpoint", err)
	}
	return misconfigured(err)
}
