package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/metrics"
)

// lines writes metrics for CloudWatch to standard output, if they are wanted, until ctx ends or the function that it returns is called.
func lines(ctx context.Context, p Process, cfg config.Config, meter *metrics.Meter, log *slog.Logger) (stop func()) {
	if cfg.Metrics != config.EMF {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := meter.Lines(ctx, p.Stdout, cfg.Hook); err != nil {
			log.Error("metrics cannot be written to standard output; there are none any more, and drains go on", "err", err)
		}
	}()
	return func() { cancel(); <-ended }
}

// admin answers requests at an address until the function that it returns is called; with no address nobody answers.
func admin(ctx context.Context, address string, answers http.Handler, log *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, misconfigured(fmt.Errorf("listen for requests of metrics and health: %w; give admin another address, or stop what "+
			"listens there", err))
	}
	s := &http.Server{Handler: answers, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); err != http.ErrServerClosed {
			log.Error("nobody answers requests of metrics and health any more; drains go on", "err", err)
		}
	}()
	log.Info("answers /metrics, /livez and /readyz", "admin", l.Addr().String())
	return func() { _ = s.Close(); <-ended }, nil
}
