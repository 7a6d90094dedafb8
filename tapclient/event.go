package tapclient

import (
	"time"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// Event is what a Stream delivers: *Batch, *Stats, *Up, *Down, *Missed or *End. Later versions may
// add more, so let a type switch ignore what it does not know.
type Event interface {
	// From is where the event comes from.
	From() Origin
	isEvent()
}

// Origin is where telemetry comes from. It can be compared, and be the key of a map.
type Origin struct {
	// Endpoint is the endpoint as it was given to Dial.
	Endpoint string
	// Address is where the connection goes: the host and port of Endpoint, or, for dns:///, one of
	// the addresses of the name; empty for events about the name itself.
	Address string
}

// From is the origin itself. It makes a struct with an embedded Origin an Event.
func (o Origin) From() Origin { return o }

// String is short enough for a column: the address if there is one, or else the endpoint.
func (o Origin) String() string {
	if o.Address != "" {
		return o.Address
	}
	return o.Endpoint
}

// Stats is a tap's account so far. It comes if Selection.Stats asks for it. What Stream.Totals says
// is the sum over connections and origins; this is of one connection.
type Stats struct {
	Origin
	// Ledger is the account of this connection.
	Ledger Ledger
	// Points are the ids of the points that the tap covers.
	Points []string
	// Limits are what the server's configuration allows each tap.
	Limits Limits
	// Hints say, if nothing has matched for a while although items passed, why, and what to write
	// instead.
	Hints []string
}

func statsOf(origin Origin, message *remotetapv1.Stats) *Stats {
	return &Stats{
		Origin: origin,
		Ledger: ledgerOf(message.GetLedger()),
		Points: message.GetPoints(),
		Limits: limitsOf(message.GetLimits()),
		Hints:  message.GetHints(),
	}
}

// Up says that a tap is open: what passes from now on is seen. After a Down a Missed follows.
type Up struct {
	Origin
	// Time is when, by this machine's clock.
	Time time.Time
	// Attempt is how many attempts it took since the tap was last open; 1 for the first.
	Attempt int
}

// Down says that an origin cannot be reached, or no longer, and will be tried again.
type Down struct {
	Origin
	// Time is when, by this machine's clock.
	Time time.Time
	// Err is why: a *RefusedError if the server refuses for now (all taps are taken), an *EndedError
	// if it ended the tap, or what is wrong with the connection. It is never nil. errors.Is and
	// errors.As find the causes, such as syscall.ECONNREFUSED, *net.DNSError and
	// *tls.CertificateVerificationError.
	Err error
	// Attempt counts the attempts since the tap was last open; 0 if it was open just before.
	Attempt int
	// Retry is when the next attempt is due.
	Retry time.Time
	// Ledger is the account of the connection that was lost, as far as it is known; nil if there was
	// no connection, or the server never told. What its last account promised and did not arrive is
	// counted as DropConnectionLost.
	Ledger *Ledger
}

// Missed says for how long an origin was not watched. It comes after the Up that ends the time, and
// before an End that comes while the origin is down. What passed meanwhile nobody has counted.
type Missed struct {
	Origin
	// Since is from when on telemetry may be missing, by this machine's clock. Where a connection
	// broke without a word it is when the last message came, if that is not longer ago than it can
	// take to notice.
	Since time.Time
	// Until is when the tap was open again, or when its stream ended.
	Until time.Time
	// Items is how many matched on the connection that was lost and did not arrive, as far as its
	// last account tells: dropped as tap_ended or DropConnectionLost.
	Items uint64
}

// Duration is how long the origin was not watched.
func (m *Missed) Duration() time.Duration { return m.Until.Sub(m.Since) }

// EndReason says why there is no more from an origin. Those of the server are the same values as in
// its log and metrics; later versions may have others.
type EndReason string

// The reasons of the server that end a tap for good.
const (
	// EndCountReached: Selection.Count items have come.
	EndCountReached EndReason = "count_reached"
	// EndDurationReached: Selection.Duration is over.
	EndDurationReached EndReason = "duration_reached"
)

// The reasons of the server that a client reconnects after, unless WithoutReconnect is given.
const (
	// EndShutdown: the collector stops or reloads.
	EndShutdown EndReason = "shutdown"
	// EndMaxDuration: the server's `per_tap::max_duration` is over.
	EndMaxDuration EndReason = "max_duration"
	// EndWriteTimeout: the server could not write for too long, because Next was not called.
	EndWriteTimeout EndReason = "write_timeout"
	// EndInternalError: a bug in the server.
	EndInternalError EndReason = "internal_error"
)

// The reasons of this client.
const (
	// EndRefused: the server refuses, and would again.
	EndRefused EndReason = "refused"
	// EndConnectionLost: the connection failed, and WithoutReconnect is given.
	EndConnectionLost EndReason = "connection_lost"
	// EndAddressGone: the name of a dns:/// endpoint no longer has the address.
	EndAddressGone EndReason = "address_gone"
)

// End is the last event of an origin.
type End struct {
	Origin
	// Time is when, by this machine's clock.
	Time time.Time
	// Reason is why.
	Reason EndReason
	// Err is nil if the origin was watched as it was asked for. Else it is what Down.Err would be:
	// why it was refused, lost, or never reached.
	Err error
	// Totals are what came from the origin, over all its connections.
	Totals Totals
}

func (*Batch) isEvent()  {}
func (*Stats) isEvent()  {}
func (*Up) isEvent()     {}
func (*Down) isEvent()   {}
func (*Missed) isEvent() {}
func (*End) isEvent()    {}
