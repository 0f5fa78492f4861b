package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

// said is what a user reads of findings.
func said(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s: %s\n  impact: %s\n%s", f.Severity, f.Check, f.Subject, f.Finding, f.Impact, f.Text("  "))
	}
	return b.String()
}

// TestWhatAFindingSays compares what a user reads of each fault, every word and command of it, with testdata/findings.txt.
func TestWhatAFindingSays(t *testing.T) {
	const file = "testdata/findings.txt"
	text, err := os.ReadFile(file)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, part := range strings.Split(string(text), "== ")[1:] {
		name, lines, _ := strings.Cut(part, "\n")
		want[name] = lines
	}
	var b strings.Builder
	for _, p := range plants() {
		base := clean
		if p.base != nil {
			base = p.base
		}
		got := said(found(base, p.check, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			in.At = advice.At{Region: "eu-west-1"}
			p.do(in, c, g)
		}))
		fmt.Fprintf(&b, "== %s\n%s", p.name, got)
		if got != want[p.name] && !*rewrite {
			t.Errorf("%s: got\n%swant\n%sgo test ./internal/doctor -run TestWhatAFindingSays -update writes it anew: read it then",
				p.name, got, want[p.name])
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A heartbeat timeout that is advised is one that AWS takes, another one than now, and long enough. Where none is, none is advised.
func TestAHeartbeatTimeoutThatIsAdvisedIsTakenAndMends(t *testing.T) {
	advised := 0
	for _, p := range plants() {
		if p.check != "hook-runs-out" {
			continue
		}
		all := found(clean, p.check, p.do)
		_, rest, any := strings.Cut(all[0].Fix[0].Line(), "--heartbeat-timeout ")
		if !any {
			continue
		}
		advised++
		var seconds int
		_, _ = fmt.Sscan(rest, &seconds) // without a number it stays 0
		heartbeat := time.Duration(seconds) * time.Second
		left := found(clean, p.check, func(in *Input, c *inventory.Cluster, g *inventory.Group) {
			p.do(in, c, g)
			h := hookOf(g)
			if seconds < 30 || seconds > 7200 || heartbeat <= h.Heartbeat {
				t.Errorf("%s: from %s to %d seconds", p.name, h.Heartbeat, seconds)
			}
			h.Heartbeat, h.Global = heartbeat, min(100*heartbeat, 48*time.Hour)
		})
		if len(left) > 0 && seconds < 7200 {
			t.Errorf("%s: with %d seconds: %+v", p.name, seconds, left)
		}
	}
	if advised < 5 {
		t.Errorf("advised %d times", advised)
	}
}
