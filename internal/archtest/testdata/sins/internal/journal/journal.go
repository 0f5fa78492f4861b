// Package journal says what a journal is.
package journal // want "does not say what it never does"

import (
	"context"
	"os/exec" // want "may not import os/exec"

	_ "github.com/ebbhq/ebb/internal/fleet" // want "internal/journal may not import internal/fleet"
)

var _ context.Context = (*exec.Cmd)(nil)

type Store struct { // want "the exported Store has no comment"
}

func (s *Store) Open() { // want "the exported Open has no comment"
}

func (s *hidden) Open() {}

type hidden struct{}

type (
	// Key is documented.
	Key string
	Rev int // Rev is documented, too
)

// The kinds are documented as a group.
const (
	KindA = "a"
	KindB = "b"
)

const Schema = 1 + // want "the exported Schema has no comment"
	1
