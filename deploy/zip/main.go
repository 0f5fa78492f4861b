// Command zip packs a binary as the code of a Lambda function: one file, bootstrap, that may be executed. The same binary gives the same
// bytes.
//
// It never builds anything and never uploads anything.
//
//	go run ./deploy/zip dist/ebb-linux-arm64 dist/ebb-lambda-arm64.zip
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "zip:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: go run ./deploy/zip BINARY ZIP")
	}
	binary, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	packed, err := pack(binary)
	if err != nil {
		return fmt.Errorf("pack %s: %w", args[0], err)
	}
	return os.WriteFile(args[1], packed, 0o644)
}

// pack makes the archive. The file has no time, which would make each archive another one.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
func pack(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
