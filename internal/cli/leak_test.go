package cli

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Every secret that the tests plant has this mark in it. What Ebb prints and what it writes must not.
const (
	mark         = "very-secret"
	plantedKey   = "very-secret/0123456789abcdefABCDEFGHIJKL"
	plantedToken = "very-secret+token/0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZ=="
	leaks        = "EBB_TEST_LEAKS" // the file that a program tells its leaks
)

// guard is an output of a program that is under test. It looks for the mark in each write, so a secret that is printed in parts would
// have to be cut within the mark.
type guard struct{ io.Writer }

// Write notes what must not be written, and writes it.
func (g guard) Write(p []byte) (int, error) {
	if file := os.Getenv(leaks); file != "" && bytes.Contains(p, []byte(mark)) {
		if f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintf(f, "ebb %s prints a secret: %s\n", strings.Join(os.Args[1:], " "), p)
			_ = f.Close()
		}
	}
	return g.Writer.Write(p)
}

// watch fails a script when it ends, if one of its programs has printed a secret, or has written one into a file: a journal, a policy, a
// template. The files that the script brings with it may have some.
func watch(e *testscript.Env) {
	brought := map[[sha256.Size]byte]bool{}
	eachFile(e.WorkDir, func(_ string, text []byte) { brought[sha256.Sum256(text)] = true })
	t := e.T()
	e.Defer(func() {
		defer os.Remove(e.WorkDir + ".leaks")
		text, _ := os.ReadFile(e.WorkDir + ".leaks") // there is none, if all is well
		eachFile(e.WorkDir, func(file string, b []byte) {
			if bytes.Contains(b, []byte(mark)) && !brought[sha256.Sum256(b)] {
				text = fmt.Appendf(text, "a secret stands in %s\n", file)
			}
		})
		if len(text) > 0 {
			t.Fatal(string(text))
		}
	})
}

// eachFile gives f every file below a directory.
func eachFile(dir string, f func(file string, text []byte)) {
	_ = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if text, err := os.ReadFile(file); err == nil {
				f(file, text)
			}
		}
		return nil
	})
}
