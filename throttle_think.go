package remotetapprocessor

import (
	"context"
	"net"
	"net/http"
	"time"
)

const (
	// thoughtPerSecond is the time that the selections of clients at one address may take to parse
	// and compile in a second, and thoughtBurst how much at once, in seconds. A selection of a few
	// conditions takes some thousandths; as long as it may be, and made for it, half a second.
	thoughtPerSecond = 0.05
	thoughtBurst     = 0.5
	// thoughtRest is how long no other selection is parsed after one, as a multiple of the time that
	// it took: so all addresses together take at most a fifth of one core.
	thoughtRest = 4
	// longestThought is the most that one selection counts, and longestThoughtPerByte what it counts
	// for each of its bytes besides: time is taken by the clock on the wall, on which a busy machine
	// makes everything look long.
	longestThought        = time.Millisecond
	longestThoughtPerByte = 100 * time.Microsecond
)

// think lets a request's selection be parsed when it is its turn: one at a time, and no more than the
// client's account allows. It blocks for longestTurn at most. The error is that of parse, or a
// *refusal if it would take too long, or that the client has left.
func (t *throttle) think(r *http.Request, bytes int, parse func() error) error {
	ctx, cancel := context.WithTimeoutCause(r.Context(), longestTurn, tooManyRequests())
	defer cancel()
	for {
		wait := t.ponder(r)
		if wait == 0 {
			break
		}
		timer := time.NewTimer(max(wait, shortestWait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	begin := time.Now()
	defer func() {
		t.thought(r, min(2*time.Since(begin), longestThought+time.Duration(bytes)*longestThoughtPerByte))
	}()
	return parse()
}

// ponder returns how long to wait before asking again. If that is 0 it is the request's turn, until
// thought is called.
func (t *throttle) ponder(r *http.Request) time.Duration {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := max(t.account(clientAddress(r), now).thoughts.wait(0, now), t.rested.Sub(now), 0)
	if wait == 0 && t.thinking {
		return shortestWait
	}
	t.thinking = t.thinking || wait == 0
	return wait
}

// thought ends a request's turn and charges for it. To compile what was parsed, which is done one at
// a time as well, takes about as long again, and is charged for here.
func (t *throttle) thought(r *http.Request, took time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.thinking, t.rested = false, now.Add(thoughtRest*took)
	t.account(clientAddress(r), now).thoughts.take(took.Seconds(), now)
}

// clientAddress is the address of a request's client, without its port.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "" // a unix socket's clients are one
	}
	return host
}
