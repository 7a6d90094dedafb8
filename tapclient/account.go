package tapclient

import (
	"slices"
	"time"
)

// State says how it is with an origin.
type State string

// The states.
const (
	StateConnecting State = "connecting" // the first attempt is under way
	StateUp         State = "up"         // the tap is open
	StateDown       State = "down"       // it could not be opened, or was lost, and is tried again
	StateEnded      State = "ended"      // nothing more comes from it
)

// Status is how it is with an origin now.
type Status struct {
	Origin
	// State is how it is.
	State State
	// Since is from when on it has been so.
	Since time.Time
	// Err is why it is down, or why it ended; nil if all is well.
	Err error
	// Retry is when the next attempt is due, if it is down.
	Retry time.Time
	// Totals are what has come from it so far.
	Totals Totals
}

// Totals are what came over all connections of an origin, or of a stream.
type Totals struct {
	// Received is what Next has returned, and what waits for it: of each origin a batch at most.
	Received Received
	// Ledger is the sum of the servers' accounts, as far as they have told: see Selection.Stats and
	// Down.Ledger. It is zero if they never did.
	Ledger Ledger
	// Connections is how many times a tap was opened.
	Connections int
	// Missed is for how long the origin was not watched, as the Missed events say; of a stream, the
	// sum over its origins.
	Missed time.Duration
}

// Received counts telemetry.
type Received struct {
	// Batches and Items in them.
	Batches, Items uint64
	// Bytes of encoded OTLP.
	Bytes uint64
}

func (r *Received) add(b *Batch) {
	r.Batches++
	r.Items += b.Items
	r.Bytes += uint64(len(b.document))
}

func (r *Received) remove(b *Batch) {
	r.Batches--
	r.Items -= b.Items
	r.Bytes -= uint64(len(b.document))
}

func (t Totals) plus(other Totals) Totals {
	return Totals{
		Received: Received{
			Batches: t.Received.Batches + other.Received.Batches,
			Items:   t.Received.Items + other.Received.Items,
			Bytes:   t.Received.Bytes + other.Received.Bytes,
		},
		Ledger:      t.Ledger.Plus(other.Ledger),
		Connections: t.Connections + other.Connections,
		Missed:      t.Missed + other.Missed,
	}
}

// book is the stream's record of its origins. It is guarded by its stream's mu.
type book struct {
	pages   []*page
	retired Totals // of the addresses that are gone, which have no page any more
}

// page is the book's record of one origin: its status, and the latest account of the connection that
// is open, which is not yet in the totals.
type page struct {
	status Status
	ledger *Ledger // nil if none has come
	final  bool    // the ledger is the server's last word
	before *Ledger // of the connection that was lost last, settled; nil if it had none
}

// totals are those of the origin with the open connection.
func (p *page) totals() Totals {
	t := p.status.Totals
	if p.ledger != nil {
		t.Ledger = t.Ledger.Plus(*p.ledger)
	}
	return t
}

// settle closes the account of the connection, and returns how many items matched and did not arrive.
func (p *page) settle(t *tap, reason string, countsOnly bool) (lost uint64) {
	if p.ledger == nil {
		return 0
	}
	settled := *p.ledger
	if !p.final {
		arrived := t.arrived
		if countsOnly {
			arrived = Received{Items: settled.Sent, Bytes: settled.Bytes}
		}
		settled = settled.settled(arrived, reason)
	}
	p.status.Totals.Ledger = p.status.Totals.Ledger.Plus(settled)
	p.before, p.ledger, p.final = &settled, nil, false
	return settled.Dropped[DropTapEnded] + settled.Dropped[DropConnectionLost]
}

// retire forgets an origin, but not its totals.
func (b *book) retire(p *page) {
	b.retired = b.retired.plus(p.totals())
	b.pages = slices.DeleteFunc(b.pages, func(other *page) bool { return other == p })
}

// newPage opens the record of an origin.
func (s *Stream) newPage(origin Origin) *page {
	p := &page{status: Status{Origin: origin, State: StateConnecting, Since: time.Now()}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.pages = append(s.book.pages, p)
	return p
}

// forget takes an origin that has ended off the record, but not what came from it.
func (s *Stream) forget(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.retire(p)
}

// stateOf is the state of an origin.
func (s *Stream) stateOf(p *page) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.status.State
}

// record changes a page.
func (s *Stream) record(p *page, change func(*page)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(p)
}

// down records that an origin is down, and returns the account of the connection that was lost.
func (s *Stream) down(p *page, d *Down) *Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.status.State != StateDown {
		p.status.State, p.status.Since = StateDown, d.Time
	}
	p.status.Err, p.status.Retry = d.Err, d.Retry
	lost := p.before
	p.before = nil
	return lost
}

// end records that an origin has ended, and says so.
func (s *Stream) end(p *page, end *End) {
	s.mu.Lock()
	p.status.State, p.status.Since, p.status.Err, p.status.Retry = StateEnded, end.Time, end.Err, time.Time{}
	end.Totals = p.totals()
	if end.Err != nil && len(s.failures) < maxFailures {
		s.failures = append(s.failures, &OriginError{end.Origin, end.Err})
	}
	s.mu.Unlock()
	s.deliver(end)
}

// Origins tells how it is with each origin now: which are up, and which are down and why. They come
// in the order of Dial's endpoints; an address that a name no longer has is left out once it has
// ended.
func (s *Stream) Origins() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, len(s.book.pages))
	for i, p := range s.book.pages {
		list[i] = p.status
		list[i].Totals = p.totals()
	}
	slices.SortStableFunc(list, func(a, b Status) int { return s.client.place(a.Endpoint) - s.client.place(b.Endpoint) })
	return list
}

// Totals are what has come over all origins, those that are gone included. They remain available
// after the end.
func (s *Stream) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.book.retired
	for _, p := range s.book.pages {
		sum = sum.plus(p.totals())
	}
	return sum
}

// place is where an endpoint stands in the list given to Dial.
func (c *Client) place(text string) int {
	return slices.IndexFunc(c.endpoints, func(e *endpoint) bool { return e.text == text })
}
