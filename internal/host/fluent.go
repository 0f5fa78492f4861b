package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// shipper is what fluentd and fluent_bit have in common: the process is stopped when its buffers are empty or the time is nearly over, and
// what is left in its files is copied to S3.
type shipper struct {
	PIDFile string   `yaml:"pid_file"`
	Unit    string   `yaml:"unit"`
	Stop    bool     `yaml:"stop"`    // the unit, or the process by SIGTERM
	Buffers []string `yaml:"buffers"` // files and directories of the buffers, and of what was given up
	Ship    string   `yaml:"ship"`    // s3://BUCKET/PREFIX: where what is left goes
	Region  string   `yaml:"region"`

	// What the attempts so far have seen. A new one must not forget it.
	last    buffered
	lost    []string // what may have been thrown away
	thrown  int64    // bytes of it
	failed  error    // why the buffers were not shown to be empty
	stopped bool
}

// buffered is what one look at the buffers says.
type buffered struct {
	what   string           // what is counted: bytes, or chunks where bytes are not told
	left   int64            //
	memory int64            // of left, what is surely in no file
	by     map[string]int64 // left by output
	errors map[string]int64 // failed tries by output; they only rise
	lost   map[string]int64 // what was thrown away, by counter; they only rise
}

type flusher interface {
	look(ctx context.Context) (buffered, error)
	flush(ctx context.Context) error
}

const (
	lookPace  = time.Second
	flushPace = 5 * time.Second
)

func (s *shipper) complete() error {
	switch {
	case s.Stop && s.PIDFile == "" && s.Unit == "":
		return errors.New("stop needs unit or pid_file")
	case s.Ship != "" && (len(s.Buffers) == 0 || !s.Stop):
		return errors.New("ship needs buffers, the files and directories, and stop: true, for they change while the process runs")
	case s.Ship != "":
		return needURL("ship", s.Ship, "s3")
	}
	return nil
}

// deliver empties the buffers, stops the process and copies what is left.
func (s *shipper) deliver(ctx context.Context, j Job, f flusher) error {
	if !s.stopped {
		spare := time.Duration(0)
		if s.Stop {
			spare = min(time.Until(j.Until)/3, time.Minute)
		}
		flushing, cancel := context.WithDeadline(ctx, j.Until.Add(-spare))
		s.failed = s.empty(flushing, j, f)
		cancel()
	}
	if s.failed != nil {
		j.say("Not shown to be empty: %v.", s.failed)
	}
	if !s.Stop {
		return s.failed
	}
	if err := s.stop(ctx, j); err != nil {
		return errors.Join(s.failed, fmt.Errorf("stop it: %w", err))
	}
	files, bytes := s.files()
	switch {
	case bytes == 0:
		return s.failed
	case s.Ship == "":
		return errors.Join(s.failed, fmt.Errorf("%d bytes are left in %d files under %s", bytes, len(files), strings.Join(s.Buffers, ", ")))
	}
	switch err := ship(ctx, j, s.Ship, s.Region, files, false); {
	case err != nil:
		return errors.Join(s.failed, err)
	case s.failed != nil && (s.last.memory > 0 || s.thrown > bytes || s.last.what == "bytes" && s.last.left+s.thrown > bytes):
		return fmt.Errorf("%w; only the %d bytes that were left in files could be copied", s.failed, bytes)
	}
	j.say("What was not delivered, %d bytes in %d files, is in S3.", bytes, len(files))
	return nil
}

// empty flushes and looks until two looks in a row show nothing. It fails if they do not, or if something may have been thrown away: then
// the buffers are empty too.
func (s *shipper) empty(ctx context.Context, j Job, f flusher) error {
	began, flushed := time.Now(), time.Time{}
	for zeros := 0; ; {
		if time.Since(flushed) >= flushPace {
			flushed = time.Now()
			if err := f.flush(ctx); err != nil {
				j.say("Flush: %v.", err)
			}
		}
		now, err := f.look(ctx)
		if zeros++; err != nil || now.left > 0 {
			zeros = 0
		}
		if err == nil {
			s.learn(now)
		}
		switch {
		case zeros >= 2 && len(s.lost) > 0:
			return fmt.Errorf("the buffers are empty, but data may have been thrown away: %s", strings.Join(s.lost, ", "))
		case zeros >= 2:
			j.say("Two looks in a row show empty buffers, after %s.", time.Since(began).Round(time.Second))
			return nil
		case sleep(ctx, lookPace): // another look
		case s.last.what == "", err != nil && !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("the buffers could not be looked at: %w", err)
		default:
			return fmt.Errorf("%d %s are still buffered, or there was no time for a second look", s.last.left, s.last.what)
		}
	}
}

func (s *shipper) learn(now buffered) {
	was := s.last
	if s.last = now; was.what == "" {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(now.lost)) {
		if now.lost[k] > was.lost[k] {
			s.lost, s.thrown = append(s.lost, k+" has risen"), math.MaxInt64/2
		}
	}
	// At the retry limit a buffer is thrown away. Its size falls then in the moment of an error; when a chunk is delivered there is none.
	for k, size := range now.by {
		if fell := was.by[k] - size; fell > 0 && now.errors[k] > was.errors[k] {
			s.lost, s.thrown = append(s.lost, fmt.Sprintf("the buffer of %s lost %d bytes at an error", k, fell)), s.thrown+fell
		}
	}
}

func (s *shipper) stop(ctx context.Context, j Job) error {
	if s.stopped {
		return nil
	}
	stop := Kind(&signal{PIDFile: s.PIDFile, Signal: "TERM", number: syscall.SIGTERM, Wait: true})
	if s.Unit != "" {
		stop = &systemd{Unit: s.Unit, Action: "stop"}
	}
	err := stop.Run(ctx, j)
	s.stopped = err == nil
	return err
}

// files are those of the buffers with something in them.
func (s *shipper) files() (files []string, bytes int64) {
	for _, b := range s.Buffers {
		for _, f := range expand(b) {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
				files, bytes = append(files, f), bytes+info.Size()
			}
		}
	}
	return files, bytes
}
