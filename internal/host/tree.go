package host

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adopt makes the kernel give us the orphans of our children: so what leaves its process group and its session is found all the same. A cgroup
// would do that too, but the agent would need one of its own. https://man7.org/linux/man-pages/man2/pr_set_child_subreaper.2const.html
var adopt = sync.OnceFunc(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })

// proc is what /proc/PID/stat says of a process.
type proc struct {
	pid, parent, group int
	began              int // in ticks since the boot
	dead               bool
}

func procOf(pid int) (p proc) {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if p.pid = pid; len(f) > 19 {
		p.dead = f[0] == "Z"
		p.parent, _ = strconv.Atoi(f[1])
		p.group, _ = strconv.Atoi(f[2])
		p.began, _ = strconv.Atoi(f[19])
	}
	return p
}

// living are the processes that come of a child, which began at some time. It takes the exit codes of orphans, for which nobody else waits.
func living(leader proc) (found []proc) {
	dirs, _ := filepath.Glob("/proc/[1-9]*")
	children := map[int][]proc{}
	for _, d := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(d))
		p := procOf(pid)
		children[p.parent] = append(children[p.parent], p)
	}
	for _, p := range children[os.Getpid()] {
		if p.pid != leader.pid && p.dead && p.began >= leader.began {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		} else if p.began >= leader.began {
			found = append(found, p)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	alive := found[:0]
	for _, p := range found {
		if !p.dead {
			alive = append(alive, p)
		}
	}
	return alive
}

// end ends all that come of a child: SIGTERM, then SIGKILL until none is left, or the kernel holds it for 5 s. It reports whether there were any.
func end(leader proc, grace time.Duration) bool {
	began, killed, sig := time.Now(), time.Time{}, syscall.SIGTERM
	left := living(leader)
	some := len(left) > 0
	for pause := time.Millisecond; len(left) > 0 && (killed.IsZero() || time.Since(killed) < 5*time.Second); pause = min(2*pause, 100*time.Millisecond) {
		if sig == syscall.SIGKILL && killed.IsZero() {
			killed = time.Now() // a look may take seconds where the host is busy
		}
		for i, p := range left {
			if sig != 0 && p.group != leader.pid {
				_ = syscall.Kill(p.pid, sig)
			} else if sig != 0 && !slices.ContainsFunc(left[:i], func(q proc) bool { return q.group == p.group }) {
				_ = syscall.Kill(-leader.pid, sig) // all at once, or those that fork would outrun it
			}
		}
		time.Sleep(pause)
		if sig = 0; time.Since(began) >= grace {
			sig = syscall.SIGKILL
		}
		left = living(leader)
	}
	return some
}
