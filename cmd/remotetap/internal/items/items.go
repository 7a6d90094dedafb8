// Package items turns batches of telemetry into single items that commands show, count and compare:
// spans, log records, data points and profile samples by the same fields.
package items

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Item is one span, log record or data point, or a batch of profiles as a whole. Its texts come from
// strangers: they must be made harmless before they reach a terminal (format.Visible).
type Item struct {
	// From is the collector's address or the file, Point the tap point, if known.
	From, Point string
	// Passed is when it passed the point; zero if nobody knows.
	Passed time.Time
	// Signal is what kind it is.
	Signal tapclient.Signal
	// Time is when a span began, a record was written, a point was measured.
	Time time.Time
	// Service is the resource's service.name.
	Service string
	// Name is a span's or metric's name, a log record's event name.
	Name string
	// Body is a log record's, as text.
	Body string
	// TraceID, SpanID and ParentID are hexadecimal; "" where there are none.
	TraceID, SpanID, ParentID string
	// Kind is a span's kind ("Server"), a metric's type ("Sum").
	Kind string
	// Duration is a span's; negative if it has no end.
	Duration time.Duration
	// Status is a span's: "Unset", "Ok" or "Error"; StatusMessage its words.
	Status, StatusMessage string
	// Severity is a log record's number; SeverityText what its source calls it.
	Severity     plog.SeverityNumber
	SeverityText string
	// Value and Unit are a data point's.
	Value, Unit string
	// Error says that it is one, as the criterion error=true does.
	Error bool
	// Attributes are the item's own, Scope and Resource those around it. They are only read.
	Attributes, Scope, Resource pcommon.Map
}

// Of returns the items of a batch, in its order. Profiles are one item for each batch. The error says
// that the batch is malformed.
func Of(b *app.Batch) ([]Item, error) {
	base := Item{From: b.From, Point: b.Point, Passed: b.Time, Signal: b.Signal}
	w := &walk{base: base, items: make([]Item, 0, b.Items)}
	var err error
	switch b.Signal {
	case tapclient.Traces:
		var td ptrace.Traces
		if td, err = b.Traces(); err == nil {
			w.traces(td)
		}
	case tapclient.Metrics:
		var md pmetric.Metrics
		if md, err = b.Metrics(); err == nil {
			w.metrics(md)
		}
	case tapclient.Logs:
		var ld plog.Logs
		if ld, err = b.Logs(); err == nil {
			w.logs(ld)
		}
	default:
		base.Attributes, base.Scope, base.Resource = pcommon.NewMap(), pcommon.NewMap(), pcommon.NewMap()
		base.Time, base.Value, base.Unit = b.Time, app.Number(b.Items), "samples"
		w.items = append(w.items, base)
	}
	return w.items, err
}

// walk collects the items of one batch.
type walk struct {
	base  Item
	items []Item
}

// in is the base of the items of one resource and scope.
func (w *walk) in(resource pcommon.Resource, scope pcommon.InstrumentationScope) Item {
	base := w.base
	base.Resource, base.Scope = resource.Attributes(), scope.Attributes()
	if service, ok := base.Resource.Get("service.name"); ok {
		base.Service = service.AsString()
	}
	return base
}

func (w *walk) traces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			base := w.in(rs.Resource(), ss.Scope())
			for _, span := range ss.Spans().All() {
				w.items = append(w.items, ofSpan(base, span))
			}
		}
	}
}

func ofSpan(item Item, span ptrace.Span) Item {
	item.Time, item.Name = span.StartTimestamp().AsTime(), span.Name()
	item.TraceID, item.SpanID, item.ParentID = span.TraceID().String(), span.SpanID().String(), span.ParentSpanID().String()
	item.Kind, item.Status, item.StatusMessage = span.Kind().String(), span.Status().Code().String(), span.Status().Message()
	item.Error = span.Status().Code() == ptrace.StatusCodeError
	item.Duration = -1
	if end := span.EndTimestamp(); end >= span.StartTimestamp() {
		item.Duration = time.Duration(end - span.StartTimestamp())
	}
	item.Attributes = span.Attributes()
	return item
}

func (w *walk) logs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			base := w.in(rl.Resource(), sl.Scope())
			for _, record := range sl.LogRecords().All() {
				w.items = append(w.items, ofRecord(base, record))
			}
		}
	}
}

func ofRecord(item Item, record plog.LogRecord) Item {
	stamp := record.Timestamp()
	if stamp == 0 {
		stamp = record.ObservedTimestamp()
	}
	item.Time, item.Name, item.Body = stamp.AsTime(), record.EventName(), record.Body().AsString()
	item.TraceID, item.SpanID = record.TraceID().String(), record.SpanID().String()
	item.Severity, item.SeverityText = selection.SeverityOf(record), record.SeverityText()
	item.Error = item.Severity >= plog.SeverityNumberError
	item.Attributes = record.Attributes()
	return item
}
