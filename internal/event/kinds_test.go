package event

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// declared are the constants of type Kind, as the source declares them.
func declared(t *testing.T) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if of, ok := v.Type.(*ast.Ident); ok && of.Name == "Kind" {
				names = append(names, v.Names[0].Name)
			}
		}
		return true
	})
	return names
}

// A kind without a row is neither heard nor acknowledged.
func TestEveryKindHasARow(t *testing.T) {
	if names := declared(t); len(names) != len(kinds) || len(names) < 6 {
		t.Errorf("the kinds are %v, and %d have a row", names, len(kinds))
	}
	for k, use := range kinds {
		if use == 0 {
			t.Errorf("%s has no use", k)
		}
	}
}
