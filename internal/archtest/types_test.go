package archtest

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
)

// checker finds out the types of the tree's packages. What does not compile is left to the compiler.
type checker struct {
	tree    *Tree
	std     types.Importer
	sdk     types.Importer
	done    map[string]*types.Package
	details map[string]*types.Info
}

func newChecker(t *Tree) *checker {
	return &checker{tree: t, std: importer.Default(), sdk: importer.ForCompiler(token.NewFileSet(), "gc", compiled),
		done: map[string]*types.Package{}, details: map[string]*types.Info{}}
}

// Import is types.Importer: packages of the tree from their source, all others from what the compiler left.
func (c *checker) Import(target string) (*types.Package, error) {
	p := c.tree.find(strings.TrimPrefix(target, Module+"/"))
	switch {
	case p == nil && strings.HasPrefix(target, typesOnly):
		return c.sdk.Import(target)
	case p == nil:
		return c.std.Import(target)
	}
	c.info(p)
	return c.done[p.Path], nil
}

// compiled opens what the compiler left of a package of the SDK, in the version that this module has.
func compiled(target string) (io.ReadCloser, error) {
	file, err := exec.Command("go", "list", "-export", "-f", "{{.Export}}", target).Output()
	if err != nil {
		return nil, fmt.Errorf("go list -export %s: %w", target, err)
	}
	return os.Open(strings.TrimSpace(string(file)))
}

func (c *checker) info(p *Package) *types.Info {
	if info, ok := c.details[p.Path]; ok {
		return info
	}
	info := &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Uses:       map[*ast.Ident]types.Object{},
		Defs:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	c.details[p.Path] = info
	var files []*ast.File
	for _, f := range p.code() {
		files = append(files, f.File)
	}
	config := types.Config{Importer: c, Error: func(error) {}}
	checked, err := config.Check(Module+"/"+p.Path, c.tree.set, files, info)
	if checked == nil || err != nil && len(files) == 0 {
		checked = types.NewPackage(Module+"/"+p.Path, "broken")
	}
	c.done[p.Path] = checked
	return info
}
