package scaling

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// The measures of a picture, in pixels.
const (
	wide   = 900
	high   = 110 // of one policy
	left   = 60
	head0  = 46
	bottom = 24
)

// Picture is a load and what the tasks could do, minute by minute, with some of the policies below each other; without any named all of them. Bars
// are what was not served, or was begun late.
func (k Load) Picture(rows []Row, policies ...string) []byte {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return len(policies) > 0 && !slices.Contains(policies, r.Policy) })
	top, minutes := 0.0, k.lasts.Minutes()
	for _, r := range rows {
		for _, m := range r.minutes {
			top = max(top, m.Arrived, min(m.Capacity, 3*peak*k.per()))
		}
	}
	what := map[bool]string{false: "requests per second; bars: not served", true: "messages per second; bars: begun late"}[k.Queue]
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`, wide,
		head0+len(rows)*(high+18)+bottom)
	fmt.Fprintf(&b, "\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"%d\" y=\"18\" font-size=\"14\">%s: %s</text>\n", left, k.Name, what)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"36\"><tspan fill=\"#1f5fa8\">load</tspan>, <tspan fill=\"#6a9a58\">what the tasks could do</tspan>, "+
		"<tspan fill=\"#c02020\">missed</tspan></text>\n", left)
	x := func(i int) float64 { return left + float64(i)*(wide-left-10)/minutes }
	for n, r := range rows {
		zero := float64(head0 + n*(high+18) + high)
		y := func(v float64) float64 { return zero - min(v/top, 1)*(high-16) }
		var can, load, missed strings.Builder
		fmt.Fprintf(&can, "M%.1f,%.1f", x(0), zero)
		for i, m := range r.minutes {
			fmt.Fprintf(&can, "L%.1f,%.1fL%.1f,%.1f", x(i), y(m.Capacity), x(i+1), y(m.Capacity))
			fmt.Fprintf(&load, "%.1f,%.1f %.1f,%.1f ", x(i), y(m.Arrived), x(i+1), y(m.Arrived))
			if m.Unserved >= 1 {
				fmt.Fprintf(&missed, "M%.1f,%.1fV%.1fH%.1fV%.1fZ", x(i), zero, y(m.Unserved/60), x(i+1), zero)
			}
		}
		fmt.Fprintf(&can, "L%.1f,%.1fZ", x(len(r.minutes)), zero)
		fmt.Fprintf(&b, "<path d=\"%s\" fill=\"#d8e8d0\" stroke=\"#6a9a58\"/>\n<path d=\"%s\" fill=\"#e06060\"/>\n", can.String(), missed.String())
		fmt.Fprintf(&b, "<polyline points=\"%s\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>\n", strings.TrimSpace(load.String()))
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%.0f\">%s: %.1f task-hours, %.2f %% missed</text>\n", left+4, zero-high+12,
			strings.ReplaceAll(r.Policy, "`", ""), r.Hours(), 100*r.Missed())
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">0</text><text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.0f</text>\n",
			left-4, zero, left-4, y(top)+4, top)
	}
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f minutes</text>\n</svg>\n", left, head0+len(rows)*(high+18)+6,
		wide-10, head0+len(rows)*(high+18)+6, minutes)
	return b.Bytes()
}
