//go:build linux

package torture

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"time"
)

// helloOf is what a client of TLS says first.
func helloOf() []byte {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() { _ = tls.Client(there, &tls.Config{ServerName: "localhost"}).Handshake() }()
	buffer := make([]byte, 16<<10)
	n, err := here.Read(buffer)
	if err != nil {
		panic(err)
	}
	return buffer[:n]
}

// attacksOnTLS never get as far as HTTP, or make the way there expensive.
func attacksOnTLS() []attack {
	hello := string(helloOf())
	says := func(text string) func(*attacker) {
		return func(a *attacker) {
			a.callAt(a.secure, func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, text)
				a.wait(conn)
			})
		}
	}
	return []attack{
		{name: "TLS: a handshake one byte at a time", clients: 60, run: func(a *attacker) {
			a.callAt(a.secure, func(conn *net.TCPConn) { a.trickle(conn, hello) })
		}},
		{name: "TLS: handshakes that are begun and left", clients: 60, run: says(hello)},
		{name: "TLS: HTTP without TLS", clients: 8, run: says(getPoints)},
		{name: "TLS: a record that never ends", clients: 8, run: says("\x16\x03\x01\xff\xff" + strings.Repeat("z", 1<<20))},
		{name: "TLS: hellos that are broken", clients: 8, run: says(hello[:50] + strings.Repeat("z", len(hello)-50))},
		{name: "TLS: handshakes at full rate", clients: 8, run: func(a *attacker) {
			a.callAt(a.secure, func(conn *net.TCPConn) {
				secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
				_ = secure.HandshakeContext(a.ctx)
			})
		}},
		{name: "TLS: requests one byte in a record", clients: 60, run: func(a *attacker) {
			a.callAt(a.secure, func(conn *net.TCPConn) {
				secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
				_ = secure.SetDeadline(time.Now().Add(patience))
				if secure.HandshakeContext(a.ctx) == nil {
					a.trickle(secure, getPoints[:len(getPoints)-4]+"\r\nX: "+strings.Repeat("z", 1<<16))
				}
			})
		}},
	}
}
