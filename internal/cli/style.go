package cli

import "github.com/ebbhq/ebb/internal/sim/demo"

// styleOf is what a stream can show: colours only on a terminal, and not if NO_COLOR is set (https://no-color.org/).
func styleOf(p Process, stream any) demo.Style {
	if !terminal(stream) {
		return demo.Style{}
	}
	width, height := size(stream)
	return demo.Style{Width: width, Height: height, Color: p.Env("NO_COLOR") == "" && p.Env("TERM") != "dumb"}
}
