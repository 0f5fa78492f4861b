// Package rig is what the storm, the bench and the comparison of test/spot share: the built ebb, and environments for it.
//
// It never judges or measures anything.
package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds ebb in a directory and returns its path.
func Build(ctx context.Context, dir string, flags []string, env ...string) (string, error) {
	path := filepath.Join(dir, "ebb")
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", path}, flags...), "github.com/ebbhq/ebb/cmd/ebb")...)
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ebb: %w\n%s", err, text)
	}
	return path, nil
}

// NoAccount is an environment that keeps every account and setting of the user from a process.
func NoAccount() []string {
	return []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
}

// Caller is such an environment with an access key, under which the simulated cloud knows the process.
func Caller(name string) []string {
	return append(NoAccount(), "AWS_ACCESS_KEY_ID="+name, "AWS_SECRET_ACCESS_KEY=none")
}
