package format

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// attributes appends those of a list of attributes that are telling, then up to a number of others.
func (t *text) attributes(dst []byte, f *otlp.Field, data []byte, slot otlp.Slot, others int) []byte {
	start, base := len(dst), len(t.write.merged)
	var have uint64 // set of indexes in tellingKeys
	for pos := slot.Start; t.write.err == nil; {
		from, end := f.Element(data, pos, slot.End)
		if end < 0 {
			break
		}
		p, _ := t.write.pair(data[from:end])
		if i, ok := telling.find(p.key); ok && have&(1<<i) == 0 && len(p.value) > 0 {
			t.found[i] = p.value
			have |= 1 << i
		}
		pos = end
	}
	for ; have != 0; have &= have - 1 {
		i := bits.TrailingZeros64(have)
		dst = append(spaced(dst, start), tellingKeys[i]...)
		dst = t.quotedAny(append(dst, '='), t.found[i])
	}
	t.write.release(base)
	if others > 0 {
		return t.others(dst, start, f, data, slot, others)
	}
	return dst
}

// others appends up to a number of attributes that are neither telling nor noise.
func (t *text) others(dst []byte, start int, f *otlp.Field, data []byte, slot otlp.Slot, number int) []byte {
	for pos := slot.Start; number > 0 && len(dst) <= t.write.limit && t.write.err == nil; {
		from, end := f.Element(data, pos, slot.End)
		if end < 0 {
			break
		}
		p, base := t.write.pair(data[from:end])
		if _, ok := telling.find(p.key); !ok && !isNoise(p.key) {
			dst = limited(spaced(dst, start), p.key, maxValue)
			dst = t.quotedAny(append(dst, '='), p.value)
			number--
		}
		t.write.release(base)
		pos = end
	}
	return dst
}

// spaced appends a space if there is something from start on.
func spaced(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ' ')
	}
	return dst
}

// quotedAny appends an AnyValue, a string in quotes where one could not tell where it ends.
func (t *text) quotedAny(dst, data []byte) []byte {
	if s, ok := t.stringOf(data); ok {
		return quoted(dst, s, maxValue)
	}
	return t.any(dst, data, maxValue)
}

// quoted appends a text of up to room bytes, in quotes if it is empty or has spaces, quotes or '=' in it.
func quoted(dst, s []byte, room int) []byte {
	if len(s) > 0 && !bytes.ContainsAny(s, ` "=`) {
		return limited(dst, s, room)
	}
	start := len(dst)
	dst = append(dst, '"')
	for len(dst)-start <= room {
		before, after, found := bytes.Cut(s, []byte{'"'})
		dst = appendVisible(dst, before, start+room)
		if !found {
			break
		}
		dst = append(dst, `\"`...)
		s = after
	}
	return append(cut(dst, start, room), '"')
}

// limited appends a text of up to room bytes.
func limited(dst, s []byte, room int) []byte {
	start := len(dst)
	return cut(appendVisible(dst, s, start+min(room, math.MaxInt-start)), start, room)
}

// exception appends the telling attributes of the last event that is an exception.
func (t *text) exception(dst []byte, c *column, s *scanned) []byte {
	var last []byte
	m := c.source.Message
	var event scanned
	for pos := s.slots[c.index].Start; t.write.err == nil; {
		start, end := c.source.Element(s.data, pos, s.slots[c.index].End)
		if end < 0 {
			break
		}
		t.write.scan(&event, m, s.data[start:end], 0)
		if event.set&m.Fields[eventName].Bit() != 0 &&
			string(event.data[event.slots[eventName].Start:event.slots[eventName].End]) == "exception" {
			last = event.data
		}
		t.write.pop(&event)
		pos = end
	}
	if last == nil {
		return dst
	}
	t.write.scan(&event, m, last, 0)
	if event.set&m.Fields[eventAttributes].Bit() != 0 {
		dst = t.attributes(dst, &m.Fields[eventAttributes], last, event.slots[eventAttributes], 0)
	}
	t.write.pop(&event)
	return dst
}

// Indexes of fields in SpanEvent.
const (
	eventName       = 1
	eventAttributes = 2
)

// quantiles appends the values of a summary: p50=0.1 p99=2.
func (t *text) quantiles(dst []byte, c *column, s *scanned) []byte {
	start := len(dst)
	for pos := s.slots[c.index].Start; len(dst) <= t.write.limit && t.write.err == nil; {
		from, end := c.source.Element(s.data, pos, s.slots[c.index].End)
		if end < 0 {
			break
		}
		m := c.source.Message
		var q scanned
		t.write.scan(&q, m, s.data[from:end], 0)
		var of, value float64
		if q.set&m.Fields[0].Bit() != 0 {
			of = math.Float64frombits(q.slots[0].Value)
		}
		if q.set&m.Fields[1].Bit() != 0 {
			value = math.Float64frombits(q.slots[1].Value)
		}
		t.write.pop(&q)
		dst = strconv.AppendFloat(append(spaced(dst, start), 'p'), 100*of, 'g', 5, 64)
		dst = appendFloat(append(dst, '='), value)
		pos = end
	}
	return dst
}

// appendElapsed appends the time from the column's field to its other field, if both are there.
func appendElapsed(dst []byte, c *column, s *scanned) []byte {
	if both := c.set | c.otherSet; s.set&both != both {
		return dst
	}
	from, to := s.slots[c.index].Value, s.slots[c.otherwise].Value
	if from > to {
		from, to = to, from
		dst = append(dst, '-')
	}
	return appendDuration(dst, to-from)
}

// appendAverage appends the column's field divided by its other field, if there is something to divide by.
func appendAverage(dst []byte, c *column, s *scanned) []byte {
	if s.set&c.otherSet == 0 || s.set&c.set == 0 && !c.zero {
		return dst
	}
	sum := math.Float64frombits(c.number(s))
	return strconv.AppendFloat(dst, sum/float64(s.slots[c.otherwise].Value), 'g', 4, 64)
}

// appendShort appends a number for people.
func appendShort(dst []byte, kind otlp.Kind, v uint64) []byte {
	if kind == otlp.KindDouble {
		return appendFloat(dst, math.Float64frombits(v))
	}
	return appendPlainNumber(dst, kind, v)
}

// appendFloat appends a number with the digits that it takes, without exponent in the usual sizes.
func appendFloat(dst []byte, v float64) []byte {
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}
