package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/ebbhq/ebb/internal/journal"
)

// Name is a name for this process that no other ever has: host and number for people, something random, and where numbers are unique.
func Name() string {
	return fmt.Sprintf("%s/%d/%s/%s", hostName(), os.Getpid(), rand.Text()[:8], place())
}

func hostName() string {
	name, _ := os.Hostname() // without it the name is random all the same
	return strings.ReplaceAll(name, "/", "-")
}

// place is where the numbers of processes are unique: on Linux the run of the kernel and the name space, elsewhere nowhere that can be told. The
// host is part of it: machines that were copied while they ran share the run of the kernel.
func place() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, err2 := os.Readlink("/proc/self/ns/pid")
	if err != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "-" + strings.Trim(space, "pid:[]") + "-" + hostName()
}

// dead reports whether the process of a name is certainly gone: it ran where this one runs, and there is none of its number. Then nobody
// need wait until its leases have run out, which after a crash is most of the time until Ebb goes on.
func dead(name, here string) bool {
	parts := strings.Split(name, "/")
	if here == "" || len(parts) != 4 || parts[3] != here {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// unburied shows the leases of dead processes as free.
func unburied(all []journal.Lease, here string) []journal.Lease {
	for i := range all {
		if dead(all[i].Holder, here) {
			all[i].Holder = ""
		}
	}
	return all
}
