package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/ebbhq/ebb/test/rig"
)

// kernelTimes is the section about the kernel's processor time and allocations, from the benchmarks of package kernel, and the size of
// the binary.
func kernelTimes(w io.Writer) error {
	cmd := exec.Command("go", "test", "./internal/kernel", "-run", "^$", "-bench", ".", "-benchmem", "-cpu", "1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run the benchmarks of internal/kernel: %w; start bench in the root of the repository", err)
	}
	processor := "a processor of unknown model"
	var rows strings.Builder
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if model, ok := strings.CutPrefix(line, "cpu: "); ok {
			processor = strings.TrimSpace(model)
		} else if len(f) >= 8 && strings.HasPrefix(f[0], "Benchmark") {
			fmt.Fprintf(&rows, "| %s | %s ns | %s B | %s |\n", strings.TrimPrefix(f[0], "Benchmark"), f[2], f[4], f[6])
		}
	}
	fmt.Fprintf(w, "\n## Processor time\n\nRead on %s with %d processors, %s/%s, %s. 10,000 drains are open.\n\n"+
		"| benchmark | time | memory allocated | allocations |\n|---|--:|--:|--:|\n%s",
		processor, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), &rows)
	return binarySize(w)
}

// binarySize builds ebb as a release would be, and weighs it.
func binarySize(w io.Writer) error {
	dir, err := os.MkdirTemp("", "ebb-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := rig.Build(context.Background(), dir, []string{"-trimpath", "-ldflags=-s -w"}, "CGO_ENABLED=0")
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe binary, stripped, is %.1f MB.\n", float64(info.Size())/1e6)
	return nil
}
