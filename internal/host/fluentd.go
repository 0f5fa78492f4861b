package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// fluentd flushes Fluentd until its buffers are shown to be empty.
type fluentd struct {
	Monitor string `yaml:"monitor"` // in_monitor_agent of worker 0; each further worker has the next port
	Workers int    `yaml:"workers"` // 1 if nothing is said
	RPC     string `yaml:"rpc"`     // rpc_endpoint; without it, SIGUSR1 goes to the process of pid_file
	shipper `yaml:",inline"`
}

func (f *fluentd) complete() error {
	if f.RPC == "" && f.PIDFile == "" {
		return errors.New("write rpc or pid_file: how Fluentd is told to flush")
	}
	if f.Monitor == "" && len(f.Buffers) == 0 {
		return errors.New("write monitor, like http://127.0.0.1:24220, or buffers: what shows that the buffers are empty")
	}
	const some = "http://127.0.0.1:24220"
	return errors.Join(needURL("monitor", cmp.Or(f.Monitor, some), "http"), needURL("rpc", cmp.Or(f.RPC, some), "http"), f.shipper.complete())
}

// Check looks at the buffers, and for the way to flush.
func (f *fluentd) Check(ctx context.Context, _ Job) error {
	if _, err := f.look(ctx); err != nil {
		return err
	}
	if at, _ := url.Parse(f.RPC); f.RPC != "" {
		return listens(ctx, at) // asking would flush
	}
	_, err := (&signal{PIDFile: f.PIDFile}).find()
	return err
}

// Run empties the buffers.
func (f *fluentd) Run(ctx context.Context, j Job) error { return f.deliver(ctx, j, f) }

// flush asks for it; it is done some time later. A plugin that waits for its next retry is not flushed.
func (f *fluentd) flush(ctx context.Context) error {
	if f.RPC != "" {
		return get(ctx, strings.TrimSuffix(f.RPC, "/")+"/api/plugins.flushBuffers", &struct{}{})
	}
	found, err := (&signal{PIDFile: f.PIDFile}).find()
	if err != nil {
		return err
	}
	return found[0].Signal(syscall.SIGUSR1) // never USR2: since 1.18 it starts a second Fluentd
}

// look asks every worker. The size is that of what is staged, queued or in flight: it falls only when a chunk is delivered, or thrown away.
// https://docs.fluentd.org/input/monitor_agent
func (f *fluentd) look(ctx context.Context) (buffered, error) {
	now := buffered{what: "bytes", by: map[string]int64{}, errors: map[string]int64{}, lost: map[string]int64{}}
	if f.Monitor == "" {
		_, now.left = f.files()
		return now, nil
	}
	outputs := 0
	for worker := range max(f.Workers, 1) {
		at, _ := url.Parse(f.Monitor) // complete has read it
		port, _ := strconv.Atoi(at.Port())
		at.Host = net.JoinHostPort(at.Hostname(), strconv.Itoa(port+worker))
		var said struct {
			Plugins []struct {
				ID       string `json:"plugin_id"`
				Category string `json:"plugin_category"`
				Size     *int64 `json:"buffer_total_queued_size"` // null: it has no buffer
				Retries  int64  `json:"retry_count"`              // failed tries since the start
				Dropped  int64  `json:"drop_oldest_chunk_count"`
			}
		}
		if err := get(ctx, at.JoinPath("/api/plugins.json").String(), &said); err != nil {
			return now, fmt.Errorf("worker %d: %w", worker, err)
		}
		for _, p := range said.Plugins {
			if p.Category == "output" {
				outputs++
			}
			if key := fmt.Sprintf("%s of worker %d", p.ID, worker); p.Category == "output" && p.Size != nil {
				now.left += *p.Size
				now.by[key], now.errors[key], now.lost["drop_oldest_chunk_count of "+key] = *p.Size, p.Retries, p.Dropped
			}
		}
	}
	if outputs == 0 {
		return now, errors.New("monitor_agent shows no output")
	}
	return now, nil
}
