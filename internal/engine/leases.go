package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/lease"
)

// Leases are the leases of one Ebb: package lease decides, this acts. They follow the clock of processes, whatever clock the cloud has.
// Their methods are safe for concurrent use, so that one goroutine can renew them while another works under them.
type Leases struct {
	store journal.Store
	now   func() time.Time
	dead  func(holder string) bool
	log   *slog.Logger
	limit time.Duration // how long one call of the journal may take; 0: as long as it likes

	mu     sync.Mutex // guards the rest; never held across a call to the journal
	keeper *lease.Keeper
	err    error     // why the journal could not be used, the last time that it could not
	failed time.Time // and when
}

// awayFor is how long after a failure the journal counts as away, unless a lease was stored since. A failed call is tried again before that.
const awayFor = 15 * time.Second

// Err is why the journal cannot be used for leases at present; nil: it can, as far as is known.
func (l *Leases) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil && l.now().Sub(l.failed) < awayFor {
		return l.err
	}
	return nil
}

// Elsewhere reports whether another Ebb holds a scope.
func (l *Leases) Elsewhere(scope string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper.Elsewhere(scope, l.now())
}

// newLeases returns the leases of the Ebb cfg.Me, which holds none yet, and renews them at a pace.
func newLeases(cfg Config, pace lease.Pace) *Leases {
	keeper := lease.New(cfg.Me, kernel.Scopes(cfg.Kernel.Groups, nil), pace)
	return &Leases{store: cfg.Store, now: cfg.Clock, dead: cfg.Dead, log: cfg.Log, keeper: keeper}
}

// Concern sets which scopes there are.
func (l *Leases) Concern(scopes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keeper.Concern(scopes)
}

// Step does what is due, and says when there is more to do. The error is that of the journal when the leases could not be read.
func (l *Leases) Step(ctx context.Context) (again time.Time, err error) {
	for {
		look, claims, again := l.due()
		switch {
		case look:
			err = l.read(ctx)
		case len(claims) == 0:
			return again, err
		}
		for _, c := range claims { // until one is refused: then another Ebb is claiming too
			if err := l.claim(ctx, c); err != nil {
				l.log.Debug("claim refused", "scope", c.Is.Scope, "err", err)
				break
			}
		}
	}
}

// due says what is due, and when to ask again: no later than the moment at which what is held is not certain any more.
func (l *Leases) due() (look bool, claims []lease.Claim, again time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	look, claims, again = l.keeper.Due(now)
	if until := l.keeper.Until(now); !until.IsZero() && until.Before(again) {
		again = until
	}
	return look, claims, again
}

// read reads the leases of all Ebbs. Those of dead processes count as free: after a crash, waiting until they have run out is most of the
// time until Ebb goes on.
func (l *Leases) read(ctx context.Context) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	started := l.now()
	all, err := l.store.Leases(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.log.Debug("leases cannot be read", "err", err)
		l.keeper.Failed(l.now())
		l.err, l.failed = err, l.now()
		return err
	}
	for i := range all {
		if l.dead != nil && l.dead(all[i].Holder) {
			all[i].Holder = ""
		}
	}
	l.keeper.Read(all, started)
	return nil
}

// claimDue stores the claims on some scopes that are due. One that another Ebb has claimed is no error.
func (l *Leases) claimDue(ctx context.Context, scopes []string) error {
	_, claims, _ := l.due()
	for _, c := range claims {
		if !slices.Contains(scopes, c.Is.Scope) {
			continue
		}
		if err := l.claim(ctx, c); err != nil && !errors.Is(err, journal.ErrConflict) {
			return fmt.Errorf("claim %s: %w", c.Is.Scope, err)
		}
	}
	return nil
}

func (l *Leases) claim(ctx context.Context, c lease.Claim) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	started := l.now()
	err := l.store.Claim(ctx, c.Was, c.Is)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keeper.Claimed(c, started, err, l.now())
	if l.err, l.failed = err, l.now(); errors.Is(err, journal.ErrConflict) {
		l.err = nil
	}
	return err
}

func (l *Leases) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.limit == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, l.limit)
}

// Held are the leases that are certainly held, by scope.
func (l *Leases) Held() map[string]journal.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper.Held(l.now())
}

// Holds reports whether all of some leases are certainly held, and have been since, and whether others are.
func (l *Leases) Holds(some map[string]journal.Lease) (all, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper.Holds(some, l.now())
}

// Release gives up what is held, so that another Ebb need not wait.
func (l *Leases) Release(ctx context.Context) {
	l.mu.Lock()
	claims := l.keeper.Release(l.now())
	l.mu.Unlock()
	for _, c := range claims {
		_ = l.claim(ctx, c) // what cannot be given up runs out
	}
}
