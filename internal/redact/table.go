package redact

import (
	"slices"
	"strings"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// stringTable is the string table of a document of profiles, which keys, values and names are indexes of. The first
// string is always empty.
type stringTable struct {
	strings []extent // in the document
	next    int      // index of the string that the walk comes to next

	// Where keys are hidden, a string stays only if something that is shown refers to it: else the value of a hidden
	// attribute would be there still, in the table. Nor is anything lost with a string that nothing refers to.
	limited bool
	marking bool     // the walk finds those that are referred to
	marks   []uint64 // a set of indexes: those
}

// read finds the strings of a ProfilesData. A malformed one has fewer, and fails later.
func (t *stringTable) read(src []byte) {
	dictionary := otlp.ProfilesData.Message().FieldByName("dictionary")
	list := otlp.ProfilesDictionary.Message().FieldByName("stringTable")
	for pos := 0; ; {
		start, end := dictionary.Element(src, pos, len(src))
		if end < 0 {
			return
		}
		for at := start; ; {
			from, to := list.Element(src[:end], at, end)
			if to < 0 {
				break
			}
			t.strings = append(t.strings, extent{from, to})
			at = to
		}
		pos = end
	}
}

// at returns a string by its index, a varint of which readers take 32 bits; nothing if there is none.
func (t *stringTable) at(src []byte, index uint64) []byte {
	i := uint32(index)
	if uint64(i) >= uint64(len(t.strings)) {
		return nil
	}
	return src[t.strings[i].start:t.strings[i].end]
}

func (t *stringTable) mark(index uint64) {
	if i := uint32(index); uint64(i) < uint64(len(t.strings)) {
		t.marks[i/64] |= 1 << (i % 64)
	}
}

func (t *stringTable) marked(index int) bool { return t.marks[index/64]&(1<<(index%64)) != 0 }

// forget empties the table.
func (t *stringTable) forget() {
	*t = stringTable{strings: kept(t.strings, 16), marks: kept(t.marks, 8)}
}

// markStrings walks through the document once, to find the strings that are referred to by what is shown.
func (r *Redactor) markStrings() {
	t := &r.table
	words := len(t.strings)/64 + 1
	t.marks = slices.Grow(t.marks, words)[:words]
	clear(t.marks)
	t.limited, t.marking = true, true
	r.message(otlp.ProfilesData.Message(), 0, len(r.src))
	t.marking, t.next = false, 0
	r.edits, r.fresh, r.grown = r.edits[:0], r.fresh[:0], 0
}

// reference looks at a number in a document with a string table: it may be an index.
func (r *Redactor) reference(m *otlp.Message, f *otlp.Field, value uint64) {
	if !strings.HasSuffix(f.Name, "Strindex") {
		return
	}
	if r.table.marking {
		r.table.mark(value)
	}
	if m.ID == otlp.AnyValue && r.rules.mode == Drop && len(r.find(r.table.at(r.src, value), r.active)) > 0 {
		r.gone = true
	}
}

// tableString looks at the next string of the table. Others refer to those behind it by their position, so what is left
// out leaves an empty string.
func (r *Redactor) tableString(p place) {
	index, text := r.table.next, r.content(p)
	r.table.next++
	if r.table.marking || len(text) == 0 {
		return
	}
	if r.table.limited && !r.table.marked(index) {
		r.resize(p, nil)
		return
	}
	if found := r.find(text, r.active); len(found) > 0 {
		r.temp = r.appendText(r.temp[:0], text, found)
		r.resize(p, r.temp)
	}
}
