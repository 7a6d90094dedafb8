package format

import (
	"slices"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// reopen starts the plan of a document with the levels that are open.
func (p *protoSplitter) reopen() {
	p.pieces, p.items = p.pieces[:0], 0
	for i := range p.levels {
		l := &p.levels[i]
		tag := byte(0)
		if i > 0 {
			tag = byte(p.levels[i-1].child.Number<<3) | byte(otlp.WireLen)
		}
		l.used = false
		p.open(l, tag)
	}
}

// open plans the header of a level and what else is in it.
func (p *protoSplitter) open(l *protoLevel, tag byte) {
	l.piece, l.size = len(p.pieces), 0
	p.pieces = append(p.pieces, piece{tag: tag})
	for _, e := range l.rest {
		p.pieces = append(p.pieces, piece{extent: e})
		l.size += e.end - e.start
	}
}

// sizeWith returns the size of the document, without envelope, with some bytes more in the innermost level.
func (p *protoSplitter) sizeWith(size int) int {
	for i := range slices.Backward(p.levels) {
		l := &p.levels[i]
		size = wrapped(p.pieces[l.piece].tag, l.size+size)
	}
	return size
}

// take plans a child, whole.
func (p *protoSplitter) take(c child, items int) {
	p.advance(c)
	p.items += items
	if l := p.innermost(); l != nil {
		l.size += c.size()
		l.used = true
	}
	whole := piece{tag: c.tag, size: c.end - c.start, extent: c.extent}
	if header := c.start - (c.size() - whole.size); p.isHeader(header, c) {
		// With the header that it has: often one range with the child before.
		whole = piece{extent: extent{header, c.end}}
		if last := len(p.pieces) - 1; last >= 0 && p.pieces[last].tag == 0 && p.pieces[last].end == header {
			p.pieces[last].end = c.end
			return
		}
	}
	p.pieces = append(p.pieces, whole)
}

// isHeader reports whether the shortest header that the child can have is in the batch before it, at pos.
func (p *protoSplitter) isHeader(pos int, c child) bool {
	if c.tag == 0 || pos < 0 || p.batch.Proto[pos] != c.tag {
		return false
	}
	start, end := otlp.Len(p.batch.Proto, pos+1)
	return start == c.start && end == c.end
}

// takeAlone plans a child for a document of its own, or leaves it out if the document would be larger than the hard
// limit; then it returns false.
func (p *protoSplitter) takeAlone(c child) bool {
	items := itemsIn(c.message, p.content(c), c.role)
	if p.sizeWith(c.size())+p.stamp.size(items) > orUnlimited(p.options.HardLimit) {
		p.advance(c)
		p.tooLarge += items
		return false
	}
	p.take(c, items)
	return true
}

// hasItems reports whether the plan holds an item, or a message that could hold some.
func (p *protoSplitter) hasItems() bool {
	for i := range p.levels {
		if p.levels[i].used {
			return true
		}
	}
	return false
}

// leave ends the innermost level, of which nothing is left.
func (p *protoSplitter) leave() {
	p.closeLevel(len(p.levels) - 1)
	p.levels = p.levels[:len(p.levels)-1]
}

// close ends the plan: all levels, without leaving them.
func (p *protoSplitter) close() {
	for i := range slices.Backward(p.levels) {
		p.closeLevel(i)
	}
}

// closeLevel makes a level part of the one around it. If it holds nothing it vanishes.
func (p *protoSplitter) closeLevel(i int) {
	l := &p.levels[i]
	if !l.used {
		p.pieces = p.pieces[:l.piece]
		return
	}
	header := &p.pieces[l.piece]
	header.size = l.size
	if i > 0 {
		around := &p.levels[i-1]
		around.size += wrapped(header.tag, l.size)
		around.used = true
	}
}

// write appends the document as planned.
func (p *protoSplitter) write(dst []byte) []byte {
	for i := range p.pieces {
		piece := &p.pieces[i]
		if piece.tag != 0 {
			dst = appendLength(append(dst, piece.tag), piece.size)
		}
		dst = append(dst, p.batch.Proto[piece.start:piece.end]...)
	}
	return dst
}
