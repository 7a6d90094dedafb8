package tapclient

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// The reasons in Ledger.Dropped that this package refers to; the server has others.
const (
	// DropTapEnded is the server's: the items still waited for the client when the tap ended. It is
	// also what remains unaccounted for when this client ends a tap.
	DropTapEnded = "tap_ended"
	// DropConnectionLost is this client's own: the items were sent, or waited, when the connection
	// broke, and did not arrive.
	DropConnectionLost = "connection_lost"
)

// Ledger is the account of every item that passed while a tap was open, in items. At any time
//
//	Seen = Skipped + Unmatched + Matched, and
//	Matched = Sent + Pending + the sum of Dropped
type Ledger struct {
	// Since is when the tap opened; in a sum, when the first did.
	Since time.Time
	// Now is when the account was taken, by the collector's clock like Since; in a sum, the latest.
	Now time.Time
	// Seen passed the tap's points, of its signals.
	Seen uint64
	// Skipped passed unread because the time that taps may take from pipelines was used up.
	Skipped uint64
	// Unmatched are not selected.
	Unmatched uint64
	// Matched are selected.
	Matched uint64
	// Sent are in messages that the server's socket has accepted whole.
	Sent uint64
	// Pending wait for the client. After the end there are none.
	Pending uint64
	// Dropped were selected and not delivered, by reason.
	Dropped map[string]uint64
	// EvalErrors are those of Unmatched on which a `where` failed.
	EvalErrors uint64
	// Bytes of telemetry were sent.
	Bytes uint64
}

func ledgerOf(message *remotetapv1.Ledger) Ledger {
	l := Ledger{
		Seen:       message.GetSeen(),
		Skipped:    message.GetSkipped(),
		Unmatched:  message.GetUnmatched(),
		Matched:    message.GetMatched(),
		Sent:       message.GetSent(),
		Pending:    message.GetPending(),
		Dropped:    maps.Clone(message.GetDropped()),
		EvalErrors: message.GetEvalErrors(),
		Bytes:      message.GetBytes(),
	}
	if message.GetSince() != nil {
		l.Since = message.GetSince().AsTime()
	}
	if message.GetNow() != nil {
		l.Now = message.GetNow().AsTime()
	}
	return l
}

// Lost is the number of matched items that will never be delivered: the sum of Dropped.
func (l Ledger) Lost() uint64 {
	var sum uint64
	for _, n := range l.Dropped {
		sum += n
	}
	return sum
}

// Plus is the sum of two accounts. It changes neither.
func (l Ledger) Plus(other Ledger) Ledger {
	if l.Since.IsZero() || !other.Since.IsZero() && other.Since.Before(l.Since) {
		l.Since = other.Since
	}
	if other.Now.After(l.Now) {
		l.Now = other.Now
	}
	l.Seen += other.Seen
	l.Skipped += other.Skipped
	l.Unmatched += other.Unmatched
	l.Matched += other.Matched
	l.Sent += other.Sent
	l.Pending += other.Pending
	l.EvalErrors += other.EvalErrors
	l.Bytes += other.Bytes
	dropped := make(map[string]uint64, max(len(l.Dropped), len(other.Dropped)))
	maps.Copy(dropped, l.Dropped)
	for reason, n := range other.Dropped {
		dropped[reason] += n
	}
	l.Dropped = dropped
	return l
}

// String is the account in words: "sent 1180 of 1204 matched, dropped 24 (queue_full 20, rate_limit 4)".
func (l Ledger) String() string {
	text := fmt.Sprintf("sent %d of %d matched", l.Sent, l.Matched)
	lost := l.Lost()
	if lost == 0 {
		return text
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(l.Dropped)) {
		if n := l.Dropped[reason]; n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, n))
		}
	}
	return fmt.Sprintf("%s, dropped %d (%s)", text, lost, strings.Join(reasons, ", "))
}

// settled is the account of a tap whose end the server could not tell us, as far as it is known:
// the last that came, brought up to date with what arrived. What the server had for us besides is
// lost for a reason.
func (l Ledger) settled(arrived Received, reason string) Ledger {
	dropped := maps.Clone(l.Dropped)
	if dropped == nil {
		dropped = map[string]uint64{}
	}
	promised := l.Sent + l.Pending
	if promised > arrived.Items {
		dropped[reason] += promised - arrived.Items
	} else { // it matched after the account was taken
		l.Matched += arrived.Items - promised
		l.Seen += arrived.Items - promised
	}
	l.Sent, l.Pending, l.Bytes, l.Dropped = arrived.Items, 0, arrived.Bytes, dropped
	return l
}

// Limits are what the server's configuration allows. 0 stands for no limit.
type Limits struct {
	// Taps is how many may be open at once (`limit`).
	Taps uint32
	// ItemsPerSecond is `per_tap::items_per_second`.
	ItemsPerSecond float64
	// MiBPerSecond is `per_tap::mib_per_second`, of captured protobuf.
	MiBPerSecond float64
	// QueueMiB is `per_tap::queue_mib`: all that waits for one client, in MiB.
	QueueMiB uint32
	// MaxDuration is `per_tap::max_duration`.
	MaxDuration time.Duration
	// MaxOverhead is `max_overhead`: the time that taps may take on pipelines' goroutines, as a
	// share of one core.
	MaxOverhead float64
}

func limitsOf(message *remotetapv1.Limits) Limits {
	return Limits{
		Taps:           message.GetLimit(),
		ItemsPerSecond: message.GetItemsPerSecond(),
		MiBPerSecond:   message.GetMibPerSecond(),
		QueueMiB:       message.GetQueueMib(),
		MaxDuration:    message.GetMaxDuration().AsDuration(),
		MaxOverhead:    message.GetMaxOverhead(),
	}
}
