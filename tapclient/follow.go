package tapclient

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// lookupGap is how long at least lies between two lookups of a name.
	lookupGap = time.Second
	// maxLeaving is how many addresses that are gone may wait for a reader to take their End before
	// the follower stops adding others.
	maxLeaving = 16
)

// follower keeps an origin for each address that a name has. Its goroutine, run, owns it.
type follower struct {
	// set at construction
	stream   *Stream
	endpoint *endpoint
	origin   Origin        // of the name itself
	kicks    chan struct{} // size 1: a connection has failed, or an origin has ended

	// owned by run
	members map[string]*member // by address
	had     bool               // there was a member
	page    *page              // of the name itself, while it has no addresses; else nil
	looked  time.Time
	failed  int   // lookups since the last that brought addresses
	err     error // of the last lookup
}

// member is an address with its origin.
type member struct {
	presence *presence
	page     *page
	ended    chan struct{} // closed when its origin has ended
	reason   EndReason     // why it has; set before that
}

func (m *member) hasEnded() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

func newFollower(s *Stream, e *endpoint) *follower {
	return &follower{stream: s, endpoint: e, origin: Origin{Endpoint: e.text}, kicks: make(chan struct{}, 1), members: map[string]*member{}}
}

// run looks the name up until the stream has what it was asked for, or all addresses have ended.
func (f *follower) run() {
	for {
		f.err = f.look()
		if f.err != nil && !f.down() || !f.wait() {
			break
		}
	}
	if f.page == nil && f.had || f.stream.ctx.Err() != nil {
		return
	}
	end := &End{Origin: f.origin, Time: time.Now(), Reason: EndConnectionLost}
	switch cause := context.Cause(f.stream.wanted); {
	case errors.Is(cause, errCountReached):
		end.Reason = EndCountReached
	case errors.Is(cause, errDurationReached):
		end.Reason = EndDurationReached
	}
	if !f.had && end.Reason != EndCountReached {
		end.Err = f.err
	}
	f.stream.end(f.ownPage(), end)
}

// look asks for the addresses, and adds and marks members accordingly. If the lookup fails they stay
// as they are. The error says why there are no addresses.
func (f *follower) look() error {
	hosts, err := f.stream.client.lookup(f.stream.wanted, f.endpoint)
	f.looked = time.Now()
	if err == nil || isNotFound(err) {
		f.follow(hosts)
	}
	if err != nil {
		return err
	}
	f.failed = 0
	if f.page != nil {
		f.stream.forget(f.page)
		f.page = nil
	}
	return nil
}

// lookup finds the addresses of an endpoint's name, without the port: at least one, or an error. It
// blocks for the connect timeout at most.
func (c *Client) lookup(ctx context.Context, e *endpoint) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.connectTimeout, errSlowToOpen)
	defer cancel()
	hosts, err := c.options.resolver.LookupHost(ctx, e.host)
	switch {
	case err == nil && len(hosts) > 0:
		return oneFamily(hosts), nil
	case err == nil:
		err = &net.DNSError{Err: "it has no addresses", Name: e.host, IsNotFound: true}
	case ctx.Err() != nil:
		err = c.gaveUp(ctx)
	}
	return nil, &connectionError{"cannot look up " + e.host + ": " + err.Error(), err}
}

// isNotFound tells whether a lookup says that a name has no addresses, rather than having failed.
func isNotFound(err error) bool {
	var failure *net.DNSError
	return errors.As(err, &failure) && failure.IsNotFound
}

// oneFamily leaves IPv6 addresses out if there are others: where a name has both, they are most often
// of the same hosts, and all would come twice.
func oneFamily(hosts []string) []string {
	isIPv6 := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6() && !ip.Is4In6()
	}
	others := slices.DeleteFunc(slices.Clone(hosts), isIPv6)
	if len(others) == 0 {
		others = slices.Clone(hosts)
	}
	slices.Sort(others)
	return slices.Compact(others)
}

// follow makes the members those of the addresses. An address that is gone keeps its connection while
// that lasts: a pod that stops leaves the name first, and its last telemetry is worth seeing.
func (f *follower) follow(hosts []string) {
	for host, m := range f.members {
		m.presence.set(slices.Contains(hosts, host))
	}
	leaving := f.prune()
	for _, host := range hosts {
		if f.members[host] != nil || leaving >= maxLeaving {
			continue
		}
		m := &member{presence: &presence{left: make(chan struct{})}, ended: make(chan struct{})}
		o := f.stream.newOrigin(f.endpoint, net.JoinHostPort(host, f.endpoint.port), m.presence)
		m.page, o.kick = o.page, f.kick
		f.members[host], f.had = m, true
		f.stream.origins.Go(func() {
			m.reason = o.run()
			close(m.ended)
			f.kick()
		})
	}
}

// prune forgets members that are gone and have ended, also those whose address was gone when they
// ended and is back by now: that is another pod's, or the same pod's new life. It returns how many
// are gone, have not ended, and are not up.
func (f *follower) prune() (leaving int) {
	for host, m := range f.members {
		switch {
		case m.hasEnded() && (m.presence.isGone() || m.reason == EndAddressGone):
			f.stream.forget(m.page)
			delete(f.members, host)
		case !m.presence.isGone():
		case f.stream.stateOf(m.page) != StateUp:
			leaving++
		}
	}
	return leaving
}

// alive tells whether a member has not ended.
func (f *follower) alive() bool {
	for _, m := range f.members {
		if !m.hasEnded() {
			return true
		}
	}
	return false
}

// kick tells run to look at its members. It does not block.
func (f *follower) kick() {
	select {
	case f.kicks <- struct{}{}:
	default:
	}
}

// wait waits until the next lookup is due. It returns false if there is nothing to follow any more.
func (f *follower) wait() bool {
	next := f.looked.Add(f.stream.client.options.resolvePeriod)
	for {
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
			return true
		case <-f.stream.wanted.Done():
			timer.Stop()
			return false
		case <-f.kicks:
			timer.Stop()
		}
		f.prune()
		if len(f.members) > 0 && !f.alive() {
			return false // all have ended for reasons that another would meet too
		}
		if soon := f.looked.Add(lookupGap); soon.Before(next) {
			next = soon
		}
	}
}

// down says that the name has no addresses, if no member is there either. It returns false if that is
// the end.
func (f *follower) down() bool {
	if f.alive() {
		return true
	}
	if f.stream.wanted.Err() != nil || !f.stream.client.options.reconnect {
		return false
	}
	f.failed++
	d := &Down{Origin: f.origin, Time: f.looked, Err: f.err, Attempt: f.failed, Retry: f.looked.Add(f.stream.client.options.resolvePeriod)}
	f.stream.down(f.ownPage(), d)
	return f.stream.deliver(d)
}

// ownPage is the record of the name itself.
func (f *follower) ownPage() *page {
	if f.page == nil {
		f.page = f.stream.newPage(f.origin)
	}
	return f.page
}

// presence says whether a name still has an address. A nil one is of an address that is no name's.
type presence struct {
	mu     sync.Mutex
	isLeft bool          // guarded by mu
	left   chan struct{} // guarded by mu; closed while isLeft
}

// set tells whether the name has the address.
func (p *presence) set(present bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case present && p.isLeft:
		p.left = make(chan struct{})
	case !present && !p.isLeft:
		close(p.left)
	}
	p.isLeft = !present
}

// gone is closed when the name has no longer the address.
func (p *presence) gone() <-chan struct{} {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

func (p *presence) isGone() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isLeft
}
