// Package fleet has no sins, and never gets any.
package fleet

// Tags is a map by another name.
type Tags map[string]string

// Names is a list by another name.
type Names []string
