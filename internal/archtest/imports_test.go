package archtest

import (
	"slices"
	"strings"
)

// Imports finds imports that the tables of rules.go do not allow.
func (t *Tree) Imports() []Finding {
	var found []Finding
	for _, p := range t.Packages {
		for _, f := range p.Files {
			for _, spec := range f.Imports {
				target := importPath(spec)
				if why := forbidden(p.Path, target, f.Test); why != "" {
					found = append(found, t.finding(spec.Pos(), "%s", why))
				}
			}
		}
	}
	return found
}

// forbidden says why a package may not import another one; empty: it may. Tests may import what they like, but not what is banned.
func forbidden(from, target string, test bool) string {
	if target == banned || strings.HasPrefix(target, banned+"/") {
		return "nobody may import " + banned + ", which takes minutes to compile"
	}
	if test {
		return ""
	}
	if target == Module || strings.HasPrefix(target, Module+"/") {
		return forbiddenInside(from, strings.TrimPrefix(target, Module+"/"))
	}
	owner := ""
	for prefix := range owners() {
		if strings.HasPrefix(target, prefix) && len(prefix) > len(owner) {
			owner = prefix
		}
	}
	if owner == "" || slices.Contains(owners()[owner], strings.TrimPrefix(from, "internal/")) {
		return ""
	}
	return from + " may not import " + target + "; only these may: " + strings.Join(owners()[owner], ", ")
}

func forbiddenInside(from, target string) string {
	if strings.HasPrefix(from, "cmd/") {
		if target == "internal/cli" || target == "internal/agentcli" {
			return ""
		}
		return from + " may import internal/cli or internal/agentcli only"
	}
	allowed, known := mayImport()[strings.TrimPrefix(from, "internal/")]
	switch {
	case !known:
		return from + " is not in the table of archtest; add it with what it may import"
	case slices.Contains(allowed, strings.TrimPrefix(target, "internal/")):
		return ""
	}
	return from + " may not import " + target
}
