package remotetapprocessor

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// heardPerSecond is how many bytes the clients at one address may say in a second, besides a
	// share of what they are told, and heardBurst how many at once. Clients ask, and then listen: what
	// they say later acknowledges what they hear.
	heardPerSecond = 64 * kib
	heardBurst     = 128 * kib
	// heardShare is that share, as a divisor. An HTTP/2 client acknowledges 4 KiB with 26 bytes.
	heardShare = 32
	// allHeardPerSecond and allHeardBurst are the same for all addresses together. Those that have
	// said no more than heardFree lately do not have to wait for the others.
	allHeardPerSecond = 512 * kib
	allHeardBurst     = 512 * kib
	heardFree         = 16 * kib
	// requestCost is what a request counts besides its own bytes, which compression makes very few.
	requestCost = 1 * kib
	// servedPerSecond is how many requests of the clients at one address are served in a second, and
	// servedBurst how many at once. More wait for their turn, longestTurn at most.
	servedPerSecond = 50
	servedBurst     = 100
	// allServedPerSecond and allServedBurst are the same for all addresses together. Those that have
	// had no more than servedFree lately do not have to wait for the others.
	allServedPerSecond = 100
	allServedBurst     = 400
	servedFree         = 10
	longestTurn        = 5 * time.Second
	// manyAccounts is when accounts that nobody needs any more are looked for.
	manyAccounts = 1024
)

// throttle slows clients down that say more, or ask for more, than anybody needs to. Whatever a
// client says costs the collector time, in any protocol, and Go shares processors evenly among all
// that is busy: a few connections that are flooded would have most of the pipelines' time. Who is
// slowed down is not read from for a while; the network makes them wait, and nothing is lost. Its
// methods may be called from any goroutine.
type throttle struct {
	mu sync.Mutex
	// guarded by mu
	heard    bucket              // of bytes
	turns    bucket              // of requests
	thinking bool                // a selection is being parsed
	rested   time.Time           // when the next one may be
	accounts map[string]*account // by networkOf an address
}

// account is what the clients at one address have said and asked for lately. It is guarded by the
// throttle's mu.
type account struct {
	connections int // open ones
	heard       bucket
	turns       bucket
	thoughts    bucket
}

func newThrottle() *throttle {
	return &throttle{
		heard:    newAllowance(allHeardPerSecond, allHeardBurst),
		turns:    newAllowance(allServedPerSecond, allServedBurst),
		accounts: map[string]*account{},
	}
}

// account finds or makes the account of an address. Call with mu held.
func (t *throttle) account(address string, now time.Time) *account {
	network := networkOf(address)
	a := t.accounts[network]
	if a == nil {
		if len(t.accounts) >= manyAccounts {
			t.forget(now)
		}
		a = &account{
			heard:    newAllowance(heardPerSecond, heardBurst),
			turns:    newAllowance(servedPerSecond, servedBurst),
			thoughts: newAllowance(thoughtPerSecond, thoughtBurst),
		}
		t.accounts[network] = a
	}
	return a
}

// forget drops the accounts that are as good as new: nobody is connected, and all that was taken
// has come back. Call with mu held.
func (t *throttle) forget(now time.Time) {
	for network, a := range t.accounts {
		if a.connections == 0 && a.heard.taken(now) == 0 && a.turns.taken(now) == 0 && a.thoughts.taken(now) == 0 {
			delete(t.accounts, network)
		}
	}
}

// networkOf is what an account is kept for: an address of IPv4, or a network of IPv6 of the size
// that one household gets.
func networkOf(host string) string {
	address, err := netip.ParseAddr(host)
	if err != nil || address.Unmap().Is4() {
		return host
	}
	network, err := address.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// wait is how long an account is overdrawn, or that of all addresses.
func (t *throttle) wait(a *account) time.Duration {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	own := a.heard.wait(0, now)
	if a.heard.taken(now) <= heardFree {
		return own
	}
	return max(own, t.heard.wait(0, now))
}

// charge charges an account with bytes that its clients have said; below zero, it pays them back.
func (t *throttle) charge(a *account, bytes float64) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	a.heard.take(bytes, now)
	t.heard.take(bytes, now)
}

// turn waits for a request's turn. The error is a *refusal if that would take too long, or that the
// client has left.
func (t *throttle) turn(r *http.Request) error {
	wait := t.line(r)
	if wait == 0 {
		return nil
	}
	if wait > longestTurn {
		return tooManyRequests()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return context.Cause(r.Context())
	}
}

// line charges for a request, puts it in line, and returns how long until its turn comes. If that is
// longer than longestTurn, it is not in line.
func (t *throttle) line(r *http.Request) time.Duration {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.account(clientAddress(r), now)
	a.heard.take(requestCost, now)
	t.heard.take(requestCost, now)
	wait := a.turns.wait(1, now)
	if a.turns.taken(now) >= servedFree {
		wait = max(wait, t.turns.wait(1, now))
	}
	if wait <= longestTurn {
		a.turns.take(1, now)
		t.turns.take(1, now)
	}
	return wait
}

func tooManyRequests() *refusal {
	return &refusal{
		status:  http.StatusServiceUnavailable,
		reason:  refusedRequests,
		header:  http.Header{"Retry-After": {"5"}},
		Message: "too many requests are waiting for their turn",
		Hint:    "ask less often; to see what goes on, keep a tap open, perhaps with format=none&stats=1s",
	}
}

// bucket is an allowance of bytes, of requests or of seconds, that fills with time. It may be overdrawn.
type bucket struct {
	perSecond, burst float64
	left             float64
	at               time.Time
}

func newAllowance(perSecond, burst float64) bucket {
	return bucket{perSecond: perSecond, burst: burst, left: burst}
}

func (b *bucket) take(n float64, now time.Time) {
	if !b.at.IsZero() {
		b.left = min(b.left+b.perSecond*max(now.Sub(b.at).Seconds(), 0), b.burst)
	}
	b.left, b.at = min(b.left-n, b.burst), now
}

// wait is how long it takes until so much is left.
func (b *bucket) wait(n float64, now time.Time) time.Duration {
	b.take(0, now)
	return time.Duration(max(n-b.left, 0) / b.perSecond * float64(time.Second))
}

// taken is how much was taken that has not come back yet.
func (b *bucket) taken(now time.Time) float64 {
	b.take(0, now)
	return b.burst - b.left
}
