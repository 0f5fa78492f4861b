package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func s3At(at string) aws.Config {
	return aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String(at), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secretkey", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// store is S3 with a bucket "logs". It checks signatures and checksums.
type store struct {
	cfg    aws.Config
	client *s3.Client
	puts   atomic.Int32
	refuse func(*http.Request) int // a status to answer with; 0: none
}

func newStore(t *testing.T) *store {
	t.Helper()
	fake := gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{"AKIDEXAMPLE": "secretkey"})).Server()
	s := &store{refuse: func(*http.Request) int { return 0 }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := s.refuse(r); code != 0 {
			w.WriteHeader(code)
			return
		}
		if r.Method == http.MethodPut {
			s.puts.Add(1)
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.cfg = s3At(server.URL)
	s.client = s3.NewFromConfig(s.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := s.client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String("logs")}); err != nil {
		t.Fatal(err)
	}
	s.puts.Store(0)
	return s
}

// objects are what the bucket holds, unpacked, by key.
func (s *store) objects(t *testing.T) map[string]string {
	t.Helper()
	list, err := s.client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("logs")})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range list.Contents {
		got, err := s.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("logs"), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		all[*o.Key] = string(text)
	}
	return all
}

func noise(n int) string {
	b := make([]byte, n)
	r := rand.NewPCG(1, uint64(n))
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return string(b)
}

func TestLogship(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	odd := "a b'c\"d\ne%20f+g [1].log"
	big := noise(2*piece + 5)
	for name, text := range map[string]string{odd: "odd\n", "big.log": big, "empty.log": "", "app.conf": "debug = no\n", "exact.log": noise(piece)} {
		write(t, filepath.Join(dir, name), text, 0o644)
	}
	if err := errors.Join(os.Mkdir(dir+"/sub", 0o755), os.Symlink("/nowhere", dir+"/broken.log"), shell("mkfifo", dir+"/pipe.log")); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/sub/deep.txt", "deep", 0o644)
	fakeJournal(t, `echo "$*"; head -c 16850000 /dev/zero`)
	k := parse(t, fmt.Sprintf("logship: {to: 's3://logs/hosts', journal: true, files: ['%[1]s/*.log', %[1]s/app.conf, %[1]s/sub, /nowhere/*]}", dir))
	j, _ := job()
	j.AWS = s.cfg
	if err := k.Check(context.Background(), j); err == nil || !strings.Contains(err.Error(), "no file matches /nowhere/*") {
		t.Error(err)
	}

	// One object is refused: the rest is copied, and the step fails.
	// S3 is so slow that journalctl ends long before its last bytes are read.
	s.refuse = func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/journal/") {
			time.Sleep(1200 * time.Millisecond)
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "big.log.0001") {
			return 503
		}
		return 0
	}
	out, err := run(t, k, j, time.Minute)
	if err == nil {
		t.Fatal("a refused object is no failure: ", out)
	}
	contains(t, err.Error(), "copy "+dir+"/big.log: write s3://logs/hosts/i-0123456789abcdef0"+dir+"/big.log.0001.gz (is the bucket in Region eu-central-1",
		"broken.log: no such file")
	contains(t, out, "No file matches /nowhere/*", "pipe.log is no regular file")
	first := s.puts.Load()

	// The next attempt copies what is missing, and what has grown.
	s.refuse = func(*http.Request) int { return 0 }
	os.Remove(dir + "/broken.log")
	write(t, dir+"/app.conf", "debug = yes\n", 0o644)
	j2, _ := job()
	j2.AWS = s.cfg
	out, err = run(t, k, j2, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if again := s.puts.Load() - first; again != 3 {
		t.Errorf("the second attempt copied %d objects, want big.log.0001, big.log.0002 and app.conf", again)
	}
	contains(t, out, fmt.Sprintf("%d bytes were copied to s3://logs/hosts/i-0123456789abcdef0 as 3 objects of", piece+5+12))
	at, got := "hosts/i-0123456789abcdef0"+dir, s.objects(t)
	for key, want := range map[string]string{
		at + "/a b'c\"d\\ne%20f+g [1].log.gz": "odd\n", at + "/empty.log.gz": "", at + "/app.conf.gz": "debug = yes\n", at + "/sub/deep.txt.gz": "deep",
		at + "/exact.log.gz": noise(piece), at + "/big.log.gz": big[:piece], at + "/big.log.0001.gz": big[piece : 2*piece], at + "/big.log.0002.gz": big[2*piece:],
	} {
		if got[key] != want {
			t.Errorf("%s holds %d bytes, want %d", key, len(got[key]), len(want))
		}
		delete(got, key)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	journal := "hosts/i-0123456789abcdef0/journal/" + strings.TrimSpace(string(boot))
	whole := got[journal+".gz"] + got[journal+".0001.gz"] + got[journal+".0002.gz"]
	if want := "--boot --no-pager --utc --output=short-iso-precise\n"; len(whole) != 16850000+len(want) || !strings.HasPrefix(whole, want) || len(got) != 3 {
		t.Errorf("the journal has %d bytes, and there are %d objects more", len(whole), len(got)-3)
	}
}

// TestLogshipOfAJournalThatFails: what journalctl could not read is no copy of it.
func TestLogshipOfAJournalThatFails(t *testing.T) {
	s := newStore(t)
	fails := map[string]string{
		"echo some; exit 1": "copy the journal: journalctl: exit status 1",
		"exec sleep 100":    "context deadline exceeded",
	}
	for script, want := range fails {
		fakeJournal(t, script)
		j, _ := job()
		j.AWS = s.cfg
		began := time.Now()
		out, err := run(t, parse(t, "logship: {to: 's3://logs', journal: true}"), j, time.Second)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", script, took)
		}
	}
}

// TestLogshipNeedsOnlyPut: without s3:GetObject nothing is known of earlier attempts, and all is copied.
func TestLogshipNeedsOnlyPut(t *testing.T) {
	s := newStore(t)
	s.refuse = func(r *http.Request) int {
		if r.Method == http.MethodHead {
			return 403
		}
		return 0
	}
	file := write(t, filepath.Join(t.TempDir(), "a"), "text", 0o644)
	for range 2 {
		j, _ := job()
		j.AWS = s.cfg
		if out, err := run(t, parse(t, "logship: {to: 's3://logs', files: ["+file+"]}"), j, time.Minute); err != nil {
			t.Error(out, err)
		}
	}
	if s.puts.Load() != 2 {
		t.Errorf("%d objects", s.puts.Load())
	}
}

// fakeJournal puts a journalctl first in the path.
func fakeJournal(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "journalctl"), "#!/bin/sh\n"+script+"\n", 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func shell(words ...string) error {
	var out bytes.Buffer
	c := &command{Words: slices.Clone(words), Grace: time.Second}
	return c.Run(context.Background(), Job{Out: &out})
}
