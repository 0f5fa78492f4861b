package host

import (
	"cmp"
	"context"
	"errors"
	"strings"
)

// fluentBit waits until the buffers of Fluent Bit are shown to be empty. There is no call to flush it: it flushes by itself each second, and
// at SIGTERM for as long as its grace lasts.
type fluentBit struct {
	Monitor string `yaml:"monitor"` // its HTTP server, with storage.metrics on
	shipper `yaml:",inline"`
}

func (f *fluentBit) complete() error {
	f.Monitor = strings.TrimSuffix(cmp.Or(f.Monitor, "http://127.0.0.1:2020"), "/")
	return errors.Join(needURL("monitor", f.Monitor, "http"), f.shipper.complete())
}

// Check looks at the buffers.
func (f *fluentBit) Check(ctx context.Context, _ Job) error {
	_, err := f.look(ctx)
	return err
}

// Run waits for empty buffers.
func (f *fluentBit) Run(ctx context.Context, j Job) error { return f.deliver(ctx, j, f) }

func (f *fluentBit) flush(context.Context) error { return nil }

// look counts chunks. https://docs.fluentbit.io/manual/administration/monitoring
func (f *fluentBit) look(ctx context.Context) (buffered, error) {
	now := buffered{what: "chunks", lost: map[string]int64{}}
	var storage struct {
		Layer *struct {
			Chunks struct {
				Total  *int64 `json:"total_chunks"`
				Memory int64  `json:"mem_chunks"`
			}
		} `json:"storage_layer"`
	}
	if err := get(ctx, f.Monitor+"/api/v1/storage", &storage); err != nil {
		return now, err
	}
	if storage.Layer == nil || storage.Layer.Chunks.Total == nil {
		return now, errors.New("it tells nothing of its chunks; set storage.metrics on under [SERVICE] of Fluent Bit")
	}
	now.left, now.memory = *storage.Layer.Chunks.Total, storage.Layer.Chunks.Memory
	var metrics struct {
		Output map[string]struct {
			Failed  int64 `json:"retries_failed"`
			Dropped int64 `json:"dropped_records"`
		}
	}
	if err := get(ctx, f.Monitor+"/api/v1/metrics", &metrics); err != nil {
		return now, err
	}
	for name, o := range metrics.Output {
		now.lost["retries_failed of "+name], now.lost["dropped_records of "+name] = o.Failed, o.Dropped
	}
	return now, nil
}
