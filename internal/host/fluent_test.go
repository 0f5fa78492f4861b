package host

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// chunk is a piece of a buffer.
type chunk struct {
	size   int64
	flight bool // it has left the queue, and is being delivered
}

// output is an output plugin of the double.
type output struct {
	id       string
	chunks   []chunk
	delivery time.Duration // how long one takes
	fails    int           // tries that fail before the next succeeds
	limit    int           // after so many failed tries in a row everything is thrown away; 0: never
	retry    time.Time     // while it is in the future, a flush does nothing
	errors   int64         // cumulative
	dropped  int64
	inARow   int
}

// doubleFluentd speaks monitor_agent, one port per worker, and RPC, as lib/fluent/plugin/in_monitor_agent.rb and supervisor.rb of Fluentd do:
// a flush is asynchronous and passes over a plugin that waits for its retry, a chunk in flight is in no queue but in the size, retry_count
// never falls, and at the retry limit everything is thrown away.
type doubleFluentd struct {
	mu      sync.Mutex
	workers [][]*output
	flushes int
	backup  string // where what is given up goes, since 1.19
	monitor string
	rpc     string
}

func newFluentd(t *testing.T, workers ...[]*output) *doubleFluentd {
	t.Helper()
	f := &doubleFluentd{workers: workers}
	first := 0
	for n := range workers {
		l := listen(t, first, n)
		first = l.Addr().(*net.TCPAddr).Port - n
		f.serve(t, l, "/api/plugins.json", func(w http.ResponseWriter) { f.show(w, n) })
	}
	f.monitor = fmt.Sprintf("http://127.0.0.1:%d", first)
	l := listen(t, 0, 0)
	f.rpc = "http://" + l.Addr().String()
	f.serve(t, l, "/api/plugins.flushBuffers", func(w http.ResponseWriter) {
		f.flush()
		fmt.Fprint(w, `{"ok":true}`)
	})
	return f
}

// listen takes the port after those of the workers before; the first takes any.
func listen(t *testing.T, first, n int) net.Listener {
	t.Helper()
	at := "127.0.0.1:0"
	if n > 0 {
		at = fmt.Sprintf("127.0.0.1:%d", first+n)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (f *doubleFluentd) serve(t *testing.T, l net.Listener, path string, answer func(http.ResponseWriter)) {
	t.Helper()
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.Method != http.MethodGet {
			w.WriteHeader(404)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		answer(w)
	})}}
	s.Start()
	t.Cleanup(s.Close)
}

func (f *doubleFluentd) show(w http.ResponseWriter, worker int) {
	plugins := []map[string]any{
		{"plugin_id": "in", "plugin_category": "input", "type": "tail", "output_plugin": false, "retry_count": nil},
		{"plugin_id": "copy", "plugin_category": "output", "type": "copy", "output_plugin": true, "retry_count": 0},
	}
	for _, o := range f.workers[worker] {
		queue, size := 0, int64(0)
		for _, c := range o.chunks {
			size += c.size
			if !c.flight {
				queue++
			}
		}
		plugins = append(plugins, map[string]any{
			"plugin_id": o.id, "plugin_category": "output", "type": "s3", "output_plugin": true, "buffer_queue_length": queue,
			"buffer_total_queued_size": size, "retry_count": o.errors, "rollback_count": o.errors, "drop_oldest_chunk_count": o.dropped,
		})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"plugins": plugins})
}

// flush puts the first chunk of each output into flight, and the others after it.
func (f *doubleFluentd) flush() {
	f.flushes++
	for _, worker := range f.workers {
		for _, o := range worker {
			if time.Now().After(o.retry) && len(o.chunks) > 0 && !o.chunks[0].flight {
				o.chunks[0].flight = true
				time.AfterFunc(o.delivery, func() { f.delivered(o) })
			}
		}
	}
}

func (f *doubleFluentd) delivered(o *output) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.fails > 0 {
		o.fails--
		o.errors++
		o.inARow++
		if o.limit > 0 && o.inARow >= o.limit {
			if f.backup != "" {
				for i, c := range o.chunks {
					_ = os.WriteFile(fmt.Sprintf("%s/%s.%d.log", f.backup, o.id, i), []byte(strings.Repeat("x", int(c.size))), 0o600)
				}
			}
			o.chunks = nil
			return
		}
		o.chunks[0].flight, o.retry = false, time.Now().Add(1500*time.Millisecond)
		time.AfterFunc(1600*time.Millisecond, func() { f.mu.Lock(); f.flush(); f.flushes--; f.mu.Unlock() }) // it tries again by itself
		return
	}
	o.inARow = 0
	if o.chunks = o.chunks[1:]; len(o.chunks) > 0 {
		o.chunks[0].flight = true
		time.AfterFunc(o.delivery, func() { f.delivered(o) })
	}
}

