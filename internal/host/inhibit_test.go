package host

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// doubleLogind is org.freedesktop.login1, as far as inhibitor locks go. It is strict: it gives a lock of the kind that Ebb may take, and no other.
type doubleLogind struct {
	mu   sync.Mutex
	held *os.File // the other end of the lock: at its end when that is given back
}

func (d *doubleLogind) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "shutdown" || mode != "delay" || who == "" || why == "" {
		return 0, dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"Permission denied"})
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	time.AfterFunc(time.Second, func() { _ = w.Close() }) // it has been sent by then
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = r
	return dbus.UnixFD(w.Fd()), nil
}

// given says when the lock has been given back.
func (d *doubleLogind) given() chan time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := make(chan time.Time, 1)
	go func(r *os.File) {
		_, _ = r.Read(make([]byte, 1))
		at <- time.Now()
	}(d.held)
	return at
}

// A shutdown waits until the steps have had their turn. One that is called off is none, and an agent that ends gives its lock back.
func TestAShutdownIsHeldBack(t *testing.T) {
	bus := newSystemd(t, "web.service")
	d := &doubleLogind{}
	if err := bus.conn.Export(d, "/org/freedesktop/login1", "org.freedesktop.login1.Manager"); err != nil {
		t.Fatal(err)
	}
	if err := HoldShutdown(t.Context(), func() {}); err == nil || !strings.Contains(err.Error(), "ask logind to wait") {
		t.Errorf("without logind: %v", err)
	}
	if reply, err := bus.conn.RequestName("org.freedesktop.login1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	say := func(begins bool) {
		if err := bus.conn.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForShutdown", begins); err != nil {
			t.Error(err)
		}
	}
	began := make(chan time.Time, 1)
	if err := HoldShutdown(t.Context(), func() {
		began <- time.Now()
		time.Sleep(2 * time.Second) // the steps
	}); err != nil {
		t.Fatal(err)
	}
	given := d.given()
	say(false)
	select {
	case <-began:
		t.Error("a shutdown that is called off lets the steps begin")
	case <-given:
		t.Error("the lock is given back at once")
	case <-time.After(1500 * time.Millisecond):
	}
	say(true)
	from, until := <-began, <-given
	if held := until.Sub(from); held < 1900*time.Millisecond || held > 10*time.Second {
		t.Errorf("the shutdown waits for %s of steps that take 2s", held)
	}
	ctx, stop := context.WithCancel(t.Context())
	if err := HoldShutdown(ctx, func() { t.Error("it has ended") }); err != nil {
		t.Fatal(err)
	}
	given = d.given()
	stop()
	<-given
}
