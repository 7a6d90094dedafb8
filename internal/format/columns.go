package format

import (
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// The formats of one item to a message are tables: for each message that is an item, the columns of its object or of
// its line, in order. flatTable and lineTable have them.

// form is what a column is made of, and how.
type form uint8

const (
	formPart form = iota // a part: what items have in common with those around them

	formTime     // a moment, or that of the other field if there is none
	formElapsed  // the time from one moment, the field, to another, the other field
	formNanos    // a time in nanoseconds
	formText     // a string
	formString   // an index in the string table
	formID       // an id
	formWord     // an enum, in words
	formNumber   // a number
	formSeverity // a severity number, or the text in the other field if there is none
	formCount    // the number of elements in a list

	formValue      // an AnyValue
	formAttributes // a list of KeyValue
	formNumbers    // a list of numbers

	formGroup  // columns of the same message, as an object
	formInline // columns of a message in this one, as if they were columns here
	formObject // columns of a message in this one, as an object
	formList   // columns of the messages in a list

	formAverage   // the field divided by the other field
	formQuantiles // a list of ValueAtQuantile
	formException // the last of a span's events that is an exception
)

// part is a piece of text that many items have in common.
type part uint8

const (
	partHead     part = iota // of the signal, the point and the resource, in front
	partMetric               // of the metric, before its value
	partUnit                 // of the metric, behind its value
	partScope                // of the scope
	partResource             // of the resource, behind all else
	numParts
)

// column is one column. Of the fields only some forms use all.
type column struct {
	name  string // of the member in JSON, of the label in a line
	form  form
	field string // the field it is made of
	other string // another one
	part  part
	words []string // by number; "" is left out
	// zero says that a number is there even if it is 0, which protobuf does not send.
	zero bool
	// isValue says that it is part of a line's value, and no detail of it, though it has a label.
	isValue bool
	// right is the width in which a line has the text at the right; left the width at the left.
	right, left int
	// others is how many attributes a line shows that are not telling.
	others int
	sub    []column

	// Set by bind.
	key              string // `,"name":`
	index, otherwise int    // of field and other
	set, otherSet    uint32
	source           *otlp.Field
}

// columnTable has the columns of each message that is an item, by otlp.MessageID.
type columnTable [][]column

// bind finds the fields of columns in message m and those in it.
func bind(m *otlp.Message, columns []column) []column {
	for i := range columns {
		c := &columns[i]
		c.key = `,"` + c.name + `":`
		inner := m
		if c.field != "" {
			c.source = m.FieldByName(c.field)
			c.set, c.index = c.source.Bit(), bits.TrailingZeros32(c.source.Bit())
			inner = c.source.Message
		}
		if c.other != "" {
			c.otherSet = m.FieldByName(c.other).Bit()
			c.otherwise = bits.TrailingZeros32(c.otherSet)
		}
		c.sub = bind(inner, c.sub)
	}
	return columns
}

// newColumnTable makes a table from the columns of some messages. Messages of another schema than package otlp has
// panic, which a test of any table would show.
func newColumnTable(layouts map[otlp.MessageID][]column) columnTable {
	table := make(columnTable, len(otlp.Messages()))
	for id, columns := range layouts {
		table[id] = bind(id.Message(), columns)
	}
	return table
}

// The words for enums. What has no word here is shown as its number.
func kindWords() []string {
	return []string{"", "internal", "server", "client", "producer", "consumer"}
}
func statusWords() []string      { return []string{"unset", "ok", "error"} }
func temporalityWords() []string { return []string{"", "delta", "cumulative"} }

// severityWord returns the word for a severity number: each has four of them. "" if it is no severity.
func severityWord(number uint64) string {
	words := [...]string{"trace", "debug", "info", "warn", "error", "fatal"}
	if number < 1 || number > 4*uint64(len(words)) {
		return ""
	}
	return words[(number-1)/4]
}

// shortTypeWord returns the word of a line, of up to levelWidth bytes.
func shortTypeWord(id otlp.MessageID) string {
	switch id {
	case otlp.Histogram:
		return "hist"
	case otlp.ExponentialHistogram:
		return "exph"
	case otlp.Summary:
		return "summ"
	default:
		return typeWord(id)
	}
}

// typeWord returns the word for a metric's type, by the message of its data.
func typeWord(id otlp.MessageID) string {
	switch id {
	case otlp.Gauge:
		return "gauge"
	case otlp.Sum:
		return "sum"
	case otlp.Histogram:
		return "histogram"
	case otlp.ExponentialHistogram:
		return "exponential_histogram"
	default:
		return "summary"
	}
}