func chunks(sizes ...int64) []chunk {
	var all []chunk
	for _, s := range sizes {
		all = append(all, chunk{size: s})
	}
	return all
}

func TestFluentd(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		workers [][]*output
		limit   time.Duration
		want    string // of the error; empty: none
		least   time.Duration
	}{
		{name: "nothing is buffered", workers: [][]*output{{{id: "s3"}}}, least: time.Second},
		{name: "a chunk in flight is in no queue", workers: [][]*output{{{id: "s3", chunks: chunks(100), delivery: 2500 * ms}}}, least: 3500 * ms},
		{name: "the second worker is looked at too", workers: [][]*output{{{id: "s3"}}, {{id: "s3", chunks: chunks(5), delivery: 2500 * ms}}}, least: 3500 * ms},
		{name: "a try fails, and the retry succeeds", workers: [][]*output{{{id: "s3", chunks: chunks(7, 8), delivery: 100 * ms, fails: 1}}}, least: 2500 * ms},
		{name: "it is not delivered in time", workers: [][]*output{{{id: "s3", chunks: chunks(70, 8), delivery: time.Minute}}}, limit: 2 * time.Second,
			want: "78 bytes are still buffered"},
		{name: "at the retry limit all is thrown away", workers: [][]*output{{{id: "s3", chunks: chunks(70, 8), delivery: 100 * ms, fails: 2, limit: 2}}},
			want: "the buffer of s3 of worker 0 lost 78 bytes at an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFluentd(t, c.workers...)
			if c.limit == 0 {
				c.limit = 20 * time.Second
			}
			j, _ := job()
			k := parse(t, fmt.Sprintf("fluentd: {monitor: '%s', rpc: '%s', workers: %d}", f.monitor, f.rpc, len(c.workers)))
			began := time.Now()
			out, err := run(t, k, j, c.limit)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\n%s", err, out)
			}
			if took := time.Since(began); took < c.least {
				t.Errorf("it took only %s: %s", took, out)
			}
			if f.flushes == 0 || err == nil && !strings.Contains(out, "Two looks in a row show empty buffers") {
				t.Errorf("%d flushes\n%s", f.flushes, out)
			}
			if c.want != "" && c.limit == 20*time.Second {
				if out, err := run(t, k, j, 3*time.Second); err == nil {
					t.Error("the next attempt has forgotten what was thrown away: ", out)
				}
			}
		})
	}
}

func TestFluentdDropsTheOldest(t *testing.T) {
	f := newFluentd(t, []*output{{id: "s3", chunks: chunks(100), delivery: 1500 * time.Millisecond}})
	time.AfterFunc(time.Second/2, func() { f.mu.Lock(); f.workers[0][0].dropped++; f.mu.Unlock() })
	j, _ := job()
	out, err := run(t, parse(t, fmt.Sprintf("fluentd: {monitor: '%s', rpc: '%s'}", f.monitor, f.rpc)), j, 20*time.Second)
	if err == nil || !strings.Contains(err.Error(), "drop_oldest_chunk_count of s3 of worker 0 has risen") {
		t.Error(out, err)
	}
}

func TestFluentdThatCannotBeLookedAt(t *testing.T) {
	f := newFluentd(t, []*output{{id: "s3"}})
	j, _ := job()
	for text, want := range map[string]string{
		fmt.Sprintf("{monitor: '%s', rpc: '%s', workers: 2}", f.monitor, f.rpc): "worker 1: ask http://127.0.0.1",
		fmt.Sprintf("{monitor: '%s', rpc: '%s'}", f.rpc, f.rpc):                 "worker 0: " + f.rpc + "/api/plugins.json answers 404",
	} {
		out, err := run(t, parse(t, "fluentd: "+text), j, 1500*time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), "the buffers could not be looked at: "+want) {
			t.Error(out, err)
		}
	}
}

