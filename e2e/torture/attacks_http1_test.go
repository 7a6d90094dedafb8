//go:build linux

package torture

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

const (
	getPoints = "GET /v1/points HTTP/1.1\r\nHost: localhost\r\n\r\n"
	getTraces = "GET /v1/traces HTTP/1.1\r\nHost: localhost\r\n\r\n"
	pathOf    = "/remotetap.v1.TapService/"
)

// say makes an attack that writes a text and waits for the server to hang up.
func say(text string) func(*attacker) {
	return func(a *attacker) {
		a.call(func(conn *net.TCPConn) {
			if _, err := io.WriteString(conn, text); err == nil {
				a.wait(conn)
			}
		})
	}
}

// attacksOnConnections never get as far as a request.
func attacksOnConnections() []attack {
	return []attack{
		{name: "connections opened and closed", clients: 16, run: func(a *attacker) {
			a.call(func(*net.TCPConn) {})
		}},
		{name: "connections opened and reset", clients: 16, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) { _ = conn.SetLinger(0) })
		}},
		{name: "2000 connections opened and left", clients: 2000, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) { a.wait(conn) })
			pause(a.ctx, 10*time.Millisecond)
		}},
		{name: "2000 connections from 2000 addresses opened and left", clients: 2000, crowd: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) { a.wait(conn) })
			pause(a.ctx, 10*time.Millisecond)
		}},
		{name: "half-open: the client closes its side and stays", clients: 16, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_ = conn.CloseWrite()
				a.wait(conn)
			})
		}},
		{name: "half-open in the middle of a request", clients: 16, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getPoints[:30])
				_ = conn.CloseWrite()
				a.wait(conn)
			})
		}},
		{name: "reset in the middle of a request", clients: 16, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getPoints[:30])
				_ = conn.SetLinger(0)
			})
		}},
		{name: "random bytes", clients: 16, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				random := rand.NewChaCha8([32]byte{byte(a.tries.Load())})
				_, _ = io.CopyN(conn, random, 8192)
			})
		}},
	}
}

// attacksOnHTTP1 are requests that are none, or too much.
func attacksOnHTTP1() []attack {
	return append([]attack{
		{name: "slow headers: one byte at a time", clients: 60, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				a.trickle(conn, "GET /v1/points HTTP/1.1\r\nHost: localhost\r\nX-Slow: "+strings.Repeat("z", 1<<20))
			})
		}},
		{name: "headers that never end", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, "GET /v1/points HTTP/1.1\r\nHost: localhost\r\n")
				a.flood(conn, []byte("X-More: "+strings.Repeat("z", 1000)+"\r\n"))
			})
		}},
		{name: "a request line that never ends", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, "GET /v1/points?")
				a.flood(conn, bytes.Repeat([]byte("z"), 4096))
			})
		}},
		{name: "a query string of 100 KiB", clients: 8, run: say("GET /v1/points?" +
			strings.Repeat("z=1&", 25<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n" +
			"GET /v1/traces?" + strings.Repeat("name=zz&", 12<<10) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")},
		{name: "malformed and ambiguous requests", clients: 8, run: func(a *attacker) {
			for _, request := range malformedRequests() {
				say(request)(a)
			}
		}},
		{name: "requests one behind the other, whose answers nobody reads", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_ = conn.SetReadBuffer(4096)
				a.floodDeaf(conn, []byte(strings.Repeat(getPoints, 10)))
			})
		}},
		{name: "selections that take longest to parse", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				a.flood(conn, []byte("HEAD /v1/traces?"+laborious(int(a.tries.Load()))+" HTTP/1.1\r\nHost: localhost\r\n\r\n"))
			})
		}},
		{name: "requests one after the other", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) { a.flood(conn, []byte(getPoints)) })
		}},
	}, attacksWithBodies()...)
}

// malformedRequests are requests that servers have disagreed on, or broken over.
func malformedRequests() []string {
	const host = "Host: localhost\r\n"
	return []string{
		"GET /v1/points HTTP/9.9\r\n" + host + "\r\n",
		"GET /v1/points\r\n\r\n",
		"GET  /v1/points HTTP/1.1\r\n" + host + "\r\n",
		"\r\n\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + host + "\r\n",
		"GET /v1/points HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"GET /v1/points HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Transfer-Encoding: x\r\n\r\n0\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nffffffffffffffffff\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "Bad Header: 1\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + "X: \x00\x01\r\n\r\n",
		"GET /v1/points HTTP/1.1\r\n" + host + " folded: 1\r\n\r\n",
		"GET http://[::1/ HTTP/1.1\r\n" + host + "\r\n",
		"GET /%zz HTTP/1.1\r\n" + host + "\r\n",
		"CONNECT localhost:1 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"TRACE /v1/points HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAAA\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\r\n",
	}
}

// attacksWithBodies send bodies where none are wanted, or too much.
func attacksWithBodies() []attack {
	head := func(path, headers string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"
	}
	rpc := func(encoding string, body []byte) string {
		return head(pathOf+"ListPoints", fmt.Sprintf("Content-Type: application/json\r\nContent-Encoding: %s\r\nContent-Length: %d\r\nConnection: close\r\n", encoding, len(body))) + string(body)
	}
	return []attack{
		{name: "a body that comes one byte at a time", clients: 60, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, head(pathOf+"ListPoints", "Content-Type: application/json\r\nContent-Length: 60000\r\n"))
				a.trickle(conn, strings.Repeat(" ", 60000))
			})
		}},
		{name: "a body of a terabyte", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, head(pathOf+"ListPoints", "Content-Type: application/json\r\nContent-Length: 1099511627776\r\n"))
				a.flood(conn, bytes.Repeat([]byte(" "), 32<<10))
			})
		}},
		{name: "a body of chunks of one byte that never ends", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, head("/v1/traces", "Transfer-Encoding: chunked\r\n"))
				a.flood(conn, bytes.Repeat([]byte("1\r\nz\r\n"), 1000))
			})
		}},
		{name: "a chunk whose extension never ends", clients: 8, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, head(pathOf+"ListPoints", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n")+"1;")
				a.flood(conn, bytes.Repeat([]byte("z"), 4096))
			})
		}},
		{name: "a body that is announced, asked for and never sent", clients: 60, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, head(pathOf+"ListPoints", "Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"))
				a.wait(conn)
			})
		}},
		{name: "a compression bomb: Content-Encoding gzip", clients: 8, run: say(rpc("gzip", gzipBomb(64<<20)))},
		{name: "a compression bomb: Content-Encoding deflate", clients: 8, run: say(rpc("deflate", zlibBomb(64<<20)))},
		{name: "a compression bomb on a tap", clients: 8, run: say(head("/v1/traces", "Content-Encoding: gzip\r\nContent-Length: 60000\r\nConnection: close\r\n") +
			string(gzipBomb(64 << 20)[:60000]))},
	}
}

// gzipBomb is very small, and decompressed it has this many bytes.
func gzipBomb(size int) []byte {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	explode(w, size)
	return bomb.Bytes()
}

func zlibBomb(size int) []byte {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	explode(w, size)
	return bomb.Bytes()
}

// deflateBomb is one as a compressed WebSocket message (RFC 7692 section 7.2.1).
func deflateBomb(size int) []byte {
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	explode(w, size)
	return bomb.Bytes()
}

// explode writes zeros into a compressor that writes into memory, which does not fail.
func explode(w io.WriteCloser, size int) {
	zeros := make([]byte, 1<<20)
	for ; size > 0; size -= len(zeros) {
		if _, err := w.Write(zeros); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
}
