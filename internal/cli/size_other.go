//go:build !unix

package cli

func size(any) (width, height int) { return 0, 0 }