// shipper is a process that stops at SIGTERM, and a directory with its buffers.
func aProcess(t *testing.T, dir, atTerm string) (pidFile string) {
	t.Helper()
	pidFile = filepath.Join(dir, "pid")
	script := write(t, filepath.Join(dir, "td-agent"), "#!/bin/sh\ntrap '"+atTerm+"; exit 0' TERM\necho $$ > "+pidFile+"\nwhile :; do sleep 0.05; done\n", 0o755)
	cmd := exec.Command(script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	until(t, "the process runs", func() bool { b, _ := os.ReadFile(pidFile); return len(b) > 0 })
	return pidFile
}

// TestWhatFluentdCannotDeliverIsShipped: the backend is away, so the chunks go to S3, with the attempt's time kept.
func TestWhatFluentdCannotDeliverIsShipped(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	if err := os.Mkdir(dir+"/buffer", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/buffer/buffer.q5f.log", "0123456789", 0o644)
	write(t, dir+"/buffer/buffer.q5f.log.meta", "meta", 0o644)
	f := newFluentd(t, []*output{{id: "s3", chunks: chunks(10), delivery: time.Minute}})
	pid := aProcess(t, dir, "sleep 0.2")
	text := "fluentd: {monitor: '%s', rpc: '%s', pid_file: %s, stop: true, buffers: [%s/buffer], ship: 's3://logs/left'}"
	k := parse(t, fmt.Sprintf(text, f.monitor, f.rpc, pid, dir))
	j, _ := job()
	j.AWS = s.cfg
	s.refuse = func(*http.Request) int { return 503 }
	out, err := run(t, k, j, 6*time.Second)
	if err == nil {
		t.Fatal("S3 is away: ", out)
	}
	contains(t, err.Error(), "10 bytes are still buffered", "copy "+dir+"/buffer/buffer.q5f.log")

	s.refuse, j.Attempt = func(*http.Request) int { return 0 }, 2
	began := time.Now()
	if out, err = run(t, k, j, time.Minute); err != nil || time.Since(began) > 5*time.Second {
		t.Fatal(out, err)
	}
	contains(t, out, "What was not delivered, 14 bytes in 2 files, is in S3")
	got := s.objects(t)
	if at := "left/i-0123456789abcdef0" + dir + "/buffer/buffer.q5f.log"; got[at+".gz"] != "0123456789" || got[at+".meta.gz"] != "meta" {
		t.Error(got)
	}
}

// TestWhatIsInNoFileIsNotShipped: what was in memory, or was thrown away, is not saved by what else is copied.
func TestWhatIsInNoFileIsNotShipped(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	if err := os.Mkdir(dir+"/buffer", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/buffer/one", "0123456789", 0o644)
	f := newFluentd(t, []*output{{id: "file", chunks: chunks(10), delivery: time.Minute}, {id: "memory", chunks: chunks(20), delivery: time.Minute}})
	text := "fluentd: {monitor: '%s', rpc: '%s', pid_file: %s, stop: true, buffers: [%s/buffer], ship: 's3://logs/left'}"
	j, _ := job()
	j.AWS = s.cfg
	out, err := run(t, parse(t, fmt.Sprintf(text, f.monitor, f.rpc, aProcess(t, dir, ":"), dir)), j, 4*time.Second)
	if err == nil {
		t.Fatal(out)
	}
	contains(t, err.Error(), "30 bytes are still buffered", "only the 10 bytes that were left in files could be copied")
	if len(s.objects(t)) != 1 {
		t.Error(s.objects(t))
	}
}

// TestFluentdEvacuates: since 1.19 what is given up is put aside, and goes to S3.
func TestFluentdEvacuates(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	f := newFluentd(t, []*output{{id: "s3", chunks: chunks(70, 8), delivery: 100 * time.Millisecond, fails: 1, limit: 1}})
	f.backup = dir + "/backup"
	if err := os.Mkdir(f.backup, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "fluentd: {monitor: '%s', rpc: '%s', pid_file: %s, stop: true, buffers: [%s/backup], ship: 's3://logs/left'}"
	j, _ := job()
	j.AWS = s.cfg
	out, err := run(t, parse(t, fmt.Sprintf(text, f.monitor, f.rpc, aProcess(t, dir, ":"), dir)), j, 20*time.Second)
	if err != nil {
		t.Fatal(out, err)
	}
	contains(t, out, "lost 78 bytes at an error", "78 bytes in 2 files, is in S3")
}

// TestFluentdBySignal: without RPC and monitor, SIGUSR1 flushes, and the files of the buffer show what is left.
func TestFluentdBySignal(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/buffer", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/buffer/one", "0123456789", 0o644)
	pid := filepath.Join(dir, "pid")
	script := write(t, filepath.Join(dir, "fluentd"), "#!/bin/sh\ntrap 'rm -f "+dir+"/buffer/*' USR1\necho $$ > "+pid+"\nwhile :; do sleep 0.05; done\n", 0o755)
	cmd := exec.Command(script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	until(t, "the process runs", func() bool { b, _ := os.ReadFile(pid); return len(b) > 0 })
	j, _ := job()
	out, err := run(t, parse(t, "fluentd: {pid_file: "+pid+", buffers: ["+dir+"/buffer]}"), j, 20*time.Second)
	if err != nil {
		t.Error(out, err)
	}
}

// bit is a double of Fluent Bit's HTTP server.
type bit struct {
	mu                            sync.Mutex
	total, memory, failed, missed int64
	off                           bool // storage.metrics
}

func newBit(t *testing.T, b *bit) string {
	t.Helper()
	return strings.TrimSuffix(serve(t, func(w *response, r *request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch {
		case r.URL.Path == "/api/v1/storage" && b.off:
			fmt.Fprint(w, `{"storage_layer":{}}`)
		case r.URL.Path == "/api/v1/storage":
			fmt.Fprintf(w, `{"storage_layer":{"chunks":{"total_chunks":%d,"mem_chunks":%d,"fs_chunks":%d,"fs_chunks_up":0,"fs_chunks_down":0}},`+
				`"input_chunks":{"tail.0":{"status":{"overlimit":false},"chunks":{"total":%[1]d,"up":1,"down":0,"busy":1,"busy_size":"1.1K"}}}}`,
				b.total, b.memory, b.total-b.memory)
		case r.URL.Path == "/api/v1/metrics":
			fmt.Fprintf(w, `{"input":{"tail.0":{"records":8}},"output":{"s3.0":{"proc_records":8,"errors":0,"retries":3,"retries_failed":%d,"dropped_records":%d}}}`,
				b.failed, b.missed)
		default:
			w.WriteHeader(404)
		}
	}), "/")
}

func TestFluentBit(t *testing.T) {
	set := func(b *bit, total, memory, failed int64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.total, b.memory, b.failed = total, memory, failed
	}
	j, _ := job()
	b := &bit{total: 2, memory: 2, failed: 4}
	time.AfterFunc(1500*time.Millisecond, func() { set(b, 0, 0, 4) })
	if out, err := run(t, parse(t, "fluent_bit: {monitor: '"+newBit(t, b)+"'}"), j, 20*time.Second); err != nil {
		t.Error(out, err)
	}
	b = &bit{total: 2, failed: 4}
	time.AfterFunc(1500*time.Millisecond, func() { set(b, 0, 0, 5) })
	out, err := run(t, parse(t, "fluent_bit: {monitor: '"+newBit(t, b)+"'}"), j, 20*time.Second)
	if err == nil || !strings.Contains(err.Error(), "retries_failed of s3.0 has risen") {
		t.Error(out, err)
	}
	for _, b := range []*bit{{off: true}, {total: 1}} {
		if out, err := run(t, parse(t, "fluent_bit: {monitor: '"+newBit(t, b)+"'}"), j, 1500*time.Millisecond); err == nil {
			t.Error(out)
		}
	}

	// Chunks in files are shipped. Chunks that were in memory only are lost.
	for _, memory := range []int64{0, 1} {
		s, dir := newStore(t), t.TempDir()
		if err := os.Mkdir(dir+"/storage", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir+"/storage/1.flb", "chunk", 0o644)
		text := "fluent_bit: {monitor: '%s', pid_file: %s, stop: true, buffers: [%s/storage], ship: 's3://logs/left'}"
		j, _ := job()
		j.AWS = s.cfg
		out, err := run(t, parse(t, fmt.Sprintf(text, newBit(t, &bit{total: 2, memory: memory}), aProcess(t, dir, ":"), dir)), j, 4*time.Second)
		if (err == nil) != (memory == 0) {
			t.Error(memory, out, err)
		}
		if got := s.objects(t); got["left/i-0123456789abcdef0"+dir+"/storage/1.flb.gz"] != "chunk" {
			t.Error(got)
		}
	}
}
