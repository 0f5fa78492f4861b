//go:build !unix

package sqlite

// ownerOf names the user to whom a file belongs, or is empty.
func ownerOf(string) string { return "" }
