package story

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// transcript is what an operator would have seen: the journal's lines, what he did himself, and what became of hosts and tasks.
func (r *run) transcript() []Line {
	lines := slices.Clone(r.lines)
	for _, e := range r.w.Record() {
		if text := r.worldLine(e); text != "" {
			lines = append(lines, Line{e.At.Sub(r.start), "aws", r.hostName(e.Instance), text})
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	return lines
}

// worldLine is what AWS would say of an entry of the record; empty: nothing.
func (r *run) worldLine(e core.Entry) string {
	switch e.Kind {
	case core.EntryHook:
		switch e.To {
		case "opened":
			return "waits in hook " + e.Hook
		case "heartbeat":
			return ""
		case "CONTINUE", "ABANDON":
			return fmt.Sprintf("hook %s is answered %s by %s", e.Hook, e.To, e.By)
		}
		return fmt.Sprintf("hook %s: %s", e.Hook, e.To)
	case core.EntryInstance:
		if e.To == "terminated" || e.To == "stopped" || e.To == "running" && e.At.After(r.start) {
			return "the instance is " + e.To
		}
	case core.EntryContainer:
		if e.To == "DRAINING" || e.To == "INACTIVE" {
			return "the container instance is " + e.To
		}
	case core.EntryTask:
		return r.taskLine(e)
	case core.EntryService:
		if e.From != "" {
			return fmt.Sprintf("the desired count of %s is set from %s to %s by %s", e.Service, e.From, e.To, e.By)
		}
	case core.EntryNotice:
		return noticeLine(e)
	}
	return ""
}

// taskName is what people call a task.
func taskName(e core.Entry) string {
	id := e.Task[strings.LastIndexByte(e.Task, '/')+1:]
	return fmt.Sprintf("task %s of %s", id[:min(len(id), 8)], cmp.Or(e.Service, "standalone task"))
}

func (r *run) taskLine(e core.Entry) string {
	switch {
	case strings.Contains(e.Text, "killed"):
		return taskName(e) + ": " + strings.TrimSpace(e.Text)
	case e.To == "STOPPED", e.To == "STOPPING", e.To == "RUNNING" && e.At.After(r.start):
		return taskName(e) + " is " + e.To
	}
	return ""
}

// noticeLine is what AWS announces: the end of a task, or of the host of the line.
func noticeLine(e core.Entry) string {
	if e.Task != "" {
		return "notice: " + taskName(e) + " is " + e.To
	}
	return strings.TrimSpace("notice: " + e.To + " " + e.Text)
}

// Print writes the transcript, one line an event.
func (res Result) Print(w io.Writer) {
	for _, l := range res.Lines {
		fmt.Fprintf(w, "%s  %-9s %-12s %s\n", clock(l.At), l.Kind, l.Host, l.Text)
	}
}

// clock is a time since the start as hours, minutes and seconds.
func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// expectations compares the journal's lines with what the story expects, in order, and with what must never be there.
func (r *run) expectations() []Violation {
	var bad []Violation
	at := 0
	for _, x := range r.s.Expect {
		i := slices.IndexFunc(r.lines[at:], x.meets)
		if i < 0 {
			bad = append(bad, Violation{0, describeExpect(x) + ", but no such line came (in this order)"})
			continue
		}
		at += i + 1
	}
	for _, x := range r.s.Never {
		if i := slices.IndexFunc(r.lines, x.meets); i >= 0 {
			bad = append(bad, Violation{0, "never " + describeExpect(x) + ", but it came at " + clock(r.lines[i].At)})
		}
	}
	return bad
}

func (x Expect) meets(l Line) bool {
	return l.Kind == x.Line && (x.Host == "" || l.Host == x.Host) && strings.Contains(l.Text, x.Text) &&
		l.At >= x.After && (x.By == 0 || l.At <= x.By)
}

func describeExpect(x Expect) string {
	words := []string{"a line " + x.Line}
	if x.Host != "" {
		words = append(words, "of "+x.Host)
	}
	if x.Text != "" {
		words = append(words, fmt.Sprintf("with %q", x.Text))
	}
	if x.After > 0 {
		words = append(words, "from "+clock(x.After))
	}
	if x.By > 0 {
		words = append(words, "until "+clock(x.By))
	}
	return strings.Join(words, " ")
}
