//go:build unix && !linux

package main

import "syscall"

// alone puts a child into a process group of its own. Only Linux can let it die with a program that is killed.
func alone() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
