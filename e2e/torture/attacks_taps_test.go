//go:build linux

package torture

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// attacksWithTaps open taps, as many as there may be.
func attacksWithTaps() []attack {
	tap := func(query string) string { return "GET /v1/traces" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }
	return []attack{
		{name: "taps that are never read", clients: 16, taps: true, fills: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_ = conn.SetReadBuffer(4096)
				_, _ = io.WriteString(conn, getTraces)
				a.waitDeaf()
			})
		}},
		{name: "slow reads: one byte at a time", clients: 16, taps: true, fills: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_ = conn.SetReadBuffer(4096)
				_, _ = io.WriteString(conn, getTraces)
				a.sip(conn)
			})
		}},
		{name: "taps opened and left at full rate", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces)
				_, _ = conn.Read(make([]byte, 4096))
			})
		}},
		{name: "taps opened and reset at full rate, each with another selection", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, tap(fmt.Sprintf("?name=%d&format=json", a.tries.Load())))
				_, _ = conn.Read(make([]byte, 4096))
				_ = conn.SetLinger(0)
			})
		}},
		{name: "taps with the most expensive selections", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, tap(expensive(int(a.tries.Load()))))
				a.wait(conn)
			})
		}},
		{name: "taps with the most expensive formats", clients: 16, taps: true, run: func(a *attacker) {
			queries := []string{"?format=json&max_message=1024&stats=100ms", "?format=text&stats=100ms", "?envelope=true&max_message=1024", "?format=otlp_proto&max_message=1024"}
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, tap(queries[int(a.tries.Load())%len(queries)]))
				a.wait(conn)
			})
		}},
		{name: "requests behind a stream, and then leave", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces+strings.Repeat(getPoints, 100))
				_, _ = conn.Read(make([]byte, 4096))
			})
		}},
		{name: "a stray byte behind a stream's request, and then leave", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces+"x")
				_, _ = conn.Read(make([]byte, 4096))
			})
		}},
		{name: "a stray byte later on, and then reset", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces)
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, "x")
				_ = conn.SetLinger(0)
			})
		}},
		{name: "a flood behind a stream's request", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces)
				a.flood(conn, make([]byte, 32<<10))
			})
		}},
		{name: "half-closed behind a stream's request", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, getTraces)
				_ = conn.CloseWrite()
				a.wait(conn)
			})
		}},
		{name: "event streams that are reset in the middle of a message", clients: 16, taps: true, run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, "GET /v1/traces HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
				_, _ = io.CopyN(io.Discard, conn, 100<<10)
				_ = conn.SetLinger(0)
			})
		}},
	}
}

// sip reads one byte at a time.
func (a *attacker) sip(conn net.Conn) {
	var one [1]byte
	for pause(a.ctx, 2*time.Millisecond) {
		if _, err := conn.Read(one[:]); err != nil {
			return
		}
	}
}

// laborious is a selection that takes as long to parse as one may: lists of numbers are slowest.
func laborious(n int) string {
	conditions := make([]string, 8)
	for i := range conditions {
		conditions[i] = fmt.Sprintf(`where=span.attributes["%d"]==[%s1]`, n+i, strings.Repeat("1,", 1800))
	}
	return strings.ReplaceAll(strings.Join(conditions, "&"), `"`, "%22")
}

// expensive is a selection that takes as long to evaluate as one may be, and another each time.
func expensive(n int) string {
	conditions := make([]string, 20)
	for i := range conditions {
		conditions[i] = fmt.Sprintf(`IsMatch(span.attributes["user_agent.original"], ".*(a|b|c)*%d.*(d|e)*z$")`, n+i)
	}
	return "?where=" + url.QueryEscape(strings.Join(conditions, " or "))
}
