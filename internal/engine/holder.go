package engine

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/lease"
)

// patience is how long one call of the journal may take on behalf of a lease.
const patience = 3 * time.Second

// holder keeps the leases of this Ebb in real time, whatever clock the rest follows: they are about processes. Its goroutine never waits for
// the engine's, so that a pass that takes long costs no lease.
type holder struct {
	store journal.Store
	log   *slog.Logger
	here  string // see place

	mu      sync.Mutex
	keeper  *lease.Keeper
	held    map[string]journal.Lease // for which the engine works, or will when it has heard of the change
	changed chan struct{}
}

func newHolder(me string, scopes []string, store journal.Store, log *slog.Logger) *holder {
	return &holder{store: store, log: log, here: place(), keeper: lease.New(me, scopes, lease.Serve()), held: map[string]journal.Lease{}, changed: make(chan struct{}, 1)}
}

// concern sets which scopes there are.
func (h *holder) concern(scopes []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keeper.Concern(scopes)
}

// run renews and claims until ctx ends.
func (h *holder) run(ctx context.Context) {
	for ctx.Err() == nil {
		again, _ := h.step(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(max(time.Until(again), time.Millisecond)):
		}
	}
}

// step does what is due, tells of a change, and says when there is more to do. The error is that of the journal.
func (h *holder) step(ctx context.Context) (again time.Time, err error) {
	for {
		h.mu.Lock()
		look, claims, at := h.keeper.Due(time.Now())
		h.mu.Unlock()
		if look {
			err = h.look(ctx)
			continue
		}
		if len(claims) == 0 {
			h.tell()
			return h.soon(at), err
		}
		h.claim(ctx, claims)
	}
}

// soon is the given time, or when what is held is not certain any more.
func (h *holder) soon(at time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := h.keeper.Until(time.Now()); !until.IsZero() && until.Before(at) {
		return until
	}
	return at
}

func (h *holder) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	started := time.Now()
	all, err := h.store.Leases(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.log.Debug("leases cannot be read", "err", err)
		h.keeper.Failed(time.Now())
		return err
	}
	h.keeper.Read(unburied(all, h.here), started)
	return nil
}

// claim stores claims until one is refused: then somebody else is at it.
func (h *holder) claim(ctx context.Context, claims []lease.Claim) {
	for _, c := range claims {
		ctx, cancel := context.WithTimeout(ctx, patience)
		started := time.Now()
		err := h.store.Claim(ctx, c.Was, c.Is)
		cancel()
		h.mu.Lock()
		h.keeper.Claimed(c, started, err, time.Now())
		h.mu.Unlock()
		if err != nil {
			h.log.Debug("claim refused", "scope", c.Is.Scope, "err", err)
			return
		}
	}
}

// tell lets the engine know when other scopes are held than before.
func (h *holder) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.keeper.Held(time.Now())
	if maps.EqualFunc(held, h.held, func(a, b journal.Lease) bool { return a.Fence == b.Fence }) {
		return
	}
	switch {
	case len(held) == 0:
		h.log.Info("stands by: another ebb works, or the journal cannot be reached", "had", lease.Text(h.held))
	default:
		h.log.Info("works", "for", lease.Text(held))
	}
	h.held = held
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// take are the leases that are certainly held, for the engine to work for from now on. What it knew before counts no more: a change back to
// that is a change.
func (h *holder) take() map[string]journal.Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.changed:
	default:
	}
	h.held = h.keeper.Held(time.Now())
	return h.held
}

// now are the leases that are certainly held.
func (h *holder) now() map[string]journal.Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keeper.Held(time.Now())
}

// certain reports whether all of some leases are certainly held.
func (h *holder) certain(leases map[string]journal.Lease) bool {
	held := h.now()
	for scope, l := range leases { //ebb:any-order all of them
		if now, ok := held[scope]; !ok || now.Fence != l.Fence {
			return false
		}
	}
	return true
}

// release gives up what is held, so that another Ebb need not wait.
func (h *holder) release() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h.mu.Lock()
	claims := h.keeper.Release(time.Now())
	h.mu.Unlock()
	h.claim(ctx, claims)
}
