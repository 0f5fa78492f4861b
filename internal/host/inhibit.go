package host

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/login1"
)

// HoldShutdown holds a shutdown of the machine back, where logind is there: once one begins, while everything still runs, begins is called, and
// the machine goes on when it returns. logind waits for InhibitDelayMaxSec at most, 5 s unless it is configured. It holds until ctx ends.
// https://systemd.io/INHIBITOR_LOCKS/
func HoldShutdown(ctx context.Context, begins func()) error {
	c, err := login1.New()
	if err != nil {
		return fmt.Errorf("connect with logind: %w", err)
	}
	signals := c.Subscribe("PrepareForShutdown")
	lock, err := c.Inhibit("shutdown", "ebb-agent", "steps before the host ends", "delay")
	if err != nil {
		c.Close()
		return fmt.Errorf("ask logind to wait for the steps at a shutdown: %w", err)
	}
	go func() {
		defer c.Close()
		defer func() { _ = lock.Close() }()
		for {
			select {
			case <-ctx.Done():
				return
			case s, open := <-signals:
				if !open {
					return
				}
				if len(s.Body) == 1 && s.Body[0] == true { // false: it was called off
					begins()
					return
				}
			}
		}
	}()
	return nil
}
