package journal

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What every store takes. DynamoDB sets most of the limits: a sort key has 1,024 bytes at most, and of a drain that ended it holds a number
// beside the key.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	// MaxBody is how many bytes the body of a record, the data of a line and the body of a forwarded message may have.
	MaxBody = 128 << 10
	// MaxKey is how many bytes the key of a record or line, a scope and the id of a forwarded message may have.
	MaxKey = 900
	// MaxKind is how many bytes the kind of a line may have.
	MaxKind = 100
	// MaxText is how many bytes the text of a line may have.
	MaxText = 64 << 10
	// MaxLines is how many lines of one key a batch may have, and MaxLineBytes how many bytes they may have together.
	MaxLines     = 1000
	MaxLineBytes = 1 << 20
)

// SetAside is the kind of the line that stands in place of what a store never takes.
const SetAside = "set-aside"

// Part is a kind of thing that a batch is made of.
type Part string

// The parts of a batch.
const (
	RecordPart    Part = "record"
	LinePart      Part = "line"
	ForwardedPart Part = "forwarded message"
)

// Refused is the error of a batch that the store will never take, however often it is tried. Nothing of the batch was written.
type Refused struct {
	Part  Part   // what is at fault; empty: the store did not say
	Index int    // which of its kind
	Name  string // key of the record or line, id of the message
	Why   string
}

// Error names what is at fault.
func (r *Refused) Error() string {
	if r.Part == "" {
		return "the journal can never take this: " + r.Why
	}
	return fmt.Sprintf("the journal can never take %s %s: %s", r.Part, short(r.Name), r.Why)
}

// short is a name as an error shows it.
func short(name string) string {
	const most = 100
	if len(name) <= most {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q... (%d bytes)", name[:most], len(name))
}

// Check reports what no store takes of a batch: the error is a *Refused, which names the first record, line or forwarded message at fault.
// Every store calls it before it writes.
func Check(b Batch) error {
	for i, r := range b.Records {
		why := first(name("key", r.Key, 1), name("scope", r.Scope, 0), size("body", len(r.Body), MaxBody))
		if why != "" {
			return &Refused{RecordPart, i, r.Key, why}
		}
	}
	count, bytes := map[string]int{}, map[string]int{}
	for i, l := range b.Lines {
		count[l.Key]++
		bytes[l.Key] += len(l.Text) + len(l.Data)
		why := first(name("key", l.Key, 0), size("kind", len(l.Kind), MaxKind), words("kind", l.Kind),
			size("text", len(l.Text), MaxText), words("text", l.Text), size("data", len(l.Data), MaxBody))
		switch {
		case why != "" || l.Key == "":
		case count[l.Key] > MaxLines:
			why = fmt.Sprintf("the batch has more than %d lines of it", MaxLines)
		case bytes[l.Key] > MaxLineBytes:
			why = fmt.Sprintf("the batch has more than %d bytes of lines of it", MaxLineBytes)
		}
		if why != "" {
			return &Refused{LinePart, i, l.Key, why}
		}
	}
	for i, f := range b.Forwarded {
		why := first(name("id", f.ID, 1), name("scope", f.Scope, 1), size("body", len(f.Body), MaxBody), words("body", f.Body))
		if why != "" {
			return &Refused{ForwardedPart, i, f.ID, why}
		}
	}
	return nil
}

// first is the first that is not empty.
func first(whys ...string) string {
	for _, why := range whys {
		if why != "" {
			return why
		}
	}
	return ""
}

// name says what is wrong with what identifies something.
func name(what, s string, least int) string {
	if len(s) < least {
		return "its " + what + " is empty"
	}
	if strings.ContainsRune(s, 0) {
		return "its " + what + " has a NUL"
	}
	return first(size(what, len(s), MaxKey), words(what, s))
}

func size(what string, n, most int) string {
	if n <= most {
		return ""
	}
	return fmt.Sprintf("its %s has %d bytes; a journal takes at most %d", what, n, most)
}

func words(what, s string) string {
	if utf8.ValidString(s) {
		return ""
	}
	return "its " + what + " is not UTF-8"
}
