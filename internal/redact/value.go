package redact

import (
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// The tags of the fields of AnyValue below, in one byte: number<<3 | wire type.
const (
	tagString = 1<<3 | byte(otlp.WireLen)
	tagBool   = 2<<3 | byte(otlp.WireVarint)
	tagInt    = 3<<3 | byte(otlp.WireVarint)
	tagDouble = 4<<3 | byte(otlp.WireFixed64)
)

// form is what an AnyValue looks like from outside.
type form uint8

const (
	anyForm  form = iota
	settled       // empty, or a number, or a text in which nothing can match
	loneText      // a text and no more
)

// peek tells the form of an AnyValue, and where the text is if it is one.
func (r *Redactor) peek(p place) (f form, text place) {
	data := r.src[:p.end]
	if p.start == p.end {
		return settled, text
	}
	end := otlp.Bad
	switch data[p.start] {
	case tagString:
		text.tag, text.size = p.start, p.start+1
		text.start, text.end = otlp.Len(data, text.size)
		switch {
		case text.end != p.end:
		case len(r.active) == 0:
			return settled, text
		default:
			return loneText, text
		}
	case tagInt, tagBool:
		_, end = otlp.Varint(data, p.start+1)
	case tagDouble:
		_, end = otlp.Fixed64(data, p.start+1)
	}
	if end == p.end {
		return settled, text
	}
	return anyForm, text
}

// value looks at an AnyValue. gone says that it is to be left out.
func (r *Redactor) value(p place) (gone bool) {
	switch form, text := r.peek(p); form {
	case settled:
		return false
	case loneText:
		return r.loneText(p, text)
	default:
		return r.anyValue(p)
	}
}

// loneText looks at an AnyValue that is a text.
func (r *Redactor) loneText(p, text place) (gone bool) {
	found := r.find(r.content(text), r.active)
	switch {
	case len(found) == 0:
		return false
	case r.rules.mode == Drop:
		return true
	}
	l := r.open()
	r.temp = r.appendText(r.temp[:0], r.content(text), found)
	r.resize(text, r.temp)
	r.close(l, p)
	return false
}

// anyValue looks at an AnyValue of any form.
func (r *Redactor) anyValue(p place) (gone bool) {
	outer := r.gone
	r.gone = false
	r.depth++
	l := r.open()
	r.message(otlp.AnyValue.Message(), p.start, p.end)
	r.depth--
	gone, r.gone = r.gone, outer
	if gone {
		r.undo(l)
		return true
	}
	r.close(l, p)
	return false
}

// tooDeep hides a list or map, the field at p of an AnyValue.
func (r *Redactor) tooDeep(p place) {
	if r.rules.mode == Drop {
		r.gone = true
		return
	}
	r.replace(p.tag, p.end, []byte("\x0a\x04"+mask))
}
