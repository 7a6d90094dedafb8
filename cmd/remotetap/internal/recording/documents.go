package recording

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxDocument is the largest document that is read, in bytes of JSON. Larger ones are skipped and
// counted as broken.
const maxDocument = 64 << 20

// document is one JSON object of a recording.
type document struct {
	line int // where it begins
	text []byte
	keys []string // its own, not those within
	tap  int      // the position behind the key remoteTap and its colon; 0 if there is none
}

// documents splits a recording into its JSON objects: one on each line, or over several lines if only
// the first of them begins with the brace at its very start, as printers with indentation write them.
// So a line that is broken does not spoil those that follow.
type documents struct {
	from   *bufio.Reader
	number int // of the line that was read last

	// the document that is being read

	begin int // its first line; 0 if there is none
	text  []byte
	scan  scanner

	pending    []byte // a line that was read and belongs to the next document
	hasPending bool
}

// envelopeKey is the member that says where and when a document passed.
const envelopeKey = "remoteTap"

// fault is a document that cannot be read.
type fault struct {
	line    int
	problem string
}

// Error is the problem.
func (f *fault) Error() string { return f.problem }

const (
	cutOff    = "it is cut off here: whoever wrote it crashed, or the disk was full"
	notClosed = "the JSON object is not closed"
	noObject  = "this is no JSON object; recordings are lines of OTLP JSON"
	tooLarge  = "the document is larger than 64 MiB, and skipped"
)

// next returns the next document, which is valid until the next call; a *fault for one that is broken,
// after which reading goes on; or what the reader says, such as io.EOF.
func (d *documents) next() (document, error) {
	d.begin = 0
	for {
		line, err := d.line()
		if err != nil && len(line) == 0 {
			return document{}, d.end(err)
		}
		if f, ok := err.(*fault); ok { //nolint:errorlint // it is never wrapped
			return document{}, f
		}
		last := err != nil // a last line without its end
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if d.begin > 0 && line[0] == '{' {
			d.pending, d.hasPending = line, true
			return document{}, &fault{d.begin, notClosed}
		}
		if done, err := d.add(line, last); done || err != nil {
			return document{line: d.begin, text: d.text, keys: d.scan.keys, tap: d.scan.tap}, err
		}
	}
}

// add adds a line to the document. done says that it is complete.
func (d *documents) add(line []byte, last bool) (done bool, err error) {
	if d.begin == 0 {
		d.begin, d.text = d.number, d.text[:0]
		d.scan = scanner{keys: d.scan.keys[:0]}
	}
	if len(d.text)+len(line) > maxDocument {
		return true, &fault{d.begin, tooLarge}
	}
	start := len(d.text)
	d.text = append(d.text, line...)
	switch state := d.scan.line(d.text, start); {
	case state == stateWrong:
		return true, &fault{d.number, noObject}
	case state == stateDone:
		return true, nil
	case last:
		return true, &fault{d.number, cutOff}
	case state == stateInString:
		return true, &fault{d.number, notClosed}
	}
	return false, nil
}

// end is what there is to say when nothing more can be read.
func (d *documents) end(err error) error {
	if d.begin > 0 && errors.Is(err, io.EOF) {
		return &fault{d.begin, cutOff}
	}
	return err
}

// line reads a line without its end. With an error besides, it is what is left at the end.
func (d *documents) line() ([]byte, error) {
	if d.hasPending {
		d.hasPending = false
		return d.pending, nil
	}
	d.number++
	d.pending = d.pending[:0]
	long := false
	for {
		part, err := d.from.ReadSlice('\n')
		if !long {
			d.pending = append(d.pending, part...)
			long = len(d.pending) > maxDocument
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long:
			return []byte("{"), &fault{d.number, tooLarge}
		}
		line := bytes.TrimRight(d.pending, "\r\n")
		if d.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		return line, err
	}
}

// scanner follows the structure of a JSON object, without checking it: braces, brackets and strings.
type scanner struct {
	depth int
	keys  []string // of the object itself
	tap   int      // where the value of remoteTap begins
}

type state int

const (
	stateOpen state = iota
	stateDone
	stateInString // the line ends inside a string
	stateWrong
)

// line follows a line, which is the text from a position on.
func (s *scanner) line(text []byte, start int) state {
	var name []byte // the string before, at depth 1
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := endOfString(text, i+1)
			switch {
			case s.depth == 0:
				return stateWrong
			case end < 0:
				return stateInString
			}
			if s.depth == 1 {
				name = text[i+1 : end]
			}
			i = end
			continue
		case ':':
			if s.depth == 1 && name != nil {
				s.keys = append(s.keys, string(name))
				if string(name) == envelopeKey {
					s.tap = i + 1
				}
			}
		case '{', '[':
			s.depth++
		case '}', ']':
			s.depth--
			if s.depth == 0 {
				if len(bytes.TrimSpace(text[i+1:])) > 0 {
					return stateWrong
				}
				return stateDone
			}
		case ' ', '\t':
			continue
		}
		if s.depth <= 0 {
			return stateWrong
		}
		name = nil
	}
	return stateOpen
}

// endOfString finds the quote that ends a string, or returns -1.
func endOfString(text []byte, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
