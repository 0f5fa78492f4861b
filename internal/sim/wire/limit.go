package wire

import (
	"maps"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Limits are the token buckets of a world's services.
func Limits(w World) map[string]core.Limit {
	limits := map[string]core.Limit{}
	for _, s := range w.Services() {
		maps.Copy(limits, s.Limits)
	}
	return limits
}

type bucket struct {
	tokens float64
	at     time.Time
}

// admit takes a token for a call, and reports whether there was one.
func (a *API) admit(req Request) bool {
	if len(a.Limits) == 0 {
		return true
	}
	category := req.row.Bucket
	limit, ok := a.Limits[category]
	if !ok {
		return true
	}
	b := a.buckets[category]
	if b == nil {
		b = &bucket{tokens: limit.Burst, at: req.At}
		a.buckets[category] = b
	}
	b.tokens = min(limit.Burst, b.tokens+req.At.Sub(b.at).Seconds()*limit.PerSecond)
	b.at = req.At
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
