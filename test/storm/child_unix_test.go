//go:build unix && !linux

package storm

import "syscall"

// canApart: a process can be started that sees no other.
const canApart = false

// alone puts a child into a process group of its own. Only Linux can let it die with a program that is killed.
func alone(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
