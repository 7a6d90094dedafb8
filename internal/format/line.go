package format

import (
	"errors"
	"math"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// text is the Renderer of Text: each item is one line for people. The first columns are aligned, what is free text
// follows, then attributes as they can be copied into a selection. Nothing in the data can end the line, move a
// terminal's cursor or change what is read: see appendVisible.
type text struct {
	items
	calendar calendar
	parts    [numParts][]byte
	tag      string
	// inDetails says that the line has a detail.
	inDetails bool
	name      []byte                   // of the metric
	found     [len(tellingKeys)][]byte // values of attributes
}

func newText(o Options) *text {
	t := &text{items: items{options: o}}
	t.shape, t.write.keys = t, newKeySet()
	return t
}

// line appends a line.
func (t *text) line(dst []byte, s *scanned) []byte {
	start := len(dst)
	room := min(orUnlimited(t.options.MaxMessage), orUnlimited(t.options.HardLimit), math.MaxInt-start)
	t.write.limit = start + room
	t.inDetails = false
	columns := lineTable[s.message.ID]
	id := &columns[len(columns)-1]
	if id.form == formID {
		columns = columns[:len(columns)-1]
	}
	dst = t.columns(dst, start, columns, s)
	for len(dst) > start && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	if id.form != formID || !id.isIn(s) || room < 4*maxIDColumn {
		return cut(dst, start, room)
	}
	dst = cut(dst, start, room-maxIDColumn)
	dst = append(append(append(dst, ' '), id.name...), '=')
	quoted := len(dst)
	dst = appendHex(dst, s.data[s.slots[id.index].Start:s.slots[id.index].End])
	return append(dst[:quoted], dst[quoted+1:len(dst)-1]...) // without quotes
}

// maxIDColumn is the size of the longest id with its name.
const maxIDColumn = len(" profile_id=") + 2*16

// columns appends the columns of a message that are there, with a space before each but the first of the line.
func (t *text) columns(dst []byte, start int, columns []column, s *scanned) []byte {
	for i := range columns {
		c := &columns[i]
		if t.write.err != nil || len(dst) > t.write.limit {
			break
		}
		if c.form == formInline {
			dst = t.inline(dst, start, c, s)
			continue
		}
		before := len(dst)
		dst = t.separate(dst, start, c)
		from := len(dst)
		if c.isIn(s) {
			dst = t.column(dst, c, s)
		}
		if len(dst) == from && c.left+c.right > 0 {
			dst = append(dst, '-')
		}
		switch {
		case c.left > 0:
			dst = padRight(dst, from, c.left)
		case c.right > 0:
			dst = padLeft(dst, from, c.right)
		case len(dst) == from:
			dst = dst[:before]
		default:
			t.inDetails = t.inDetails || c.isDetail()
		}
	}
	return dst
}

// separate appends a space if the line has begun, and one more before the first of its details.
func (t *text) separate(dst []byte, start int, c *column) []byte {
	if len(dst) == start {
		return dst
	}
	if c.isDetail() && !t.inDetails {
		dst = append(dst, ' ')
	}
	return append(dst, ' ')
}

// isDetail reports whether a column is of those behind a line's free text, all of the form key=value.
func (c *column) isDetail() bool {
	return c.form == formAttributes || c.form == formException || c.part == partResource || c.name != "" && !c.isValue
}

// inline appends the columns of a message that is a field.
func (t *text) inline(dst []byte, start int, c *column, s *scanned) []byte {
	data, base := t.write.part(s, c.source, s.slots[c.index])
	var inner scanned
	t.write.scan(&inner, c.source.Message, data, 0)
	dst = t.columns(dst, start, c.sub, &inner)
	t.write.pop(&inner)
	t.write.release(base)
	return dst
}

// column appends a column with its label; nothing if it has nothing to show.
func (t *text) column(dst []byte, c *column, s *scanned) []byte {
	before := len(dst)
	if c.name != "" {
		dst = append(append(dst, c.name...), '=')
	}
	content := len(dst)
	if dst = t.content(dst, c, s); len(dst) == content {
		return dst[:before]
	}
	return dst
}

// content appends what is in a column.
func (t *text) content(dst []byte, c *column, s *scanned) []byte {
	slot := s.slots[c.index]
	switch c.form {
	case formPart:
		return append(dst, t.parts[c.part]...)
	case formTime:
		if s.set&c.set == 0 {
			slot = s.slots[c.otherwise]
		}
		return t.calendar.appendClock(dst, slot.Value)
	case formElapsed:
		return appendElapsed(dst, c, s)
	case formNanos:
		return appendDuration(dst, slot.Value)
	case formText:
		return t.label(dst, c, s.data[slot.Start:slot.End])
	case formString:
		word, _ := t.write.strings.at(c.number(s))
		return limited(dst, word, maxValue)
	case formWord:
		if v := c.number(s); v < uint64(len(c.words)) {
			return append(dst, c.words[v]...)
		}
		return strconv.AppendInt(dst, int64(slot.Value), 10)
	case formNumber:
		return appendShort(dst, c.source.Kind, c.number(s))
	case formSeverity:
		return t.severity(dst, c, s)
	case formCount:
		return strconv.AppendInt(dst, int64(s.message.CountItems(s.data)), 10)
	case formValue:
		data, base := t.write.part(s, c.source, slot)
		dst = t.any(dst, data, t.write.limit-len(dst))
		t.write.release(base)
		return dst
	case formAttributes:
		return t.attributes(dst, c.source, s.data, slot, c.others)
	case formAverage:
		return appendAverage(dst, c, s)
	case formQuantiles:
		return t.quantiles(dst, c, s)
	default: // formException
		return t.exception(dst, c, s)
	}
}

// label appends a text, in quotes where one could not tell where it ends.
func (t *text) label(dst []byte, c *column, s []byte) []byte {
	if c.name == "" {
		return appendVisible(dst, s, t.write.limit)
	}
	return quoted(dst, s, maxValue)
}

// severity appends the word for a severity, else its text.
func (t *text) severity(dst []byte, c *column, s *scanned) []byte {
	if word := severityWord(c.number(s)); word != "" {
		return append(dst, word...)
	}
	if s.set&c.otherSet == 0 {
		return dst
	}
	return limited(dst, s.data[s.slots[c.otherwise].Start:s.slots[c.otherwise].End], 4*levelWidth)
}

// number returns the column's number: 0 if it is not there.
func (c *column) number(s *scanned) uint64 {
	if s.set&c.set == 0 {
		return 0
	}
	return s.slots[c.index].Value
}

// any appends an AnyValue of up to room bytes: a string as it is, else plain JSON.
func (t *text) any(dst, data []byte, room int) []byte {
	if s, ok := t.stringOf(data); ok {
		return limited(dst, s, room)
	}
	start, limit := len(dst), t.write.limit
	t.write.limit = min(limit, start+min(room, math.MaxInt-start))
	dst = t.write.value(dst, data, 0)
	t.write.limit = limit
	if errors.Is(t.write.err, errTooLarge) {
		t.write.err = nil
		dst = append(dst, "……"...) // to be cut, or to tell
	}
	return cut(dst, start, room)
}

// stringOf returns the content of an AnyValue that is a string.
func (t *text) stringOf(data []byte) (s []byte, ok bool) {
	if len(data) > 0 && data[0] == tagString {
		if start, end := otlp.Len(data, 1); end == len(data) {
			return data[start:end], true
		}
	}
	m := otlp.AnyValue.Message()
	var v scanned
	t.write.scan(&v, m, data, 0)
	switch {
	case v.set&m.Fields[valueString].Bit() != 0:
		s, ok = data[v.slots[valueString].Start:v.slots[valueString].End], true
	case v.set&m.Fields[valueStrindex].Bit() != 0:
		s, ok = t.write.strings.at(v.slots[valueStrindex].Value)
	}
	t.write.pop(&v)
	return s, ok
}
