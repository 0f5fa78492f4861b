package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/test/rig"
)

// memory is the section about the memory that ebb serve holds: with nothing to do, and with many drains that do not end.
func (o *options) memory(w io.Writer) error {
	dir, err := os.MkdirTemp("", "ebb-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ebb, err := rig.Build(context.Background(), dir, nil, "CGO_ENABLED=0")
	if err != nil {
		return err
	}
	fmt.Fprint(w, "\n## Memory\n\nResident memory of `ebb serve` with a SQLite journal, in real time. The drains do not end: their tasks have no other place.\n\n"+
		"| hosts | | resident |\n|--:|---|--:|\n")
	for _, hosts := range []int{10, o.hosts} {
		if err := serving(w, ebb, dir, hosts); err != nil {
			return fmt.Errorf("%d hosts: %w", hosts, err)
		}
	}
	return nil
}

// serving reads the memory of a serve for so many hosts, before and while all of them drain.
func serving(w io.Writer, ebb, dir string, hosts int) error {
	spec := fleetOf(hosts, 5*time.Minute, 4*time.Hour)
	spec.Start = time.Now().UTC()
	spec.Switches.AutoScalingBurst, spec.Switches.AutoScalingRate = 100_000, 100_000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := loopback.Serve(l, spec, 1)
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := serve(c, ebb, dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = p.Process.Kill() // it has no work that could be lost
		_ = p.Wait()
	}()
	const calm = 70 * time.Second // longer than from one sweep to the next
	idle, err := highest(p, calm, func() bool { return false })
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "| %d | in service, nothing leaves | %.1f MB |\n", hosts, idle)
	c.Read(func(w *sim.World) { err = w.SetDesiredCapacity(group, 0) })
	if err != nil {
		return err
	}
	draining := func() (all bool) {
		c.Read(func(w *sim.World) {
			serving, err := w.ListContainerInstances(cluster, "ACTIVE", "")
			all = err == nil && len(serving) == 0
		})
		return all
	}
	if _, err = highest(p, 20*time.Minute, draining); err != nil {
		return err
	}
	if !draining() {
		return errors.New("not all of them were set DRAINING within 20 minutes")
	}
	busy, err := highest(p, 2*calm, func() bool { return false })
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "| %d | all draining, the highest in %s | %.1f MB |\n", hosts, 2*calm, busy)
	return nil
}

// highest samples the resident memory of a process, in MB, until the time is over or done says so, and returns the highest.
func highest(p *exec.Cmd, d time.Duration, done func() bool) (float64, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	highest := 0.0
	for end := time.Now().Add(d); time.Now().Before(end) && !done(); <-tick.C {
		now, err := resident(p.Process.Pid)
		if err != nil {
			return 0, fmt.Errorf("ebb serve has ended: %w", err)
		}
		highest = max(highest, now)
	}
	return highest, nil
}

// resident is the resident memory of a process in MB, as Linux shows it.
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil || pages == 0 {
		return 0, fmt.Errorf("process %d has no resident memory any more", pid)
	}
	return float64(pages*os.Getpagesize()) / 1024 / 1000, nil
}

// serve starts ebb serve on a cloud, in an environment of its own.
func serve(c *loopback.Cloud, ebb, dir string) (*exec.Cmd, error) {
	text := fmt.Sprintf("queue: %s/111122223333/%s\nregion: eu-west-1\nendpoint: %s\njournal: sqlite://%s\nhook: %s\nlog_level: "+
		"error\ngroups:\n  - {match: %s, cluster: %s, deadline: 2h}\n",
		c.Endpoint, queue, c.Endpoint, filepath.Join(dir, fmt.Sprint(time.Now().UnixNano(), ".db")), hook, group, cluster)
	p := exec.Command(ebb, "serve")
	p.Stderr = os.Stderr
	p.Env = append(rig.Caller("ebb"), "EBB_CONFIG_TEXT="+text)
	return p, p.Start()
}
