// Package plain makes text that comes from outside safe to show: names of groups, tasks and services, messages of AWS, texts of a journal.
//
// It never lets a character through that moves the cursor, changes the direction of text, begins a line or cannot be seen: it spells it,
// as \u001b. It never touches what Ebb itself has laid out, because it is applied to values and not to pages.
package plain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The most characters of a value that is shown: of a cell or a name, and of a sentence.
const (
	Short = 300
	Long  = 4000
)

// Shown reports whether text can be shown as it is: it is UTF-8, and every character of it is a graphic one or a space.
func Shown(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, hidden) < 0
}

// hidden reports whether a character is not to be shown: C0 and C1, line and paragraph separators, what changes the direction of text, what
// has no width, and what no font has. The categories are Unicode's: Cc, Cf, Zl, Zp, Co, Cs and what is not assigned. Of the spaces only the
// common one is shown.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) || unicode.Is(unicode.Variation_Selector, r) || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0'
}

// Text spells what is hidden in a text, and cuts the text after as many characters as may be shown.
func Text(text string, most int) string {
	if len(text) <= most && Shown(text) {
		return text
	}
	var b strings.Builder
	n := 0
	for i, r := range text {
		if n++; n > most {
			fmt.Fprintf(&b, "... (%d bytes more)", len(text)-i)
			break
		}
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !hidden(r):
			b.WriteRune(r)
		default:
			spell(&b, r)
		}
	}
	return b.String()
}

func spell(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\r':
		b.WriteString(`\r`)
	case r > 0xffff:
		fmt.Fprintf(b, `\U%08x`, r)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// Lines is Text for each line of a text that has several.
func Lines(text string, most int) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Text(lines[i], most)
	}
	return strings.Join(lines, "\n")
}

// JSON escapes what is hidden inside the strings of a JSON text. The values stay what they are. Newlines between them stay.
func JSON(text []byte) []byte {
	if !strings.ContainsFunc(string(text), func(r rune) bool { return r != '\n' && hidden(r) }) {
		return text
	}
	out := make([]byte, 0, len(text)+32)
	for _, r := range string(text) {
		switch {
		case r == '\n' || !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// Count spells a number of things: 1 task, 2 tasks.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
