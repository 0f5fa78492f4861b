package main

import "syscall"

// alone puts a child into a process group of its own, and lets it die with this program, however that ends.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
