package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "ebb"), filepath.Join(t.TempDir(), "ebb.zip")
	if err := os.WriteFile(from, []byte("a binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for range 2 {
		if err := run([]string{from, to}); err != nil {
			t.Fatal(err)
		}
		packed, err := os.ReadFile(to)
		if err != nil || first != nil && !bytes.Equal(first, packed) {
			t.Fatalf("the second archive is another one, or there is none: %v", err)
		}
		first = packed
	}
	z, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil || len(z.File) != 1 {
		t.Fatalf("%v, %+v", err, z)
	}
	f := z.File[0]
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if f.Name != "bootstrap" || f.Mode().Perm() != 0o755 || string(content) != "a binary" || err != nil {
		t.Errorf("%s %v %q %v", f.Name, f.Mode(), content, err)
	}
}

func TestErrors(t *testing.T) {
	for want, args := range map[string][]string{"usage": {"one"}, "no such file": {filepath.Join(t.TempDir(), "none"), "x.zip"}} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
