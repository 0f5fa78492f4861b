package sim

import (
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// iso spells a time as AWS does in messages, to the second.
func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// isoMillis spells a time as AWS does in messages, to the millisecond.
func isoMillis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// lastPart is what follows the last slash, or the last colon if there is no slash: the name in an ARN or URL.
func lastPart(id string) string {
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		return id[i+1:]
	}
	return id[strings.LastIndexByte(id, ':')+1:]
}
