package fleet

import "path"

// Match reports whether a name fits a pattern: a name, or one with *, ? and [a-z] as in path.Match. A wrong pattern fits no name.
func Match(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// FirstMatch returns the first item whose pattern fits a name: the settings of a group are those of the first entry that fits.
func FirstMatch[T any](items []T, name string, pattern func(T) string) (T, bool) {
	for _, item := range items {
		if Match(pattern(item), name) {
			return item, true
		}
	}
	var none T
	return none, false
}
