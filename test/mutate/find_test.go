package mutate

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// mutant is one small change of the code. Both ways are compiled in: before and after are inserted around the code from pos to end, and
// choose between the code and the change by the mutant's number, which stands for each # in them.
type mutant struct {
	number        int
	file, fn      string // the file, from the root of the module, and the function
	line          int
	kind          string
	from, to      string // the code and the change, in one line each
	nth           int    // of those with the same name in the same function, from 1
	pos, end      int    // offsets in the file
	before, after string
	tests         map[string][]string // by suite: the tests that reach it
}

// name says which mutant it is without the number of the line, so that it stays the same while code above it changes.
func (m *mutant) name() string {
	s := fmt.Sprintf("%s %s: %s: %s -> %s", m.file, m.fn, m.kind, m.from, m.to)
	if m.nth > 1 {
		s += fmt.Sprintf(" (%d)", m.nth)
	}
	return s
}

// place is the name with the line.
func (m *mutant) place() string {
	return strings.Replace(m.name(), m.file, fmt.Sprintf("%s:%d", m.file, m.line), 1)
}

// finder collects the mutants of one file.
type finder struct {
	name  string
	text  string
	start token.Pos
	file  *ast.File
	set   *token.FileSet
	info  *types.Info
	pkg   *types.Package
	stack []ast.Node // around the node that is visited
	found []*mutant
}

// find visits every node of the file, the outer ones first.
func (f *finder) find() []*mutant {
	ast.PreorderStack(f.file, nil, func(n ast.Node, stack []ast.Node) bool {
		f.stack = stack
		if f.excluded(n) {
			return false
		}
		if s, ok := n.(ast.Stmt); ok {
			f.statement(s)
		}
		if e, ok := n.(ast.Expr); ok {
			return f.expression(e)
		}
		return true
	})
	return f.found
}

func (f *finder) src(n ast.Node) string {
	return f.text[n.Pos()-f.start : n.End()-f.start]
}

func (f *finder) parent() ast.Node { return f.stack[len(f.stack)-1] }

func (f *finder) typeOf(e ast.Expr) types.Type { return f.info.TypeOf(e).Underlying() }

// add adds a mutant of the code of a node.
func (f *finder) add(kind string, n ast.Node, to, before, after string) {
	fn := "(package)"
	for _, s := range f.stack {
		if d, ok := s.(*ast.FuncDecl); ok {
			fn = d.Name.Name
		}
	}
	short := func(s string) string {
		words := strings.Join(strings.Fields(s), " ")
		if len(words) > 100 {
			words = strings.ToValidUTF8(words[:97], "") + "..."
		}
		return words
	}
	m := &mutant{
		file: f.name, fn: fn, line: f.set.Position(n.Pos()).Line, kind: kind, from: short(f.src(n)), to: short(to), nth: 1,
		pos: int(n.Pos() - f.start), end: int(n.End() - f.start), before: before, after: after,
	}
	for _, other := range f.found {
		if other.fn == m.fn && other.kind == m.kind && other.from == m.from && other.to == m.to {
			m.nth++
		}
	}
	f.found = append(f.found, m)
}

// excluded reports what is left as it is: constants, types, texts of errors, log lines, how things are shown in Go, and locks.
func (f *finder) excluded(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.TypeSpec, *ast.FuncType:
		return true
	case *ast.GenDecl:
		return n.Tok == token.CONST
	case *ast.FuncDecl:
		return slices.Contains([]string{"String", "GoString", "Error", "LogValue"}, n.Name.Name)
	case *ast.CallExpr:
		return f.quiet(n)
	case *ast.ExprStmt:
		call, ok := n.X.(*ast.CallExpr)
		return ok && f.quiet(call)
	case ast.Expr:
		kv, ok := f.parent().(*ast.KeyValueExpr)
		cond, is := f.parent().(*ast.IfStmt)
		return f.info.Types[n].IsType() || ok && kv.Key == n || is && f.onlyTold(cond)
	}
	return false
}

// quiet reports calls that make an error's text, write a log line, panic, lock or only reserve memory.
func (f *finder) quiet(call *ast.CallExpr) bool {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if sel, is := ast.Unparen(call.Fun).(*ast.SelectorExpr); is {
		id, ok = sel.Sel, true
	}
	if !ok {
		return false
	}
	switch o := f.info.Uses[id].(type) {
	case *types.Builtin:
		return o.Name() == "panic" || o.Name() == "make"
	case *types.Func:
		if o.Pkg() == nil {
			return false
		}
		switch o.Pkg().Path() {
		case "errors":
			return o.Name() == "New"
		case "log", "log/slog":
			return true
		case "sync":
			return slices.Contains([]string{"Lock", "Unlock", "RLock", "RUnlock", "Add", "Done", "Wait"}, o.Name())
		}
		return o.Name() == "Errorf" || slices.Contains(logs, o.Name())
	}
	return false
}

