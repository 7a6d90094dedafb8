//go:build linux

package torture

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// beAttackers is the main function of the attackers' process, which has one of its own so that
// the healthy clients and their judge stay fit. It returns the exit status.
func beAttackers(orders io.Reader, reports io.Writer) int {
	arsenal := map[string]attack{}
	for _, a := range attacks() {
		arsenal[a.name] = a
	}
	stop, begun := func() int64 { return 0 }, 0
	return obeyAll(orders, reports, func(o order, r *report) error {
		switch o.Do {
		case "attack":
			a, found := arsenal[o.Attack]
			if !found {
				return fmt.Errorf("there is no attack named %q", o.Attack)
			}
			stop = a.begin(o, begun)
			begun++
		case "stop":
			r.Tries = stop()
		default:
			return fmt.Errorf("what is %q", o.Do)
		}
		return nil
	})
}

// begin lets all clients of an attack loose, until stop, which returns the number of tries. What was
// begun before is not held against them: they come from other addresses.
func (a attack) begin(o order, before int) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	tries, begun := &atomic.Int64{}, time.Now()
	var clients sync.WaitGroup
	for i := range a.clients {
		client := &attacker{ctx: ctx, resets: o.Resets, plain: o.Plain, secure: o.Secure, source: sourceOf(a, before, i), tries: tries}
		clients.Go(func() {
			for ctx.Err() == nil {
				a.run(client)
			}
		})
	}
	for tries.Load() == 0 && time.Since(begun) < patience {
		pause(ctx, time.Millisecond)
	}
	return func() int64 {
		cancel()
		clients.Wait()
		return tries.Load()
	}
}

// sourceOf is the address that a client of an attack comes from: one of three, or of very many.
func sourceOf(a attack, before, client int) net.IP {
	if a.crowd {
		return net.IPv4(127, byte(64+before%64), byte(client>>8), byte(client))
	}
	return net.IPv4(127, byte(16+before>>8), byte(before), byte(1+client%3))
}

// attacker is one hostile client.
type attacker struct {
	ctx    context.Context
	plain  string // address of the tap point in plain text
	secure string // of the one with TLS
	source net.IP
	resets bool // it resets its connections when time is up, and does not just close them
	tries  *atomic.Int64
}

// over tells whether time is up.
func (a *attacker) over() bool { return a.ctx.Err() != nil }

// tried counts a try.
func (a *attacker) tried() { a.tries.Add(1) }

// call connects, does something, and hangs up; it is a try. Time that is up closes the connection.
func (a *attacker) call(do func(*net.TCPConn)) { a.callAt(a.plain, do) }

func (a *attacker) callAt(address string, do func(*net.TCPConn)) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: a.source}}
	conn, err := dialer.DialContext(a.ctx, "tcp", address)
	if err != nil {
		pause(a.ctx, time.Millisecond)
		return
	}
	stop := context.AfterFunc(a.ctx, func() {
		if a.resets {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	})
	defer stop()
	defer conn.Close()
	a.tried()
	do(conn.(*net.TCPConn))
}

// wait waits until the server hangs up, or time is up.
func (a *attacker) wait(conn net.Conn) {
	var buffer [4096]byte
	for {
		if _, err := conn.Read(buffer[:]); err != nil {
			return
		}
	}
}

// waitDeaf waits until time is up, and reads nothing.
func (a *attacker) waitDeaf() { <-a.ctx.Done() }

// trickle writes one byte at a time.
func (a *attacker) trickle(conn net.Conn, text string) {
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil || !pause(a.ctx, 2*time.Millisecond) {
			return
		}
	}
}

// flood writes the same again and again, and counts each as a try, until the server hangs up or
// time is up. What the server says is read and forgotten.
func (a *attacker) flood(conn net.Conn, what []byte) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		a.wait(conn)
	}()
	defer func() { _ = conn.Close(); <-gone }()
	a.floodDeaf(conn, what)
}

// floodDeaf is flood for a client that does not read.
func (a *attacker) floodDeaf(conn net.Conn, what []byte) {
	for !a.over() {
		if _, err := conn.Write(what); err != nil {
			return
		}
		a.tried()
	}
}
