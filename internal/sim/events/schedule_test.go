package events

import (
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	for text, want := range map[string]time.Duration{ //ebb:any-order each stands alone
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour, "rate(7 days)": 7 * 24 * time.Hour,
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
