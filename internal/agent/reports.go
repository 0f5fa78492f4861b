package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/steps"
)

// TranscriptKind is what a transcript says that it is.
const TranscriptKind = "ebb-host-steps"

// Transcript is what became of the steps on a host, for those who read it when the host is gone.
type Transcript struct {
	Kind     string `json:"ebb"` // TranscriptKind
	Version  int    `json:"version"`
	Instance string `json:"instance"`
	Region   string `json:"region,omitempty"`
	steps.State
}

// Receiver is one who is sent transcripts.
type Receiver struct {
	Name string
	Each bool // after each step; otherwise only when the answer is decided
	Send func(ctx context.Context, t Transcript, body []byte) error
}

// Reports sends what changes to its receivers, to each the newest only, until it has it. It is safe for concurrent use.
type Reports struct {
	Instance, Region string
	Receivers        []Receiver
	Log              *slog.Logger

	mu     sync.Mutex
	newest steps.State
	turn   int           // counts what is to be sent
	sent   []int         // by receiver: the turn that it has
	moved  chan struct{} // closed when any of them changes
}

// Timeouts of sending.
const (
	sendTimeout = 10 * time.Second
	sendAgain   = 5 * time.Second
)

// Put takes in what is remembered now. A departure that is forgotten is no news.
func (r *Reports) Put(st steps.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st.Cause == "" || done(st) == done(r.newest) && st.Heard.Equal(r.newest.Heard) && st.Result == r.newest.Result &&
		st.Answered.Equal(r.newest.Answered) {
		return
	}
	r.newest = st
	r.turn++
	r.move()
}

// done is how many attempts have ended.
func done(st steps.State) (n int) {
	for _, run := range st.Runs {
		if !run.Ended.IsZero() {
			n += max(run.Attempt, 1)
		}
	}
	return n
}

// move wakes who waits for a change. The caller holds mu.
func (r *Reports) move() {
	if r.moved != nil {
		close(r.moved)
	}
	r.moved = make(chan struct{})
}

// Run sends until ctx ends.
func (r *Reports) Run(ctx context.Context) {
	r.mu.Lock()
	r.sent = make([]int, len(r.Receivers))
	r.mu.Unlock()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range r.Receivers {
		all.Go(func() { r.serve(ctx, i) })
	}
}

// serve sends to one receiver.
func (r *Reports) serve(ctx context.Context, i int) {
	to := r.Receivers[i]
	for fails := 0; ctx.Err() == nil; {
		r.mu.Lock()
		st, turn, has, moved := r.newest, r.turn, r.sent[i], r.waits()
		r.mu.Unlock()
		var again <-chan time.Time
		if has < turn && (to.Each || st.Result != "") {
			err := r.send(ctx, to, st)
			if err == nil {
				fails = 0
				r.mu.Lock()
				r.sent[i] = turn
				r.move()
				r.mu.Unlock()
				continue
			}
			if fails++; fails == 1 {
				r.Log.Warn("what the steps did could not be sent; it is tried again", "to", to.Name, "error", err)
			}
			again = time.After(sendAgain)
		}
		select {
		case <-ctx.Done():
		case <-moved:
		case <-again:
		}
	}
}

// waits is closed at the next change. The caller holds mu.
func (r *Reports) waits() <-chan struct{} {
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.moved
}

func (r *Reports) send(ctx context.Context, to Receiver, st steps.State) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	t := Transcript{Kind: TranscriptKind, Version: 1, Instance: r.Instance, Region: r.Region, State: st}
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return to.Send(ctx, t, body)
}

// Flush returns when every receiver has what is newest, or after ten seconds: the host may be gone soon.
func (r *Reports) Flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	for {
		r.mu.Lock()
		missing := false
		for _, has := range r.sent {
			missing = missing || has < r.turn
		}
		moved := r.waits()
		r.mu.Unlock()
		if !missing {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
