package otlp

// logMessages defines opentelemetry/proto/logs/v1.
func logMessages() []Message {
	const logs = "opentelemetry.proto.logs.v1."
	return []Message{
		{ID: LogsData, Name: logs + "LogsData", Fields: []Field{
			path(many(1, "resourceLogs", ResourceLogs)),
		}},
		{ID: ResourceLogs, Name: logs + "ResourceLogs", Fields: []Field{
			one(1, "resource", Resource),
			field(3, "schemaUrl", KindString),
			path(many(2, "scopeLogs", ScopeLogs)),
		}},
		{ID: ScopeLogs, Name: logs + "ScopeLogs", Fields: []Field{
			one(1, "scope", InstrumentationScope),
			field(3, "schemaUrl", KindString),
			items(many(2, "logRecords", LogRecord)),
		}},
		{ID: LogRecord, Name: logs + "LogRecord", Fields: []Field{
			field(1, "timeUnixNano", KindFixed64),
			field(11, "observedTimeUnixNano", KindFixed64),
			field(2, "severityNumber", KindEnum),
			field(3, "severityText", KindString),
			field(12, "eventName", KindString),
			one(5, "body", AnyValue),
			many(6, "attributes", KeyValue),
			field(7, "droppedAttributesCount", KindUint32),
			field(8, "flags", KindFixed32),
			field(9, "traceId", KindID16),
			field(10, "spanId", KindID8),
		}},
	}
}
