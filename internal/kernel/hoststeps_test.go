package kernel

import (
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/event"
)

func reported(id, group string) Heard {
	body := `{"ebb":"ebb-host-steps","instance":"` + id + `","group":"` + group + `","cause":"terminate","runs":[{"step":"flush","outcome":"ok"}]}`
	return Heard{Message: event.Message{ID: "m-1", Body: body}, Event: event.Parse([]byte(body))}
}

// What the steps on a host have done stands in the journal beside its drain, or by itself if there is none. Another's is left alone.
func TestWhatAHostDidIsWrittenDown(t *testing.T) {
	k := hearing(t, Config{})
	k.Hear(termination(1), t0)
	k.Next(t0)
	id := termination(1).Event.Instance
	for name, x := range map[string]struct {
		heard Heard
		key   string // what the key of the line begins with; empty: there is no line
	}{
		"of a drain":       {reported("i-0a1b2c3d4e5f60718", "web"), "host/i-0a1b2c3d4e5f60718"},
		"of nobody's":      {reported("i-0a1b2c3d4e5f60718", "other"), ""},
		"beside its drain": {func() Heard { h := reported("i-0a1b2c3d4e5f60718", "web"); h.Event.Instance = id; return h }(), "web/" + string(id)},
	} {
		k.Hear(x.heard, minute(1))
		out := k.Next(minute(1))
		got := ""
		for _, l := range out.Batch.Lines {
			if l.Kind == "host" && strings.Contains(l.Text, "flush ok") {
				got = l.Key
			}
		}
		if !strings.HasPrefix(got, x.key) || (got == "") != (x.key == "") || len(out.Settle) != 1 {
			t.Errorf("%s: a line of %q, want %q; verdicts %+v", name, got, x.key, out.Settle)
		}
	}
}
