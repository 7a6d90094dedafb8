//go:build linux

package torture

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fault is what a proxy does to a connection.
type fault struct {
	// late is how long everything is held up, each time and in both directions.
	late time.Duration
	// after is how many bytes reach the client before it strikes, in the middle of whatever they are.
	after int64
	// strike is what then happens. It is called by the goroutine that forwards to the client.
	strike func(*link)
}

// proxy forwards connections to a collector, with a fault on the first one that is made.
type proxy struct {
	fault    fault
	from     net.IP // the address that the collector sees
	target   atomic.Pointer[string]
	listener net.Listener
	serving  sync.WaitGroup

	mu    sync.Mutex
	links []*link // guarded by mu: all that were ever made
}

// startProxy starts a proxy on a free port. It ends with the test.
func startProxy(t testing.TB, target string, from net.IP, f fault) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{fault: f, from: from, listener: listener}
	p.target.Store(&target)
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.reset()
		p.serving.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards a connection to its end.
func (p *proxy) serve(client *net.TCPConn) {
	defer func() { _ = client.Close() }()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.from}}
	conn, err := dialer.Dial("tcp", *p.target.Load())
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	server := conn.(*net.TCPConn)
	defer func() { _ = server.Close() }()
	// What the proxy takes from the collector ahead of the client is little.
	_ = server.SetReadBuffer(64 << 10)
	l := p.add(client, server)
	defer l.over()
	var forwarding sync.WaitGroup
	forwarding.Go(func() { l.forward(client, server, &l.toServer, nil) })
	forwarding.Go(func() { l.forward(server, client, &l.toClient, l.meter) })
	forwarding.Wait()
}

// add keeps a connection in mind. The fault is the first one's.
func (p *proxy) add(client, server *net.TCPConn) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &link{client: client, server: server, struck: make(chan struct{})}
	l.ctx, l.over = context.WithCancel(context.Background())
	if len(p.links) == 0 {
		l.fault = p.fault
	}
	p.links = append(p.links, l)
	return l
}

// first is the connection with the fault; nil while there is none.
func (p *proxy) first() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) == 0 {
		return nil
	}
	return p.links[0]
}

// reset cuts all connections.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		l.reset()
	}
}

// link is a connection through a proxy.
type link struct {
	// set at construction
	client, server *net.TCPConn
	fault          fault
	struck         chan struct{} // closed when the fault has struck
	ctx            context.Context
	over           context.CancelFunc

	passed             int64 // to the client; owned by the goroutine that forwards there
	toClient, toServer flow
}

// flow is how a direction is.
type flow struct{ swallows, stands atomic.Bool }

// forward copies what one side says to the other, until one of them ends.
func (l *link) forward(from, to *net.TCPConn, f *flow, meter func(int) int) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if l.fault.late > 0 {
			pause(l.ctx, l.fault.late)
		}
		for chunk := buffer[:n]; len(chunk) > 0; {
			part := len(chunk)
			if meter != nil {
				part = meter(part)
			}
			if !f.swallows.Load() {
				if _, err := to.Write(chunk[:part]); err != nil {
					l.reset()
					return
				}
			}
			chunk = chunk[part:]
			if meter != nil {
				l.strike()
			}
		}
		if f.stands.Load() || err != nil && f.swallows.Load() {
			<-l.ctx.Done() // nothing gets through here any more, not even the end
			return
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite()
			return
		case err != nil:
			l.reset()
			return
		}
	}
}

// meter is how many of the bytes may pass before the fault strikes.
func (l *link) meter(n int) int {
	if left := l.fault.after - l.passed; l.fault.strike != nil && left > 0 && left < int64(n) {
		n = int(left)
	}
	l.passed += int64(n)
	return n
}

// strike lets the fault strike, once, when its time has come.
func (l *link) strike() {
	if l.fault.strike == nil || l.passed < l.fault.after || l.hasStruck() {
		return
	}
	l.fault.strike(l)
	close(l.struck)
}

func (l *link) hasStruck() bool {
	select {
	case <-l.struck:
		return true
	default:
		return false
	}
}

// reset cuts the connection on both sides, with resets.
func (l *link) reset() {
	for _, side := range []*net.TCPConn{l.client, l.server} {
		_ = side.SetLinger(0)
		_ = side.Close()
	}
	l.over()
}
