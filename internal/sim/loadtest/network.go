package loadtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Serve is a Network Load Balancer: it passes the bytes of each connection that a listener takes to a target and back, until the listener
// is closed. A client whose connection fails gets a reset. It has no idle timeout; AWS's is 350 s.
func (b *Balancer) Serve(ctx context.Context, l *net.TCPListener) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(cutEvery) // the machine may have no more files
			continue
		}
		open.Go(func() { b.connect(ctx, c) })
	}
}

// connect finds a target for a client and passes on what they say to each other.
func (b *Balancer) connect(ctx context.Context, client *net.TCPConn) {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	f := &flight{cut: cut}
	if !b.pick(f) {
		reset(client)
		return
	}
	defer b.done(f)
	target, err := b.dial(ctx, f.task)
	if err != nil {
		b.blame(ctx, err)
		reset(client)
		return
	}
	stop := context.AfterFunc(ctx, func() { reset(client, target) })
	defer stop()
	if err := exchange(client, target); err != nil || ctx.Err() != nil {
		b.blame(ctx, err)
		reset(client, target)
		return
	}
	_, _ = client.Close(), target.Close() // nothing is lost: both have said all
}

func (b *Balancer) dial(ctx context.Context, task string) (*net.TCPConn, error) {
	address, ok := b.address(task)
	if !ok {
		return nil, syscall.ECONNREFUSED
	}
	c, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// exchange copies both ways until the target has closed its side. The error says that it broke off, or closed without a word; when the
// client has left before, there is none.
func exchange(client, target *net.TCPConn) error {
	var left atomic.Bool
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = io.Copy(target, client) // an error is seen by what the target says of it
		left.Store(true)
		_ = target.CloseWrite()
	}()
	n, err := io.Copy(client, target)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if left.Load() {
		err = nil
	}
	if err != nil {
		reset(client, target)
	} else {
		_, _ = client.CloseWrite(), client.CloseRead()
	}
	<-asked
	return err
}

// reset closes connections with a reset.
func reset(all ...*net.TCPConn) {
	for _, c := range all {
		_, _ = c.SetLinger(0), c.Close()
	}
}
