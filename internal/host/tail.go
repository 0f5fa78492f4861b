package host

import (
	"fmt"
	"strings"
	"sync"

	"github.com/ebbhq/ebb/internal/plain"
)

// Tail keeps the beginning and the end of an output, and counts the rest. It is safe for concurrent use.
type Tail struct {
	mu         sync.Mutex
	half       int // bytes that are kept at either end
	head, tail []byte
	bytes      int64
}

// NewTail keeps the first and the last so many bytes.
func NewTail(half int) *Tail { return &Tail{half: half} }

// Write never fails, and takes no more memory than what is kept, three times.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.bytes += int64(n)
	free := min(t.half-len(t.head), n)
	t.head, p = append(t.head, p[:free]...), p[free:]
	if t.tail = append(t.tail, p[max(0, len(p)-t.half):]...); len(t.tail) > 2*t.half {
		t.tail = append(t.tail[:0], t.tail[len(t.tail)-t.half:]...)
	}
	return n, nil
}

// String is what is kept, fit to be shown: control characters are spelled, and what is left out is counted.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, tail := string(t.head), t.tail[max(0, len(t.tail)-t.half):]
	if left := t.bytes - int64(len(t.head)+len(tail)); left > 0 {
		text += fmt.Sprintf("\n... %d bytes are left out ...\n", left)
	}
	text += string(tail)
	return plain.Lines(strings.TrimRight(text, "\n"), len(text))
}
