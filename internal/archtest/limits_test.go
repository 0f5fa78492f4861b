package archtest

import (
	"go/ast"
	"strings"
	"unicode/utf8"
)

// What a reader can take in at once. Files and functions of tests may be longer. The simulated cloud's types may have more methods.
const (
	longestFunction = 62  // lines, from func to the closing brace
	longestFile     = 400 // lines
	widestLine      = 160 // characters; a tab is one
	mostMethods     = 40
)

// Limits finds functions, files and lines that are too long, and types with too many methods.
func (t *Tree) Limits() []Finding {
	var found []Finding
	for _, p := range t.Packages {
		for _, f := range p.Files {
			found = append(found, t.wideLines(f)...)
			if !f.Test {
				found = append(found, t.longParts(f)...)
			}
		}
		if p.Path != "internal/sim" && !strings.HasPrefix(p.Path, "internal/sim/") {
			found = append(found, t.manyMethods(p)...)
		}
	}
	return found
}

func (t *Tree) wideLines(f File) []Finding {
	var found []Finding
	start := t.set.File(f.FileStart)
	for i, line := range strings.Split(f.Source, "\n") {
		if n := utf8.RuneCountInString(line); n > widestLine {
			found = append(found, t.finding(start.LineStart(i+1), "the line has %d characters; %d may be", n, widestLine))
		}
	}
	return found
}

func (t *Tree) longParts(f File) []Finding {
	var found []Finding
	if n := strings.Count(f.Source, "\n"); n > longestFile {
		found = append(found, t.finding(f.Package, "the file has %d lines; %d may be", n, longestFile))
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := t.set.Position(fn.End()).Line - t.set.Position(fn.Pos()).Line + 1; n > longestFunction {
			found = append(found, t.finding(fn.Pos(), "the function %s has %d lines; %d may be", fn.Name.Name, n, longestFunction))
		}
	}
	return found
}

// manyMethods counts the methods of each type, at the place of the first one that is too many.
func (t *Tree) manyMethods(p *Package) []Finding {
	var found []Finding
	count := map[string]int{}
	for _, f := range p.code() {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			name := receiver(fn)
			if count[name]++; count[name] == mostMethods+1 {
				found = append(found, t.finding(fn.Pos(), "the type %s has more than %d methods", name, mostMethods))
			}
		}
	}
	return found
}

// receiver is the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	e := fn.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if generic, ok := e.(*ast.IndexExpr); ok {
		e = generic.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