// onlyTold reports whether nothing depends on a condition but log lines.
func (f *finder) onlyTold(s *ast.IfStmt) bool {
	return s.Else == nil && !slices.ContainsFunc(s.Body.List, func(s ast.Stmt) bool {
		e, ok := s.(*ast.ExprStmt)
		return !ok || !f.excluded(e)
	})
}

// statement adds what can be done to a whole statement of a block.
func (f *finder) statement(s ast.Stmt) {
	switch p := f.parent().(type) {
	case *ast.BlockStmt, *ast.CaseClause:
	case *ast.CommClause:
		if p.Comm == s {
			return
		}
	default:
		return
	}
	out := func(kind string) { f.add(kind, s, "(nothing)", "if !mutant.On(#) { ", " }") }
	switch s := s.(type) {
	case *ast.ExprStmt:
		if _, ok := s.X.(*ast.CallExpr); ok {
			out("call left out")
		}
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE && slices.ContainsFunc(s.Lhs, kept) {
			out("assignment left out")
		}
		if s.Tok == token.ADD_ASSIGN || s.Tok == token.SUB_ASSIGN {
			f.sign(s, s.Tok, s.Lhs[0], s.Rhs[0])
		}
	case *ast.IncDecStmt:
		if kept(s.X) {
			out("assignment left out")
		}
		to := f.src(s.X) + map[token.Token]string{token.INC: "--", token.DEC: "++"}[s.Tok]
		f.add("sign", s, to, "if mutant.On(#) { "+to+" } else { ", " }")
	case *ast.ReturnStmt:
		f.nilError(s)
	case *ast.BranchStmt:
		f.branch(s)
	}
}

// kept reports whether an assignment to an expression outlives the function: a field, an element, or what a pointer points to.
func kept(e ast.Expr) bool {
	switch ast.Unparen(e).(type) {
	case *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr:
		return true
	}
	return false
}

// nilError returns nil instead of an error.
func (f *finder) nilError(s *ast.ReturnStmt) {
	if len(s.Results) == 0 {
		return
	}
	last := s.Results[len(s.Results)-1]
	if f.info.Types[last].IsNil() || f.wanted(last) == nil || !types.Identical(f.wanted(last), types.Universe.Lookup("error").Type()) {
		return
	}
	to := f.text[s.Pos()-f.start:last.Pos()-f.start] + "nil"
	f.add("error lost", s, to, "if mutant.On(#) { "+to+" }; ", "")
}

// wanted is the type of the result for which the last expression of a return stands; nil: it is a call with several results.
func (f *finder) wanted(last ast.Expr) types.Type {
	if _, several := f.info.TypeOf(last).(*types.Tuple); several {
		return nil
	}
	for _, n := range slices.Backward(f.stack) {
		var t types.Type
		switch n := n.(type) {
		case *ast.FuncLit:
			t = f.info.TypeOf(n)
		case *ast.FuncDecl:
			t = f.info.Defs[n.Name].Type()
		default:
			continue
		}
		results := t.(*types.Signature).Results()
		return results.At(results.Len() - 1).Type()
	}
	return nil
}

// branch exchanges break and continue of the loop that is next around it. A loop without a condition keeps its end.
func (f *finder) branch(s *ast.BranchStmt) {
	to := map[token.Token]string{token.BREAK: "continue", token.CONTINUE: "break"}[s.Tok]
	for _, n := range slices.Backward(f.stack) {
		switch n := n.(type) {
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.FuncLit:
			return
		case *ast.ForStmt, *ast.RangeStmt:
			if loop, ok := n.(*ast.ForStmt); to != "" && s.Label == nil && (!ok || loop.Cond != nil) {
				f.add("branch", s, to, "if mutant.On(#) { "+to+" }; ", "")
			}
			return
		}
	}
}

// expression adds what can be done to an expression; false: its parts are left alone.
func (f *finder) expression(e ast.Expr) bool {
	role := f.role(e)
	value := f.info.Types[e].Value
	if role != "" && f.isBool(e) {
		if value == nil || constant.BoolVal(value) {
			f.add(role+" false", e, "false", "(!mutant.On(#) && (", "))")
		}
		if loop, ok := f.parent().(*ast.ForStmt); (value == nil || !constant.BoolVal(value)) && (!ok || loop.Cond != e) {
			f.add(role+" true", e, "true", "(mutant.On(#) || (", "))")
		}
	}
	if value != nil {
		f.constant(e, value)
		return false
	}
	switch p := f.parent().(type) {
	case *ast.RangeStmt:
		if p.X == e {
			f.first(e)
		}
	case *ast.IndexExpr:
		if _, ok := f.typeOf(p.X).(*types.Map); ok && p.Index == e {
			f.add("key", e, "zero", "mutant.Zero(#, ", ")")
		}
	}
	switch e := e.(type) {
	case *ast.UnaryExpr:
		if e.Op == token.NOT && role == "" {
			f.instead("not", e, f.src(e.X))
		}
	case *ast.BinaryExpr:
		f.binary(e, role)
	}
	return true
}

