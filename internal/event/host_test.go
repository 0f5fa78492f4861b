package event

import (
	"fmt"
	"strings"
	"testing"
)

// What the agent of a host says is told in one clean and bounded line.
func TestHostSteps(t *testing.T) {
	const begin = `{"ebb":"ebb-host-steps","version":1,"instance":"i-0a1b2c3d4e5f60718","cause":"terminate","group":"web","runs":[`
	for body, want := range map[string]string{
		begin + `]}`: "on the host, because of terminate: no step yet",
		begin + `{"step":"flush","attempt":1,"began":"2026-11-21T09:00:00Z"}]}`: "on the host, because of terminate: flush runs",
		begin + `{"step":"flush","attempt":2,"began":"2026-11-21T09:00:00Z","ended":"2026-11-21T09:00:03.5Z","outcome":"ok","text":"x"}` +
			`,{"step":"zabbix","attempt":1,"began":"2026-11-21T09:00:04Z","ended":"2026-11-21T09:00:05Z","outcome":"failed","text":"one\nexit 7\n"}` +
			`],"result":"CONTINUE","why":"every step has ended"}`: "on the host, because of terminate: flush ok after 3.5s, attempt 2; " +
			"zabbix failed after 1s (exit 7); CONTINUE: every step has ended",
		begin + `{"step":"a\u202eb","outcome":"skipped","text":"no time"}]}`: "on the host, because of terminate: a\\u202eb skipped (no time)",
	} {
		if e := Parse([]byte(body)); e.Kind != HostSteps || e.Did.Text() != want || e.Group != "web" || e.Instance != "i-0a1b2c3d4e5f60718" || e.Wakes() {
			t.Errorf("%s:\n%+v\nwant %s", body, e, want)
		}
	}
	many := begin
	for i := range 200 {
		many += fmt.Sprintf(`{"step":%q,"outcome":"failed","text":%q},`, strings.Repeat("s", 500), strings.Repeat("t", 3000+i))
	}
	e := Parse([]byte(strings.TrimSuffix(many, ",") + `]}`))
	if e.Kind != HostSteps || len(e.Did.Text()) > 20000 || !strings.HasSuffix(e.Did.Text(), "; and more") {
		t.Errorf("%+.200v", e)
	}
	for body, why := range map[string]string{
		`{"ebb":"ebb-host-steps","instance":"x"}`: "no instance id",
		`{"ebb":"ebb-host-steps"}`:                `"instance" is missing`,
		`{"ebb":"ebb-host-steps","instance":"i-0a1b2c3d4e5f60718","group":"` + strings.Repeat("g", 300) + `"}`: "300 characters",
	} {
		if e := Parse([]byte(body)); e.Kind != Unknown || !strings.Contains(e.Why, why) {
			t.Errorf("%.60s: %+v", body, e)
		}
	}
}
