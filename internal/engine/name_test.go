package engine

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestALeaseOfADeadProcessIsFree(t *testing.T) {
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	here := place()
	name := func(pid int) string {
		return strings.Replace(Name(), "/"+strconv.Itoa(os.Getpid())+"/", "/"+strconv.Itoa(pid)+"/", 1)
	}
	for holder, want := range map[string]bool{
		name(gone.Process.Pid): here != "", Name(): false, "other/999999/x/y": false, "ebb": false, "": false,
	} {
		if got := dead(holder, here); got != want {
			t.Errorf("dead(%q) = %v, want %v", holder, got, want)
		}
	}
	if a, b := Name(), Name(); a == b {
		t.Error("two processes could have the same name")
	}
}
