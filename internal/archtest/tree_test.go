package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module whose tree is read.
const Module = "github.com/ebbhq/ebb"

// Finding is one breach of a rule.
type Finding struct {
	File string // relative to the root of the tree
	Line int
	Text string
}

// String is file:line: text.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// File is one parsed Go file.
type File struct {
	*ast.File
	Path   string // relative to the root of the tree
	Source string
	Test   bool
}

// Package is the Go files of one directory.
type Package struct {
	Path  string // relative to the module: internal/drain
	Files []File
}

// Tree is the parsed source of a module.
type Tree struct {
	root     string
	set      *token.FileSet
	Packages []*Package // by path
}

// Load parses cmd, deploy and internal below root. It reads test files too, but nothing in testdata.
func Load(root string) (*Tree, error) {
	t := &Tree{root: root, set: token.NewFileSet()}
	for _, top := range []string{"cmd", "deploy", "internal"} {
		if _, err := os.Stat(filepath.Join(root, top)); err != nil {
			continue
		}
		if err := filepath.WalkDir(filepath.Join(root, top), t.visit); err != nil {
			return nil, fmt.Errorf("read the source below %s: %w", root, err)
		}
	}
	slices.SortFunc(t.Packages, func(a, b *Package) int { return cmp.Compare(a.Path, b.Path) })
	return t, nil
}

func (t *Tree) visit(file string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case entry.IsDir() && entry.Name() == "testdata":
		return filepath.SkipDir
	case entry.IsDir() || filepath.Ext(file) != ".go":
		return nil
	}
	name, err := filepath.Rel(t.root, file)
	if err != nil {
		return err
	}
	name = filepath.ToSlash(name)
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.set, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.add(path.Dir(name), File{File: parsed, Path: name, Source: string(src), Test: strings.HasSuffix(name, "_test.go")})
	return nil
}

func (t *Tree) add(dir string, f File) {
	p := t.find(dir)
	if p == nil {
		p = &Package{Path: dir}
		t.Packages = append(t.Packages, p)
	}
	p.Files = append(p.Files, f)
}

func (t *Tree) find(dir string) *Package {
	for _, p := range t.Packages {
		if p.Path == dir {
			return p
		}
	}
	return nil
}

// code yields the files that are not tests.
func (p *Package) code() []File {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f File) bool { return f.Test })
}

func (t *Tree) finding(pos token.Pos, format string, args ...any) Finding {
	at := t.set.Position(pos)
	return Finding{File: at.Filename, Line: at.Line, Text: fmt.Sprintf(format, args...)}
}

// importPath is the path that an import names.
func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}
