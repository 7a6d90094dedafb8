package remotetapprocessor

import (
	"strconv"
	"strings"
	"time"
)

// ledger is the exact account of the items that passed while a tap was open. All counts are
// items (spans, data points, log records, profile samples) and cumulative. At any time
//
//	seen    = skipped + unmatched + matched, and
//	matched = sent + pending + the sum of dropped
type ledger struct {
	since time.Time // when the tap opened
	now   time.Time // when the account was taken

	seen      uint64 // passed at the points and signals that the selection covers
	skipped   uint64 // passed unread
	unmatched uint64 // read, and not selected
	matched   uint64 // selected
	sent      uint64 // in messages that the socket accepted whole
	pending   uint64 // waiting for the client
	dropped   [numDropReasons]uint64

	evalErrors uint64 // of the unmatched: a `where` failed on them

	bytes uint64 // payload bytes that the socket accepted, before any compression
}

// lost is the number of matched items that will never be delivered.
func (l *ledger) lost() uint64 {
	var sum uint64
	for _, n := range l.dropped {
		sum += n
	}
	return sum
}

// droppedByReason lists the reasons that have cost items, for JSON and logs.
func (l *ledger) droppedByReason() map[string]uint64 {
	byReason := make(map[string]uint64, len(l.dropped))
	for reason, n := range l.dropped {
		if n > 0 {
			byReason[dropReason(reason).String()] = n
		}
	}
	return byReason
}

// String is the account in words, short enough for most close frames:
// "sent 1180 of 1204 matched, dropped 24 (queue_full 20, tap_ended 4)".
func (l *ledger) String() string {
	var b strings.Builder
	b.WriteString("sent ")
	b.WriteString(strconv.FormatUint(l.sent, 10))
	b.WriteString(" of ")
	b.WriteString(strconv.FormatUint(l.matched, 10))
	b.WriteString(" matched")
	lost := l.lost()
	if lost == 0 {
		return b.String()
	}
	b.WriteString(", dropped ")
	b.WriteString(strconv.FormatUint(lost, 10))
	separator := " ("
	for reason, n := range l.dropped {
		if n == 0 {
			continue
		}
		b.WriteString(separator)
		b.WriteString(dropReason(reason).String())
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(n, 10))
		separator = ", "
	}
	b.WriteByte(')')
	return b.String()
}
