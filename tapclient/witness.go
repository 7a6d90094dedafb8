package tapclient

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// witness tells a wire why a handshake failed, and knows whose certificate is expected. gRPC would
// make a name in the credentials' configuration the :authority too, which stays the endpoint's.
type witness struct {
	credentials.TransportCredentials
	wire       *wire
	serverName string // "" for that of the authority
}

// ClientHandshake is that of the credentials.
func (w witness) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if w.serverName != "" {
		authority = w.serverName
	}
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	w.wire.saw(err)
	if err != nil {
		return nil, nil, err
	}
	return &judged{Conn: conn, wire: w.wire}, info, nil
}

// Clone is still a witness.
func (w witness) Clone() credentials.TransportCredentials {
	w.TransportCredentials = w.TransportCredentials.Clone()
	return w
}

// judged is a connection after its handshake. Since TLS 1.3 the server looks at the client's
// certificate only then, and gRPC, whose first bytes may find the connection closed already, would
// not read why.
type judged struct {
	net.Conn
	wire  *wire
	heard atomic.Bool // something was read
}

// Read notes an alert.
func (c *judged) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(true)
	}
	if isAlert(err) {
		c.wire.saw(err)
	}
	return n, err
}

// Write looks for an alert if the connection is closed before anything was read. gRPC does not read
// before it has written its preface.
func (c *judged) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil && !c.heard.Load() {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = c.Read(make([]byte, 1))
	}
	return n, err
}

// isAlert tells whether an error is what the other side of a TLS connection said, such as "remote
// error: tls: certificate required".
func isAlert(err error) bool {
	var said *net.OpError
	return errors.As(err, &said) && said.Op == "remote error"
}
