package archtest

import (
	"go/ast"
	"regexp"
	"strings"
)

// Docs finds packages that do not say what they are for and what they never do, and exported names without a comment.
func (t *Tree) Docs() []Finding {
	var found []Finding
	for _, p := range t.Packages {
		files := p.code()
		if len(files) == 0 {
			continue
		}
		found = append(found, t.packageDoc(p, files)...)
		for _, f := range files {
			for _, d := range f.Decls {
				found = append(found, t.declaration(d)...)
			}
		}
	}
	return found
}

func (t *Tree) packageDoc(p *Package, files []File) []Finding {
	var doc strings.Builder
	for _, f := range files {
		doc.WriteString(f.Doc.Text())
	}
	text := doc.String()
	never := regexp.MustCompile(`\b[Nn]ever\b`).MatchString(text)
	switch {
	case text == "":
		return []Finding{t.finding(files[0].Package, "the package has no comment that says what it is for")}
	case strings.HasPrefix(p.Path, "internal/") && !never:
		return []Finding{t.finding(files[0].Package, `the comment of the package does not say what it never does, with the word "never"`)}
	}
	return nil
}

func (t *Tree) declaration(d ast.Decl) []Finding {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) && d.Doc.Text() == "" {
			return []Finding{t.finding(d.Name.Pos(), "the exported %s has no comment", d.Name.Name)}
		}
	case *ast.GenDecl:
		var found []Finding
		for _, s := range d.Specs {
			if name := undocumented(s); name != nil && d.Doc.Text() == "" {
				found = append(found, t.finding(name.Pos(), "the exported %s has no comment", name.Name))
			}
		}
		return found
	}
	return nil
}

// undocumented is the first exported name of a declaration without a comment of its own.
func undocumented(s ast.Spec) *ast.Ident {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc.Text()+s.Comment.Text() == "" {
			return s.Name
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Doc.Text()+s.Comment.Text() == "" {
				return name
			}
		}
	}
	return nil
}

// exportedReceiver reports whether a function is one, or the method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	return ast.IsExported(receiver(d))
}
