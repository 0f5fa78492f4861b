package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
)

// state finds package variables that can change. A table that nothing writes to is fine; an exported variable can be written to
// by anybody, so only errors made by errors.New may be one.
func (t *Tree) state(p *Package, info *types.Info) []Finding {
	written := map[types.Object]token.Pos{}
	for _, f := range p.code() {
		ast.Inspect(f.File, func(n ast.Node) bool {
			for _, e := range targets(n) {
				if id := root(e); id != nil && info.Uses[id] != nil {
					written[info.Uses[id]] = id.Pos()
				}
			}
			return true
		})
	}
	var found []Finding
	for _, f := range p.code() {
		for _, spec := range variables(f) {
			for i, name := range spec.Names {
				found = append(found, t.variable(name, spec, i, written[info.Defs[name]])...)
			}
		}
	}
	return found
}

func (t *Tree) variable(name *ast.Ident, spec *ast.ValueSpec, i int, written token.Pos) []Finding {
	switch {
	case written.IsValid():
		return []Finding{t.finding(written, "a pure package has no changing variable: %s is written to here", name.Name)}
	case name.Name == "_" || i < len(spec.Values) && isErrorsNew(spec.Values[i]):
		return nil
	case name.IsExported():
		return []Finding{t.finding(name.Pos(), "anybody could change the exported variable %s; make it a constant or a function", name.Name)}
	case len(spec.Values) == 0:
		return []Finding{t.finding(name.Pos(), "the variable %s has no value and nothing gives it one", name.Name)}
	}
	return nil
}

// variables are the package variables that a file declares.
func variables(f File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			if spec, ok := s.(*ast.ValueSpec); ok {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// targets are the expressions that a node writes to, or whose address it takes.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (id.Name == "delete" || id.Name == "clear" || id.Name == "copy") {
			return n.Args[:1]
		}
	}
	return nil
}

// root is the variable at the left end of an expression like v.field[i].
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.SliceExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}

func isErrorsNew(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "New" {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == "errors"
}
