package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// simulated is the simulated cloud in its process, as an operator sees it.
type simulated struct {
	*child
	endpoint string
	scaling  *autoscaling.Client
	record   []core.Entry // read so far

	real  time.Time // when the world's clock was read
	world time.Time // what it said
	speed float64
}

// simulate starts the simulated cloud on a free port of loopback.
func simulate(ctx context.Context, o options) (*simulated, error) {
	file, log := filepath.Join(o.dir, "world.yaml"), filepath.Join(o.dir, "sim.log")
	if err := os.WriteFile(file, []byte(world(o)), 0o644); err != nil {
		return nil, err
	}
	c, err := start(o, "sim", log, false, nil, "sim", "--world", file, "--listen", "127.0.0.1:0", "--speed", fmt.Sprint(o.speed))
	if err != nil {
		return nil, err
	}
	s := &simulated{child: c}
	if s.endpoint, err = s.listening(ctx, log); err == nil {
		err = s.readClock(ctx)
	}
	if err != nil {
		c.kill()
		return nil, err
	}
	s.scaling = autoscaling.New(autoscaling.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(s.endpoint), Credentials: credentials.NewStaticCredentialsProvider("operator", "none", ""),
	})
	return s, nil
}

// listening waits for the line in which ebb sim says where it listens.
func (s *simulated) listening(ctx context.Context, log string) (string, error) {
	const patience = 30 * time.Second
	for late := time.After(patience); ; {
		text, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		if line, _, whole := strings.Cut(string(text), "\n"); whole {
			if _, endpoint, ok := strings.Cut(line, "simulated cloud at "); ok {
				return endpoint, nil
			}
			return "", fmt.Errorf("ebb sim says %q instead of where it listens", line)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-late:
			return "", fmt.Errorf("ebb sim does not listen after %s", patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *simulated) get(ctx context.Context, page string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint+"/_sim/"+page, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := read(res.Body); err != nil {
		return fmt.Errorf("read /_sim/%s: %w", page, err)
	}
	return nil
}

func (s *simulated) readClock(ctx context.Context) error {
	var at struct {
		Now   time.Time
		Speed float64
	}
	err := s.get(ctx, "clock", func(r io.Reader) error { return json.NewDecoder(r).Decode(&at) })
	s.real, s.world, s.speed = time.Now(), at.Now, at.Speed
	return err
}

// now is the world's time, or a moment before: the answer that told it was on its way for a moment.
func (s *simulated) now() time.Time { return s.at(time.Now()) }

// at is the world's time at a real one.
func (s *simulated) at(real time.Time) time.Time {
	return s.world.Add(time.Duration(float64(real.Sub(s.real)) * s.speed))
}

// lasts is how long a time of the world takes.
func (s *simulated) lasts(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.speed)
}

// read reads what the record has beyond what was read before, and returns that.
func (s *simulated) read(ctx context.Context) ([]core.Entry, error) {
	had := len(s.record)
	err := s.get(ctx, fmt.Sprintf("record?after=%d", had), func(r io.Reader) error {
		for lines := json.NewDecoder(r); ; {
			var e core.Entry
			switch err := lines.Decode(&e); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			s.record = append(s.record, e)
		}
	})
	return s.record[had:], err
}

// instances are the instances of the managed groups, by id, and what a person calls them.
func (s *simulated) instances(ctx context.Context) (ids []string, names map[string]string, err error) {
	names = map[string]string{}
	out, err := s.scaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		return nil, nil, err
	}
	for _, g := range out.AutoScalingGroups {
		for i, in := range g.Instances {
			ids = append(ids, *in.InstanceId)
			names[*in.InstanceId] = fmt.Sprintf("%s/%d", *g.AutoScalingGroupName, i)
		}
	}
	return ids, names, nil
}

// terminate takes an instance out of its group, with or without a replacement.
func (s *simulated) terminate(ctx context.Context, id string, replace bool) error {
	_, err := s.scaling.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(id), ShouldDecrementDesiredCapacity: aws.Bool(!replace),
	})
	return err
}
