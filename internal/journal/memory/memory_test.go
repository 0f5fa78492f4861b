package memory

import (
	"testing"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(*testing.T) journal.Store { return New() }, nil)
}
