package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// marker excuses a loop over a map, at the end of its line or on the line above, with a reason after it.
const marker = "//ebb:any-order"

// Purity finds what would let a pure package give two answers to one question.
func (t *Tree) Purity() []Finding {
	types := newChecker(t)
	var found []Finding
	for _, dir := range pure() {
		p := t.find(dir)
		if p == nil {
			continue
		}
		for _, f := range p.code() {
			v := &visitor{tree: t, info: types.info(p), file: f, excused: t.excused(f), journal: dir == "internal/journal"}
			v.imports()
			ast.Inspect(f.File, v.node)
			found = append(found, v.found...)
		}
		found = append(found, t.state(p, types.info(p))...)
	}
	return found
}

// visitor looks through one file of a pure package.
type visitor struct {
	tree    *Tree
	info    *types.Info
	file    File
	excused map[int]bool // lines on which any order will do
	journal bool         // says what a store is, so it knows context
	sorted  ast.Node     // the call whose order is made good by the call around it
	found   []Finding
}

func (v *visitor) report(n ast.Node, format string, args ...any) {
	v.found = append(v.found, v.tree.finding(n.Pos(), format, args...))
}

// imports lets through what is known to be pure, and the tree's own packages and the SDK's, which Imports checks.
func (v *visitor) imports() {
	known := pureImports()
	for _, spec := range v.file.Imports {
		target := importPath(spec)
		if known[target] || v.journal && target == "context" || strings.HasPrefix(target, Module+"/") || strings.HasPrefix(target, typesOnly) {
			continue
		}
		v.report(spec, "a pure package may not import %s", target)
	}
}

func (v *visitor) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		v.report(n, "a pure package starts no goroutine")
	case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
		v.report(n, "a pure package has no channels")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			v.report(n, "a pure package has no channels")
		}
	case *ast.RangeStmt:
		v.loop(n)
	case *ast.CallExpr:
		v.call(n)
	case *ast.SelectorExpr:
		v.selector(n)
	}
	return true
}

// loop wants to know that what is looped over has an order.
func (v *visitor) loop(n *ast.RangeStmt) {
	typ := v.info.Types[n.X].Type
	if typ == nil || typ == types.Typ[types.Invalid] {
		v.report(n, "the type that this loop goes over cannot be found out; does the package compile?")
		return
	}
	line := v.tree.set.Position(n.Pos()).Line
	if isMap(typ) && !v.excused[line] {
		v.report(n, "a loop over a map has a random order; sort the keys first, or write %s and the reason", marker)
	}
}

// isMap reports whether a type is a map, or a type parameter that may be one.
func isMap(t types.Type) bool {
	if p, ok := t.(*types.TypeParam); ok {
		return anyMap(p.Constraint())
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func anyMap(constraint types.Type) bool {
	u, ok := constraint.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for e := range u.EmbeddedTypes() {
		union, ok := e.(*types.Union)
		if !ok {
			continue
		}
		for term := range union.Terms() {
			if isMap(term.Type()) {
				return true
			}
		}
	}
	return false
}

// call remembers the argument of slices.Sorted and the like, so that selector lets maps.Keys in it pass.
func (v *visitor) call(n *ast.CallExpr) {
	sel, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || v.packageOf(sel) != "slices" || !strings.HasPrefix(sel.Sel.Name, "Sorted") || len(n.Args) == 0 {
		return
	}
	if inner, ok := n.Args[0].(*ast.CallExpr); ok {
		v.sorted = inner.Fun
	}
}

func (v *visitor) selector(n *ast.SelectorExpr) {
	if s := v.info.Selections[n]; s != nil && s.Obj().Name() == "Local" && s.Obj().Pkg() != nil && s.Obj().Pkg().Path() == "time" {
		v.report(n, "Time.Local depends on the machine; use UTC")
	}
	pkg := v.packageOf(n)
	if _, function := v.info.Uses[n.Sel].(*types.Func); function && strings.HasPrefix(pkg, typesOnly) {
		v.report(n, "a pure package may not use %s.%s: of the SDK it uses types only", pkg, n.Sel.Name)
	}
	rule, ok := pureNames()[pkg]
	if !ok || v.sorted == n || pkg == "maps" && v.excused[v.tree.set.Position(n.Pos()).Line] {
		return
	}
	if rule.denied[n.Sel.Name] || rule.allowed != nil && !rule.allowed[n.Sel.Name] {
		v.report(n, "a pure package may not use %s.%s: %s", pkg, n.Sel.Name, rule.why)
	}
}

// packageOf is the import path of the package in a qualified name, or empty.
func (v *visitor) packageOf(n *ast.SelectorExpr) string {
	id, ok := n.X.(*ast.Ident)
	if !ok {
		return ""
	}
	name, ok := v.info.Uses[id].(*types.PkgName)
	if !ok {
		return ""
	}
	return name.Imported().Path()
}

// excused are the lines with the marker and a reason, and the lines below them.
func (t *Tree) excused(f File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Comments {
		for _, c := range group.List {
			reason, ok := strings.CutPrefix(c.Text, marker)
			if ok && strings.TrimSpace(reason) != "" {
				line := t.set.Position(c.Pos()).Line
				lines[line], lines[line+1] = true, true
			}
		}
	}
	return lines
}
