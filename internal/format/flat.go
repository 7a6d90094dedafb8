package format

import (
	"bytes"
	"strconv"
)

// flat is the Renderer of JSON: each item is one flat object, with what is around the item in it.
type flat struct {
	items
	calendar calendar
	parts    [numParts][]byte // members with a comma before each
	batch    []byte           // of partHead, what all resources have in common
}

func newFlat(o Options) *flat {
	j := &flat{items: items{options: o}}
	j.shape, j.write.keys = j, newKeySet()
	return j
}

// line appends an item.
func (j *flat) line(dst []byte, s *scanned) []byte {
	return append(j.members(append(dst, '{'), flatTable[s.message.ID], s), '}')
}

// members appends the columns of a message that are there.
func (j *flat) members(dst []byte, columns []column, s *scanned) []byte {
	if len(dst) > j.write.limit {
		j.write.err = errTooLarge
		return dst
	}
	for i := range columns {
		c := &columns[i]
		if !c.isIn(s) || j.write.err != nil {
			continue
		}
		switch c.form {
		case formPart:
			dst = j.part(dst, c.part)
		case formInline:
			dst = j.message(dst, c, s)
		case formSeverity:
			dst = j.severity(dst, c, s)
		case formElapsed:
			dst = j.elapsed(dst, c, s)
		case formWord:
			if v := c.number(s); v >= uint64(len(c.words)) || c.words[v] != "" {
				dst = appendWord(c.appendKey(dst), c.words, v)
			}
		default:
			before := len(dst)
			if dst = j.value(c.appendKey(dst), c, s); c.isNothing(dst) {
				dst = dst[:before]
			}
		}
	}
	return dst
}

// isNothing reports whether a column that was written at the end of dst turned out to be empty.
func (c *column) isNothing(dst []byte) bool {
	return c.form == formValue && bytes.HasSuffix(dst, []byte(":null")) ||
		c.form == formNumbers && bytes.HasSuffix(dst, []byte(":[]"))
}

// isIn reports whether a column has something to show. A message that pdata always has is not there if it is empty.
func (c *column) isIn(s *scanned) bool {
	if c.form == formValue || c.form == formObject {
		return s.merged&c.set != 0 || s.set&c.set != 0 && s.slots[c.index].Start < s.slots[c.index].End
	}
	return c.zero || c.set == 0 || s.set&(c.set|c.otherSet) != 0
}

// appendKey appends the column's name, after a comma if it is not the first.
func (c *column) appendKey(dst []byte) []byte {
	if dst[len(dst)-1] == '{' {
		return append(dst, c.key[1:]...)
	}
	return append(dst, c.key...)
}

// value appends the value of a column that is there, or is a zero.
func (j *flat) value(dst []byte, c *column, s *scanned) []byte {
	w := &j.write
	slot := &s.slots[c.index]
	switch c.form {
	case formTime:
		nanos := slot.Value
		if s.set&c.set == 0 {
			nanos = s.slots[c.otherwise].Value
		}
		return append(j.calendar.appendMoment(append(dst, '"'), nanos), '"')
	case formNanos:
		return appendMillis(dst, slot.Value)
	case formText:
		return w.text(dst, s.data[slot.Start:slot.End])
	case formString:
		text, _ := w.strings.at(slot.Value)
		return w.text(dst, text)
	case formID:
		return appendHex(dst, s.data[slot.Start:slot.End])
	case formNumber:
		return appendPlainNumber(dst, c.source.Kind, c.number(s))
	case formCount:
		return strconv.AppendInt(dst, int64(s.message.CountItems(s.data)), 10)
	case formValue:
		data, base := w.part(s, c.source, *slot)
		dst = w.value(dst, data, 0)
		w.release(base)
		return dst
	case formAttributes:
		return w.object(dst, c.source, s.data, *slot, 0)
	case formNumbers:
		return j.numbers(append(dst, '['), c, s)
	case formGroup:
		return append(j.members(append(dst, '{'), c.sub, s), '}')
	case formObject:
		return append(j.message(append(dst, '{'), c, s), '}')
	default: // formList
		return j.list(append(dst, '['), c, s)
	}
}

// message appends the columns of a message that is a field.
func (j *flat) message(dst []byte, c *column, s *scanned) []byte {
	data, base := j.write.part(s, c.source, s.slots[c.index])
	var inner scanned
	j.write.scan(&inner, c.source.Message, data, 0)
	dst = j.members(dst, c.sub, &inner)
	j.write.pop(&inner)
	j.write.release(base)
	return dst
}

// list appends the elements of a list of messages and what closes it.
func (j *flat) list(dst []byte, c *column, s *scanned) []byte {
	var inner scanned
	for pos := s.slots[c.index].Start; j.write.err == nil; dst = append(dst, ',') {
		start, end := c.source.Element(s.data, pos, s.slots[c.index].End)
		if end < 0 {
			dst[len(dst)-1] = ']' // was a comma: there is at least one
			return dst
		}
		j.write.scan(&inner, c.source.Message, s.data[start:end], 0)
		dst = append(j.members(append(dst, '{'), c.sub, &inner), '}')
		j.write.pop(&inner)
		pos = end
	}
	return dst
}

// numbers appends the elements of a list of numbers and what closes it.
func (j *flat) numbers(dst []byte, c *column, s *scanned) []byte {
	numbers := c.source.Numbers(s.data, s.slots[c.index])
	for first := true; len(dst) <= j.write.limit; first = false {
		v, ok := numbers.Next()
		if !ok {
			j.write.err = numbers.Err()
			return append(dst, ']')
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = appendPlainNumber(dst, c.source.Kind, v)
	}
	j.write.err = errTooLarge
	return dst
}

// part appends a part.
func (j *flat) part(dst []byte, p part) []byte {
	text := j.parts[p]
	if len(text) > j.write.limit-len(dst) {
		j.write.err = errTooLarge
		return dst
	}
	if len(text) > 0 && dst[len(dst)-1] == '{' {
		text = text[1:]
	}
	return append(dst, text...)
}

// elapsed appends the time from the column's field to its other field, if both are there.
func (j *flat) elapsed(dst []byte, c *column, s *scanned) []byte {
	if both := c.set | c.otherSet; s.set&both != both {
		return dst
	}
	dst = c.appendKey(dst)
	from, to := s.slots[c.index].Value, s.slots[c.otherwise].Value
	if from > to {
		from, to = to, from
		dst = append(dst, '-')
	}
	return appendMillis(dst, to-from)
}

// severity appends the word for a severity, and its text if that says something else.
func (j *flat) severity(dst []byte, c *column, s *scanned) []byte {
	word := severityWord(c.number(s))
	var text []byte
	if s.set&c.otherSet != 0 {
		text = s.data[s.slots[c.otherwise].Start:s.slots[c.otherwise].End]
	}
	if word == "" {
		if len(text) == 0 {
			return dst
		}
		return j.write.text(c.appendKey(dst), text)
	}
	dst = append(append(append(c.appendKey(dst), '"'), word...), '"')
	if len(text) == 0 || len(text) == len(word) && bytes.EqualFold(text, []byte(word)) {
		return dst
	}
	return j.write.text(append(dst, `,"severity_text":`...), text)
}

// appendWord appends the word for a number as a string, or the number if it has none.
func appendWord(dst []byte, words []string, v uint64) []byte {
	if v >= uint64(len(words)) || words[v] == "" {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return append(append(append(dst, '"'), words[v]...), '"')
}
