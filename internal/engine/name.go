package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Name is a name for this process that no other ever has: host and number for people, something random, and where numbers are unique.
func Name() string {
	return fmt.Sprintf("%s/%d/%s/%s", hostName(), os.Getpid(), rand.Text()[:8], place())
}

func hostName() string {
	name, _ := os.Hostname() // without it the name is random all the same
	return strings.ReplaceAll(name, "/", "-")
}

// place identifies the PID name space: boot id and name space on Linux, empty elsewhere. The host is part of it, because instances that
// were copied while they ran have the same boot id.
func place() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, err2 := os.Readlink("/proc/self/ns/pid")
	if err != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "-" + strings.Trim(space, "pid:[]") + "-" + hostName()
}

// dead reports whether the process of a name has certainly ended: it ran in the PID name space of this one, and no process there has its
// PID. Then nobody needs to wait until its leases have run out, which after a crash is most of the time until Ebb goes on.
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
