// Package standin is what runs on a host and those who watch it, as far as a demonstration needs them: an application that writes numbered
// lines, a log shipper that speaks as Fluentd does, a monitored process; and beside the host the receiver of the logs and a monitoring server
// that speaks as Zabbix does. What runs on a host are processes of their own, so that they can be signalled and killed.
//
// It never asks the simulated cloud anything: whoever plays a story ends the processes when their host ends.
package standin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Run is one of the processes on a host: "fluentd URL", with where it sends its chunks, "app ADDRESS FILE", with that of Fluentd and the file in
// which it keeps what it wrote, or "monitored". It prints where it listens, and ends with SIGTERM, or with who started it: then
// its standard input is over.
func Run(ctx context.Context, args []string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	switch {
	case len(args) == 2 && args[0] == "fluentd":
		return fluentd(ctx, args[1])
	case len(args) == 3 && args[0] == "app":
		return app(ctx, args[1], args[2])
	case len(args) == 1 && args[0] == "monitored":
		return monitored(ctx)
	}
	return fmt.Errorf("there is no stand-in %q", args)
}

// LineEvery is how often the application writes a line.
const LineEvery = 20 * time.Millisecond

// app sends a line to Fluentd, waits until that has it, and keeps its number: what is in the file Fluentd has been given.
func app(ctx context.Context, to, file string) error {
	c, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Println("writes")
	taken := bufio.NewReader(c)
	for n := 1; ctx.Err() == nil; n++ {
		if _, err := fmt.Fprintf(c, "%d\n", n); err != nil {
			return err
		}
		if _, err := taken.ReadByte(); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(f, "%d\n", n); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(LineEvery):
		}
	}
	return errors.Join(c.Close(), f.Close())
}

// monitored is a process that says that it is well, as long as it is there.
func monitored(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	context.AfterFunc(ctx, func() { _ = l.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return nil // it is to end
		}
		_ = c.Close()
	}
}

// How Fluentd buffers: a chunk is sent after flushEvery, or when somebody asks, and is on its way for sending.
const (
	flushEvery = 30 * time.Second
	sending    = 1500 * time.Millisecond
)

// buffer is what Fluentd has not delivered. https://docs.fluentd.org/buffer
type buffer struct {
	to     string
	mu     sync.Mutex
	staged strings.Builder
	flying int // bytes
	ask    chan struct{}
}

func fluentd(ctx context.Context, to string) error {
	b := &buffer{to: to, ask: make(chan struct{}, 1)}
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(in.Addr(), api.Addr())
	go b.listen(in)
	go func() { _ = http.Serve(api, b.api()) }() //nolint:gosec // on loopback, for a minute
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	for {
		select {
		case <-ctx.Done(): // file buffers are not flushed at a stop
			return nil
		case <-usr1:
		case <-b.ask:
		case <-time.After(flushEvery):
		}
		b.flush(ctx)
	}
}

func (b *buffer) listen(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			for lines := bufio.NewScanner(c); lines.Scan(); {
				b.mu.Lock()
				b.staged.WriteString(lines.Text() + "\n")
				b.mu.Unlock()
				if _, err := c.Write([]byte{'\n'}); err != nil {
					return
				}
			}
		}()
	}
}

func (b *buffer) flush(ctx context.Context) {
	b.mu.Lock()
	chunk := b.staged.String()
	b.staged.Reset()
	b.flying = len(chunk)
	b.mu.Unlock()
	if chunk == "" {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(sending):
	}
	res, err := http.Post(b.to, "text/plain", strings.NewReader(chunk)) //nolint:gosec,noctx // the story's own receiver
	if err != nil {
		return
	}
	_ = res.Body.Close()
	b.mu.Lock()
	b.flying = 0
	b.mu.Unlock()
}

// api is in_monitor_agent and rpc_endpoint under one address. https://docs.fluentd.org/input/monitor_agent
func (b *buffer) api() http.Handler {
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) } // a client that is gone needs no answer
	mux.HandleFunc("/api/plugins.json", func(w http.ResponseWriter, _ *http.Request) {
		b.mu.Lock()
		size := b.staged.Len() + b.flying
		b.mu.Unlock()
		say(w, map[string]any{"plugins": []any{map[string]any{
			"plugin_id": "out", "plugin_category": "output", "type": "http", "retry_count": 0, "buffer_total_queued_size": size,
		}}})
	})
	mux.HandleFunc("/api/plugins.flushBuffers", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case b.ask <- struct{}{}:
		default:
		}
		say(w, map[string]bool{"ok": true})
	})
	return mux
}
