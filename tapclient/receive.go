package tapclient

import (
	"time"
)

// receive hands on what a tap brings, beginning with a first message if there is one already. It
// returns why there is no more.
func (o *origin) receive(t *tap, r *response) error {
	var leaving <-chan time.Time // if all that was asked for has come: until when the server may say so
	for {
		enough, err := o.handle(t, r)
		switch {
		case err != nil && leaving == nil:
			return err
		case err != nil, enough && (leaving != nil || t.taken < t.asked): // a server that is to send more says nothing now
			return o.stream.complete()
		case enough:
			leaving = time.After(farewell)
		}
		var more bool
		select {
		case r, more = <-t.replies:
		case <-leaving:
		}
		switch {
		case more:
			t.last = time.Now()
		case leaving != nil:
			return o.stream.complete()
		default:
			return t.err
		}
	}
}

// complete ends the taps of all origins: the stream has the items that it was asked for.
func (s *Stream) complete() error {
	s.finish(errCountReached)
	return errCountReached
}

// handle hands one message on. It tells whether the stream now has all the items that it was asked
// for. The error is why the tap is over. It may be called on no message.
func (o *origin) handle(t *tap, r *response) (enough bool, err error) {
	if r == nil {
		return false, nil
	}
	switch r.content {
	case fieldTraces, fieldMetrics, fieldLogs, fieldProfiles:
		return o.batch(t, batchOf(o.Origin, r))
	case fieldStats:
		return false, o.stats(statsOf(o.Origin, r.stats))
	case fieldEnd:
		if r.end.GetLedger() != nil {
			ledger := ledgerOf(r.end.GetLedger())
			o.stream.record(o.page, func(p *page) { p.ledger, p.final = &ledger, true })
		}
		return false, &EndedError{EndReason(r.end.GetReason())}
	default:
		return false, nil // a later version's
	}
}

// batch hands on as much of a batch as is still wanted.
func (o *origin) batch(t *tap, b *Batch) (enough bool, err error) {
	t.taken += b.Items
	granted, enough := o.stream.take(b.Items)
	if enough && granted == 0 {
		return true, nil
	}
	b = b.cut(granted)
	o.stream.record(o.page, func(p *page) { p.status.Totals.Received.add(b) })
	if !o.stream.deliver(b) {
		o.stream.record(o.page, func(p *page) { p.status.Totals.Received.remove(b) })
		return false, ErrClosed
	}
	t.arrived.add(b)
	return enough, nil
}

// stats hands on an account.
func (o *origin) stats(stats *Stats) error {
	ledger := stats.Ledger
	o.stream.record(o.page, func(p *page) { p.ledger = &ledger })
	if !o.stream.deliver(stats) {
		return ErrClosed
	}
	return nil
}
