// Package advice is what Ebb tells people to do: commands as data, with what they may cost, when they may be run and how they are undone.
//
// It never runs a command, and a command is never inside a sentence. A command that destroys something is never among the others: it stands
// apart, with what it would destroy.
package advice

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/plain"
)

// Harm says what a command may cost. A greater one is worse.
type Harm uint8

// The harms.
const (
	// Safe: nothing that runs is stopped, and no request fails.
	Safe Harm = iota
	// Interrupts: something is disturbed that goes on or can be repeated, such as a service that runs with fewer tasks for a while.
	Interrupts
	// Destroys: work is cut off, or data or evidence is lost.
	Destroys
)

// String spells the harm: safe, interrupts or destroys.
func (h Harm) String() string { return [...]string{"safe", "interrupts", "destroys"}[h] }

// Command is a command line as data.
type Command struct {
	Argv []string `plain:"raw"` // Line sees to what must not be shown
	Harm Harm
	Cost string // what it interrupts or destroys
	When string // when it may be run; empty: now
	Undo string // how it is undone, in words or as a command line; empty: there is nothing to undo
}

// Line is the command for a POSIX shell, with every value quoted. It is empty where a value cannot be written in a line of text, or would be
// taken by the AWS CLI for the name of a file.
func (c Command) Line() string {
	words := make([]string, len(c.Argv))
	for i, word := range c.Argv {
		_, value, _ := strings.Cut(word, "=")
		if !plain.Shown(word) || readsFile(word) && !c.ownFile(i) || strings.HasPrefix(word, "--") && readsFile(value) {
			return ""
		}
		words[i] = Quote(word)
	}
	return strings.Join(words, " ")
}

// readsFile reports whether the AWS CLI would read a file instead of taking the word as it is.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html
func readsFile(word string) bool {
	return strings.HasPrefix(word, "file://") || strings.HasPrefix(word, "fileb://")
}

// ownFile reports whether a word is one that is meant to name a file.
func (c Command) ownFile(i int) bool { return i > 0 && c.Argv[i-1] == "--parameter-overrides" }

// Costs sets what the command may cost, and when it may be run all the same.
func (c Command) Costs(h Harm, what, when string) Command {
	c.Harm, c.Cost, c.When = h, what, when
	return c
}

// Known makes it a safe command, because what it might cost is known not to be there: why says so.
func (c Command) Known(why string) Command { return c.Costs(Safe, "", why) }

// Once says when it may be run.
func (c Command) Once(when string) Command {
	c.When = when
	return c
}

// Undone says how it is undone: by another command.
func (c Command) Undone(by Command) Command {
	c.Undo = by.Line()
	return c
}

// For is the command with what it is for.
func (c Command) For(note string) Fix { return Fix{Note: note, Command: &c} }

// Fix is one piece of advice: a sentence, a command, or both.
type Fix struct {
	Note    string
	Command *Command // nil: there is none, and the note says what to do
}

// Say is advice without a command.
func Say(format string, args ...any) Fix { return Fix{Note: fmt.Sprintf(format, args...)} }

// Line is the command for a shell; empty: there is none.
func (f Fix) Line() string {
	if f.Command == nil {
		return ""
	}
	return f.Command.Line()
}

// Harm is what the advice may cost.
func (f Fix) Harm() Harm {
	if f.Command == nil {
		return Safe
	}
	return f.Command.Harm
}

// unshown is said where a command cannot be written down.
const unshown = "a name in this command has characters that cannot be shown or that the AWS CLI takes for a file; do it in the console or with an SDK"

// words are the note, and what is to be known of the command.
func (f Fix) words() []string {
	var all []string
	if f.Note != "" {
		all = append(all, f.Note)
	}
	if c := f.Command; c != nil {
		if c.Line() == "" {
			all = append(all, unshown+": "+plain.Text(strings.Join(c.Argv[:min(3, len(c.Argv))], " "), plain.Short))
		}
		if c.Cost != "" {
			all = append(all, c.Harm.String()+": "+c.Cost)
		}
		if c.When != "" {
			all = append(all, "when: "+c.When)
		}
		if c.Undo != "" {
			all = append(all, "undo: "+c.Undo)
		}
	}
	return all
}

// MarshalJSON writes the note, the command as a line for a shell, and what it may cost.
func (f Fix) MarshalJSON() ([]byte, error) {
	out := struct {
		Note    string `json:"note,omitempty"`
		Command string `json:"command,omitempty"`
		Harm    string `json:"harm,omitempty"`
		Costs   string `json:"costs,omitempty"`
		When    string `json:"when,omitempty"`
		Undo    string `json:"undo,omitempty"`
	}{Note: f.Note, Command: f.Line()}
	if c := f.Command; c != nil {
		out.Harm, out.Costs, out.When, out.Undo = c.Harm.String(), c.Cost, c.When, c.Undo
		if out.Command == "" {
			out.Note = strings.TrimPrefix(out.Note+"; "+unshown, "; ")
		}
	}
	return json.Marshal(out)
}

// Advice is what helps: the best first, and apart what would destroy something.
type Advice struct {
	Fix  []Fix `json:"fix,omitempty"`
	Last []Fix `json:"if_nothing_else_helps,omitempty"`
}

// Of sorts advice: what destroys goes apart.
func Of(fixes ...Fix) Advice {
	var a Advice
	for _, f := range fixes {
		if f.Harm() == Destroys {
			a.Last = append(a.Last, f)
		} else {
			a.Fix = append(a.Fix, f)
		}
	}
	return a
}

// All is all of it.
func (a Advice) All() []Fix { return slices.Concat(a.Fix, a.Last) }

// Text is the advice for people, each line after an indent.
func (a Advice) Text(indent string) string {
	var b strings.Builder
	write := func(f Fix, indent string) {
		if line := f.Line(); line != "" {
			fmt.Fprintf(&b, "%s> %s\n", indent, line)
		}
		for _, words := range f.words() {
			fmt.Fprintf(&b, "%s  %s\n", indent, plain.Text(words, plain.Long))
		}
	}
	for _, f := range a.Fix {
		write(f, indent)
	}
	for i, f := range a.Last {
		if i == 0 {
			fmt.Fprintf(&b, "%sif nothing else helps:\n", indent)
		}
		write(f, indent+"  ")
	}
	return b.String()
}

// Quote quotes one word for a POSIX shell.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02
func Quote(word string) string {
	plainly := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plainly(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
