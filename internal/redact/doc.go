// Package redact hides what viewers must not see: in captured OTLP protobuf before anything is made of it, in copies of
// pdata that a selection looks at, and in loose texts that quote telemetry. It knows no collector life cycle, no
// transport and no goroutine.
//
//	keys, values, mode -> Compile -> Rules     read-only, for any number of goroutines
//	                                   |
//	                      NewRedactor -> Redactor     one for each goroutine
//	                                       |
//	                                       +-- Redact: the bytes of a document -> the bytes to show
//	                                       +-- Traces, Metrics, Logs, Profiles, Value, Text: a copy that is matched
//
// # What is hidden
//
// The value of every attribute and map entry whose key fits one of the key globs, wherever it is; and every part of a
// text that one of the value patterns matches, in whatever field of the document the text is, attribute keys included.
// docs/redaction.md has the fields, the modes and the limits.
//
// # How
//
// A document is walked once, by the tables of package otlp, and only read: what is to be replaced is put on a list, with
// the lengths of the messages around it. If the list stays empty, the document is its own redaction. Else it is copied
// with the replacements. The walk takes fields in any order, and as often as they come; it looks at each occurrence, and
// not only at the one that a reader will take.
//
// # What is promised
//
//   - The input is never changed, and never part of the output of a call that fails.
//   - Nothing is passed on that was not understood: fields that the tables do not have are left out.
//   - Redact and the functions on pdata hide the same: Redact's document, read, is what Traces and its like make of the
//     document, read.
//   - Redact allocates nothing once its memory has grown, except where a value pattern with ^ or \b matches.
package redact
