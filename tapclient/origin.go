package tapclient

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// unnoticed is how long a connection can be dead before the pings notice it.
const unnoticed = pingPeriod + pingTimeout

// errNotReached is what is wrong with an origin whose first attempt took longer than the stream.
var errNotReached = errors.New("the server has not answered in the time that was asked for")

// origin watches one address for a stream, over all the connections that this takes. Its goroutine,
// run, owns it.
type origin struct {
	// set at construction
	Origin
	stream   *Stream
	endpoint *endpoint
	presence *presence // nil if the address is not a name's
	page     *page
	kick     func() // tells that the connection has failed
	waits    *backoff.ExponentialBackOff

	// owned by run
	attempt int       // since the tap was last open
	away    time.Time // since when the origin is not watched
	lost    uint64    // items that matched and did not arrive before that
	err     error     // why the last attempt or connection failed
}

// newOrigin makes the watcher of an address, and puts it on the record.
func (s *Stream) newOrigin(e *endpoint, address string, presence *presence) *origin {
	o := &origin{
		Origin: Origin{Endpoint: e.text, Address: address}, stream: s, endpoint: e, presence: presence,
		kick: func() {}, away: time.Now(),
		waits: &backoff.ExponentialBackOff{
			InitialInterval:     s.client.options.backoffFirst,
			RandomizationFactor: 0.2,
			Multiplier:          1.6,
			MaxInterval:         s.client.options.backoffMost,
		},
	}
	o.page = s.newPage(o.Origin)
	return o
}

// run watches until there is no more to come, and says so. It returns why, "" if nobody listens any more.
func (o *origin) run() EndReason {
	end := o.watch()
	if end == nil {
		return ""
	}
	end.Origin, end.Time = o.Origin, time.Now()
	wanted := end.Reason == EndCountReached || end.Reason == EndDurationReached
	if o.err != nil && (wanted || o.neverUp() == nil) {
		o.missed(end.Time)
	}
	o.stream.end(o.page, end)
	return end.Reason
}

// watch opens taps, one after the other, until there is no more to come. It returns nil if nobody
// listens any more.
func (o *origin) watch() *End {
	for {
		err := o.tap()
		if end, over := o.ending(err); over {
			return end
		}
		o.err = err
		o.kick()
		if !o.rest() {
			return nil
		}
		if o.presence.isGone() {
			return &End{Reason: EndAddressGone}
		}
	}
}

// tap opens one tap and hands on what it brings. It returns why there is no more.
func (o *origin) tap() error {
	request, none := o.stream.remainder()
	if request == nil {
		return &EndedError{none}
	}
	o.attempt++
	t, err := o.stream.client.openTap(o.stream.wanted, o.endpoint, o.Address, request)
	if err != nil {
		return err
	}
	defer t.close()
	first, err := t.settle()
	if err != nil {
		return err
	}
	if o.up(t) {
		err = o.receive(t, first)
	}
	o.down(t, err)
	return err
}

// ending decides whether an error is the end of the origin, and which. No end at all means that
// nobody listens any more.
func (o *origin) ending(err error) (end *End, over bool) {
	var ended *EndedError
	var refused *RefusedError
	cause := context.Cause(o.stream.wanted)
	errors.As(err, &ended)
	errors.As(err, &refused)
	switch {
	case o.stream.ctx.Err() != nil:
		return nil, true
	case errors.Is(err, errCountReached), errors.Is(cause, errCountReached), ended.is(EndCountReached):
		return &End{Reason: EndCountReached}, true
	case errors.Is(cause, errDurationReached), ended.is(EndDurationReached):
		return &End{Reason: EndDurationReached, Err: o.neverUp()}, true
	case refused != nil && !refused.passes():
		return &End{Reason: EndRefused, Err: err}, true
	case o.presence.isGone():
		return &End{Reason: EndAddressGone}, true
	case o.stream.client.options.reconnect:
		return nil, false
	case ended != nil:
		return &End{Reason: ended.Reason, Err: err}, true
	case refused != nil:
		return &End{Reason: EndRefused, Err: err}, true
	default:
		return &End{Reason: EndConnectionLost, Err: err}, true
	}
}

// neverUp is what kept the origin from being watched at all; nil if it was.
func (o *origin) neverUp() error {
	connections := 0
	o.stream.record(o.page, func(p *page) { connections = p.status.Totals.Connections })
	switch {
	case connections > 0:
		return nil
	case o.err != nil:
		return o.err
	default:
		return errNotReached
	}
}

// rest says that the origin is down and waits for the next attempt, or until the address is gone or
// the time is over. It returns false if nobody listens any more.
func (o *origin) rest() bool {
	wait := o.waits.NextBackOff()
	if o.stream.selection.Duration > 0 {
		wait = min(wait, max(0, time.Until(o.stream.deadline())))
	}
	down := &Down{Origin: o.Origin, Time: time.Now(), Err: o.err, Attempt: o.attempt}
	down.Retry = down.Time.Add(wait)
	down.Ledger = o.stream.down(o.page, down)
	if !o.stream.deliver(down) {
		return false
	}
	timer := time.NewTimer(time.Until(down.Retry))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.presence.gone():
	case <-o.stream.wanted.Done():
	}
	return true
}

// up says that the tap is open, and what was missed until then. It returns false if nobody listens
// any more.
func (o *origin) up(t *tap) bool {
	o.stream.record(o.page, func(p *page) {
		p.status.State, p.status.Since, p.status.Err, p.status.Retry = StateUp, t.opened, nil, time.Time{}
		p.status.Totals.Connections++
	})
	delivered := o.stream.deliver(&Up{Origin: o.Origin, Time: t.opened, Attempt: o.attempt})
	if delivered && o.err != nil {
		delivered = o.missed(t.opened)
	}
	o.attempt, o.lost, o.err = 0, 0, nil
	return delivered
}

// missed says that the origin was not watched until a time.
func (o *origin) missed(until time.Time) bool {
	m := &Missed{Origin: o.Origin, Since: o.away, Until: until, Items: o.lost}
	o.stream.record(o.page, func(p *page) { p.status.Totals.Missed += m.Duration() })
	return o.stream.deliver(m)
}

// down settles the account of a tap that was open.
func (o *origin) down(t *tap, err error) {
	reason := DropConnectionLost
	if o.stream.ctx.Err() != nil || o.stream.wanted.Err() != nil || errors.Is(err, errCountReached) {
		reason = DropTapEnded // ctx is done a moment before wanted
	}
	o.stream.record(o.page, func(p *page) { o.lost = p.settle(t, reason, o.stream.selection.Format == FormatNone) })
	o.away = time.Now()
	if !errors.As(err, new(*EndedError)) { // it may have been dead for a while
		o.away = latest(t.last, o.away.Add(-unnoticed))
	}
	if time.Since(t.opened) >= o.waits.MaxInterval {
		o.waits.Reset()
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
