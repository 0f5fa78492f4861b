package memory

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, time.Now(), func(*testing.T) journal.Store { return New() }, nil)
}
