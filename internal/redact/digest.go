package redact

import (
	"math"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// Indexes of the fields in AnyValue.
const (
	valueString = iota
	valueBool
	valueInt
	valueDouble
	valueArray
	valueMap
	valueBytes
	valueStrindex
	numValues
)

// digestValue hashes an AnyValue, of whatever type: scalars as their text, bytes as they are, lists by their elements,
// maps by their entries in any order. depth is the number of lists and maps around it; what is too deep is as nothing.
func (r *Redactor) digestValue(data []byte, depth int) digest {
	var slots [numValues]otlp.Slot
	m := otlp.AnyValue.Message()
	seen, _, err := m.Scan(data, slots[:])
	if err != nil {
		r.fail(m, otlp.ErrMalformed)
		return digest{}
	}
	for i, slot := range slots {
		if seen&m.Fields[i].Bit() == 0 { // of a oneof there is only one
			continue
		}
		switch i {
		case valueString, valueBytes:
			return r.digest(data[slot.Start:slot.End])
		case valueBool:
			return r.number(func(dst []byte) []byte { return strconv.AppendBool(dst, slot.Value != 0) })
		case valueInt:
			return r.number(func(dst []byte) []byte { return strconv.AppendInt(dst, int64(slot.Value), 10) })
		case valueDouble:
			return r.number(func(dst []byte) []byte { return appendDouble(dst, math.Float64frombits(slot.Value)) })
		case valueStrindex:
			return r.digest(r.table.at(r.src, slot.Value))
		case valueArray:
			if depth < MaxDepth {
				return r.digestList(data[slot.Start:slot.End], depth+1)
			}
		case valueMap:
			if depth < MaxDepth {
				return r.digestMap(data[slot.Start:slot.End], depth+1)
			}
		}
	}
	return r.digest(nil)
}

// digestList hashes an ArrayValue.
func (r *Redactor) digestList(data []byte, depth int) digest {
	f, slot := r.elements(otlp.ArrayValue.Message(), data)
	base := r.hash.openList()
	for pos := slot.Start; ; {
		start, end := f.Element(data, pos, slot.End)
		if end < 0 {
			return r.closeList(base)
		}
		r.hash.add(r.digestValue(data[start:end], depth))
		pos = end
	}
}

// digestMap hashes a KeyValueList.
func (r *Redactor) digestMap(data []byte, depth int) digest {
	f, slot := r.elements(otlp.KeyValueList.Message(), data)
	var all entries
	for pos := slot.Start; ; {
		start, end := f.Element(data, pos, slot.End)
		if end < 0 {
			return all.close(&r.scrubber)
		}
		key, value := r.entry(data[start:end])
		all.add(&r.scrubber, key, r.digestValue(value, depth))
		pos = end
	}
}

// elements finds the elements of a message that is one list: nowhere if it is empty.
func (r *Redactor) elements(m *otlp.Message, data []byte) (*otlp.Field, otlp.Slot) {
	var slots [1]otlp.Slot
	if _, _, err := m.Scan(data, slots[:]); err != nil {
		r.fail(m, otlp.ErrMalformed)
	}
	return &m.Fields[0], slots[0]
}

// entry returns the key and the value of a KeyValue.
func (r *Redactor) entry(data []byte) (key, value []byte) {
	m := otlp.KeyValue.Message()
	var slots [3]otlp.Slot
	seen, merged, err := m.Scan(data, slots[:])
	if err != nil {
		r.fail(m, otlp.ErrMalformed)
		return nil, nil
	}
	const keyField, valueField, indexField = 0, 1, 2
	switch {
	case seen&m.Fields[keyField].Bit() != 0:
		key = data[slots[keyField].Start:slots[keyField].End]
	case seen&m.Fields[indexField].Bit() != 0:
		key = r.table.at(r.src, slots[indexField].Value)
	}
	switch bit := m.Fields[valueField].Bit(); {
	case merged&bit != 0:
		value = m.Fields[valueField].Merge(nil, data)
	case seen&bit != 0:
		value = data[slots[valueField].Start:slots[valueField].End]
	}
	return key, value
}
