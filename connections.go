package remotetapprocessor

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// leastConnections is how many connections may be open, whatever the limit of taps; a quarter
	// of them from one address, which may be that of a port-forward with many users behind it.
	leastConnections = 256
	// connectionsPerTap is how many connections may be open for each tap that may be.
	connectionsPerTap = 8
	// noticePeriod is how often the log says that connections are refused.
	noticePeriod = time.Minute
)

// connections are all open ones, those of WebSocket clients included, which http.Server hands
// over. It closes new ones when too many are open.
type connections struct {
	// set at construction
	most           int
	mostPerAddress int
	refused        func(remote net.Addr, first bool) // first: in a while

	mu sync.Mutex
	// guarded by mu
	open    map[net.Conn]struct{}
	from    map[string]int // by address
	noticed time.Time
}

func newConnections(limit int, refused func(net.Addr, bool)) *connections {
	most := max(leastConnections, connectionsPerTap*limit)
	return &connections{
		most:           most,
		mostPerAddress: most / 4,
		refused:        refused,
		open:           map[net.Conn]struct{}{},
		from:           map[string]int{},
	}
}

// connectionKey is where a request's context has its connection.
type connectionKey struct{}

// follow is the server's ConnState. Who takes over a hijacked connection calls remove.
func (c *connections) follow(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateClosed:
		c.remove(conn)
	case http.StateActive, http.StateIdle, http.StateHijacked:
	}
}

// add notes a new connection, or closes it without a word: before TLS and HTTP there is none.
func (c *connections) add(conn net.Conn) {
	admitted, first := c.admit(conn)
	if !admitted {
		cut(conn)
		c.refused(conn.RemoteAddr(), first)
	}
}

func (c *connections) admit(conn net.Conn) (admitted, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	address := addressOf(conn)
	if len(c.open) < c.most && c.from[address] < c.mostPerAddress {
		c.open[conn] = struct{}{}
		c.from[address]++
		return true, false
	}
	now := time.Now()
	first = now.Sub(c.noticed) >= noticePeriod
	if first {
		c.noticed = now
	}
	return false, first
}

func (c *connections) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[conn]; !open {
		return
	}
	delete(c.open, conn)
	address := addressOf(conn)
	c.from[address]--
	if c.from[address] == 0 {
		delete(c.from, address)
	}
}

// cut closes them all, without a word.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		cut(conn)
	}
}

// addressOf is where a connection comes from, without the port. All clients of a Unix socket are
// one.
func addressOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// cut closes a connection without a word. TLS would wait five seconds for a client that does not
// read to take its last one.
func cut(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}