// role is what a truth value decides: a condition or a result; empty: it is part of a larger one, or decides nothing at once.
func (f *finder) role(e ast.Expr) string {
	switch p := f.parent().(type) {
	case *ast.IfStmt, *ast.ForStmt:
		return "condition"
	case *ast.ReturnStmt:
		return "result"
	case *ast.CaseClause:
		if s, ok := f.stack[len(f.stack)-3].(*ast.SwitchStmt); ok && s.Tag == nil && slices.Contains(p.List, e) {
			return "condition"
		}
	}
	return ""
}

func (f *finder) isBool(e ast.Expr) bool {
	b, ok := f.info.TypeOf(e).(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

// instead adds a truth value in place of another one.
func (f *finder) instead(kind string, e ast.Expr, to string) {
	if f.isBool(e) {
		f.add(kind, e, to, "(mutant.On(#) && ("+to+") || !mutant.On(#) && (", "))")
	}
}

// binary changes an operator. The opposite of a whole condition is not tried: it is found whenever both constants are.
func (f *finder) binary(e *ast.BinaryExpr, role string) {
	x, y := f.src(e.X), f.src(e.Y)
	switch e.Op {
	case token.LAND, token.LOR:
		other := map[token.Token]string{token.LAND: " || ", token.LOR: " && "}[e.Op]
		f.instead("and, or", e, "("+x+")"+other+"("+y+")")
		if left, ok := e.X.(*ast.BinaryExpr); !ok || left.Op != e.Op {
			f.instead("side left out", e, y)
		}
		f.instead("side left out", e, x)
	case token.EQL, token.NEQ:
		if role == "" {
			f.instead("comparison", e, x+map[token.Token]string{token.EQL: " != ", token.NEQ: " == "}[e.Op]+y)
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		next := map[token.Token]string{token.LSS: " <= ", token.LEQ: " < ", token.GTR: " >= ", token.GEQ: " > "}[e.Op]
		f.instead("comparison", e, x+next+y)
	case token.ADD, token.SUB:
		f.sign(e, e.Op, e.X, e.Y)
	}
}

// sign exchanges + and - between two numbers, in front of the second.
func (f *finder) sign(whole ast.Node, op token.Token, x, y ast.Expr) {
	t, ok := f.typeOf(y).(*types.Basic)
	if !ok || t.Info()&types.IsNumeric == 0 || t.Info()&types.IsComplex != 0 {
		return
	}
	other := map[token.Token]string{token.ADD: " - ", token.SUB: " + ", token.ADD_ASSIGN: " -= ", token.SUB_ASSIGN: " += "}[op]
	f.add("sign", whole, f.src(x)+other+f.src(y), "", "")
	m := f.found[len(f.found)-1]
	m.pos, m.end, m.before, m.after = int(y.Pos()-f.start), int(y.End()-f.start), "mutant.Minus"+f.instance(y)+"(#, (", "))"
}

// instance is the type of an expression as the type argument of a call. A type that has no name here fails the check of the changed copy.
func (f *finder) instance(e ast.Expr) string {
	return "[" + types.TypeString(types.Default(f.info.TypeOf(e)), func(p *types.Package) string {
		if p == f.pkg {
			return ""
		}
		for _, i := range f.file.Imports {
			if o := f.info.PkgNameOf(i); o != nil && o.Imported() == p {
				return o.Name()
			}
		}
		return p.Name()
	}) + "]"
}

// constant changes a whole number by one, if it is written here as a number, and a duration to none. A bare number times a duration is one
// in Go's types, too, but it counts as a number.
func (f *finder) constant(e ast.Expr, value constant.Value) {
	t, ok := f.info.TypeOf(e).Underlying().(*types.Basic)
	if _, bare := e.(*ast.BasicLit); !bare && f.info.TypeOf(e).String() == "time.Duration" {
		if constant.Sign(value) != 0 {
			f.add("duration", e, "0", "mutant.Zero"+f.instance(e)+"(#, ", ")")
		}
		return
	}
	literal := false
	ast.Inspect(e, func(n ast.Node) bool {
		lit, is := n.(*ast.BasicLit)
		literal = literal || is && lit.Kind == token.INT
		return true
	})
	if !ok || t.Info()&types.IsInteger == 0 || !literal {
		return
	}
	f.add("number", e, f.src(e)+" + 1", "mutant.Add"+f.instance(e)+"(#, 1, ", ")")
	if constant.Sign(value) > 0 {
		f.add("number", e, f.src(e)+" - 1", "mutant.Less"+f.instance(e)+"(#, 1, ", ")")
	}
}

// first ends a loop after the first element.
func (f *finder) first(e ast.Expr) {
	call := ""
	switch t := f.typeOf(e).(type) {
	case *types.Slice:
		call = "First"
	case *types.Map:
		call = "FirstKey"
	case *types.Signature:
		call = map[int]string{1: "FirstOf", 2: "FirstPair"}[t.Params().At(0).Type().Underlying().(*types.Signature).Params().Len()]
	}
	if call != "" {
		f.add("first only", e, f.src(e)+"[:1]", "mutant."+call+"(#, ", ")")
	}
}
