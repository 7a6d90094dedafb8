package format

import (
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// stringTable is the string table of a batch of profiles, which their keys, values and types are indexes of.
type stringTable struct {
	data  []byte
	found []extent
}

// read finds the strings of a ProfilesData, unless another signal's batch leaves the table empty.
func (t *stringTable) read(r *scanner, batch []byte) {
	top := otlp.ProfilesData.Message()
	dictionary, list := top.FieldByName("dictionary"), otlp.ProfilesDictionary.Message().FieldByName("stringTable")
	t.data = dictionary.Merge(t.data[:0], batch)
	var s scanned
	r.scan(&s, otlp.ProfilesDictionary.Message(), t.data, 0)
	if s.set&list.Bit() != 0 {
		slot := s.slots[bits.TrailingZeros32(list.Bit())]
		for pos := slot.Start; ; {
			start, end := list.Element(t.data, pos, slot.End)
			if end < 0 {
				break
			}
			t.found = append(t.found, extent{start, end})
			pos = end
		}
	}
	r.pop(&s)
}

// at returns a string by its index, as Slot.Value has it.
func (t *stringTable) at(index uint64) (s []byte, ok bool) {
	if index >= uint64(len(t.found)) {
		return nil, false
	}
	return t.data[t.found[index].start:t.found[index].end], true
}

// forget empties the table.
func (t *stringTable) forget() {
	t.data, t.found = shrink(t.data), shrinkExtents(t.found)
}
