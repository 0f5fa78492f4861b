package mutate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// runner builds test binaries with all mutants in them, and runs them.
type runner struct {
	root, work string
	cores      int
	binaries   map[string]string                   // by package
	plain      map[string]map[string]time.Duration // by suite and test: how long it takes without a mutant
}

// memory is how much a test process may have, in KiB: a mutant may fill a list for ever.
const memory = 8 << 20

// build writes the changed copies and builds the test binaries of all suites.
func (r *runner) build(codes []*code, suites []suite) error {
	replace := map[string]string{}
	for _, c := range codes {
		for i, name := range c.names {
			text, _ := c.changed(i)
			file := filepath.Join(r.work, strings.ReplaceAll(name, "/", "_"))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return err
			}
			replace[filepath.Join(r.root, name)] = file
		}
	}
	overlay := filepath.Join(r.work, "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	if err := os.WriteFile(overlay, b, 0o644); err != nil {
		return err
	}
	for _, s := range suites {
		if r.binaries[s.pkg] != "" {
			continue
		}
		binary := filepath.Join(r.work, strings.ReplaceAll(s.pkg, "/", "_")+".test")
		cmd := exec.Command("go", "test", "-c", "-vet=off", "-tags", s.tags, "-p", strconv.Itoa(r.cores), "-overlay", overlay, "-o", binary, "./"+s.pkg)
		cmd.Dir = r.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build the tests of %s with mutants: %w\n%s", s.pkg, err, out)
		}
		r.binaries[s.pkg] = binary
		if _, err := os.Stat(binary); errors.Is(err, os.ErrNotExist) {
			r.binaries[s.pkg] = "none" // the package has no tests
		}
	}
	return nil
}

// run runs a test binary; an error means that a test failed, or that it took longer than the limit.
func (r *runner) run(s suite, limit time.Duration, env string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	shell := []string{"-c", `ulimit -v ` + strconv.Itoa(memory) + ` 2>/dev/null; exec "$@"`, "sh", r.binaries[s.pkg]}
	cmd := exec.CommandContext(ctx, "sh", append(append(shell, args...), s.args...)...)
	cmd.Dir, cmd.WaitDelay = filepath.Join(r.root, s.pkg), time.Second
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "TMPDIR="+r.work, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// reach runs each test of a suite alone without a mutant, and notes which mutants it reaches and how long it takes.
func (r *runner) reach(s suite, mutants map[int]*mutant) error {
	if r.plain[s.name()] != nil || r.binaries[s.pkg] == "none" {
		return nil
	}
	times := map[string]time.Duration{}
	r.plain[s.name()] = times
	list, err := r.run(s, time.Minute, "", "-test.list", s.tests)
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w\n%s", s.pkg, err, list)
	}
	for test := range strings.FieldsSeq(list) {
		if !regexp.MustCompile(`^(Test|Fuzz|Example)`).MatchString(test) {
			continue
		}
		file := filepath.Join(r.work, "reached") // anybody's: a test may run a part of itself as another user
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o666), os.Chmod(r.work, 0o711)); err != nil {
			return err
		}
		began := time.Now()
		if out, err := r.run(s, 10*time.Minute, "EBB_MUTANT_REACHED="+file, "-test.run", "^"+test+"$"); err != nil {
			return fmt.Errorf("%s %s fails without a mutant: %w\n%s", s.pkg, test, err, out)
		}
		times[test] = time.Since(began)
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(line)
			if err != nil {
				return err
			}
			if m := mutants[n]; m != nil {
				m.tests[s.name()] = append(m.tests[s.name()], test)
			}
		}
		os.Remove(file)
	}
	return nil
}

// finds reports whether a suite finds a mutant with the tests that reach it: the quick ones together, and then the slow ones.
func (r *runner) finds(s suite, m *mutant) bool {
	var parts [2][]string
	limits := [2]time.Duration{5 * time.Second, 5 * time.Second}
	for _, t := range m.tests[s.name()] {
		took, i := r.plain[s.name()][t], 0
		if took > 300*time.Millisecond {
			i = 1
		}
		parts[i], limits[i] = append(parts[i], t), limits[i]+8*took
	}
	for i, tests := range parts {
		if len(tests) == 0 {
			continue
		}
		env, run := "EBB_MUTANT="+strconv.Itoa(m.number), "^("+strings.Join(tests, "|")+")$"
		if _, err := r.run(s, limits[i], env, "-test.failfast", "-test.run", run); err != nil {
			return true
		}
	}
	return false
}

// try runs all mutants of a package, some at a time, and calls survived for each that no suite finds, one at a time.
func (r *runner) try(mutants []*mutant, suites []suite, survived func(*mutant)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan *mutant)
	for range r.cores {
		wg.Go(func() {
			for m := range next {
				if !slices.ContainsFunc(suites, func(s suite) bool { return r.finds(s, m) }) {
					mu.Lock()
					survived(m)
					mu.Unlock()
				}
			}
		})
	}
	for _, m := range mutants {
		next <- m
	}
	close(next)
	wg.Wait()
}
