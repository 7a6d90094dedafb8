package format

import (
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// protoSplitter turns a batch into OTLP protobuf documents of bounded size: the Renderer of OTLPProto.
//
// Nothing is encoded anew but the headers (tag and length) of the messages around the items, of which a document may
// hold a part: all else are ranges of the batch, copied. So a document is planned first, as a list of pieces, which
// gives the lengths that the headers announce; then the pieces are copied. What fits is taken whole, from the largest
// message down: a batch, a resource, a scope, a metric, an item. Messages are entered only where a document ends.
//
// Strings that are not valid UTF-8, which most protobuf readers refuse with the whole document, are repaired in the
// copy: see repair.
type protoSplitter struct {
	options  Options
	batch    Batch
	stamp    protoStamp
	tooLarge int
	started  bool // the top message has been looked at
	done     bool

	find   scanner
	levels []protoLevel // the messages around the next item, from the top; what is behind its length is used again
	pieces []piece      // the plan of the document
	items  int          // in the plan
}

// protoLevel is a message of which the document holds a part: some of its children, and everything else in it.
type protoLevel struct {
	child    *otlp.Field // the field on the way to the items
	pos, end int         // where in the batch the next child is searched, and up to where
	visited  bool        // the only child was visited, if there can be only one
	rest     []extent    // what else is in the message

	// Of the document that is being planned.
	piece int  // the header
	size  int  // of what the document has of the message
	used  bool // it holds a child
}

// extent is a range of the batch.
type extent struct{ start, end int }

// piece is a part of the document: a header if tag is not 0, then a range of the batch.
type piece struct {
	tag  byte
	size int // that the header announces
	extent
}

// Reset starts a new batch.
func (p *protoSplitter) Reset(b Batch) {
	p.finish()
	p.batch, p.started, p.done = b, false, false
	p.stamp, p.tooLarge = p.stamp[:0], 0
	if p.options.Envelope {
		p.stamp.set(b.Point, b.Time)
	}
}

// finish forgets the batch, and scratch memory that has become unusually large.
func (p *protoSplitter) finish() {
	p.batch, p.done = Batch{}, true
	p.levels = p.levels[:0]
	for i := range p.levels[:cap(p.levels)] {
		l := &p.levels[:cap(p.levels)][i]
		*l = protoLevel{rest: shrinkExtents(l.rest)}
	}
	if p.pieces = p.pieces[:0]; cap(p.pieces) > keepScratch/32 {
		p.pieces = nil
	}
	p.find.shrink()
}

func shrinkExtents(e []extent) []extent {
	if cap(e) > keepScratch/64 {
		return nil
	}
	return e[:0]
}

// TooLarge returns the number of items left out.
func (p *protoSplitter) TooLarge() int { return p.tooLarge }

// Next appends the next document.
func (p *protoSplitter) Next(dst []byte) (doc []byte, items int, ok bool, err error) {
	if p.done {
		return dst, 0, false, nil
	}
	ok = p.plan()
	if err := p.find.err; err != nil || !ok {
		p.find.err = nil
		p.finish()
		return dst, 0, false, err
	}
	start := len(dst)
	dst = p.write(dst)
	repair(p.batch.Signal.Message(), dst[start:])
	return p.stamp.append(dst, p.items), p.items, true, nil
}

// Share reports whether the batch is a document as it is: it fits, has no envelope, and all its strings are valid.
func (p *protoSplitter) Share() (items int, ok bool) {
	message, data := p.batch.Signal.Message(), p.batch.Proto
	if p.done || p.started || p.options.Envelope || len(data) > p.limit() || !valid(message, data) {
		return 0, false
	}
	if items = itemsIn(message, data, otlp.RolePath); items == 0 {
		return 0, false // or malformed
	}
	p.finish()
	return items, true
}

// limit is the size of a document in bytes.
func (p *protoSplitter) limit() int {
	return min(orUnlimited(p.options.MaxMessage), orUnlimited(p.options.HardLimit))
}

// plan plans the next document; false if there is nothing left.
func (p *protoSplitter) plan() bool {
	p.reopen()
	limit := p.limit()
	for {
		c, more := p.peek()
		if !more {
			if len(p.levels) == 0 {
				return len(p.pieces) > 0
			}
			p.leave()
			continue
		}
		items, counted := 0, false
		if p.sizeWith(c.size()) <= limit {
			items, counted = itemsIn(c.message, p.content(c), c.role), true
		}
		if counted && p.sizeWith(c.size())+p.stamp.size(p.items+items) <= limit {
			p.take(c, items)
			continue
		}
		if entered := p.enter(c); entered || p.find.err != nil {
			if p.find.err != nil {
				return false
			}
			continue
		}
		if p.hasItems() {
			p.close()
			return true
		}
		if p.takeAlone(c) {
			p.close()
			return true
		}
	}
}

// child is the next child of the innermost level, or the batch.
type child struct {
	message *otlp.Message
	role    otlp.Role
	tag     byte // of its header; 0 for the batch
	extent       // its content
}

// size returns how many bytes the child adds to what it is in.
func (c child) size() int { return wrapped(c.tag, c.end-c.start) }

// wrapped returns the size of a message of n bytes with its header.
func wrapped(tag byte, n int) int {
	if tag == 0 {
		return n
	}
	return 1 + varintSize(uint64(n)) + n
}

func (p *protoSplitter) content(c child) []byte { return p.batch.Proto[c.start:c.end] }

// peek returns the next child without moving on.
func (p *protoSplitter) peek() (c child, ok bool) {
	l := p.innermost()
	if l == nil {
		return child{p.batch.Signal.Message(), otlp.RolePath, 0, extent{0, len(p.batch.Proto)}}, !p.started
	}
	if l.visited {
		return child{}, false
	}
	start, end := l.pos, l.end
	if l.child.Repeated {
		if start, end = l.child.Element(p.batch.Proto[:l.end], l.pos, l.end); end < 0 {
			return child{}, false
		}
	}
	return child{l.child.Message, l.child.Role, byte(l.child.Number<<3) | byte(otlp.WireLen), extent{start, end}}, true
}

// advance moves on behind the child that peek returned.
func (p *protoSplitter) advance(c child) {
	if l := p.innermost(); l == nil {
		p.started = true
	} else {
		l.pos, l.visited = c.end, !l.child.Repeated
	}
}

// enter makes the child the innermost level; false if it has to be taken whole.
func (p *protoSplitter) enter(c child) bool {
	if c.role != otlp.RolePath || !p.batch.Signal.Splits() {
		return false
	}
	var s scanned
	p.find.scan(&s, c.message, p.content(c), 0)
	defer p.find.pop(&s)
	children := s.set & c.message.Children
	if children == 0 || p.find.err != nil {
		return false
	}
	i := bits.TrailingZeros32(children) // two would need a oneof that has both
	p.advance(c)
	l := p.push()
	l.child, l.visited, l.used = &c.message.Fields[i], false, false
	l.pos, l.end = c.start+s.slots[i].Start, c.start+s.slots[i].End
	p.findRest(l, c)
	p.open(l, c.tag)
	return true
}

// push adds a level, with memory of one that was there before.
func (p *protoSplitter) push() *protoLevel {
	if len(p.levels) == cap(p.levels) {
		p.levels = append(p.levels, protoLevel{})
	} else {
		p.levels = p.levels[:len(p.levels)+1]
	}
	return p.innermost()
}

// findRest finds what is in a message besides the fields that lead to items.
func (p *protoSplitter) findRest(l *protoLevel, c child) {
	l.rest = l.rest[:0]
	for pos := c.start; pos < c.end; {
		number, wire, next := otlp.Tag(p.batch.Proto[:c.end], pos)
		next = otlp.Skip(p.batch.Proto[:c.end], next, wire)
		if f := c.message.FieldByNumber(number); f == nil || f.Role == otlp.RoleValue {
			l.rest = appendExtent(l.rest, extent{pos, next})
		}
		pos = next
	}
}

// appendExtent appends e, or lengthens the last one if e follows it.
func appendExtent(list []extent, e extent) []extent {
	if last := len(list) - 1; last >= 0 && list[last].end == e.start {
		list[last].end = e.end
		return list
	}
	return append(list, e)
}

func (p *protoSplitter) innermost() *protoLevel {
	if len(p.levels) == 0 {
		return nil
	}
	return &p.levels[len(p.levels)-1]
}
