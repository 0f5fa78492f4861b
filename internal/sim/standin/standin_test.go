package standin

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary what runs on the hosts too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "stand-in" {
		if err := Run(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A host that is killed loses what Fluentd has not delivered, and somebody is called. One whose application was ended, whose buffers were
// flushed and that was taken out of monitoring loses nothing.
func TestAHostThatIsKilledLosesWhatIsBuffered(t *testing.T) {
	w, err := Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var hosts []*Host
	for _, name := range []string{"killed", "left"} {
		h, err := StartHost(name, t.TempDir(), w, os.Args[0], "stand-in")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Kill()
		hosts = append(hosts, h)
	}
	time.Sleep(time.Second)
	killed, left := hosts[0], hosts[1]
	killed.Kill()
	if err := left.Signal("app", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	call := func(method, params string) {
		t.Helper()
		res, err := http.Post(w.URL+"/api_jsonrpc.php", "application/json", strings.NewReader(`{"method":"`+method+`","params":`+params+`}`))
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", res, err)
		}
		_ = res.Body.Close()
	}
	call("host.update", `{"hostid":"left","status":1}`)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		res, err := http.Get(left.Fluentd + "/api/plugins.flushBuffers")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if wrote, _ := left.Lines(); wrote > 0 && w.Delivered("left") == wrote {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what was flushed does not arrive")
		}
	}
	left.Kill()
	if wrote, lost := left.Lines(); wrote < 10 || lost != 0 {
		t.Errorf("of the host that left %d of %d lines are lost", lost, wrote)
	}
	if wrote, lost := killed.Lines(); wrote < 10 || lost != wrote {
		t.Errorf("of the host that was killed %d of %d lines are lost", lost, wrote)
	}
	for end := time.Now().Add(20 * time.Second); w.Alerts() == 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	if n := w.Alerts(); n != 1 {
		t.Errorf("%d alerts", n)
	}
}

func TestWhatIsNoStandIn(t *testing.T) {
	for _, args := range [][]string{nil, {"fluentd"}, {"app", "127.0.0.1:1"}, {"other"}} {
		if err := Run(t.Context(), args); err == nil || !strings.Contains(err.Error(), "there is no stand-in") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
