package diagnose_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/ebbhq/ebb/internal/diagnose"
)

// declared are the values of all constants of type Code.
func declared(t *testing.T) (codes []diagnose.Code) {
	t.Helper()
	for _, name := range []string{"diagnose.go", "../placement/placement.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Code" {
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, diagnose.Code(text))
			}
			return true
		})
	}
	return codes
}

func TestEachCodeHasARankAndALineInTheReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/why.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []diagnose.Code
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| [^|]+ \\|$").FindAllSubmatch(page, -1) {
		documented = append(documented, diagnose.Code(m[1]))
	}
	codes := declared(t)
	for _, c := range codes {
		if !slices.Contains(diagnose.Codes(), c) {
			t.Errorf("%s has no rank", c)
		}
		if !slices.Contains(documented, c) {
			t.Errorf("docs/reference/why.md has no line for `%s`", c)
		}
	}
	for _, c := range slices.Concat(documented, diagnose.Codes()) {
		if !slices.Contains(codes, c) {
			t.Errorf("there is no code %s", c)
		}
	}
	if n := len(diagnose.Codes()); n != len(codes) || n != len(documented) {
		t.Errorf("%d codes, %d with a rank, %d documented", len(codes), n, len(documented))
	}
}

func TestTheReferenceNamesEachVerdict(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/why.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, verdict := range []string{"moves", "shrinks", "uncertain", "stuck", "unknown"} {
		if !regexp.MustCompile("(?m)^\\| `" + verdict + "` \\| ").Match(page) {
			t.Errorf("docs/reference/why.md does not say what %s means", verdict)
		}
	}
}
