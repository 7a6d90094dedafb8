package redact

import (
	"fmt"
	"slices"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

const (
	// MaxDepth is how deep lists and maps may nest in a value to be looked into: what is in the next one is hidden. No
	// text form of a document shows any deeper.
	MaxDepth = 48
	// MaxPath is the size in bytes up to which the keys around a key are matched together with it: behind more than that
	// the value of any key is hidden.
	MaxPath = 1024
	// keepScratch is the size up to which memory is kept from document to document.
	keepScratch = 1 << 20
)

// Redactor redacts. It holds memory of up to a few MiB, and is for one goroutine at a time.
type Redactor struct {
	scrubber
	cache *keyCache

	// Of the document, or pdata, that is being redacted.
	depth int    // lists and maps around
	path  []byte // the keys around, folded, each with a dot behind it
	parts []int  // where each of them begins

	// Of the document.
	src    []byte
	active []*pattern // those that may match in it
	edits  []edit     // in the order of their places
	fresh  []byte     // what the edits put there
	grown  int        // by how many bytes they lengthen the message that is being looked at
	gone   bool       // the value that is being looked at is to be left out
	table  stringTable
	temp   []byte
	merged []byte
	err    error
}

// edit replaces a range of the document by a range of Redactor.fresh.
type edit struct {
	at, end  int
	from, to int
}

// NewRedactor returns a redactor for some rules. Nil hides nothing.
func NewRedactor(rules *Rules) *Redactor {
	return &Redactor{scrubber: scrubber{rules: rules}, cache: newKeyCache()}
}

// Redact returns an OTLP document of a signal, in protobuf, as viewers may see it. If nothing in it is to be hidden that
// is proto itself, and changed is false; else it is appended to dst, which must not overlap proto. proto is only read.
//
// A document that is not well-formed is an error, which quotes nothing of it, and gives no document. It does not block.
func (r *Redactor) Redact(signal otlp.Signal, proto, dst []byte) (doc []byte, changed bool, err error) {
	if r.rules.Empty() {
		return proto, false, nil
	}
	defer r.forget()
	r.src = proto
	r.walk(signal)
	switch {
	case r.err != nil:
		return nil, false, fmt.Errorf("redact: %w", r.err)
	case len(r.edits) == 0:
		return proto, false, nil
	default:
		return r.write(dst), true, nil
	}
}

// walk makes the list of edits.
func (r *Redactor) walk(signal otlp.Signal) {
	if signal == otlp.Profiles {
		r.table.read(r.src)
		if r.rules.hidesKeys() {
			r.markStrings()
		}
	}
	for _, p := range r.rules.patterns {
		if p.need.inDocument(r.src) {
			r.active = append(r.active, p)
		}
	}
	if r.err == nil {
		r.message(signal.Message(), 0, len(r.src))
	}
}

// write appends the document with its edits.
func (r *Redactor) write(dst []byte) []byte {
	dst = slices.Grow(dst, len(r.src)+r.grown)
	from := 0
	for i := range r.edits {
		e := &r.edits[i]
		dst = append(dst, r.src[from:e.at]...)
		dst = append(dst, r.fresh[e.from:e.to]...)
		from = e.end
	}
	return append(dst, r.src[from:]...)
}

// forget lets go of the document, and of memory that has become unusually large. It leaves nothing of a walk that ended
// early, also by a panic: pdata may be changed by others meanwhile.
func (r *Redactor) forget() {
	r.src, r.err, r.grown, r.depth, r.gone = nil, nil, 0, 0, false
	r.active = r.active[:0]
	r.edits, r.parts = kept(r.edits, 32), kept(r.parts, 8)
	r.fresh, r.temp, r.merged, r.path = kept(r.fresh, 1), kept(r.temp, 1), kept(r.merged, 1), kept(r.path, 1)
	r.fold, r.found, r.hash.stack = kept(r.fold, 1), kept(r.found, 16), kept(r.hash.stack, 1)
	r.table.forget()
}

// kept returns a slice without its elements, for later, unless its memory has become large.
func kept[T any](s []T, size int) []T {
	if cap(s)*size > keepScratch {
		return nil
	}
	return s[:0]
}

// place is where a field of wire type WireLen lies in the document: its tag, its length, its content, and what follows.
type place struct{ tag, size, start, end int }

// content returns what is in the field.
func (r *Redactor) content(p place) []byte { return r.src[p.start:p.end] }

// level is a message that was entered.
type level struct{ edits, grown int }

// open enters a message. Edits within it follow; then close is called, or undo.
func (r *Redactor) open() level {
	l := level{len(r.edits), r.grown}
	r.edits = append(r.edits, edit{}) // its length, if that changes
	r.grown = 0
	return l
}

// close leaves the message at p, and changes the length that its header has if its content was changed.
func (r *Redactor) close(l level, p place) {
	if len(r.edits) == l.edits+1 {
		r.edits, r.grown = r.edits[:l.edits], l.grown
		return
	}
	from := len(r.fresh)
	r.fresh = appendVarint(r.fresh, uint64(p.end-p.start+r.grown))
	r.edits[l.edits] = edit{p.size, p.start, from, len(r.fresh)}
	r.grown += l.grown + len(r.fresh) - from - (p.start - p.size)
}

// undo leaves a message that will not be there, with all edits in it.
func (r *Redactor) undo(l level) {
	r.edits, r.grown = r.edits[:l.edits], l.grown
}

// remove leaves out a range of the document.
func (r *Redactor) remove(at, end int) { r.replace(at, end, nil) }

// replace puts something in the place of a range of the document.
func (r *Redactor) replace(at, end int, with []byte) {
	from := len(r.fresh)
	r.fresh = append(r.fresh, with...)
	r.edits = append(r.edits, edit{at, end, from, len(r.fresh)})
	r.grown += len(with) - (end - at)
}

// resize puts another content in the place of a field's, with its length.
func (r *Redactor) resize(p place, content []byte) {
	from := len(r.fresh)
	r.fresh = append(appendVarint(r.fresh, uint64(len(content))), content...)
	r.edits = append(r.edits, edit{p.size, p.end, from, len(r.fresh)})
	r.grown += len(r.fresh) - from - (p.end - p.size)
}

// fail ends the walk: a message of the type is malformed.
func (r *Redactor) fail(m *otlp.Message, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w in %s", err, m.Name)
	}
}

func appendVarint(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}
