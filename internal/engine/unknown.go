package engine

import (
	"log/slog"

	"github.com/ebbhq/ebb/internal/kernel"
)

// leftAlone are the keys of the open records of a newer Ebb that the log has named. The kernel leaves such records as they are.
type leftAlone map[string]bool

// warn names the records that were not named before, in one line.
func (named leftAlone) warn(log *slog.Logger, newer []*kernel.UnknownRecord) {
	var first *kernel.UnknownRecord
	n := 0
	for _, u := range newer {
		if named[u.Key] {
			continue
		}
		named[u.Key] = true
		if n++; first == nil {
			first = u
		}
	}
	if n > 0 {
		log.Warn("the journal has open records that only a newer version of ebb reads; they are left alone, "+
			"start that version to go on with them", "records", n, "first", first.Key, "scope", first.Scope, "kind", first.Kind, "version", first.Version)
	}
}
