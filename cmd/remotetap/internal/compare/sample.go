package compare

import (
	"cmp"
	"hash/maphash"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// What a comparison keeps in memory.
const (
	// mostEntries is how many items are known at once; then every second trace is forgotten.
	mostEntries = 200_000
	// mostDetail is how many bytes of attributes wait for the item to come to the other point.
	mostDetail = 32 << 20
	// mostNames is how many services and names are told apart.
	mostNames = 2000
)

// side is one of the two points.
type side uint8

const (
	sideA side = 1 << iota
	sideB
)

// key is what an item is known by at both points: a span by its trace and span id, a log record by
// these, its time and its body.
type key struct {
	trace, span string
	rest        uint64
}

// entry is one item that has passed one of the points, or both.
type entry struct {
	at            time.Duration // when it came first, since the beginning
	sides         side
	failed        bool
	service, name string
	detail        *detail // until it has come to both
}

// sample is the items that were looked at, at both points. It is for one goroutine.
type sample struct {
	seed    maphash.Seed
	entries map[key]*entry
	level   uint // only one of 2^level traces is still looked at

	waiting  []*entry // those with details, in the order in which they came
	waitSize int      // of their details
	texts    map[string]string

	compared   uint64 // items that came to both, with their attributes
	uncompared uint64 // whose attributes had been forgotten by then
	changes    map[string]*change
	others     uint64        // changes of more keys than are told apart
	slowest    time.Duration // from A to B

	mostEntries, mostDetail int
}

func newSample() *sample {
	return &sample{
		seed: maphash.MakeSeed(), entries: map[key]*entry{}, texts: map[string]string{}, changes: map[string]*change{},
		mostEntries: mostEntries, mostDetail: mostDetail,
	}
}

// add takes an item that has passed a point.
func (s *sample) add(item *items.Item, where side, at time.Duration) {
	k := s.keyOf(item)
	if !s.watches(k) {
		return
	}
	e := s.entries[k]
	if e == nil {
		if e = s.begin(item, k, at); e == nil {
			return
		}
	}
	if e.sides&where != 0 {
		return // it passes the point twice
	}
	if e.sides == 0 {
		e.sides = where
		s.keep(e, s.detailOf(item))
		return
	}
	if where == sideB {
		s.slowest = max(s.slowest, at-e.at)
	}
	e.sides |= where
	s.meet(e, s.detailOf(item), where)
}

// begin makes the entry of an item that is new; nil if there is no room for it.
func (s *sample) begin(item *items.Item, k key, at time.Duration) *entry {
	for len(s.entries) >= s.mostEntries {
		s.level++
		for k := range s.entries {
			if !s.watches(k) {
				delete(s.entries, k)
			}
		}
		s.waiting = s.stillKnown()
		if !s.watches(k) {
			return nil
		}
	}
	name := cmp.Or(item.Name, item.Body)
	e := &entry{at: at, failed: item.Error, service: s.intern(clip(item.Service, mostName)), name: s.intern(clip(name, mostName))}
	s.entries[k] = e
	return e
}

// watches reports whether the trace of an item is one of those that are still looked at.
func (s *sample) watches(k key) bool {
	if s.level == 0 {
		return true
	}
	hash := maphash.String(s.seed, k.trace)
	if k.trace == "" {
		hash = k.rest
	}
	return hash>>(64-min(s.level, 63)) == 0
}

// stillKnown forgets the details of entries that were themselves forgotten.
func (s *sample) stillKnown() []*entry {
	known := make(map[*entry]bool, len(s.entries))
	for _, e := range s.entries {
		known[e] = true
	}
	var kept []*entry
	for _, e := range s.waiting {
		switch {
		case e.detail == nil:
		case known[e]:
			kept = append(kept, e)
		default:
			s.waitSize -= e.detail.size
			e.detail = nil
		}
	}
	return kept
}

// keep has an entry's attributes wait for the other point; the oldest make room.
func (s *sample) keep(e *entry, d *detail) {
	e.detail = d
	s.waiting = append(s.waiting, e)
	s.waitSize += d.size
	for s.waitSize > s.mostDetail || len(s.waiting) > s.mostEntries {
		oldest := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		if oldest.detail != nil {
			s.waitSize -= oldest.detail.size
			oldest.detail = nil
		}
	}
}

// meet compares an item that has come to both points.
func (s *sample) meet(e *entry, d *detail, where side) {
	if e.detail == nil {
		s.uncompared++
		return
	}
	s.compared++
	s.waitSize -= e.detail.size
	before, after := e.detail, d
	if where == sideA {
		before, after = after, before
	}
	e.detail = nil
	s.compare(before, after)
}

// intern gives equal texts one memory, as long as there are not too many.
func (s *sample) intern(text string) string {
	if known, ok := s.texts[text]; ok {
		return known
	}
	if len(s.texts) < mostNames {
		s.texts[text] = text
	}
	return text
}

func (s *sample) keyOf(item *items.Item) key {
	k := key{trace: item.TraceID, span: item.SpanID}
	if item.Signal == tapclient.Logs {
		var h maphash.Hash
		h.SetSeed(s.seed)
		h.WriteString(item.Time.String())
		h.WriteString(item.Body)
		k.rest = h.Sum64()
	}
	return k
}

// outstanding reports whether an item that has passed A has not come to B.
func (s *sample) outstanding() bool {
	for _, e := range s.entries {
		if e.sides == sideA {
			return true
		}
	}
	return false
}
