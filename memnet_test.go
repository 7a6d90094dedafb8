package remotetapprocessor

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memNetwork is a network in memory, for tests on fake time: a listener and the connections to
// it. Like TCP, a connection holds some bytes on their way, and knows deadlines and half-closing.
type memNetwork struct {
	buffer   int // bytes that one direction of a connection holds
	accepted chan net.Conn
	closed   chan struct{}
	close    sync.Once

	mu      sync.Mutex
	clients int // guarded by mu
}

func newMemNetwork(buffer int) *memNetwork {
	return &memNetwork{buffer: buffer, accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *memNetwork) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accepted:
		return conn, nil
	case <-n.closed:
		return nil, n.problem("accept", net.ErrClosed)
	}
}

func (n *memNetwork) Close() error {
	n.close.Do(func() { close(n.closed) })
	return nil
}

func (*memNetwork) Addr() net.Addr { return memAddr(12001) }

func (*memNetwork) problem(op string, err error) error {
	return &net.OpError{Op: op, Net: "mem", Addr: memAddr(12001), Err: err}
}

// DialContext has the form that clients take.
func (n *memNetwork) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	n.clients++
	remote := memAddr(50000 + n.clients)
	n.mu.Unlock()
	up, down := newMemPipe(n.buffer), newMemPipe(n.buffer)
	client := &memConn{reads: down, writes: up, local: remote, remote: memAddr(12001)}
	// In a bubble that keeps the time moving nobody would notice a read that waits in vain.
	_ = client.SetReadDeadline(time.Now().Add(48 * time.Hour))
	server := &memConn{reads: up, writes: down, local: memAddr(12001), remote: remote}
	select {
	case n.accepted <- server:
		return client, nil
	case <-n.closed:
		return nil, n.problem("dial", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, n.problem("dial", ctx.Err())
	}
}

func memAddr(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// memConn is one end of a connection.
type memConn struct {
	reads, writes *memPipe
	local, remote net.Addr
}

func (c *memConn) Read(b []byte) (int, error) {
	n, err := c.reads.read(b)
	return n, c.problem("read", err)
}

func (c *memConn) Write(b []byte) (int, error) {
	n, err := c.writes.write(b)
	return n, c.problem("write", err)
}

func (c *memConn) problem(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // io.EOF is never wrapped here
		return err
	}
	return &net.OpError{Op: op, Net: "mem", Source: c.local, Addr: c.remote, Err: err}
}

// CloseWrite tells the other end that nothing more will come.
func (c *memConn) CloseWrite() error {
	c.writes.set(func(p *memPipe) { p.ended = true })
	return nil
}

func (c *memConn) Close() error {
	c.reads.set(func(p *memPipe) { p.abandoned, p.buf = true, nil })
	c.writes.set(func(p *memPipe) { p.ended = true })
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.reads.set(func(p *memPipe) { p.readBy = t })
	c.reads.wakeAt(t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.writes.set(func(p *memPipe) { p.writeBy = t })
	c.writes.wakeAt(t)
	return nil
}

// memPipe is one direction of a connection.
type memPipe struct {
	capacity int

	mu      sync.Mutex
	changed sync.Cond // on mu
	// guarded by mu
	buf       []byte
	ended     bool // the writer has closed it
	abandoned bool // the reader has closed it
	readBy    time.Time
	writeBy   time.Time
}

func newMemPipe(capacity int) *memPipe {
	p := &memPipe{capacity: capacity}
	p.changed.L = &p.mu
	return p
}

func (p *memPipe) set(change func(*memPipe)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	p.changed.Broadcast()
}

// wakeAt wakes those who wait when a deadline has passed.
func (p *memPipe) wakeAt(t time.Time) {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { p.set(func(*memPipe) {}) })
	}
}

func expired(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

func (p *memPipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.abandoned:
			return 0, net.ErrClosed
		case expired(p.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(p.buf) > 0:
			n := copy(b, p.buf)
			p.buf = p.buf[n:]
			p.changed.Broadcast()
			return n, nil
		case p.ended:
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func (p *memPipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	written := 0
	for {
		switch {
		case p.ended:
			return written, net.ErrClosed
		case p.abandoned:
			return written, syscall.EPIPE
		case expired(p.writeBy):
			return written, os.ErrDeadlineExceeded
		}
		n := min(len(b)-written, p.capacity-len(p.buf))
		p.buf = append(p.buf, b[written:written+n]...)
		written += n
		p.changed.Broadcast()
		if written == len(b) {
			return written, nil
		}
		p.changed.Wait()
	}
}

// deafConn is a client's end of a connection whose other end has gone without a word, once it is
// deaf: nothing comes in any more, and what is sent goes nowhere.
type deafConn struct {
	net.Conn
	deaf *deaf
}

type deaf struct {
	mu  sync.Mutex
	cut bool // guarded by mu
}

func (d *deaf) becomes(cut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = cut
}

func (d *deaf) is() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut
}

func (c *deafConn) Write(b []byte) (int, error) {
	if c.deaf.is() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
