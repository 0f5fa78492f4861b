//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// size is how wide and high a terminal is, in characters; 0: unknown.
func size(stream any) (width, height int) {
	f, ok := stream.(*os.File)
	if !ok {
		return 0, 0
	}
	s, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(s.Col), int(s.Row)
}
