package mutate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const runtime = "github.com/ebbhq/ebb/test/mutate/mutant"

// code is the code of one package.
type code struct {
	path    string
	names   []string // of its files, from the root of the module
	texts   []string
	mutants []*mutant
}

// loader reads packages with the types of what they import.
type loader struct {
	root    string
	set     *token.FileSet
	imports types.Importer
	dirs    map[string]listed
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// newLoader asks go for packages and all that they import.
func newLoader(root string, paths []string) (*loader, error) {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", runtime}, paths...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list of %s: %w", strings.Join(paths, " "), err)
	}
	l := &loader{root: root, set: token.NewFileSet(), dirs: map[string]listed{}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		l.dirs[p.ImportPath] = p
	}
	l.imports = importer.ForCompiler(l.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.dirs[path].Export) })
	return l, nil
}

// load reads a package and finds its mutants. Those of which the changed copy does not compile are left out.
func (l *loader) load(path string) (*code, error) {
	p := l.dirs[path]
	c := &code{path: path}
	for _, name := range p.GoFiles {
		b, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(l.root, filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		c.names, c.texts = append(c.names, filepath.ToSlash(rel)), append(c.texts, string(b))
	}
	files, info, pkg, bad := l.check(c, c.texts)
	if len(bad) > 0 {
		return nil, bad[0]
	}
	for i, file := range files {
		f := &finder{name: c.names[i], text: c.texts[i], start: file.FileStart, file: file, set: l.set, info: info, pkg: pkg}
		c.mutants = append(c.mutants, f.find()...)
	}
	for {
		var texts []string
		var spans []map[*mutant][2]int
		for i := range c.texts {
			text, span := c.changed(i)
			texts, spans = append(texts, text), append(spans, span)
		}
		_, _, _, bad := l.check(c, texts)
		if len(bad) == 0 {
			return c, nil
		}
		for _, err := range bad {
			at := l.set.Position(err.Pos)
			m := innermost(spans[slices.Index(c.names, at.Filename)], at.Offset)
			if m == nil {
				return nil, fmt.Errorf("the changed copy does not compile: %w", err)
			}
			c.mutants = slices.DeleteFunc(c.mutants, func(o *mutant) bool { return o == m })
		}
	}
}

// innermost is the mutant with the least text around an offset of the changed copy.
func innermost(spans map[*mutant][2]int, offset int) *mutant {
	var inner *mutant
	for m, s := range spans {
		if s[0] <= offset && offset < s[1] && (inner == nil || s[1]-s[0] < spans[inner][1]-spans[inner][0]) {
			inner = m
		}
	}
	return inner
}

// check parses texts as the files of a package and checks their types.
func (l *loader) check(c *code, texts []string) ([]*ast.File, *types.Info, *types.Package, []types.Error) {
	var files []*ast.File
	var bad []types.Error
	for i, name := range c.names {
		file, err := parser.ParseFile(l.set, name, texts[i], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			bad = append(bad, types.Error{Fset: l.set, Pos: file.FileStart, Msg: err.Error()})
		}
		files = append(files, file)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{},
	}
	conf := types.Config{Importer: l.imports, Error: func(err error) {
		var e types.Error
		if errors.As(err, &e) && !e.Soft {
			bad = append(bad, e)
		}
	}}
	pkg, _ := conf.Check(c.path, l.set, files, info)
	return files, info, pkg, bad
}

// changed is one file with all its mutants, and where in it each is.
func (c *code) changed(i int) (string, map[*mutant][2]int) {
	type insertion struct {
		at    int
		text  string
		of    *mutant
		after bool
	}
	var all []insertion
	for _, m := range c.mutants {
		if m.file == c.names[i] {
			all = append(all, insertion{m.pos, m.before, m, false})
		}
	}
	for _, m := range slices.Backward(c.mutants) { // what was opened last is closed first
		if m.file == c.names[i] && m.after != "" {
			all = append(all, insertion{m.end, m.after, m, true})
		}
	}
	slices.SortStableFunc(all, func(a, b insertion) int {
		if a.at == b.at && a.after != b.after {
			return map[bool]int{true: -1, false: 1}[a.after]
		}
		return a.at - b.at
	})
	text, spans := c.texts[i], map[*mutant][2]int{}
	if len(all) == 0 {
		return text, spans
	}
	var out strings.Builder
	clause := strings.Index("\n"+text, "\npackage ")
	end := clause + strings.IndexAny(text[clause:]+"\n", "\r\n/")
	out.WriteString(text[:end] + "; import \"" + runtime + "\"")
	for _, n := range all {
		out.WriteString(text[end:n.at])
		began := out.Len()
		out.WriteString(strings.ReplaceAll(n.text, "#", fmt.Sprint(n.of.number)))
		if n.after {
			began = spans[n.of][0]
		}
		spans[n.of] = [2]int{began, out.Len()}
		end = n.at
	}
	out.WriteString(text[end:])
	return out.String(), spans
}
