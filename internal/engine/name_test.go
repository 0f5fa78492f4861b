package engine

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/journal"
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
	all := []journal.Lease{
		{Scope: "dead", Holder: name(gone.Process.Pid)}, {Scope: "alive", Holder: Name()}, {Scope: "elsewhere", Holder: "other/999999/x/y"},
		{Scope: "strange", Holder: "ebb"}, {Scope: "free"},
	}
	var free []string
	for _, l := range unburied(all, here) {
		if l.Holder == "" {
			free = append(free, l.Scope)
		}
	}
	if got := strings.Join(free, " "); got != "dead free" && here != "" {
		t.Errorf("free: %s", got)
	}
	if a, b := Name(), Name(); a == b {
		t.Error("two processes could have the same name")
	}
}
