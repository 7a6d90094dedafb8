package remotetapprocessor

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// acceptedPerSecond is how many connections are accepted in a second, and acceptedBurst how many
	// at once. More wait in the system's queue.
	acceptedPerSecond = 2000
	acceptedBurst     = 2000
	// heardAtOnce is how many bytes are taken from one connection before others have their turn.
	heardAtOnce = 4 * kib
	// shortRead is the size of a read, in bytes, that is answered from a buffer: net/http reads
	// HTTP/2 a few bytes at a time. readAhead is the size of that buffer; it may hold many requests.
	shortRead = 512
	readAhead = 1 * kib
	// shortestWait is the shortest time that a connection waits for.
	shortestWait = 10 * time.Millisecond
	// longestPress is how long a client may have more to say than it may, without a breath, and
	// heaviestPress how many bytes it may say meanwhile, besides a share of what it is told, until its
	// connection is closed.
	longestPress  = 2 * time.Second
	heaviestPress = 16 * kib
	// breath is how long a client is silent that has no more to say for now.
	breath = 50 * time.Millisecond
)

// listen puts the throttle on what a listener accepts. It belongs below TLS, so that what
// handshakes and records cost counts.
func (t *throttle) listen(listener net.Listener) net.Listener {
	return &throttledListener{
		Listener: listener,
		throttle: t,
		pace:     rate.NewLimiter(acceptedPerSecond, acceptedBurst),
		closed:   make(chan struct{}),
	}
}

type throttledListener struct {
	net.Listener
	throttle *throttle
	pace     *rate.Limiter
	close    sync.Once
	closed   chan struct{}
}

// Accept waits for a connection, as Go's listeners do.
func (l *throttledListener) Accept() (net.Conn, error) {
	if wait := l.pace.Reserve().Delay(); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.closed:
		}
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if buffered, ok := conn.(interface{ SetReadBuffer(bytes int) error }); ok {
		// So that there is not much more to be read of a client that has left. If it fails there is.
		_ = buffered.SetReadBuffer(heardPerSecond)
	}
	t := l.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.account(addressOf(conn), time.Now())
	a.connections++
	return &throttledConn{Conn: conn, throttle: t, account: a, changed: make(chan struct{})}, nil
}

// Close makes Accept return.
func (l *throttledListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// throttledConn is a connection that is read from no faster than its client's account allows. A
// Read that waits ends as one does that waits for the client: with the deadline, or with Close.
type throttledConn struct {
	// set at construction
	net.Conn
	throttle *throttle
	account  *account

	reading sync.Mutex // held by Read
	// guarded by reading
	buffer   []byte    // made by the first short read
	ahead    []byte    // the part of it that was read and not yet asked for
	pressing time.Time // since when the client has had more to say than it may
	pressed  float64   // what it has said since then

	mu sync.Mutex
	// guarded by mu
	deadline time.Time     // of Read
	changed  chan struct{} // closed when one of the others changes
	closed   bool

	told atomic.Int64 // bytes
}

// Read reads what the client's account allows now.
func (c *throttledConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(c.ahead) == 0 && len(b) >= shortRead {
		return c.hear(b[:min(len(b), heardAtOnce)])
	}
	if len(c.ahead) == 0 {
		if c.buffer == nil {
			c.buffer = make([]byte, readAhead)
		}
		n, err := c.hear(c.buffer)
		if err != nil {
			return 0, err // and never bytes besides: hear's promise
		}
		c.ahead = c.buffer[:n]
	}
	n := copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	return n, nil
}

// hear waits for the account and then for the client. It returns bytes or an error, never both.
func (c *throttledConn) hear(b []byte) (int, error) {
	waited := false
	for wait := c.throttle.wait(c.account); wait > 0; wait = c.throttle.wait(c.account) {
		waited = true
		if err := c.pause(max(wait, shortestWait)); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	n, err := c.Conn.Read(b)
	c.throttle.charge(c.account, float64(n))
	if c.presses(waited, n, time.Since(begin), begin) {
		return 0, errors.Join(errFlood, c.Close())
	}
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, err
}

// presses tells whether the client has pressed on for too long: it had to wait, has not been silent
// for a breath since then, and has said a lot. (A client that says little may have to wait, too,
// because of others at its address.)
func (c *throttledConn) presses(waited bool, said int, silent time.Duration, now time.Time) bool {
	if silent > breath {
		c.pressing = time.Time{}
		return false
	}
	if waited && c.pressing.IsZero() {
		c.pressing, c.pressed = now, 0
		c.told.Store(0)
	}
	c.pressed += float64(said)
	return !c.pressing.IsZero() && now.Sub(c.pressing) > longestPress &&
		c.pressed-float64(c.told.Load())/heardShare > heaviestPress
}

// pause waits for a time, or for less if the deadline or the connection's end comes first; then it
// returns the error that Read is to return.
func (c *throttledConn) pause(wait time.Duration) error {
	c.mu.Lock()
	deadline, changed, closed := c.deadline, c.changed, c.closed
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	if !deadline.IsZero() {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		wait = min(wait, left)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	}
	return nil
}

// Write tells the client something, and so allows it to say more.
func (c *throttledConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.told.Add(int64(n))
	c.throttle.charge(c.account, -float64(n)/heardShare)
	return n, err
}

// SetReadDeadline sets the deadline of Read.
func (c *throttledConn) SetReadDeadline(deadline time.Time) error {
	c.change(func() { c.deadline = deadline })
	return c.Conn.SetReadDeadline(deadline)
}

// SetDeadline sets the deadline of Read and Write.
func (c *throttledConn) SetDeadline(deadline time.Time) error {
	c.change(func() { c.deadline = deadline })
	return c.Conn.SetDeadline(deadline)
}

// Close closes the connection, and frees its place in the account.
func (c *throttledConn) Close() error {
	first := false
	c.change(func() { first, c.closed = !c.closed, true })
	if first {
		c.throttle.mu.Lock()
		c.account.connections--
		c.throttle.mu.Unlock()
	}
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more will come. net/http does so before it closes a
// connection on which the client still talks.
func (c *throttledConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// change changes something that a Read goes by while it waits.
func (c *throttledConn) change(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}
