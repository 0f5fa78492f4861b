package host

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tree is a process with all that come of it, also those that leave its group and its session: the kernel makes them children of the agent
// when their parents end. A cgroup would do the same, but older hosts have no cgroup.kill, and the agent would need one of its own.
type tree struct {
	leader int
	since  uint64 // when the leader began, in ticks since the boot
}

// adopt makes the kernel give us the orphans of our children. https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html
var adopt = sync.OnceFunc(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })

// born is the tree of a child that has just begun.
func born(leader int) tree {
	p, _ := procOf(leader)
	return tree{leader, p.began}
}

// proc is what /proc/PID/stat says.
type proc struct {
	pid, parent, group int
	began              uint64
	dead               bool
}

func procOf(pid int) (proc, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, ok := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	f := strings.Fields(rest)
	if err != nil || !ok || len(f) < 20 {
		return proc{}, false
	}
	p := proc{pid: pid, dead: f[0] == "Z" || f[0] == "X"}
	p.parent, _ = strconv.Atoi(f[1])
	p.group, _ = strconv.Atoi(f[2])
	p.began, _ = strconv.ParseUint(f[19], 10, 64)
	return p, true
}

// living are the processes of the tree. It takes the exit codes of dead orphans, which nobody else waits for.
func (t tree) living() []proc {
	names, _ := os.ReadDir("/proc")
	children := map[int][]proc{}
	for _, n := range names {
		if pid, err := strconv.Atoi(n.Name()); err == nil {
			if p, ok := procOf(pid); ok {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	var found []proc
	var add func(proc)
	add = func(p proc) {
		if !p.dead {
			found = append(found, p)
		}
		for _, c := range children[p.pid] {
			add(c)
		}
	}
	for _, p := range children[os.Getpid()] {
		switch {
		case p.pid == t.leader:
			add(p)
		case p.began < t.since:
		case p.dead:
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		default:
			add(p)
		}
	}
	return found
}

// end ends all that live: SIGTERM, then SIGKILL until none is left, or the kernel holds it. It reports whether there were any.
func (t tree) end(grace time.Duration) bool {
	began := time.Now()
	left := t.living()
	some := len(left) > 0
	t.signal(left, syscall.SIGTERM)
	for pause := time.Millisecond; len(left) > 0 && time.Since(began) < grace+3*time.Second; pause = min(2*pause, 100*time.Millisecond) {
		time.Sleep(pause)
		if left = t.living(); time.Since(began) >= grace {
			t.signal(left, syscall.SIGKILL)
		}
	}
	return some
}

func (t tree) signal(to []proc, sig syscall.Signal) {
	group := false
	for _, p := range to {
		group = group || p.group == t.leader
		if p.group != t.leader {
			_ = syscall.Kill(p.pid, sig)
		}
	}
	if group { // at once, or those that fork would outrun it
		_ = syscall.Kill(-t.leader, sig)
	}
}
