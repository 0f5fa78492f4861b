package host

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// doubleSystemd is org.freedesktop.systemd1 with one unit, on a bus of its own. It is strict: it knows the methods and the mode that Ebb may use,
// and tells of the end of a job only afterwards, to those that began it.
type doubleSystemd struct {
	mu      sync.Mutex
	unit    string
	state   string        // ActiveState
	result  string        // of the next job
	takes   time.Duration // the next job
	after   string        // the state after it
	jobs    int
	methods []string
	conn    *dbus.Conn
}

func newSystemd(t *testing.T, unit string) *doubleSystemd {
	t.Helper()
	dir := t.TempDir()
	at := "unix:path=" + filepath.Join(dir, "bus")
	config := write(t, filepath.Join(dir, "bus.conf"), `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig><listen>`+at+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, 0o644)
	daemon := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nosyslog")
	if err := daemon.Start(); err != nil {
		t.Fatalf("install dbus-daemon: %v", err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", at)
	d := &doubleSystemd{unit: unit, state: "active", result: "done", after: "inactive"}
	until(t, "the bus listens", func() bool {
		conn, err := dbus.Connect(at)
		d.conn = conn
		return err == nil
	})
	t.Cleanup(func() { d.conn.Close() })
	if err := d.conn.Export(d, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"); err != nil {
		t.Fatal(err)
	}
	// A unit that is not loaded has an object too.
	if err := d.conn.ExportSubtree(unitObject{d}, "/org/freedesktop/systemd1/unit", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if reply, err := d.conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	return d
}

func (d *doubleSystemd) running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == "active"
}

// job is what StopUnit, ReloadUnit and RestartUnit do.
func (d *doubleSystemd) job(method, unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.methods = append(d.methods, method)
	if unit != d.unit || mode != "replace" {
		return "", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + unit + " not loaded."})
	}
	d.jobs++
	id, path := uint32(d.jobs), dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", d.jobs))
	result, after := d.result, d.after
	time.AfterFunc(d.takes+20*time.Millisecond, func() {
		d.mu.Lock()
		d.state = after
		d.mu.Unlock()
		_ = d.conn.Emit("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.JobRemoved", id, path, unit, result)
	})
	return path, nil
}

func (d *doubleSystemd) StopUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return d.job("StopUnit", unit, mode)
}

func (d *doubleSystemd) ReloadUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return d.job("ReloadUnit", unit, mode)
}

func (d *doubleSystemd) RestartUnit(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
	return d.job("RestartUnit", unit, mode)
}

type unitObject struct{ d *doubleSystemd }

// Get is org.freedesktop.DBus.Properties.Get.
func (u unitObject) Get(m dbus.Message, face, name string) (dbus.Variant, *dbus.Error) {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	known := strings.HasSuffix(string(path), "/"+strings.NewReplacer("-", "_2d", ".", "_2e").Replace(u.d.unit))
	switch {
	case face != "org.freedesktop.systemd1.Unit":
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownInterface", nil)
	case name == "LoadState" && known:
		return dbus.MakeVariant("loaded"), nil
	case name == "LoadState":
		return dbus.MakeVariant("not-found"), nil
	case name == "ActiveState" && known:
		return dbus.MakeVariant(u.d.state), nil
	case name == "ActiveState":
		return dbus.MakeVariant("inactive"), nil
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
}

func TestSystemd(t *testing.T) {
	d := newSystemd(t, "web-app.service")
	j, _ := job()
	set := func(state, result, after string, takes time.Duration) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.state, d.result, d.after, d.takes = state, result, after, takes
	}
	for _, c := range []struct {
		name, step           string
		state, result, after string
		takes                time.Duration
		want                 string
	}{
		{name: "stop", step: "unit: web-app", state: "active", result: "done", after: "inactive", takes: 300 * time.Millisecond},
		{name: "a stop that times out leaves a failed unit", step: "unit: web-app", state: "active", result: "timeout", after: "failed",
			want: "stop web-app.service: the job ended as timeout; journalctl -u web-app.service says more"},
		{name: "stop takes too long", step: "unit: web-app", state: "active", result: "done", after: "inactive", takes: time.Minute, want: "the job has not ended"},
		{name: "reload", step: "unit: web-app, action: reload", state: "active", result: "done", after: "active"},
		{name: "a reload fails", step: "unit: web-app, action: reload", state: "active", result: "failed", after: "active", want: "the job ended as failed"},
		{name: "a restart fails", step: "unit: web-app, action: restart", state: "active", result: "done", after: "failed", want: "is failed after the restart"},
		{name: "no such unit", step: "unit: other.service", state: "active", want: "stop other.service: Unit other.service not loaded."},
		{name: "wait, and it goes on", step: "unit: web-app, action: wait", state: "deactivating", want: "is still deactivating"},
		{name: "wait", step: "unit: web-app, action: wait", state: "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set(c.state, c.result, c.after, c.takes)
			out, err := run(t, parse(t, "systemd: {"+c.step+"}"), j, 2*time.Second)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	set("active", "done", "inactive", 0)
	time.AfterFunc(700*time.Millisecond, func() { set("inactive", "", "", 0) })
	if out, err := run(t, parse(t, "systemd: {unit: web-app, action: wait}"), j, 20*time.Second); err != nil {
		t.Error(out, err)
	}
	jobs := d.jobs
	if err := parse(t, "systemd: {unit: web-app}").Check(context.Background(), j); err != nil || d.jobs != jobs {
		t.Error(err)
	}
	if err := parse(t, "systemd: {unit: other}").Check(context.Background(), j); err == nil || !strings.Contains(err.Error(), "other.service is not-found") {
		t.Error(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
	if err := parse(t, "systemd: {unit: web-app}").Check(context.Background(), j); err == nil {
		t.Error("no bus, and check says nothing")
	}
}
