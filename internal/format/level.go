package format

import (
	"errors"
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// level is a message that holds the next atom, at some depth.
type level struct {
	child *otlp.Field // the field on the way to the items
	data  []byte      // the message
	slot  otlp.Slot   // where in data the children are that have not been visited

	header []byte // its text from '{' to where the children begin
	tail   tail   // what closes this level and all those around it
	room   int    // how many bytes a child may have in a document of its own, by the hard limit
	at     int    // where it starts in the document that is being written, with a comma if there is one
}

// tail closes levels, from the innermost: at most "]}" for each of five, one "}" for a singular child.
type tail struct {
	text [15]byte
	n    uint8
}

// next returns the next child.
func (l *level) next() (data []byte, ok bool) {
	if !l.child.Repeated {
		data, ok = l.data[l.slot.Start:l.slot.End], l.slot.Value == 0
		l.slot.Value = 1 // visited
		return data, ok
	}
	start, end := l.child.Element(l.data, l.slot.Start, l.slot.End)
	if end < 0 {
		return nil, false
	}
	l.slot.Start = end
	return l.data[start:end], true
}

// closer returns what closes the level itself.
func (l *level) closer() string {
	if l.child.Repeated {
		return "]}"
	}
	return "}"
}

// nextMessage returns the next child of the innermost level, at first the top message.
func (s *Splitter) nextMessage() (m *otlp.Message, data []byte, role otlp.Role, ok bool) {
	if !s.started {
		s.started = true
		return s.signal.Message(), s.batch, otlp.RolePath, true
	}
	l := s.innermost()
	if l == nil {
		return nil, nil, 0, false
	}
	data, ok = l.next()
	return l.child.Message, data, l.child.Role, ok
}

// write appends a message if it is an atom, and enters it if not. A message that is too large even for a document of
// its own is left out, with the items in it; then, as after entering, ok is false.
func (s *Splitter) write(dst []byte, m *otlp.Message, data []byte, role otlp.Role) (_ []byte, ok bool) {
	start, room := len(dst), s.room()
	dst = s.separate(dst)
	text := len(dst)
	s.render.reset(text, room)
	if role == otlp.RoleItem || !s.signal.Splits() {
		s.items = itemsIn(m, data, role)
		dst, ok = s.render.object(dst, m, data, 0), true
	} else {
		dst, ok = s.enter(dst, m, data, start)
	}
	if errors.Is(s.render.err, errTooLarge) || ok && len(dst)-text > room {
		s.render.err = nil
		s.tooLarge += itemsIn(m, data, role)
		return dst[:start], false
	}
	return dst, ok
}

// itemsIn returns the number of items in a message that is one or holds some.
func itemsIn(m *otlp.Message, data []byte, role otlp.Role) int {
	if role == otlp.RoleItem {
		return 1
	}
	return m.CountItems(data)
}

// enter appends the header of a message and makes it the innermost level. A message without children is written
// whole: an atom, for which it returns true. at is where the message starts, with its comma.
func (s *Splitter) enter(dst []byte, m *otlp.Message, data []byte, at int) (_ []byte, ok bool) {
	start := len(dst)
	var fields scanned
	s.render.scan(&fields, m, data, 0)
	defer s.render.pop(&fields)
	children := fields.set & m.Children
	fields.set &^= children
	dst = s.render.members(append(dst, '{'), &fields)
	if children == 0 {
		s.items = 0
		return append(dst, '}'), true
	}
	i := bits.TrailingZeros32(children) // two would need a oneof that has both
	child := &m.Fields[i]
	dst = appendKey(dst, child)
	if child.Repeated {
		dst = append(dst, '[')
	}
	if s.render.err == nil {
		s.push(level{child: child, data: data, slot: fields.slots[i], at: at}, dst[start:])
	}
	return dst, false
}

// push makes l the innermost level.
func (s *Splitter) push(l level, header []byte) {
	l.room = s.room() - len(header) - len(l.closer())
	l.tail.n = uint8(copy(l.tail.text[:], l.closer()))
	if around := s.innermost(); around != nil {
		l.tail.n += uint8(copy(l.tail.text[l.tail.n:], around.tail.text[:around.tail.n]))
	}
	l.slot.Value = 0
	if len(s.levels) == cap(s.levels) {
		s.levels = append(s.levels, level{})[:len(s.levels)]
	}
	s.levels = s.levels[:len(s.levels)+1]
	top := s.innermost()
	top.header = append(top.header[:0], header...)
	l.header = top.header
	*top = l
}

// leave closes the innermost level. If none of its atoms are in the document it vanishes from there.
func (s *Splitter) leave(dst []byte) []byte {
	l := s.innermost()
	s.levels = s.levels[:len(s.levels)-1]
	if s.safe <= l.at {
		return dst[:l.at]
	}
	return append(dst, l.closer()...)
}

// reopen starts a document with the headers of the levels that are open.
func (s *Splitter) reopen(dst []byte) []byte {
	for i := range s.levels {
		s.levels[i].at = len(dst)
		dst = append(dst, s.levels[i].header...)
	}
	return dst
}

// save keeps an atom, which may have a comma before it, for the next document.
func (s *Splitter) save(atom []byte) {
	if atom[0] == ',' {
		atom = atom[1:]
	}
	s.saved = append(s.saved[:0], atom...)
}

// separate appends a comma if the next child is not the first of its level in the document.
func (s *Splitter) separate(dst []byte) []byte {
	if last := len(dst) - 1; last >= s.start && dst[last] == '}' {
		return append(dst, ',')
	}
	return dst
}

// innermost returns the innermost level, or nil before the first and behind the last.
func (s *Splitter) innermost() *level {
	if len(s.levels) == 0 {
		return nil
	}
	return &s.levels[len(s.levels)-1]
}

// closing returns what closes the document where it is.
func (s *Splitter) closing() tail {
	if l := s.innermost(); l != nil {
		return l.tail
	}
	return tail{}
}

// room returns how many bytes the text of a child may have in a document of its own, by the hard limit. Negative when
// what is around it is too large already.
func (s *Splitter) room() int {
	if l := s.innermost(); l != nil {
		return l.room
	}
	return s.hardLimit
}
