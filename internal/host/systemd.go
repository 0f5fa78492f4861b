package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// systemd stops, reloads or restarts a unit, or waits until it is inactive by itself.
type systemd struct {
	Unit   string `yaml:"unit"`
	Action string `yaml:"action"`
}

func (s *systemd) complete() error {
	if s.Unit == "" {
		return errors.New("unit is missing; write it like unit: nginx.service")
	}
	if !strings.Contains(s.Unit, ".") {
		s.Unit += ".service"
	}
	return needWord("action", &s.Action, "stop", "reload", "restart", "wait")
}

// Check looks whether the unit is there.
func (s *systemd) Check(ctx context.Context, _ Job) error {
	c, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect with systemd: %w", err)
	}
	defer c.Close()
	state, err := s.property(ctx, c, "LoadState")
	if err == nil && state != "loaded" {
		err = fmt.Errorf("the unit %s is %s", s.Unit, state)
	}
	return err
}

func (s *systemd) property(ctx context.Context, c *dbus.Conn, name string) (string, error) {
	p, err := c.GetUnitPropertyContext(ctx, s.Unit, name)
	if err != nil {
		return "", fmt.Errorf("ask systemd for %s of %s: %w", name, s.Unit, err)
	}
	v, _ := p.Value.Value().(string)
	return v, nil
}

// Run asks systemd for a job, waits for its end, and looks what has become of the unit.
func (s *systemd) Run(ctx context.Context, j Job) error {
	c, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect with systemd: %w", err)
	}
	defer c.Close()
	if do := map[string]func(context.Context, string, string, chan<- string) (int, error){
		"stop": c.StopUnitContext, "reload": c.ReloadUnitContext, "restart": c.RestartUnitContext,
	}[s.Action]; do != nil {
		ended := make(chan string, 1)
		if _, err := do(ctx, s.Unit, "replace", ended); err != nil {
			return fmt.Errorf("%s %s: %w", s.Action, s.Unit, err)
		}
		select {
		case result := <-ended:
			if result != "done" {
				return fmt.Errorf("%s %s: the job ended as %s; journalctl -u %s says more", s.Action, s.Unit, result, s.Unit)
			}
		case <-ctx.Done():
			return fmt.Errorf("%s %s: the job has not ended: %w", s.Action, s.Unit, context.Cause(ctx))
		}
	}
	for last := ""; ; {
		state, err := s.property(ctx, c, "ActiveState")
		if err != nil && last != "" && ctx.Err() != nil {
			return fmt.Errorf("%s is still %s: %w", s.Unit, last, context.Cause(ctx))
		}
		last = state
		down := state == "inactive" || state == "failed"
		switch up := s.Action == "reload" || s.Action == "restart"; {
		case err != nil:
			return err
		case up != down:
			j.say("%s is %s.", s.Unit, state)
			return nil
		case up:
			return fmt.Errorf("%s is %s after the %s", s.Unit, state, s.Action)
		case !sleep(ctx, time.Second/2):
			return fmt.Errorf("%s is still %s: %w", s.Unit, state, context.Cause(ctx))
		}
	}
}
