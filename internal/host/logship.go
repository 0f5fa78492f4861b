package host

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ebbhq/ebb/internal/plain"
)

// logship copies files, and the journal of this boot, to S3.
type logship struct {
	To      string   `yaml:"to"`      // s3://BUCKET/PREFIX; the instance id and the path follow
	Region  string   `yaml:"region"`  // of the bucket; that of the host if nothing is said
	Files   []string `yaml:"files"`   // files, directories and patterns
	Journal bool     `yaml:"journal"` //
}

func (l *logship) complete() error {
	if len(l.Files) == 0 && !l.Journal {
		return errors.New("write files or journal: true: what is to be copied")
	}
	for _, f := range l.Files {
		if _, err := filepath.Match(f, ""); err != nil || !filepath.IsAbs(f) {
			return fmt.Errorf("files has %q; write paths or patterns that begin with /", plain.Text(f, plain.Short))
		}
	}
	return needURL("to", l.To, "s3")
}

// Check looks for the files and for credentials. Whether S3 takes an object shows only when one is written.
func (l *logship) Check(ctx context.Context, j Job) error {
	if j.AWS.Credentials == nil {
		return errors.New("there are no AWS credentials")
	}
	_, failed := j.AWS.Credentials.Retrieve(ctx)
	if _, err := exec.LookPath("journalctl"); l.Journal {
		failed = errors.Join(failed, err)
	}
	for _, f := range l.Files {
		if len(expand(f)) == 0 {
			failed = errors.Join(failed, fmt.Errorf("no file matches %s", plain.Text(f, plain.Short)))
		}
	}
	return failed
}

// expand are the files that a path or a pattern means, with those in directories.
func expand(pattern string) (files []string) {
	matches, _ := filepath.Glob(pattern) // the pattern is valid
	if _, err := os.Lstat(pattern); err == nil {
		matches = []string{pattern} // a name may have brackets in it
	}
	for _, m := range matches {
		real, _ := filepath.EvalSymlinks(m)
		if info, err := os.Stat(real); err != nil || !info.IsDir() {
			files = append(files, m)
			continue
		}
		_ = filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, p)
			}
			return nil // what cannot be read is left out; it may be gone
		})
	}
	return files
}

// Run copies all. What cannot be copied hinders nothing else, and fails the step at the end.
func (l *logship) Run(ctx context.Context, j Job) error {
	var files []string
	for _, f := range l.Files {
		found := expand(f)
		if files = append(files, found...); len(found) == 0 {
			j.say("No file matches %s.", f)
		}
	}
	return ship(ctx, j, l.To, l.Region, files, l.Journal)
}

// bucket is where in S3 the files of a host go.
type bucket struct {
	*s3.Client
	name, prefix       string
	raw, sent          int64 // bytes before and after compression
	objects, hadBefore int
}

// ship copies files, and the journal. A file that grows is copied as far as it reached when it was opened.
func ship(ctx context.Context, j Job, to, region string, files []string, journal bool) (failed error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(to, "s3://"), "/")
	b := bucket{name: name, prefix: path.Join(prefix, j.Env["EBB_INSTANCE_ID"]), Client: s3.NewFromConfig(j.AWS, func(o *s3.Options) {
		o.Region = cmp.Or(region, o.Region)
		o.UsePathStyle = o.BaseEndpoint != nil || strings.Contains(name, ".") // the certificate of AWS covers no further dot
	})}
	slices.Sort(files)
	for _, f := range slices.Compact(files) {
		file, err := os.OpenFile(f, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
		if err == nil {
			if info, bad := file.Stat(); bad == nil && info.Mode().IsRegular() {
				err = b.copy(ctx, f, io.LimitReader(file, info.Size()))
			} else {
				j.say("%s is no regular file and is left out.", f)
			}
			file.Close()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("copy %s: %w", plain.Text(f, plain.Short), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if journal {
		if err := b.journal(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("copy the journal: %w", err))
		}
	}
	j.say("%d bytes were copied to s3://%s/%s as %s of %d bytes; %s had been copied before.",
		b.raw, b.name, b.prefix, plain.Count(b.objects, "object"), b.sent, plain.Count(b.hadBefore, "object"))
	return failed
}

// journal copies what the systemd journal has of this boot.
func (b *bucket) journal(ctx context.Context) error {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	read := command{Words: []string{"journalctl", "--boot", "--no-pager", "--utc", "--output=short-iso-precise"}, Grace: time.Second}
	ended := make(chan struct{})
	go func() {
		in.CloseWithError(read.Run(ctx, Job{Out: in}))
		close(ended)
	}()
	err := b.copy(ctx, "/journal/"+strings.TrimSpace(string(boot)), out)
	cancel()
	out.Close()
	<-ended
	return err
}

// piece is how much of a file becomes one object: memory is bounded, and an attempt that was cut short loses no more than that.
const piece = 8 << 20

// copy copies a text as one or more objects. Each is compressed by itself, and all of them in a row are the whole. Its SHA-256 tells the next
// attempt that it is there.
func (b *bucket) copy(ctx context.Context, name string, from io.Reader) error {
	const mark = "ebb-sha256"
	for raw, n := make([]byte, piece), 0; ; n++ {
		size, err := io.ReadFull(from, raw)
		switch {
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return err
		case size == 0 && n > 0:
			return nil
		}
		key := path.Join(b.prefix, plain.Text(name, plain.Long)) // a key with control characters can hardly be listed
		if n > 0 {
			key += fmt.Sprintf(".%04d", n)
		}
		key += ".gz"
		sum := sha256.Sum256(raw[:size])
		marked := map[string]string{mark: hex.EncodeToString(sum[:])}
		// Without s3:GetObject or s3:ListBucket the answer is 403; then it is copied again.
		head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
		if err == nil && head.Metadata[mark] == marked[mark] {
			b.hadBefore++
		} else if err := b.put(ctx, key, raw[:size], marked); err != nil {
			return err
		}
		if size < piece {
			return nil
		}
	}
}

func (b *bucket) put(ctx context.Context, key string, raw []byte, marked map[string]string) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(raw) // a buffer takes everything
	_ = z.Close()
	_, err := b.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: bytes.NewReader(packed.Bytes()), ContentType: aws.String("application/gzip"), Metadata: marked,
	})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s (is the bucket in Region %s, and s3:PutObject allowed?): %w", b.name, key, b.Options().Region, err)
	}
	b.raw, b.sent, b.objects = b.raw+int64(len(raw)), b.sent+int64(packed.Len()), b.objects+1
	return nil
}
