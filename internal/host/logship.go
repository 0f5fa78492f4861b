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
	if _, err := j.AWS.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("get AWS credentials: %w", err)
	}
	if _, err := exec.LookPath("journalctl"); err != nil && l.Journal {
		return err
	}
	for _, f := range l.Files {
		if len(expand(f)) == 0 {
			return fmt.Errorf("no file matches %s", plain.Text(f, plain.Short))
		}
	}
	return nil
}

// expand are the files that a path or a pattern means, with those in directories.
func expand(pattern string) []string {
	matches, _ := filepath.Glob(pattern) // the pattern is valid
	if _, err := os.Lstat(pattern); err == nil {
		matches = []string{pattern} // a name may have brackets in it
	}
	var files []string
	for _, m := range matches {
		if real, err := filepath.EvalSymlinks(m); err == nil && isDir(real) {
			_ = filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					files = append(files, p)
				}
				return nil // what cannot be read is left out; its directory may be gone
			})
			continue
		}
		files = append(files, m)
	}
	return files
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Run copies all. What cannot be copied hinders nothing else, and fails the step at the end.
func (l *logship) Run(ctx context.Context, j Job) error {
	to := newBucket(j, l.To, l.Region)
	var files []string
	for _, f := range l.Files {
		found := expand(f)
		if len(found) == 0 {
			j.say("No file matches %s.", f)
		}
		files = append(files, found...)
	}
	err := to.files(ctx, files)
	if l.Journal {
		err = errors.Join(err, to.journal(ctx))
	}
	to.tell()
	return err
}

// bucket is where in S3 the files of a host go.
type bucket struct {
	j            Job
	s3           *s3.Client
	name, prefix string
	raw, sent    int64 // bytes before and after compression, of this attempt
	objects, had int   // that were sent, and that an earlier attempt had sent
}

func newBucket(j Job, to, region string) *bucket {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(to, "s3://"), "/")
	client := s3.NewFromConfig(j.AWS, func(o *s3.Options) {
		o.Region = cmp.Or(region, o.Region)
		o.UsePathStyle = o.BaseEndpoint != nil || strings.Contains(name, ".") // the certificate of AWS covers no further dot
	})
	return &bucket{j: j, s3: client, name: name, prefix: path.Join(prefix, j.Env["EBB_INSTANCE_ID"])}
}

func (b *bucket) tell() {
	b.j.say("%d bytes were copied to s3://%s/%s as %s of %d bytes; %s had been copied before.",
		b.raw, b.name, b.prefix, plain.Count(b.objects, "object"), b.sent, plain.Count(b.had, "object"))
}

// files copies files. A file that grows is copied as far as it reached when it was opened.
func (b *bucket) files(ctx context.Context, files []string) error {
	slices.Sort(files)
	var failed error
	for _, f := range slices.Compact(files) {
		// A pipe would wait for its writer.
		file, err := os.OpenFile(f, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		var info fs.FileInfo
		if err == nil {
			info, err = file.Stat()
		}
		if err == nil && info.Mode().IsRegular() {
			err = b.object(ctx, f, io.LimitReader(file, info.Size()))
		} else if err == nil {
			b.j.say("%s is no regular file and is left out.", f)
		}
		file.Close()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("copy %s: %w", plain.Text(f, plain.Short), err))
		}
		if ctx.Err() != nil {
			return failed
		}
	}
	return failed
}

// journal copies what the systemd journal has of this boot.
func (b *bucket) journal(ctx context.Context) error {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it there is one journal of all boots
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	ended := make(chan struct{})
	defer func() {
		cancel()
		out.Close()
		<-ended
	}()
	read := command{Words: []string{"journalctl", "--boot", "--no-pager", "--utc", "--output=short-iso-precise"}, Grace: time.Second}
	go func() {
		in.CloseWithError(read.Run(ctx, Job{Out: in}))
		close(ended)
	}()
	if err := b.object(ctx, "/journal/"+strings.TrimSpace(string(boot)), out); err != nil {
		return fmt.Errorf("copy the journal: %w", err)
	}
	return nil
}

// piece is how much of a file becomes one object: memory is bounded, and an attempt that was cut short loses no more than that.
const piece = 8 << 20

// object copies a text as one or more objects. Each is compressed by itself, so that all of them in a row are the whole. Its SHA-256 tells
// the next attempt that it is there.
func (b *bucket) object(ctx context.Context, name string, from io.Reader) error {
	raw := make([]byte, piece)
	for n := 0; ; n++ {
		size, err := io.ReadFull(from, raw)
		if over := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !over {
			return err
		}
		if size == 0 && n > 0 {
			return nil
		}
		key := path.Join(b.prefix, plain.Text(name, plain.Long)) // a key with control characters can hardly be listed
		if n > 0 {
			key += fmt.Sprintf(".%04d", n)
		}
		if err := b.put(ctx, key+".gz", raw[:size]); err != nil || size < piece {
			return err
		}
	}
}

func (b *bucket) put(ctx context.Context, key string, raw []byte) error {
	const mark = "ebb-sha256"
	sum := sha256.Sum256(raw)
	// Without s3:GetObject or s3:ListBucket the answer is 403; then it is copied again.
	head, err := b.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err == nil && head.Metadata[mark] == hex.EncodeToString(sum[:]) {
		b.had++
		return nil
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(raw) // a buffer takes everything
	_ = z.Close()
	_, err = b.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: bytes.NewReader(packed.Bytes()), ContentType: aws.String("application/gzip"),
		Metadata: map[string]string{mark: hex.EncodeToString(sum[:])},
	})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s (is the bucket in Region %s, and s3:PutObject allowed?): %w", b.name, key, b.s3.Options().Region, err)
	}
	b.raw, b.sent, b.objects = b.raw+int64(len(raw)), b.sent+int64(packed.Len()), b.objects+1
	return nil
}
