package demo

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Style is what the place that a screen writes to can do.
type Style struct {
	Width, Height int  // of a terminal, in characters; 0: it is none, or too small for a board
	Color         bool // only on a terminal
}

// widthOfText is how wide texts are where no terminal says it.
const widthOfText = 80

// width is how wide lines may be.
func (s Style) width() int {
	if s.Width == 0 {
		return widthOfText
	}
	return s.Width
}

// Screen writes lines. On a terminal a board stands below them, which is drawn over and over; elsewhere there are only lines.
type Screen struct {
	Style
	w io.Writer

	mu    sync.Mutex // guards the rest
	clock func() time.Duration
	below []string // the board as it stands on the terminal
}

// NewScreen is a screen that writes to w.
func NewScreen(w io.Writer, style Style) *Screen {
	return &Screen{Style: style, w: w, clock: func() time.Duration { return 0 }}
}

// live reports whether a board of so many lines can be drawn, with room for some news above.
func (s *Screen) live(lines int) bool { return s.Width >= 72 && s.Height >= lines+4 }

// line writes a line above the board.
func (s *Screen) line(text string) { s.draw(text+"\n", s.below) }

// text writes a paragraph, or several, as wide as it may be.
func (s *Screen) text(paragraphs string) { s.line(wrap(paragraphs, s.width(), "")) }

// long are ids of tasks and container instances, of which news has the beginning.
var long = regexp.MustCompile(`\b([0-9a-f]{8})[0-9a-f]{24}\b`)

// say writes a line of who does what, with the time.
func (s *Screen) say(who, text string) {
	text = long.ReplaceAllString(text, "$1…")
	head := fmt.Sprintf("%5.0f s  %-10s", s.clock().Seconds(), who)
	indent := strings.Repeat(" ", len(head))
	s.line(s.paint(faint, head) + strings.TrimPrefix(wrap(indent+text, s.width(), indent), indent))
}

// show draws the board anew.
func (s *Screen) show(board []string) { s.draw("", board) }

// The sequences of a terminal that are used: hide and show the cursor, go up so many lines and clear from there on.
const (
	hide   = "\x1b[?25l"
	reveal = "\x1b[?25h"
	up     = "\x1b[%dA\r\x1b[J"
)

// draw writes text over the board, and the new board below it, in one piece so that nothing flickers.
func (s *Screen) draw(text string, board []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	if len(s.below) > 0 {
		fmt.Fprintf(&b, up, len(s.below))
	} else if len(board) > 0 {
		b.WriteString(hide)
	}
	b.WriteString(text)
	for _, line := range board {
		b.WriteString(line + "\n")
	}
	s.below = board
	_, _ = io.WriteString(s.w, b.String()) // a reader that is gone needs no line
}

// end leaves the board as it is.
func (s *Screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.below) > 0 {
		_, _ = io.WriteString(s.w, reveal)
	}
	s.below = nil
}

// wrap breaks text at its spaces into lines of at most width characters; a line that begins with a space is left as it is but for that. The
// lines that follow a broken one begin with the indent.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		n := 0
		for j, word := range strings.Split(line, " ") {
			size := utf8.RuneCountInString(word)
			switch {
			case j == 0:
			case n+1+size > width && word != "":
				b.WriteString("\n" + indent)
				n = len(indent)
			default:
				b.WriteByte(' ')
				n++
			}
			b.WriteString(word)
			n += size
		}
	}
	return b.String()
}

// The colours, by their numbers.
const (
	bold   = 1
	faint  = 2
	red    = 31
	green  = 32
	yellow = 33
	cyan   = 36
)

// paint colours text where colours are wanted.
func (s Style) paint(color int, text string) string {
	if !s.Color || strings.TrimSpace(text) == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, text)
}

// The signs of tasks.
const (
	runs   = "●"
	starts = "◌"
	stops  = "◐"
	killed = "✗"
	ended  = "○"
)

// signs colours the signs in a line.
func (s Style) signs(line string) string {
	if !s.Color {
		return line
	}
	for sign, color := range map[string]int{runs: green, starts: cyan, stops: yellow, killed: red, ended: faint} { //ebb:any-order no sign is in another's
		line = strings.ReplaceAll(line, sign, s.paint(color, sign))
	}
	return line
}

// fit is text of exactly so many characters.
func fit(text string, width int) string {
	if n := utf8.RuneCountInString(text); n <= width {
		return text + strings.Repeat(" ", width-n)
	}
	return string([]rune(text)[:width-1]) + "…"
}
