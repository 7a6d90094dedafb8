// Package shop makes the telemetry of a small shop, for tests and examples: traces over three services, with
// errors, logs and metrics that belong to them.
package shop

import (
	"encoding/binary"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Pause is the time between the beginnings of two orders.
const Pause = 100 * time.Millisecond

// Shop makes the telemetry of orders in a shop: four spans in three services for each (frontend calls
// checkout calls payment, which asks a database), one log record of payment with the trace's id, and
// two data points of checkout. The order's number decides everything:
//
//   - each fifth (4, 9, 14 ...) fails: payment's spans have status Error, the record says "card declined"
//     with severity ERROR, and the answers are 500; the others say "paid" with INFO;
//   - payment of each tenth from 7 on (7, 17 ...) runs on an engineer's laptop: its resource has
//     service.version=local-debug, the others' 1.4.2;
//   - it takes 100 ms and 10 ms more for each of its number's last digit.
type Shop struct {
	// Start is when order 0 began; the others follow a Pause after each other.
	Start time.Time
}

// New is a shop whose times never change: from 2026-01-02T15:04:05Z on.
func New() Shop { return Shop{Start: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)} }

// TraceID is the trace of an order: its number plus one in the last bytes of 5b8efff798038103d269....
// Its low 56 bits, by which samplers decide, are spread evenly.
func (Shop) TraceID(order int) pcommon.TraceID {
	id := pcommon.TraceID{0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03}
	binary.BigEndian.PutUint64(id[8:], uint64(order+1)*0x9e3779b97f4a7c15) // the golden ratio: Fibonacci hashing
	return id
}

func spanID(order, span int) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], uint64(order+1)<<8|uint64(span+1))
	return id
}

// Fails reports whether an order fails.
func (Shop) Fails(order int) bool { return order%5 == 4 }

// Local reports whether an order's payment runs on a laptop.
func (Shop) Local(order int) bool { return order%10 == 7 }

func (s Shop) begins(order int) time.Time {
	return s.Start.Add(time.Duration(order) * Pause)
}

func (s Shop) resource(order int, service string, attributes pcommon.Map) {
	attributes.PutStr("service.name", service)
	version := "1.4.2"
	if service == "payment" && s.Local(order) {
		version = "local-debug"
	}
	attributes.PutStr("service.version", version)
	attributes.PutStr("k8s.pod.name", service+"-0")
}

// Traces are the spans of orders from one number up to another, which is not included.
func (s Shop) Traces(from, to int) ptrace.Traces {
	td := ptrace.NewTraces()
	for order := from; order < to; order++ {
		s.order(order, td)
	}
	return td
}

func (s Shop) order(order int, td ptrace.Traces) {
	took := 100*time.Millisecond + time.Duration(order%10)*10*time.Millisecond
	for i, part := range []struct {
		service, name string
		kind          ptrace.SpanKind
		attribute     string
		value         string
		payment       bool
	}{
		{"frontend", "GET /checkout", ptrace.SpanKindServer, "http.route", "/checkout", false},
		{"checkout", "charge", ptrace.SpanKindInternal, "user.tier", "gold", false},
		{"payment", "POST /pay", ptrace.SpanKindServer, "http.route", "/pay", true},
		{"payment", "SELECT card", ptrace.SpanKindClient, "db.system.name", "postgresql", true},
	} {
		rs := td.ResourceSpans().AppendEmpty()
		s.resource(order, part.service, rs.Resource().Attributes())
		scope := rs.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("shop")
		span := scope.Spans().AppendEmpty()
		span.SetTraceID(s.TraceID(order))
		span.SetSpanID(spanID(order, i))
		if i > 0 {
			span.SetParentSpanID(spanID(order, i-1))
		}
		span.SetName(part.name)
		span.SetKind(part.kind)
		inset := time.Duration(i) * 10 * time.Millisecond
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(s.begins(order).Add(inset)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(s.begins(order).Add(took - inset)))
		span.Attributes().PutStr(part.attribute, part.value)
		span.Attributes().PutInt("order.number", int64(order))
		if part.attribute == "http.route" {
			code := int64(200)
			if s.Fails(order) {
				code = 500
			}
			span.Attributes().PutInt("http.response.status_code", code)
		}
		if part.payment && s.Fails(order) {
			span.Status().SetCode(ptrace.StatusCodeError)
			span.Status().SetMessage("card declined")
		}
	}
}

// Logs are the records of orders from one number up to another.
func (s Shop) Logs(from, to int) plog.Logs {
	ld := plog.NewLogs()
	for order := from; order < to; order++ {
		rl := ld.ResourceLogs().AppendEmpty()
		s.resource(order, "payment", rl.Resource().Attributes())
		record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetTimestamp(pcommon.NewTimestampFromTime(s.begins(order).Add(50 * time.Millisecond)))
		record.SetTraceID(s.TraceID(order))
		record.SetSpanID(spanID(order, 2))
		record.Attributes().PutInt("order.number", int64(order))
		if s.Fails(order) {
			record.SetSeverityNumber(plog.SeverityNumberError)
			record.SetSeverityText("ERROR")
			record.Body().SetStr("card declined")
		} else {
			record.SetSeverityNumber(plog.SeverityNumberInfo)
			record.SetSeverityText("INFO")
			record.Body().SetStr("paid")
		}
	}
	return ld
}

// Metrics are the data points of orders from one number up to another: orders.total, a cumulative sum,
// and queue.length, a gauge.
func (s Shop) Metrics(from, to int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for order := from; order < to; order++ {
		rm := md.ResourceMetrics().AppendEmpty()
		s.resource(order, "checkout", rm.Resource().Attributes())
		metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
		total := metrics.AppendEmpty()
		total.SetName("orders.total")
		total.SetUnit("{order}")
		sum := total.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		point := sum.DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(s.begins(order)))
		point.SetIntValue(int64(order + 1))
		length := metrics.AppendEmpty()
		length.SetName("queue.length")
		length.SetUnit("{order}")
		point = length.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(s.begins(order)))
		point.SetDoubleValue(float64(order%7) / 2)
	}
	return md
}
