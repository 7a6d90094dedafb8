package selection

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Classes says which marked items of a batch are worth more than others when there is no room for all. Its memory is used
// again from batch to batch. The zero value is ready: every item belongs to the rest. It is for one goroutine at a time.
type Classes struct {
	errors    bitmap // spans with status Error, log records of severity Error or above
	notable   bitmap // of the others: slow spans, and log records of severity Warn or above
	histogram [durationBuckets]int32
}

// ClassifyTraces finds errors and slow spans among the marked ones. A span is slow if it belongs to the slowest tenth of
// the marked spans of its batch (at least one) and took longer than the rest, in steps of a quarter of a power of two: of
// spans that take about the same, none is slow. What is slow in one system is fast in another, so no limit is fixed.
func (c *Classes) ClassifyTraces(td ptrace.Traces, marks *Marks) {
	c.reset(marks.Items())
	clear(c.histogram[:])
	eachSpan(td, marks, func(_ int, span ptrace.Span) { c.histogram[durationBucket(span)]++ })
	slow := slowBucket(&c.histogram, max(1, marks.Count()/10))
	eachSpan(td, marks, func(position int, span ptrace.Span) {
		switch {
		case isErrorSpan(span):
			c.errors.set(position)
		case durationBucket(span) >= slow:
			c.notable.set(position)
		}
	})
}

// ClassifyLogs finds errors and warnings among the marked records.
func (c *Classes) ClassifyLogs(ld plog.Logs, marks *Marks) {
	c.reset(marks.Items())
	position := 0
	for i := range ld.ResourceLogs().Len() {
		scopes := ld.ResourceLogs().At(i).ScopeLogs()
		for j := range scopes.Len() {
			records := scopes.At(j).LogRecords()
			position = eachMarked(records.Len(), position, marks, func(position, k int) {
				switch severity := SeverityOf(records.At(k)); {
				case severity >= plog.SeverityNumberError:
					c.errors.set(position)
				case severity >= plog.SeverityNumberWarn:
					c.notable.set(position)
				}
			})
		}
	}
}

// ClassifyNone is for signals without errors: metrics and profiles.
func (c *Classes) ClassifyNone(marks *Marks) { c.reset(marks.Items()) }

// Errors is how many marked items are errors.
func (c *Classes) Errors() int { return c.errors.Count() }

// Notable is how many marked items are slow or severe, but no errors.
func (c *Classes) Notable() int { return c.notable.Count() }

func (c *Classes) reset(items int) {
	c.errors.reset(items)
	c.notable.reset(items)
}

func eachSpan(td ptrace.Traces, marks *Marks, visit func(position int, span ptrace.Span)) {
	position := 0
	for i := range td.ResourceSpans().Len() {
		scopes := td.ResourceSpans().At(i).ScopeSpans()
		for j := range scopes.Len() {
			spans := scopes.At(j).Spans()
			position = eachMarked(spans.Len(), position, marks, func(position, k int) { visit(position, spans.At(k)) })
		}
	}
}

// eachMarked visits the marked ones of n items from a position on, and returns the position after them.
func eachMarked(n, first int, marks *Marks, visit func(position, k int)) int {
	for position := marks.next(first); position >= 0 && position < first+n; position = marks.next(position + 1) {
		visit(position, position-first)
	}
	return first + n
}

// Durations are put into buckets by their power of two and the two bits after it: each is at most a quarter wider than
// the one before.
const durationBuckets = 256

func durationBucket(span ptrace.Span) int {
	d := uint64(durationOf(span))
	if d < 4 {
		return int(d)
	}
	power := bits.Len64(d) - 1 // 2 or more
	return power<<2 | int(d>>(power-2)&3)
}

// slowBucket is the first of the buckets that hold no more than `most` spans together, if there is a faster span; else
// one after the last.
func slowBucket(histogram *[durationBuckets]int32, most int) int {
	held := 0
	for bucket := durationBuckets - 1; bucket >= 0; bucket-- {
		held += int(histogram[bucket])
		if held > most {
			return bucket + 1
		}
	}
	return durationBuckets // all of them would be slow
}
