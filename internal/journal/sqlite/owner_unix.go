//go:build unix

package sqlite

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf names the user to whom a file belongs, or is empty.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	id := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "the user with number " + id
}
