package otlp

// traceMessages defines opentelemetry/proto/trace/v1.
//
// Field 1000 of ResourceSpans, ResourceMetrics and ResourceLogs is left out: it held the scopes before OTLP 0.15,
// receivers move it to its new place, and what is still there pdata shows to no component.
func traceMessages() []Message {
	const trace = "opentelemetry.proto.trace.v1."
	return []Message{
		{ID: TracesData, Name: trace + "TracesData", Fields: []Field{
			path(many(1, "resourceSpans", ResourceSpans)),
		}},
		{ID: ResourceSpans, Name: trace + "ResourceSpans", Fields: []Field{
			one(1, "resource", Resource),
			field(3, "schemaUrl", KindString),
			path(many(2, "scopeSpans", ScopeSpans)),
		}},
		{ID: ScopeSpans, Name: trace + "ScopeSpans", Fields: []Field{
			one(1, "scope", InstrumentationScope),
			field(3, "schemaUrl", KindString),
			items(many(2, "spans", Span)),
		}},
		{ID: Span, Name: trace + "Span", Fields: []Field{
			field(1, "traceId", KindID16),
			field(2, "spanId", KindID8),
			field(3, "traceState", KindString),
			field(4, "parentSpanId", KindID8),
			field(16, "flags", KindFixed32),
			field(5, "name", KindString),
			field(6, "kind", KindEnum),
			field(7, "startTimeUnixNano", KindFixed64),
			field(8, "endTimeUnixNano", KindFixed64),
			many(9, "attributes", KeyValue),
			field(10, "droppedAttributesCount", KindUint32),
			many(11, "events", SpanEvent),
			field(12, "droppedEventsCount", KindUint32),
			many(13, "links", SpanLink),
			field(14, "droppedLinksCount", KindUint32),
			one(15, "status", SpanStatus),
		}},
		{ID: SpanEvent, Name: trace + "Span.Event", Fields: []Field{
			field(1, "timeUnixNano", KindFixed64),
			field(2, "name", KindString),
			many(3, "attributes", KeyValue),
			field(4, "droppedAttributesCount", KindUint32),
		}},
		{ID: SpanLink, Name: trace + "Span.Link", Fields: []Field{
			field(1, "traceId", KindID16),
			field(2, "spanId", KindID8),
			field(3, "traceState", KindString),
			many(4, "attributes", KeyValue),
			field(5, "droppedAttributesCount", KindUint32),
			field(6, "flags", KindFixed32),
		}},
		{ID: SpanStatus, Name: trace + "Status", Fields: []Field{
			field(2, "message", KindString),
			field(3, "code", KindEnum),
		}},
	}
}
