package fleet

import (
	"strings"
	"testing"
	"time"
)

func TestWord(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for _, w := range []Word{
		{at, LateLeave, EndKeep, "operator"}, {at, LateLeave, EndTerminate, "a-b_C9"}, {at, LateTerminate, EndDecrement, strings.Repeat("x", longestReason)},
	} {
		got, err := ParseWord(w.String())
		if err != nil || got != w || len(w.String()) > 128 {
			t.Errorf("%q is read as %+v, %v", w, got, err)
		}
	}
	if (Word{}).String() != "" {
		t.Error("no word is written")
	}
	for value, want := range map[string]string{
		"": "1 words", "2026-11-21T09:00:00Z leave keep": "3 words", "tomorrow leave keep x": "deadline",
		"2026-11-21T09:00:00Z wait keep x": "leave or terminate", "2026-11-21T09:00:00Z leave stop x": "keep, terminate or decrement",
		"2026-11-21T09:00:00Z terminate keep x": "kept when it is drained", "2026-11-21T09:00:00Z leave keep ": "reason",
		"2026-11-21T09:00:00Z leave keep x/y": "reason", "2026-11-21T09:00:00Z leave keep " + strings.Repeat("x", longestReason+1): "reason",
	} {
		if w, err := ParseWord(value); err == nil || !strings.Contains(err.Error(), want) || w != (Word{}) {
			t.Errorf("%q: %+v, %v; want %q", value, w, err, want)
		}
	}
}
