// Package format turns captured OTLP protobuf into what clients get.
//
// Everything is made straight from the protobuf bytes, driven by the tables of package otlp, for all signals by the
// same code. pdata is not involved: the bytes were encoded once, on the pipeline's path, and the rest happens here.
package format

import (
	"math"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// keepScratch is the size in bytes up to which scratch memory is kept from batch to batch.
const keepScratch = 1 << 20

// Splitter cuts at atoms. An atom goes into one document or another as a whole: an item, or a message that could
// hold items and holds none. What an atom is in are levels. Going from atom to atom leaves levels and enters others;
// a document ends behind the last atom with which it still fits, closing the levels that were open there. If the
// next atom turned out not to fit, it is saved, and the next document starts by reopening the levels around it.

// Splitter turns one captured batch into OTLP/JSON documents of bounded size, one at a time:
//
//	s.Reset(otlp.Traces, batch, 65536, 16<<20)
//	for {
//		doc, items, ok, err := s.Next(buf[:0])
//		if err != nil || !ok { break }
//		...
//	}
//
// Each document is complete: it repeats what encloses its items (resource, scope, metric). No document is larger
// than asked for, unless it holds a single item that is larger by itself. A batch that fits gives exactly one
// document, also if it is empty. Resources, scopes and metrics without items are in exactly one document. Profiles
// are never split.
//
// The memory it uses besides the destination is bounded by the largest item and its enclosing messages; it allocates
// nothing once it has seen a similar batch. Call Reset before first use. Not safe for concurrent use.
type Splitter struct {
	signal     otlp.Signal
	batch      []byte
	maxMessage int
	hardLimit  int
	tooLarge   int
	started    bool // the top message has been entered
	stamp      stamp

	render jsonWriter
	levels []level // the messages around the next atom, from the top; what is behind its length is used again
	saved  []byte  // the text of an atom that did not fit into the document before; empty if there is none
	items  int     // in the last atom: 1 or 0, or all of a document that is not split

	// Of the document that is being written, as positions in the destination.
	start int
	safe  int  // the end of the last atom that fits, or start
	tail  tail // what closes the document there
}

// Reset starts a new batch, which is the protobuf of a TracesData, MetricsData, LogsData or ProfilesData. It is not
// modified, and must not be by others until Next has returned false or an error.
//
// maxMessage is the size in bytes that documents should not exceed; 0 for no limit. hardLimit protects memory: an
// item of which the document would be larger even alone is left out and counted in TooLarge; 0 for no limit. (A
// resource, scope or metric without items that is larger is left out too, and counts nothing.)
func (s *Splitter) Reset(signal otlp.Signal, batch []byte, maxMessage, hardLimit int) {
	s.end()
	s.signal, s.batch, s.started = signal, batch, false
	s.maxMessage, s.hardLimit = orUnlimited(maxMessage), orUnlimited(hardLimit)
	s.tooLarge, s.stamp = 0, s.stamp[:0]
}

// envelop adds the envelope to each document of the batch, which must not have been started. It is part of what the
// limits are about.
func (s *Splitter) envelop(point string, at time.Time) {
	s.stamp.set(point, at)
	s.hardLimit -= len(s.stamp) + maxItemDigits + len("}")
}

// end forgets the batch, and scratch memory that has become unusually large.
func (s *Splitter) end() {
	s.batch, s.started = nil, true
	for i := range s.levels[:cap(s.levels)] {
		l := &s.levels[:cap(s.levels)][i]
		*l = level{header: shrink(l.header)}
	}
	s.levels, s.saved = s.levels[:0], shrink(s.saved)
	s.render.shrink()
}

// shrink empties b, and gives it up if it has become large.
func shrink(b []byte) []byte {
	if cap(b) > keepScratch {
		return nil
	}
	return b[:0]
}

func orUnlimited(limit int) int {
	if limit <= 0 {
		return math.MaxInt
	}
	return limit
}

// TooLarge returns the number of items that were left out since Reset because of the hard limit.
func (s *Splitter) TooLarge() int { return s.tooLarge }

// Next appends the next document to dst and returns the result with the number of items that were added. ok is false
// when there are no more. An error means that the batch is malformed, which pdata's marshalers never produce: what
// has not been returned before is lost, and further calls return false.
//
// One call renders what the document holds and the one atom behind it, whatever the size of the batch.
func (s *Splitter) Next(dst []byte) (doc []byte, items int, ok bool, err error) {
	s.start, s.safe = len(dst), len(dst)
	dst = s.reopen(dst)
	for {
		var at int
		dst, at, ok = s.nextAtom(dst)
		if !ok || s.render.err != nil {
			break
		}
		tail := s.closing()
		fits := len(dst)-s.start+int(tail.n)+s.stamp.size(items+s.items) <= s.maxMessage
		if !fits && s.safe > s.start {
			s.save(dst[at:])
			break
		}
		items += s.items
		s.safe, s.tail = len(dst), tail
		if !fits {
			break
		}
	}
	if err := s.render.err; err != nil {
		s.end()
		s.render.err = nil
		return dst[:s.start], 0, false, err
	}
	if s.safe == s.start {
		s.end()
		return dst[:s.start], 0, false, nil
	}
	dst = append(dst[:s.safe], s.tail.text[:s.tail.n]...)
	return s.stamp.append(dst, items), items, true, nil
}

// nextAtom appends the next atom, having left and entered levels on the way to it, and returns where it starts. At
// the end of the batch, and when render.err is set, ok is false.
func (s *Splitter) nextAtom(dst []byte) (_ []byte, at int, ok bool) {
	if len(s.saved) > 0 {
		at, dst = len(dst), append(dst, s.saved...)
		s.saved = s.saved[:0]
		return dst, at, true
	}
	for {
		m, data, role, more := s.nextMessage()
		if !more {
			if len(s.levels) == 0 {
				return dst, len(dst), false
			}
			dst = s.leave(dst)
			continue
		}
		at = len(dst)
		dst, ok = s.write(dst, m, data, role)
		if s.render.err != nil || ok {
			return dst, at, ok
		}
	}
}
